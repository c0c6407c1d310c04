import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { inspect } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost, realClock, until } from '../../../test/fixtures/fake-host.ts';
import { emptyResource } from '../../model/resource.ts';
import type { Span } from '../../model/span.ts';
import type { Delivery, EncodedBody, Sink } from '../../pipeline/component.ts';
import { openOutput } from '../../pipeline/delivery/output.ts';
import { realFileSystem } from '../../pipeline/file-system.ts';
import { zipkinOutput } from './index.ts';

const canary = 'canary-5f2c';
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const span = (id: number): Span => ({
  traceId: '0'.repeat(16) + id.toString(16).padStart(16, '0'),
  id: id.toString(16).padStart(16, '0'),
  parentId: undefined,
  kind: 'SERVER',
  shared: false,
  debug: false,
  name: 'get /',
  startUs: 1_700_000_000_000_000,
  durationUs: 1000,
  status: 'unset',
  localEndpoint: { serviceName: 'productpage', ipv4: '127.0.0.1', ipv6: undefined, port: 9080 },
  remoteEndpoint: undefined,
  events: [],
  attributes: { 'http.method': 'GET' },
  resource: emptyResource,
});

async function listen(server: Server | TcpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return (address satisfies AddressInfo).port;
}

async function serve(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  const port = await listen(server);
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}/api/v2/spans`;
}

async function serveTcp(handle: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    handle(socket);
  });
  const port = await listen(server);
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${port}/api/v2/spans`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function host(): FakeHost {
  const made = createFakeHost({ clock: realClock, name: 'outputs.zipkin' });
  cleanups.push(() => made.close());
  return made;
}

function sinkFor(url: string, keys: Record<string, unknown> = {}): Sink {
  const config = zipkinOutput.config.parse({ url, headers: { Authorization: `Bearer ${canary}` }, ...keys });
  const sink = zipkinOutput.connect(config, host());
  cleanups.push(() => sink.close());
  return sink;
}

function bodyFor(sink: Sink, ids: readonly number[]): EncodedBody {
  const body = sink.encode({ signal: 'spans', items: ids.map(span) });
  if (body === undefined) throw new Error('the sink does not take spans');
  return body;
}

/** One attempt, and the proof that no answer of the sink shows a secret. */
async function send(sink: Sink): Promise<Delivery & { message: string }> {
  const delivery = await sink.send(bodyFor(sink, [1]), AbortSignal.timeout(10_000));
  expect(inspect(delivery, { depth: 10 })).not.toContain(canary);
  return { ...delivery, message: delivery.kind === 'delivered' ? '' : delivery.cause.message };
}

const answering =
  (status: number, headers: Record<string, string> = {}, text = '') =>
  (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, headers).end(text);
  };

describe('the zipkin output', () => {
  it('posts Zipkin v2 JSON, compressed unless told otherwise, with the configured headers', async () => {
    const got: { url: string | undefined; headers: IncomingMessage['headers']; body: Buffer }[] = [];
    const url = await serve(async (request, response) => {
      got.push({ url: request.url, headers: request.headers, body: await bodyOf(request) });
      response.writeHead(202).end();
    });
    expect((await send(sinkFor(url))).kind).toBe('delivered');
    expect((await send(sinkFor(url, { compression: 'none' }))).kind).toBe('delivered');
    const [zipped, plain] = got;
    expect(zipped?.url).toBe('/api/v2/spans');
    expect(zipped?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      authorization: `Bearer ${canary}`,
    });
    const text = plain?.body.toString() ?? '';
    expect(gunzipSync(zipped?.body ?? Buffer.alloc(0)).toString()).toBe(text);
    expect(plain?.headers['content-encoding']).toBeUndefined();
    expect(JSON.parse(text)).toMatchObject([{ id: '0000000000000001', localEndpoint: { serviceName: 'productpage' } }]);
  });

  it('takes no metrics and no logs', () => {
    const sink = sinkFor('http://127.0.0.1:1/');
    expect(sink.encode({ signal: 'logs', items: [] })).toBeUndefined();
    expect(sink.encode({ signal: 'samples', items: [] })).toBeUndefined();
  });

  it('sends again what a backend in trouble answered, as late as that asks', async () => {
    for (const status of [408, 429, 500, 502, 503, 504]) {
      const delivery = await send(sinkFor(await serve(answering(status, { 'retry-after': '7' }, 'busy\r\n\u0007now'))));
      expect(delivery).toMatchObject({ kind: 'retry', afterMs: 7000 });
      expect(delivery.message).toMatch(
        new RegExp(`^http://127.0.0.1:\\d+/api/v2/spans answered ${status}: busy now; will be sent again$`),
      );
    }
  });

  it('gives up a body that the backend will never take', async () => {
    for (const status of [400, 413, 415, 422]) {
      const delivery = await send(sinkFor(await serve(answering(status, {}, 'bad span'))));
      expect(delivery.kind).toBe('rejected');
      expect(delivery.message).toContain(`answered ${status}: bad span; it will not take this body`);
    }
  });

  it('holds when credentials are refused, the path is wrong or it is sent elsewhere, which it does not follow', async () => {
    let followed = 0;
    const elsewhere = await serve((_request, response) => {
      followed += 1;
      response.end();
    });
    const cases: [number, Record<string, string>, string][] = [
      [401, {}, 'credentials refused'],
      [403, {}, 'credentials refused'],
      [404, {}, 'check url'],
      [307, { location: elsewhere }, 'redirects are not followed'],
    ];
    for (const [status, headers, advice] of cases) {
      const delivery = await send(sinkFor(await serve(answering(status, headers))));
      expect(delivery).toMatchObject({ kind: 'retry', afterMs: 60_000 });
      expect(delivery.message).toContain(advice);
    }
    expect(followed).toBe(0);
  });

  it('reads 4 KiB of an endless error body and no more', async () => {
    let sent = 0;
    const url = await serve((_request, response) => {
      response.writeHead(500);
      const chunk = Buffer.alloc(1024, 'x');
      const push = () => {
        while (!response.destroyed && sent < 50_000_000) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', push);
        }
      };
      push();
    });
    const delivery = await send(sinkFor(url));
    expect(delivery.kind).toBe('retry');
    expect(delivery.message.length).toBeLessThan(500);
    expect(sent).toBeLessThan(20_000_000);
  });

  it('takes the status for the answer when the error body never ends', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(400);
      response.write('bad');
    });
    expect((await send(sinkFor(url, { timeout: '300ms' }))).kind).toBe('rejected');
  });

  it('gives up waiting for a backend that accepts and never answers', async () => {
    const delivery = await send(sinkFor(await serveTcp(() => undefined), { timeout: '200ms' }));
    expect(delivery).toMatchObject({ kind: 'retry', mayHaveArrived: true });
    expect(delivery.message).toContain('no answer within 200 ms');
  });

  it('knows what may have arrived when the connection breaks off', async () => {
    const reset = await serveTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await send(sinkFor(reset))).toMatchObject({ kind: 'retry', mayHaveArrived: true });
    const halfClosed = await serveTcp((socket) => socket.once('data', () => socket.end()));
    expect((await send(sinkFor(halfClosed))).message).toContain('the connection broke off; will be sent again');
    const garbage = await serveTcp((socket) => socket.once('data', () => socket.end('hello?\r\n\r\n')));
    expect((await send(sinkFor(garbage))).kind).toBe('retry');
  });

  it('says what is wrong when nothing listens or the name is unknown', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    server.close();
    const refused = await send(sinkFor(`http://127.0.0.1:${port}/api/v2/spans`));
    expect(refused).toMatchObject({ kind: 'retry', mayHaveArrived: false });
    expect(refused.message).toContain(`127.0.0.1:${port}/api/v2/spans: nothing listens there`);
    const unknown = await send(sinkFor('http://nobody.invalid:9411/api/v2/spans'));
    expect(unknown.message).toContain('http://nobody.invalid:9411/api/v2/spans: its name cannot be resolved');
  });

  it('ends an attempt when told to', async () => {
    const sink = sinkFor(await serveTcp(() => undefined));
    const stop = new AbortController();
    const sending = sink.send(bodyFor(sink, [1]), stop.signal);
    stop.abort(new Error('stop'));
    expect((await sending).kind).toBe('retry');
  });

  it('names certificate files that are not there', async () => {
    const delivery = await send(sinkFor('https://127.0.0.1:1/', { ca_certs: ['/nowhere/ca.pem'] }));
    expect(delivery.message).toContain('/nowhere/ca.pem');
    expect(delivery.message).toContain('check ca_certs');
  });

  it('proves the address without sending a span', async () => {
    const bodies: string[] = [];
    const url = await serve(async (request, response) => {
      bodies.push((await bodyOf(request)).toString());
      response.writeHead(202).end();
    });
    const sink = sinkFor(url, { compression: 'none' });
    expect(await sink.probe(AbortSignal.timeout(5000))).toEqual({ isHealthy: true, line: `${url} takes spans` });
    expect(bodies).toEqual(['[]']);
    const health = await sinkFor(await serve(answering(401))).probe(AbortSignal.timeout(5000));
    expect(health.isHealthy).toBe(false);
    expect(health.line).toContain('credentials refused');
  });

  it('delivers every span through a backend that fails in every way, and no slow backend holds another up', async () => {
    const received = new Map<string, number>();
    let attempts = 0;
    const flaky = await serve(async (request, response) => {
      const body = await bodyOf(request);
      attempts += 1;
      if (attempts % 5 === 1) return void response.writeHead(503).end('busy');
      if (attempts % 5 === 2) return void request.socket.resetAndDestroy();
      if (attempts % 5 === 3) return void response.writeHead(429, { 'retry-after': '0' }).end();
      for (const { id } of JSON.parse(body.toString())) received.set(id, (received.get(id) ?? 0) + 1);
      response.writeHead(202).end();
    });
    const dead = await serveTcp(() => undefined);
    const outputs = [];
    for (const url of [flaky, dead]) {
      const its = host();
      outputs.push(
        await openOutput({
          sink: sinkFor(url, { compression: 'none' }),
          host: its,
          spool: {
            directory: `${its.dataDirectory}/spool`,
            fileSystem: realFileSystem,
            limits: { maxBytes: 1 << 24, segmentAgeMs: 20 },
            whenFull: 'drop_oldest',
            writer: 1,
          },
          random: () => 0.01,
        }),
      );
    }
    const signal = AbortSignal.timeout(15_000);
    for (let id = 1; id <= 50; id++) {
      for (const output of outputs) {
        expect(await output.append({ signal: 'spans', items: [span(id)] }, signal)).toEqual({ kind: 'kept' });
      }
    }
    await until('all 50 spans have arrived', () => received.size === 50);
    const [first, second] = outputs;
    await first?.running.stop(signal);
    await second?.running.stop(AbortSignal.abort());
    expect([...received.values()].every((times) => times === 1)).toBe(true);
  });
});
