/**
 * The pass that keeps the one-minute roll-ups of spans: a minute is counted whole from the base table once it has settled, and again when
 * late rows came. Rows are written under the pass's number and count only once `rollup_minutes` has that number, which is written last:
 * a pass that dies half-way leaves rows that nobody reads, and the minute stays the base table's.
 */
import { randomInt } from 'node:crypto';
import type { StoreClient } from '../client.ts';
import { edgeSettings } from './edge-sql.ts';
import { countEdges } from './edges.ts';
import { inRange, type MinuteRange, newestPass, readStaleMinutes, type StaleMinute, toRanges } from './minutes.ts';
import { operationSql } from './operation-sql.ts';
import type { EdgeCounts } from './view.ts';

export interface RollupPassOptions {
  /** The time that decides what has settled. */
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** How long after its end a minute is left alone, for its last spans to arrive. 10 s unless told. */
  readonly settleMs?: number;
  /** How far back minutes are looked for. 31 days unless told. */
  readonly horizonMs?: number;
  /** Ranges of minutes that are rolled up before the pass returns. 8 unless told. */
  readonly maxRanges?: number;
  /** At the earliest when a minute is done again, after it was done; a tenth of its age, between a minute and an hour, unless told. */
  readonly redoAfterMs?: number;
}

export interface RollupPassResult {
  readonly minutes: number;
  readonly spans: number;
  /** Minutes that could be done now and were left for the next pass. */
  readonly remaining: number;
}

/** A range is one INSERT a table; more spans than this wait for the next. */
const rangeLimits = { maxMinutes: 5, maxSpans: 3_000_000 };

const passTimeoutMs = 60_000;

/** Rolls up what has settled, the newest first. Safe to be killed, aborted and repeated at any point. */
export async function runRollupPass(client: StoreClient, options: RollupPassOptions): Promise<RollupPassResult> {
  const { nowMs, signal, settleMs = 10_000, horizonMs = 31 * 86_400_000, maxRanges = 8 } = options;
  const newest = await newestPass(client, signal);
  const to = Math.floor((nowMs - settleMs) / 60_000) * 60;
  const from = Math.max(0, Math.floor((nowMs - horizonMs) / 60_000) * 60);
  const stale = await readStaleMinutes(client, { range: { from, to }, upTo: newest, signal });
  const due = stale.filter((minute) => isDue(minute, options));
  const byMinute = new Map(due.map((minute) => [minute.minute, minute]));
  const ranges = toRanges(due, rangeLimits).reverse();
  let pass = nextPass(nowMs, BigInt(newest));
  const done: StaleMinute[] = [];
  for (const range of ranges.slice(0, maxRanges)) {
    signal.throwIfAborted();
    const minutes = due.filter(({ minute }) => minute >= range.from && minute < range.to);
    await rollUp(client, { range, minutes, pass, nowMs, signal });
    pass = nextPass(nowMs, pass);
    done.push(...minutes);
  }
  return {
    minutes: done.length,
    spans: done.reduce((sum, { spans }) => sum + spans, 0),
    remaining: byMinute.size - done.length,
  };
}

/**
 * A number above all that were committed. The lower bits are drawn, for rows that a killed pass left behind must never be taken for those of
 * a later one, even if the clock was set back in between.
 */
function nextPass(nowMs: number, newest: bigint): bigint {
  const fromClock = BigInt(nowMs) << 20n;
  return (fromClock > newest ? fromClock : newest) + BigInt(randomInt(1, 1 << 20));
}

function isDue({ minute, madeAt }: StaleMinute, { nowMs, redoAfterMs }: RollupPassOptions): boolean {
  if (madeAt === 0) return true;
  const ageMs = nowMs - minute * 1000;
  return nowMs - madeAt * 1000 >= (redoAfterMs ?? Math.min(3_600_000, Math.max(60_000, ageMs / 10)));
}

interface RangePass {
  readonly range: MinuteRange;
  readonly minutes: readonly StaleMinute[];
  readonly pass: bigint;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

async function rollUp(client: StoreClient, { range, minutes, pass, nowMs, signal }: RangePass): Promise<void> {
  const run = (
    sql: string,
    parameters: Readonly<Record<string, string | number | bigint | readonly (string | number | bigint)[]>>,
  ) => client.command({ sql, parameters, signal, timeoutMs: passTimeoutMs, settings: edgeSettings });
  await run(
    `INSERT INTO rollup_operations (minute, service, operation, kind, requests, errors, buckets, counts, pass)
    SELECT *, {pass:UInt64} FROM (${operationSql})`,
    { ...range, pass },
  );
  const spans = minutes.reduce((sum, minute) => sum + minute.spans, 0);
  const edges = await countEdges(client, { range, spans, signal, timeoutMs: passTimeoutMs });
  await insertEdges(client, { edges, pass, signal });
  const rowsOf = (table: string) =>
    `SELECT toUnixTimestamp(minute) AS at, count() AS n FROM ${table} WHERE ${inRange('minute')} AND pass = {pass:UInt64} GROUP BY minute`;
  await run(
    `INSERT INTO rollup_minutes (minute, pass, fingerprint, spans, operation_rows, edge_rows, made_at)
    SELECT toDateTime(m.1, 'UTC'), {pass:UInt64}, m.2, m.3, o.n, e.n, toDateTime({madeAt:UInt32}, 'UTC')
    FROM (SELECT arrayJoin(arrayZip({minutes:Array(UInt32)}, {fingerprints:Array(UInt64)}, {spans:Array(UInt64)})) AS m) AS s
    LEFT JOIN (${rowsOf('rollup_operations')}) AS o ON o.at = m.1
    LEFT JOIN (${rowsOf('rollup_edges')}) AS e ON e.at = m.1`,
    {
      ...range,
      pass,
      minutes: minutes.map(({ minute }) => minute),
      fingerprints: minutes.map(({ fingerprint }) => BigInt(fingerprint)),
      spans: minutes.map((minute) => minute.spans),
      madeAt: Math.floor(nowMs / 1000),
    },
  );
}

async function insertEdges(
  client: StoreClient,
  { edges, pass, signal }: { edges: readonly EdgeCounts[]; pass: bigint; signal: AbortSignal },
): Promise<void> {
  if (edges.length === 0) return;
  // Numbers and hex digits only: names are strangers' texts, and a parameter would have to fit into a URL.
  const rows = edges.filter(isSomething).map((edge) => {
    const { minute, traceMinute, rule, caller, callee, requests, errors, taggedErrors } = edge;
    const durations = [...edge.durations].filter(([, count]) => count !== 0);
    const buckets = durations.map(([bucket]) => bucket).join();
    const counts = durations.map(([, count]) => count).join();
    return `(${minute},${rule},${traceMinute},'${hexOf(caller)}','${hexOf(callee)}',${requests},${errors},${taggedErrors},[${buckets}],[${counts}])`;
  });
  for (const part of chunks(rows, 100_000)) {
    await client.command({
      sql: `INSERT INTO rollup_edges (minute, rule, trace_minute, caller, callee, requests, errors, tagged_errors, buckets, counts, pass)
      SELECT toDateTime(r.1, 'UTC'), r.2, toDateTime(r.3, 'UTC'), unhex(r.4), unhex(r.5), r.6, r.7, r.8, r.9, r.10, {pass:UInt64} FROM (SELECT arrayJoin([${part.join()}]) AS r)`,
      parameters: { pass },
      signal,
    });
  }
}

/** A trace that turned out to be another may add to an edge what it takes off. */
const isSomething = ({ requests, errors, taggedErrors, durations }: EdgeCounts) =>
  requests !== 0 || errors !== 0 || taggedErrors !== 0 || [...durations.values()].some((count) => count !== 0);

const hexOf = (text: string) => Buffer.from(text).toString('hex');

/** Parts of a list whose texts together stay below `maxLength`, for the engine's limit of a query's length. */
function* chunks(texts: readonly string[], maxLength: number): Generator<readonly string[]> {
  let part: string[] = [];
  let length = 0;
  for (const text of texts) {
    if (length + text.length > maxLength && part.length > 0) {
      yield part;
      part = [];
      length = 0;
    }
    part.push(text);
    length += text.length + 1;
  }
  if (part.length > 0) yield part;
}
