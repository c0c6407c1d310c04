import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type SeriesSamples } from '../../model/sample.ts';
import { StoreError } from '../../store/client.ts';
import { createSearchGate } from '../search-gate.ts';
import type { TopologyAnswer } from './answer.ts';
import { createTopologyRoute } from './index.ts';
import type { MetricsTopologyOptions } from './metrics.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');

/** A counter that grows steadily over the last ten minutes, by the value per second. */
const counter = (labels: Record<string, string>, perSecond: number): SeriesSamples => ({
  series: createSeries(Object.entries(labels)),
  samples: Array.from({ length: 41 }, (_, i) => ({
    timestampMs: nowMs - 600_000 + i * 15_000,
    value: i * 15 * perSecond,
    isStale: false,
  })),
});

const party = (end: 'source' | 'destination', app: string, version = 'v1') => ({
  [`${end}_cluster`]: 'east',
  [`${end}_workload_namespace`]: 'shop',
  [`${end}_workload`]: `${app}-${version}`,
  [`${end}_canonical_service`]: app,
  [`${end}_canonical_revision`]: version,
});

interface Call {
  readonly from: string;
  readonly to: string;
  readonly toVersion?: string;
}

const call = ({ from, to, toVersion }: Call) => ({
  ...party('source', from),
  ...party('destination', to, toVersion),
  destination_service: `${to}.shop.svc.cluster.local`,
  destination_service_name: to,
  destination_service_namespace: 'shop',
});

const reporters = ['source', 'destination'];

/** Requests as both proxies count them. */
const requests = (of: Call, code: string, perSecond: number): readonly SeriesSamples[] =>
  reporters.map((reporter) =>
    counter(
      {
        __name__: 'istio_requests_total',
        reporter,
        ...call(of),
        request_protocol: 'http',
        response_code: code,
        response_flags: '-',
      },
      perSecond,
    ),
  );

/** A histogram of durations that lie evenly between 50 and 100 ms. */
const durations = (of: Call, perSecond: number): readonly SeriesSamples[] =>
  reporters.flatMap((reporter) =>
    ['25', '50', '100', '+Inf'].map((le) =>
      counter(
        {
          __name__: 'istio_request_duration_milliseconds_bucket',
          reporter,
          ...call(of),
          request_protocol: 'http',
          le,
        },
        le === '25' || le === '50' ? 0 : perSecond,
      ),
    ),
  );

const bytes = (of: Call, perSecond: number): SeriesSamples =>
  counter(
    { __name__: 'istio_tcp_received_bytes_total', reporter: 'source', ...call(of), response_flags: '-' },
    perSecond,
  );

const stored = [
  ...requests({ from: 'front', to: 'reviews' }, '200', 3),
  ...requests({ from: 'front', to: 'reviews' }, '503', 1),
  ...requests({ from: 'front', to: 'reviews', toVersion: 'v2' }, '404', 4),
  ...durations({ from: 'front', to: 'reviews' }, 4),
  bytes({ from: 'reviews', to: 'mysql' }, 1000),
];

const routeOver = (metrics: Partial<MetricsTopologyOptions>) =>
  createTopologyRoute({
    nowMs: () => nowMs,
    source: { topology: () => Promise.reject(new Error('spans were not asked for')) },
    metrics: {
      samples: createMemorySource(stored),
      gate: createSearchGate({ atOnce: 1, waiting: 0 }),
      timeoutMs: 5000,
      maxPoints: 100_000,
      ...metrics,
    },
  });

const ask = (query: string, metrics: Partial<MetricsTopologyOptions> = {}) =>
  routeOver(metrics).handle({
    params: {},
    query: new URLSearchParams(query),
    form: undefined,
    signal: AbortSignal.timeout(5000),
  });

async function topologyOf(query: string): Promise<TopologyAnswer> {
  const { status, body } = await ask(`source=metrics&start=${nowMs - 600_000}&${query}`);
  expect(status, String(body)).toBe(200);
  return JSON.parse(String(body));
}

describe('GET /api/trawl/topology?source=metrics', () => {
  it('answers the shape of spans, with what only metrics know beside it', async () => {
    const { start, end, nodes, edges } = await topologyOf('');
    expect([start, end]).toEqual(['2026-11-21T11:50:00.000Z', '2026-11-21T12:00:00.000Z']);
    expect(nodes.map(({ service }) => service)).toEqual(['front.shop', 'mysql.shop', 'reviews.shop']);
    expect(nodes[2]).toMatchObject({
      spans: null,
      requests: 4800,
      requestsPerSecond: 8,
      errors: 600,
      errorShare: 0.125,
      p50Us: 75_000,
      p99Us: 99_500,
      mesh: {
        id: 'app/east/shop/reviews',
        traffic: [
          { protocol: 'http', rates: { httpIn: '8.00', httpIn4xx: '4.00', httpIn5xx: '1.00' } },
          { protocol: 'tcp', rates: { tcpOut: '1000.00' } },
        ],
      },
    });
    expect(edges.map(({ caller, callee, requests }) => [caller, callee, requests])).toEqual([
      ['front.shop', 'reviews.shop', 4800],
      ['reviews.shop', 'mysql.shop', 0],
    ]);
    expect(edges[1]).toMatchObject({
      p50Us: null,
      mesh: { source: 'app/east/shop/reviews', traffic: { protocol: 'tcp', rates: { tcp: '1000.00' } } },
    });
  });

  it('tells versions apart, or shows services alone', async () => {
    const versions = await topologyOf('graph=versionedApp');
    expect(versions.edges.map(({ callee, requests }) => [callee, requests])).toEqual([
      ['reviews-v1.shop', 2400],
      ['reviews-v2.shop', 2400],
      ['mysql-v1.shop', 0],
    ]);
    const services = await topologyOf('graph=service');
    expect(services.edges.map(({ caller, callee, p50Us }) => [caller, callee, p50Us])).toEqual([
      ['front-v1.shop', 'reviews.shop', 75_000],
      ['reviews.shop', 'mysql.shop', null],
    ]);
  });

  it('keeps to the namespaces that it is asked for', async () => {
    expect((await topologyOf('namespace=shop')).edges).toHaveLength(2);
    expect((await topologyOf('namespace=other,another')).nodes).toEqual([]);
  });

  it('shows nothing of a window without a second in it', async () => {
    const { body } = await ask(`source=metrics&start=${nowMs - 999}`);
    expect(JSON.parse(String(body))).toMatchObject({ nodes: [], edges: [] });
  });

  it.each([
    ['source=logs', 'source=logs'],
    ['source=metrics&graph=tree', 'graph=tree'],
    ['source=metrics&namespace=a"b', 'namespace=a"b'],
    [`source=metrics&namespace=${Array.from({ length: 21 }, (_, i) => `n${i}`).join(',')}`, '20 namespaces'],
    ['namespace=shop', 'source=metrics'],
  ])('refuses %s, and says what is wrong', async (query, message) => {
    const { status, body } = await ask(query);
    expect([status, String(body)]).toEqual([400, expect.stringContaining(message)]);
  });

  it('says when it is too much, takes too long, or has no turn', async () => {
    expect((await ask('source=metrics', { maxPoints: 1 })).status).toBe(422);
    const waiting = { select: (_: unknown, signal: AbortSignal) => untilAborted(signal) };
    expect((await ask('source=metrics', { samples: waiting, timeoutMs: 20 })).status).toBe(503);
    const gate = { pass: () => Promise.reject(new StoreError('20 searches are at work', { isRetryable: true })) };
    expect((await ask('source=metrics', { gate })).status).toBe(503);
  });
});

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
