/** Samples as rows of `samples`, and the series they belong to as rows of `series` (columns: `../schema/migrations.ts`). */
import { labelValue, type Series, type SeriesSamples } from '../../model/sample.ts';
import { type Column, NativeBlock } from './native-block.ts';
import { seriesId } from './series-id.ts';

const metric = ['metric', 'LowCardinality(String)'] as const;
const id = ['id', 'UInt64'] as const;
const ts = ['ts', "DateTime64(3, 'UTC')"] as const;
const value = ['v', 'Float64'] as const;
const labels = ['labels', 'Map(LowCardinality(String), String)'] as const;
const measurement = ['measurement', 'LowCardinality(String)'] as const;
const field = ['field', 'LowCardinality(String)'] as const;
const lastDay = ['last_day', 'Date'] as const;

export const sampleColumns: readonly Column[] = [metric, id, ts, value];
export const seriesColumns: readonly Column[] = [metric, id, labels, measurement, field, lastDay];

/** Prometheus' mark for "the series ends here"; any other NaN is stored as its ordinary NaN. */
const staleBits = 0x7ff0000000000002n;
const nanBits = 0x7ff8000000000001n;

const dayMs = 86_400_000;
/** The last day that a Date column holds. */
const lastDate = 65_535;

/** The day a sample lies on, counted from 1970; within what a Date column holds. */
export const dayOf = (timestampMs: number): number => Math.min(Math.max(Math.floor(timestampMs / dayMs), 0), lastDate);

/** A series that has to be written, and the last day for which it has a sample. */
export interface SeriesRow {
  readonly series: Series;
  readonly lastDay: number;
}

export interface SampleEncoder {
  samples(items: readonly SeriesSamples[]): Buffer;
  series(rows: readonly SeriesRow[]): Buffer;
}

/** How many samples a batch holds. */
export const countSamples = (items: readonly SeriesSamples[]): number =>
  items.reduce((count, item) => count + item.samples.length, 0);

/** Makes an encoder into Native blocks for `INSERT INTO samples` and `INSERT INTO series`. A block is valid until the next one of its table is encoded. */
export function createSampleEncoder(): SampleEncoder {
  const block = new NativeBlock();
  const seriesBlock = new NativeBlock();
  return {
    samples(items) {
      block.begin(sampleColumns.length, countSamples(items));
      const rows = items.flatMap(({ series, samples }) => samples.map(() => series));
      block.lowCardinality(metric, rows, (series) => labelValue(series, '__name__'));
      const out = block.column(id);
      for (const series of rows) out.bigU64(seriesId(series));
      block.column(ts);
      for (const { samples } of items) for (const sample of samples) out.i64(sample.timestampMs);
      block.column(value);
      for (const { samples } of items) {
        for (const sample of samples) {
          if (sample.isStale) out.bigU64(staleBits);
          else if (Number.isNaN(sample.value)) out.bigU64(nanBits);
          else out.f64(sample.value);
        }
      }
      return block.end();
    },
    series(rows) {
      seriesBlock.begin(seriesColumns.length, rows.length);
      seriesBlock.lowCardinality(metric, rows, (row) => labelValue(row.series, '__name__'));
      const out = seriesBlock.column(id);
      for (const row of rows) out.bigU64(seriesId(row.series));
      seriesBlock.map(labels, rows, (row, put) => {
        for (const [name, text] of row.series.labels) put(name, text);
      });
      seriesBlock.lowCardinality(measurement, rows, (row) => row.series.datakit?.measurement ?? '');
      seriesBlock.lowCardinality(field, rows, (row) => row.series.datakit?.field ?? '');
      seriesBlock.column(lastDay);
      for (const row of rows) out.u16(row.lastDay);
      return seriesBlock.end();
    },
  };
}
