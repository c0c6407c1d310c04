/** When a query's turn is, and when its time is over, in the words of Prometheus (promql/engine.go). */
import { startDeadline } from '../../model/deadline.ts';
import type { KnownSize, Lane, QueryGate } from '../search-gate.ts';
import { TurnRefused } from '../turn-refused.ts';
import { type Answer, answerError, answerFor } from './answer.ts';

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
  readonly gate: QueryGate;
  readonly timeoutMs: number;
  /** Of the request. */
  readonly signal: AbortSignal;
  /** What the query was before. */
  readonly known?: KnownSize;
}

/** A query that has begun. */
export interface Turn {
  /** Ends with the request, and when the query's time is over. */
  readonly signal: AbortSignal;
  readonly lane: Lane;
}

/**
 * Answers a query: at once, and among the large ones from when it is found to be large. Its place there is kept while a large answer is sent,
 * which is in memory until then, but no longer than until its deadline: slow readers do not keep others out.
 */
export function inTurn(options: TurnOptions, answer: (turn: Turn) => Promise<Answer>): Promise<Answer> {
  if (options.timeoutMs <= 0) {
    return Promise.resolve(answerError(503, 'timeout', 'query timed out in query execution'));
  }
  const deadline = startDeadline(options.signal, options.timeoutMs);
  const { signal } = deadline;
  return new Promise((resolve, reject) => {
    options.gate
      .begin({ signal, known: options.known }, async (lane) => {
        const made = untilSent(await answer({ signal, lane }), signal);
        resolve(made.answer);
        await made.sent;
      })
      .catch((error: unknown) => (error instanceof TurnRefused ? resolve(answerFor(error)) : reject(error)))
      .finally(deadline.clear);
  });
}
