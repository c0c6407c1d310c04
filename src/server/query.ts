/** Mounts the query dialects' routes on fastify: parameters, forms, deadlines, packing of large answers. */
import type { IncomingMessage } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { QueryResponse, QueryRoute } from '../query/query-route.ts';
import { problemStatus, readBody, refusedByLength } from './body.ts';
import type { ByteBudget, ByteLease } from './byte-budget.ts';
import type { Exchange } from './exchanges.ts';
import { createPacker, packAnswer } from './inflate.ts';
import { anyOrigin, mediaTypeOf } from './ingest.ts';
import type { ServerLimits } from './limits.ts';
import { hidesOtherMethods, servesPath, zipkinPaths } from './listener.ts';
import { queryOf } from './screen.ts';

export interface QueryOptions {
  readonly limits: ServerLimits;
  readonly budget: ByteBudget;
  readonly nowMs: () => number;
  readonly log: Logger;
  exchangeOf(req: IncomingMessage): Exchange;
}

/** Adds the routes to the app, and their aliases. */
export function mountQueryRoutes(app: FastifyInstance, routes: readonly QueryRoute[], options: QueryOptions): void {
  const places = routes.flatMap((route) => [
    { route, path: route.path, isAlias: false },
    ...(route.aliases ?? []).map((path) => ({ route, path, isAlias: true })),
  ]);
  for (const { route, path, isAlias } of places) {
    app.route<{ Params: Record<string, string> }>({
      method: route.method,
      url: path,
      exposeHeadRoute: route.method === 'GET' && !hidesOtherMethods(path),
      config: { group: route.group ?? 'query', isAlias },
      handler: async (request, reply) => {
        const exchange = options.exchangeOf(request.raw);
        // Held until the answer is made: a handler works on the body, and on what it makes of it.
        const lease = options.budget.lease();
        const signal = exchange.signal;
        try {
          const form = await readForm(exchange, route.maxBodyBytes ?? options.limits.formBytes, lease);
          if (form.kind === 'refused') {
            if (!request.raw.complete) void reply.header('connection', 'close');
            return reply.code(form.status).type('text/plain; charset=utf-8').send(`${form.message}\n`);
          }
          exchange.handlingSinceMs = options.nowMs();
          const query = queryOf(request.raw.url ?? '');
          const response = await route.handle({
            params: request.params,
            query,
            form: form.form,
            body: form.body,
            signal,
          });
          return await send(reply, response, { exchange, log: options.log });
        } catch (error) {
          // The client left or was told 503 at the deadline: nobody is there to tell.
          if (signal.aborted) return reply.hijack();
          options.log.error({ err: error, route: route.path }, 'A query route failed; its client was told 500.');
          return reply.code(500).type('text/plain; charset=utf-8').send('internal error; the log says more\n');
        } finally {
          lease.release();
        }
      },
    });
  }
}

type Form =
  | { readonly kind: 'read'; readonly form: URLSearchParams | undefined; readonly body: Buffer | undefined }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string };

async function readForm({ req }: Exchange, limitBytes: number, lease: ByteLease): Promise<Form> {
  if (req.method !== 'POST') return { kind: 'read', form: undefined, body: undefined };
  const read = refusedByLength(req, limitBytes, lease) ?? (await readBody(req, { limitBytes, lease }));
  if (read.kind === 'refused') return { ...read, status: problemStatus[read.problem] };
  const isForm = mediaTypeOf(req.headers['content-type']) === 'application/x-www-form-urlencoded';
  return isForm
    ? { kind: 'read', form: new URLSearchParams(read.body.toString('utf8')), body: undefined }
    : { kind: 'read', form: undefined, body: read.body };
}

interface Sending {
  readonly exchange: Exchange;
  readonly log: Logger;
}

async function send(reply: FastifyReply, response: QueryResponse, sending: Sending): Promise<FastifyReply> {
  const { req, res, path } = sending.exchange;
  const { body } = response;
  const made =
    typeof body === 'string' || Buffer.isBuffer(body)
      ? await wholeBody(body, req.headers['accept-encoding'])
      : streamedBody(body, sending);
  // While it was packed, the deadline may have answered.
  if (res.headersSent || res.destroyed) return reply.hijack();
  void reply.code(response.status).headers({ ...response.headers });
  void reply.type(response.contentType).header('x-content-type-options', 'nosniff').header('vary', 'accept-encoding');
  if (req.headers.origin !== undefined && servesPath(zipkinPaths, path)) void reply.headers(anyOrigin);
  if (made.isPacked) void reply.header('content-encoding', 'gzip');
  return reply.send(made.payload);
}

interface Body {
  readonly payload: Buffer | Readable;
  readonly isPacked: boolean;
}

async function wholeBody(body: string | Buffer, acceptEncoding: string | undefined): Promise<Body> {
  const whole = typeof body === 'string' ? Buffer.from(body) : body;
  const packed = await packAnswer(whole, acceptEncoding);
  return { payload: packed ?? whole, isPacked: packed !== undefined };
}

/** What fails half-way ends the connection, so that nobody takes half an answer for a whole one. */
function streamedBody(body: AsyncIterable<Buffer>, { exchange, log }: Sending): Body {
  const written = Readable.from(body, { objectMode: false });
  const ended = (error: Error | null | undefined): void => {
    if (error === null || error === undefined || exchange.signal.aborted || exchange.res.destroyed) return;
    log.error({ err: error, path: exchange.path }, 'An answer failed half-way; its connection was closed.');
  };
  const packer = createPacker(exchange.req.headers['accept-encoding']);
  if (packer !== undefined) return { payload: pipeline(written, packer, ended), isPacked: true };
  written.once('error', ended);
  return { payload: written, isPacked: false };
}
