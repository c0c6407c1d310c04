/** One value a series and point of a grid, computed in the engine by its functions over grids. */
import type { Label } from '../../model/sample.ts';
import { inSlices } from '../../model/turns.ts';
import { type StoreClient, StoreError } from '../client.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import { rawValue } from '../schema/migrations.ts';
import { createLabelCache } from './label-cache.ts';
import { limitSettings, ResultLimitError } from './limits.ts';
import { defaultSampleLimits, readSamplesOf, type SampleReadOptions, type SeriesPoints } from './samples.ts';
import { listIds, type SelectedSeries, selectSeries, type WindowSelection } from './selected-series.ts';
import { windowCondition } from './window.ts';

/** The engine's functions that give what Prometheus does (docs/decisions/promql-pushdown.md). */
export const gridFunctions = [
  'Last',
  'Rate',
  'Increase',
  'Delta',
  'Changes',
  'Resets',
  'InstantRate',
  'InstantDelta',
] as const;
export type GridFunction = (typeof gridFunctions)[number];

/** Which series, and the windows (t - range, t] for t = `startMs`, `startMs + stepMs`, … */
export interface GridSelection extends Pick<WindowSelection, 'matchers'> {
  readonly function: GridFunction;
  readonly startMs: number;
  /** Any number where `count` is 1. */
  readonly stepMs: number;
  readonly count: number;
  readonly rangeMs: number;
  /** Whether a staleness marker is a sample that is NaN; without it, markers are as good as not there. */
  readonly takesMarkers: boolean;
}

/** Staleness markers, told by what they are stored as (docs/decisions/sample-size.md). */
const isMarkerSql = `(e = ${rawValue} AND m = ${BigInt.asIntN(64, 0x7ff0000000000002n)})`;

/** One series over the grid. */
export interface GridRow {
  readonly labels: readonly Label[];
  readonly values: Float64Array;
  /** 1 where there is a value. */
  readonly isPresent: Uint8Array;
}

export interface GridAnswer {
  readonly rows: readonly GridRow[];
  /** The samples of series that have NaN or an infinity in a window, for which the engine's functions do not answer as Prometheus does. */
  readonly unusual: readonly SeriesPoints[];
}

export interface GridReadOptions extends SampleReadOptions {
  /** How many points may be answered. */
  readonly maxPoints: number;
}

/** Times that the engine's grids and the tables' key both hold. */
const lastMs = 4_000_000_000_000;

/** Whether a grid can be asked of the engine. */
export function canReadGrid({ startMs, stepMs, count, rangeMs }: GridSelection): boolean {
  const isWhole = [startMs, stepMs, rangeMs].every(Number.isSafeInteger);
  return isWhole && rangeMs > 0 && startMs - rangeMs > 0 && startMs + (count - 1) * stepMs < lastMs;
}

const time = (timeMs: number): string => `fromUnixTimestamp64Milli(toInt64(${timeMs}), 'UTC')`;
const seconds = (durationMs: number): string => `toDecimal64('${(durationMs / 1000).toFixed(3)}', 3)`;

function gridSql({ function: name, startMs, stepMs, count, rangeMs }: GridSelection): string {
  const endMs = startMs + (count - 1) * stepMs;
  const step = count === 1 ? 1000 : stepMs;
  return `timeSeries${name}ToGrid(${time(startMs)}, ${time(endMs)}, ${seconds(step)}, ${seconds(rangeMs)})(ts, v)`;
}

interface FoundRows {
  readonly ids: readonly SeriesKey[];
  readonly cells: readonly Omit<GridRow, 'labels'>[];
  readonly unusual: readonly SeriesKey[];
}

/** Cells are cut from pieces of memory of this many: thousands of small arrays cost more than what is in them. */
const cellsAtOnce = 16_384;

function createCells(count: number): () => Omit<GridRow, 'labels'> {
  const size = Math.max(Math.floor(cellsAtOnce / count), 1) * count;
  let values = new Float64Array(0);
  let isPresent = new Uint8Array(0);
  let used = 0;
  return () => {
    if (used === values.length) {
      values = new Float64Array(size);
      isPresent = new Uint8Array(size);
      used = 0;
    }
    used += count;
    return { values: values.subarray(used - count, used), isPresent: isPresent.subarray(used - count, used) };
  };
}

/** Reads rows of (id UInt64, unusual UInt8, Array(Nullable(Float64))), whose arrays all have `count` cells; a step a row. */
export function* decodeGrids(bytes: Buffer, count: number): Generator<undefined, FoundRows, undefined> {
  const ids: SeriesKey[] = [];
  const unusual: SeriesKey[] = [];
  const cells: Omit<GridRow, 'labels'>[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const next = createCells(count);
  let at = 0;
  while (at < bytes.length) {
    const id = { low: view.getInt32(at, true), high: view.getInt32(at + 4, true) };
    const isUnusual = bytes[at + 8] === 1;
    at += 9;
    while ((bytes[at++] ?? 0) > 0x7f);
    const { values, isPresent } = next();
    let present = 0;
    for (let i = 0; i < count; i++) {
      if (bytes[at++] === 1) continue;
      values[i] = view.getFloat64(at, true);
      isPresent[i] = 1;
      at += 8;
      present++;
    }
    if (isUnusual) unusual.push(id);
    else if (present > 0) {
      ids.push(id);
      cells.push({ values, isPresent });
    }
    yield;
  }
  return { ids, cells, unusual };
}

/** More series than this with unusual values, and reading all samples costs no more than naming them. */
const maxUnusual = 1000;

async function readUnusual(
  client: StoreClient,
  {
    selected,
    ids,
    selection,
  }: { readonly selected: SelectedSeries; readonly ids: readonly SeriesKey[]; readonly selection: WindowSelection },
  options: GridReadOptions,
): Promise<readonly SeriesPoints[]> {
  if (ids.length === 0) return [];
  const { condition = { sql: '1', parameters: {} } } = selected;
  const narrowed = { ...condition, sql: `${condition.sql} AND id IN (${listIds(ids)})` };
  return readSamplesOf(client, { ...selected, condition: narrowed }, { selection, options });
}

/**
 * Of so many points each, series are counted before anything is computed of them, where they may be many: that takes a hundredth of the time
 * after which they would be refused.
 */
const countedFrom = 500;

/** ClickHouse's error number. */
const tooManyRowsOrBytes = 396;

const tooManyPoints = (): ResultLimitError =>
  new ResultLimitError(
    'samples_per_query',
    'query processing would load too many samples into memory in query execution',
  );

/** Asks the engine for a grid; undefined where so many series are unusual that their samples had better be read. */
export async function readGrids(
  client: StoreClient,
  grid: GridSelection,
  options: GridReadOptions,
): Promise<GridAnswer | undefined> {
  const { signal, limits = defaultSampleLimits, labels = createLabelCache(), maxPoints } = options;
  const { matchers, startMs, stepMs, count, rangeMs, takesMarkers } = grid;
  const selection = { matchers, afterMs: startMs - rangeMs, untilMs: startMs + (count - 1) * stepMs };
  const selected = await selectSeries(client, selection, { signal, limits, labels });
  const { condition } = selected;
  if (condition === undefined) return { rows: [], unusual: [] };
  const window = windowCondition({
    unit: 'Milli',
    after: BigInt(selection.afterMs),
    until: BigInt(selection.untilMs),
  });
  const maxRows = Math.min(limits.maxSeries, Math.floor(maxPoints / count));
  const asking = { signal, timeoutMs: limits.timeoutMs };
  if (limits.isLarge === true && count >= countedFrom) {
    const [found] = await client.rows<{ readonly series: string }>({
      sql: `SELECT count() AS series FROM (SELECT id FROM samples PREWHERE ${window.sql} AND ${condition.sql} GROUP BY id LIMIT {limit:UInt64})`,
      parameters: { ...condition.parameters, ...window.parameters, limit: maxRows + 1 },
      ...asking,
      settings: limitSettings(limits),
    });
    if (Number(found?.series ?? 0) > maxRows) throw tooManyPoints();
  }
  const asked = client.bytes({
    sql: `SELECT id, max(e = ${rawValue} AND NOT isFinite(v)) AS unusual, ${gridSql(grid)} AS cells
FROM samples PREWHERE ${window.sql} AND ${condition.sql} WHERE ${takesMarkers ? '1' : `NOT ${isMarkerSql}`} GROUP BY id LIMIT {limit:UInt64}`,
    parameters: { ...condition.parameters, ...window.parameters, limit: maxRows + 1 },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: {
      ...limitSettings(limits),
      // Too many are refused before they are written.
      max_result_rows: maxRows,
      allow_experimental_time_series_aggregate_functions: 1,
    },
  });
  const bytes = await asked.catch((error: unknown) => {
    throw error instanceof StoreError && error.code === tooManyRowsOrBytes ? tooManyPoints() : error;
  });
  const { ids, cells, unusual } = await inSlices(decodeGrids(bytes, count), signal);
  if (unusual.length > maxUnusual) return undefined;
  if (ids.length + unusual.length > maxRows) throw tooManyPoints();
  const found = await selected.labelsOf(ids);
  const rows = cells.flatMap((cell, i): GridRow[] => {
    const own = found[i];
    return own === undefined ? [] : [{ labels: own, ...cell }];
  });
  return { rows, unusual: await readUnusual(client, { selected, ids: unusual, selection }, options) };
}
