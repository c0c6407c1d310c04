/** How Jaeger's two APIs wrap what they answer (jaegerquery's http_handler.go, apiv3/http_gateway.go). */
import { answerFailure, QueryEnded, untilEnded } from '../failure.ts';
import type { QueryResponse } from '../query-route.ts';
import { ParameterError } from './search-parameters.ts';

/** An answer that is known before the work is done: thrown, and written by the API whose route it is. */
export class JaegerRefusal extends Error {
  override readonly name = 'JaegerRefusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const jsonType = 'application/json';
const textType = 'text/plain; charset=utf-8';
const retrySoon = { 'retry-after': '1' };

export interface StructuredError {
  readonly code?: number;
  readonly msg: string;
  readonly traceID?: string;
}

/** What stands behind `data` in v1's envelope. */
export function envelopeEnd(total: number, errors: readonly StructuredError[] | null): string {
  return `,"total":${total},"limit":0,"offset":0,"errors":${JSON.stringify(errors)}}`;
}

/** An answer of v1 without errors; `prettyPrint` indents it. */
export function v1Answer(query: URLSearchParams, data: unknown, total = 0): QueryResponse {
  return jsonAnswer(`{"data":${JSON.stringify(data)}${envelopeEnd(total, null)}`, query);
}

/** JSON, indented where `prettyPrint` asks for it. */
export function jsonAnswer(body: string, query: URLSearchParams): QueryResponse {
  return {
    status: 200,
    contentType: jsonType,
    body: isPretty(query) ? JSON.stringify(JSON.parse(body), null, 4) : body,
  };
}

/** JSON in pieces, which may be large. */
export function jsonAnswerOfPieces(pieces: readonly Buffer[], query: URLSearchParams): QueryResponse {
  const body = Buffer.concat(pieces);
  return isPretty(query) ? jsonAnswer(body.toString('utf8'), query) : { status: 200, contentType: jsonType, body };
}

/** Says in a header why a search may have missed traces: Kiali takes an entry among v1's `errors` for a failure of the whole. */
export function markIncomplete(answer: QueryResponse, reason: string | undefined): QueryResponse {
  if (reason === undefined) return answer;
  return {
    ...answer,
    headers: { ...answer.headers, 'x-trawl-incomplete': reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 300) },
  };
}

function isPretty(query: URLSearchParams): boolean {
  const value = query.get('prettyPrint') ?? '';
  return value !== '' && value !== 'false';
}

interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** Go's http.Error: JSON that is called text, and a line break. */
const v1Refusal = ({ status, message }: Refusal): QueryResponse =>
  errorAnswer(status, `{"data":null${envelopeEnd(0, [{ code: status, msg: message }])}`);

const v3Refusal = ({ status, message }: Refusal): QueryResponse =>
  errorAnswer(status, JSON.stringify({ error: { httpCode: status, message } }));

function errorAnswer(status: number, body: string): QueryResponse {
  return {
    status,
    contentType: textType,
    body: `${body}\n`,
    ...(status === 503 ? { headers: retrySoon } : {}),
  };
}

/** Awaits the answer of a route; what ends it early is said in the manner of its API. */
export async function answered(
  api: 'v1' | 'v3',
  signal: AbortSignal,
  answer: () => Promise<QueryResponse>,
): Promise<QueryResponse> {
  const refuse = api === 'v1' ? v1Refusal : v3Refusal;
  try {
    return await untilEnded(signal, answer());
  } catch (error) {
    if (error instanceof ParameterError) return refuse({ status: 400, message: error.message });
    if (error instanceof JaegerRefusal) return refuse({ status: error.status, message: error.message });
    return answerFailure(error, refuse);
  }
}

/** Whether a wait was ended by its client or its deadline. */
export const isEnded = (error: unknown, signal: AbortSignal): boolean => signal.aborted || error instanceof QueryEnded;
