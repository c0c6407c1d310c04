import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestServer, type TestOptions, type TestServer } from '../../test/fault/http-fixture.ts';
import type { QueryRequest, QueryRoute } from '../query/query-route.ts';
import { zipkinPaths } from './listener.ts';

let running: TestServer | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function start(options: TestOptions = {}): Promise<TestServer> {
  running = await startTestServer(options);
  return running;
}

const baseOperations = {
  readiness: [],
  health: () => [],
  flush: async () => {},
  reload: async () => ({ kind: 'applied', changes: [] }) as const,
};

describe('listeners', () => {
  it('serve the same routes on several ports, each where it says', async () => {
    const listeners = [
      { host: '127.0.0.1', port: 0, paths: 'all' as const },
      { host: '127.0.0.1', port: 0, paths: ['/ingest'] },
    ];
    const { server } = await start({ listeners });
    expect(server.addresses).toHaveLength(2);
    for (const { url } of server.addresses)
      expect((await fetch(`${url}/ingest`, { method: 'POST', body: 'x' })).status).toBe(202);
  });

  it('take slashes that follow each other in a path for one, as a base URL that ends in one leaves them', async () => {
    const { url } = await start();
    for (const path of ['//ingest', '/ingest?a=//b', '///ingest?'])
      expect((await fetch(url + path, { method: 'POST', body: 'x' })).status, path).toBe(202);
  });

  it('show the page with links that lead somewhere, where they serve some routes only', async () => {
    const listeners = [
      { host: '127.0.0.1', port: 0, paths: 'all' as const },
      { host: '127.0.0.1', port: 0, paths: zipkinPaths },
    ];
    const { server } = await start({ listeners });
    const [all, zipkin] = server.addresses.map(({ url }) => url);
    const page = await (await fetch(`${zipkin}/`)).text();
    expect(page).toContain(`${zipkin}/api/v2/services `);
    expect(page).toContain(`${all}/api/trawl/status `);
    const html = await (await fetch(`${zipkin}/`, { headers: { accept: 'text/html' } })).text();
    expect(html).toContain('<a href="/api/v2/services">');
    expect(html).toContain(`<a href="${all}/metrics">`);
  });

  it('refuse to start with one sentence when the port is taken, and leave none open', async () => {
    const { port } = await start();
    const listeners = [
      { host: '127.0.0.1', port: 0, paths: 'all' as const },
      { host: '127.0.0.1', port, paths: 'all' as const },
    ];
    await expect(startTestServer({ listeners })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: another program has this port; stop it, or choose another with --listen HOST:PORT`,
    );
  });

  it('do without an optional address that is taken, and say which key names another', async () => {
    const { port } = await start();
    const all = { host: '127.0.0.1', port: 0, paths: 'all' as const };
    const taken = { host: '127.0.0.1', port, paths: zipkinPaths, optionalKey: '[http] zipkin_listen' };
    const other = await startTestServer({ listeners: [all, taken] });
    expect(other.server.addresses).toHaveLength(1);
    const sentence = `cannot listen on 127.0.0.1:${port}: another program has this port; stop it, or choose another with [http] zipkin_listen = "HOST:PORT", or "" for none`;
    expect(other.server.missing).toEqual([sentence]);
    expect(other.logged.map(({ msg }) => msg)).toEqual([`The agent does without an address: ${sentence}.`]);
    await other.stop();
  });

  it('start where a whole request may take less time than its headers alone', async () => {
    const { url } = await start({ limits: { requestTimeoutMs: 1_000, headersTimeoutMs: 10_000 } });
    expect((await fetch(`${url}/-/healthy`)).status).toBe(200);
  });

  it('say what is wrong with an address that this machine has not', async () => {
    const listeners = [{ host: '192.0.2.1', port: 0, paths: 'all' as const }];
    await expect(startTestServer({ listeners })).rejects.toThrow('this machine has no such address');
  });
});

describe('ingest routes', () => {
  it('come and go at run time, and two inputs cannot have the same', async () => {
    const { server, url } = await start();
    const route = {
      method: 'POST' as const,
      path: '/later',
      bodyLimitBytes: 10,
      inflatedLimitBytes: 10,
      allowsAnyOrigin: false,
      handle: async () => ({ status: 418, body: 'short', retryAfterMs: 1_200, contentType: 'text/x-tea' }),
      refused: () => {},
    };
    const post = async () => await fetch(`${url}/later`, { method: 'POST', body: 'x' });
    expect((await post()).status).toBe(404);
    const remove = server.ingestRoutes.add(route);
    expect(() => server.ingestRoutes.add(route)).toThrow('two inputs want POST /later');
    const answer = await post();
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('content-type')]).toEqual([
      418,
      '2',
      'text/x-tea',
    ]);
    remove();
    remove();
    expect((await post()).status).toBe(404);
  });

  it('of Zipkin are served on its own port too, whatever their path, and other paths are not', async () => {
    const listeners = [{ host: '127.0.0.1', port: 0, paths: zipkinPaths }];
    const { server, url } = await start({ listeners });
    const route = (path: string, isZipkin: boolean) => ({
      method: 'POST' as const,
      path,
      bodyLimitBytes: 10,
      inflatedLimitBytes: 10,
      allowsAnyOrigin: true,
      isZipkin,
      handle: async () => ({ status: 202 }),
      refused: () => {},
    });
    server.ingestRoutes.add(route('/my/spans', true));
    server.ingestRoutes.add(route('/v1/traces', false));
    const statusOf = async (path: string, method: string) => (await fetch(`${url}${path}`, { method })).status;
    expect(await statusOf('/my/spans', 'POST')).toBe(202);
    expect(await statusOf('/my/spans', 'GET')).toBe(404);
    expect(await statusOf('/v1/traces', 'POST')).toBe(404);
  });
});

describe('query routes', () => {
  const seen: QueryRequest[] = [];
  const answer = async (request: QueryRequest) => {
    seen.push(request);
    return {
      status: 200,
      contentType: 'text/plain',
      body: 'y'.repeat(5_000),
      headers: { 'cache-control': 'max-age=300' },
    };
  };
  const queryRoutes: readonly QueryRoute[] = [
    { method: 'GET', path: '/api/v1/query', handle: answer },
    { method: 'POST', path: '/api/v1/query', handle: answer },
    { method: 'GET', path: '/label/:name/values', handle: answer },
    { method: 'GET', path: '/fails', handle: () => Promise.reject(new Error('secret inside')) },
  ];

  it('get parameters from path, query and form, from any client and any Host', async () => {
    const { url } = await start({ queryRoutes });
    seen.length = 0;
    await fetch(`${url}/label/${'n'.repeat(300)}%2Fa%20b/values?match%5B%5D=up&match%5B%5D=down`);
    const form = { method: 'POST', body: new URLSearchParams({ query: 'sum(up) > 1' }) };
    await fetch(`${url}/api/v1/query?time=1`, form);
    await fetch(`${url}/api/v1/query`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    expect(seen[0]?.params).toEqual({ name: `${'n'.repeat(300)}/a b` });
    expect(seen[0]?.query.getAll('match[]')).toEqual(['up', 'down']);
    expect([seen[1]?.query.get('time'), seen[1]?.form?.get('query')]).toEqual(['1', 'sum(up) > 1']);
    expect(seen[2]?.form).toBeUndefined();
  });

  it('of Zipkin have HEAD only where Zipkin has it, and refuse a query that is not well-formed', async () => {
    const paths = ['/info', '/zipkin/config.json', '/api/v2/services', '/health'];
    const { url } = await start({
      queryRoutes: paths.map((path) => ({ method: 'GET' as const, path, handle: answer })),
    });
    const statusOf = async (path: string, method: string) => (await fetch(`${url}${path}`, { method })).status;
    const heads: number[] = [];
    for (const path of paths) heads.push(await statusOf(path, 'HEAD'));
    expect(heads).toEqual([200, 200, 404, 404]);
    expect(await statusOf('/api/v2/services?serviceName=%25%ff', 'GET')).toBe(200);
    for (const bad of ['%zz', '%', '%2'])
      expect(await statusOf(`/api/v2/services?serviceName=${bad}`, 'GET')).toBe(400);
  });

  it('pack large answers for those who take gzip, and keep their headers', async () => {
    const { url } = await start({ queryRoutes });
    const packed = await rawGet(`${url}/api/v1/query`, { 'accept-encoding': 'gzip' });
    expect(packed.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: 'accept-encoding',
      'cache-control': 'max-age=300',
    });
    expect(gunzipSync(packed.body).toString()).toBe('y'.repeat(5_000));
    const plain = await rawGet(`${url}/api/v1/query`, { 'accept-encoding': 'gzip;q=0' });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.body.length).toBe(5_000);
  });

  it('answer a bug with 500 and log it, and a form that is too large with 413', async () => {
    const { url, logged } = await start({ queryRoutes, limits: { formBytes: 100 } });
    const failed = await fetch(`${url}/fails`);
    expect([failed.status, await failed.text()]).toEqual([500, 'internal error; the log says more\n']);
    expect(logged).toMatchObject([{ err: { message: 'secret inside' }, route: '/fails' }]);
    const large = await fetch(`${url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ q: 'x'.repeat(200) }),
    });
    expect(large.status).toBe(413);
  });

  it('count a body until it is answered, so that bodies that handlers still work on keep further ones out', async () => {
    let finish = () => {};
    const handle: QueryRoute['handle'] = async ({ body }) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { status: 200, contentType: 'text/plain', body: `${body?.length} bytes` };
    };
    const { url } = await start({
      queryRoutes: [{ method: 'POST', path: '/transform', handle }],
      limits: { bodyBytesInFlight: 100 },
    });
    const send = () => fetch(`${url}/transform`, { method: 'POST', body: Buffer.alloc(60) });
    const held = async () =>
      /trawl_http_body_bytes_in_flight (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
    const first = send();
    await expect.poll(held).toBe('60');
    expect((await send()).status).toBe(429);
    finish();
    expect(await (await first).text()).toBe('60 bytes');
    await expect.poll(held).toBe('0');
  });

  it('abort when the client leaves', async () => {
    let reason: unknown;
    let isAtWork = false;
    const handle: QueryRoute['handle'] = async ({ signal }) => {
      isAtWork = true;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      reason = signal.reason;
      throw new Error('aborted');
    };
    const { url, logged } = await start({ queryRoutes: [{ method: 'GET', path: '/slow', handle }] });
    const leave = new AbortController();
    const asked = fetch(`${url}/slow`, { signal: leave.signal });
    await expect.poll(() => isAtWork).toBe(true);
    leave.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => reason).toMatchObject({ message: 'the client left before it was answered' });
    expect(logged).toEqual([]);
  });
});

describe('operating routes', () => {
  it('say that the process is alive even when nothing else is ready, and why it is not', async () => {
    const readiness = [
      () => 'the store process is down: restarted 3 times',
      () => undefined,
      () => 'the spool is full',
    ];
    const { url } = await start({ operations: { ...baseOperations, readiness } });
    expect((await fetch(`${url}/-/healthy`)).status).toBe(200);
    const ready = await fetch(`${url}/-/ready`);
    expect([ready.status, await ready.text()]).toEqual([
      503,
      'not ready:\n  the store process is down: restarted 3 times\n  the spool is full\n',
    ]);
  });

  it('tell each component with its counts, its last error and its one line', async () => {
    const health = () => [
      { component: 'inputs.zipkin', health: { isHealthy: true, line: 'took 5 spans' } },
      { component: 'outputs.zipkin', health: { isHealthy: false, line: 'cannot reach 127.0.0.1:9' } },
    ];
    const { url, meter, server } = await start({ operations: { ...baseOperations, health } });
    meter.received('inputs.zipkin', 'spans', 5);
    meter.failed('inputs.zipkin', 'line 3: not JSON');
    expect(await (await fetch(`${url}/api/trawl/status`)).json()).toMatchObject({
      version: '0.0.0-test',
      ready: true,
      listeners: [{ url: server.addresses[0]?.url, paths: 'all' }],
      components: [
        {
          component: 'inputs.zipkin',
          healthy: true,
          health: 'took 5 spans',
          received: 5,
          lastError: 'line 3: not JSON',
        },
        {
          component: 'outputs.zipkin',
          healthy: false,
          health: 'cannot reach 127.0.0.1:9',
          received: 0,
          lastSeen: null,
        },
      ],
    });
  });

  it('flush and reload by what they were given, and say what came of it', async () => {
    let flushes = 0;
    const reload = async () => ({ kind: 'kept_old', problems: ['trawl.conf:3: unknown key "lisen"'] }) as const;
    const flush = async () => {
      flushes += 1;
      if (flushes > 1) throw new Error('the store is down');
    };
    const { url } = await start({ operations: { ...baseOperations, flush, reload } });
    const post = async (path: string) => {
      const response = await fetch(`${url}${path}`, { method: 'POST' });
      return [response.status, await response.json()];
    };
    expect(await post('/api/trawl/flush')).toEqual([200, { flushed: true }]);
    expect(await post('/api/trawl/flush')).toEqual([503, { error: 'the store is down' }]);
    expect(await post('/-/reload')).toEqual([400, { applied: false, problems: ['trawl.conf:3: unknown key "lisen"'] }]);
  });

  it('show a page that says what to send first, and never a Host that is not one', async () => {
    const { url, port } = await start();
    const text = await (await fetch(`${url}/`)).text();
    expect(text).toContain(`curl http://127.0.0.1:${port}/api/v2/spans`);
    const page = await rawGet(`${url}/`, { accept: 'text/html', host: '<script>alert(1)</script>' });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.body.toString()).not.toContain('<script');
  });

  it('count requests by group and status', async () => {
    const { url } = await start();
    await fetch(`${url}/ingest`, { method: 'POST', body: 'x' });
    await fetch(`${url}/nothing`);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('trawl_http_requests_total{group="ingest",status="202"} 1');
    expect(metrics).toContain('trawl_http_requests_total{group="open",status="404"} 1');
    expect(metrics).toContain('trawl_build_info{version="0.0.0-test"');
  });
});

async function rawGet(url: string, headers: Record<string, string>) {
  const { request } = await import('undici');
  const response = await request(url, { headers });
  return { headers: response.headers, body: Buffer.from(await response.body.arrayBuffer()) };
}
