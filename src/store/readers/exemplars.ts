/** Exemplars of series in a window, or of a trace, from the table `exemplars`. */
import { compareBytes, type Label } from '../../model/sample.ts';
import { startSlices } from '../../model/turns.ts';
import type { StoreClient } from '../client.ts';
import type { Condition } from './label-matcher.ts';
import { defaultReadLimits, limitSettings, type ReadLimits } from './limits.ts';
import type { RowBinary } from './row-binary.ts';
import { readRows, sortInSlices } from './row-list.ts';
import { readLabels, type SeriesSelection, selectionCondition } from './series.ts';
import { windowCondition } from './window.ts';

export interface StoredExemplar {
  readonly labels: readonly Label[];
  readonly value: number;
  readonly timestampMs: number;
}

/** The exemplars of one series, in order of time. */
export interface SeriesExemplars {
  readonly seriesLabels: readonly Label[];
  readonly exemplars: readonly StoredExemplar[];
}

export interface ExemplarReadOptions {
  readonly signal: AbortSignal;
  /** At most so many, those that come first by series and time; 10,000 unless told. */
  readonly limit?: number;
  readonly limits?: ReadLimits;
}

const defaultLimit = 10_000;

/** Exemplars with `startMs` <= timestamp <= `endMs` of the selected series, sorted by the series' labels. */
export function readExemplars(
  client: StoreClient,
  selection: Required<SeriesSelection>,
  options: ExemplarReadOptions,
): Promise<SeriesExemplars[]> {
  const series = selectionCondition(selection);
  const window = windowCondition({
    unit: 'Milli',
    after: BigInt(Math.ceil(selection.startMs)) - 1n,
    until: BigInt(Math.floor(selection.endMs)),
  });
  const condition = {
    sql: `${window.sql} AND id IN (SELECT id FROM series WHERE ${series.sql})`,
    parameters: { ...window.parameters, ...series.parameters },
  };
  return readWhere(client, condition, options);
}

/** The exemplars whose labels name a trace; its id as 32 hex digits. */
export function readExemplarsOfTrace(
  client: StoreClient,
  traceId: string,
  options: ExemplarReadOptions,
): Promise<SeriesExemplars[]> {
  const condition = { sql: 'trace_id = unhex({trace:String})', parameters: { trace: traceId.padStart(32, '0') } };
  return readWhere(client, condition, options);
}

async function readWhere(client: StoreClient, condition: Condition, options: ExemplarReadOptions) {
  const { signal, limit = defaultLimit, limits = defaultReadLimits } = options;
  // One that was sent twice is one; labels as an array of pairs can be compared.
  const bytes = await client.bytes({
    sql: `SELECT id, ts, v, pairs, named.labels FROM
(SELECT metric, id, ts, v, CAST(labels AS Array(Tuple(String, String))) AS pairs FROM exemplars WHERE ${condition.sql}
  ORDER BY id, ts LIMIT 1 BY id, ts, reinterpretAsUInt64(v), pairs LIMIT {limit:UInt32}) AS found
INNER JOIN (SELECT id, any(labels) AS labels FROM series WHERE id IN (SELECT id FROM exemplars WHERE ${condition.sql}) GROUP BY id) AS named USING (id)
ORDER BY id, ts`,
    parameters: { ...condition.parameters, limit },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  return groupRows(await readRows(bytes, readExemplarRow, signal), signal);
}

const readExemplarRow = (row: RowBinary) => ({
  id: row.u64(),
  timestampMs: row.safeI64(),
  value: row.f64(),
  labels: readLabels(row),
  seriesLabels: readLabels(row),
});

async function groupRows(
  rows: readonly ReturnType<typeof readExemplarRow>[],
  signal: AbortSignal,
): Promise<SeriesExemplars[]> {
  const found: { seriesLabels: readonly Label[]; exemplars: StoredExemplar[]; key: string }[] = [];
  let lastId: bigint | undefined;
  const slices = startSlices(signal);
  for (const { id, timestampMs, value, labels, seriesLabels } of rows) {
    if (id !== lastId) found.push({ seriesLabels, exemplars: [], key: JSON.stringify(seriesLabels) });
    lastId = id;
    found.at(-1)?.exemplars.push({ timestampMs, value, labels });
    if (slices.isOver()) await slices.next();
  }
  const ordered = await sortInSlices(found, (a, b) => compareBytes(a.key, b.key), signal);
  return ordered.map(({ seriesLabels, exemplars }) => ({ seriesLabels, exemplars }));
}
