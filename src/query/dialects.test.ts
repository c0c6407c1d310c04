/** The dialects over a real store: what the writers put in comes out of the HTTP answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../test/fixtures/test-store.ts';
import { decodeSpans } from '../codec/zipkin-v2-json/decode-spans.ts';
import type { LogRecord } from '../model/log-record.ts';
import { emptyResource } from '../model/resource.ts';
import { createSeries } from '../model/sample.ts';
import { defaultReadLimits } from '../store/readers/limits.ts';
import { readLogs } from '../store/readers/logs.ts';
import { readSamples } from '../store/readers/samples.ts';
import { createLogEncoder, logColumns } from '../store/writers/logs.ts';
import { createSampleEncoder, sampleColumns, seriesColumns } from '../store/writers/samples.ts';
import { createSpanEncoder, spanColumns } from '../store/writers/spans.ts';
import { createLokiRoutes } from './loki/index.ts';
import { createPrometheusRoutes } from './prometheus/index.ts';
import type { QueryRoute } from './query-route.ts';
import { createSearchGate } from './search-gate.ts';
import { createZipkinApi } from './zipkin/index.ts';
import { createZipkinSource } from './zipkin/source.ts';

const t0Ms = 1_736_938_800_000;

const zipkinBody = [
  {
    traceId: '463ac35c9f6413ad48485a3953bb6124',
    parentId: '000000000000000a',
    id: 'a2fb4a1d1a96d312',
    kind: 'CLIENT',
    name: 'get /reviews',
    timestamp: t0Ms * 1000,
    duration: 207_000,
    localEndpoint: { serviceName: 'productpage', ipv4: '10.0.0.1', port: 9080 },
    remoteEndpoint: { ipv6: '2001:db8::1' },
    annotations: [{ timestamp: t0Ms * 1000 + 1, value: 'retry' }],
    tags: { 'guid:x-request-id': '5e8ff1cd-0a1d-9b39-a1c6-8b0a2c7d1e11', 'http.status_code': '200' },
  },
  { traceId: '000000000000000b', id: '000000000000000b', localEndpoint: { serviceName: 'reviews' }, shared: true },
];

const line = (offsetNs: bigint, body: string): LogRecord => ({
  timeNs: BigInt(t0Ms) * 1_000_000n + offsetNs,
  stream: 'stdout',
  body,
  severity: '',
  traceId: '',
  spanId: '',
  requestId: '',
  attributes: {},
  resource: { ...emptyResource, service: 'reviews', namespace: 'default', pod: 'reviews-v1-1', container: 'app' },
});

const readsNothing = new Set([
  '/api/v1/format_query',
  '/api/v1/parse_query',
  '/api/v2/autocompleteKeys',
  '/zipkin/config.json',
  '/health',
  '/info',
]);

let store: TestStore;
let routes: readonly QueryRoute[] = [];

async function insert(table: string, columns: readonly (readonly [string, string])[], body: Buffer): Promise<void> {
  const structure = columns.map(([name, type]) => `${name} ${type.replaceAll("'", "\\'")}`).join(', ');
  const names = columns.map(([name]) => name).join(', ');
  await store.client.insert({
    sql: `INSERT INTO ${table} (${names}, seg) SELECT ${names}, 1 FROM input('${structure}')`,
    body,
    deduplicationToken: `dialects-${table}`,
    signal: AbortSignal.timeout(10_000),
  });
}

async function get(path: string, parameters: Record<string, string>, params: Record<string, string> = {}) {
  const route = routes.find((candidate) => candidate.path === path && candidate.method === 'GET');
  if (route === undefined) throw new Error(`no route ${path}`);
  const { status, body } = await route.handle({
    params,
    query: new URLSearchParams(parameters),
    form: undefined,
    signal: AbortSignal.timeout(10_000),
  });
  return { status, body: status === 200 ? JSON.parse(body.toString()) : body.toString() };
}

beforeAll(async () => {
  store = await startTestStore();
  const { client } = store;
  const now = () => t0Ms + 60_000;
  routes = [
    ...createZipkinApi({
      traces: createZipkinSource({
        client,
        limits: defaultReadLimits,
        searches: createSearchGate({ atOnce: 4, waiting: 4 }),
        nowMs: now,
      }),
      freshen: () => Promise.resolve(),
      isCurrent: () => true,
      nowMs: now,
      autocompleteKeys: ['environment'],
      state: { whyNotReady: () => undefined, version: '0' },
    }),
    ...createPrometheusRoutes({
      samples: { select: (selection, signal) => readSamples(client, selection, { signal }) },
      now,
    }),
    ...createLokiRoutes({ logs: { select: (selection, signal) => readLogs(client, selection, { signal }) }, now }),
  ];
  const spans = decodeSpans(Buffer.from(JSON.stringify(zipkinBody)));
  await insert('spans', spanColumns, createSpanEncoder()(spans, t0Ms));
  await insert('logs', logColumns, createLogEncoder()([line(0n, 'GET /reviews 200'), line(1n, 'GET /reviews 500')]));
  const series = createSeries([
    ['__name__', 'istio_requests_total'],
    ['response_code', '200'],
  ]);
  const samples = Array.from({ length: 5 }, (_, i) => ({
    timestampMs: t0Ms + i * 15_000,
    value: i * 30,
    isStale: false,
  }));
  const encoder = createSampleEncoder();
  await insert('series', seriesColumns, encoder.series([{ series, lastDay: Math.floor(t0Ms / 86_400_000) }]));
  await insert('samples', sampleColumns, encoder.samples([{ series, samples }]));
}, 60_000);

afterAll(() => store.stop());

describe('over a real store', () => {
  it('a query that is too long for the store is the asker’s fault, not the store’s', async () => {
    // As long as PromQL may be; in the URL and in the engine it takes several times as much.
    const quotes = "'".repeat(60_000);
    for (const [path, parameters] of [
      ['/api/v1/query', { query: `{__name__="up",a="${quotes}",b="${quotes.slice(1)}"}` }],
      ['/api/v2/traces', { serviceName: 'reviews', annotationQuery: quotes.repeat(5) }],
    ] as const) {
      const answer = await get(path, parameters);
      expect([path, answer.status]).toEqual([path, 422]);
      expect(answer.body).toContain('too long for the store');
    }
  });

  it('a trace that came in through Zipkin goes out the same', async () => {
    expect(await get('/api/v2/trace/:id', {}, { id: '463ac35c9f6413ad48485a3953bb6124' })).toEqual({
      status: 200,
      body: [zipkinBody[0]],
    });
    expect(await get('/api/v2/trace/:id', {}, { id: 'b' })).toEqual({ status: 200, body: [zipkinBody[1]] });
    expect(await get('/api/v2/trace/:id', {}, { id: 'c' })).toEqual({
      status: 404,
      body: '000000000000000c not found',
    });
    expect(await get('/api/v2/services', {})).toEqual({ status: 200, body: ['productpage', 'reviews'] });
    expect(await get('/api/v2/traces', { serviceName: 'Productpage', annotationQuery: 'retry' })).toEqual({
      status: 200,
      body: [[zipkinBody[0]]],
    });
    expect(await get('/api/v2/traces', { serviceName: 'reviews' })).toEqual({ status: 200, body: [] });
    expect(await get('/api/v2/traceMany', { traceIds: 'b,c' })).toEqual({ status: 200, body: [[zipkinBody[1]]] });
  });

  it('a rate is what Prometheus would say', async () => {
    const query = 'rate(istio_requests_total{response_code=~"2.."}[1m])';
    expect((await get('/api/v1/query', { query })).body.data).toEqual({
      resultType: 'vector',
      // As Prometheus has it to the last digit: 90 * ((60 / 45) / 60).
      result: [{ metric: { response_code: '200' }, value: [(t0Ms + 60_000) / 1000, '1.9999999999999998'] }],
    });
    const range = { start: `${t0Ms / 1000}`, end: `${t0Ms / 1000 + 60}`, step: '30s' };
    expect(
      (await get('/api/v1/query_range', { query: 'istio_requests_total', ...range })).body.data.result[0].values,
    ).toEqual([
      [t0Ms / 1000, '0'],
      [t0Ms / 1000 + 30, '60'],
      [t0Ms / 1000 + 60, '120'],
    ]);
  });

  it('a pattern that is too large is the fault of the query', async () => {
    const huge = '((a{1000}){1000}){1000}';
    const { status, body } = await get('/api/v1/query', { query: `istio_requests_total{a=~"${huge}"}` });
    expect(status).toBe(400);
    expect(JSON.parse(body)).toEqual({
      status: 'error',
      errorType: 'bad_data',
      error: expect.stringMatching(/^invalid parameter "query": 1:22: parse error: error parsing regexp: \w/),
    });
    expect(await get('/loki/api/v1/query_range', { query: `{pod=~"${huge}"}` })).toEqual({
      status: 400,
      body: expect.stringMatching(/^parse error : error parsing regexp: \w/),
    });
  });

  it('a query that its client left is told apart from a store that is away', async () => {
    for (const { path, method, handle } of routes) {
      if (method !== 'GET' || readsNothing.has(path)) continue;
      const query = new URLSearchParams({
        query: path.startsWith('/loki') ? '{pod="x"}' : 'x',
        start: '1',
        end: '2',
        step: '1',
        serviceName: 'x',
        traceIds: 'a,b',
        key: 'environment',
        endTs: '2',
      });
      const answer = await handle({ params: { id: 'a' }, query, form: undefined, signal: AbortSignal.abort() });
      expect([path, answer.status]).toEqual([path, 499]);
    }
  });

  it('log lines come newest first, with the labels of their stream', async () => {
    const { body } = await get('/loki/api/v1/query_range', {
      query: '{namespace="default", service="reviews"} |= "GET"',
    });
    expect(body.data.result).toEqual([
      {
        stream: {
          container: 'app',
          namespace: 'default',
          pod: 'reviews-v1-1',
          service_name: 'reviews',
          stream: 'stdout',
        },
        values: [
          [`${t0Ms}000001`, 'GET /reviews 500'],
          [`${t0Ms}000000`, 'GET /reviews 200'],
        ],
      },
    ]);
    const filtered = await get('/loki/api/v1/query_range', { query: '{pod="reviews-v1-1"} |= "GET" |= "500"' });
    expect(filtered.body.data.result[0].values).toHaveLength(1);
  });
});
