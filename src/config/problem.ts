/** What is wrong with a configuration, and how a person is told: file, line, column, sentence, the line itself. */
import { skipString } from './locator.ts';

/** One thing that is wrong, or, as a warning, of no effect. Holds no secret and may be printed anywhere. */
export interface Problem {
  /** As given to the loader; `environment` and `--set` for what comes from there. */
  readonly file: string;
  /** From 1; 0 where there are no lines. */
  readonly line: number;
  /** From 1; 0 where there are no lines. */
  readonly column: number;
  /** The key, e.g. `inputs.prom[2].interval`. */
  readonly path: string;
  readonly message: string;
  /** What to do about it, or ''. */
  readonly hint: string;
  /** The line with a mark under the fault, values that are not at fault left out; '' where there is no line. */
  readonly frame: string;
}

/** `conf.d/x.conf:12:1: unknown key "intervall" in [[inputs.prom]]; did you mean "interval"?`, and the line below it. */
export function formatProblem(problem: Problem): string {
  const where = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  const hint = problem.hint === '' ? '' : `; ${problem.hint}`;
  const frame = problem.frame === '' ? '' : `\n${problem.frame}`;
  return `${where}: ${problem.message}${hint}${frame}`;
}

/** Writes a path as people do: `inputs.prom[2]."a b"`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += `${text === '' ? '' : '.'}${/^[A-Za-z0-9_-]+$/.test(step) ? step : JSON.stringify(step)}`;
  }
  return text;
}

/** The line and column of an offset, both from 1. */
export function lineAndColumn(text: string, offset: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: offset - lineStart + 1 };
}

/** A stretch of the text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const maxFrameColumns = 100;
const structure = /[\s[\]{},="']/;

/**
 * Which characters of a line may be shown: keys, headers and punctuation, and the value in `shown`. Everything else may be a secret,
 * whatever its key is called, since the key itself may be misspelt; comments go as well.
 */
function visibleCharacters(text: string, line: Span, shown: Span | undefined): boolean[] {
  const visible: boolean[] = [];
  const isHeader = /^\s*\[\[?[\s\w."'-]*(?:\]|$)/.test(text.slice(line.start, line.end));
  const stringEnds = stringsAround(text, line);
  let isValue = !isHeader && !text.slice(line.start, line.end).includes('=');
  for (let i = line.start; i < line.end; i++) {
    const string = stringEnds.find((span) => i >= span.start && i < span.end);
    const isInside = string !== undefined && i > string.start && i < string.end - 1;
    if (string === undefined) {
      const char = text[i];
      if (char === '#') break;
      if (char === '=') isValue = true;
      else if (char === ',' || char === '{') isValue = !isKeyNext(text, i + 1, line.end) && isValue;
    }
    const isShown = shown !== undefined && i >= shown.start && i < shown.end;
    const isPlain = !isInside && (!isValue || structure.test(text[i] ?? ''));
    visible.push(isShown || isPlain);
  }
  return visible;
}

const isKeyNext = (text: string, from: number, end: number): boolean =>
  /^\s*[\w."'-]+\s*=/.test(text.slice(from, Math.min(end, from + 200)));

/** The strings that touch a line, those included that began on an earlier one. */
function stringsAround(text: string, line: Span): Span[] {
  const found: Span[] = [];
  for (let i = 0; i < line.end; ) {
    const char = text[i];
    if (char === '#') {
      const end = text.indexOf('\n', i);
      i = end === -1 ? text.length : end;
    } else if (char === '"' || char === "'") {
      const end = skipString(text, i);
      if (end > line.start) {
        // A text that is not closed hides the rest of the line: its last character is not a quote.
        const isClosed = end - i > 1 && text[end - 1] === char;
        found.push({ start: i, end: isClosed ? end : end + 1 });
      }
      i = end;
    } else {
      i++;
    }
  }
  return found;
}

/** The line that holds `at.start`, with `^` under the stretch. Values are left out as `…`, except the one in `shown`. */
export function codeFrame(text: string, at: Span, shown?: Span): string {
  const start = text.lastIndexOf('\n', at.start - 1) + 1;
  const nextLine = text.indexOf('\n', at.start);
  const end = nextLine === -1 ? text.length : nextLine;
  const line = { start, end: text[end - 1] === '\r' ? end - 1 : end };
  const visible = visibleCharacters(text, line, shown);
  let shownLine = '';
  let markFrom = -1;
  let markTo = -1;
  for (let i = line.start; i <= line.end; i++) {
    if (i === at.start) markFrom = shownLine.length;
    if (i === Math.min(at.end, line.end)) markTo = shownLine.length;
    if (i === line.end) break;
    const isVisible = visible[i - line.start] === true;
    if (isVisible) shownLine += text[i] === '\t' ? ' ' : text[i];
    else if (!shownLine.endsWith('…') && i - line.start < visible.length) shownLine += '…';
  }
  if (markFrom === -1) markFrom = shownLine.length;
  shownLine = shownLine.trimEnd();
  if (markFrom >= maxFrameColumns || shownLine === '') return '';
  if (shownLine.length > maxFrameColumns) shownLine = `${shownLine.slice(0, maxFrameColumns)}…`;
  const marks = Math.max(1, Math.min(markTo, shownLine.length) - markFrom);
  const number = String(lineAndColumn(text, at.start).line).padStart(5);
  return `${number} | ${shownLine}\n${' '.repeat(5)} | ${' '.repeat(markFrom)}${'^'.repeat(marks)}`;
}
