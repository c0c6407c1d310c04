import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { eachTestStartsServer, type TestOptions } from '../../../test/fault/http-fixture.ts';
import { until } from '../../../test/fixtures/fake-host.ts';
import { answerOf, connectGrpc, framed, type GrpcClient } from '../../../test/fixtures/grpc-client.ts';
import type { IngestRequest, IngestResponse } from '../../pipeline/ingest-route.ts';

const startServer = eachTestStartsServer();
const path = '/trawl.test.Service/Take';
const hello = Buffer.from('hello');

const clients: GrpcClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

async function start(
  handle: (request: IngestRequest) => Promise<IngestResponse> = async ({ body }) => ({
    status: 200,
    body: Buffer.from(body),
  }),
  options: Omit<TestOptions, 'route'> = {},
) {
  const started = await startServer({ ...options, route: { path, isGrpc: true, handle } });
  const connect = () => {
    const client = connectGrpc(started.port);
    clients.push(client);
    return client;
  };
  return { ...started, connect, client: connect() };
}

const metric = async (started: { meter: { registry: { metrics(): Promise<string> } } }, line: string) =>
  (await started.meter.registry.metrics()).split('\n').find((each) => each.startsWith(line));

describe('a unary call', () => {
  it('is answered with a message and OK', async () => {
    const { client } = await start();
    expect(await client.call(path, hello)).toEqual({
      httpStatus: 200,
      code: 0,
      message: '',
      details: undefined,
      acceptEncoding: 'identity,deflate,gzip',
      body: framed(hello),
      resetCode: 0,
    });
  });

  it('may have an empty message', async () => {
    const { client } = await start();
    expect(await client.call(path, Buffer.alloc(0))).toMatchObject({ code: 0, body: framed(Buffer.alloc(0)) });
  });

  it('is read the same in pieces of any size', async () => {
    const { client } = await start();
    const message = Buffer.from(Array.from({ length: 60_000 }, (_, i) => i % 251));
    const bytes = framed(message);
    for (const size of [1_000, 4_099, 16_384, 60_000]) {
      const stream = client.open(path);
      const answer = answerOf(stream);
      for (let at = 0; at < bytes.length; at += size) {
        stream.write(bytes.subarray(at, at + size));
        await new Promise(setImmediate);
      }
      stream.end();
      expect((await answer).body.equals(bytes), `pieces of ${size}`).toBe(true);
    }
    const slow = client.open(path);
    const answer = answerOf(slow);
    for (const byte of framed(hello)) {
      slow.write(Buffer.of(byte));
      await sleep(1);
    }
    slow.end();
    expect(await answer).toMatchObject({ code: 0, body: framed(hello) });
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ] as const)('is unpacked: %s', async (encoding, pack) => {
    const { client } = await start();
    const bytes = framed(pack(hello), { compressed: true });
    expect(await client.send(path, bytes, { 'grpc-encoding': encoding })).toMatchObject({
      code: 0,
      body: framed(hello),
    });
    expect(await client.call(path, hello, { 'grpc-encoding': encoding })).toMatchObject({ body: framed(hello) });
  });

  it('comes on the same port as HTTP/1, where it is no route', async () => {
    const { client, url } = await start();
    expect(await client.call(path, hello)).toMatchObject({ code: 0 });
    expect((await fetch(`${url}/-/healthy`)).status).toBe(200);
    expect((await fetch(url + path, { method: 'POST', body: 'x' })).status).toBe(404);
  });

  it('waits its turn beside a hundred others on one connection', async () => {
    const { client } = await start(async ({ body }) => {
      await sleep(5);
      return { status: 200, body: Buffer.from(body) };
    });
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => client.call(path, Buffer.from(String(i)))));
    expect(answers.map(({ body }) => body.subarray(5).toString())).toEqual(
      Array.from({ length: 300 }, (_, i) => String(i)),
    );
  });
});

describe('a call is refused', () => {
  it.each<[string, Buffer, Record<string, string>, number, string, string | undefined]>([
    ['with no message', Buffer.alloc(0), {}, 12, 'the call takes one message; none came', 'body_incomplete'],
    ['with two', Buffer.concat([framed(hello), framed(hello)]), {}, 12, 'more came', 'body_incomplete'],
    ['cut in its prefix', Buffer.of(0, 0, 0), {}, 13, 'ended after 0 of 0 bytes', 'body_incomplete'],
    ['cut in its message', framed(hello, { lengthBytes: 9 }), {}, 13, 'ended after 5 of 9 bytes', 'body_incomplete'],
    ['with a flag that is none', Buffer.of(2, 0, 0, 0, 0), {}, 13, '2 is no compressed-flag', 'body_incomplete'],
    ['compressed, but how?', framed(hello, { compressed: true }), {}, 13, 'no grpc-encoding says how', 'bad_encoding'],
    ['not gzip', framed(hello, { compressed: true }), { 'grpc-encoding': 'gzip' }, 13, 'not the gzip', 'bad_encoding'],
    ['in snappy', framed(hello), { 'grpc-encoding': 'snappy' }, 12, 'snappy is not understood', 'unsupported_encoding'],
    ['of 4 GB', framed(hello, { lengthBytes: 2 ** 32 - 1 }), {}, 8, '4294967295 bytes is larger', 'body_too_large'],
    ['with a timeout of words', framed(hello), { 'grpc-timeout': 'soon' }, 13, 'grpc-timeout is not', undefined],
  ])('%s', async (_, bytes, headers, code, message, problem) => {
    const { client, refused } = await start();
    expect(await client.send(path, bytes, headers)).toMatchObject({
      httpStatus: 200,
      code,
      message: expect.stringContaining(message),
      acceptEncoding: 'identity,deflate,gzip',
    });
    expect(refused.map((each) => each.problem)).toEqual(problem === undefined ? [] : [problem]);
    expect(await client.call(path, hello)).toMatchObject({ code: 0 });
  });

  it('when it inflates to more than the limit', async () => {
    const { client, refused } = await start();
    const bytes = framed(gzipSync(Buffer.alloc(300 * 1024)), { compressed: true });
    expect(await client.send(path, bytes, { 'grpc-encoding': 'gzip' })).toMatchObject({ code: 8 });
    expect(refused.map(({ problem }) => problem)).toEqual(['inflated_too_large']);
  });

  it('when there is no such method, with the names of those that there are', async () => {
    const { client } = await start();
    const answer = await client.call('/opentelemetry.proto.collector.trace.v1.TraceService/Import', hello);
    expect(answer).toMatchObject({ code: 12, message: expect.stringContaining(path) });
  });

  it('in HTTP’s words when it is no gRPC', async () => {
    const { client } = await start();
    const plain = await client.send(path, hello, { 'content-type': 'application/json' });
    expect([plain.httpStatus, plain.body.toString()]).toEqual([415, expect.stringContaining('use HTTP/1.1')]);
    const get = client.session.request({ ':path': '/' });
    expect((await answerOf(get)).httpStatus).toBe(415);
  });

  it('when it comes from a foreign web page', async () => {
    const { client } = await start();
    const answer = await client.call(path, hello, { origin: 'http://evil.example' });
    expect(answer).toMatchObject({ code: 7, message: expect.stringContaining('another origin') });
  });

  it('as what its route says, with a RetryInfo where it may come again', async () => {
    let status = 400;
    const { client } = await start(async () => ({
      status,
      body: 'ça ne va pas: 100 %\n',
      ...(status === 400 ? {} : { retryAfterMs: 2_500 }),
    }));
    expect(await client.call(path, hello)).toMatchObject({
      code: 3,
      message: 'ça ne va pas: 100 %',
      details: undefined,
    });
    status = 429;
    const later = await client.call(path, hello);
    expect(later).toMatchObject({ code: 14, message: 'ça ne va pas: 100 %' });
    // Status{14, message, Any{type, RetryInfo{Duration{2 s, 500,000,000 ns}}}}
    const text = later.details?.toString('latin1') ?? '';
    expect(text).toContain('type.googleapis.com/google.rpc.RetryInfo');
    expect(later.details?.subarray(-10).toString('hex')).toBe('0a0808021080cab5ee01'.slice(-20));
  });

  it('as an internal error when the handler throws, which is logged', async () => {
    const { client, logged } = await start(async () => {
      throw new Error('boom');
    });
    expect(await client.call(path, hello)).toMatchObject({ code: 13, message: 'internal error; the log says more' });
    expect(logged.map(({ msg }) => msg)).toContain('An input failed on a call; its sender was told.');
  });

  it('while too many bytes are in flight, and taken again afterwards', async () => {
    const { client, refused } = await start(undefined, { limits: { bodyBytesInFlight: 40_000 } });
    const hog = client.open(path);
    hog.on('error', () => undefined);
    hog.write(framed(Buffer.alloc(30_000), { lengthBytes: 31_000 }));
    await sleep(50);
    const big = Buffer.alloc(20_000);
    expect(await client.call(path, big)).toMatchObject({ code: 14, details: expect.any(Buffer) });
    expect(refused.map(({ problem }) => problem)).toEqual(['overloaded']);
    hog.close(8);
    await until('the bytes are given back', async () => (await client.call(path, big)).code === 0);
  });
});

describe('a call whose time is over', () => {
  const never = (request: IngestRequest) =>
    new Promise<IngestResponse>((resolve) => {
      request.signal.addEventListener('abort', () => resolve({ status: 503 }));
    });

  it('is ended at the deadline that its client gave, and its handler is told', async () => {
    let hasAborted = false;
    const { client } = await start(async (request) => {
      const response = await never(request);
      hasAborted = true;
      return response;
    });
    const answer = await client.call(path, hello, { 'grpc-timeout': '50m' });
    expect(answer).toMatchObject({ code: 4, message: expect.stringContaining('grpc-timeout') });
    await until('the handler was told', () => hasAborted);
  });

  it('is ended when its message does not come', async () => {
    const { client, refused } = await start(undefined, { limits: { requestTimeoutMs: 100, checkIntervalMs: 20 } });
    const stream = client.open(path);
    const answer = answerOf(stream);
    stream.write(framed(hello, { lengthBytes: 100 }));
    const drip = setInterval(() => stream.writable && stream.write('x'), 10);
    expect(await answer).toMatchObject({ code: 4, message: 'the request did not arrive in time' });
    clearInterval(drip);
    await until('it is counted', () => refused.length === 1);
  });

  it('is ended when its handler takes too long, and may come again', async () => {
    const { client } = await start(never, { limits: { handlerTimeoutMs: 50, checkIntervalMs: 20 } });
    expect(await client.call(path, hello)).toMatchObject({ code: 14, details: expect.any(Buffer) });
  });

  it('aborts when its client leaves', async () => {
    let aborted = 0;
    const started = await start(async (request) => {
      const response = await never(request);
      aborted += 1;
      return response;
    });
    const stream = started.client.open(path);
    stream.on('error', () => undefined);
    stream.end(framed(hello));
    await sleep(30);
    stream.close(8);
    await until('the handler was told', () => aborted === 1);
    const other = started.connect();
    other
      .open(path)
      .on('error', () => undefined)
      .end(framed(hello));
    await sleep(30);
    await other.close();
    await until('the handler was told again', () => aborted === 2);
    expect(await metric(started, 'trawl_grpc_calls_total{code="CANCELLED"}')).toBe(
      'trawl_grpc_calls_total{code="CANCELLED"} 2',
    );
  });
});

describe('a server that stops', () => {
  it('tells its clients to go, answers what is under way and takes nothing new', async () => {
    let finish = () => {};
    const { client, server } = await start(
      () =>
        new Promise((resolve) => {
          finish = () => resolve({ status: 200, body: 'done' });
        }),
    );
    const idle = connectGrpc(server.addresses[0]?.port ?? 0);
    clients.push(idle);
    await once(idle.session, 'remoteSettings');
    const idleGone = once(idle.session, 'goaway');
    const underWay = client.call(path, hello);
    await sleep(30);
    const goaway = once(client.session, 'goaway');
    const stopped = server.stop(AbortSignal.timeout(5_000));
    expect((await goaway)[0]).toBe(0);
    expect((await idleGone)[0]).toBe(0);
    finish();
    expect(await underWay).toMatchObject({ code: 0, body: framed(Buffer.from('done')) });
    await stopped;
    await expect(
      new Promise((_, reject) => net.connect(server.addresses[0]?.port ?? 0, '127.0.0.1').once('error', reject)),
    ).rejects.toThrow('ECONNREFUSED');
  });

  it('aborts at its deadline what is still under way', async () => {
    let hasAborted = false;
    const { client, server } = await start(
      ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            hasAborted = true;
            resolve({ status: 503 });
          });
        }),
    );
    const answer = client.call(path, hello);
    await sleep(30);
    await server.stop(AbortSignal.timeout(50));
    expect((await answer).code).toBeUndefined();
    expect(hasAborted).toBe(true);
  });
});

describe('the health check', () => {
  const check = '/grpc.health.v1.Health/Check';
  const ask = (service: string) => Buffer.concat([Buffer.of(0x0a, service.length), Buffer.from(service)]);

  it('says that the server and its services are serving, and knows no other', async () => {
    const { client } = await start();
    const serving = framed(Buffer.of(8, 1));
    expect(await client.call(check, Buffer.alloc(0))).toMatchObject({ code: 0, body: serving });
    expect(await client.call(check, ask('trawl.test.Service'))).toMatchObject({ code: 0, body: serving });
    expect(await client.call(check, ask('trawl.test'))).toMatchObject({ code: 5 });
    expect(await client.call(check, hello)).toMatchObject({ code: 3 });
  });
});
