/** How long to wait before the next attempt: never in step with other agents, never faster than the server can bear. */
import type { ApiFailure } from './failure.ts';

export interface Pace {
  /** A watch has ended properly, or one that was well has broken: what failed before does not count any more. */
  succeeded(): void;
  /** A list has held for long enough that the next one is not a storm. */
  settled(): void;
  /** Milliseconds until the next attempt. */
  afterFailure(failure: ApiFailure): number;
}

export const paceLimits = {
  firstMs: 500,
  longestMs: 30_000,
  /** All agents of a cluster are told at the same moment that their versions are too old. */
  firstListMs: 2_000,
  refusedFromMs: 30_000,
  refusedToMs: 60_000,
} as const;

/** Makes a pace; `random` gives numbers in [0, 1). */
export function createPace(random: () => number): Pace {
  let failures = 0;
  let lists = 0;
  const fullJitter = (firstMs: number, before: number): number =>
    random() * Math.min(paceLimits.longestMs, firstMs * 2 ** Math.min(before, 16));
  return {
    succeeded() {
      failures = 0;
    },
    settled() {
      lists = 0;
    },
    afterFailure(failure) {
      if (failure.kind === 'forbidden' || failure.kind === 'not_found') {
        const { refusedFromMs, refusedToMs } = paceLimits;
        return refusedFromMs + random() * (refusedToMs - refusedFromMs);
      }
      const delayMs =
        failure.kind === 'expired'
          ? fullJitter(paceLimits.firstListMs, lists++)
          : fullJitter(paceLimits.firstMs, failures++);
      // On top of what the server asked for, so that not all come back at the same moment.
      return failure.retryAfterMs > 0 ? failure.retryAfterMs + delayMs : delayMs;
    },
  };
}
