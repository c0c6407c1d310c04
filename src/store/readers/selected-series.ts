/** Which series a selection takes, and what their labels are: asked of the table `series` no more than must be. */
import type { Label } from '../../model/sample.ts';
import { startSlices } from '../../model/turns.ts';
import type { StoreClient } from '../client.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import { createLabelCache, type LabelCache } from './label-cache.ts';
import type { Condition, LabelMatcher } from './label-matcher.ts';
import { limitSettings, type ReadLimits, ResultLimitError } from './limits.ts';
import { type RowBinary, readRowBinary } from './row-binary.ts';
import { readLabels, selectionCondition } from './series.ts';

export interface SelectionLimits extends ReadLimits {
  readonly maxSeries: number;
}

export interface SelectionOptions {
  readonly signal: AbortSignal;
  readonly limits: SelectionLimits;
  readonly labels: LabelCache;
}

export interface WindowSelection {
  readonly matchers: readonly LabelMatcher[];
  readonly afterMs: number;
  readonly untilMs: number;
}

/** A row of a query's answer names its series by the two halves of the id. */
export interface SelectedSeries {
  /** The condition on `samples`; undefined when no series is selected. */
  readonly condition: Condition | undefined;
  /** Finds the labels of the series that an answer names; those that are unknown have none. */
  labelsOf(ids: readonly SeriesKey[]): Promise<readonly (readonly Label[] | undefined)[]>;
}

/** Names travel in the request's URL; more than this and the series' ids alone must do. */
const maxMetricNames = 50;
/** So many ids are told one by one; beyond that the engine finds them itself once more. */
const maxListedIds = 2000;

export const tooManySeries = (maxSeries: number): ResultLimitError =>
  new ResultLimitError('series_per_query', `the query selects more than ${maxSeries} series; narrow its matchers`);

/** An id as its two halves: bigints cost more than everything else that is done with them. */
const readSeriesKey = (row: RowBinary): SeriesKey => ({ low: row.u32() | 0, high: row.u32() | 0 });

const text = ({ low, high }: SeriesKey): string => ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString();

/** The ids as a list for SQL: digits alone. */
export const listIds = (ids: readonly SeriesKey[]): string => ids.map(text).join(',');

/** A series and its labels, which are those of the cache. */
export interface SeriesLabels {
  readonly id: SeriesKey;
  readonly labels: readonly Label[];
}

async function readSeriesRows(
  client: StoreClient,
  condition: Condition,
  { signal, limits, labels: cache }: SelectionOptions,
): Promise<readonly SeriesLabels[]> {
  const bytes = await client.bytes({
    sql: `SELECT id, labels FROM series WHERE ${condition.sql} LIMIT 1 BY metric, id LIMIT {limit:UInt64}`,
    parameters: { ...condition.parameters, limit: limits.maxSeries + 1 },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const row = readRowBinary(bytes);
  const found: SeriesLabels[] = [];
  const slices = startSlices(signal);
  while (!row.isAtEnd()) {
    const id = readSeriesKey(row);
    const labels = readLabels(row);
    found.push({ id, labels: cache.get(id) ?? cache.keep(id, labels) });
    if (slices.isOver()) await slices.next();
  }
  return found;
}

/** Reads every series of a selection with its labels. */
export async function readSeriesOf(
  client: StoreClient,
  { matchers, afterMs, untilMs }: WindowSelection,
  options: SelectionOptions,
): Promise<readonly SeriesLabels[]> {
  const condition = selectionCondition({ matchers: [matchers], startMs: afterMs, endMs: untilMs });
  const found = await readSeriesRows(client, condition, options);
  if (found.length > options.limits.maxSeries) throw tooManySeries(options.limits.maxSeries);
  return found;
}

/** Reads labels into the cache, and gives them back in a table of their own: the cache may forget any of them at once. */
async function fetchLabels(client: StoreClient, condition: Condition, options: SelectionOptions): Promise<LabelCache> {
  const fetched = createLabelCache(Number.POSITIVE_INFINITY);
  for (const { id, labels } of await readSeriesRows(client, condition, options)) fetched.keep(id, labels);
  return fetched;
}

/** The metric's name where the selection is that alone. */
function onlyMetric(matchers: readonly LabelMatcher[]): string | undefined {
  const [first] = matchers;
  const isOnly = matchers.length === 1 && first?.name === '__name__' && first.op === '=' && first.value !== '';
  return isOnly ? first.value : undefined;
}

interface FoundIds {
  readonly ids: readonly SeriesKey[];
  readonly metrics: readonly string[];
}

async function readIds(client: StoreClient, condition: Condition, options: SelectionOptions): Promise<FoundIds> {
  const { signal, limits } = options;
  const bytes = await client.bytes({
    sql: `SELECT id, metric FROM series WHERE ${condition.sql} LIMIT 1 BY metric, id LIMIT {limit:UInt64}`,
    parameters: { ...condition.parameters, limit: limits.maxSeries + 1 },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const ids: SeriesKey[] = [];
  const metrics = new Set<string>();
  const row = readRowBinary(bytes);
  const slices = startSlices(signal);
  while (!row.isAtEnd()) {
    ids.push(readSeriesKey(row));
    metrics.add(row.string());
    if (slices.isOver()) await slices.next();
  }
  if (ids.length > limits.maxSeries) throw tooManySeries(limits.maxSeries);
  return { ids, metrics: [...metrics] };
}

/** One name is compared: looking it up in a list of one costs half as much again as the whole rest of the query. */
function conditionOnMetrics(metrics: readonly string[]): Condition {
  const [metric = ''] = metrics;
  if (metrics.length === 1) return { sql: 'metric = {metric:String}', parameters: { metric } };
  if (metrics.length > maxMetricNames) return { sql: '1', parameters: {} };
  return { sql: 'metric IN {metrics:Array(String)}', parameters: { metrics } };
}

/** The condition on `samples` of few series of one metric. */
export const conditionOnIds = (metric: string, ids: readonly SeriesKey[]): Condition => ({
  sql: `metric = {metric:String} AND id IN (${listIds(ids)})`,
  parameters: { metric },
});

async function conditionOnSamples(
  client: StoreClient,
  selection: WindowSelection,
  { series, options }: { readonly series: Condition; readonly options: SelectionOptions },
): Promise<Condition | undefined> {
  const metric = onlyMetric(selection.matchers);
  if (metric !== undefined) return { sql: 'metric = {metric:String}', parameters: { metric } };
  const { ids, metrics } = await readIds(client, series, options);
  if (ids.length === 0) return undefined;
  const names = conditionOnMetrics(metrics);
  if (ids.length <= maxListedIds) return { ...names, sql: `${names.sql} AND id IN (${listIds(ids)})` };
  // The matchers are asked once more instead of sending the ids: there may be a hundred thousand.
  return {
    sql: `${names.sql} AND id IN (SELECT id FROM series WHERE ${series.sql})`,
    parameters: { ...series.parameters, ...names.parameters },
  };
}

/** Finds the series of a selection; labels are looked up when an answer has named those that have samples. */
export async function selectSeries(
  client: StoreClient,
  selection: WindowSelection,
  options: SelectionOptions,
): Promise<SelectedSeries> {
  const { matchers, afterMs, untilMs } = selection;
  const series = selectionCondition({ matchers: [matchers], startMs: afterMs, endMs: untilMs });
  const { labels: cache, limits } = options;
  return {
    condition: await conditionOnSamples(client, selection, { series, options }),
    async labelsOf(ids) {
      if (ids.length > limits.maxSeries) throw tooManySeries(limits.maxSeries);
      const found = ids.map((id) => cache.get(id));
      const unknown = ids.filter((_, i) => found[i] === undefined);
      if (unknown.length === 0) return found;
      const isListed = unknown.length <= maxListedIds;
      const condition = isListed ? { ...series, sql: `(${series.sql}) AND id IN (${listIds(unknown)})` } : series;
      const fetched = await fetchLabels(client, condition, options);
      return ids.map((id, i) => found[i] ?? fetched.get(id));
    },
  };
}
