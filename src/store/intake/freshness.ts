/** Reading what one has just written: everything that was acknowledged before a call can be queried after it. */
import type { Clock } from '../../pipeline/component.ts';
import type { Spool } from '../../pipeline/spool/spool.ts';

export interface Freshness {
  /** Resolves once everything that was kept before the call is in the store. */
  flush(signal: AbortSignal): Promise<void>;
  /** The same, but all who ask within a second share one flush: for queries, which strangers send as often as they like. */
  freshen(signal: AbortSignal): Promise<void>;
  /** Whether everything that was kept is in the store, so that a query that begins now misses none of it. */
  isCurrent(): boolean;
}

const intervalMs = 1000;

/** Waits for a promise, or rejects with the signal's reason. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** `flushDeadlineMs` bounds a shared flush, since no single one of those who wait may end it. */
export function createFreshness(spool: Spool, clock: Clock, flushDeadlineMs: number = 5000): Freshness {
  let lastStartMs = Number.NEGATIVE_INFINITY;
  let next: Promise<void> | undefined;

  const flush = async (signal: AbortSignal): Promise<void> => {
    await spool.released(await spool.rotate(), signal);
  };

  const flushForAll = async (): Promise<void> => {
    const signal = AbortSignal.timeout(flushDeadlineMs);
    try {
      await clock.sleep(Math.max(0, lastStartMs + intervalMs - clock.monotonicMs()), signal);
    } finally {
      next = undefined;
    }
    // From here on a newcomer's data may not be covered: it has to wait for the flush after this one.
    lastStartMs = clock.monotonicMs();
    await flush(signal);
  };

  const isCurrent = () => {
    const { bytes, pendingBytes } = spool.stats();
    return bytes === 0 && pendingBytes === 0;
  };

  return {
    flush,
    isCurrent,
    freshen(signal) {
      if (isCurrent()) return Promise.resolve();
      if (next === undefined) {
        next = flushForAll();
        // All who wait may have left; whoever waits is told.
        next.catch(() => undefined);
      }
      return abortable(next, signal);
    },
  };
}
