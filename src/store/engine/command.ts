/** The command line of `trawl store`. */
import { parseArgs } from 'node:util';
import type { StoreProcessOptions } from './run-store.ts';

export const storeUsage = `Usage: trawl store --data DIR (--socket PATH | --listen HOST:PORT --token-file FILE)

  --data DIR            where the store lies; one process at a time
  --socket PATH         serve on a unix socket that only this user may open
  --listen HOST:PORT    serve other machines, which show the token
  --token-file FILE     holds the token of --listen
  --max-rss BYTES       end in order above this resident size, for a supervisor to start it anew
  --supervised          end when the parent process does`;

/** Reads the arguments of `trawl store`, or says what is wrong with them. */
export function parseStoreArguments(argv: readonly string[]): StoreProcessOptions | { readonly mistake: string } {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      data: { type: 'string' },
      socket: { type: 'string' },
      listen: { type: 'string' },
      'token-file': { type: 'string' },
      'max-rss': { type: 'string' },
      supervised: { type: 'boolean', default: false },
    },
  });
  if (values.data === undefined) return { mistake: 'say with --data DIR where the store lies' };
  const maxRssBytes = values['max-rss'] === undefined ? undefined : Number(values['max-rss']);
  if (maxRssBytes !== undefined && !(maxRssBytes > 0)) return { mistake: '--max-rss takes a number of bytes' };
  const common = {
    directory: values.data,
    endWithParent: values.supervised,
    ...(maxRssBytes === undefined ? {} : { maxRssBytes }),
  };
  if (values.socket !== undefined && values.listen === undefined) {
    return { ...common, listen: { kind: 'socket', path: values.socket } };
  }
  const address = /^\[?([^\]]+?)\]?:(\d+)$/.exec(values.listen ?? '');
  const [, host, port] = address ?? [];
  if (values.socket !== undefined || host === undefined)
    return { mistake: 'say either --socket PATH or --listen HOST:PORT' };
  const tokenFile = values['token-file'];
  if (tokenFile === undefined) return { mistake: '--listen needs a token: name its file with --token-file FILE' };
  return { ...common, listen: { kind: 'address', host, port: Number(port), tokenFile } };
}
