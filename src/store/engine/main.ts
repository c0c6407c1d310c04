/** Starts a store process straight from its sources; `trawl store` is the same through the command line. */
import { parseArgs } from 'node:util';
import { runStore } from './run-store.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'data' },
    socket: { type: 'string' },
    listen: { type: 'string' },
    'token-file': { type: 'string', default: '' },
  },
});
const [host = '127.0.0.1', port = '0'] = (values.listen ?? '').split(':');
process.exitCode = await runStore({
  directory: values.data,
  listen:
    values.socket === undefined
      ? { kind: 'address', host, port: Number(port), tokenFile: values['token-file'] }
      : { kind: 'socket', path: values.socket },
});
