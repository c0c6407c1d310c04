/** How many searches hold traces in this process's memory at once: the store bounds what it does itself, not what its answers take here. */
import { StoreError } from '../store/client.ts';

export interface SearchGate {
  /** Runs a search when it is its turn. Rejects at once, as a busy store does, where too many wait already. */
  pass<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T>;
}

/** Makes a gate for all searches of an agent, whatever their dialect. */
export function createSearchGate(limits: { readonly atOnce: number; readonly waiting: number }): SearchGate {
  let running = 0;
  const waiting = new Set<() => void>();

  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        waiting.delete(go);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.add(go);
    });

  return {
    async pass(signal, run) {
      signal.throwIfAborted();
      if (running < limits.atOnce) running++;
      else if (waiting.size < limits.waiting) await turn(signal);
      else {
        const message = `${running} searches are at work and ${waiting.size} wait already`;
        throw new StoreError(message, { isRetryable: true });
      }
      try {
        return await run();
      } finally {
        const [next] = waiting;
        // The one that waited longest has the place of the one that ended.
        if (next === undefined) running--;
        else {
          waiting.delete(next);
          next();
        }
      }
    },
  };
}
