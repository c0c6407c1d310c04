/** Runs work that comes in steps, so that a large body does not hold up everybody else. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Each step tells how many items there are so far. */
export type Steps<Result> = Generator<number, Result>;

export interface StepRunner {
  /** The result; at once when one step is all there is. `check` may throw at a step's count. */
  run<Result>(steps: Steps<Result>, options: RunOptions): Result | Promise<Result>;
}

export interface RunOptions {
  readonly check: (count: number) => void;
  /** Ends the work between two steps. */
  readonly signal: AbortSignal;
}

/**
 * Makes a runner. What takes more than one step comes one after another, so that however many large bodies arrive, a small one waits for one
 * step only.
 */
export function createStepRunner(): StepRunner {
  let last: Promise<unknown> = Promise.resolve();
  const finish = async <Result>(steps: Steps<Result>, { check, signal }: RunOptions): Promise<Result> => {
    for (;;) {
      await nextTurn();
      signal.throwIfAborted();
      const step = steps.next();
      if (step.done === true) return step.value;
      check(step.value);
    }
  };
  return {
    run(steps, options) {
      const first = steps.next();
      if (first.done === true) return first.value;
      options.check(first.value);
      const turn = last.then(() => finish(steps, options));
      // Who failed before says so to its own sender.
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}
