/** The whole agent, fed by programs that nobody here wrote; each signal comes back through its own API. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchRecorder, ExplicitContext, jsonEncoder, Tracer } from 'zipkin';
import { HttpLogger } from 'zipkin-transport-http';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';

interface RecordedPost {
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Posts bytes as Envoy did: its Host, chunked, nothing added. */
async function replay(port: number, post: RecordedPost): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const body = Buffer.from(post.body);
  const headers = post.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`POST ${post.path} HTTP/1.1\r\n${headers}\r\n`);
  const half = body.length >> 1;
  for (const chunk of [body.subarray(0, half), body.subarray(half)]) {
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    socket.write('\r\n');
  }
  socket.write('0\r\n\r\n');
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return answer.toString('latin1');
}

const sortKeys = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(sortKeys)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, inner]) => [key, sortKeys(inner)]),
        )
      : value;

/** What Zipkin makes of a span that it is given: names in lower case, a port of 0 is none. */
const asZipkinHasIt = (span: { name?: string; localEndpoint?: { serviceName?: string; port?: number } }) => {
  const { port, ...endpoint } = span.localEndpoint ?? {};
  return sortKeys({
    ...span,
    name: span.name?.toLowerCase(),
    localEndpoint: { ...endpoint, ...(port ? { port } : {}), serviceName: endpoint.serviceName?.toLowerCase() },
  });
};

async function waitFor<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('an agent among programs that others wrote', () => {
  let agent: TestAgent;
  let target: ChildProcess;
  let logs: string;
  let backend: Server;
  const forwarded: { id: string }[] = [];

  beforeAll(async () => {
    logs = await mkdtemp(join(tmpdir(), 'trawl-pods-'));
    target = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('../fixtures/prom-client-target.ts', import.meta.url))],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const [line] = target.stdout === null ? ['0'] : await once(target.stdout, 'data');
    backend = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        forwarded.push(...JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(202).end();
      });
    });
    backend.listen(0, '127.0.0.1');
    await once(backend, 'listening');
    const { port } = backend.address() as AddressInfo;
    agent = await startAgent({
      files: {
        'zipkin/zipkin.conf': '[[inputs.zipkin]]\n  pathV1 = "/api/v1/spans"\n  pathV2 = "/api/v2/spans"\n',
        'prom/shop.conf': `[[inputs.prom]]\n  url = "http://127.0.0.1:${Number(String(line))}/metrics"\n  source = "shop"\n  interval = "1s"\n  [inputs.prom.tags]\n    app_id = "bookinfo"\n`,
        'logs.conf': `[[inputs.container_logs]]\n  path = "${logs}"\n  scan_interval = "200ms"\n  poll_interval = "50ms"\n`,
        'out.conf': `[[outputs.zipkin]]\n  url = "http://127.0.0.1:${port}/api/v2/spans"\n  compression = "none"\n`,
      },
      // The recorded spans grow older than any retention.
      sets: ['store.retention=forever'],
    });
    await agent.ready();
  });

  afterAll(async () => {
    target.kill();
    backend.close();
    await agent.remove();
    await rm(logs, { recursive: true, force: true });
  });

  it('gives back the spans of real Envoys unaltered, and hands them on to another Zipkin', async () => {
    const { posts }: { posts: RecordedPost[] } = JSON.parse(
      await readFile(new URL('../fixtures/spans/envoy-1.40.json', import.meta.url), 'utf8'),
    );
    for (const post of posts) expect(await replay(agent.port, post)).toMatch(/^HTTP\/1\.1 202 /);
    const sent = posts.flatMap(({ body }) => JSON.parse(body));
    for (const traceId of new Set(sent.map((span) => span.traceId))) {
      const { status, text } = await agent.get(`/api/v2/trace/${traceId}`);
      expect(status).toBe(200);
      const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
      expect(JSON.parse(text).sort(byId).map(sortKeys)).toEqual(
        sent
          .filter((span) => span.traceId === traceId)
          .sort(byId)
          .map(asZipkinHasIt),
      );
    }
    await waitFor('the forwarded spans', async () => (forwarded.length >= sent.length ? true : undefined));
    expect(new Set(forwarded.map(({ id }) => id))).toEqual(new Set(sent.map(({ id }) => id)));
  });

  it('takes what zipkin-js sends and finds its services', async () => {
    const logger = new HttpLogger({
      endpoint: `${agent.url}/api/v2/spans`,
      jsonEncoder: jsonEncoder.JSON_V2,
      httpInterval: 50,
    });
    const recorder = new BatchRecorder({ logger });
    const tracer = new Tracer({ ctxImpl: new ExplicitContext(), recorder, localServiceName: 'Zipkin-JS-Shop' });
    const traceId = tracer.local('Checkout', () => {
      tracer.recordBinary('order', '17');
      return tracer.id.traceId;
    });
    const text = await waitFor('the span of zipkin-js', async () => {
      const answer = await agent.get(`/api/v2/trace/${traceId}`);
      return answer.status === 200 ? answer.text : undefined;
    });
    expect(JSON.parse(text)).toMatchObject([
      { traceId, name: 'checkout', localEndpoint: { serviceName: 'zipkin-js-shop' }, tags: { order: '17' } },
    ]);
    expect(JSON.parse((await agent.get('/api/v2/services')).text)).toContain('zipkin-js-shop');
  });

  it('scrapes a live prom-client process, with the tags of its configuration', async () => {
    const query = encodeURIComponent('shop_orders_total{app_id="bookinfo",job="shop"}');
    const [series] = await waitFor('the scraped counter', async () => {
      const { data } = JSON.parse((await agent.get(`/api/v1/query?query=${query}`)).text);
      return data?.result?.length > 0 ? data.result : undefined;
    });
    expect(series.metric).toMatchObject({ __name__: 'shop_orders_total', kind: 'book "quoted"' });
    expect(series.value[1]).toBe('42');
    const up = JSON.parse((await agent.get('/api/v1/query?query=up')).text);
    expect(up.data.result[0].value[1]).toBe('1');
    const rate = await waitFor('a rate over two scrapes', async () => {
      const { data } = JSON.parse((await agent.get('/api/v1/query?query=rate(process_cpu_seconds_total[1m])')).text);
      return data?.result?.length > 0 ? data.result : undefined;
    });
    expect(Number(rate[0].value[1])).toBeGreaterThanOrEqual(0);
    const sum = JSON.parse((await agent.get('/api/v1/query?query=sum(up)')).text);
    expect(sum.data.result).toEqual([{ metric: {}, value: [expect.any(Number), '1'] }]);
  });

  it('tails a log as containerd writes it and joins the parts of a long line', async () => {
    const directory = join(logs, 'default_reviews-v1-6b746f74dc-9stvs_0c0d', 'reviews');
    await mkdir(directory, { recursive: true });
    const stamp = (ns: number) => new Date().toISOString().replace('Z', `${String(ns).padStart(6, '0')}Z`);
    await appendFile(
      join(directory, '0.log'),
      `${stamp(1)} stdout F started\n${stamp(2)} stdout P a long \n${stamp(3)} stderr F oops\n${stamp(4)} stdout F line\n`,
    );
    const query = encodeURIComponent('{namespace="default", container="reviews", stream="stdout"} |= "line"');
    const result = await waitFor('the tailed line', async () => {
      const { data } = JSON.parse((await agent.get(`/loki/api/v1/query_range?query=${query}`)).text);
      return data?.result?.length > 0 ? data.result : undefined;
    });
    expect(result).toHaveLength(1);
    expect(result[0].stream).toMatchObject({
      namespace: 'default',
      pod: 'reviews-v1-6b746f74dc-9stvs',
      container: 'reviews',
    });
    expect(result[0].values.map(([, line]: [string, string]) => line)).toEqual(['a long line']);
  });

  it('draws who calls whom from the spans', async () => {
    const { nodes, edges } = JSON.parse(
      (await agent.get('/api/trawl/topology?start=2026-11-21T09:00:00Z&end=2026-11-21T10:00:00Z')).text,
    );
    const names = nodes.map(({ service }: { service: string }) => service);
    expect(names).toContain('istio-ingressgateway.istio-system');
    expect(edges.length).toBeGreaterThan(0);
  });

  it('says in its status what each component last saw, and keeps no secret in its metrics', async () => {
    const { components, ready } = JSON.parse((await agent.get('/api/trawl/status')).text);
    expect(ready).toBe(true);
    const byName = Object.fromEntries(components.map((each: { component: string }) => [each.component, each]));
    expect(byName['inputs.zipkin']).toMatchObject({ healthy: true, refused: 0 });
    expect(byName['outputs.zipkin']).toMatchObject({ healthy: true });
    expect(byName['inputs.prom'].kept).toBeGreaterThan(0);
    const metrics = (await agent.get('/metrics')).text;
    expect(metrics).toContain('trawl_kept_items_total{component="inputs.zipkin",signal="spans"}');
  });

  it('refuses a second agent on its data directory with one clear line', async () => {
    const second = spawn(process.execPath, [
      fileURLToPath(new URL('../../dist/main.js', import.meta.url)),
      'agent',
      '--data',
      agent.dataDirectory,
      '--listen',
      '127.0.0.1:0',
    ]);
    let errors = '';
    second.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    const [code] = await once(second, 'exit');
    expect(code).toBe(1);
    expect(errors.trim().split('\n')).toHaveLength(1);
    expect(errors).toContain(`in use by pid ${agent.child.pid}`);
  });
});
