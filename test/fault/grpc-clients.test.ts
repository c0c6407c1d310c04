/** Clients of gRPC that mean harm, or are broken: what they do must cost them, not the others. Frames are written by hand where node's client is too polite. */
import net, { type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createChoices } from '../contract/decoder-kit.ts';
import { until } from '../fixtures/fake-host.ts';
import { answerOf, connectGrpc, framed, type GrpcClient } from '../fixtures/grpc-client.ts';
import { eachTestStartsServer, type TestOptions } from './http-fixture.ts';

const startServer = eachTestStartsServer();
const path = '/trawl.test.Service/Take';
const hello = Buffer.from('hello');
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

const clients: GrpcClient[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function start(options: Omit<TestOptions, 'route'> = {}) {
  const started = await startServer({
    ...options,
    route: { path, isGrpc: true, handle: async () => ({ status: 200, body: hello }) },
  });
  const connect = () => {
    const client = connectGrpc(started.port);
    clients.push(client);
    return client;
  };
  return { ...started, connect };
}

interface RawClient {
  readonly socket: Socket;
  received(): Buffer;
  readonly closed: Promise<void>;
}

/** A connection for bytes as they are; nothing that comes back is obeyed. */
function openRaw(port: number): RawClient {
  const socket = net.connect(port, '127.0.0.1');
  sockets.push(socket);
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  socket.on('error', () => undefined);
  return {
    socket,
    received: () => received,
    closed: new Promise((resolve) => socket.once('close', () => resolve())),
  };
}

/** A frame of HTTP/2 (RFC 9113 section 4.1). */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const types = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 } as const;
const settings = frame(types.settings, 0, 0);
const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
/** POST over http to the path: HPACK's static entries 3 and 6, and literals. */
const headerBlock = Buffer.concat([
  Buffer.of(0x83, 0x86),
  literal(':path', path),
  literal(':authority', 'x'),
  literal('content-type', 'application/grpc'),
]);

/** Writes until the server closes the connection, and never more than it takes; gives how many were written. */
async function flood({ socket }: RawClient, next: (i: number) => Buffer, most: number): Promise<number> {
  for (let i = 0; i < most; i++) {
    if (socket.destroyed || socket.closed) return i;
    if (i % 50 === 0) await new Promise(setImmediate);
    if (!socket.write(next(i))) {
      for (let waitedMs = 0; waitedMs < 200 && socket.writableNeedDrain && !socket.destroyed; waitedMs += 5)
        await sleep(5);
    }
  }
  return most;
}

describe('a client that', () => {
  it('opens and resets streams as fast as it can is shut out, and nobody else', async () => {
    const { port, connect } = await start();
    const raw = openRaw(port);
    raw.socket.write(Buffer.concat([preface, settings]));
    const cancel = Buffer.of(0, 0, 0, 8);
    const written = await flood(
      raw,
      (i) => Buffer.concat([frame(types.headers, 4, 2 * i + 1, headerBlock), frame(types.reset, 0, 2 * i + 1, cancel)]),
      50_000,
    );
    expect(written).toBeLessThan(50_000);
    await raw.closed;
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
  });

  it.each([
    ['PINGs', frame(types.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', settings],
    ['PING answers nobody asked for', frame(types.ping, 1, 0, Buffer.alloc(8))],
  ])('floods with %s and reads nothing costs no memory', async (_, each) => {
    const { port, connect } = await start();
    const raw = openRaw(port);
    raw.socket.pause();
    raw.socket.write(Buffer.concat([preface, settings]));
    const before = process.memoryUsage().rss;
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => each));
    await flood(raw, () => many, 200);
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  it.each([
    ['headers without end', (i: number) => frame(i === 0 ? types.headers : types.continuation, 0, 1, headerBlock)],
    ['an empty header block without end', (i: number) => frame(i === 0 ? types.headers : types.continuation, 0, 1)],
  ])('sends %s is shut out', async (_, next) => {
    const { port, connect } = await start();
    const raw = openRaw(port);
    raw.socket.write(Buffer.concat([preface, settings]));
    expect(await flood(raw, next, 100_000)).toBeLessThan(100_000);
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
  });

  it('sends more headers than are borne is refused', async () => {
    const { connect } = await start();
    const client = connect();
    const answer = await client.call(path, hello, { 'x-large': 'x'.repeat(70_000) });
    expect(answer.code).toBeUndefined();
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
  });

  it('claims 4 GB a hundred times over takes no memory with it', async () => {
    const { connect, refused } = await start();
    const client = connect();
    const before = process.memoryUsage().arrayBuffers;
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => client.send(path, framed(hello, { lengthBytes: 2 ** 32 - 1 }))),
    );
    expect(answers.every(({ code }) => code === 8)).toBe(true);
    expect(refused).toHaveLength(100);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024);
  });

  it('sends on after it was refused is not read into memory', async () => {
    const { connect } = await start();
    const stream = connect().open(path);
    const answer = answerOf(stream);
    stream.write(framed(Buffer.alloc(1024), { lengthBytes: 2 ** 32 - 1 }));
    for (let i = 0; i < 1_000 && stream.writable; i++) {
      if (!stream.write(Buffer.alloc(16_384))) await sleep(1);
    }
    expect(await answer).toMatchObject({ code: 8, resetCode: 0 });
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
  });

  it('begins with half a preface and stays is told that its time is over', async () => {
    const { port } = await start({ limits: { headersTimeoutMs: 100 } });
    const raw = openRaw(port);
    raw.socket.write(preface.subarray(0, 10));
    await raw.closed;
    expect(raw.received().toString()).toMatch(/^HTTP\/1.1 408 /);
  });

  it('drips its preface is understood, and one that drips HTTP/1 too', async () => {
    const { port } = await start();
    const drip = async (bytes: Buffer) => {
      const raw = openRaw(port);
      for (const byte of bytes) {
        raw.socket.write(Buffer.of(byte));
        await sleep(1);
      }
      return raw;
    };
    const http2 = await drip(Buffer.concat([preface, settings]));
    await until('the server sent its settings', () => http2.received()[3] === types.settings);
    const http1 = await drip(Buffer.from('POST /-/nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n'));
    await until('the server answered', () => http1.received().toString().startsWith('HTTP/1.1 404 '));
  });

  it('stays idle is told to go after the keep-alive time', async () => {
    const { connect } = await start({ limits: { keepAliveTimeoutMs: 100, checkIntervalMs: 20 } });
    const client = connect();
    expect(await client.call(path, hello)).toMatchObject({ code: 0 });
    await until('its session is closed', () => client.session.destroyed);
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
  });

  it('does not go when it is told to holds up no stop', async () => {
    const { port, server } = await start({ limits: { lingerMs: 50, checkIntervalMs: 20 } });
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    socket.write(Buffer.concat([preface, settings]));
    await until('it is spoken to', () => received > 0);
    const deadline = AbortSignal.timeout(10_000);
    await server.stop(deadline);
    expect(deadline.aborted).toBe(false);
  });

  it('does not read its answer loses its connection', async () => {
    const { port, connect } = await start({ limits: { answerTimeoutMs: 100, checkIntervalMs: 20 } });
    const raw = openRaw(port);
    // A window of 0 for every stream: the answer's message cannot be sent.
    const noWindow = frame(types.settings, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0));
    raw.socket.write(Buffer.concat([preface, noWindow, frame(types.headers, 4, 1, headerBlock)]));
    raw.socket.write(frame(types.data, 1, 1, framed(hello)));
    await raw.closed;
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
  });

  it('opens more connections than are borne loses those that are idle', async () => {
    const { connect } = await start({ limits: { maxConnections: 4 } });
    for (let i = 0; i < 12; i++) expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
    expect(clients.filter(({ session }) => !session.destroyed).length).toBeLessThanOrEqual(12);
    await until('the oldest are gone', () => clients.filter(({ session }) => !session.destroyed).length <= 4);
  });

  it('opens more streams than are borne has them refused, without harm to the others', async () => {
    const { port, connect } = await start();
    const raw = openRaw(port);
    raw.socket.write(Buffer.concat([preface, settings, frame(types.settings, 1, 0)]));
    await flood(raw, (i) => frame(types.headers, 4, 2 * i + 1, headerBlock), 5_000);
    expect(await connect().call(path, hello)).toMatchObject({ code: 0 });
  });

  it('sends frames with random bytes in them is answered or shut out, and the server goes on', async () => {
    const { port, connect, logged } = await start({
      limits: { keepAliveTimeoutMs: 200, requestTimeoutMs: 200, lingerMs: 50, checkIntervalMs: 20 },
    });
    const seed = 4317;
    const random = createChoices(seed);
    const good = Buffer.concat([
      preface,
      settings,
      frame(types.headers, 4, 1, headerBlock),
      frame(types.data, 1, 1, framed(hello)),
    ]);
    const ends: Promise<void>[] = [];
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.from(good);
      for (let i = 0; i <= random(4); i++) bytes[random(bytes.length)] = random(256);
      const raw = openRaw(port);
      raw.socket.end(bytes.subarray(0, 1 + random(bytes.length)));
      ends.push(raw.closed);
      if (round % 20 === 19) await Promise.all(ends.splice(0));
    }
    expect(await connect().call(path, hello), `seed ${seed}`).toMatchObject({ code: 0 });
    expect(logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});
