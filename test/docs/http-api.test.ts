/** docs/reference/http-api.md and the OpenAPI document against the routes that an agent really serves. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent as assembleAgent } from '../../src/cli/agent/agent.ts';
import { kinds } from '../../src/cli/agent/kinds.ts';
import { shippedDirectory } from '../../src/cli/configuration.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { blocksOf, root } from './blocks.ts';
import { resolveReference, violations } from './json-schema.ts';

const file = 'docs/reference/http-api.md';
const markdown = readFileSync(join(root, file), 'utf8');

interface Section {
  readonly line: number;
  /** `GET /api/v2/trace/{id}`, as the heading has it. */
  readonly routes: readonly string[];
  readonly text: string;
}

/** The parts under headings such as ``### `GET`, `POST /api/v1/query` ``. */
const sections: readonly Section[] = markdown
  .split(/^(?=#{2,3} )/m)
  .map((text, i, parts) => ({ text, line: parts.slice(0, i).join('').split('\n').length }))
  .flatMap(({ text, line }) => {
    const heading = /^### (.*)$/m.exec(text)?.[1] ?? '';
    const path = /`(?:[A-Z]+ )?(\/[^`]*)`/.exec(heading)?.[1];
    const methods = [...heading.matchAll(/\b(GET|POST)\b/g)].map((match) => match[1]);
    return path === undefined ? [] : [{ line, text, routes: methods.map((method) => `${method} ${path}`) }];
  });

/** Starts the agent in this process, where its list of routes can be asked for. */
async function servedRoutes(): Promise<readonly string[]> {
  const data = await mkdtemp(join(tmpdir(), 'trawl-routes-'));
  const sets = [
    `store.data_directory=${data}`,
    'http.listen=127.0.0.1:0',
    'http.zipkin_listen=',
    'http.otlp_listen=',
    'http.otlp_grpc_listen=',
  ];
  const load = () => loadConfiguration({ directory: shippedDirectory, kinds, env: {}, sets });
  const loaded = await load();
  if (!loaded.ok) throw new Error('the shipped configuration is refused');
  const agent = await assembleAgent({
    configuration: loaded.configuration,
    log: pino({ level: 'silent' }),
    load,
    environment: {},
  });
  const routes = agent.routes().map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  await agent.stop(AbortSignal.timeout(5_000));
  await rm(data, { recursive: true, force: true });
  return routes;
}

let served: readonly string[];
beforeAll(async () => {
  served = await servedRoutes();
});

describe('the reference of the HTTP API', () => {
  it('has every route that an agent serves, and no other', () => {
    const documented = sections.flatMap(({ routes }) => routes);
    expect(served.filter((route) => !documented.includes(route))).toEqual([]);
    expect(documented.filter((route) => !served.includes(route))).toEqual([]);
  });

  it('has an example with its answer for each of them', () => {
    const bare = sections.filter(({ text }) => {
      const blocks = blocksOf(file, text);
      return !blocks.some((block, i) => block.language === 'sh' && blocks[i + 1]?.followsBlock === true);
    });
    expect(
      bare.map(({ line, routes }) => `${file}:${line}: no example with an answer for ${routes.join(', ')}`),
    ).toEqual([]);
  });
});

describe('the page at /', () => {
  it('has a command that sends a span, and one that finds it', async () => {
    const agent = await startAgent();
    try {
      await agent.ready();
      const page = (await agent.get('/')).text;
      const [send = '', find = ''] = [...page.matchAll(/^ {2}(curl [\s\S]*?)\n\n/gm)].map((match) => match[1]);
      const environment = { PATH: process.env['PATH'] };
      const shell = promisify(execFile);
      await shell('bash', ['-e', '-c', send.replace('curl', 'curl --fail -s')], { env: environment });
      const found = await shell('bash', ['-e', '-c', find.replace('curl', 'curl --fail -s')], { env: environment });
      expect(JSON.parse(found.stdout)).toMatchObject([{ traceId: '463ac35c9f6413ad', name: 'get /' }]);
    } finally {
      await agent.remove();
    }
  });
});

const isOwn = (route: string) => /^\w+ (\/|\/metrics|\/-\/.*|\/api\/trawl\/.*)$/.test(route);

interface Operation {
  readonly route: string;
  readonly responses: Readonly<Record<string, { content: Readonly<Record<string, { schema: unknown }>> }>>;
}

describe('the OpenAPI document', () => {
  let agent: TestAgent;
  let document: Record<string, Record<string, Record<string, Omit<Operation, 'route'>>>>;
  let operations: readonly Operation[];

  beforeAll(async () => {
    agent = await startAgent();
    await agent.ready();
    const span = (id: string, more: object) => ({
      traceId: '463ac35c9f6413ad',
      id,
      timestamp: Date.now() * 1000,
      ...more,
    });
    await agent.post(
      '/api/v2/spans',
      JSON.stringify([
        span('a2fb4a1d1a96d312', { kind: 'CLIENT', duration: 5, localEndpoint: { serviceName: 'shop' } }),
        span('b2fb4a1d1a96d312', {
          kind: 'SERVER',
          duration: 3,
          parentId: 'a2fb4a1d1a96d312',
          localEndpoint: { serviceName: 'stock' },
        }),
      ]),
    );
    document = JSON.parse((await agent.get('/api/trawl/openapi.json')).text);
    operations = Object.entries(document['paths'] ?? {}).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => ({
        route: `${method.toUpperCase()} ${path}`,
        responses,
      })),
    );
  });
  afterAll(async () => {
    await agent.remove();
  });

  it("describes every route of the agent's own, and no other", () => {
    expect(operations.map(({ route }) => route).sort()).toEqual(served.filter(isOwn).sort());
  });

  it('holds no reference that leads nowhere', () => {
    for (const [, reference] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
      expect(() => resolveReference(document, reference ?? '')).not.toThrow();
  });

  /** What must be asked for. */
  const parameters: Readonly<Record<string, string>> = { 'GET /api/trawl/promql/explain': '?query=sum(rate(up[5m]))' };

  const judge = async (route: string, request: Promise<{ status: number; text: string }>) => {
    const { status, text } = await request;
    const content = operations.find((operation) => operation.route === route)?.responses[status]?.content;
    expect(content, `${route} answered ${status}, which is not described: ${text}`).toBeDefined();
    const schema = content?.['application/json']?.schema;
    if (schema !== undefined) expect(violations(document, schema, JSON.parse(text)), text).toEqual([]);
    return status;
  };

  it('is what the agent answers', async () => {
    expect(await judge('POST /api/trawl/flush', agent.post('/api/trawl/flush', ''))).toBe(200);
    for (const { route } of operations.filter(({ route }) => route.startsWith('GET')))
      expect(await judge(route, agent.get(route.slice(4) + (parameters[route] ?? '')))).toBe(200);
    expect(await judge('POST /-/reload', agent.post('/-/reload', ''))).toBe(200);
    const topology = JSON.parse((await agent.get('/api/trawl/topology')).text);
    expect([topology.nodes.length, topology.edges.length]).toEqual([2, 1]);
  });

  it('is what the topology from metrics answers', async () => {
    const party = (end: string, app: string) => [
      [`${end}_workload_namespace`, 'shop'],
      [`${end}_workload`, `${app}-v1`],
      [`${end}_canonical_service`, app],
    ];
    const labels = [
      ...[['reporter', 'source'], ...party('source', 'front'), ...party('destination', 'reviews')],
      ...[
        ['destination_service_name', 'reviews'],
        ['request_protocol', 'http'],
        ['response_code', '500'],
      ],
    ];
    const attributes = labels.map(([key, stringValue]) => ({ key, value: { stringValue } }));
    const dataPoints = [60, 0].map((agoSeconds) => ({
      timeUnixNano: `${Date.now() - agoSeconds * 1000}000000`,
      asDouble: 60 - agoSeconds,
      attributes,
    }));
    const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints };
    const metrics = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'istio_requests_total', sum }] }] }] };
    expect((await agent.post('/v1/metrics', JSON.stringify(metrics))).status).toBe(200);
    await agent.post('/api/trawl/flush', '');
    const asked = agent.get('/api/trawl/topology?source=metrics&graph=versionedApp&namespace=shop');
    expect(await judge('GET /api/trawl/topology', asked)).toBe(200);
    const topology = JSON.parse((await asked).text);
    expect([topology.nodes.length, topology.edges.length]).toEqual([2, 1]);
  });

  it('is what the agent answers when something is wrong', async () => {
    expect(await judge('GET /api/trawl/topology', agent.get('/api/trawl/topology?start=soon'))).toBe(400);
    const fromAPage = { origin: 'http://evil.example' };
    for (const route of ['POST /-/reload', 'POST /api/trawl/flush'])
      expect(await judge(route, agent.post(route.slice(5), '', fromAPage))).toBe(403);
  });

  it('notices an answer that is not as described', () => {
    const status = { $ref: '#/components/schemas/Component' };
    expect(violations(document, status, { component: 1, surplus: true }).join('\n')).toMatch(
      /has no healthy[\s\S]*component is integer[\s\S]*has surplus besides/,
    );
  });
});
