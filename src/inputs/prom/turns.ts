/** Lets long pieces of work have the event loop one after the other, with room for everything else in between. */
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface Turns {
  /** Resolves when it is this caller's turn; the function that comes back ends it. */
  take(): Promise<() => void>;
}

/** Makes a queue; it holds one waiter a scrape under way at most. */
export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve();
  return {
    async take() {
      const before = last;
      let end: () => void = () => undefined;
      last = new Promise<void>((resolve) => {
        end = resolve;
      });
      await before;
      await nextTurn();
      return end;
    },
  };
}
