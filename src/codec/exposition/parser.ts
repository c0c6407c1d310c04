/**
 * Reads the pages of one target, Prometheus' text format 0.0.4 and OpenMetrics 1.0, as strictly as Prometheus 3 does. It remembers what each
 * line of the page before meant, so that a scrape costs little more than its numbers. Hot: bench/experiments/parse-exposition.ts, 50,000
 * series of 12 labels (16 MB): 9 to 25 ms of CPU from the second page on by how numbers are written, 400 ms for the first.
 */
import type { MetricType } from '../../model/metric-metadata.ts';
import { compareBytes, type Label } from '../../model/sample.ts';
import type {
  ExposedExemplar,
  ExposedPage,
  ExposedSeries,
  ExpositionFormat,
  ExpositionParser,
  ExpositionParserOptions,
  PageReading,
} from './exposition.ts';
import { findFamily } from './family.ts';
import { createLabelPool } from './label-pool.ts';
import { isEndOfPage, readEndOfPage } from './metadata-line.ts';
import { createMetadataMemory, type MetadataMap, type MetadataReader } from './metadata-memory.ts';
import { hash, isBlank, lineFeed, openPage, type PageCursor, refuse } from './page-cursor.ts';
import { type LineExemplar, readExemplarAndEnd, readSecondsTimestamp, readTextEnd, readValue } from './sample-line.ts';
import { createSeriesMemory, type KnownSeries, type SeriesReader } from './series-memory.ts';
import { type NumberLabel, readSeriesPart, type SeriesPart, sortSeries } from './series-part.ts';

interface Columns {
  values: Float64Array;
  timestampsMs: Float64Array;
}

/** One page while it is read. */
interface Reading<T> {
  readonly page: PageCursor;
  readonly series: SeriesReader<T>;
  readonly metadata: MetadataReader;
  readonly exemplars: ExposedExemplar[];
  /** The labels of the series that are new. */
  readonly fresh: Map<KnownSeries, ReadLabels>;
  hasTimestamps: boolean;
  longExemplars: number;
}

type ReadLabels = Pick<ExposedSeries, 'labels' | 'emptyLabels'>;

interface KnownFamily {
  readonly family: string;
  readonly type: MetricType;
}

/** Storage keeps no exemplar whose labels are longer, names and values together (OpenMetrics 1.0, "Exemplars"). */
export const maxExemplarLabelLength = 128;

/** Makes the parser of one target's pages. */
export function createExpositionParser<T>(options: ExpositionParserOptions<T>): ExpositionParser<T> {
  const seriesMemory = createSeriesMemory<T>();
  const metadataMemory = createMetadataMemory({ normalizesNumberLabels: options.normalizesNumberLabels ?? true });
  const columns: Columns = { values: new Float64Array(256), timestampsMs: new Float64Array(256) };
  const names = new Map<string, string>();
  const pool = createLabelPool();
  let latest: Reading<T> | undefined;
  let knownFormat: ExpositionFormat = 'text';
  let metadata: MetadataMap = new Map();
  /** By the names of series, as the metadata has them now. */
  let families = new Map<string, KnownFamily>();

  const addSeries = (reading: Reading<T>, numberLabel: NumberLabel) => {
    const { page } = reading;
    const start = page.at;
    const part = readSeriesPart(page);
    const labels = labelsOf(page, part, numberLabel);
    let name = names.get(part.name);
    if (name === undefined) {
      name = part.name;
      names.set(name, name);
    }
    const series: KnownSeries = { length: page.at - start, numberLabel, name, position: -1 };
    reading.fresh.set(series, labels);
    reading.series.add(page, start, series);
  };

  const readSample = (reading: Reading<T>) => {
    const { page, series } = reading;
    const i = series.length;
    const { numberLabel } = reading.metadata;
    if (!series.find(page, numberLabel)) addSeries(reading, numberLabel);
    if (i === columns.values.length) grow(columns);
    const value = readValue(page);
    columns.values[i] = value;
    let timestampMs: number;
    if (page.format === 'text') timestampMs = page.bytes[page.at] === lineFeed ? skipLineEnd(page) : readTextEnd(page);
    else {
      timestampMs = readSecondsTimestamp(page);
      const start = page.at;
      const exemplar = readExemplarAndEnd(page);
      if (exemplar !== undefined) addExemplar(reading, exemplar, start);
    }
    columns.timestampsMs[i] = timestampMs;
    if (!Number.isNaN(timestampMs)) reading.hasTimestamps = true;
  };

  const remember = (reading: Reading<T>): Pick<ExposedPage<T>, 'series' | 'isSameSeries' | 'metadata'> => {
    const { page } = reading;
    const nextMetadata = reading.metadata.finish(page);
    const isSameMetadata = nextMetadata === metadata;
    const before = families;
    if (!isSameMetadata) families = new Map();
    const familyOf = (name: string): KnownFamily => {
      let family = families.get(name);
      if (family === undefined) {
        family = findFamily(name, nextMetadata);
        families.set(name, family);
      }
      return family;
    };
    const finished = reading.series.finish(page, {
      mayBeOutdated: !isSameMetadata,
      isOutdated({ name }) {
        const [now, then] = [familyOf(name), before.get(name)];
        return now.type !== then?.type || now.family !== then.family;
      },
      make(series, start) {
        const labels = reading.fresh.get(series) ?? readAgain(page, start, series.numberLabel);
        return options.remember({ name: series.name, ...labels, ...familyOf(series.name) });
      },
    });
    metadata = nextMetadata;
    return { series: finished.series, isSameSeries: finished.isSame, metadata };
  };

  const open = (body: Buffer, format: ExpositionFormat): PageReading<T> => {
    if (format !== knownFormat) {
      seriesMemory.clear();
      metadataMemory.clear();
    }
    knownFormat = format;
    forgetNames(names, families, seriesMemory.size);
    const reading: Reading<T> = {
      page: openPage(body, format, pool.labelOf),
      series: seriesMemory.open(),
      metadata: metadataMemory.open(),
      exemplars: [],
      fresh: new Map(),
      hasTimestamps: false,
      longExemplars: 0,
    };
    latest = reading;
    let isRead = false;
    return {
      advance(lines) {
        if (latest !== reading) throw new Error('another page has been opened since');
        const readLines = format === 'text' ? readTextLines : readOpenMetricsLines;
        isRead ||= readLines(reading, lines, readSample);
        return isRead;
      },
      finish() {
        if (latest !== reading || !isRead) throw new Error('the page has not been read to its end');
        latest = undefined;
        const { exemplars, hasTimestamps, longExemplars, series } = reading;
        const { length } = series;
        const { values, timestampsMs } = columns;
        return { length, values, timestampsMs, exemplars, hasTimestamps, longExemplars, ...remember(reading) };
      },
    };
  };

  return {
    get remembered() {
      return seriesMemory.size;
    },
    open,
    parse(body, format) {
      const reading = open(body, format);
      while (!reading.advance(Number.POSITIVE_INFINITY));
      return reading.finish();
    },
  };
}

type ReadLine<T> = (reading: Reading<T>) => void;

/** Lines may be long: after so many bytes it is enough for one turn, however few lines they were. */
const bytesAtOnce = 256 * 1024;

/** Reads lines of a page in text; true at its end. */
function readTextLines<T>(reading: Reading<T>, lines: number, readSample: ReadLine<T>): boolean {
  const { page, metadata } = reading;
  const { bytes } = page;
  const stop = Math.min(page.at + bytesAtOnce, bytes.length);
  for (let line = 0; line < lines && page.at < stop; ) {
    const code = bytes[page.at];
    if (code === lineFeed || isBlank(code)) {
      page.at++;
      continue;
    }
    if (code === hash) metadata.read(page);
    else readSample(reading);
    line++;
  }
  return page.at >= bytes.length;
}

/** Reads lines of a page in OpenMetrics; true at its end. */
function readOpenMetricsLines<T>(reading: Reading<T>, lines: number, readSample: ReadLine<T>): boolean {
  const { page, metadata } = reading;
  const { bytes } = page;
  // An empty body is what a target without metrics may answer.
  if (bytes.length === 0) return true;
  const stop = page.at + bytesAtOnce;
  for (let line = 0; line < lines && page.at < stop; line++) {
    if (page.at >= bytes.length) {
      page.at = bytes.length - 1;
      throw refuse(page, 'the page does not end with # EOF');
    }
    if (bytes[page.at] !== hash) readSample(reading);
    else if (isEndOfPage(page)) {
      readEndOfPage(page);
      return true;
    } else metadata.read(page);
  }
  return false;
}

function skipLineEnd(page: PageCursor): number {
  page.at++;
  return Number.NaN;
}

/** Twice as large: a page that is too long for the columns is one that has not been seen before. */
function grow(columns: Columns): void {
  const { values, timestampsMs } = columns;
  columns.values = new Float64Array(2 * values.length);
  columns.values.set(values);
  columns.timestampsMs = new Float64Array(2 * values.length);
  columns.timestampsMs.set(timestampsMs);
}

/** Keeps the exemplar that the line at `start` has, unless it is longer than storage may keep. */
function addExemplar<T>(reading: Reading<T>, exemplar: LineExemplar, start: number): void {
  const { page, series, metadata, exemplars } = reading;
  if (!mayHaveExemplar(series.last?.name ?? '', metadata)) {
    page.at = start;
    throw refuse(page, 'a sample of this type has no exemplars');
  }
  if (labelLength(exemplar.labels) > maxExemplarLabelLength) {
    reading.longExemplars++;
    return;
  }
  const { value, timestampMs } = exemplar;
  exemplars.push({ sample: series.length - 1, labels: sortExemplar(exemplar.labels), value, timestampMs });
}

/**
 * Prometheus 2 took exemplars of `_total` and `_bucket` only, Prometheus 3 takes them anywhere. Refused is what has none by any reading: info,
 * stateset, a time of creation, the sum of a gauge histogram.
 */
function mayHaveExemplar(name: string, { typeOf }: MetadataReader): boolean {
  const underscore = name.lastIndexOf('_');
  const suffix = underscore === -1 ? '' : name.slice(underscore);
  const own = typeOf(name);
  const type = own ?? typeOf(name.slice(0, Math.max(underscore, 0)));
  if (type === 'info' || type === 'stateset') return false;
  if (own !== undefined) return true;
  if (type === 'gaugehistogram') return suffix !== '_sum' && suffix !== '_gsum';
  return suffix !== '_created' || type === undefined;
}

/** Few they are, or they would be too long. A name that is there twice counts once, as Prometheus refuses none for it. */
function sortExemplar(labels: readonly Label[]): readonly Label[] {
  const kept = labels.filter(([name, value], i) => value !== '' && labels.findIndex(([other]) => other === name) === i);
  return kept.sort((a, b) => compareBytes(a[0], b[0]));
}

function labelLength(labels: readonly Label[]): number {
  let length = 0;
  for (const [name, value] of labels) length += [...name].length + [...value].length;
  return length;
}

function labelsOf(page: PageCursor, part: SeriesPart, numberLabel: NumberLabel): ReadLabels {
  const labels = sortSeries(page, part, numberLabel);
  // The name stands among the labels, and is never empty.
  if (labels.length === part.labels.length + 1) return { labels };
  return { labels, emptyLabels: part.labels.filter(([, value]) => value === '').map(([name]) => name) };
}

function readAgain(page: PageCursor, start: number, numberLabel: NumberLabel): ReadLabels {
  const again = { ...page, at: start };
  return labelsOf(again, readSeriesPart(again), numberLabel);
}

/** Names that no series has any more are few, but a target could make up new ones for ever. */
function forgetNames(names: Map<string, string>, families: Map<string, KnownFamily>, size: number): void {
  if (Math.max(names.size, families.size) <= 2 * size + 1024) return;
  names.clear();
  families.clear();
}
