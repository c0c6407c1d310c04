import type { RetentionLimits } from '../store/retention/plan.ts';
import { type Arguments, type Command, UsageError } from './command.ts';

/** Splits `HOST:PORT`, `:PORT` or `[IPV6]:PORT`. Throws a UsageError. */
function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new UsageError(`--listen ${text} is no address; write HOST:PORT, e.g. 0.0.0.0:9530`);
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

/** An option that must be a whole number. Throws a UsageError. */
function wholeNumber(args: Arguments, name: string, absent: number): number {
  const text = args.text(name);
  if (text === undefined) return absent;
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${name} ${text} is no whole number`);
  return Number(text);
}

const retentionOptions = ['retention', 'retention-spans', 'retention-samples', 'retention-logs', 'max-bytes'];

/** How long and how much a store that listens keeps, by the rules of trawl.conf. Throws a UsageError. */
async function readRetention(args: Arguments): Promise<RetentionLimits> {
  // Only here: a store that an agent starts has no use for what reads a configuration.
  const [{ mainConfig }, { retentionLimitsOf }] = await Promise.all([
    import('../config/main-config.ts'),
    import('./retention-limits.ts'),
  ]);
  const given = retentionOptions.flatMap((name) => {
    const text = args.text(name);
    return text === undefined ? [] : [[name.replaceAll('-', '_'), text]];
  });
  const parsed = mainConfig.shape.store.safeParse(Object.fromEntries(given));
  if (parsed.success) return retentionLimitsOf(parsed.data);
  const [issue] = parsed.error.issues;
  throw new UsageError(`--${String(issue?.path[0]).replaceAll('_', '-')} ${issue?.message}`);
}

/** `trawl store`: the store as a process of its own. An agent starts it for itself; by hand it serves agents on other machines. */
export const storeCommand: Command = {
  name: 'store',
  summary: 'Runs the store alone, for agents on other machines; an agent without store.url starts its own.',
  positionals: [],
  options: {
    data: { type: 'string', value: 'DIR', description: 'The directory with its tables (default data/store).' },
    listen: { type: 'string', value: 'HOST:PORT', description: 'Where agents reach it.' },
    'token-file': {
      type: 'string',
      value: 'FILE',
      description: 'Holds the token that agents must show; needed with --listen.',
    },
    socket: { type: 'string', value: 'PATH', description: 'A unix socket in place of an address.' },
    'max-rss': {
      type: 'string',
      value: 'BYTES',
      description: 'Ends in order above this memory, to be started anew (default never).',
    },
    retention: {
      type: 'string',
      value: 'AGE',
      description: 'How long everything is kept, with --listen: 7d unless told, or forever.',
    },
    'retention-spans': { type: 'string', value: 'AGE', description: 'How long spans are kept, where it differs.' },
    'retention-samples': { type: 'string', value: 'AGE', description: 'How long samples are kept, where it differs.' },
    'retention-logs': { type: 'string', value: 'AGE', description: 'How long log lines are kept, where it differs.' },
    'max-bytes': {
      type: 'string',
      value: 'SIZE',
      description: 'The most the tables may take on disk, with --listen: 20GiB unless told, or none.',
    },
    parent: { type: 'string', value: 'PID', description: 'Ends when this process does; an agent gives its own.' },
    'max-queries': { type: 'string', value: 'N', description: 'Queries at work at once (default 4).' },
    'max-waiting': { type: 'string', value: 'N', description: 'Queries that may wait their turn (default 64).' },
  },
  example: 'trawl store --listen 0.0.0.0:9530 --token-file /etc/trawl/store-token --data /var/lib/trawl-store',
  async run(args) {
    const socket = args.text('socket');
    const listen = args.text('listen');
    const tokenFile = args.text('token-file');
    if ((socket === undefined) === (listen === undefined)) throw new UsageError('give one of --listen and --socket');
    if (listen !== undefined && tokenFile === undefined)
      throw new UsageError('--listen needs --token-file: whoever has the token can read and write everything');
    const retention = listen === undefined ? undefined : await readRetention(args);
    if (listen === undefined && retentionOptions.some((name) => args.text(name) !== undefined))
      throw new UsageError('retention is for --listen: the agent that starts a store with --socket keeps it in order');
    const { runStore } = await import('../store/engine/run-store.ts');
    return runStore({
      directory: args.text('data') ?? 'data/store',
      ...(args.text('parent') === undefined ? {} : { parentPid: wholeNumber(args, 'parent', 0) }),
      ...(retention === undefined ? {} : { retention }),
      maxRssBytes: wholeNumber(args, 'max-rss', 0),
      maxConcurrentQueries: wholeNumber(args, 'max-queries', 4),
      maxWaitingQueries: wholeNumber(args, 'max-waiting', 64),
      listen:
        socket === undefined
          ? { kind: 'address', ...parseAddress(listen ?? ''), tokenFile: tokenFile ?? '' }
          : { kind: 'socket', path: socket },
    });
  },
};
