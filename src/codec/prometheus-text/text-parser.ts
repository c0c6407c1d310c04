/**
 * Prometheus' text format 0.0.4, as strictly as Prometheus 3 reads it. A parser belongs to one target: it remembers what each series part
 * of the page before meant, so that a scrape costs little more than its numbers. Hot: bench/codec.ts.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Label } from '../../model/sample.ts';
import { CodecError } from '../codec-error.ts';
import { parseGoFloat } from '../exposition/go-float.ts';
import {
  findNameEnd,
  findQuotedEnd,
  findSeriesEnd,
  type NumberLabel,
  parseSeriesPart,
  SeriesPartError,
  skipBlanks,
  unescapeText,
} from '../exposition/series-part.ts';

export const metricTypes = ['counter', 'gauge', 'histogram', 'summary', 'untyped'] as const;
export type MetricType = (typeof metricTypes)[number];

export interface MetricMetadata {
  readonly type: MetricType | undefined;
  readonly help: string | undefined;
}

export interface ParsedSample {
  /** The line before its value; the same text means the same labels. */
  readonly seriesText: string;
  /** Sorted, `__name__` among them, none empty. The same array from scrape to scrape. */
  readonly labels: readonly Label[];
  readonly value: number;
  /** The line's own timestamp. */
  readonly timestampMs: number | undefined;
}

export interface ParsedPage {
  readonly samples: readonly ParsedSample[];
  /** By the name of the family. */
  readonly metadata: ReadonlyMap<string, MetricMetadata>;
}

export interface TextParserOptions {
  /** Writes `le` of histograms and `quantile` of summaries as `1.0` where the page has `1`, as Prometheus 3 does; on unless told. */
  readonly normalizesNumberLabels?: boolean;
}

export interface TextParser {
  /** Reads a whole page; one bad line makes the whole page a CodecError. */
  parse(page: Buffer): ParsedPage;
  /** How many series are remembered. */
  readonly remembered: number;
}

interface Known {
  readonly seriesText: string;
  readonly labels: readonly Label[];
  readonly numberLabel: NumberLabel;
  /** Whether the text ends in a brace; a bare name could go on with one. */
  readonly isClosed: boolean;
  /** What came after it in the page before. */
  next: Known | undefined;
  lastPage: number;
}

interface PageState {
  readonly text: string;
  readonly isValidUtf8: boolean;
  readonly samples: ParsedSample[];
  readonly metadata: Map<string, { type: MetricType | undefined; help: string | undefined }>;
  numberLabel: NumberLabel;
  previous: Known | undefined;
  at: number;
}

const lineFeed = 0x0a;
const space = 0x20;
const tab = 0x09;
const hash = 0x23;
const openBrace = 0x7b;
const quote = 0x22;
const shownTextLength = 64;
const maxInt64 = 9223372036854775807n;
/** Below this, forgetting is not worth a pass. */
const sweepThreshold = 1024;

/** Makes a parser for the pages of one target. */
export function createTextParser(options: TextParserOptions = {}): TextParser {
  const normalizes = options.normalizesNumberLabels ?? true;
  const known = new Map<string, Known>();
  const first: { next: Known | undefined } = { next: undefined };
  let pages = 0;

  const forget = (seen: number) => {
    if (known.size <= sweepThreshold + 2 * seen) return;
    for (const [key, entry] of known) if (entry.lastPage !== pages) known.delete(key);
  };

  const readSample = (page: PageState) => {
    const { text } = page;
    const start = page.at;
    let entry = page.previous === undefined ? first.next : page.previous.next;
    if (entry === undefined || !startsWithSeries(text, start, entry) || entry.numberLabel !== page.numberLabel) {
      entry = lookUp(page, known);
      if (page.previous === undefined) first.next = entry;
      else page.previous.next = entry;
    }
    entry.lastPage = pages;
    page.previous = entry;
    page.at = start + entry.seriesText.length;
    const value = readValue(page);
    page.samples.push({ seriesText: entry.seriesText, labels: entry.labels, value, timestampMs: readTimestamp(page) });
  };

  return {
    get remembered() {
      return known.size;
    },
    parse(body) {
      pages++;
      const ascii = isAscii(body);
      const page: PageState = {
        text: body.toString(ascii ? 'latin1' : 'utf8'),
        isValidUtf8: ascii || isUtf8(body),
        samples: [],
        metadata: new Map(),
        numberLabel: '',
        previous: undefined,
        at: 0,
      };
      try {
        while (page.at < page.text.length) {
          const code = page.text.charCodeAt(page.at);
          if (code === lineFeed || code === space || code === tab) page.at++;
          else if (code === hash) readComment(page, normalizes);
          else readSample(page);
        }
      } finally {
        forget(page.samples.length);
      }
      return { samples: page.samples, metadata: page.metadata };
    },
  };
}

function startsWithSeries(text: string, start: number, entry: Known): boolean {
  if (!text.startsWith(entry.seriesText, start)) return false;
  const end = start + entry.seriesText.length;
  if (entry.isClosed) return true;
  // A bare name is only this series when no further name character and no brace follows.
  return text.charCodeAt(end) === space && text.charCodeAt(skipBlanks(text, end)) !== openBrace;
}

/** Finds the series by its text, or reads it for the first time. */
function lookUp(page: PageState, known: Map<string, Known>): Known {
  const start = page.at;
  const end = findSeriesEnd(page.text, start);
  if (end === start) {
    throw fail(page, `expected a metric name, got ${show(page.text, start)}`);
  }
  if (end > start) {
    const entry = known.get(keyOf(page.numberLabel, page.text.slice(start, end)));
    if (entry !== undefined) return entry;
  }
  // A copy: a piece of the page would keep the whole page in memory.
  const seriesText = copy(page.text.slice(start, end < 0 ? page.text.length : end));
  try {
    const labels = parseSeriesPart(seriesText, {
      numberLabel: page.numberLabel,
      refusesReplacement: !page.isValidUtf8,
    });
    if (end < 0) throw new SeriesPartError('the braces are not closed', 0);
    const entry: Known = {
      seriesText,
      labels,
      numberLabel: page.numberLabel,
      isClosed: seriesText.endsWith('}'),
      next: undefined,
      lastPage: 0,
    };
    known.set(keyOf(page.numberLabel, seriesText), entry);
    return entry;
  } catch (error) {
    if (!(error instanceof SeriesPartError)) throw error;
    page.at = start + error.offset;
    throw fail(page, error.message);
  }
}

/** No series part starts with a line feed, so the two halves cannot be taken for another pair. */
function keyOf(numberLabel: NumberLabel, seriesText: string): string {
  return numberLabel === '' ? seriesText : `${numberLabel}\n${seriesText}`;
}

function readValue(page: PageState): number {
  const { text } = page;
  const start = skipBlanks(text, page.at);
  // Small whole numbers are most of a page.
  let at = start;
  let whole = 0;
  let code = text.charCodeAt(at);
  while (code >= 0x30 && code <= 0x39 && at - start < 15) {
    whole = whole * 10 + code - 0x30;
    code = text.charCodeAt(++at);
  }
  const isWhole = at > start && (code === lineFeed || code === space || code === tab || at === text.length);
  if (isWhole) {
    page.at = at;
    return whole;
  }
  while (at < text.length && code !== lineFeed && code !== space && code !== tab && code !== openBrace)
    code = text.charCodeAt(++at);
  page.at = start;
  if (at === start) throw fail(page, `expected value after metric, got ${show(text, start)}`);
  const token = text.slice(start, at);
  const value = parseGoFloat(token);
  if (value === undefined) throw fail(page, `expected a float, got ${JSON.stringify(token.slice(0, shownTextLength))}`);
  page.at = at;
  return value;
}

/** Reads the timestamp, if there is one, and the end of the line. */
function readTimestamp(page: PageState): number | undefined {
  const { text } = page;
  let timestampMs: number | undefined;
  if (text.charCodeAt(page.at) !== lineFeed) {
    const start = skipBlanks(text, page.at);
    let at = start;
    while (at < text.length && text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39) at++;
    page.at = start;
    if (at > start) {
      timestampMs = toTimestamp(page, text.slice(start, at));
      page.at = skipBlanks(text, at);
    }
  }
  if (page.at < text.length && text.charCodeAt(page.at) !== lineFeed) {
    const wanted = timestampMs === undefined ? 'timestamp in milliseconds or new record' : 'new record after timestamp';
    throw fail(page, `expected ${wanted}, got ${show(text, page.at)}`);
  }
  page.at++;
  return timestampMs;
}

function toTimestamp(page: PageState, digits: string): number {
  const value = Number(digits);
  if (digits.length > 15 && (digits.length > 400 || BigInt(digits) > maxInt64)) {
    throw fail(page, `timestamp ${digits.slice(0, shownTextLength)} does not fit into 64 bits`);
  }
  return value;
}

/** `# HELP name text`, `# TYPE name type`, or a comment like any other. */
function readComment(page: PageState, normalizes: boolean): void {
  const { text } = page;
  const lineEnd = text.indexOf('\n', page.at);
  const end = lineEnd === -1 ? text.length : lineEnd;
  const keyword = skipBlanks(text, page.at + 1);
  const isHelp = text.startsWith('HELP', keyword);
  const isMetadata =
    keyword > page.at + 1 && (isHelp || text.startsWith('TYPE', keyword)) && isBlank(text, keyword + 4);
  if (!isMetadata) {
    page.at = end + 1;
    return;
  }
  const start = skipBlanks(text, keyword + 4);
  page.at = start;
  const isQuoted = text.charCodeAt(start) === quote;
  const nameEnd = isQuoted ? findQuotedEnd(text, start) : findNameEnd(text, start);
  if (nameEnd <= start) {
    throw fail(page, `expected metric name after ${isHelp ? 'HELP' : 'TYPE'}, got ${show(text, start)}`);
  }
  const name = isQuoted ? unescapeText(text.slice(start + 1, nameEnd - 1)) : text.slice(start, nameEnd);
  const textEnd = nameEnd > end ? text.indexOf('\n', nameEnd) : end;
  const stop = textEnd === -1 ? text.length : textEnd;
  page.at = nameEnd;
  addMetadata(page, { name: copy(name), isHelp, content: text.slice(nameEnd + 1, stop), normalizes });
  page.at = stop + 1;
}

interface MetadataLine {
  readonly name: string;
  readonly isHelp: boolean;
  readonly content: string;
  readonly normalizes: boolean;
}

function addMetadata(page: PageState, line: MetadataLine): void {
  let entry = page.metadata.get(line.name);
  if (entry === undefined) {
    entry = { type: undefined, help: undefined };
    page.metadata.set(line.name, entry);
  }
  if (line.isHelp) {
    if (!page.isValidUtf8 && line.content.includes('\ufffd')) throw fail(page, 'the HELP text is not valid UTF-8');
    entry.help = copy(
      line.content.replace(/\\([\\n])/g, (_, character: string) => (character === 'n' ? '\n' : character)),
    );
    return;
  }
  const type = metricTypes.find((known) => known === line.content);
  if (type === undefined)
    throw fail(page, `invalid metric type ${JSON.stringify(line.content.slice(0, shownTextLength))}`);
  entry.type = type;
  // Prometheus goes by the last TYPE line, not by the name of the family.
  page.numberLabel = !line.normalizes ? '' : type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : '';
}

function isBlank(text: string, at: number): boolean {
  return text.charCodeAt(at) === space || text.charCodeAt(at) === tab;
}

function show(text: string, at: number): string {
  const character = text[at];
  return character === undefined || character === '\n' ? 'the end of the line' : JSON.stringify(character);
}

function fail(page: PageState, reason: string): CodecError {
  let line = 1;
  for (let at = page.text.indexOf('\n'); at !== -1 && at < page.at; at = page.text.indexOf('\n', at + 1)) line++;
  return new CodecError(`line ${line}: ${reason}`);
}

/** A string cut out of a page would keep the whole page in memory. */
function copy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
