/** So many places, and a queue for them that is bounded in length and in time. */
import { TurnRefused } from './turn-refused.ts';

export interface Places {
  /** Resolves when a place is free. Rejects with a TurnRefused where too many wait already, or the wait is over. */
  acquire(signal: AbortSignal): Promise<void>;
  /** Takes a place if one is free. */
  tryAcquire(): boolean;
  release(): void;
}

export interface PlaceLimits {
  readonly atOnce: number;
  readonly waiting: number;
  readonly waitMs: number;
}

function leftWith({ reason }: AbortSignal): TurnRefused {
  const isTimeout = reason instanceof Error && reason.name === 'TimeoutError';
  const message = reason instanceof Error ? reason.message : String(reason);
  return new TurnRefused(isTimeout ? 'waited too long' : 'left', message, reason);
}

/** All places are free. */
export function createPlaces({ atOnce, waiting: maxWaiting, waitMs }: PlaceLimits): Places {
  let taken = 0;
  const waiting = new Set<() => void>();

  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        waiting.delete(go);
        signal.removeEventListener('abort', leave);
      };
      const go = () => {
        settle();
        resolve();
      };
      const leave = () => {
        settle();
        reject(leftWith(signal));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new TurnRefused('waited too long', `${taken} searches are at work, and none ended within ${waitMs} ms`));
      }, waitMs);
      signal.addEventListener('abort', leave, { once: true });
      waiting.add(go);
    });

  return {
    async acquire(signal) {
      if (signal.aborted) throw leftWith(signal);
      if (taken < atOnce) {
        taken++;
        return;
      }
      if (waiting.size >= maxWaiting) {
        const message = `${taken} searches are at work and ${waiting.size} wait already`;
        throw new TurnRefused('too many wait', message);
      }
      await turn(signal);
    },
    tryAcquire() {
      const isFree = taken < atOnce;
      if (isFree) taken++;
      return isFree;
    },
    release() {
      const [next] = waiting;
      // The one that waited longest has the place of the one that ended.
      if (next === undefined) taken--;
      else next();
    },
  };
}
