/**
 * Turns of the event loop for computations that would hold it: one slice of one of them a turn, so that what comes from sockets meanwhile has
 * to wait for a slice and not for all that is computed at the moment. The process has one loop, so that it has one order of turns.
 */

/** A computation gives its turn up after so long. */
export const sliceMs = 1.5;

/** What has computed less than this is let go before what has computed for longer: most of it is done in one more slice. */
const freshMs = 20;
/** Every so many turns are nevertheless of those that have computed for long. */
const wornEvery = 4;

const fresh = new Set<() => void>();
const worn = new Set<() => void>();
let turns = 0;
let isScheduled = false;

function runNext(): void {
  turns++;
  const order = turns % wornEvery === 0 ? [worn, fresh] : [fresh, worn];
  for (const queue of order) {
    const [go] = queue;
    if (go === undefined) continue;
    queue.delete(go);
    go();
    break;
  }
  isScheduled = fresh.size + worn.size > 0;
  if (isScheduled) setImmediate(runNext);
}

/** Resolves when it is this computation's turn, which has taken `usedMs` so far; rejects with the signal's reason when that aborts. */
export function nextTurn(signal: AbortSignal, usedMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const queue = usedMs < freshMs ? fresh : worn;
    const go = () => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      queue.delete(go);
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    queue.add(go);
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(runNext);
  });
}

/** One computation's slices. */
export interface Slices {
  /** Whether the slice has taken its time. */
  isOver(): boolean;
  /** Waits for the next. */
  next(): Promise<void>;
  /** How long all slices took so far. */
  usedMs(): number;
}

/** Does all steps of a computation, a slice of them a turn. */
export async function inSlices<T>(steps: Iterator<undefined, T, undefined>, signal: AbortSignal): Promise<T> {
  const slices = startSlices(signal);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (slices.isOver()) await slices.next();
  }
}

/** Begins the first slice. */
export function startSlices(signal: AbortSignal): Slices {
  let startedMs = performance.now();
  let beforeMs = 0;
  const sliceSoFarMs = () => performance.now() - startedMs;
  return {
    isOver: () => sliceSoFarMs() >= sliceMs,
    async next() {
      beforeMs += sliceSoFarMs();
      await nextTurn(signal, beforeMs);
      startedMs = performance.now();
    },
    usedMs: () => beforeMs + sliceSoFarMs(),
  };
}
