/** A page line by line, as a check needs it: with line numbers, and labels as they are written. */
import type { Label } from '../../../model/sample.ts';
import type { ExpositionFormat } from '../exposition.ts';
import { isEndOfPage, type MetadataLine, readEndOfPage, readMetadataLine } from '../metadata-line.ts';
import { hash, isBlank, lineFeed, openPage, type PageCursor, refuse } from '../page-cursor.ts';
import { type LineExemplar, readExemplarAndEnd, readSecondsTimestamp, readTextEnd, readValue } from '../sample-line.ts';
import { readSeriesPart, sortSeries } from '../series-part.ts';

export interface SampleLine {
  readonly kind: 'sample';
  readonly line: number;
  readonly name: string;
  /** Without the name; in the order of the line, empty values among them. */
  readonly labels: readonly Label[];
  readonly value: number;
  /** NaN where the line has none. */
  readonly timestampMs: number;
  readonly exemplar: LineExemplar | undefined;
}

export type PageLine = SampleLine | (MetadataLine & { readonly line: number });

/** Reads a page up to the first line that nobody could read, which throws a CodecError. */
export function* readLines(body: Buffer, format: ExpositionFormat): Generator<PageLine> {
  const page = openPage(body, format);
  const { bytes } = page;
  let line = 1;
  let counted = 0;
  const lineHere = (): number => {
    for (let at = bytes.indexOf(lineFeed, counted); at !== -1 && at < page.at; at = bytes.indexOf(lineFeed, at + 1)) {
      line++;
      counted = at + 1;
    }
    return line;
  };
  let isEnded = format === 'text' || bytes.length === 0;
  while (page.at < bytes.length) {
    if (format === 'text' && (bytes[page.at] === lineFeed || isBlank(bytes[page.at]))) page.at++;
    else if (bytes[page.at] !== hash) yield readSample(page, lineHere());
    else if (format === 'openmetrics' && isEndOfPage(page)) {
      readEndOfPage(page);
      isEnded = true;
    } else {
      const number = lineHere();
      const metadata = readMetadataLine(page);
      if (metadata !== undefined) yield { ...metadata, line: number };
    }
  }
  if (isEnded) return;
  page.at = bytes.length - 1;
  throw refuse(page, 'the page does not end with # EOF');
}

function readSample(page: PageCursor, line: number): SampleLine {
  const part = readSeriesPart(page);
  sortSeries(page, part, '');
  const value = readValue(page);
  const isText = page.format === 'text';
  const timestampMs = isText ? readTextEnd(page) : readSecondsTimestamp(page);
  const exemplar = isText ? undefined : readExemplarAndEnd(page);
  return { kind: 'sample', line, ...part, value, timestampMs, exemplar };
}
