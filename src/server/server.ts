/** The agent's HTTP side: one app behind several listeners, with limits, an access policy, and routes that come and go. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import http from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type FastifyInstance, fastify } from 'fastify';
import type { Logger } from 'pino';
import type { IngestRoutes } from '../pipeline/ingest-route.ts';
import type { Meter } from '../pipeline/meter.ts';
import type { QueryRoute } from '../query/query-route.ts';
import { type Access, type AccessOptions, createAccess, type RouteGroup } from './access.ts';
import { type Answer, answerVerdict, headersOf, sendAnswer, sendRefusal } from './answer.ts';
import { type ByteBudget, createByteBudget } from './byte-budget.ts';
import { type Connections, createConnections } from './connections.ts';
import { createExchanges, type Exchange, type Exchanges } from './exchanges.ts';
import { createGrpc, type Grpc } from './grpc/grpc.ts';
import { wantsHtml } from './html-page.ts';
import { createInflate } from './inflate.ts';
import { answerPreflight, createIngest, type Ingest } from './ingest.ts';
import { defaultLimits, type ServerLimits } from './limits.ts';
import {
  ListenError,
  type Listener,
  type ListenerAddress,
  type ListenerEvents,
  type ListenerOptions,
  openListener,
  otlpPaths,
  servesPath,
  zipkinPaths,
} from './listener.ts';
import { createLockout, createRateLimit, type Lockout, type RateLimit } from './lockout.ts';
import { answerNotFound, type KnownRoute, matchesPattern, printable } from './not-found.ts';
import { mountOperatingRoutes, type Operations } from './operating.ts';
import { mountQueryRoutes } from './query.ts';
import { hasBadEscape, isTraversal, pathOf, screenRequest } from './screen.ts';
import { createHttpMetrics, registerProcessMetrics } from './self-metrics.ts';
import { startWatchdog } from './watchdog.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    group?: RouteGroup;
    isAlias?: boolean;
  }
}

export interface ServerOptions {
  readonly listeners: readonly ListenerOptions[];
  readonly access: AccessOptions;
  readonly limits?: Partial<ServerLimits>;
  readonly queryRoutes: readonly QueryRoute[];
  readonly operations: Operations;
  readonly meter: Meter;
  readonly log: Logger;
  readonly version: string;
  /** Milliseconds that never go back; for tests. */
  readonly nowMs?: () => number;
}

export interface Server {
  /** For inputs; routes may be added before and after `start`. */
  readonly ingestRoutes: IngestRoutes;
  /** Where it listens, in the order of `listeners`; empty before `start`. */
  readonly addresses: readonly ListenerAddress[];
  /** Why some of the optional ones do not listen, a sentence each. */
  readonly missing: readonly string[];
  /** Every route that is served now; HEAD goes with GET. */
  routes(): readonly KnownRoute[];
  /** Opens all listeners but optional ones that are not to be had, or none of them: then it rejects with one sentence. */
  start(): Promise<void>;
  /** Stops accepting, answers what is under way, closes what is idle; at the deadline closes everything. May be called twice. */
  stop(deadline: AbortSignal): Promise<void>;
  /** Replaces the access policy, as a reload does. */
  setAccess(access: AccessOptions): void;
}

/**
 * Makes the server; nothing is opened before `start`.
 *
 * @example
 * const server = createServer({ listeners: [{ host: '127.0.0.1', port: 9529, paths: 'all' }], access, queryRoutes, operations, meter, log, version });
 * await server.start();
 */
export function createServer(options: ServerOptions): Server {
  const room = createRoom(options);
  const { exchanges, connections, ingest, log } = room;
  let listeners: readonly Listener[] = [];
  let stopping: Promise<void> | undefined;
  let stopTimers = () => {};

  const app = createApp(options, room, () => listeners.map((listener) => listener.address));
  registerProcessMetrics(options.meter.registry, options.version);

  return {
    ingestRoutes: ingest.routes,
    get addresses() {
      return listeners.map((listener) => listener.address);
    },
    missing: room.missing,
    routes: () => allRoutes(room).filter(({ isAlias }) => isAlias !== true),
    async start() {
      await app.ready();
      listeners = await openAll(options.listeners, room, app);
      const sweep = setInterval(() => {
        exchanges.sweep();
        room.grpc.sweep();
      }, room.limits.checkIntervalMs);
      sweep.unref();
      const stopWatchdog = startWatchdog({
        registry: options.meter.registry,
        log,
        stallMs: 2_000,
        describe: () => describeExchanges(exchanges),
      });
      stopTimers = () => {
        clearInterval(sweep);
        stopWatchdog();
      };
    },
    stop(deadline) {
      stopping ??= (async () => {
        room.isStopping = true;
        await quietTurn();
        const closed = listeners.map(
          (listener) => new Promise<void>((resolve) => listener.server.close(() => resolve())),
        );
        for (const exchange of exchanges.all()) exchange.res.shouldKeepAlive = false;
        room.grpc.close();
        connections.closeIdle();
        await Promise.race([Promise.all([...closed, exchanges.drained()]), aborted(deadline)]);
        for (const exchange of exchanges.all()) exchange.abort(new Error('the agent is stopping'));
        room.grpc.abortAll(new Error('the agent is stopping'));
        connections.closeAll();
        await Promise.all(closed);
        stopTimers();
        await app.close();
      })();
      return stopping;
    },
    setAccess(access) {
      room.access = createAccess(access, room.lockout);
    },
  };
}

/** What the parts of one server share. */
interface Room {
  readonly limits: ServerLimits;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly budget: ByteBudget;
  readonly exchanges: Exchanges;
  readonly connections: Connections;
  readonly ingest: Ingest;
  readonly grpc: Grpc;
  readonly lockout: Lockout;
  readonly rateLimit: RateLimit | undefined;
  readonly metrics: ReturnType<typeof createHttpMetrics>;
  /** Those of the app, as it mounts them; the inputs' own are in `ingest`. */
  readonly routes: KnownRoute[];
  /** What fastify was handed: its routes know the request only. */
  readonly routed: WeakMap<IncomingMessage, Exchange>;
  /** Connections that are closed as soon as their refusal is out. */
  readonly doomed: WeakSet<Socket>;
  access: Access;
  isStopping: boolean;
  /** Until when failures to accept are counted only. */
  quietUntilMs: number;
  /** Why optional listeners could not be opened. */
  readonly missing: string[];
}

function createRoom(options: ServerOptions): Room {
  const { log } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const nowMs = options.nowMs ?? (() => performance.now());
  const budget = createByteBudget(limits.bodyBytesInFlight);
  const connections: Connections = createConnections(limits.maxConnections, (which) => metrics.closedConnection(which));
  const exchanges: Exchanges = createExchanges({
    limits,
    nowMs,
    onDeadline: (exchange) => answerDeadline(exchange, limits, log),
    onEnd(exchange, durationMs) {
      connections.free(exchange.socket);
      metrics.ended(exchange.group, exchange.res.headersSent ? exchange.res.statusCode : 0, durationMs);
      if (room.isStopping && exchange.socket.writable) connections.closeIdle();
    },
  });
  const metrics = createHttpMetrics(options.meter.registry, {
    connections: () => connections.size,
    requests: () => exchanges.size + room.grpc.size,
    bodyBytes: () => budget.usedBytes,
  });
  const lockout = createLockout(nowMs);
  const { requestsPerSecondPerPeer: perSecond } = limits;
  const rateLimit = perSecond === undefined ? undefined : createRateLimit(perSecond, nowMs);
  const shared = { limits, budget, inflate: createInflate(), access: () => room.access, nowMs, log };
  const ingest = createIngest(shared);
  const room: Room = {
    limits,
    log,
    nowMs,
    budget,
    exchanges,
    connections,
    metrics,
    lockout,
    rateLimit,
    ingest,
    grpc: createGrpc({
      ...shared,
      connections,
      rateLimit,
      find: ingest.findGrpc,
      paths: ingest.grpcPaths,
      onEnd: (code, durationMs) => metrics.endedCall(code, durationMs),
    }),
    routes: [],
    routed: new WeakMap(),
    doomed: new WeakSet(),
    access: createAccess(options.access, lockout),
    isStopping: false,
    quietUntilMs: 0,
    missing: [],
  };
  return room;
}

function answerDeadline(exchange: Exchange, limits: ServerLimits, log: Logger): void {
  const afterS = limits.handlerTimeoutMs / 1000;
  log.warn(
    { method: exchange.req.method, path: printable(exchange.path) },
    `A request was given up after ${afterS} s.`,
  );
  sendAnswer(exchange, { status: 503, body: `gave up after ${afterS} s; try again later\n`, retryAfterMs: 5_000 });
  exchange.abort(new Error(`not answered within ${afterS} s`));
}

function createApp(options: ServerOptions, room: Room, addresses: () => readonly ListenerAddress[]): FastifyInstance {
  const exchangeOf = (req: IncomingMessage): Exchange => {
    const exchange = room.routed.get(req);
    if (exchange === undefined) throw new Error('a request reached a route without coming through a listener');
    return exchange;
  };
  const app = fastify({
    // Its log would have a line for each request; its own server is never opened: ours are, in `openListener`.
    logger: false,
    serverFactory: (handler) => http.createServer(handler),
    exposeHeadRoutes: false,
    // Service names are path parameters; the default of 100 would make longer ones unknown paths.
    routerOptions: { maxParamLength: 4_096, onBadUrl: (_path, req) => sendAnswer(exchangeOf(req), badUrl) },
  });
  app.removeAllContentTypeParsers();
  // Bodies are read raw, by the route that wants one.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.addHook('onRoute', ({ method, url, config }) => {
    // HEAD goes with GET and is not told apart from it.
    if (typeof method !== 'string' || method === 'HEAD') return;
    room.routes.push({ method, path: url, isAlias: config?.isAlias === true });
  });
  app.addHook('onRequest', (request, reply, done) => {
    const exchange = exchangeOf(request.raw);
    exchange.group = request.routeOptions.config.group ?? 'open';
    const verdict = room.access.check(exchange.group, {
      req: request.raw,
      isLoopbackListener: exchange.listener.isLoopback,
    });
    if (verdict.isAllowed) {
      done();
      return;
    }
    const answer = answerVerdict(verdict);
    void reply.code(answer.status).headers(headersOf(answer)).send(answer.body);
  });
  app.setNotFoundHandler((request, reply) => {
    void reply.hijack();
    refuseUnknown(exchangeOf(request.raw), room);
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500)
      room.log.error({ err: error, path: printable(request.url) }, 'A route failed; its client was told.');
    void reply.code(status).type('text/plain; charset=utf-8');
    void reply.send(status >= 500 ? 'internal error; the log says more\n' : `${error.message}\n`);
  });
  const shared = { log: room.log, nowMs: room.nowMs, exchangeOf };
  mountQueryRoutes(app, options.queryRoutes, { ...shared, limits: room.limits, budget: room.budget });
  const { version, meter, operations } = options;
  mountOperatingRoutes(app, { ...shared, version, meter, operations, addresses });
  return app;
}

const badUrl: Answer = { status: 400, body: 'the URL is not well-formed: a % is not followed by two hex digits\n' };

async function openAll(
  wanted: readonly ListenerOptions[],
  room: Room,
  app: FastifyInstance,
): Promise<readonly Listener[]> {
  const opened: Listener[] = [];
  try {
    for (const listener of wanted) {
      const result = await openListener(listener, room.limits, listenerEvents(room, app)).catch((error: unknown) => {
        if (listener.optionalKey === undefined || !(error instanceof ListenError)) throw error;
        return error;
      });
      if (!(result instanceof ListenError)) opened.push(result);
      else {
        room.missing.push(result.message);
        room.log.warn(`The agent does without an address: ${result.message}.`);
      }
    }
    return opened;
  } catch (error) {
    for (const { server } of opened) server.close();
    throw error;
  }
}

function listenerEvents(room: Room, app: FastifyInstance): ListenerEvents {
  return {
    request: (at, req, res, awaitsContinue) => handleRequest({ room, app, listener: at, awaitsContinue }, req, res),
    connection(socket) {
      room.connections.add(socket);
      socket.once('close', () => room.exchanges.endOf(socket));
    },
    http2: (at, socket) => room.grpc.adopt(socket, at),
    refused: (why) => room.metrics.refusedBytes(why),
    acceptFailed: (error) => logAcceptFailure(room, error),
    isAnswering: (socket) => [...room.exchanges.all()].some((each) => each.socket === socket && each.res.headersSent),
  };
}

function logAcceptFailure(room: Room, error: Error): void {
  room.metrics.refusedBytes('not_accepted');
  const nowMs = room.nowMs();
  if (nowMs < room.quietUntilMs) return;
  room.quietUntilMs = nowMs + 10_000;
  room.log.error({ err: error }, 'A connection could not be accepted; raise the limit of open files if it is that.');
}

interface Entry {
  readonly room: Room;
  readonly app: FastifyInstance;
  readonly listener: Listener;
  readonly awaitsContinue: boolean;
}

function handleRequest(entry: Entry, req: IncomingMessage, res: ServerResponse): void {
  const { room, listener } = entry;
  // It came behind one that was refused together with its connection: nobody knows whose it is, so nobody acts on it.
  if (room.doomed.has(req.socket)) return;
  room.connections.busy(req.socket);
  if (room.isStopping) res.shouldKeepAlive = false;
  const problem = screenRequest(req);
  const exchange = room.exchanges.open({ req, res, listener, path: pathOf(req.url ?? '') });
  exchange.awaitsContinue = entry.awaitsContinue;
  if (problem !== undefined) {
    room.doomed.add(req.socket);
    res.shouldKeepAlive = false;
    sendAnswer(exchange, { status: 400, body: `${problem}\n` });
    return;
  }
  if (room.rateLimit?.take(req.socket.remoteAddress ?? '') === false) {
    const body = 'too many requests a second from this address; slow down\n';
    sendRefusal(exchange, { status: 429, body, retryAfterMs: 1_000 }, room.limits.lingerMs);
    return;
  }
  dispatch(entry, exchange);
}

function dispatch({ room, app, listener }: Entry, exchange: Exchange): void {
  const { req, res, path } = exchange;
  const method = req.method ?? '';
  if ((path !== '/' && !isServed(room, listener, path)) || isTraversal(path)) {
    refuseUnknown(exchange, room);
    return;
  }
  if (servesPath(zipkinPaths, path) && hasBadEscape(req.url ?? '')) {
    sendRefusal(exchange, badUrl, room.limits.lingerMs);
    return;
  }
  const route = room.ingest.find(method, path);
  if (route !== undefined) {
    void room.ingest.serve(exchange, route);
    return;
  }
  if (method === 'OPTIONS' && answerIfPreflight(exchange, room)) return;
  if (exchange.awaitsContinue) {
    exchange.awaitsContinue = false;
    res.writeContinue();
  }
  room.routed.set(req, exchange);
  app.routing(req, res);
}

function isServed({ ingest }: Room, { options: { paths } }: Listener, path: string): boolean {
  if (servesPath(paths, path)) return true;
  const route = ingest.find('POST', path);
  return (paths === zipkinPaths && route?.isZipkin === true) || (paths === otlpPaths && route?.isOtlp === true);
}

/** Only where any origin is welcome: on ingest routes that say so, and on Zipkin's query routes, as Zipkin has it. */
function answerIfPreflight(exchange: Exchange, { ingest, routes }: Room): boolean {
  const { path, req } = exchange;
  if (req.headers['access-control-request-method'] === undefined) return false;
  const isIngest = ingest.find('POST', path)?.allowsAnyOrigin === true;
  const isZipkinQuery = servesPath(zipkinPaths, path) && routes.some((route) => matchesPattern(route.path, path));
  if (!isIngest && !isZipkinQuery) return false;
  sendAnswer(exchange, answerPreflight('GET, POST'));
  return true;
}

const allRoutes = ({ ingest, routes }: Pick<Room, 'ingest' | 'routes'>): readonly KnownRoute[] => [
  ...ingest.paths().map((path) => ({ method: 'POST', path })),
  ...routes,
];

function refuseUnknown(exchange: Exchange, { ingest, routes, limits }: Room): void {
  const { req, path, listener } = exchange;
  const served = allRoutes({ ingest, routes }).filter((route) => servesPath(listener.options.paths, route.path));
  const stray = { method: req.method ?? '', path, wantsHtml: isBrowser(req) };
  sendRefusal(exchange, answerNotFound(stray, served), limits.lingerMs);
}

/** Programs that send data are told in plain text, whatever they accept. */
function isBrowser({ method, headers }: IncomingMessage): boolean {
  return (method === 'GET' || method === 'HEAD') && wantsHtml(headers.accept);
}

function describeExchanges(exchanges: Exchanges): readonly string[] {
  return [...exchanges.all()].slice(0, 10).map(({ req, path }) => `${req.method} ${printable(path)}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Turns of the event loop that are waited for at most. */
const maxTurns = 50;

/**
 * Resolves just after a turn of the event loop in which little was done. Whoever waits to be accepted when a listener closes is reset by
 * the kernel; after such a turn hardly anybody waits.
 */
async function quietTurn(): Promise<void> {
  for (let turn = 0; turn < maxTurns; turn++) {
    const startedAt = performance.now();
    await nextTurn();
    if (performance.now() - startedAt < 0.5) return;
  }
}
