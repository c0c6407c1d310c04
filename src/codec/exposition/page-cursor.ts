/** Where a page is being read, and how it is said what is wrong there. Both formats are read as bytes; text is made of what is new only. */
import { isUtf8 } from 'node:buffer';
import type { Label } from '../../model/sample.ts';
import { CodecError } from '../codec-error.ts';
import { knownText } from '../known-texts.ts';
import type { ExpositionFormat } from './exposition.ts';
import type { LabelPool } from './label-pool.ts';

export interface PageCursor {
  /** The page, ending in a line feed. */
  readonly bytes: Buffer;
  readonly format: ExpositionFormat;
  /** Makes a label; a parser that reads many pages hands out the same one again. */
  readonly labelOf: LabelPool['labelOf'];
  at: number;
  /** How the labels of the series before were put in order: most series of a family write the same names in the same order. */
  lastOrder: LabelOrder | undefined;
}

export interface LabelOrder {
  /** As the line has them. */
  readonly names: readonly string[];
  /** Which of them comes first, second, … */
  readonly sorted: readonly number[];
}

export const lineFeed = 0x0a;
export const space = 0x20;
export const tab = 0x09;
export const hash = 0x23;
const colon = 0x3a;
export const quote = 0x22;
export const backslash = 0x5c;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;

/** The longest label or help text. To take the escapes out of one that is nothing else takes a twentieth of a second. */
export const maxTextBytes = 256 * 1024;

const shownTextLength = 64;
const shownLineLength = 120;

/** Puts a cursor at the page's beginning. A last line without a line feed is as good as one with it. */
export function openPage(body: Buffer, format: ExpositionFormat, labelOf: LabelPool['labelOf'] = newLabel): PageCursor {
  const isWhole = body.length === 0 || body[body.length - 1] === lineFeed;
  return {
    bytes: isWhole ? body : Buffer.concat([body, Buffer.from('\n')]),
    format,
    labelOf,
    at: 0,
    lastOrder: undefined,
  };
}

const newLabel = (name: string, value: string): Label => [name, value];

export function isBlank(code: number | undefined): boolean {
  return code === space || code === tab;
}

export function skipBlanks(bytes: Buffer, start: number): number {
  let at = start;
  while (isBlank(bytes[at])) at++;
  return at;
}

const nameStart = new Uint8Array(256);
const nameRest = new Uint8Array(256);
for (const range of ['az', 'AZ', '__', '::', '09']) {
  for (let code = range.charCodeAt(0); code <= range.charCodeAt(1); code++) {
    nameStart[code] = range === '09' ? 0 : 1;
    nameRest[code] = 1;
  }
}

/** Where the metric name that starts at `start` ends; `start` itself when there is none. */
export function findNameEnd(bytes: Buffer, start: number): number {
  if (nameStart[bytes[start] ?? 0] !== 1) return start;
  let at = start + 1;
  while (nameRest[bytes[at] ?? 0] === 1) at++;
  return at;
}

/** As a metric name, but without colons. */
export function findLabelNameEnd(bytes: Buffer, start: number): number {
  if (nameStart[bytes[start] ?? 0] !== 1) return start;
  let at = start;
  while (nameRest[bytes[at] ?? 0] === 1 && bytes[at] !== colon) at++;
  return at;
}

/** Where the quoted text that starts at `start` ends, behind its closing quote; -1 when nothing closes it. A backslash escapes no line feed. */
export function findQuotedEnd(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const code = bytes[at];
    if (code === quote) return at + 1;
    if (code === backslash) {
      at++;
      if (bytes[at] === lineFeed) return -1;
    }
  }
  return -1;
}

/** The text of some bytes, a copy; undefined where they are no UTF-8. */
export function textOf(bytes: Buffer, start: number, end: number): string | undefined {
  const known = knownText(bytes, start, end);
  if (known !== undefined) return known;
  const text = bytes.toString('latin1', start, end);
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) < 0x80) continue;
    return isUtf8(bytes.subarray(start, end)) ? bytes.toString('utf8', start, end) : undefined;
  }
  return text;
}

/** Takes the escapes out of a quoted text: `\\`, `\"` and `\n`; any other backslash stays. */
export function unescapeText(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\([\\"n])/g, (_, character: string) => (character === 'n' ? '\n' : character));
}

/** What stands at a place, for the sentence `expected …, got …`. */
export function show(page: PageCursor, at = page.at): string {
  const { bytes } = page;
  const code = bytes[at];
  if (code === undefined || code === lineFeed) return 'the end of the line';
  if (code < 0x80) return JSON.stringify(String.fromCharCode(code));
  const text = bytes.toString('utf8', at, at + 4);
  return JSON.stringify(String.fromCodePoint(text.codePointAt(0) ?? 0xfffd));
}

/** Some bytes as they are shown in an error: escaped and short. */
export function showText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, Math.min(end, start + shownTextLength));
  return JSON.stringify(end - start > shownTextLength ? `${text}…` : text);
}

/** The number of the line in which a place lies, from 1. */
export function lineAt(bytes: Buffer, at: number): number {
  let line = 1;
  for (let next = bytes.indexOf(lineFeed); next !== -1 && next < at; next = bytes.indexOf(lineFeed, next + 1)) line++;
  return line;
}

/** The error for what stands at the cursor: which line, what is wrong, and the line's text. */
export function refuse(page: PageCursor, reason: string): CodecError {
  const { bytes } = page;
  const at = Math.min(page.at, bytes.length);
  const before = at === 0 ? -1 : bytes.lastIndexOf(lineFeed, at - 1);
  const end = bytes.indexOf(lineFeed, at);
  const lineEnd = end === -1 ? bytes.length : end;
  // Of a long line the part around the fault.
  const start = Math.max(before + 1, at - shownLineLength / 2);
  const stop = Math.min(lineEnd, start + shownLineLength);
  const text = bytes.toString('utf8', start, stop);
  const excerpt = JSON.stringify(`${start > before + 1 ? '…' : ''}${text}${stop < lineEnd ? '…' : ''}`);
  return new CodecError(`line ${lineAt(bytes, at)}: ${reason}, in ${excerpt}`);
}
