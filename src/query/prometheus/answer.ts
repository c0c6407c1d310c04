/** Answers in the shape of Prometheus's API, and what each kind of error is in it. */
import { InvalidRegexError } from '../../store/readers/label-matcher.ts';
import { failureOf, type QueryFailure } from '../failure.ts';
import { PromqlError } from '../promql/error.ts';
import { TurnRefused } from '../turn-refused.ts';
import { BadParameter } from './parameters.ts';

export interface Answer {
  readonly status: number;
  /** Large ones are written while they are sent. */
  readonly body: string | Buffer | AsyncIterable<Buffer>;
}

export const answerError = (status: number, errorType: string, message: string): Answer => ({
  status,
  body: JSON.stringify({ status: 'error', errorType, error: message }),
});

/** What an answer says beside its data. */
export interface Notes {
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

const field = (name: string, texts: readonly string[] = []): string =>
  texts.length === 0 ? '' : `,"${name}":${JSON.stringify(texts)}`;

/** What stands around the data of an answer. */
export const envelope = ({ warnings, infos }: Notes): { readonly before: string; readonly after: string } => ({
  before: '{"status":"success","data":',
  after: `${field('warnings', warnings)}${field('infos', infos)}}`,
});

/** `data` is JSON already. */
export function answerData(data: string, notes: Notes = {}): Answer {
  const { before, after } = envelope(notes);
  return { status: 200, body: before + data + after };
}

/** What Prometheus says where a `limit` cut the answer. */
export const truncated = 'results truncated due to limit';

/** `unavailable` has a 503 here where Prometheus, whose storage is never away, would say 500. */
const errorTypes: Readonly<Record<QueryFailure['kind'], string>> = {
  canceled: 'canceled',
  timeout: 'timeout',
  limit: 'execution',
  bad_regex: 'bad_data',
  unavailable: 'unavailable',
  internal: 'internal',
};

/** Where Prometheus has words of its own (promql/engine.go). */
const promMessages: Readonly<Partial<Record<QueryFailure['kind'], string>>> = {
  canceled: 'query was canceled in query execution',
  timeout: 'query timed out in query execution',
};

/** What became of a query that waited for its turn in vain. */
function answerRefused({ why }: TurnRefused): Answer {
  switch (why) {
    case 'left':
      return answerError(499, 'canceled', 'query was canceled in query queue');
    case 'waited too long': {
      const message = 'query timed out in query queue: [query] max_concurrent large queries are at work already';
      return answerError(503, 'timeout', message);
    }
    case 'too many wait': {
      const message =
        'too many queries are at work and wait their turn already; ask again later, or raise [query] max_waiting';
      return answerError(503, 'unavailable', message);
    }
  }
}

/** What an error means to a client; throws on what is a bug. */
export function answerFor(error: unknown): Answer {
  if (error instanceof TurnRefused) return answerRefused(error);
  if (error instanceof BadParameter) return answerError(400, 'bad_data', error.message);
  if (error instanceof InvalidRegexError) return answerError(400, 'bad_data', error.message);
  if (error instanceof PromqlError) {
    if (error.kind === 'parse') return answerError(400, 'bad_data', `invalid parameter "query": ${error.message}`);
    return answerError(422, 'execution', error.message);
  }
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return answerError(failure.status, errorTypes[failure.kind], promMessages[failure.kind] ?? failure.message);
}
