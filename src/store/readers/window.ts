/** A window of time as a condition on the column `ts`. */
import type { Condition } from './label-matcher.ts';

export interface TimeWindow {
  /** The column's precision, which is also the unit of the bounds. */
  readonly unit: 'Milli' | 'Nano';
  /** Exclusive. */
  readonly after: bigint;
  /** Inclusive. */
  readonly until: bigint;
}

const perSecond = { Milli: 1000n, Nano: 1_000_000_000n } as const;

/** What DateTime64 holds, in seconds: from 1900 on, and in nanoseconds until 2262. */
const firstS = -2_208_988_800n;
const lastS = 9_223_372_036n;
/** Where a DateTime, which is what `toStartOfHour(ts)` in the tables' keys is, wraps to 1970. */
const wrapS = 4_294_967_295n;

const clamp = (value: bigint, least: bigint, most: bigint): bigint =>
  value < least ? least : value > most ? most : value;

/**
 * The key's hour wraps before 1970 and after 2106, and the engine would then skip rows that the window holds. A window that touches those
 * times therefore asks in a way that the key cannot answer, and reads more.
 */
export function windowCondition(window: TimeWindow): Condition {
  const scale = perSecond[window.unit];
  const after = clamp(window.after, firstS * scale, lastS * scale);
  const until = clamp(window.until, firstS * scale, lastS * scale);
  const isIndexed = after >= 0n && until < wrapS * scale;
  const { unit } = window;
  return {
    sql: isIndexed
      ? `ts > fromUnixTimestamp64${unit}({after:Int64}, 'UTC') AND ts <= fromUnixTimestamp64${unit}({until:Int64}, 'UTC')`
      : `toUnixTimestamp64${unit}(ts) > {after:Int64} AND toUnixTimestamp64${unit}(ts) <= {until:Int64}`,
    parameters: { after, until },
  };
}
