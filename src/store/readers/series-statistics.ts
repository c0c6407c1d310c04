/** How many series, labels and samples the store has lately, for the page where a person looks for what grew. */
import type { StoreClient } from '../client.ts';
import { defaultReadLimits, limitSettings, type ReadLimits } from './limits.ts';
import { type RowBinary, readRowBinary } from './row-binary.ts';
import { daysCondition } from './series.ts';

/** A name and how much there is of it. */
export interface Counted {
  readonly name: string;
  readonly value: number;
}

export interface SeriesStatistics {
  readonly series: number;
  readonly labelPairs: number;
  readonly sampleParts: number;
  /** Undefined where there are no samples. */
  readonly firstSampleMs: number | undefined;
  readonly lastSampleMs: number | undefined;
  /** The most numerous first, as all of the lists. */
  readonly seriesByMetric: readonly Counted[];
  readonly valuesByLabel: readonly Counted[];
  /** Of each label's name the bytes of its values, each value once. */
  readonly valueBytesByLabel: readonly Counted[];
  /** `name=value`. */
  readonly seriesByPair: readonly Counted[];
}

export interface StatisticsOptions {
  /** Only what may have samples since then; taken by whole days. */
  readonly startMs: number;
  /** How long each list may be. */
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly limits?: ReadLimits;
}

const dayMs = 86_400_000;

/** Counts from the index of series and from what the engine knows of the parts of samples: no sample is read. */
export async function readSeriesStatistics(client: StoreClient, options: StatisticsOptions): Promise<SeriesStatistics> {
  const { startMs, limit, signal, limits = defaultReadLimits } = options;
  const condition = daysCondition({ startMs });
  const list = async <Row>(sql: string, read: (row: RowBinary) => Row): Promise<Row[]> => {
    const bytes = await client.bytes({
      sql,
      parameters: { ...condition.parameters, limit, startDay: Math.max(Math.floor(startMs / dayMs), 0) },
      format: 'RowBinary',
      signal,
      timeoutMs: limits.timeoutMs,
      settings: limitSettings(limits),
    });
    const row = readRowBinary(bytes);
    const rows: Row[] = [];
    while (!row.isAtEnd()) rows.push(read(row));
    return rows;
  };
  const counted = (row: RowBinary): Counted => ({ name: row.string(), value: Number(row.u64()) });
  // A series has a row a day until its parts are merged.
  const pairs = `SELECT name, value, uniqExact(id) AS series FROM series ARRAY JOIN labels.keys AS name, labels.values AS value
WHERE ${condition.sql} GROUP BY name, value`;
  const byLabel = (measure: string) =>
    `SELECT name, toUInt64(${measure}) AS amount FROM (${pairs}) GROUP BY name ORDER BY amount DESC, name LIMIT {limit:UInt32}`;
  // One after another: this is for people to look at, and must not take every place in the store.
  const [totals] = await list(
    `SELECT assumeNotNull((SELECT uniqExact(id) FROM series WHERE ${condition.sql})), assumeNotNull((SELECT count() FROM (${pairs})))`,
    (row) => ({ series: Number(row.u64()), labelPairs: Number(row.u64()) }),
  );
  // The partition's key is the day, so that the engine answers this from its index.
  const [span] = await list(
    `SELECT toUnixTimestamp64Milli(min(ts)), toUnixTimestamp64Milli(max(ts)), count() > 0
FROM samples WHERE toDate(ts) >= toDate({startDay:UInt16})`,
    (row) => ({ firstMs: row.safeI64(), lastMs: row.safeI64(), hasAny: row.u8() === 1 }),
  );
  const [parts] = await list(
    `SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'samples' AND active
  AND toDate(partition) >= toDate({startDay:UInt16})`,
    (row) => Number(row.u64()),
  );
  return {
    series: totals?.series ?? 0,
    labelPairs: totals?.labelPairs ?? 0,
    sampleParts: parts ?? 0,
    firstSampleMs: span?.hasAny === true ? span.firstMs : undefined,
    lastSampleMs: span?.hasAny === true ? span.lastMs : undefined,
    seriesByMetric: await list(
      `SELECT toString(metric), uniqExact(id) AS amount FROM series WHERE ${condition.sql}
GROUP BY metric ORDER BY amount DESC, metric LIMIT {limit:UInt32}`,
      counted,
    ),
    valuesByLabel: await list(byLabel('count()'), counted),
    valueBytesByLabel: await list(byLabel('sum(length(value))'), counted),
    seriesByPair: await list(
      `SELECT concat(name, '=', value), series FROM (${pairs}) ORDER BY series DESC, name, value LIMIT {limit:UInt32}`,
      counted,
    ),
  };
}
