/** Finds the command that the arguments name, and says what to do when there is none. */
import { readFileSync } from 'node:fs';
import { errorCode } from '../pipeline/file-system.ts';
import { ApiError, type Command, helpOf, readArguments, type Terminal, UsageError } from './command.ts';
import { version } from './version.ts';

/** Loaded when called, so that `trawl --version` does not wait for the agent's libraries. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => (await import('./agent-command.ts')).agentCommand,
  check: async () => (await import('./check.ts')).checkCommand,
  'check metrics': async () => (await import('./check-metrics.ts')).checkMetrics,
  'query promql': async () => (await import('./query-promql.ts')).queryPromql,
  'query trace': async () => (await import('./query-trace.ts')).queryTrace,
  'query traces': async () => (await import('./query-traces.ts')).queryTraces,
  'send span': async () => (await import('./send-span.ts')).sendSpan,
  'send traces': async () => (await import('./send-traces.ts')).sendTraces,
  store: async () => (await import('./store-command.ts')).storeCommand,
  targets: async () => (await import('./targets.ts')).targetsCommand,
  'why pod': async () => (await import('./why-pod.ts')).whyPod,
};

/** A line for each command of which `isMeant` says so. */
async function commandList(isMeant: (name: string) => boolean): Promise<string[]> {
  const meant = Object.entries(commands).filter(([name]) => isMeant(name));
  const loaded = await Promise.all(meant.map(([, load]) => load()));
  const width = Math.max(...loaded.map(({ name }) => name.length));
  return loaded.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
}

const overview = async (): Promise<string> => {
  return [
    `trawl ${version}: takes in traces, metrics and logs, keeps them, and answers queries about them.`,
    '',
    'Usage: trawl COMMAND [OPTION]…',
    '',
    'Commands:',
    ...(await commandList(() => true)),
    '',
    'Begin with:',
    '  trawl agent                     runs the agent on http://127.0.0.1:9529',
    '  trawl send span                 sends it a span, from a second terminal',
    '',
    'trawl COMMAND --help says more about each.',
  ].join('\n');
};

/** How many files this process may have open; Infinity where the system does not say. */
function openFilesLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    // Not Linux.
    return Number.POSITIVE_INFINITY;
  }
}

/** Node says that a package is not there when it could not open its package.json. */
const isShortOfFiles = (error: unknown, limit: number): boolean =>
  errorCode(error) === 'EMFILE' || (errorCode(error) === 'ERR_MODULE_NOT_FOUND' && limit < 256);

const isHelp = (argument: string | undefined) => argument === '--help' || argument === '-h';

/** `trawl query --help`: the commands that begin with this word, where it is none by itself. */
async function groupHelp(argv: readonly string[]): Promise<string | undefined> {
  const [first, second] = argv;
  const isOfGroup = (name: string) => name.startsWith(`${first} `);
  if (!isHelp(second) || !Object.keys(commands).some(isOfGroup)) return undefined;
  return [...(await commandList(isOfGroup)), '', 'trawl COMMAND --help says more about each.'].join('\n');
}

/** Splits the arguments into a command's name and the rest; names are up to two words. */
function findCommand(argv: readonly string[]): { name: string; rest: readonly string[] } | undefined {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(' ');
    if (name in commands) return { name, rest: argv.slice(words) };
  }
  return undefined;
}

/** Runs `trawl ARGV`; resolves to the exit status: 0, 1 for a failure, 2 for arguments that make no sense. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = argv;
  if (first === '--version' || first === '-v' || first === 'version') {
    terminal.out(version);
    return 0;
  }
  // `trawl help query trace` is the same as `trawl query trace --help`.
  if (first === 'help' && argv.length > 1) return await runCli([...argv.slice(1), '--help'], terminal);
  if (first === undefined || isHelp(first) || first === 'help') {
    (first === undefined ? terminal.error : terminal.out)(await overview());
    return first === undefined ? 2 : 0;
  }
  const found = findCommand(argv);
  const group = found === undefined ? await groupHelp(argv) : undefined;
  if (group !== undefined) {
    terminal.out(group);
    return 0;
  }
  const load = found && commands[found.name];
  if (found === undefined || load === undefined) {
    const known = Object.keys(commands);
    const longer = known.filter((name) => name.startsWith(`${first} `));
    terminal.error(`there is no command "${argv.slice(0, longer.length > 0 ? 2 : 1).join(' ')}"`);
    terminal.error(`commands: ${(longer.length > 0 ? longer : known).join(', ')}; trawl --help says what they do`);
    return 2;
  }
  // Asked before, since afterwards no file may be left to ask with.
  const filesLimit = openFilesLimit();
  const command = await load().catch((error) => {
    // All modules are read at once: where that fails, the program has not begun.
    if (isShortOfFiles(error, filesLimit)) return undefined;
    throw error;
  });
  if (command === undefined) {
    terminal.error(
      'the limit of open files is too low to start; raise it to 1024 or more (ulimit -n, or LimitNOFILE=)',
    );
    return 1;
  }
  if (found.rest.some(isHelp)) {
    terminal.out(helpOf(command));
    return 0;
  }
  try {
    return await command.run(readArguments(command, found.rest), terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.error(`${error.message}; trawl ${command.name} --help says how it is used`);
      return 2;
    }
    if (error instanceof ApiError) {
      terminal.error(error.message);
      return 1;
    }
    throw error;
  }
}
