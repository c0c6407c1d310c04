/** When a query's turn is, and when its time is over, in the words of Prometheus (promql/engine.go). */
import { startDeadline } from '../../model/deadline.ts';
import type { SearchGate } from '../search-gate.ts';
import { type Answer, answerError } from './answer.ts';

const isTimeout = ({ reason }: AbortSignal): boolean => reason instanceof Error && reason.name === 'TimeoutError';

/** What became of a query that never had its turn. */
function notBegun(signal: AbortSignal): Answer {
  if (!signal.aborted) {
    const message =
      'too many queries are at work and wait their turn already; ask again later, or raise [query] max_waiting';
    return answerError(503, 'unavailable', message);
  }
  return isTimeout(signal)
    ? answerError(503, 'timeout', 'query timed out in query queue')
    : answerError(499, 'canceled', 'query was canceled in query queue');
}

/** An answer, and when what it holds in memory is let go: once it is sent, or nobody waits for it any more. */
function untilSent(answer: Answer, signal: AbortSignal): { readonly answer: Answer; readonly sent: Promise<void> } {
  const { body } = answer;
  if (typeof body === 'string' || Buffer.isBuffer(body)) return { answer, sent: Promise.resolve() };
  let end = (): void => {};
  const sent = new Promise<void>((resolve) => {
    end = resolve;
  });
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  async function* followed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* chunks;
    } finally {
      end();
    }
  }
  return { answer: { ...answer, body: followed(body) }, sent };
}

export interface TurnOptions {
  readonly gate: SearchGate;
  readonly timeoutMs: number;
  /** Of the request. */
  readonly signal: AbortSignal;
}

/**
 * Answers a query when it is its turn. Its place is kept while a large answer is sent, which is in memory until then, but no longer than until
 * its deadline: slow readers do not keep others out.
 */
export function inTurn(options: TurnOptions, answer: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
  if (options.timeoutMs <= 0) {
    return Promise.resolve(answerError(503, 'timeout', 'query timed out in query execution'));
  }
  const deadline = startDeadline(options.signal, options.timeoutMs);
  return new Promise((resolve, reject) => {
    let hasBegun = false;
    options.gate
      .pass(deadline.signal, async () => {
        hasBegun = true;
        const made = untilSent(await answer(deadline.signal), deadline.signal);
        resolve(made.answer);
        await made.sent;
      })
      .catch((error: unknown) => (hasBegun ? reject(error) : resolve(notBegun(deadline.signal))))
      .finally(deadline.clear);
  });
}
