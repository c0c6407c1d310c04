/**
 * One request to ClickHouse's HTTP interface over node:http and a kept connection. A client library between the two costs a trace by id a
 * fifth of its time (`docs/decisions/query-latency.md`).
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import type { QueryParameter } from './client.ts';

/** The store process's unix socket, or the URL of `trawl store --listen` or of a ClickHouse server. */
export type StoreAddress = { readonly socketPath: string } | { readonly url: string; readonly token?: string };

/** What a store answered in place of a result. `code` is ClickHouse's error number, undefined where the answer has none. */
export class StoreAnswerError extends Error {
  override readonly name = 'StoreAnswerError';
  readonly code: number | undefined;
  readonly type: string;

  constructor(message: string, code: number | undefined, type: string) {
    super(message);
    this.code = code;
    this.type = type;
  }
}

export interface StoreRequest {
  readonly sql: string;
  readonly parameters?: Readonly<Record<string, QueryParameter>> | undefined;
  /** The rows of an INSERT. */
  readonly body?: Uint8Array | Readable | undefined;
  /** Ends the exchange, and with it the query. */
  readonly signal: AbortSignal;
}

export interface StoreConnections {
  /** The whole answer; throws a StoreAnswerError when the store refuses. */
  ask(request: StoreRequest): Promise<Buffer>;
  close(): void;
}

/** Servers close idle connections after seconds (ClickHouse after 10); a request on one that is just being closed would fail. */
const idleTimeoutMs = 5_000;

/** Connections to one store, opened as they are needed. */
export function openConnections(at: StoreAddress, maxConnections: number): StoreConnections {
  const { send, options, database } = targetOf(at, maxConnections);
  return {
    ask: ({ sql, parameters, body, signal }) => {
      const search = new URLSearchParams(database);
      for (const [name, value] of Object.entries(parameters ?? {})) search.set(`param_${name}`, parameterText(value));
      if (body !== undefined) search.set('query', sql);
      const text = search.toString();
      const path = text === '' ? '/' : `/?${text}`;
      return exchange(() => send({ ...options, path, method: 'POST' }), body ?? Buffer.from(sql), signal);
    },
    close: () => options.agent.destroy(),
  };
}

interface Target {
  readonly send: (options: RequestOptions) => ClientRequest;
  readonly options: RequestOptions & { readonly agent: HttpAgent };
  readonly database: Readonly<Record<string, string>>;
}

function targetOf(at: StoreAddress, maxSockets: number): Target {
  const pool = { keepAlive: true, maxSockets, scheduling: 'lifo' as const, timeout: idleTimeoutMs };
  if ('socketPath' in at) {
    const agent = new HttpAgent(pool);
    return { send: httpRequest, options: { agent, socketPath: at.socketPath, host: 'store' }, database: {} };
  }
  const url = new URL(at.url);
  const isSecure = url.protocol === 'https:';
  const user = decodeURIComponent(url.username) || 'default';
  const password = decodeURIComponent(url.password) || (at.token ?? '');
  const database = decodeURIComponent(url.pathname.replace(/^\/|\/$/g, ''));
  return {
    send: isSecure ? httpsRequest : httpRequest,
    options: {
      agent: isSecure ? new HttpsAgent(pool) : new HttpAgent(pool),
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      auth: `${user}:${password}`,
    },
    database: database === '' ? {} : { database },
  };
}

function exchange(send: () => ClientRequest, body: Uint8Array | Readable, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = send();
    const settle = () => signal.removeEventListener('abort', onAbort);
    const fail = (error: Error) => {
      settle();
      request.destroy();
      if (!(body instanceof Uint8Array)) body.destroy();
      reject(error);
    };
    const onAbort = () => fail(new Error('the request was aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    // A request that is destroyed before it has a connection says so a second time.
    request.on('error', fail);
    request.on('response', (response) => {
      read(response).then((bytes) => {
        settle();
        const refusal = refusalOf(response, bytes);
        if (refusal === undefined) resolve(bytes);
        else fail(refusal);
      }, fail);
    });
    if (body instanceof Uint8Array) {
      request.setHeader('Content-Length', body.byteLength);
      request.end(body);
    } else {
      body.on('error', fail);
      body.pipe(request);
    }
  });
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function refusalOf({ statusCode = 0, headers }: IncomingMessage, body: Buffer): StoreAnswerError | undefined {
  const named = headers['x-clickhouse-exception-code'];
  if (statusCode >= 200 && statusCode < 300 && named === undefined) return undefined;
  const text = body.toString('utf8').trim();
  const code = /\bCode: (\d+)\./.exec(text)?.[1] ?? (typeof named === 'string' ? named : undefined);
  if (code === undefined)
    return new StoreAnswerError(`HTTP ${statusCode}: ${text.slice(0, 500)}`, undefined, 'unknown');
  // A cluster wraps the exception of the node that failed in its own; the innermost is what happened.
  const message = text.slice(text.lastIndexOf('Exception: ') + 1).replace(/^xception: /, '');
  const type = /\(([A-Z][A-Z0-9_]{2,})\)/.exec(message);
  return new StoreAnswerError(
    type === null ? message : message.slice(0, type.index).trim(),
    Number(code),
    type?.[1] ?? 'unknown',
  );
}

const escapes: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', "'": "\\'", '\\': '\\\\' };
const escaped = (text: string) => text.replace(/[\t\n\r'\\]/g, (character) => escapes[character] ?? character);

/** A parameter's value as ClickHouse's HTTP interface reads it: escaped as in TSV, lists as literals. */
export function parameterText(value: QueryParameter): string {
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value !== 'object') return String(value);
  return `[${value.map((item) => (typeof item === 'string' ? `'${escaped(item)}'` : String(item))).join(',')}]`;
}
