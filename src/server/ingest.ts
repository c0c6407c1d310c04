/** Serves the routes that inputs add and take away at run time. The hot path: it goes past fastify's router (figures: bench/server.ts). */
import type { Logger } from 'pino';
import type { IngestProblem, IngestRequest, IngestRoute, IngestRoutes } from '../pipeline/ingest-route.ts';
import type { Access, Verdict } from './access.ts';
import { type Answer, answerVerdict, plainText, sendAnswer, sendRefusal } from './answer.ts';
import { declaredLength, problemStatus, readBody, refusedByLength } from './body.ts';
import { type BodyPool, createBodyPool } from './body-pool.ts';
import type { ByteBudget, ByteLease } from './byte-budget.ts';
import type { Exchange } from './exchanges.ts';
import { type Inflate, parseEncoding, supportedEncodings } from './inflate.ts';
import type { ServerLimits } from './limits.ts';

const overloadedRetryMs = 1_000;
/** Kept for the bodies to come. */
const keptBodyBytes = 4 * 1024 * 1024;

export interface IngestOptions {
  readonly limits: ServerLimits;
  readonly budget: ByteBudget;
  readonly inflate: Inflate;
  readonly access: () => Access;
  readonly nowMs: () => number;
  readonly log: Logger;
}

type Serving = IngestOptions & { readonly pool: BodyPool };

export interface Ingest {
  readonly routes: IngestRoutes;
  find(method: string, path: string): IngestRoute | undefined;
  paths(): readonly string[];
  /** The same for the methods of gRPC. */
  findGrpc(path: string): IngestRoute | undefined;
  grpcPaths(): readonly string[];
  /** Answers the request; never rejects. */
  serve(exchange: Exchange, route: IngestRoute): Promise<void>;
}

/** Makes the map of ingest routes and what serves them. */
export function createIngest(options: IngestOptions): Ingest {
  const byPath = new Map<string, IngestRoute>();
  const pool = createBodyPool(keptBodyBytes);
  return {
    routes: {
      add(route) {
        if (byPath.has(route.path))
          throw new Error(`two inputs want ${route.method} ${route.path}; remove one of them`);
        byPath.set(route.path, route);
        return () => {
          if (byPath.get(route.path) === route) byPath.delete(route.path);
        };
      },
    },
    find(method, path) {
      const route = byPath.get(path);
      return route?.method === method && route.isGrpc !== true ? route : undefined;
    },
    paths: () => [...byPath.values()].flatMap(({ path, isGrpc }) => (isGrpc === true ? [] : [path])),
    findGrpc(path) {
      const route = byPath.get(path);
      return route?.isGrpc === true ? route : undefined;
    },
    grpcPaths: () => [...byPath.values()].flatMap(({ path, isGrpc }) => (isGrpc === true ? [path] : [])),
    serve: (exchange, route) => serve(exchange, route, { ...options, pool }),
  };
}

async function serve(exchange: Exchange, route: IngestRoute, options: Serving): Promise<void> {
  exchange.group = 'ingest';
  const arrival = { req: exchange.req, isLoopbackListener: exchange.listener.isLoopback };
  const verdict: Verdict = options.access().checkIngest(arrival, route.allowsAnyOrigin);
  if (!verdict.isAllowed) {
    sendRefusal(exchange, answerVerdict(verdict), options.limits.lingerMs);
    return;
  }
  const lease = options.budget.lease();
  try {
    await take(exchange, route, lease, options);
  } catch (error) {
    options.log.error({ err: error, path: route.path }, 'An input failed on a request; its sender was told 500.');
    sendAnswer(exchange, withOrigin(exchange, route, { status: 500, body: 'internal error; the log says more\n' }));
  } finally {
    lease.release();
  }
}

async function take(exchange: Exchange, route: IngestRoute, lease: ByteLease, options: Serving): Promise<void> {
  const { req } = exchange;
  const reject = (problem: IngestProblem, message: string) => {
    route.refused(problem, message);
    const answer: Answer = {
      status: problemStatus[problem],
      body: `${message}\n`,
      ...route.tell?.(problem, message, mediaTypeOf(req.headers['content-type'])),
      ...(problem === 'overloaded' ? { retryAfterMs: overloadedRetryMs } : {}),
      ...(problem === 'unsupported_encoding' ? { headers: { 'Accept-Encoding': encodingsOf(route) } } : {}),
    };
    sendRefusal(exchange, withOrigin(exchange, route, answer), options.limits.lingerMs);
  };
  const encoding = encodingFor(route, req.headers['content-encoding']);
  if (encoding === undefined) {
    const named = String(req.headers['content-encoding']).slice(0, 100);
    reject('unsupported_encoding', `Content-Encoding "${named}" is not understood; send one of ${encodingsOf(route)}`);
    return;
  }
  const early = refusedByLength(req, route.bodyLimitBytes, lease);
  if (early?.kind === 'refused') {
    reject(early.problem, early.message);
    return;
  }
  if (exchange.awaitsContinue) {
    exchange.awaitsContinue = false;
    if (declaredLength(req) !== 0) exchange.res.writeContinue();
  }
  const read = await readBody(req, { limitBytes: route.bodyLimitBytes, lease, pool: options.pool });
  if (read.kind === 'refused') {
    reject(read.problem, read.message);
    return;
  }
  exchange.handlingSinceMs = options.nowMs();
  const limitBytes = route.inflatedLimitBytes;
  const inflating = options.inflate(read.body, { encoding, limitBytes, lease, exchange });
  const inflated = inflating instanceof Promise ? await inflating : inflating;
  if (inflated.kind === 'refused') {
    reject(inflated.problem, inflated.message);
    return;
  }
  const mediaType = mediaTypeOf(req.headers['content-type']);
  const response = await route.handle(requestOf(exchange, mediaType, inflated.body));
  read.giveBack?.();
  sendAnswer(exchange, withOrigin(exchange, route, response));
}

const encodingsOf = ({ ownEncoding }: IngestRoute): string => ownEncoding ?? supportedEncodings;

/** A route that undoes an encoding itself gets bodies as they were sent. */
function encodingFor({ ownEncoding }: IngestRoute, header: string | undefined) {
  if (ownEncoding === undefined) return parseEncoding(header);
  return header === undefined || header === '' || header.trim().toLowerCase() === ownEncoding ? 'identity' : undefined;
}

function requestOf(exchange: Exchange, mediaType: string, body: Buffer): IngestRequest {
  return {
    path: exchange.path,
    mediaType,
    contentType: exchange.req.headers['content-type'],
    body,
    get signal() {
      return exchange.signal;
    },
  };
}

/** The media type in lower case without parameters. */
export function mediaTypeOf(header: string | undefined): string {
  if (header === undefined) return '';
  const end = header.indexOf(';');
  return (end === -1 ? header : header.slice(0, end)).trim().toLowerCase();
}

function withOrigin(exchange: Exchange, route: IngestRoute, answer: Answer): Answer {
  if (!route.allowsAnyOrigin || exchange.req.headers.origin === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, ...anyOrigin } };
}

export const anyOrigin: Readonly<Record<string, string>> = { 'Access-Control-Allow-Origin': '*' };

/** The answer to a preflight where any origin is allowed; `*` does not cover Authorization, so it is named. */
export function answerPreflight(methods: string): Answer {
  return {
    status: 200,
    contentType: plainText,
    headers: {
      ...anyOrigin,
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': 'authorization, content-type, content-encoding, *',
      'Access-Control-Max-Age': '7200',
    },
  };
}
