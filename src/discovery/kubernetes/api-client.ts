/** GET requests to an API server: credentials, deadlines of their own, and failures in words. */
import { type Dispatcher, Pool } from 'undici';
import { redacted, type Secret, withoutSecrets } from '../../config/secret.ts';
import type { Clock } from '../../pipeline/component.ts';
import type { Credentials, KubernetesConnection } from './connection.ts';
import { startDeadline } from './deadline.ts';
import { ApiFailure, explainStatus, kindOfStatus, retryAfterOf } from './failure.ts';

/** An answer whose headers have come; reading the body ends with an error when the request's signal aborts. */
export interface ApiAnswer {
  readonly body: AsyncIterable<Buffer> & { destroy(): void };
}

export interface ApiClient {
  /** Resolves to an answer of status 200; everything else is an `ApiFailure`. */
  get(path: string, signal: AbortSignal): Promise<ApiAnswer>;
  /** What a failure while reading a body is called. */
  failureOf(error: unknown): ApiFailure;
  close(): Promise<void>;
}

export const requestLimits = {
  connectMs: 5_000,
  headersMs: 15_000,
  credentialsMs: 15_000,
  refusalBytes: 64 * 1024,
  refusalLength: 400,
} as const;

export interface ApiClientOptions {
  readonly connection: KubernetesConnection;
  readonly clock: Clock;
}

interface OpenPool {
  readonly pool: Pool;
  /** Of the credentials it was made for: others need another pool. */
  readonly identity: string;
}

const identityOf = ({ url, tls }: Credentials): string => JSON.stringify([url, tls]);

function openPool(credentials: Credentials): Pool {
  const { tls } = credentials;
  return new Pool(new URL(credentials.url).origin, {
    connect: {
      timeout: requestLimits.connectMs,
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
      ...(tls.isUnverified === true ? { rejectUnauthorized: false } : {}),
    },
    // A watch is silent for a minute and more; deadlines are the caller's, on the Host's clock.
    headersTimeout: 0,
    bodyTimeout: 0,
    connections: 4,
  });
}

/** Makes a client; nothing is opened before the first request. */
export function createApiClient({ connection, clock }: ApiClientOptions): ApiClient {
  let open: OpenPool | undefined;
  let secrets: readonly Secret[] = [];

  const poolFor = async (credentials: Credentials): Promise<Pool> => {
    const identity = identityOf(credentials);
    if (open?.identity === identity) return open.pool;
    await drop();
    open = { pool: openPool(credentials), identity };
    return open.pool;
  };
  /** After a network failure the kept connections may be as dead as the one that failed. */
  const drop = async (): Promise<void> => {
    const dropped = open;
    open = undefined;
    await dropped?.pool.destroy();
  };
  const readCredentials = async (isRefused: boolean, signal: AbortSignal): Promise<Credentials> => {
    // A plugin that waits for a person to log in would be waited for without end.
    const deadline = startDeadline(clock, requestLimits.credentialsMs, signal);
    try {
      const credentials = await orAborted(connection.credentials(isRefused), deadline.signal);
      secrets = credentials.authorization === undefined ? [] : [credentials.authorization];
      return credentials;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const waited = `no credentials for ${connection.name} have come for ${requestLimits.credentialsMs / 1000} s`;
      throw new ApiFailure('credentials', deadline.hasPassed() ? waited : textOf(cause), { cause });
    } finally {
      deadline.clear();
    }
  };
  const send = async (
    credentials: Credentials,
    path: string,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> => {
    const pool = await poolFor(credentials);
    const deadline = startDeadline(clock, requestLimits.headersMs, signal);
    try {
      const base = new URL(credentials.url).pathname.replace(/\/$/, '');
      const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'trawl' };
      if (credentials.authorization !== undefined) headers['authorization'] = credentials.authorization.reveal();
      const answered = await raceHeaders(pool, { path: base + path, headers, signal }, deadline.signal);
      return answered;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      await drop();
      if (deadline.hasPassed()) {
        const waited = `${connection.name} has not answered for ${requestLimits.headersMs / 1000} s`;
        throw new ApiFailure('timeout', waited, { cause });
      }
      throw failureOf(cause);
    } finally {
      deadline.clear();
    }
  };
  const failureOf = (error: unknown): ApiFailure =>
    error instanceof ApiFailure
      ? error
      : new ApiFailure(
          'unreachable',
          `${connection.name} cannot be reached (${withoutSecrets(textOf(error), secrets)})`,
          {
            cause: error,
          },
        );
  const refusalOf = async (answer: Dispatcher.ResponseData): Promise<ApiFailure> => {
    const said = withoutSecrets(await saidIn(answer), secrets);
    const retryAfterMs = retryAfterOf(answer.headers['retry-after'], clock.nowMs());
    const status = answer.statusCode;
    return new ApiFailure(kindOfStatus(status), explainStatus(status, said, connection.name), { retryAfterMs });
  };

  return {
    async get(path, signal) {
      const credentials = await readCredentials(false, signal);
      let answer = await send(credentials, path, signal);
      if (answer.statusCode === 401) {
        // What it still has to say is not waited for; the connection goes with it.
        answer.body.destroy();
        const fresh = await readCredentials(true, signal);
        answer = await send(fresh, path, signal);
      }
      if (answer.statusCode === 200) return { body: answer.body };
      const deadline = startDeadline(clock, requestLimits.headersMs, signal);
      const cut = () => answer.body.destroy();
      deadline.signal.addEventListener('abort', cut, { once: true });
      try {
        throw await refusalOf(answer);
      } finally {
        deadline.clear();
      }
    },
    failureOf,
    close: drop,
  };
}

/** The promise's outcome, or the signal's reason if that comes first. */
function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

interface Sent {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
}

/** The request ends with `sent.signal`; until its headers have come, with `untilHeaders` too. */
async function raceHeaders(pool: Pool, sent: Sent, untilHeaders: AbortSignal): Promise<Dispatcher.ResponseData> {
  const controller = new AbortController();
  const abort = () => controller.abort(untilHeaders.reason);
  untilHeaders.addEventListener('abort', abort, { once: true });
  const end = () => controller.abort(sent.signal.reason);
  sent.signal.addEventListener('abort', end, { once: true });
  if (sent.signal.aborted) end();
  try {
    const answer = await pool.request({
      method: 'GET',
      path: sent.path,
      headers: sent.headers,
      signal: controller.signal,
    });
    answer.body.once('close', () => sent.signal.removeEventListener('abort', end));
    // Errors of the body reach whoever reads it; one that nobody reads any more must not end the process.
    answer.body.on('error', () => sent.signal.removeEventListener('abort', end));
    return answer;
  } catch (error) {
    sent.signal.removeEventListener('abort', end);
    throw error;
  } finally {
    untilHeaders.removeEventListener('abort', abort);
  }
}

/** What a refusal says: a Status's message, or the text itself, cut to a sentence's length. */
async function saidIn(answer: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of answer.body) {
      if (!Buffer.isBuffer(chunk)) continue;
      sizeBytes += chunk.length;
      if (sizeBytes > requestLimits.refusalBytes) break;
      chunks.push(chunk);
    }
  } catch {
    // The status alone says enough when its body breaks off.
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return (messageIn(text) ?? text).replaceAll(/\s+/g, ' ').trim().slice(0, requestLimits.refusalLength);
}

function messageIn(text: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const message = typeof parsed === 'object' && parsed !== null && 'message' in parsed ? parsed.message : undefined;
    return typeof message === 'string' ? message : undefined;
  } catch {
    // Some refusals are plain text.
    return undefined;
  }
}

/** A network error's own words; of an error with several causes, the first one's. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return textOf(error.errors[0]);
  return error instanceof Error ? error.message || error.name : redacted;
}
