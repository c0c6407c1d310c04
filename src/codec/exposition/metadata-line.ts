/** Lines that begin with `#`: HELP, TYPE, UNIT, comments, and the end of an OpenMetrics page. */
import { type MetricType, metricTypes } from '../../model/metric-metadata.ts';
import {
  findNameEnd,
  findQuotedEnd,
  isBlank,
  lineFeed,
  maxTextBytes,
  type PageCursor,
  quote,
  refuse,
  show,
  showText,
  skipBlanks,
  space,
  textOf,
  unescapeText,
} from './page-cursor.ts';

export type MetadataLine =
  | { readonly kind: 'help'; readonly family: string; readonly help: string }
  | { readonly kind: 'type'; readonly family: string; readonly type: MetricType }
  | { readonly kind: 'unit'; readonly family: string; readonly unit: string };

const textTypes: ReadonlyMap<string, MetricType> = new Map([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['histogram', 'histogram'],
  ['summary', 'summary'],
  ['untyped', 'unknown'],
]);
const openMetricsTypes: ReadonlyMap<string, MetricType> = new Map(metricTypes.map((type) => [type, type]));

const textKeywords = ['HELP', 'TYPE'] as const;
const openMetricsKeywords = ['HELP', 'TYPE', 'UNIT'] as const;
type Keyword = (typeof openMetricsKeywords)[number];

/** Reads the line at the cursor, which begins with `#`, and leaves the cursor at the next. Undefined for a comment that says nothing of a family. */
export function readMetadataLine(page: PageCursor): MetadataLine | undefined {
  const keyword = page.format === 'text' ? readTextKeyword(page) : readOpenMetricsKeyword(page);
  return keyword === undefined ? undefined : readFamilyLine(page, keyword);
}

/** Whether OpenMetrics' last line stands at the cursor. */
export function isEndOfPage({ bytes, at }: PageCursor): boolean {
  return bytes.toString('latin1', at, at + 5) === '# EOF';
}

/** Goes behind OpenMetrics' last line, which nothing may follow. */
export function readEndOfPage(page: PageCursor): void {
  page.at += 5;
  if (page.bytes[page.at] === lineFeed) page.at++;
  if (page.at < page.bytes.length) throw refuse(page, 'something follows # EOF');
}

function readTextKeyword(page: PageCursor): Keyword | undefined {
  const { bytes } = page;
  const start = skipBlanks(bytes, page.at + 1);
  const word = bytes.toString('latin1', start, start + 4);
  const keyword = textKeywords.find((known) => known === word);
  if (start === page.at + 1 || keyword === undefined || !isBlank(bytes[start + 4])) {
    page.at = bytes.indexOf(lineFeed, page.at) + 1;
    return undefined;
  }
  page.at = skipBlanks(bytes, start + 4);
  return keyword;
}

function readOpenMetricsKeyword(page: PageCursor): Keyword {
  const { bytes, at } = page;
  const word = bytes.toString('latin1', at + 2, at + 6);
  const keyword = openMetricsKeywords.find((known) => known === word);
  if (bytes[at + 1] !== space || keyword === undefined || bytes[at + 6] !== space)
    throw refuse(page, 'a line that begins with # must be HELP, TYPE, UNIT or EOF');
  page.at = at + 7;
  return keyword;
}

function readFamilyLine(page: PageCursor, keyword: Keyword): MetadataLine {
  const { bytes } = page;
  const family = readFamilyName(page, keyword);
  const end = bytes.indexOf(lineFeed, page.at);
  const contentStart = Math.min(page.at + 1, end);
  if (page.format === 'openmetrics' && bytes[page.at] !== space)
    throw refuse(page, `expected a space and the text of ${keyword}, got ${show(page)}`);
  page.at = contentStart;
  if (end - contentStart > maxTextBytes) throw refuse(page, `the ${keyword} text has more than ${maxTextBytes} bytes`);
  const content = textOf(bytes, contentStart, end);
  if (content === undefined) throw refuse(page, `the ${keyword} text is not valid UTF-8`);
  const line = toMetadataLine(page, { keyword, family, content });
  page.at = end + 1;
  return line;
}

function readFamilyName(page: PageCursor, keyword: Keyword): string {
  const { bytes, at: start } = page;
  const isQuoted = bytes[start] === quote;
  const end = isQuoted ? findQuotedEnd(bytes, start) : findNameEnd(bytes, start);
  if (end <= start) throw refuse(page, `expected metric name after ${keyword}, got ${show(page)}`);
  const name = isQuoted ? textOf(bytes, start + 1, end - 1) : bytes.toString('latin1', start, end);
  if (name === undefined) throw refuse(page, 'the metric name is not valid UTF-8');
  page.at = end;
  return isQuoted ? unescapeText(name) : name;
}

interface Content {
  readonly keyword: Keyword;
  readonly family: string;
  readonly content: string;
}

function toMetadataLine(page: PageCursor, { keyword, family, content }: Content): MetadataLine {
  if (keyword === 'HELP') {
    // Text leaves a quote's backslash where it is.
    const help = page.format === 'text' ? content.replace(/\\([\\n])/g, toUnescaped) : unescapeText(content);
    return { kind: 'help', family, help };
  }
  if (keyword === 'TYPE') {
    const type = (page.format === 'text' ? textTypes : openMetricsTypes).get(content);
    if (type === undefined) {
      const shown = Buffer.from(content);
      throw refuse(page, `invalid metric type ${showText(shown, 0, shown.length)}`);
    }
    return { kind: 'type', family, type };
  }
  if (content !== '' && !family.endsWith(`_${content}`)) {
    const shown = Buffer.from(content);
    throw refuse(page, `the unit ${showText(shown, 0, shown.length)} is not the end of the metric's name`);
  }
  return { kind: 'unit', family, unit: content };
}

function toUnescaped(_: string, character: string): string {
  return character === 'n' ? '\n' : character;
}
