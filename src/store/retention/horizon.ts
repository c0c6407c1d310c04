/** How far back the store keeps each signal: told to all who write to it, since older rows would be dropped after their sender was told that they are kept. */
import type { Signal } from '../../model/batch.ts';

export interface Horizon {
  readonly ageMs: number | 'forever';
  /** Up to here the byte cap has taken whole days; 0 for none. */
  readonly cutMs: number;
}

export type Horizons = Readonly<Record<Signal, Horizon>>;

/** Rows older than this must not be taken; undefined for any age. */
export function oldestOf({ ageMs, cutMs }: Horizon, nowMs: number): number | undefined {
  if (ageMs === 'forever') return cutMs === 0 ? undefined : cutMs;
  return Math.max(nowMs - ageMs, cutMs);
}

/** The one that keeps less of the two; the one that keeps more. */
export const stricterOf = (a: Horizon, b: Horizon): Horizon => between(a, b, Math.min, Math.max);
export const looserOf = (a: Horizon, b: Horizon): Horizon => between(a, b, Math.max, Math.min);

type Pick = (a: number, b: number) => number;

function between(a: Horizon, b: Horizon, ofAges: Pick, ofCuts: Pick): Horizon {
  const [ageOfA, ageOfB] = [a, b].map(({ ageMs }) => (ageMs === 'forever' ? Number.POSITIVE_INFINITY : ageMs));
  const ageMs = ofAges(ageOfA ?? 0, ageOfB ?? 0);
  return { ageMs: Number.isFinite(ageMs) ? ageMs : 'forever', cutMs: ofCuts(a.cutMs, b.cutMs) };
}

export const horizonsOf = (horizonOf: (signal: Signal) => Horizon): Horizons => ({
  spans: horizonOf('spans'),
  samples: horizonOf('samples'),
  logs: horizonOf('logs'),
});

/** Reads what another process wrote with `JSON.stringify`; undefined where a later version wrote something else. */
export function parseHorizons(text: string): Horizons | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return horizonsOf((signal) => checked(fieldOf(parsed, signal)));
  } catch {
    // Not to be read: whoever asks goes by its own configuration then.
    return undefined;
  }
}

function checked(horizon: unknown): Horizon {
  const [ageMs, cutMs] = [fieldOf(horizon, 'ageMs'), fieldOf(horizon, 'cutMs')];
  if ((ageMs !== 'forever' && typeof ageMs !== 'number') || typeof cutMs !== 'number')
    throw new TypeError('no horizon');
  return { ageMs, cutMs };
}

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
