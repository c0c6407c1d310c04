/** Starts a store process straight from this folder, without the command line's libraries: `trawl store` for tests. */
import { parseArgs } from 'node:util';
import { runStore } from './run-store.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'data/store' },
    socket: { type: 'string' },
    listen: { type: 'string', default: '127.0.0.1:0' },
    'token-file': { type: 'string', default: '' },
    parent: { type: 'string' },
    'max-rss': { type: 'string', default: '0' },
  },
});
const [host = '127.0.0.1', port = '0'] = values.listen.split(':');
process.exitCode = await runStore({
  directory: values.data,
  ...(values.parent === undefined ? {} : { parentPid: Number(values.parent) }),
  maxRssBytes: Number(values['max-rss']),
  listen:
    values.socket === undefined
      ? { kind: 'address', host, port: Number(port), tokenFile: values['token-file'] }
      : { kind: 'socket', path: values.socket },
});
