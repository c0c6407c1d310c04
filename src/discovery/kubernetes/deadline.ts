/** A deadline on the Host's clock that can be put off, for requests and for connections that have gone silent. */
import type { Clock } from '../../pipeline/component.ts';

export interface Deadline {
  /** Aborts when time is up, and when the parent does. */
  readonly signal: AbortSignal;
  readonly hasPassed: () => boolean;
  /** From now on there are `delayMs` again. */
  putOff(delayMs: number): void;
  /** To be called when what it guards has ended. */
  clear(): void;
}

/** Starts a deadline of `delayMs`. */
export function startDeadline(clock: Clock, delayMs: number, parent: AbortSignal): Deadline {
  const controller = new AbortController();
  const cleared = new AbortController();
  let dueMs = clock.monotonicMs() + delayMs;
  let hasPassed = false;
  const clear = (): void => {
    parent.removeEventListener('abort', leave);
    cleared.abort();
  };
  const leave = (): void => {
    clear();
    controller.abort(parent.reason);
  };
  parent.addEventListener('abort', leave, { once: true });
  // A chunk that puts it off moves a number alone; the sleeper looks again when it wakes.
  const wait = async (): Promise<void> => {
    for (let leftMs = delayMs; leftMs > 0; leftMs = dueMs - clock.monotonicMs()) {
      await clock.sleep(leftMs, cleared.signal);
    }
    hasPassed = true;
    clear();
    controller.abort(new Error('the deadline has passed'));
  };
  wait().catch((error: unknown) => {
    if (!cleared.signal.aborted) controller.abort(error);
  });
  if (parent.aborted) leave();
  return {
    signal: controller.signal,
    hasPassed: () => hasPassed,
    putOff(nextMs) {
      dueMs = clock.monotonicMs() + nextMs;
    },
    clear,
  };
}
