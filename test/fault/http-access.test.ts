/** Who may do what, over real sockets (reference: reliability rows 57, 58, 76-80). */
import { describe, expect, it } from 'vitest';
import type { QueryRoute } from '../../src/query/query-route.ts';
import {
  connectRaw,
  countAnswers,
  eachTestStartsServer,
  exchangeRaw,
  operations,
  statusOf,
  type TestServer,
} from './http-fixture.ts';

const queryRoutes: readonly QueryRoute[] = [
  {
    method: 'GET',
    path: '/api/v2/trace/:id',
    handle: async ({ params }) => ({ status: 200, contentType: 'application/json', body: JSON.stringify(params) }),
  },
  {
    method: 'GET',
    path: '/api/v1/query',
    aliases: ['/zipkin/api/v1/query'],
    handle: async () => ({ status: 200, contentType: 'application/json', body: '{}' }),
  },
  {
    method: 'GET',
    path: '/health',
    group: 'open',
    handle: async () => ({ status: 200, contentType: 'application/json', body: '{}' }),
  },
];

const start = eachTestStartsServer({ queryRoutes });

/** Behind every address: what the container image listens on. */
const everywhere = { listeners: [{ host: '0.0.0.0', port: 0, paths: 'all' as const }] };

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
}

async function ask(
  { port }: TestServer,
  { method = 'GET', path = '/api/v1/query', headers = {} }: Ask = {},
): Promise<string> {
  const all: Record<string, string> = { Host: `127.0.0.1:${port}`, Connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return await exchangeRaw(
    port,
    `${method} ${path} HTTP/1.1\r\n${lines.join('')}${method === 'POST' ? 'Content-Length: 0\r\n' : ''}\r\n`,
  );
}

describe('on a loopback listener', () => {
  it('a program on this machine may query and administer without a token', async () => {
    const server = await start();
    expect(statusOf(await ask(server))).toBe(200);
    expect(statusOf(await ask(server, { headers: { Host: 'localhost' } }))).toBe(200);
    expect(statusOf(await ask(server, { method: 'POST', path: '/-/reload' }))).toBe(200);
    expect(statusOf(await ask(server, { method: 'POST', path: '/api/trawl/flush' }))).toBe(200);
  });

  it.each<[string, Record<string, string>]>([
    ['a name that was pointed at 127.0.0.1', { Host: 'evil.example:9529' }],
    ['such a name with its own Origin', { Host: 'evil.example', Origin: 'http://evil.example' }],
    ['a name that only begins like loopback', { Host: '127.0.0.1.evil.example' }],
    ['the page of another origin', { Origin: 'http://evil.example' }],
    ['a page in a sandbox', { Origin: 'null' }],
    ['an image in a foreign page', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' }],
    ['a page on another port of this machine', { Origin: 'http://127.0.0.1:3000' }],
    ['a sidecar', { 'X-Forwarded-Proto': 'http', 'X-Request-Id': 'abc' }],
    ['a sidecar that retries', { 'X-Envoy-Attempt-Count': '1' }],
    ['a proxy for another machine', { 'X-Forwarded-For': '127.0.0.1, 10.0.0.9' }],
    ['a proxy that speaks RFC 7239', { Forwarded: 'for=127.0.0.1' }],
  ])('%s may neither query nor administer', async (_who, headers) => {
    const server = await start();
    const query = await ask(server, { headers });
    expect(query).toMatch(/^HTTP\/1\.1 403 .*set one with \[http\] query_tokens/s);
    const reload = await ask(server, { method: 'POST', path: '/-/reload', headers });
    expect(reload).toMatch(/^HTTP\/1\.1 403 .*administrators on the same machine/s);
    expect(query.toLowerCase()).not.toContain('access-control-allow-origin');
  });

  it('a Grafana on this machine, which says whom it relays for, may query but not administer', async () => {
    const server = await start();
    const headers = { 'X-Forwarded-For': '127.0.0.1' };
    expect(statusOf(await ask(server, { headers }))).toBe(200);
    expect(statusOf(await ask(server, { method: 'POST', path: '/-/reload', headers }))).toBe(403);
  });

  it('a person may follow a link from another page, and the own page may ask', async () => {
    const server = await start();
    const link = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' };
    expect(statusOf(await ask(server, { headers: link }))).toBe(200);
    expect(statusOf(await ask(server, { headers: { Origin: `http://127.0.0.1:${server.port}` } }))).toBe(200);
  });
});

describe('on a listener that others reach', () => {
  it('needs the token for queries, and says how to send it', async () => {
    const server = await start({ ...everywhere, access: { query: 'token', queryTokens: ['old-token', 'new-token'] } });
    const bare = await ask(server);
    expect(bare).toMatch(/^HTTP\/1\.1 401 .*www-authenticate: Bearer.*Authorization: Bearer TOKEN/is);
    expect(statusOf(await ask(server, { headers: { Authorization: 'Bearer wrong' } }))).toBe(401);
    expect(statusOf(await ask(server, { headers: { Authorization: 'Bearer old-token' } }))).toBe(200);
    expect(statusOf(await ask(server, { headers: { Authorization: 'bearer new-token' } }))).toBe(200);
  });

  it('refuses the eleventh wrong token within a minute with 429, even if it were right', async () => {
    let nowMs = 0;
    const access = { query: 'token' as const, queryTokens: ['right'] };
    const server = await start({ ...everywhere, access, nowMs: () => nowMs });
    for (let i = 0; i < 10; i += 1) {
      expect(statusOf(await ask(server, { headers: { Authorization: `Bearer guess${i}` } }))).toBe(401);
    }
    const locked = await ask(server, { headers: { Authorization: 'Bearer right' } });
    expect(locked).toMatch(/^HTTP\/1\.1 429 .*retry-after: 60/is);
    nowMs = 60_001;
    expect(statusOf(await ask(server, { headers: { Authorization: 'Bearer right' } }))).toBe(200);
  });

  it('takes another policy at run time', async () => {
    const server = await start({ ...everywhere, access: { query: 'loopback', queryTokens: [] } });
    expect(statusOf(await ask(server))).toBe(403);
    server.server.setAccess({ query: 'open', queryTokens: [] });
    expect(statusOf(await ask(server))).toBe(200);
  });

  it('never lets anyone administer, whatever they show', async () => {
    const server = await start({ ...everywhere, access: { query: 'open', queryTokens: ['t'] } });
    for (const path of ['/-/reload', '/api/trawl/flush']) {
      expect(statusOf(await ask(server, { method: 'POST', path, headers: { Authorization: 'Bearer t' } }))).toBe(403);
    }
  });

  it('leaves ingest, health, readiness and metrics open', async () => {
    const server = await start(everywhere);
    expect(statusOf(await ask(server, { method: 'POST', path: '/ingest' }))).toBe(202);
    expect(statusOf(await ask(server, { path: '/-/healthy' }))).toBe(200);
    expect(statusOf(await ask(server, { path: '/-/ready' }))).toBe(200);
    expect(statusOf(await ask(server, { path: '/metrics' }))).toBe(200);
    expect(statusOf(await ask(server, { path: '/health' }))).toBe(200);
  });

  it('asks for the token wherever a query is served, and lists each once', async () => {
    const server = await start({ ...everywhere, access: { query: 'token', queryTokens: ['right'] } });
    expect(statusOf(await ask(server, { path: '/zipkin/api/v1/query' }))).toBe(401);
    const headers = { Authorization: 'Bearer right' };
    expect(statusOf(await ask(server, { path: '/zipkin/api/v1/query', headers }))).toBe(200);
    const paths = server.server.routes().map(({ path }) => path);
    expect(paths).toContain('/api/v1/query');
    expect(paths).not.toContain('/zipkin/api/v1/query');
  });
});

describe('web pages', () => {
  it('may not send to an ingest route, unless it welcomes any origin', async () => {
    const closed = await start();
    const headers = { Origin: 'http://shop.example' };
    expect(statusOf(await ask(closed, { method: 'POST', path: '/ingest', headers }))).toBe(403);
    await closed.stop();
    const server = await start({ route: { allowsAnyOrigin: true } });
    expect(await ask(server, { method: 'POST', path: '/ingest', headers })).toMatch(
      /^HTTP\/1\.1 202 .*Access-Control-Allow-Origin: \*/s,
    );
    const preflight = { ...headers, 'Access-Control-Request-Method': 'POST' };
    expect(await ask(server, { method: 'OPTIONS', path: '/ingest', headers: preflight })).toMatch(
      /^HTTP\/1\.1 200 .*Allow-Methods: GET, POST/s,
    );
  });

  it('get no preflight but for Zipkin, and none for administration', async () => {
    const server = await start();
    const headers = { Origin: 'http://shop.example', 'Access-Control-Request-Method': 'POST' };
    expect(statusOf(await ask(server, { method: 'OPTIONS', path: '/api/v2/trace/1', headers }))).toBe(200);
    for (const path of ['/-/reload', '/api/trawl/flush', '/api/v1/query', '/ingest']) {
      const answer = await ask(server, { method: 'OPTIONS', path, headers });
      expect(statusOf(answer)).toBe(405);
      expect(answer.toLowerCase()).not.toContain('access-control');
    }
  });
});

describe('bytes that two readers could take for different requests', () => {
  const post = 'POST /ingest HTTP/1.1\r\n';
  const chunk = '3\r\nabc\r\n0\r\n\r\n';
  it.each([
    ['both lengths', `${post}Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`],
    ['two different Content-Lengths', `${post}Host: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
    ['a negative Content-Length', `${post}Host: a\r\nContent-Length: -1\r\n\r\n`],
    ['an unknown Transfer-Encoding', `${post}Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n${chunk}`],
    ['one Transfer-Encoding upon another', `${post}Host: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n${chunk}`],
    ['chunks in HTTP/1.0', `POST /ingest HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`],
    ['two Hosts', `${post}Host: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n`],
    ['no Host', `${post}Content-Length: 0\r\n\r\n`],
    ['a URL of another host', `POST http://b/ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`],
    ['a folded header', `${post}Host: a\r\nX-Y: 1\r\n 2\r\nContent-Length: 0\r\n\r\n`],
    ['a space before the colon', `${post}Host: a\r\nContent-Length : 0\r\n\r\n`],
    ['a NUL in a header', `${post}Host: a\r\nX-Y: a\0b\r\nContent-Length: 0\r\n\r\n`],
    ['a bare CR', `${post}Host: a\rX-Y: b\r\nContent-Length: 0\r\n\r\n`],
    ['lines that end in LF', 'POST /ingest HTTP/1.1\nHost: a\nContent-Length: 0\n\n'],
    ['HTTP/0.9', 'GET /-/healthy\r\n\r\n'],
    ['a chunk with a broken size', `${post}Host: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('are refused with 400 for %s, and nothing behind them is read', async (_what, bytes) => {
    const server = await start();
    const behind = 'POST /ingest HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nsmuggled';
    const answer = await exchangeRaw(server.port, `${bytes}${behind}`);
    expect({ status: statusOf(answer), answers: countAnswers(answer) }).toEqual({ status: 400, answers: 1 });
    expect(answer).toMatch(/\r\n\r\n.+\n$/s);
    expect(server.received).toEqual([]);
    const inFlight = await server.meter.registry.getSingleMetricAsString('trawl_http_requests_in_flight');
    expect(inFlight).toContain('_flight 0');
  });

  it('are not what a proxy sends that names the whole URL', async () => {
    const server = await start();
    const client = connectRaw(server.port, 'GET http://a:1/-/healthy HTTP/1.1\r\nHost: a:1\r\n\r\n');
    expect(statusOf(await client.until(/healthy\n/))).toBe(200);
    client.socket.destroy();
  });

  it.each([
    ['one of 20 KB', `GET / HTTP/1.1\r\nHost: a\r\nX-Y: ${'y'.repeat(20_000)}\r\n\r\n`],
    ['three thousand', `GET / HTTP/1.1\r\nHost: a\r\n${'X-Y: 123\r\n'.repeat(3000)}\r\n`],
  ])('are refused with 431 when the headers are too large: %s', async (_what, bytes) => {
    const server = await start();
    expect(await exchangeRaw(server.port, bytes)).toMatch(/^HTTP\/1\.1 431 .*too large; send long queries by POST\n$/s);
  });
});

describe('paths', () => {
  it.each([
    '/..%2f..%2fetc/passwd',
    '/api/v2/trace/..%2F..%2Fetc',
    '/api/v2/trace/%2e%2e',
    '/../etc/passwd',
    '/api/v2/trace/a%00b',
    '/api/v2/trace/..\\x',
  ])('that climb or hold a NUL do not exist: %s', async (path) => {
    const server = await start();
    expect(statusOf(await ask(server, { path }))).toBe(404);
  });

  it('that are not well-formed are refused with 400', async () => {
    const server = await start();
    expect(await ask(server, { path: '/api/v2/trace/%zz' })).toMatch(/^HTTP\/1\.1 400 .*not well-formed/s);
  });

  it('that are unknown are answered with the nearest routes', async () => {
    const server = await start();
    const answer = await ask(server, { path: '/api/v2/trac/1?x=y' });
    expect(statusOf(answer)).toBe(404);
    expect(answer).toContain('there is no /api/v2/trac/1 here');
    expect(answer).toContain('GET /api/v2/trace/{id}');
  });

  it('answer another method with 404 where Zipkin does, with 405 and Allow elsewhere', async () => {
    const server = await start();
    expect(statusOf(await ask(server, { method: 'HEAD', path: '/api/v2/trace/1' }))).toBe(404);
    expect(statusOf(await ask(server, { method: 'DELETE', path: '/api/v2/trace/1' }))).toBe(404);
    expect(await ask(server, { path: '/ingest' })).toMatch(/^HTTP\/1\.1 405 .*Allow: POST/s);
    expect(await ask(server, { path: '/-/reload' })).toMatch(/^HTTP\/1\.1 405 .*Allow: POST/s);
    expect(statusOf(await ask(server, { method: 'HEAD', path: '/metrics' }))).toBe(200);
  });

  it("are Zipkin's alone on the port that is Zipkin's", async () => {
    const server = await start({
      listeners: [{ host: '127.0.0.1', port: 0, paths: ['/api/v2/', '/ingest'] }],
    });
    expect(statusOf(await ask(server, { path: '/api/v2/trace/1' }))).toBe(200);
    expect(statusOf(await ask(server, { path: '/' }))).toBe(200);
    for (const path of ['/metrics', '/api/v1/query', '/-/reload'])
      expect(statusOf(await ask(server, { path }))).toBe(404);
  });
});

describe('a peer that asks too often', () => {
  it('is told 429 once its burst is used up, if there is such a limit', async () => {
    const server = await start({ limits: { requestsPerSecondPerPeer: 2 }, nowMs: () => 0, operations: operations() });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i += 1) statuses.push(statusOf(await ask(server, { path: '/-/healthy' })));
    expect(statuses).toEqual([...Array(10).fill(200), 429, 429]);
  });
});

describe('a secret', () => {
  it('is in no answer, no log line and no metric', async () => {
    const canary = 'canary-4711-secret';
    const server = await start({ ...everywhere, access: { query: 'token', queryTokens: [canary] } });
    const answers = [
      await ask(server, { headers: { Authorization: `Bearer ${canary}` } }),
      await ask(server, { headers: { Authorization: `Bearer ${canary}x` } }),
      await ask(server, { path: '/api/trawl/status', headers: { Authorization: `Bearer ${canary}` } }),
      await ask(server, { path: '/metrics' }),
      await ask(server, { path: '/' }),
    ];
    expect(`${answers.join()}${JSON.stringify(server.logged)}`).not.toContain(canary);
  });
});
