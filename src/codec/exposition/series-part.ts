/** The part of a sample line before its value: `name{label="value",…}`, or `{"quoted.name",label="value",…}`; and an exemplar's `{…}`. */
import type { Label } from '../../model/sample.ts';
import { compareBytes } from '../../model/sample.ts';
import { formatOpenMetricsFloat, parseGoFloat } from './go-float.ts';
import {
  closeBrace,
  findLabelNameEnd,
  findNameEnd,
  findQuotedEnd,
  isBlank,
  type LabelOrder,
  lineFeed,
  maxTextBytes,
  openBrace,
  type PageCursor,
  quote,
  refuse,
  show,
  skipBlanks,
  space,
  textOf,
  unescapeText,
} from './page-cursor.ts';

/** Which label of the current family holds numbers: `le` of a histogram, `quantile` of a summary. */
export type NumberLabel = 'le' | 'quantile' | '';

/** A series part as it is written. */
export interface SeriesPart {
  readonly name: string;
  /** In the order of the line, without the name; values may be empty, names may be there twice. */
  readonly labels: readonly Label[];
}

/** Beyond any page that is meant, whatever limits a target has: a line is read in one turn of the event loop, and one may be a whole page. */
const maxLabels = 4096;

const comma = 0x2c;
const equal = 0x3d;

/** Where the series part that starts at `start` ends, without looking closely: what it holds may still be wrong. -1 when it has no end. */
export function findSeriesEnd({ bytes, format }: PageCursor, start: number): number {
  const nameEnd = findNameEnd(bytes, start);
  const brace = format === 'text' ? skipBlanks(bytes, nameEnd) : nameEnd;
  if (bytes[brace] !== openBrace) return nameEnd;
  for (let at = brace + 1; at < bytes.length; at++) {
    const code = bytes[at];
    if (code === closeBrace) return at + 1;
    // Only in quotes may a line feed stand.
    if (code === lineFeed) return -1;
    if (code === quote) {
      at = findQuotedEnd(bytes, at) - 1;
      if (at < 0) return -1;
    }
  }
  return -1;
}

/** Reads the series part at the cursor and leaves the cursor behind it. Throws a CodecError. */
export function readSeriesPart(page: PageCursor): SeriesPart {
  const { bytes } = page;
  const start = page.at;
  page.at = findNameEnd(bytes, start);
  let name = textOf(bytes, start, page.at) ?? '';
  const brace = page.format === 'text' ? skipBlanks(bytes, page.at) : page.at;
  if (name === '' && bytes[brace] !== openBrace) throw refuse(page, `expected a metric name, got ${show(page)}`);
  const labels: Label[] = [];
  if (bytes[brace] === openBrace) {
    page.at = brace + 1;
    name = readLabels(page, { labels, name });
  }
  if (name === '') throw refuse(page, 'metric name not set');
  return { name, labels };
}

/** Reads an exemplar's labels; the cursor stands behind their opening brace. */
export function readExemplarLabels(page: PageCursor): readonly Label[] {
  const start = page.at;
  const labels: Label[] = [];
  readLabels(page, { labels, name: undefined });
  // Prometheus' lexer takes none here, though it takes them in a series.
  if (page.bytes.subarray(start, page.at).includes(0))
    throw refuse(page, 'a NUL byte stands in the labels of an exemplar');
  return labels;
}

interface LabelList {
  readonly labels: Label[];
  /** The metric's name if it stood before the brace; undefined where there can be none. */
  readonly name: string | undefined;
}

/** Reads up to and with the closing brace. Tells the metric's name, which may stand in quotes among the labels. */
function readLabels(page: PageCursor, list: LabelList): string {
  const { bytes } = page;
  const isLoose = page.format === 'text';
  let name = list.name ?? '';
  const skip = () => {
    if (isLoose) page.at = skipBlanks(bytes, page.at);
  };
  for (;;) {
    skip();
    const code = bytes[page.at];
    if (code === closeBrace) {
      page.at++;
      return name;
    }
    const isQuoted = code === quote;
    const key = isQuoted ? readQuoted(page, 'label name') : readLabelName(page);
    skip();
    const next = bytes[page.at];
    if (isQuoted && list.name !== undefined && (next === comma || next === closeBrace)) {
      if (name !== '') throw refuse(page, 'metric name already set');
      if (key === '') throw refuse(page, 'metric name not set');
      name = key;
      if (next === comma) page.at++;
      continue;
    }
    if (next !== equal) throw refuse(page, `expected equal, got ${show(page)}`);
    page.at++;
    skip();
    if (key === '') throw refuse(page, 'a label name is empty');
    if (list.labels.length >= maxLabels) throw refuse(page, `a series has more than ${maxLabels} labels`);
    list.labels.push(page.labelOf(key, readQuoted(page, 'label value')));
    skip();
    if (bytes[page.at] === comma) page.at++;
    // Prometheus takes a missing comma in text; in both it takes one too many at the end.
    else if (!isLoose && bytes[page.at] !== closeBrace)
      throw refuse(page, `expected comma or brace close, got ${show(page)}`);
  }
}

function readLabelName(page: PageCursor): string {
  const end = findLabelNameEnd(page.bytes, page.at);
  if (end === page.at) throw refuse(page, `expected label name, got ${show(page)}`);
  const name = textOf(page.bytes, page.at, end) ?? '';
  page.at = end;
  return name;
}

function readQuoted(page: PageCursor, what: 'label name' | 'label value'): string {
  const { bytes, at } = page;
  if (bytes[at] !== quote) throw refuse(page, `expected ${what} in quotes, got ${show(page)}`);
  const end = findQuotedEnd(bytes, at);
  if (end < 0) throw refuse(page, `the quotes of the ${what} are not closed`);
  if (end - at > maxTextBytes) throw refuse(page, `the ${what} has more than ${maxTextBytes} bytes`);
  const text = textOf(bytes, at + 1, end - 1);
  if (text === undefined) throw refuse(page, `the ${what} is not valid UTF-8`);
  if (page.format === 'openmetrics' && text.includes('\n')) throw refuse(page, `a line ends inside the ${what}`);
  if (what === 'label name' && text.includes('\0')) throw refuse(page, 'a NUL byte stands in a label name');
  page.at = end;
  return unescapeText(text);
}

/** The labels of a series as they are kept: sorted, `__name__` among them, none empty. Throws a CodecError where a name is there twice. */
export function sortSeries(page: PageCursor, part: SeriesPart, numberLabel: NumberLabel): readonly Label[] {
  const written: Label[] = [page.labelOf('__name__', part.name), ...part.labels];
  const number = numberLabel === '' ? -1 : written.findIndex(([name]) => name === numberLabel);
  const numberText = written[number]?.[1];
  if (numberText !== undefined) written[number] = page.labelOf(numberLabel, normalize(numberText));
  if (page.lastOrder === undefined || !isOrderOf(page.lastOrder, written)) page.lastOrder = findOrder(page, written);
  const labels: Label[] = [];
  for (const i of page.lastOrder.sorted) {
    const label = written[i];
    if (label !== undefined && label[1] !== '') labels.push(label);
  }
  return labels;
}

function isOrderOf({ names }: LabelOrder, labels: readonly Label[]): boolean {
  if (names.length !== labels.length) return false;
  for (let i = 0; i < names.length; i++) if (names[i] !== labels[i]?.[0]) return false;
  return true;
}

function findOrder(page: PageCursor, labels: readonly Label[]): LabelOrder {
  const names = labels.map(([name]) => name);
  const nameAt = (i: number | undefined) => names[i ?? -1] ?? '';
  const sorted = [...names.keys()].sort((a, b) => compareBytes(nameAt(a), nameAt(b)));
  for (let i = 1; i < sorted.length; i++) {
    const name = nameAt(sorted[i]);
    if (nameAt(sorted[i - 1]) === name) throw refuse(page, `label ${JSON.stringify(name.slice(0, 64))} is there twice`);
  }
  return { names, sorted };
}

function normalize(value: string): string {
  const parsed = parseGoFloat(value);
  return parsed === undefined ? value : formatOpenMetricsFloat(parsed);
}

/** Whether a known series part that is `length` bytes long really ends there: a bare name could go on, or be followed by a brace. */
export function endsSeries({ bytes, format }: PageCursor, end: number): boolean {
  if (bytes[end - 1] === closeBrace) return true;
  if (format === 'openmetrics') return bytes[end] === space;
  return isBlank(bytes[end]) && bytes[skipBlanks(bytes, end)] !== openBrace;
}
