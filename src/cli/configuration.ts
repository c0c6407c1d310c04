/** How the commands find the configuration they work on. */
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { listenAddress } from '../config/fields.ts';
import type { LoadOptions } from '../config/load.ts';
import type { InputKind, OutputKind } from '../pipeline/component.ts';
import { kinds } from './agent/kinds.ts';
import { type Arguments, type Option, UsageError } from './command.ts';

/** The configuration that comes with the package: it takes what is pushed, and scrapes or tails nothing by itself. */
export const shippedDirectory = fileURLToPath(new URL('../../conf.d', import.meta.url));

/** Variables that are the command line's own, not settings of the agent. */
const otherVariables = ['TRAWL_TOKEN'];

/** The options of every command that reads a configuration. */
export const configurationOptions = {
  config: {
    type: 'string',
    value: 'DIR',
    description: 'Directory with trawl.conf and conf.d files (default: the shipped ones).',
  },
  data: {
    type: 'string',
    value: 'DIR',
    description: 'Directory for everything the agent keeps (store.data_directory).',
  },
  listen: { type: 'string', value: 'HOST:PORT', description: 'One address for everything, in place of all listeners.' },
  set: {
    type: 'string',
    value: 'KEY=VALUE',
    multiple: true,
    description: 'Sets any configuration key, e.g. store.retention=forever.',
  },
} as const satisfies Record<string, Option>;

/** What the arguments ask to be loaded. Throws a UsageError. */
export function loadOptionsOf(
  args: Arguments,
  environment: Readonly<Record<string, string | undefined>>,
): LoadOptions<InputKind<unknown>, OutputKind<unknown>> {
  const directory = args.text('config') ?? shippedDirectory;
  if (!existsSync(directory)) throw new UsageError(`--config ${directory}: there is no such directory`);
  if (!statSync(directory).isDirectory())
    throw new UsageError(`--config ${directory} is a file; name the directory it is in`);
  const data = args.text('data');
  const listen = args.text('listen');
  const address = listenAddress().safeParse(listen ?? ':0');
  if (!address.success) throw new UsageError(`--listen ${listen} ${address.error.issues[0]?.message}`);
  return {
    directory,
    kinds,
    env: environment,
    otherVariables,
    sets: [
      ...(data === undefined ? [] : [`store.data_directory=${data}`]),
      ...(listen === undefined
        ? []
        : [`http.listen=${listen}`, 'http.zipkin_listen=', 'http.otlp_listen=', 'http.otlp_grpc_listen=']),
      ...args.texts('set'),
    ],
  };
}
