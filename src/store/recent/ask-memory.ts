/** Which selections are asked for again and again, and which were found not to fit into memory. */

export interface AskMemory {
  /** Notes that a selection was asked for that reaches so far back; whether it is worth bringing into memory. */
  isWanted(key: string, spanMs: number): boolean;
  /** Notes that it could not be brought: for a while nothing that reaches as far back is wanted. */
  refuse(key: string, refusal: Refusal): void;
}

export interface Refusal {
  readonly spanMs: number;
  /** Ten minutes rather than half of one. */
  readonly isForLong: boolean;
}

interface Asked {
  count: number;
  lastMs: number;
  refusedSpanMs: number;
  refusedUntilMs: number;
}

/** The first may never come again, as most that people type; a dashboard asks every few seconds or minutes. */
const wantedFrom = 2;
const forgottenAfterMs = 15 * 60_000;
const maxKeys = 2000;
const longMs = 10 * 60_000;
const shortMs = 30_000;

/** `monotonicMs` never goes back. */
export function createAskMemory(monotonicMs: () => number): AskMemory {
  const asked = new Map<string, Asked>();
  const remember = (key: string): Asked => {
    const nowMs = monotonicMs();
    const before = asked.get(key);
    const isKnown = before !== undefined && nowMs - before.lastMs < forgottenAfterMs;
    const one = isKnown
      ? before
      : { count: 0, lastMs: nowMs, refusedSpanMs: Number.POSITIVE_INFINITY, refusedUntilMs: 0 };
    // A Map keeps the order in which its keys came: the one that was asked for longest ago goes first.
    asked.delete(key);
    asked.set(key, one);
    const oldest = asked.keys().next().value;
    if (asked.size > maxKeys && oldest !== undefined) asked.delete(oldest);
    one.lastMs = nowMs;
    return one;
  };
  return {
    isWanted(key, spanMs) {
      const one = remember(key);
      one.count++;
      const isRefused = monotonicMs() < one.refusedUntilMs && spanMs >= one.refusedSpanMs;
      return one.count >= wantedFrom && !isRefused;
    },
    refuse(key, { spanMs, isForLong }) {
      const one = remember(key);
      // Time goes on while a query waits, and its window with it.
      one.refusedSpanMs = spanMs * 0.9;
      one.refusedUntilMs = monotonicMs() + (isForLong ? longMs : shortMs);
    },
  };
}
