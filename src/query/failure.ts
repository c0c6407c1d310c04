/** Why the store could not answer a query, in the terms that every dialect has a status for. */
import { StoreError } from '../store/client.ts';
import { ResultLimitError } from '../store/readers/limits.ts';
import type { QueryResponse } from './query-route.ts';
import { TurnRefused } from './turn-refused.ts';

export interface QueryFailure {
  readonly kind: 'canceled' | 'timeout' | 'limit' | 'bad_regex' | 'unavailable' | 'internal';
  readonly status: number;
  readonly message: string;
}

/** ClickHouse's error numbers (`src/Common/ErrorCodes.cpp`). */
const code = {
  tooManyRows: 158,
  timeoutExceeded: 159,
  tooSlow: 160,
  memoryLimitExceeded: 241,
  setSizeLimitExceeded: 191,
  tooManyRowsOrBytes: 396,
  queryIsTooLarge: 229,
  queryWasCancelled: 394,
  cannotCompileRegexp: 427,
} as const;

const ofCode = new Map<number, Pick<QueryFailure, 'kind' | 'status'>>([
  [code.timeoutExceeded, { kind: 'timeout', status: 503 }],
  [code.tooSlow, { kind: 'timeout', status: 503 }],
  [code.tooManyRows, { kind: 'limit', status: 422 }],
  [code.tooManyRowsOrBytes, { kind: 'limit', status: 422 }],
  [code.queryIsTooLarge, { kind: 'limit', status: 422 }],
  [code.setSizeLimitExceeded, { kind: 'limit', status: 422 }],
  [code.memoryLimitExceeded, { kind: 'limit', status: 422 }],
  [code.queryWasCancelled, { kind: 'canceled', status: 499 }],
  [code.cannotCompileRegexp, { kind: 'bad_regex', status: 400 }],
]);

/** A query was ended by its own signal. */
export class QueryEnded extends Error {
  override readonly name = 'QueryEnded';
  readonly kind: 'canceled' | 'timeout';

  constructor(kind: 'canceled' | 'timeout', cause: unknown) {
    super(kind === 'timeout' ? 'the query did not end within its deadline' : 'the query was canceled', { cause });
    this.kind = kind;
  }
}

/** Awaits a read; one that failed because its signal ended it throws QueryEnded, whatever the store made of that. */
export async function untilEnded<T>(signal: AbortSignal, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    // What waited for its turn says so itself.
    if (!signal.aborted || error instanceof TurnRefused) throw error;
    const { reason } = signal;
    throw new QueryEnded(reason instanceof Error && reason.name === 'TimeoutError' ? 'timeout' : 'canceled', error);
  }
}

/** Whether it was not the query's own limit of memory, but that of all queries together. */
export const isOfAll = ({ message }: StoreError): boolean => message.includes('(total) memory limit exceeded');

/** What an error of a reader means, undefined when it is none of the store's: a bug, which the caller must throw on. */
export function failureOf(error: unknown): QueryFailure | undefined {
  if (error instanceof ResultLimitError) return { kind: 'limit', status: 422, message: error.message };
  if (error instanceof QueryEnded) {
    return { kind: error.kind, status: error.kind === 'timeout' ? 503 : 499, message: error.message };
  }
  if (error instanceof TurnRefused && error.why !== 'too many wait') {
    const isTimeout = error.why === 'waited too long';
    return { kind: isTimeout ? 'timeout' : 'canceled', status: isTimeout ? 503 : 499, message: error.message };
  }
  if (!(error instanceof StoreError)) return undefined;
  const known = error.code === undefined ? undefined : ofCode.get(error.code);
  if (known?.kind === 'bad_regex') {
    // What our own check lets pass and the engine does not, e.g. a range of characters the wrong way round.
    const reason = /, error: ([^.]+)/.exec(error.message)?.[1] ?? error.message;
    return { ...known, message: `error parsing regexp: ${reason}` };
  }
  if (error.code === code.memoryLimitExceeded && isOfAll(error)) {
    const message =
      'the queries at work take all the memory of the store; ask again later, or raise [store] memory_limit';
    return { kind: 'unavailable', status: 503, message };
  }
  if (known !== undefined) return { ...known, message: error.message };
  if (error.isRetryable)
    return { kind: 'unavailable', status: 503, message: `the store cannot answer now: ${error.message}` };
  return { kind: 'internal', status: 500, message: `the store refused the query: ${error.message}` };
}

/** Answers a failure of the store in the dialect's shape, and throws on everything else. */
export function answerFailure(error: unknown, answer: (failure: QueryFailure) => QueryResponse): QueryResponse {
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return answer(failure);
}

/** A line of text, as Zipkin and Loki answer what they refuse. */
export const textAnswer = (status: number, body: string): QueryResponse => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body,
});
