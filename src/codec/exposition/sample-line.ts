/** The part of a sample line behind its series: value, timestamp, exemplar. Hot: bench/experiments/parse-exposition.ts. */
import type { Label } from '../../model/sample.ts';
import { parseGoFloat } from './go-float.ts';
import {
  hash,
  lineFeed,
  openBrace,
  type PageCursor,
  refuse,
  show,
  showText,
  skipBlanks,
  space,
  tab,
} from './page-cursor.ts';
import { readExemplarLabels } from './series-part.ts';

/** An exemplar as the line has it. */
export interface LineExemplar {
  /** In the order of the line. */
  readonly labels: readonly Label[];
  readonly value: number;
  readonly timestampMs: number | undefined;
}

const maxInt64 = 9223372036854775807n;
const powersOfTen = Float64Array.from({ length: 16 }, (_, i) => 10 ** i);

/** Reads the value and leaves the cursor behind it. */
export function readValue(page: PageCursor): number {
  const { bytes } = page;
  if (page.format === 'text') page.at = skipBlanks(bytes, page.at);
  else if (bytes[page.at] === space) page.at++;
  else throw refuse(page, `expected a space and a value after the metric, got ${show(page)}`);
  return readFloat(page, 'value after metric');
}

/** Up to 15 digits make a number that is exact, and so is its quotient by a power of ten; everything else goes the long way. */
function readFloat(page: PageCursor, what: string): number {
  const { bytes } = page;
  const start = page.at;
  let at = start;
  let whole = 0;
  let point = -1;
  let code = bytes[at];
  for (; code !== undefined && at - start <= 15; code = bytes[++at]) {
    if (code >= 0x30 && code <= 0x39) whole = whole * 10 + (code - 0x30);
    else if (code === 0x2e && point === -1) point = at;
    else break;
  }
  const digits = at - start - (point === -1 ? 0 : 1);
  if (digits > 0 && digits <= 15 && (code === lineFeed || code === space)) {
    page.at = at;
    return point === -1 ? whole : whole / (powersOfTen[at - point - 1] ?? 1);
  }
  return readLongFloat(page, what);
}

function readLongFloat(page: PageCursor, what: string): number {
  const { bytes, at: start } = page;
  const end = findTokenEnd(page);
  if (end === start) throw refuse(page, `expected ${what}, got ${show(page)}`);
  // Go reads an exponent of any length; no float needs more digits than this to be told from its neighbours.
  const value = parseGoFloat(bytes.toString('latin1', start, end));
  if (value === undefined) throw refuse(page, `expected a float, got ${showText(bytes, start, end)}`);
  page.at = end;
  return value;
}

function findTokenEnd({ bytes, format, at: start }: PageCursor): number {
  let at = start;
  for (let code = bytes[at]; code !== undefined && code !== lineFeed && code !== space; code = bytes[++at]) {
    if (format === 'text' && (code === tab || code === openBrace)) break;
  }
  return at;
}

/** Reads a timestamp of text, if there is one, and the end of the line. NaN where there is none. */
export function readTextEnd(page: PageCursor): number {
  const { bytes } = page;
  page.at = skipBlanks(bytes, page.at);
  const start = page.at;
  let timestampMs = Number.NaN;
  for (let code = bytes[page.at]; code !== undefined && code >= 0x30 && code <= 0x39; code = bytes[page.at]) page.at++;
  if (page.at > start) {
    const digits = bytes.toString('latin1', start, page.at);
    timestampMs = Number(digits);
    if (digits.length > 15 && (digits.length > 400 || BigInt(digits) > maxInt64))
      throw refuse(page, `timestamp ${showText(bytes, start, page.at)} does not fit into 64 bits`);
    page.at = skipBlanks(bytes, page.at);
  }
  if (bytes[page.at] !== lineFeed) {
    const wanted = page.at > start ? 'a new line after the timestamp' : 'a timestamp in milliseconds or a new line';
    throw refuse(page, `expected ${wanted}, got ${show(page)}`);
  }
  page.at++;
  return timestampMs;
}

/** Reads OpenMetrics' timestamp in seconds, if one is there. NaN where there is none. */
export function readSecondsTimestamp(page: PageCursor): number {
  const { bytes } = page;
  if (bytes[page.at] !== space || isExemplarStart(page)) return Number.NaN;
  page.at++;
  return readSeconds(page, 'timestamp');
}

function readSeconds(page: PageCursor, what: string): number {
  const start = page.at;
  const seconds = readFloat(page, `${what} in seconds`);
  if (Number.isFinite(seconds)) return Math.trunc(seconds * 1000) + 0;
  const text = showText(page.bytes, start, page.at);
  page.at = start;
  throw refuse(page, `the ${what} ${text} is no time`);
}

function isExemplarStart({ bytes, at }: PageCursor): boolean {
  return bytes[at] === space && bytes[at + 1] === hash && bytes[at + 2] === space && bytes[at + 3] === openBrace;
}

/** Reads OpenMetrics' exemplar, if there is one, and the end of the line. */
export function readExemplarAndEnd(page: PageCursor): LineExemplar | undefined {
  const { bytes } = page;
  let exemplar: LineExemplar | undefined;
  if (isExemplarStart(page)) {
    page.at += 4;
    const labels = readExemplarLabels(page);
    if (bytes[page.at] !== space) throw refuse(page, `expected a value after the exemplar's labels, got ${show(page)}`);
    page.at++;
    const value = readFloat(page, "value after the exemplar's labels");
    const hasTimestamp = bytes[page.at] === space;
    if (hasTimestamp) page.at++;
    exemplar = { labels, value, timestampMs: hasTimestamp ? readSeconds(page, "exemplar's timestamp") : undefined };
  }
  if (bytes[page.at] !== lineFeed) throw refuse(page, `expected a new line, got ${show(page)}`);
  page.at++;
  return exemplar;
}
