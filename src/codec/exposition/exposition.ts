/**
 * What a scraped page says, in either format: the contract between the parser and whoever scrapes.
 *
 *     const parser = createExpositionParser({ remember: (series) => tracked(series) });
 *     const page = parser.parse(body, formatOfContentType(contentType));
 *     for (let i = 0; i < page.length; i++) page.series[i].take(page.values[i], page.timestampsMs[i]);
 */
import type { MetricMetadata, MetricType } from '../../model/metric-metadata.ts';
import type { Label } from '../../model/sample.ts';

/** Prometheus text 0.0.4, or OpenMetrics 1.0 text. */
export type ExpositionFormat = 'text' | 'openmetrics';

/** What a line says about its series. */
export interface ExposedSeries {
  readonly name: string;
  /** Sorted, `__name__` among them, none empty. */
  readonly labels: readonly Label[];
  /** Names that the line gives an empty value, where there are any: those labels are absent. */
  readonly emptyLabels?: readonly string[];
  /** The family by the TYPE lines of the page: of `h_bucket` it is `h`; the name itself where no TYPE line says more. */
  readonly family: string;
  readonly type: MetricType;
}

/** An exemplar as it stands behind a sample. */
export interface ExposedExemplar {
  /** Which sample of the page it belongs to. */
  readonly sample: number;
  readonly labels: readonly Label[];
  readonly value: number;
  /** Its own time; undefined where the line gave none. */
  readonly timestampMs: number | undefined;
}

/** A whole page. Columns: sample `i` is of `series[i]` and has the value `values[i]`. They are good until the same parser reads another page. */
export interface ExposedPage<T> {
  /** How many samples there are; the columns may be longer. */
  readonly length: number;
  /** What `remember` gave for the sample's series: the same for the same text from page to page. */
  readonly series: readonly T[];
  readonly values: Float64Array;
  /** The sample's own time, NaN where the line gave none. */
  readonly timestampsMs: Float64Array;
  /** Whether any sample has a time of its own. */
  readonly hasTimestamps: boolean;
  readonly exemplars: readonly ExposedExemplar[];
  /** How many exemplars were left out because their labels are longer than the 128 characters that storage keeps. */
  readonly longExemplars: number;
  /** By family. The same map from page to page while HELP, TYPE and UNIT lines say the same. */
  readonly metadata: ReadonlyMap<string, MetricMetadata>;
  /** The same series in the same order as the page before: nothing has come and nothing has ended. */
  readonly isSameSeries: boolean;
}

export interface ExpositionParserOptions<T> {
  /**
   * Called for a series whose text is new to the parser, and again where TYPE lines have changed its family; what it gives (not undefined) stands
   * for that text from then on. A text that stands twice in its first page may ask twice, as do two texts of the same labels.
   */
  remember(series: ExposedSeries): T;
  /** Writes `le` of histograms and `quantile` of summaries as `1.0` where the page has `1`, as Prometheus 3 does; on unless told. */
  readonly normalizesNumberLabels?: boolean;
}

/** A page that is read piece by piece, so that a large one does not hold up everything else. */
export interface PageReading<T> {
  /** Reads so many lines more, or fewer that are long; true once the page has been read to its end. Throws a CodecError for a bad line, which ends the reading. */
  advance(lines: number): boolean;
  /** What the page says, once it has been read to its end. */
  finish(): ExposedPage<T>;
}

/** The parser of one target's pages: it remembers what each series part of the page before meant. */
export interface ExpositionParser<T> {
  /**
   * Reads a whole page; one bad line makes the whole page a CodecError that names the line, and the parser remembers what it did before. The
   * body must not be changed afterwards: the next page is compared with it.
   */
  parse(body: Buffer, format: ExpositionFormat): ExposedPage<T>;
  /** Begins to read a page, of which only the last that was begun may be read on. */
  open(body: Buffer, format: ExpositionFormat): PageReading<T>;
  /** How many series are remembered. */
  readonly remembered: number;
}

/** The format that a Content-Type names; text where it is missing or names none that is known, as many exporters say text/html. */
export function formatOfContentType(contentType: string | undefined): ExpositionFormat {
  const mediaType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  return mediaType === 'application/openmetrics-text' ? 'openmetrics' : 'text';
}
