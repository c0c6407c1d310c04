/** Work that has a time of its own, which also ends with its caller's. */

export interface Deadline {
  readonly signal: AbortSignal;
  readonly clear: () => void;
}

/**
 * A signal that aborts with `signal`, and with a TimeoutError after `timeoutMs`. By hand: on Node 20 what AbortSignal.any gives is lost to the
 * garbage collector with the timeout that it follows, and work that takes much memory then runs on for ever.
 */
export function startDeadline(signal: AbortSignal, timeoutMs: number): Deadline {
  const ending = new AbortController();
  const leave = (): void => ending.abort(signal.reason);
  const timer = setTimeout(
    () => ending.abort(new DOMException('it took too long', 'TimeoutError')),
    Math.min(timeoutMs, 2 ** 31 - 1),
  );
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  return {
    signal: ending.signal,
    clear() {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
    },
  };
}

/** Does `work` with a signal that aborts with `signal`, and with a TimeoutError after `timeoutMs`. */
export async function within<T>(
  signal: AbortSignal,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = startDeadline(signal, timeoutMs);
  try {
    return await work(deadline.signal);
  } finally {
    deadline.clear();
  }
}
