/** Writes answers straight to node's response: for the routes that do not go through fastify, and for refusals. */

import type { Verdict } from './access.ts';
import type { Exchange } from './exchanges.ts';

export interface Answer {
  readonly status: number;
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly retryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export const plainText = 'text/plain; charset=utf-8';

/** The headers of an answer. */
export function headersOf(answer: Answer): Record<string, string | number> {
  const headers: Record<string, string | number> = { ...answer.headers };
  headers['Content-Length'] = answer.body === undefined ? 0 : byteLength(answer.body);
  if (answer.body !== undefined && answer.body.length > 0) {
    headers['Content-Type'] = answer.contentType ?? plainText;
    headers['X-Content-Type-Options'] = 'nosniff';
  }
  if (answer.retryAfterMs !== undefined) headers['Retry-After'] = Math.max(1, Math.ceil(answer.retryAfterMs / 1000));
  return headers;
}

/** Sends an answer, unless the client has left or was answered already. */
export function sendAnswer(exchange: Exchange, answer: Answer): void {
  const { res } = exchange;
  if (res.headersSent || res.destroyed) return;
  res.writeHead(answer.status, headersOf(answer));
  res.end(answer.body);
}

/**
 * Sends a refusal while the body may still be coming. To close at once would reset the connection, and the client would see
 * that instead of the refusal; so what still comes is thrown away for up to `lingerMs` before the connection is closed.
 */
export function sendRefusal(exchange: Exchange, answer: Answer, lingerMs: number): void {
  const { req, res } = exchange;
  if (req.complete || exchange.awaitsContinue) {
    if (exchange.awaitsContinue) res.shouldKeepAlive = false;
    sendAnswer(exchange, answer);
    return;
  }
  if (res.headersSent || res.destroyed) return;
  res.shouldKeepAlive = false;
  res.writeHead(answer.status, headersOf(answer));
  // The client can read it all now; `end` alone would also close.
  res.write(answer.body ?? '');
  const finish = () => {
    clearTimeout(timer);
    res.end();
  };
  const timer = setTimeout(finish, lingerMs);
  req.once('end', finish);
  req.once('close', finish);
  req.resume();
}

/** The answer for a refusal by the access policy. */
export function answerVerdict(verdict: Extract<Verdict, { isAllowed: false }>): Answer {
  return {
    status: verdict.status,
    body: `${verdict.message}\n`,
    ...(verdict.retryAfterMs === undefined ? {} : { retryAfterMs: verdict.retryAfterMs }),
    ...(verdict.status === 401 ? { headers: { 'WWW-Authenticate': 'Bearer realm="trawl"' } } : {}),
  };
}

function byteLength(body: string | Uint8Array): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}
