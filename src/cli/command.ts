/** What a command of `trawl` is, and how its arguments are read and its help is written. */
import { relative } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { errorCode } from '../pipeline/file-system.ts';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  /** What stands for the value in the help, e.g. `DIR`. */
  readonly value?: string;
  readonly description: string;
}

export interface Arguments {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  isSet(name: string): boolean;
}

/** Where a command writes to, so that a test can read it. */
export interface Terminal {
  out(line: string): void;
  error(line: string): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a person sees what goes out, and how many characters fit into a line there. */
  readonly isTty?: boolean;
  readonly columns?: number | undefined;
  /** How many lines a person sees there at once. */
  readonly rows?: number | undefined;
  /** Standard input, for commands that read it. */
  input?(): AsyncIterable<Uint8Array>;
}

export interface Command {
  /** The words that call it, e.g. `query trace`. */
  readonly name: string;
  readonly summary: string;
  /** What follows the name in the usage line, e.g. `TRACE_ID`; the last may be `FILE…`, one or more, or in brackets: one or none. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  /** Shown at the end of its help: a line to copy. */
  readonly example: string;
  /** Resolves to the process's exit status. */
  run(args: Arguments, terminal: Terminal): Promise<number>;
}

/** The program as it was called: `trawl`, or `node dist/main.js` in a checkout. For commands that a person is to copy. */
export function programName(): string {
  const file = process.argv[1] ?? '';
  if (!file.endsWith('.js')) return 'trawl';
  const fromHere = relative(process.cwd(), file);
  return `node ${fromHere.startsWith('..') ? file : fromHere}`;
}

/** Arguments that a command cannot be run with; the message says which. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An agent that could not be asked, or said no. The message is for a person. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
}

/** Reads what follows the command's name. Throws a UsageError. */
export function readArguments(command: Command, argv: readonly string[]): Arguments {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [name, { type, multiple }] of Object.entries(command.options)) {
    options[name] = { type, multiple: multiple ?? false };
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    if (errorCode(error) === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
      throw new UsageError(valueFault(command, argv, error));
    const sentence = error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
    const isUnknown = errorCode(error) === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && command.positionals.length > 0;
    const hint = isUnknown ? `; ${command.positionals[0]} goes behind -- where it begins with a minus` : '';
    throw new UsageError(sentence + hint, { cause: error });
  }
  const { values, positionals } = parsed;
  const isOpen = command.positionals.at(-1)?.endsWith('…') === true && positionals.length > command.positionals.length;
  const isLeftOut =
    command.positionals.at(-1)?.startsWith('[') === true && positionals.length === command.positionals.length - 1;
  if (positionals.length !== command.positionals.length && !isOpen && !isLeftOut) {
    const wanted =
      command.positionals.length === 0 ? 'takes no argument' : `needs ${command.positionals.join(' and ')}`;
    const isMore = command.positionals.length > 0 && positionals.length > command.positionals.length;
    const got = positionals.length > 0 ? `, got ${positionals.join(' ')}` : '';
    throw new UsageError(
      `trawl ${command.name} ${wanted}${got}${isMore ? '; what has blanks in it goes in quotes' : ''}`,
    );
  }
  return {
    positionals,
    text(name) {
      const value = values[name];
      return typeof value === 'string' ? value : undefined;
    },
    texts(name) {
      const value = values[name];
      return Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : [];
    },
    isSet: (name) => values[name] === true,
  };
}

/** What is wrong with an option's value, in place of what Node says of it. */
function valueFault(command: Command, argv: readonly string[], error: unknown): string {
  const name = /--([\w-]+)/.exec(error instanceof Error ? error.message : '')?.[1] ?? '';
  const option = command.options[name];
  if (option === undefined || option.type === 'boolean') return `--${name} takes no value`;
  const wanted = option.value ?? 'TEXT';
  const given = argv[argv.indexOf(`--${name}`) + 1];
  if (given === undefined || !given.startsWith('-')) return `--${name} needs a value: --${name} ${wanted}`;
  if (/^-[\d.]/.test(given)) return `--${name} ${given} is less than nothing; write ${wanted} without the minus`;
  return `--${name} needs a value, and ${given} looks like an option; where it is the value, write --${name}=${given}`;
}

/** The text of `trawl COMMAND --help`. */
export function helpOf(command: Command): string {
  const flags = Object.entries(command.options).map(([name, option]) => {
    const flag = option.type === 'boolean' ? `--${name}` : `--${name} ${option.value ?? 'TEXT'}`;
    return [flag, option.description] as const;
  });
  const width = Math.max(0, ...flags.map(([flag]) => flag.length));
  return [
    `trawl ${[command.name, ...command.positionals].join(' ')}${flags.length > 0 ? ' [OPTION]…' : ''}`,
    '',
    `  ${command.summary}`,
    ...(flags.length > 0 ? ['', 'Options:', ...flags.map(([flag, text]) => `  ${flag.padEnd(width)}  ${text}`)] : []),
    '',
    'Example:',
    `  ${command.example}`,
  ].join('\n');
}
