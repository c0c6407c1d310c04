/** Which minutes have spans that no roll-up has seen. A minute's roll-up stands while the fingerprint that its pass knew is still the minute's. */
import type { StoreClient } from '../client.ts';

/** Whole minutes, seconds since 1970: from is in it, to is not. */
export interface MinuteRange {
  readonly from: number;
  readonly to: number;
}

/** A minute whose roll-up is missing or old. */
export interface StaleMinute {
  /** Seconds since 1970. */
  readonly minute: number;
  readonly spans: number;
  /** Of the minute and those before it in which its traces have spans. */
  readonly fingerprint: string;
  /** When it was last rolled up, in seconds; 0 for never. */
  readonly madeAt: number;
}

/** How many minutes before its own a minute's spans find the rest of their traces in. */
export const contextMinutes = 3;

/** How far before its own minute a minute's spans find the rest of their traces. */
export const contextS = contextMinutes * 60;

/** The condition that a minute lies in the query's range, which begins `beforeS` seconds earlier. */
export const inRange = (minute: string, beforeS = 0) =>
  `${minute} >= toDateTime({from:UInt32} - ${beforeS}, 'UTC') AND ${minute} < toDateTime({to:UInt32}, 'UTC')`;

/** The condition that a minute lies before the query's range, but within the context of its first minute. */
export const inContext = (minute: string) =>
  `${minute} >= toDateTime({from:UInt32} - ${contextS}, 'UTC') AND ${minute} < toDateTime({from:UInt32}, 'UTC')`;

/**
 * The projection `arrivals` answers the innermost query, a row a part and minute, so that this costs what the minutes are and not the spans.
 * Rows are only ever added, or removed by whole segments or parts, so that count and sum over segments tell. A minute that has a roll-up and
 * no spans any more, because the byte cap took them, has the fingerprint 0.
 */
const staleSql = `
  SELECT if(f.at = 0, p.at, f.at) AS minute, toString(f.n) AS spans, toString(f.fingerprint) AS fingerprint, toUnixTimestamp(p.madeAt) AS madeAt
  FROM (
    SELECT at, n, cityHash64(arraySort(groupArray((at, n, h)) OVER (ORDER BY at RANGE BETWEEN ${contextS} PRECEDING AND CURRENT ROW))) AS fingerprint
    FROM (
      SELECT toUnixTimestamp(toStartOfMinute(ts)) AS at, count() AS n, sum(cityHash64(seg)) AS h
      FROM spans WHERE ${inRange('toStartOfMinute(ts)', contextS)} GROUP BY toStartOfMinute(ts)
    )
  ) AS f
  FULL JOIN (
    SELECT toUnixTimestamp(minute) AS at, argMax(fingerprint, pass) AS seen, argMax(made_at, pass) AS madeAt
    FROM rollup_minutes WHERE ${inRange('minute')} AND pass <= {upTo:UInt64} GROUP BY minute
  ) AS p ON p.at = f.at
  WHERE minute >= {from:UInt32} AND minute < {to:UInt32} AND p.seen != f.fingerprint
  ORDER BY minute`;

/** The number of the newest pass that was committed; '0' before the first. */
export async function newestPass(client: StoreClient, signal: AbortSignal): Promise<string> {
  const [row] = await client.rows<{ pass: string }>({
    sql: 'SELECT toString(max(pass)) AS pass FROM rollup_minutes',
    signal,
  });
  return row?.pass ?? '0';
}

/** The minutes of `range` whose spans are not those that the newest roll-up among the passes up to `upTo` has seen, or that have none; in order. */
export async function readStaleMinutes(
  client: StoreClient,
  options: { range: MinuteRange; upTo: string; signal: AbortSignal },
): Promise<readonly StaleMinute[]> {
  const rows = await client.rows<{ minute: number; spans: string; fingerprint: string; madeAt: number }>({
    sql: staleSql,
    parameters: { ...options.range, upTo: options.upTo },
    signal: options.signal,
  });
  return rows.map((row) => ({ ...row, spans: Number(row.spans) }));
}

/** Joins minutes (in order) to ranges of at most `maxMinutes`, which may hold minutes without spans but none that is not listed otherwise. */
export function toRanges(
  minutes: readonly StaleMinute[],
  limits: { maxMinutes: number; maxSpans: number },
): MinuteRange[] {
  const ranges: { from: number; to: number }[] = [];
  let spans = 0;
  for (const { minute, spans: count } of minutes) {
    const last = ranges.at(-1);
    spans += count;
    const fits = last !== undefined && minute + 60 - last.from <= limits.maxMinutes * 60 && spans <= limits.maxSpans;
    if (fits && last.to === minute) {
      last.to = minute + 60;
    } else {
      ranges.push({ from: minute, to: minute + 60 });
      spans = count;
    }
  }
  return ranges;
}
