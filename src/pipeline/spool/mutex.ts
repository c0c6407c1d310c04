/** Runs tasks one after another in the order they came. */
export type Mutex = <T>(task: () => Promise<T>) => Promise<T>;

/** Makes a mutex of its own; a task that fails does not hold up the next. */
export function createMutex(): Mutex {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task, task);
    // Its failure is the caller's, who holds `run`; the chain only waits for its end.
    last = run.then(
      () => undefined,
      () => undefined,
    );
    return run;
  };
}

export interface Announcement {
  /** Resolves at the next `announce`, or rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<void>;
  announce(): void;
}

/** Something that several may wait for, any number of times. */
export function createAnnouncement(): Announcement {
  const waiting = new Set<() => void>();
  return {
    next(signal) {
      return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const done = () => {
          waiting.delete(done);
          signal.removeEventListener('abort', aborted);
          resolve();
        };
        const aborted = () => {
          waiting.delete(done);
          reject(signal.reason);
        };
        waiting.add(done);
        signal.addEventListener('abort', aborted, { once: true });
      });
    },
    announce() {
      for (const done of [...waiting]) done();
    },
  };
}
