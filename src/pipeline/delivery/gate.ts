/** Lets an output's attempts through: all while the backend answers, one at a time with growing waits while it does not. */
import type { Clock } from '../component.ts';
import { createAnnouncement } from '../spool/mutex.ts';
import { backoffMs } from './retry-policy.ts';

/** Permission for one attempt; what came of it is told to the gate. */
export interface Pass {
  readonly epoch: number;
}

export interface Failure {
  readonly cause: Error;
  readonly sinceMs: number;
  readonly nextAttemptMs: number;
}

export interface Gate {
  /** Resolves when an attempt may be made; rejects with the signal's reason. */
  enter(signal: AbortSignal): Promise<Pass>;
  succeeded(): void;
  /** The attempt failed in a way that all others would. */
  failed(pass: Pass, failure: { cause: Error; afterMs: number | undefined }): void;
  /** The attempt was broken off. */
  left(): void;
  /** While the backend does not take anything. */
  failure(): Failure | undefined;
  /** Resolves at the next failure. */
  nextFailure(signal: AbortSignal): Promise<void>;
}

/** Makes an open gate. */
export function createGate(clock: Clock, random: () => number): Gate {
  const changed = createAnnouncement();
  const failures = createAnnouncement();
  let epoch = 0;
  let count = 0;
  let isTrying = false;
  let failure: Failure | undefined;
  let notBeforeMs = 0;

  const settle = () => {
    isTrying = false;
    changed.announce();
  };
  return {
    async enter(signal) {
      for (;;) {
        signal.throwIfAborted();
        if (failure === undefined) return { epoch };
        const waitMs = notBeforeMs - clock.monotonicMs();
        if (isTrying) await changed.next(signal);
        else if (waitMs > 0) await clock.sleep(waitMs, signal);
        else {
          isTrying = true;
          return { epoch };
        }
      }
    },
    succeeded() {
      failure = undefined;
      count = 0;
      settle();
    },
    failed(pass, { cause, afterMs }) {
      // Attempts that were under way together fail together; that is one failure, not many.
      if (pass.epoch === epoch) {
        epoch += 1;
        count += 1;
      }
      const delayMs = Math.max(backoffMs(count, random()), afterMs ?? 0);
      notBeforeMs = Math.max(notBeforeMs, clock.monotonicMs() + delayMs);
      const nextAttemptMs = clock.nowMs() + Math.max(0, notBeforeMs - clock.monotonicMs());
      failure = { cause, sinceMs: failure?.sinceMs ?? clock.nowMs(), nextAttemptMs };
      settle();
      failures.announce();
    },
    left: settle,
    failure: () => failure,
    nextFailure: (signal) => failures.next(signal),
  };
}
