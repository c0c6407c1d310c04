/** Clients that are slow, silent, many, or still there when the server stops (reference: reliability rows 54-56, 84). Limits are small so that it is quick. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { QueryRoute } from '../../src/query/query-route.ts';
import {
  connectRaw,
  eachTestStartsServer,
  exchangeRaw,
  type RawClient,
  statusOf,
  type TestOptions,
  type TestServer,
} from './http-fixture.ts';

const start = eachTestStartsServer();

const large = randomBytes(16 * 1024 * 1024);
const queryRoutes: readonly QueryRoute[] = [
  {
    method: 'GET',
    path: '/large',
    handle: async () => ({ status: 200, contentType: 'application/octet-stream', body: large }),
  },
];

/** Writes one byte every 100 ms for as long as the other side lets it. */
function drip(client: RawClient, bytes: string): void {
  let sent = 0;
  const timer = setInterval(() => {
    client.socket.write(bytes[sent % bytes.length] ?? 'x');
    sent += 1;
  }, 100);
  client.socket.once('close', () => clearInterval(timer));
}

/** Posts one body after another until told to stop; gives the 99th percentile of how long an answer took. */
function startHealthyClient(server: TestServer): () => Promise<{ count: number; p99Ms: number }> {
  let isStopped = false;
  const tookMs: number[] = [];
  const loop = (async () => {
    while (!isStopped) {
      const startMs = performance.now();
      const response = await fetch(`${server.url}/ingest`, { method: 'POST', body: 'x'.repeat(1000) });
      expect(response.status).toBe(202);
      tookMs.push(performance.now() - startMs);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return async () => {
    isStopped = true;
    await loop;
    tookMs.sort((a, b) => a - b);
    return { count: tookMs.length, p99Ms: tookMs[Math.floor(tookMs.length * 0.99)] ?? 0 };
  };
}

function report(what: string, { count, p99Ms }: { count: number; p99Ms: number }): void {
  expect(count).toBeGreaterThan(0);
  process.stdout.write(`${what}: a healthy client's p99 was ${p99Ms.toFixed(1)} ms over ${count} requests\n`);
}

describe('five hundred clients that', () => {
  it('drip their headers are closed with 408, and a healthy one is served meanwhile', async () => {
    const server = await start({ limits: { headersTimeoutMs: 600, requestTimeoutMs: 1_500, checkIntervalMs: 50 } });
    const clients = Array.from({ length: 500 }, () => connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: a\r\n'));
    for (const client of clients) drip(client, 'X-Y: 1\r\n');
    const finish = startHealthyClient(server);
    const answers = await Promise.all(clients.map(({ closed }) => closed));
    expect(new Set(answers.map(statusOf))).toEqual(new Set([408]));
    report('500 header drippers', await finish());
    expect(await server.meter.registry.getSingleMetricAsString('trawl_http_refused_connections_total')).toContain(
      'reason="request_timeout"} 500',
    );
  });

  it('drip their bodies are closed with 408, and their bytes are given back', async () => {
    const server = await start({ limits: { headersTimeoutMs: 300, requestTimeoutMs: 600, checkIntervalMs: 50 } });
    const clients = Array.from({ length: 500 }, () =>
      connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n'),
    );
    for (const client of clients) drip(client, 'x');
    const finish = startHealthyClient(server);
    const answers = await Promise.all(clients.map(({ closed }) => closed));
    expect(new Set(answers.map(statusOf))).toEqual(new Set([408]));
    report('500 body drippers', await finish());
    expect(server.refused.filter(({ problem }) => problem === 'body_incomplete')).toHaveLength(500);
    expect(await server.meter.registry.getSingleMetricAsString('trawl_http_body_bytes_in_flight')).toContain(
      '_flight 0',
    );
  });
});

describe('clients that do not read', () => {
  // Forty: what is not read fills the kernel's buffers, some MiB for each.
  it('their answers are closed', async () => {
    const server = await start({ queryRoutes, limits: { answerTimeoutMs: 300, checkIntervalMs: 50 } });
    const clients = Array.from({ length: 40 }, () => {
      const client = connectRaw(server.port, 'GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n');
      client.socket.pause();
      return client;
    });
    const finish = startHealthyClient(server);
    const allEnded = /requests_total\{group="query",status="200"\} 40/;
    const ended = async () => await server.meter.registry.getSingleMetricAsString('trawl_http_requests_total');
    await expect.poll(ended, { timeout: 10_000 }).toMatch(allEnded);
    report('40 slow readers', await finish());
    for (const client of clients) client.socket.resume();
    const sizes = (await Promise.all(clients.map(({ closed }) => closed))).map(({ length }) => length);
    expect(Math.max(...sizes)).toBeLessThan(large.length);
  });
});

describe('a client that reads steadily', () => {
  it('is given a large answer whole', async () => {
    const server = await start({ queryRoutes });
    const response = await fetch(`${server.url}/large`);
    expect(Buffer.from(await response.arrayBuffer()).equals(large)).toBe(true);
  });
});

describe('connections beyond the limit', () => {
  it('take the place of those that have been idle longest', async () => {
    const server = await start({ limits: { maxConnections: 100 } });
    const before = process.memoryUsage().rss;
    const clients: RawClient[] = [];
    for (let i = 0; i < 1000; i += 1) {
      const client = connectRaw(server.port, 'GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
      clients.push(client);
      if (i % 50 === 49) await client.until(/healthy\n/);
    }
    await expect.poll(async () => await gauge(server, 'trawl_http_connections')).toBeLessThanOrEqual(100);
    expect(clients.slice(0, 800).every(({ socket }) => socket.destroyed)).toBe(true);
    const last = clients.at(-1);
    expect(last?.socket.destroyed).toBe(false);
    expect((await fetch(`${server.url}/-/healthy`)).status).toBe(200);
    process.stdout.write(
      `1,000 connections: RSS +${Math.round((process.memoryUsage().rss - before) / 1024)} KiB, clients included\n`,
    );
    for (const { socket } of clients) socket.destroy();
  });

  it('are refused while all others are at work', async () => {
    const server = await start({ limits: { maxConnections: 2 }, route: { handle: () => new Promise(() => {}) } });
    const request = 'POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx';
    const busy = [connectRaw(server.port, request), connectRaw(server.port, request)];
    await expect.poll(async () => await gauge(server, 'trawl_http_requests_in_flight')).toBe(2);
    expect(await exchangeRaw(server.port, request)).toBe('');
    expect(busy.every(({ socket }) => !socket.destroyed)).toBe(true);
  });
});

describe('stopping', () => {
  it('answers what is under way, closes what is idle, and refuses what is new', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handle: NonNullable<TestOptions['route']>['handle'] = async () => {
      await held;
      return { status: 202, body: 'kept' };
    };
    const server = await start({ route: { handle } });
    const idle = connectRaw(server.port, 'GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
    await idle.until(/healthy\n/);
    const busy = connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    await expect.poll(async () => await gauge(server, 'trawl_http_requests_in_flight')).toBe(1);
    const stopped = server.server.stop(AbortSignal.timeout(5_000));
    await idle.closed;
    await expect(fetch(`${server.url}/-/healthy`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    expect(busy.text()).toBe('');
    release();
    expect(await busy.closed).toMatch(/^HTTP\/1\.1 202 .*Connection: close.*kept$/s);
    await stopped;
    await server.server.stop(AbortSignal.abort());
  });

  it('lets a body arrive that had begun to', async () => {
    const server = await start();
    const client = connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab');
    await expect.poll(async () => await gauge(server, 'trawl_http_body_bytes_in_flight')).toBe(2);
    const stopped = server.server.stop(AbortSignal.timeout(5_000));
    client.socket.write('cd');
    expect(statusOf(await client.closed)).toBe(202);
    await stopped;
    expect(server.received[0]?.body.toString()).toBe('abcd');
  });

  it('closes everything at the deadline and tells the handlers', async () => {
    let reason: unknown;
    const handle: NonNullable<TestOptions['route']>['handle'] = async ({ signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      reason = signal.reason;
      return { status: 202 };
    };
    const server = await start({ route: { handle } });
    const client = connectRaw(server.port, 'POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx');
    await expect.poll(async () => await gauge(server, 'trawl_http_requests_in_flight')).toBe(1);
    await server.server.stop(AbortSignal.timeout(50));
    expect(await client.closed).toBe('');
    expect(reason).toMatchObject({ message: 'the agent is stopping' });
  });

  it('is harmless before a start', async () => {
    const server = await start();
    await server.server.stop(AbortSignal.abort());
    await server.server.stop(AbortSignal.abort());
  });
});

async function gauge(server: TestServer, name: string): Promise<number> {
  const text = await server.meter.registry.getSingleMetricAsString(name);
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
}
