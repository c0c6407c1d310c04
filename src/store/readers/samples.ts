/** Series by their labels, and their samples in a window, from the tables `series` and `samples`. */
import type { Label } from '../../model/sample.ts';
import type { StoreClient } from '../client.ts';
import type { Condition, LabelMatcher } from './label-matcher.ts';
import { defaultReadLimits, limitSettings, type ReadLimits, ResultLimitError } from './limits.ts';
import { readRowBinary } from './row-binary.ts';
import { readLabels, selectionCondition } from './series.ts';
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

export interface SampleReadLimits extends ReadLimits {
  readonly maxSeries: number;
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
}

const rowSizeBytes = 24;
/** Names travel in the request's URL; more than this and the series' ids alone must do. */
const maxMetricNames = 50;

interface SeriesIndex {
  readonly labelsOf: ReadonlyMap<bigint, readonly Label[]>;
  readonly metrics: ReadonlySet<string>;
}

async function readSeries(
  client: StoreClient,
  condition: Condition,
  options: { readonly signal: AbortSignal; readonly limits: SampleReadLimits },
): Promise<SeriesIndex> {
  const { limits, signal } = options;
  const bytes = await client.bytes({
    sql: `SELECT id, labels FROM series WHERE ${condition.sql} LIMIT 1 BY metric, id LIMIT {limit:UInt64}`,
    parameters: { ...condition.parameters, limit: limits.maxSeries + 1 },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const labelsOf = new Map<bigint, readonly Label[]>();
  const metrics = new Set<string>();
  const row = readRowBinary(bytes);
  while (!row.isAtEnd()) {
    const id = row.u64();
    const labels = readLabels(row);
    labelsOf.set(id, labels);
    metrics.add(labels.find(([name]) => name === '__name__')?.[1] ?? '');
  }
  if (labelsOf.size > limits.maxSeries) {
    throw new ResultLimitError(
      'series_per_query',
      `the query selects more than ${limits.maxSeries} series; narrow its matchers`,
    );
  }
  return { labelsOf, metrics };
}

/** Any number is larger than NaN, and 0 than -0. */
function isLarger(a: number, b: number): boolean {
  if (Number.isNaN(a)) return false;
  return Number.isNaN(b) || a > b || (a === 0 && Object.is(b, -0) && !Object.is(a, -0));
}

/** Copies rows [from, to) of (id, ts, v), which are one series in order of time, into arrays of their own. */
function takePoints(bytes: Buffer, from: number, to: number, labels: readonly Label[]): SeriesPoints {
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
      // Two samples of one stamp are one, whichever the engine gives first: the larger, as its own functions over grids have it.
      const isKeptMarker = staleAt?.[count - 1] === 1;
      if (isMarker || (!isKeptMarker && !isLarger(value, values[count - 1] ?? Number.NaN))) continue;
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

/** Cuts rows of (id UInt64, ts DateTime64(3), v Float64), ordered by id and ts, into series. Rows of unknown series are left out. */
export function decodeSamples(bytes: Buffer, labelsOf: ReadonlyMap<bigint, readonly Label[]>): SeriesPoints[] {
  const series: SeriesPoints[] = [];
  const rows = Math.floor(bytes.length / rowSizeBytes);
  let from = 0;
  while (from < rows) {
    const low = bytes.readUInt32LE(from * rowSizeBytes);
    const high = bytes.readUInt32LE(from * rowSizeBytes + 4);
    let to = from + 1;
    while (
      to < rows &&
      bytes.readUInt32LE(to * rowSizeBytes) === low &&
      bytes.readUInt32LE(to * rowSizeBytes + 4) === high
    ) {
      to++;
    }
    const labels = labelsOf.get(bytes.readBigUInt64LE(from * rowSizeBytes));
    if (labels !== undefined) series.push(takePoints(bytes, from, to, labels));
    from = to;
  }
  return series;
}

/** Reads the samples of all series that the matchers take; series without a sample in the window are left out. In no order. */
export async function readSamples(
  client: StoreClient,
  selection: SampleSelection,
  options: SampleReadOptions,
): Promise<SeriesPoints[]> {
  const limits = options.limits ?? defaultSampleLimits;
  const { signal } = options;
  const { matchers, afterMs, untilMs } = selection;
  const condition = selectionCondition({ matchers: [matchers], startMs: afterMs, endMs: untilMs });
  const window = windowCondition({
    unit: 'Milli',
    after: BigInt(Math.trunc(afterMs)),
    until: BigInt(Math.trunc(untilMs)),
  });
  const { labelsOf, metrics } = await readSeries(client, condition, { signal, limits });
  if (labelsOf.size === 0) return [];
  // The matchers are asked once more instead of sending the ids: there may be a hundred thousand.
  const isNarrow = metrics.size <= maxMetricNames;
  const bytes = await client.bytes({
    sql: `SELECT id, ts, v FROM samples
WHERE ${isNarrow ? 'metric IN {metrics:Array(String)} AND ' : ''}id IN (SELECT id FROM series WHERE ${condition.sql})
  AND ${window.sql}
ORDER BY id, ts LIMIT {limit:UInt64}`,
    parameters: {
      ...condition.parameters,
      ...(isNarrow ? { metrics: [...metrics] } : {}),
      ...window.parameters,
      limit: limits.maxSamples + 1,
    },
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
  return decodeSamples(bytes, labelsOf);
}
