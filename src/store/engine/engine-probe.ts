/** Whether the engine answers, for as many askers as like: one question at a time, and one answer for all who ask within a second. */

const reuseMs = 1_000;

/** Makes a probe of `check`. A stranger may ask, so that what it costs must not grow with how often that happens. */
export function createEngineProbe(
  check: () => Promise<void>,
  monotonicMs = () => performance.now(),
): () => Promise<void> {
  let latest: { readonly answer: Promise<void>; readonly untilMs: number } | undefined;
  return () => {
    if (latest !== undefined && monotonicMs() < latest.untilMs) return latest.answer;
    const answer = check();
    // While it is under way everybody waits for it; once it is over it holds for a while.
    const asked = { answer, untilMs: Number.POSITIVE_INFINITY };
    const over = () => {
      if (latest === asked) latest = { answer, untilMs: monotonicMs() + reuseMs };
    };
    latest = asked;
    answer.then(over, over);
    return answer;
  };
}
