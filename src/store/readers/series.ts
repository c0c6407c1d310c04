/** Series, the names and values of their labels, and DataKit's view of them, from the table `series`. */
import { compareBytes, compareLabels, type Label } from '../../model/sample.ts';
import { startSlices } from '../../model/turns.ts';
import type { StoreClient } from '../client.ts';
import { createLabelCache, type LabelCache } from './label-cache.ts';
import { type Condition, checkConditionCount, type LabelMatcher, matcherCondition } from './label-matcher.ts';
import { defaultReadLimits, limitSettings, type ReadLimits } from './limits.ts';
import { createListMemory } from './list-memory.ts';
import type { RowBinary } from './row-binary.ts';
import { readRows, sortInSlices } from './row-list.ts';
import type { TimeWindow } from './window.ts';
import { windowCondition } from './window.ts';

/**
 * Which series: those that any of the matcher lists takes, all of them where there is no list, and which may have samples between the two
 * times. Times are taken by whole days: a series that ended this morning is there for the last hour too.
 */
export interface SeriesSelection {
  readonly matchers: readonly (readonly LabelMatcher[])[];
  /** Inclusive; from the beginning unless told. */
  readonly startMs?: number;
  /** Inclusive; to the end unless told. */
  readonly endMs?: number;
}

export interface SeriesReadOptions {
  readonly signal: AbortSignal;
  /** At most so many are answered, and never more than `maxListed`; that unless told. */
  readonly limit?: number;
  readonly limits?: ReadLimits;
}

/** A list that may have been cut. */
export interface Listed<Item> {
  readonly items: readonly Item[];
  readonly isTruncated: boolean;
}

/** More of a list than this is for nobody to read. */
export const maxListed = 100_000;

const dayMs = 86_400_000;
const lastDate = 65_535;
const dayOf = (timeMs: number): number => Math.min(Math.max(Math.floor(timeMs / dayMs), 0), lastDate);

/** The condition on `series` of samples' times. A row has all days that were known of its series when it was written. */
export function daysCondition({ startMs, endMs }: Pick<SeriesSelection, 'startMs' | 'endMs'>): Condition {
  const sql: string[] = [];
  const parameters: Record<string, number> = {};
  if (startMs !== undefined && startMs > 0) {
    sql.push('last_day >= toDate({fromDay:UInt16})');
    parameters['fromDay'] = dayOf(startMs);
  }
  if (endMs !== undefined && endMs < lastDate * dayMs) {
    sql.push('first_day <= toDate({untilDay:UInt16})');
    parameters['untilDay'] = dayOf(endMs);
  }
  return { sql: sql.length === 0 ? '1' : sql.join(' AND '), parameters };
}

/** Matchers as a condition on `series`. */
export const seriesCondition = (matchers: readonly LabelMatcher[], prefix = ''): Condition =>
  matcherCondition(
    matchers,
    (name, parameter) => (name === '__name__' ? 'metric' : `labels[{${parameter}:String}]`),
    prefix,
  );

/** A whole selection as a condition on `series`. */
export function selectionCondition(selection: SeriesSelection): Condition {
  const { matchers } = selection;
  checkConditionCount(matchers.reduce((count, list) => count + Math.max(list.length, 1), 0));
  const alternatives = matchers.map((list, i) => seriesCondition(list, `s${i}`));
  const days = daysCondition(selection);
  const parameters = Object.assign({}, days.parameters, ...alternatives.map((each) => each.parameters));
  const any = alternatives.map(({ sql }) => `(${sql})`).join(' OR ');
  return { sql: any === '' ? days.sql : `(${any}) AND ${days.sql}`, parameters };
}

const limitOf = ({ limit = maxListed }: SeriesReadOptions): number => Math.min(Math.max(limit, 1), maxListed);

interface ListQuery<Item> {
  readonly sql: string;
  readonly condition: Condition;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly read: (row: RowBinary) => Item;
}

/** Runs a query that ends with a LIMIT of one more than is to be answered. */
async function readList<Item>(client: StoreClient, query: ListQuery<Item>, options: SeriesReadOptions) {
  const limits = options.limits ?? defaultReadLimits;
  const limit = limitOf(options);
  const bytes = await client.bytes({
    sql: `${query.sql} LIMIT {limit:UInt32}`,
    parameters: { ...query.condition.parameters, ...query.parameters, limit: limit + 1 },
    format: 'RowBinary',
    signal: options.signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const items = await readRows(bytes, query.read, options.signal);
  const isTruncated = items.length > limit;
  if (isTruncated) items.length = limit;
  return { items, isTruncated };
}

/** An answer's labels, sorted by name in byte order. */
export const readLabels = (row: RowBinary): readonly Label[] => row.map().sort((a, b) => compareBytes(a[0], b[0]));

/** Label sets take a quarter of a kilobyte each, where nobody else has them. */
const seriesLists = createListMemory<readonly Label[]>('series', 50_000);
const textLists = createListMemory<string>('series');

/** What decides a list, times as the days that they are taken by. */
const keyOf = (what: string, { matchers, startMs, endMs }: SeriesSelection, options: SeriesReadOptions): string =>
  JSON.stringify([what, matchers, startMs && dayOf(startMs), endMs && dayOf(endMs), limitOf(options)]);

/** So many label sets of one list are kept for queries; a list of everything would put out what they need. */
const maxKept = 20_000;
/** The others share their pairs for as long as this lasts: a table of all would hold everybody up whenever it grows. */
const ownBytes = 4 * 1024 * 1024;

/** The labels of the selected series, `__name__` among them, in their order unless there are more than the limit. */
export function readSeries(
  client: StoreClient,
  selection: SeriesSelection,
  options: SeriesReadOptions & {
    /** Labels that were read before: the same series has the same array then. */
    readonly labels?: LabelCache;
  },
): Promise<Listed<readonly Label[]>> {
  const { labels = createLabelCache() } = options;
  const condition = selectionCondition(selection);
  const sql = `SELECT id, labels FROM series WHERE ${condition.sql} LIMIT 1 BY metric, id`;
  const own = createLabelCache(ownBytes);
  let keptCount = 0;
  const read = (row: RowBinary): readonly Label[] => {
    const id = { low: row.u32() | 0, high: row.u32() | 0 };
    const known = labels.get(id);
    if (known === undefined) return (keptCount++ < maxKept ? labels : own).keep(id, readLabels(row));
    row.skipMap();
    return known;
  };
  return seriesLists.recall(client, keyOf('series', selection, options), async () => {
    const { items, isTruncated } = await readList(client, { sql, condition, read }, options);
    return { items: await sortInSlices(items, compareLabels, options.signal), isTruncated };
  });
}

/** The names of the labels that the selected series have, sorted. */
export function readLabelNames(
  client: StoreClient,
  selection: SeriesSelection,
  options: SeriesReadOptions,
): Promise<Listed<string>> {
  const condition = selectionCondition(selection);
  const sql = `SELECT DISTINCT arrayJoin(labels.keys) AS name FROM series WHERE ${condition.sql} ORDER BY name`;
  return textLists.recall(client, keyOf('names', selection, options), () =>
    readList(client, { sql, condition, read: (row) => row.string() }, options),
  );
}

/** The values that a label has among the selected series, sorted; '' is none. */
export function readLabelValues(
  client: StoreClient,
  selection: SeriesSelection & { readonly name: string },
  options: SeriesReadOptions,
): Promise<Listed<string>> {
  const { name } = selection;
  const condition = selectionCondition(selection);
  const value = name === '__name__' ? 'metric' : 'labels[{name:String}]';
  const sql = `SELECT DISTINCT ${value} AS value FROM series WHERE ${condition.sql} AND value != '' ORDER BY value`;
  const parameters: Record<string, string> = name === '__name__' ? {} : { name };
  return textLists.recall(client, keyOf(`values of ${name}`, selection, options), () =>
    readList(client, { sql, condition, parameters, read: (row) => row.string() }, options),
  );
}

/** DataKit's view of stored series. */
export interface StoredMeasurement {
  readonly measurement: string;
  /** Sorted, as `tagKeys` are. */
  readonly fields: readonly string[];
  readonly tagKeys: readonly string[];
  readonly series: number;
  /** The newest sample of the last day; undefined where there is none in it. */
  readonly lastSampleMs: number | undefined;
  /** The UTC day of the newest sample, as its midnight. */
  readonly lastDayMs: number;
}

/** At most so many fields and tag keys of a measurement are told. */
const maxKeys = 1000;

/** The measurements of the series that may have samples since `startMs`, sorted by name. `nowMs` is where the search for last samples begins. */
export async function readMeasurements(
  client: StoreClient,
  { startMs, nowMs }: { readonly startMs?: number; readonly nowMs: number },
  options: SeriesReadOptions,
): Promise<Listed<StoredMeasurement>> {
  const condition = daysCondition(startMs === undefined ? {} : { startMs });
  const sql = `SELECT measurement, arraySort(groupUniqArray(${maxKeys})(field)), arraySort(groupUniqArrayArray(${maxKeys})(labels.keys)), uniq(id), max(last_day)
FROM series WHERE measurement != '' AND ${condition.sql} GROUP BY measurement ORDER BY measurement`;
  const read = (row: RowBinary) => ({
    measurement: row.string(),
    fields: row.array(() => row.string()),
    tagKeys: row.array(() => row.string()).filter((key) => key !== '__name__'),
    series: Number(row.u64()),
    lastDayMs: row.u16() * dayMs,
  });
  const { items, isTruncated } = await readList(client, { sql, condition, read }, options);
  const last = new Map<string, number>();
  for (const backMs of [dayMs / 24, dayMs]) {
    if (items.every(({ measurement, lastDayMs }) => last.has(measurement) || lastDayMs < nowMs - 2 * dayMs)) break;
    for (const [measurement, atMs] of await readLastSamples(client, nowMs - backMs, options))
      last.set(measurement, atMs);
  }
  const found: StoredMeasurement[] = [];
  const slices = startSlices(options.signal);
  for (const item of items) {
    found.push({ ...item, lastSampleMs: last.get(item.measurement) });
    if (slices.isOver()) await slices.next();
  }
  return { items: found, isTruncated };
}

async function readLastSamples(client: StoreClient, afterMs: number, options: SeriesReadOptions) {
  const window: TimeWindow = { unit: 'Milli', after: BigInt(Math.trunc(afterMs)), until: 4_294_967_294_000n };
  const condition = windowCondition(window);
  const sql = `SELECT measurement, toUnixTimestamp64Milli(max(last)) FROM
(SELECT id, max(ts) AS last FROM samples WHERE ${condition.sql} GROUP BY id) AS newest
INNER JOIN (SELECT DISTINCT id, measurement FROM series WHERE measurement != '') AS named USING (id) GROUP BY measurement`;
  const read = (row: RowBinary): [string, number] => [row.string(), row.safeI64()];
  const { items } = await readList(client, { sql, condition, read }, { ...options, limit: maxListed });
  return items;
}
