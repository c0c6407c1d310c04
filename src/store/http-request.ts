/**
 * One request to ClickHouse's HTTP interface over node:http and a kept connection. A client library between the two costs a trace by id a
 * fifth of its time (`docs/decisions/query-latency.md`).
 */
import { constants } from 'node:buffer';
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

/** A request that no store takes: what has to stand in its URL is longer than servers read. */
export class RequestTooLongError extends Error {
  override readonly name = 'RequestTooLongError';
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

/**
 * ClickHouse reads a URL of 1 MiB (http_max_uri_size), our own store as much of a request's head. What is longer would be answered by a
 * reset, as if the store were away.
 */
const maxPathBytes = 1024 * 1024 - 16 * 1024;

/** Connections to one store, opened as they are needed. */
export function openConnections(at: StoreAddress, maxConnections: number): StoreConnections {
  const { send, options, always } = targetOf(at, maxConnections);
  return {
    async ask({ sql, parameters, body, signal }) {
      const search = new URLSearchParams(always);
      for (const [name, value] of Object.entries(parameters ?? {})) search.set(`param_${name}`, parameterText(value));
      if (body !== undefined) search.set('query', sql);
      const text = search.toString();
      const path = text === '' ? '/' : `/?${text}`;
      if (path.length > maxPathBytes)
        throw new RequestTooLongError(
          `what it asks for takes ${path.length} bytes of a URL, where ${maxPathBytes} are the most`,
        );
      const start = () => send({ ...options, path, method: 'POST' });
      return exchange(start, { body: body ?? Buffer.from(sql), isInsert: body !== undefined, signal });
    },
    close: () => options.agent.destroy(),
  };
}

interface Target {
  readonly send: (options: RequestOptions) => ClientRequest;
  readonly options: RequestOptions & { readonly agent: HttpAgent };
  /** What stands in the URL of every request. */
  readonly always: Readonly<Record<string, string>>;
}

/** Otherwise ClickHouse may say 200 and begin an answer before the query fails, and the rest of that answer is then the exception's text. */
const wholeAnswers = { wait_end_of_query: '1' };

/** Node's own error would repeat the whole text, a password in it too. */
function urlOf({ url }: { readonly url: string }): URL {
  const parsed = URL.parse(url);
  if (parsed === null) throw new Error('the address of the store is no URL; write it like http://trawl-store:9530');
  return parsed;
}

/** Who asks, and with what. */
export function credentialsOf(at: Extract<StoreAddress, { url: string }>): {
  readonly user: string;
  readonly password: string;
} {
  const { username, password } = urlOf(at);
  return {
    user: decodeURIComponent(username) || 'default',
    password: decodeURIComponent(password) || (at.token ?? ''),
  };
}

function targetOf(at: StoreAddress, maxSockets: number): Target {
  const pool = { keepAlive: true, maxSockets, scheduling: 'lifo' as const, timeout: idleTimeoutMs };
  if ('socketPath' in at) {
    const agent = new HttpAgent(pool);
    return { send: httpRequest, options: { agent, socketPath: at.socketPath, host: 'store' }, always: {} };
  }
  const url = urlOf(at);
  const isSecure = url.protocol === 'https:';
  const { user, password } = credentialsOf(at);
  const database = decodeURIComponent(url.pathname.replace(/^\/|\/$/g, ''));
  return {
    send: isSecure ? httpsRequest : httpRequest,
    options: {
      agent: isSecure ? new HttpsAgent(pool) : new HttpAgent(pool),
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      auth: `${user}:${password}`,
    },
    always: database === '' ? wholeAnswers : { database, ...wholeAnswers },
  };
}

function exchange(
  send: () => ClientRequest,
  { body, isInsert, signal }: { body: Uint8Array | Readable; isInsert: boolean; signal: AbortSignal },
): Promise<Buffer> {
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
        const refusal = refusalOf(response, bytes, isInsert);
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

/** Larger answers are put together while they come: to join 80 MB at their end keeps everybody waiting for a tenth of a second. */
const joinedAtOnceBytes = 1024 * 1024;

async function readLarge(response: IncomingMessage, sizeBytes: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(sizeBytes);
  let at = 0;
  // No more comes than was said: the parser sees to that.
  for await (const chunk of response as AsyncIterable<Buffer>) at += chunk.copy(whole, at);
  return whole.subarray(0, at);
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const sizeBytes = Number(response.headers['content-length']);
  if (sizeBytes > joinedAtOnceBytes && sizeBytes < constants.MAX_LENGTH) return readLarge(response, sizeBytes);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** Where a query failed after its answer had begun, the server closes that with its exception between two of these marks. */
const exceptionMark = '__exception__';
/** The exception is cut to 16 KiB. */
const exceptionTailBytes = 20 * 1024;

/** What stands behind the answer that a query had begun to give when it failed; '' where it did not. */
function lateException({ headers }: IncomingMessage, body: Buffer): string {
  const tag = headers['x-clickhouse-exception-tag'];
  if (typeof tag !== 'string' || tag === '') return '';
  const tail = body.subarray(-exceptionTailBytes);
  if (!tail.subarray(-exceptionMark.length - 2).includes(exceptionMark)) return '';
  const start = tail.indexOf(`${exceptionMark}\r\n${tag}\r\n`);
  return start < 0 ? '' : tail.toString('utf8', start);
}

function refusalOf(response: IncomingMessage, body: Buffer, isInsert: boolean): StoreAnswerError | undefined {
  const { statusCode = 0, headers } = response;
  const named = headers['x-clickhouse-exception-code'];
  const late = lateException(response, body);
  // An INSERT that succeeded has nothing to say; its rows must never be taken for stored on the word of something in between.
  const isFine = statusCode >= 200 && statusCode < 300 && late === '' && !(isInsert && body.byteLength > 0);
  if (isFine && named === undefined) return undefined;
  const text = (late || body.toString('utf8')).trim();
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
