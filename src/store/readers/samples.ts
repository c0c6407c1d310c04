/** Series by their labels, and their samples in a window, from the tables `series` and `samples`. */
import type { Label } from '../../model/sample.ts';
import { inSlices } from '../../model/turns.ts';
import type { StoreClient } from '../client.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import { createLabelCache, type LabelCache } from './label-cache.ts';
import type { LabelMatcher } from './label-matcher.ts';
import { defaultReadLimits, limitSettings, ResultLimitError } from './limits.ts';
import { type SelectedSeries, type SelectionLimits, selectSeries } from './selected-series.ts';
import { windowCondition } from './window.ts';

/** The samples of one series, in order of time, no stamp twice. */
export interface SeriesPoints {
  /** Sorted by name in byte order, `__name__` among them. */
  readonly labels: readonly Label[];
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  /** 1 where the sample is a staleness marker; undefined, which is usual, when none is. */
  readonly staleAt: Uint8Array | undefined;
}

/** Whether the sample at `index` marks the end of its series there. */
export const isStale = (points: SeriesPoints, index: number): boolean => points.staleAt?.[index] === 1;

/** Which samples: those with `afterMs` < timestamp <= `untilMs` of all series that every matcher takes. */
export interface SampleSelection {
  readonly matchers: readonly LabelMatcher[];
  readonly afterMs: number;
  readonly untilMs: number;
}

export interface SampleReadLimits extends SelectionLimits {
  readonly maxSamples: number;
}

export const defaultSampleLimits: SampleReadLimits = {
  ...defaultReadLimits,
  maxSeries: 100_000,
  maxSamples: 4_000_000,
};

export interface SampleReadOptions {
  readonly signal: AbortSignal;
  readonly limits?: SampleReadLimits;
  /** Labels that were read before. */
  readonly labels?: LabelCache;
}

const rowSizeBytes = 24;
/** Any number is larger than NaN, and 0 than -0. */
function isLarger(a: number, b: number): boolean {
  if (Number.isNaN(a)) return false;
  return Number.isNaN(b) || a > b || (a === 0 && Object.is(b, -0) && !Object.is(a, -0));
}

/** One of two samples that have one stamp. */
export interface Rival {
  readonly value: number;
  readonly isMarker: boolean;
}

/** Two samples of one stamp are one, whichever comes first: the larger, as the engine's own functions over grids have it. */
export function takesPlaceOf(next: Rival, kept: Rival): boolean {
  return !next.isMarker && (kept.isMarker || isLarger(next.value, kept.value));
}

/** Copies rows [from, to) of (id, ts, v), which are one series in order of time, into arrays of their own. */
function takePoints(
  bytes: Buffer,
  { from, to }: { readonly from: number; readonly to: number },
  labels: readonly Label[],
): SeriesPoints {
  const timestampsMs = new Float64Array(to - from);
  const values = new Float64Array(to - from);
  let staleAt: Uint8Array | undefined;
  let count = 0;
  for (let row = from; row < to; row++) {
    const at = row * rowSizeBytes + 8;
    const timestampMs = bytes.readInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
    const value = bytes.readDoubleLE(at + 8);
    // A marker is told by its bits before it becomes a number, which need not keep them.
    const isMarker =
      Number.isNaN(value) && bytes.readUInt32LE(at + 8) === 2 && bytes.readUInt32LE(at + 12) === 0x7ff00000;
    if (count > 0 && timestampsMs[count - 1] === timestampMs) {
      const kept = { value: values[count - 1] ?? Number.NaN, isMarker: staleAt?.[count - 1] === 1 };
      if (!takesPlaceOf({ value, isMarker }, kept)) continue;
      count--;
      if (staleAt !== undefined) staleAt[count] = 0;
    }
    timestampsMs[count] = timestampMs;
    values[count] = isMarker ? Number.NaN : value;
    if (isMarker) {
      staleAt ??= new Uint8Array(to - from);
      staleAt[count] = 1;
    }
    count++;
  }
  return {
    labels,
    timestampsMs: timestampsMs.subarray(0, count),
    values: values.subarray(0, count),
    staleAt: staleAt?.subarray(0, count),
  };
}

/** Where each series begins and ends among rows ordered by id. */
export interface SeriesRows {
  readonly ids: readonly SeriesKey[];
  /** The first row of each series, and behind them all the number of rows. */
  readonly starts: readonly number[];
}

/** Finds the series among rows of (id UInt64, ts DateTime64(3), v Float64), ordered by id. */
export function findSeries(bytes: Buffer): SeriesRows {
  const ids: SeriesKey[] = [];
  const starts: number[] = [];
  const rows = Math.floor(bytes.length / rowSizeBytes);
  let low = 0;
  let high = 0;
  for (let row = 0; row < rows; row++) {
    const at = row * rowSizeBytes;
    const rowLow = bytes.readInt32LE(at);
    const rowHigh = bytes.readInt32LE(at + 4);
    if (row > 0 && rowLow === low && rowHigh === high) continue;
    low = rowLow;
    high = rowHigh;
    ids.push({ low, high });
    starts.push(row);
  }
  starts.push(rows);
  return { ids, starts };
}

/** Cuts rows of (id, ts, v), ordered by id and ts, into series, a step each. Those whose labels are unknown are left out. */
function* decodeSteps(
  bytes: Buffer,
  { starts }: SeriesRows,
  labels: readonly (readonly Label[] | undefined)[],
): Generator<undefined, SeriesPoints[], undefined> {
  const series: SeriesPoints[] = [];
  for (const [i, own] of labels.entries()) {
    if (own !== undefined) series.push(takePoints(bytes, { from: starts[i] ?? 0, to: starts[i + 1] ?? 0 }, own));
    yield;
  }
  return series;
}

/** Cuts rows into series at once. */
export function decodeSamples(
  bytes: Buffer,
  rows: SeriesRows,
  labels: readonly (readonly Label[] | undefined)[],
): SeriesPoints[] {
  const steps = decodeSteps(bytes, rows, labels);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Reads the samples of series that are selected already. */
export async function readSamplesOf(
  client: StoreClient,
  selected: SelectedSeries,
  { selection, options }: { readonly selection: SampleSelection; readonly options: SampleReadOptions },
): Promise<SeriesPoints[]> {
  const { signal, limits = defaultSampleLimits } = options;
  const { condition } = selected;
  if (condition === undefined) return [];
  const window = windowCondition({
    unit: 'Milli',
    after: BigInt(Math.trunc(selection.afterMs)),
    until: BigInt(Math.trunc(selection.untilMs)),
  });
  const bytes = await client.bytes({
    // Whole hours of a series lie together: most rows that the key leaves are told by their time.
    sql: `SELECT id, ts, v FROM samples PREWHERE ${window.sql} AND ${condition.sql} ORDER BY id, ts LIMIT {limit:UInt64}`,
    parameters: { ...condition.parameters, ...window.parameters, limit: limits.maxSamples + 1 },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  if (bytes.length / rowSizeBytes > limits.maxSamples) {
    throw new ResultLimitError(
      'samples_per_query',
      'query processing would load too many samples into memory in query execution',
    );
  }
  const found = findSeries(bytes);
  return inSlices(decodeSteps(bytes, found, await selected.labelsOf(found.ids)), signal);
}

/** Reads the samples of all series that the matchers take; series without a sample in the window are left out. In no order. */
export async function readSamples(
  client: StoreClient,
  selection: SampleSelection,
  options: SampleReadOptions,
): Promise<SeriesPoints[]> {
  const { signal, limits = defaultSampleLimits, labels = createLabelCache() } = options;
  const selected = await selectSeries(client, selection, { signal, limits, labels });
  return readSamplesOf(client, selected, { selection, options });
}
