/** What services did over time, by service or by operation: counts and durations as Jaeger's Monitor tab draws them. */
import { type SpanKind, spanKinds } from '../../model/span.ts';
import type { StoreClient } from '../client.ts';
import { ResultLimitError } from '../readers/limits.ts';
import { addBuckets, quantileUs } from './histogram.ts';
import { operationSql } from './operation-sql.ts';
import { planWindow, rolledUp } from './window.ts';

export interface OperationStatsOptions {
  /** Services by their names as their spans spell them. */
  readonly services: readonly string[];
  /** Only spans of these kinds; undefined stands for spans without a kind. */
  readonly kinds: readonly (SpanKind | undefined)[];
  /** A series for each name of a span instead of one for each service. */
  readonly byOperation: boolean;
  /** The times of the points: `startMs`, a step later and so on, up to `endMs` inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** Each point looks back this far, in whole minutes. */
  readonly ratePerMs: number;
  /** Asks for a quantile of the durations, between 0 and 1. */
  readonly quantile?: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
}

/** What was counted over the time before a point. */
export interface OperationPoint {
  readonly timeMs: number;
  readonly calls: number;
  readonly errors: number;
  /** The length of time that the counts are of, for rates. */
  readonly coveredMs: number;
  /** Undefined where nothing was counted or no quantile was asked for. */
  readonly quantileUs: number | undefined;
}

export interface OperationSeries {
  readonly service: string;
  /** Undefined unless `byOperation`. */
  readonly operation: string | undefined;
  /** In order of time; from the first that counts anything on. */
  readonly points: readonly OperationPoint[];
}

interface Row {
  readonly service: string;
  readonly operation: string;
  /** Seconds since 1970. */
  readonly minute: number;
  readonly calls: string;
  readonly errors: string;
  readonly buckets: readonly number[];
  readonly counts: readonly string[];
}

/** The store's minutes end in 2106. */
const lastMs = 0xffff_ffff * 1000 - 3_600_000;

/** Minutes of every operation that are read at most; they fit into some 100 MB. */
const maxRows = 1_000_000;

const rowsSql = (source: string, { byOperation, quantile }: OperationStatsOptions) => `
  SELECT service, operation, toUInt32(minute) AS minute, toString(calls) AS calls, toString(errors) AS errors,
    ${quantile === undefined ? '[] AS buckets, [] AS counts' : 'durations.1 AS buckets, arrayMap(n -> toString(n), durations.2) AS counts'}
  FROM (
    SELECT service, ${byOperation ? 'operation' : "'' AS operation"}, minute, sum(requests) AS calls, sum(errors) AS errors
      ${quantile === undefined ? '' : ', sumMap(buckets, arrayMap(n -> toUInt64(n), counts)) AS durations'}
    FROM (${source}) WHERE service IN {services:Array(String)} AND kind IN {kinds:Array(UInt8)}
    GROUP BY service, operation, minute LIMIT ${maxRows + 1}
  )`;

/** Reads the series that have any span in the window, by service, then operation. */
export async function readOperationStats(
  client: StoreClient,
  options: OperationStatsOptions,
): Promise<readonly OperationSeries[]> {
  const { services, kinds, signal, timeoutMs } = options;
  const endMs = Math.min(options.endMs, lastMs);
  const range = {
    from: Math.floor(Math.max(0, options.startMs - Math.max(options.ratePerMs, 60_000)) / 60_000) * 60,
    to: Math.ceil(endMs / 60_000) * 60,
  };
  if (range.from >= range.to || services.length === 0) return [];
  const plan = await planWindow(client, { range, signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  const numbers = kinds.map((kind) => (kind === undefined ? 0 : spanKinds.indexOf(kind) + 1));
  const ask = (source: string, parameters: Readonly<Record<string, string | number>>) =>
    client.rows<Row>({
      ...plan.query,
      sql: rowsSql(source, options),
      parameters: { ...parameters, services, kinds: numbers },
    });
  const rows = [...(await ask(rolledUp('rollup_operations', plan), { ...plan.range, upTo: plan.upTo }))];
  for (const { from, to } of plan.live) {
    const part = { from, to: Math.min(to, plan.range.to) };
    if (part.from < part.to) rows.push(...(await ask(operationSql, part)));
  }
  if (rows.length > maxRows) {
    throw new ResultLimitError(
      'rows',
      `the window has more than ${maxRows} minutes of operations; choose a shorter one`,
    );
  }
  return [...bySeries(rows).values()]
    .map((minutes) => seriesOf(minutes, { ...options, endMs }))
    .sort((a, b) => byText(a.service, b.service) || byText(a.operation ?? '', b.operation ?? ''));
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function bySeries(rows: readonly Row[]): Map<string, Row[]> {
  const series = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.service, row.operation]);
    const known = series.get(key);
    if (known === undefined) series.set(key, [row]);
    else known.push(row);
  }
  for (const minutes of series.values()) minutes.sort((a, b) => a.minute - b.minute);
  return series;
}

/** A point counts the minutes that begin within the time before it, the one that it stands in included. */
function seriesOf(rows: readonly Row[], options: OperationStatsOptions): OperationSeries {
  const { startMs, endMs, stepMs, nowMs, quantile, byOperation } = options;
  const lengthMs = Math.max(1, Math.round(options.ratePerMs / 60_000)) * 60_000;
  const firstMs = (rows[0]?.minute ?? 0) * 1000;
  const points: OperationPoint[] = [];
  let next = 0;
  let oldest = 0;
  for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) {
    const untilMs = Math.ceil(timeMs / 60_000) * 60_000;
    while (next < rows.length && (rows[next]?.minute ?? 0) * 1000 < untilMs) next++;
    while (oldest < next && (rows[oldest]?.minute ?? 0) * 1000 < untilMs - lengthMs) oldest++;
    if (untilMs <= firstMs) continue;
    const counted = rows.slice(oldest, next);
    // The minute that is not over yet is counted as far as it is.
    const coveredMs = Math.max(1, Math.min(untilMs, Math.max(nowMs, timeMs)) - (untilMs - lengthMs));
    points.push({
      timeMs,
      calls: counted.reduce((sum, { calls }) => sum + Number(calls), 0),
      errors: counted.reduce((sum, { errors }) => sum + Number(errors), 0),
      coveredMs,
      quantileUs: quantile === undefined ? undefined : quantileOf(counted, quantile),
    });
  }
  return { service: rows[0]?.service ?? '', operation: byOperation ? (rows[0]?.operation ?? '') : undefined, points };
}

function quantileOf(rows: readonly Row[], quantile: number): number | undefined {
  const durations = new Map<number, number>();
  for (const { buckets, counts } of rows) addBuckets(durations, buckets, counts);
  return quantileUs(durations, quantile);
}
