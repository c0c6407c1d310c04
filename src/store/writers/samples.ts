/** Samples as rows of `samples`, and the series they belong to as rows of `series` (columns: `../schema/migrations.ts`). */
import type { Series, SeriesSamples } from '../../model/sample.ts';
import { type Column, NativeBlock } from './native-block.ts';
import { encodeValue } from './samples-value.ts';
import { identityOf, type MetricName } from './series-id.ts';

const metric = ['metric', 'LowCardinality(String)'] as const;
const id = ['id', 'UInt64'] as const;
const ts = ['ts', "DateTime64(3, 'UTC')"] as const;
const mantissa = ['m', 'Int64'] as const;
const exponent = ['e', 'UInt8'] as const;
const labels = ['labels', 'Map(LowCardinality(String), String)'] as const;
const measurement = ['measurement', 'LowCardinality(String)'] as const;
const field = ['field', 'LowCardinality(String)'] as const;
const firstDay = ['first_day', 'Date'] as const;
const lastDay = ['last_day', 'Date'] as const;

export const sampleColumns: readonly Column[] = [metric, id, ts, mantissa, exponent];
export const seriesColumns: readonly Column[] = [metric, id, labels, measurement, field, firstDay, lastDay];

const dayMs = 86_400_000;
const two32 = 2 ** 32;
/** The last day that a Date column holds. */
export const lastDate = 65_535;

/** The day a sample lies on, counted from 1970; within what a Date column holds. */
export const dayOf = (timestampMs: number): number => Math.min(Math.max(Math.floor(timestampMs / dayMs), 0), lastDate);

/** A series that has to be written, and the first and last day for which it may have samples. */
export interface SeriesRow {
  readonly series: Series;
  /** `lastDay` unless told. */
  readonly firstDay?: number;
  readonly lastDay: number;
}

export interface SampleEncoder {
  samples(items: readonly SeriesSamples[]): Buffer;
  series(rows: readonly SeriesRow[]): Buffer;
}

/** How many samples a batch holds. */
export function countSamples(items: readonly SeriesSamples[]): number {
  let count = 0;
  for (const { samples } of items) count += samples.length;
  return count;
}

/** The columns of a block of samples, kept from block to block. Halves of 64 bits are little-endian, as the format has them. */
class SampleColumns {
  rows = 0;
  metrics = new Uint32Array(0);
  ids = new Uint32Array(0);
  times = new Uint32Array(0);
  mantissas = new Uint32Array(0);
  exponents = new Uint8Array(0);

  reserve(rows: number): void {
    this.rows = rows;
    if (rows <= this.metrics.length) return;
    const room = Math.max(rows, 2 * this.metrics.length, 4096);
    this.metrics = new Uint32Array(room);
    this.ids = new Uint32Array(2 * room);
    this.times = new Uint32Array(2 * room);
    this.mantissas = new Uint32Array(2 * room);
    this.exponents = new Uint8Array(room);
  }
}

const firstBytes = (array: Uint32Array | Uint8Array, sizeBytes: number): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, sizeBytes);

/** Numbers blocks over all encoders, since they share the names' objects. */
let blocks = 0;

/** Fills the columns; answers the names of metrics in the order of their numbers, '' being number 0. Hot: bench/remote-write.ts. */
function fillColumns(columns: SampleColumns, items: readonly SeriesSamples[]): readonly string[] {
  const block = ++blocks;
  const names = [''];
  const { metrics, ids, times, mantissas, exponents } = columns;
  const numberOf = (name: MetricName): number => {
    if (name.block === block) return name.number;
    name.block = block;
    name.number = name.text === '' ? 0 : names.push(name.text) - 1;
    return name.number;
  };
  let row = 0;
  for (const { series, samples } of items) {
    const identity = identityOf(series);
    const { low, high } = identity;
    const number = numberOf(identity.metric);
    for (const sample of samples) {
      const half = 2 * row;
      metrics[row] = number;
      ids[half] = low;
      ids[half + 1] = high;
      times[half] = sample.timestampMs;
      times[half + 1] = Math.floor(sample.timestampMs / two32);
      exponents[row] = encodeValue(identity, sample, mantissas, half);
      row++;
    }
  }
  return names;
}

/** Makes an encoder into Native blocks for `INSERT INTO samples` and `INSERT INTO series`. A block is valid until the next one of its table is encoded. */
export function createSampleEncoder(): SampleEncoder {
  const block = new NativeBlock();
  const seriesBlock = new NativeBlock();
  const columns = new SampleColumns();
  return {
    samples(items) {
      const rows = countSamples(items);
      columns.reserve(rows);
      const names = fillColumns(columns, items);
      block.begin(sampleColumns.length, rows);
      block.lowCardinalityNumbers(metric, names, columns.metrics);
      block.column(id).bytes(firstBytes(columns.ids, 8 * rows));
      block.column(ts).bytes(firstBytes(columns.times, 8 * rows));
      block.column(mantissa).bytes(firstBytes(columns.mantissas, 8 * rows));
      block.column(exponent).bytes(firstBytes(columns.exponents, rows));
      return block.end();
    },
    series(rows) {
      seriesBlock.begin(seriesColumns.length, rows.length);
      seriesBlock.lowCardinality(metric, rows, (row) => identityOf(row.series).metric.text);
      const out = seriesBlock.column(id);
      for (const row of rows) {
        const { low, high } = identityOf(row.series);
        out.u32(low);
        out.u32(high);
      }
      seriesBlock.map(labels, rows, (row, put) => {
        for (const [name, text] of row.series.labels) put(name, text);
      });
      seriesBlock.lowCardinality(measurement, rows, (row) => row.series.datakit?.measurement ?? '');
      seriesBlock.lowCardinality(field, rows, (row) => row.series.datakit?.field ?? '');
      seriesBlock.column(firstDay);
      for (const row of rows) out.u16(row.firstDay ?? row.lastDay);
      seriesBlock.column(lastDay);
      for (const row of rows) out.u16(row.lastDay);
      return seriesBlock.end();
    },
  };
}
