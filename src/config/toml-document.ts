/** One TOML file: its text with environment variables put in, its values, and where each of them stands in the file as written. */
import toml from 'toml';
import { createLocator, type Locator } from './locator.ts';
import { codeFrame, formatPath, lineAndColumn, type Problem } from './problem.ts';
import type { Path } from './schema-walk.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A table as TOML gives it. */
export type Table = Record<string, unknown>;

export interface TomlDocument {
  readonly file: string;
  readonly root: Table;
  /** A problem at a key, or at its value; the value is only shown where `isValueShown`. */
  problemAt(options: ProblemOptions): Problem;
}

export interface ProblemOptions {
  readonly path: Path;
  readonly at: 'key' | 'value';
  readonly message: string;
  readonly hint?: string;
  readonly isValueShown?: boolean;
}

/** Whether a value is a table. */
export function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;
}

interface Substitution {
  readonly text: string;
  /** The offset in the file as written. */
  toWritten(offset: number): number;
}

/** Replaces `$VAR` and `${VAR}` where the variable exists, as DataKit does; comment lines stay as they are. */
function substitute(written: string, env: Environment): Substitution {
  const shifts: {
    readonly from: number;
    readonly to: number;

    readonly writtenFrom: number;
    readonly writtenTo: number;
  }[] = [];
  let text = '';
  let done = 0;
  for (const match of written.matchAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g)) {
    const value = env[match[1] ?? match[2] ?? ''];
    const lineStart = written.lastIndexOf('\n', match.index) + 1;
    if (value === undefined || /^\s*#/.test(written.slice(lineStart, match.index))) continue;
    text += written.slice(done, match.index);
    const from = text.length;
    text += value;
    done = match.index + match[0].length;
    shifts.push({ from, to: text.length, writtenFrom: match.index, writtenTo: done });
  }
  text += written.slice(done);
  return {
    text,
    toWritten(offset) {
      let shift = 0;
      for (const replaced of shifts) {
        if (offset < replaced.from) break;
        if (offset < replaced.to) return replaced.writtenFrom;
        shift = replaced.writtenTo - replaced.to;
      }
      return offset + shift;
    },
  };
}

interface SyntaxFault {
  readonly offset: number;
  readonly message: string;
  readonly hint: string;
}

function offsetOf(text: string, line: number, column: number): number {
  let lineStart = 0;
  for (let at = 1; at < line; at++) lineStart = text.indexOf('\n', lineStart) + 1;
  return Math.min(lineStart + column - 1, text.length);
}

const numberAt = (value: unknown, key: string): number | undefined => {
  if (typeof value !== 'object' || value === null || !(key in value)) return undefined;
  const found: unknown = Reflect.get(value, key);
  return typeof found === 'number' ? found : undefined;
};

/** Turns the parser's complaint into one sentence. The parser quotes the text it found, which may be a secret, so that part is left out. */
function describeFault(error: unknown, text: string): SyntaxFault {
  const message = error instanceof Error ? error.message : String(error);
  const line = numberAt(error, 'line');
  const column = numberAt(error, 'column');
  if (line !== undefined && column !== undefined) {
    const offset = offsetOf(text, line, column);
    if (message.startsWith('Integer ')) {
      return {
        offset,
        message: 'an integer beyond 9007199254740991 (2^53 - 1) cannot be kept exactly',
        hint: 'write it in quotes if it is text',
      };
    }
    const redefined = /^Cannot redefine existing key '(.*)'\.$/s.exec(message)?.[1];
    if (redefined !== undefined) {
      return { offset, message: `"${redefined}" is already there`, hint: 'keep one of the two' };
    }
    if (message === 'Invalid escape sequence') {
      const hint = 'write \\\\ for a backslash, or put the text in single quotes';
      return { offset, message: 'not valid TOML: an escape that TOML does not have', hint };
    }
    return {
      offset,
      message: `not valid TOML: ${message.charAt(0).toLowerCase()}${message.slice(1).replace(/\.$/, '')}`,
      hint: '',
    };
  }
  const location = typeof error === 'object' && error !== null && 'location' in error ? error.location : undefined;
  const startAt = typeof location === 'object' && location !== null && 'start' in location ? location.start : undefined;
  const offset = numberAt(startAt, 'offset') ?? 0;
  return { offset, ...describeSyntax(message, text, offset) };
}

function describeSyntax(
  message: string,
  text: string,
  offset: number,
): { readonly message: string; readonly hint: string } {
  const expected = message.replace(/ but (?:".*"|end of input) found\.$/s, '');
  const isAtEnd = offset >= text.length || text[offset] === '\n' || text[offset] === '\r';
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const before = text.slice(lineStart, offset);
  if (/\[\^["'\\]/.test(expected) && isAtEnd) {
    return { message: 'not valid TOML: a text is not closed', hint: 'a quote is missing' };
  }
  if (/^\s*\[/.test(before) && !before.includes('=') && expected.includes('"]"')) {
    return {
      message: 'not valid TOML: a header is not closed',
      hint: before.trimStart().startsWith('[[') ? 'it ends with ]]' : 'it ends with ]',
    };
  }
  if (/=\s*$/.test(before)) {
    return isAtEnd
      ? { message: 'not valid TOML: a value is missing', hint: '' }
      : { message: 'not valid TOML: this is not a value', hint: 'text goes in quotes' };
  }
  // `info` begins as `inf` does.
  if (/[=,[{]\s*(?:true|false|[+-]?inf|[+-]?nan)$/.test(before) && /^[\w.:/-]/.test(text.slice(offset, offset + 1)))
    return { message: 'not valid TOML: this is not a value', hint: 'text goes in quotes' };
  // `10s`, `1.5GiB`, `10 s`: what begins as a number does and goes on as text does.
  if (/[=,[{]\s*[+-]?\d[\w.+:-]*\s*$/.test(before) && /^[a-z_/%:.-]/i.test(text.slice(offset, offset + 1))) {
    return { message: 'not valid TOML: this is not a number', hint: 'text goes in quotes, durations and sizes too' };
  }
  if (text[offset] === ',') return { message: 'not valid TOML: a comma too many', hint: '' };
  if (expected.includes('"="'))
    return { message: 'not valid TOML: expected "=" after the key', hint: 'write KEY = VALUE' };
  if (offset >= text.length)
    return {
      message: 'not valid TOML: the file ends in the middle of a value',
      hint: 'a bracket or a quote is missing',
    };
  if (/^Expected (?:"#", )?"\\n"/.test(expected)) {
    return {
      message: 'not valid TOML: there is more on the line than a value',
      hint: 'put the next key on a line of its own',
    };
  }
  return { message: 'not valid TOML here', hint: '' };
}

/** Parses a file's text; what is wrong with its syntax is one problem, for the parser stops at the first. */
export function parseToml(
  file: string,
  content: string,
  env: Environment,
): { readonly ok: true; readonly document: TomlDocument } | { readonly ok: false; readonly problem: Problem } {
  const written = content.startsWith('\uFEFF') ? content.slice(1) : content;
  const substitution = substitute(written, env);
  let root: unknown;
  try {
    root = toml.parse(substitution.text);
  } catch (error) {
    const fault = describeFault(error, substitution.text);
    const offset = substitution.toWritten(fault.offset);
    const problem: Problem = {
      file,
      ...lineAndColumn(written, offset),
      path: '',
      message: fault.message,
      hint: fault.hint,
      frame: codeFrame(written, { start: offset, end: offset + 1 }),
    };
    return { ok: false, problem };
  }
  if (!isTable(root)) throw new TypeError('The TOML parser did not return a table.');
  let locator: Locator | undefined;
  const problemAt = (options: ProblemOptions): Problem => {
    locator ??= createLocator(substitution.text);
    const { position, isExact } = locator.nearest(options.path);
    const isValue = options.at === 'value' && isExact;
    const start = substitution.toWritten(isValue ? position.valueStart : position.keyStart);
    const end = substitution.toWritten(isValue ? position.valueEnd : position.keyEnd);
    const span = { start, end: Math.max(start, end) };
    return {
      file,
      ...lineAndColumn(written, start),
      path: formatPath(options.path),
      message: options.message,
      hint: options.hint ?? '',
      frame: codeFrame(written, span, isValue && options.isValueShown === true ? span : undefined),
    };
  };
  return { ok: true, document: { file, root, problemAt } };
}
