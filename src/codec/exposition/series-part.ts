/** The part of a sample line before its value: `name{label="value",…}`, or `{"quoted.name",label="value",…}`. */
import type { Label } from '../../model/sample.ts';
import { compareBytes } from '../../model/sample.ts';
import { formatOpenMetricsFloat, parseGoFloat } from './go-float.ts';

/** Which label of the current family holds numbers: `le` of a histogram, `quantile` of a summary. */
export type NumberLabel = 'le' | 'quantile' | '';

export interface SeriesPartOptions {
  readonly numberLabel: NumberLabel;
  /** The bytes of the page were no UTF-8: a replacement character stands for an error. */
  readonly refusesReplacement: boolean;
}

const space = 0x20;
const tab = 0x09;
const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** What is wrong, and where in the text; the page's parser adds the line. */
export class SeriesPartError extends Error {
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(reason);
    this.offset = offset;
  }
}

function isNameStart(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Where the metric name that starts at `start` ends; `start` itself when there is none. */
export function findNameEnd(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isNameStart(code) && code !== 0x3a && !(isDigit(code) && at > start)) break;
  }
  return at;
}

export function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && (text.charCodeAt(at) === space || text.charCodeAt(at) === tab)) at++;
  return at;
}

/** Where the quoted string that starts at `start` ends, behind its closing quote; -1 when nothing closes it. */
export function findQuotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === backslash) at++;
  }
  return -1;
}

/** Where the series part that starts at `start` ends, without looking closely: what it holds may still be wrong. -1 when it has no end. */
export function findSeriesEnd(text: string, start: number): number {
  const nameEnd = findNameEnd(text, start);
  const brace = skipBlanks(text, nameEnd);
  if (text.charCodeAt(brace) !== openBrace) return nameEnd;
  for (let at = brace + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === closeBrace) return at + 1;
    if (code === quote) {
      at = findQuotedEnd(text, at) - 1;
      if (at < 0) return -1;
    }
  }
  return -1;
}

/** Takes the escapes out of a quoted text: `\\`, `\"` and `\n`; any other backslash stays. */
export function unescapeText(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\([\\"n])/g, (_, character: string) => (character === 'n' ? '\n' : character));
}

interface Cursor {
  readonly text: string;
  readonly options: SeriesPartOptions;
  at: number;
}

/** Reads a series part into sorted labels, `__name__` among them; a label without a value is absent. */
export function parseSeriesPart(text: string, options: SeriesPartOptions): readonly Label[] {
  const cursor: Cursor = { text, options, at: findNameEnd(text, 0) };
  const labels: Label[] = [];
  let name = text.slice(0, cursor.at);
  const brace = skipBlanks(text, cursor.at);
  if (text.charCodeAt(brace) === openBrace) {
    cursor.at = brace + 1;
    name = readLabels(cursor, name, labels);
  }
  if (name === '') throw new SeriesPartError('metric name not set', cursor.at);
  labels.push(['__name__', name]);
  return sortLabels(labels, cursor.at);
}

/** Reads up to the closing brace. Tells the metric's name, which may stand in quotes among the labels. */
function readLabels(cursor: Cursor, outerName: string, labels: Label[]): string {
  let name = outerName;
  for (;;) {
    cursor.at = skipBlanks(cursor.text, cursor.at);
    const code = cursor.text.charCodeAt(cursor.at);
    if (code === closeBrace) {
      cursor.at++;
      return name;
    }
    const isQuoted = code === quote;
    const key = isQuoted ? readQuoted(cursor, 'label name') : readLabelName(cursor);
    cursor.at = skipBlanks(cursor.text, cursor.at);
    const next = cursor.text[cursor.at];
    if (isQuoted && (next === ',' || next === '}')) {
      if (name !== '') throw new SeriesPartError('metric name already set', cursor.at);
      if (key === '') throw new SeriesPartError('metric name not set', cursor.at);
      name = key;
      if (next === ',') cursor.at++;
      continue;
    }
    if (next !== '=') throw new SeriesPartError(`expected equal, got ${show(cursor)}`, cursor.at);
    cursor.at = skipBlanks(cursor.text, cursor.at + 1);
    if (key === '') throw new SeriesPartError('a label name is empty', cursor.at);
    labels.push([key, normalize(readQuoted(cursor, 'label value'), key, cursor.options)]);
    // Prometheus takes a missing comma as well as one too many at the end.
    cursor.at = skipBlanks(cursor.text, cursor.at);
    if (cursor.text[cursor.at] === ',') cursor.at++;
  }
}

function readLabelName(cursor: Cursor): string {
  const start = cursor.at;
  let at = start;
  for (; at < cursor.text.length; at++) {
    const code = cursor.text.charCodeAt(at);
    if (!isNameStart(code) && !(isDigit(code) && at > start)) break;
  }
  if (at === start) throw new SeriesPartError(`expected label name, got ${show(cursor)}`, start);
  cursor.at = at;
  return cursor.text.slice(start, at);
}

function readQuoted(cursor: Cursor, wanted: string): string {
  if (cursor.text.charCodeAt(cursor.at) !== quote) {
    throw new SeriesPartError(`expected ${wanted} in quotes, got ${show(cursor)}`, cursor.at);
  }
  const end = findQuotedEnd(cursor.text, cursor.at);
  if (end < 0) throw new SeriesPartError(`the quotes of the ${wanted} are not closed`, cursor.at);
  const text = cursor.text.slice(cursor.at + 1, end - 1);
  if (cursor.options.refusesReplacement && text.includes('\ufffd')) {
    throw new SeriesPartError(`the ${wanted} is not valid UTF-8`, cursor.at);
  }
  cursor.at = end;
  return unescapeText(text);
}

function normalize(value: string, key: string, options: SeriesPartOptions): string {
  if (key !== options.numberLabel) return value;
  const parsed = parseGoFloat(value);
  return parsed === undefined ? value : formatOpenMetricsFloat(parsed);
}

function sortLabels(labels: Label[], at: number): readonly Label[] {
  labels.sort((a, b) => compareBytes(a[0], b[0]));
  for (let i = 1; i < labels.length; i++) {
    if (labels[i - 1]?.[0] === labels[i]?.[0]) {
      throw new SeriesPartError(`label ${JSON.stringify(labels[i]?.[0].slice(0, 64))} is there twice`, at);
    }
  }
  return labels.filter(([, value]) => value !== '');
}

function show(cursor: Cursor): string {
  const character = cursor.text[cursor.at];
  return character === undefined || character === '\n' ? 'the end of the line' : JSON.stringify(character);
}
