/** The routes for those who operate the agent: health, readiness, metrics, status, flush, reload, and the page at `/`. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { Health } from '../pipeline/component.ts';
import type { Meter } from '../pipeline/meter.ts';
import type { Exchange } from './exchanges.ts';
import { htmlType, pageHeaders, wantsHtml } from './html-page.ts';
import { packAnswer } from './inflate.ts';
import { landingPage, landingText } from './landing.ts';
import type { ListenerAddress } from './listener.ts';
import { openApiDocument } from './openapi.ts';

/** What became of a reload; `problems` are sentences with file, line and key. */
export type ReloadOutcome =
  | { readonly kind: 'applied'; readonly changes: readonly string[] }
  | { readonly kind: 'kept_old'; readonly problems: readonly string[] };

/** A component and its one line, as `Running.health()` gives it. */
export interface ComponentHealth {
  readonly component: string;
  readonly health: Health;
}

/** What the rest of the agent does for these routes. */
export interface Operations {
  /** Each says in plain words why the agent is not ready, or undefined. Called often: no I/O. */
  readonly readiness: readonly (() => string | undefined)[];
  health(): readonly ComponentHealth[];
  /** Resolves when everything acknowledged before can be queried. */
  flush(signal: AbortSignal): Promise<void>;
  reload(signal: AbortSignal): Promise<ReloadOutcome>;
}

export interface OperatingOptions {
  readonly version: string;
  readonly meter: Meter;
  readonly operations: Operations;
  readonly log: Logger;
  readonly nowMs: () => number;
  addresses(): readonly ListenerAddress[];
  exchangeOf(req: IncomingMessage): Exchange;
}

const text = 'text/plain; charset=utf-8';
const json = 'application/json; charset=utf-8';

/** Adds the routes to the app. */
export function mountOperatingRoutes(app: FastifyInstance, options: OperatingOptions): void {
  const open = { config: { group: 'open' as const }, exposeHeadRoute: true };
  app.get('/-/healthy', open, (_request, reply) => reply.type(text).send('healthy\n'));
  app.get('/-/ready', open, (_request, reply) => {
    const reasons = reasonsNotReady(options.operations);
    if (reasons.length === 0) return reply.type(text).send('ready\n');
    return reply
      .code(503)
      .type(text)
      .header('retry-after', '1')
      .send(`not ready:\n${reasons.map((reason) => `  ${reason}\n`).join('')}`);
  });
  const { registry } = options.meter;
  let rendering: Promise<Buffer> | undefined;
  /** One rendering for all who ask meanwhile: it takes a millisecond or two, and anybody may ask for it, a hundred times in one packet. */
  const render = (): Promise<Buffer> => {
    rendering ??= registry
      .metrics()
      .then((exposition) => Buffer.from(exposition))
      .finally(() => {
        rendering = undefined;
      });
    return rendering;
  };
  app.get('/metrics', open, async (request, reply) => {
    const exposition = await render();
    const packed = await packAnswer(exposition, request.raw.headers['accept-encoding']);
    if (packed !== undefined) void reply.header('content-encoding', 'gzip');
    return reply
      .type(registry.contentType)
      .header('vary', 'accept-encoding')
      .send(packed ?? exposition);
  });
  app.get('/', open, (request, reply) => {
    const page = {
      version: options.version,
      host: request.raw.headers.host,
      addresses: options.addresses(),
      paths: options.exchangeOf(request.raw).listener.options.paths,
    };
    void reply.header('vary', 'accept').header('x-content-type-options', 'nosniff');
    if (!wantsHtml(request.raw.headers.accept)) return reply.type(text).send(landingText(page));
    return reply.headers(pageHeaders).type(htmlType).send(landingPage(page));
  });
  app.get('/api/trawl/status', { config: { group: 'query' }, exposeHeadRoute: true }, (_request, reply) =>
    reply.type(json).send(`${JSON.stringify(statusOf(options), null, 2)}\n`),
  );
  const description = `${JSON.stringify(openApiDocument(options.version), null, 2)}\n`;
  app.get('/api/trawl/openapi.json', open, (_request, reply) => reply.type(json).send(description));
  mountAdminRoutes(app, options);
}

function mountAdminRoutes(app: FastifyInstance, options: OperatingOptions): void {
  const { operations } = options;
  const admin = { config: { group: 'admin' as const } };
  app.post(
    '/api/trawl/flush',
    admin,
    async (request, reply) =>
      await answerWork(
        reply,
        beginWork(options, request.raw),
        async (signal) => {
          await operations.flush(signal);
          return { status: 200, body: { flushed: true } };
        },
        options.log,
      ),
  );
  app.post(
    '/-/reload',
    admin,
    async (request, reply) =>
      await answerWork(
        reply,
        beginWork(options, request.raw),
        async (signal) => {
          const outcome = await operations.reload(signal);
          if (outcome.kind === 'applied') return { status: 200, body: { applied: true, changes: outcome.changes } };
          return { status: 400, body: { applied: false, problems: outcome.problems } };
        },
        options.log,
      ),
  );
}

function beginWork(options: OperatingOptions, req: IncomingMessage): AbortSignal {
  const exchange = options.exchangeOf(req);
  exchange.handlingSinceMs = options.nowMs();
  return exchange.signal;
}

async function answerWork(
  reply: FastifyReply,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<{ status: number; body: object }>,
  log: Logger,
): Promise<FastifyReply> {
  try {
    const { status, body } = await work(signal);
    if (reply.raw.headersSent) return reply.hijack();
    return reply
      .code(status)
      .type(json)
      .send(`${JSON.stringify(body)}\n`);
  } catch (error) {
    if (signal.aborted) return reply.hijack();
    log.warn({ err: error }, 'An administrative request failed.');
    const message = error instanceof Error ? error.message : String(error);
    return reply
      .code(503)
      .type(json)
      .header('retry-after', '1')
      .send(`${JSON.stringify({ error: message })}\n`);
  }
}

/** Why the agent is not ready, in plain words. */
export function reasonsNotReady(operations: Operations): readonly string[] {
  return operations.readiness.flatMap((check) => check() ?? []);
}

function statusOf({ version, meter, operations, addresses }: OperatingOptions): object {
  const lines = new Map(operations.health().map(({ component, health }) => [component, health]));
  const counted = meter.status().map((status) => {
    const health = lines.get(status.component);
    lines.delete(status.component);
    return componentOf(status.component, health, {
      lastSeen: isoOf(status.lastSeenMs),
      lastError: status.lastError ?? null,
      lastErrorAt: isoOf(status.lastErrorMs),
      received: status.received,
      kept: status.kept,
      refused: status.refused,
      dropped: status.dropped,
    });
  });
  const silent = [...lines].map(([component, health]) => componentOf(component, health, neverSeen));
  const components = [...counted, ...silent].sort((a, b) => (a.component < b.component ? -1 : 1));
  const notReady = reasonsNotReady(operations);
  return {
    version,
    node: process.versions.node,
    pid: process.pid,
    uptimeSeconds: Math.round(process.uptime() * 1000) / 1000,
    ready: notReady.length === 0,
    notReady,
    listeners: addresses().map(({ url, paths }) => ({ url, paths: paths === 'all' ? 'all' : [...paths] })),
    components,
  };
}

const neverSeen = { lastSeen: null, lastError: null, lastErrorAt: null, received: 0, kept: 0, refused: 0, dropped: 0 };

function componentOf<Counts extends object>(component: string, health: Health | undefined, counts: Counts) {
  return { component, healthy: health?.isHealthy ?? null, health: health?.line ?? null, ...counts };
}

function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
