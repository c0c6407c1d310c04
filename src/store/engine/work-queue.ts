/** At most so many tasks at work, the rest in a bounded queue in the order they came, each with a deadline. */

export class QueueRefusal extends Error {
  override readonly name = 'QueueRefusal';
}

export interface WorkQueue<Seat> {
  /** A free seat, or a QueueRefusal when the queue is full or the wait is over. */
  acquire(signal: AbortSignal): Promise<Seat>;
  release(seat: Seat): void;
  /** How many seats are taken, and how many wait for one. */
  load(): { readonly busy: number; readonly waiting: number };
}

interface Waiter<Seat> {
  readonly give: (seat: Seat) => void;
}

export function createWorkQueue<Seat>(
  seats: readonly Seat[],
  limits: { readonly maxWaiting: number; readonly waitTimeoutMs: number },
): WorkQueue<Seat> {
  const free = [...seats];
  const waiting = new Set<Waiter<Seat>>();

  function wait(signal: AbortSignal): Promise<Seat> {
    return new Promise((resolve, reject) => {
      const leave = (error: Error) => {
        settle();
        reject(error);
      };
      const onAbort = () => leave(new QueueRefusal('the client left while its query was waiting'));
      const timer = setTimeout(
        () => leave(new QueueRefusal(`no query slot became free within ${limits.waitTimeoutMs} ms`)),
        limits.waitTimeoutMs,
      );
      const waiter: Waiter<Seat> = {
        give: (seat) => {
          settle();
          resolve(seat);
        },
      };
      const settle = () => {
        clearTimeout(timer);
        waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      waiting.add(waiter);
    });
  }

  return {
    async acquire(signal) {
      if (signal.aborted) throw new QueueRefusal('the client left before its query began');
      const seat = free.shift();
      if (seat !== undefined) return seat;
      if (waiting.size >= limits.maxWaiting) {
        throw new QueueRefusal(`${seats.length} queries are at work and ${waiting.size} wait already`);
      }
      return wait(signal);
    },
    release(seat) {
      const [next] = waiting;
      if (next === undefined) free.push(seat);
      else next.give(seat);
    },
    load: () => ({ busy: seats.length - free.length, waiting: waiting.size }),
  };
}
