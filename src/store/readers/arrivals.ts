/** How many spans each minute has, so that a search need not guess how far back to look. The projection `arrivals` of `spans` answers it. */
import type { StoreClient } from '../client.ts';
import { defaultReadLimits, limitSettings } from './limits.ts';
import { readRowBinary } from './row-binary.ts';
import type { ReadOptions } from './spans.ts';

export interface Arrivals {
  /** Nothing is known of what lies before. */
  readonly sinceUs: number;
  /** The minutes that have spans, the newest first. */
  readonly minutes: readonly { readonly startUs: number; readonly spans: number }[];
}

const dayUs = 86_400_000_000;
const minuteUs = 60_000_000;

interface CountOptions extends ReadOptions {
  readonly nowUs: number;
}

async function readArrivals(
  client: StoreClient,
  { nowUs, signal, limits = defaultReadLimits }: CountOptions,
): Promise<Arrivals> {
  const sinceUs = Math.max(0, Math.floor((nowUs - dayUs) / minuteUs) * minuteUs);
  const bytes = await client.bytes({
    sql: "SELECT toStartOfMinute(ts) AS minute, count() FROM spans WHERE minute >= toDateTime({since:UInt32}, 'UTC') GROUP BY minute",
    parameters: { since: Math.min(sinceUs / 1e6, 0xffff_ffff) },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const row = readRowBinary(bytes);
  const minutes: { startUs: number; spans: number }[] = [];
  while (!row.isAtEnd()) minutes.push({ startUs: row.u32() * 1e6, spans: Number(row.u64()) });
  return { sinceUs, minutes: minutes.sort((a, b) => b.startUs - a.startUs) };
}

/** What was counted is good enough for so long: it decides only in which steps a search is done. */
const keptMs = 10_000;

interface Counted {
  readonly arrivals: Arrivals;
  readonly nowUs: number;
  readonly atMs: number;
}

/** One for all who search the same store, whatever their dialect. */
const lastCounted = new WeakMap<StoreClient, Counted>();

/** The spans of the last day by minute, and those that lie ahead of now, as they were within the last ten seconds. */
export async function countArrivals(client: StoreClient, options: CountOptions): Promise<Arrivals> {
  const last = lastCounted.get(client);
  const isFresh = last !== undefined && performance.now() - last.atMs < keptMs;
  // A clock that was set makes another day of it.
  if (isFresh && Math.abs(options.nowUs - last.nowUs) < 2 * keptMs * 1000) return last.arrivals;
  const arrivals = await readArrivals(client, options);
  lastCounted.set(client, { arrivals, nowUs: options.nowUs, atMs: performance.now() });
  return arrivals;
}
