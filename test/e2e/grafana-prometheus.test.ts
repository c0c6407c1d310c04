/** The calls that Grafana's Prometheus data source, Kiali and Flagger make, as they make them, against a whole agent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../fixtures/write-request.ts';

const stepMs = 15_000;
/** On no sample's stamp, which have odd milliseconds, so that no window has one on its edge. */
const endMs = Math.floor(Date.now() / stepMs) * stepMs - 2 * stepMs;
const endS = endMs / 1000;
const samplesOf = (perSecond: number, count = 61) =>
  Array.from({ length: count }, (_, i) => {
    const backMs = (count - 1 - i) * stepMs;
    return [endMs - backMs - 7, 1000 + perSecond * (count - 1 - backMs / stepMs) * (stepMs / 1000)] as const;
  });

const callLabels = {
  reporter: 'destination',
  source_workload: 'productpage-v1',
  source_workload_namespace: 'bookinfo',
};
const toReviews = {
  ...callLabels,
  destination_workload: 'reviews-v1',
  destination_workload_namespace: 'bookinfo',
  destination_service: 'reviews.bookinfo.svc.cluster.local',
  destination_service_namespace: 'bookinfo',
};
const seriesOf = (labels: Record<string, string>, samples: WriteSeries['samples']): WriteSeries => ({
  labels: Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
  ...(samples === undefined ? {} : { samples }),
});
const requests = (response_code: string, perSecond: number): WriteSeries =>
  seriesOf({ __name__: 'istio_requests_total', ...toReviews, response_code }, samplesOf(perSecond));
const bucket = (le: string, perSecond: number): WriteSeries =>
  seriesOf({ __name__: 'istio_request_duration_milliseconds_bucket', ...toReviews, le }, samplesOf(perSecond));

const traceId = '0af7651916cd43dd8448eb211c80319c';
const sent: readonly WriteSeries[] = [
  requests('200', 9),
  requests('503', 1),
  bucket('10', 5),
  bucket('100', 10),
  {
    ...bucket('+Inf', 10),
    exemplars: [{ labels: [['trace_id', traceId]], value: 42, timestampMs: endMs - 1000 }],
  },
  seriesOf({ __name__: 'up', job: 'istio-proxies', instance: '10.0.0.1:15020' }, [[endMs - 7, 1]]),
];
const counterType = 1;

let agent: TestAgent;
beforeAll(async () => {
  agent = await startAgent({ files: { 'in.conf': '[[inputs.remote_write]]\n' }, sets: ['store.retention=30d'] });
  await agent.ready();
  const metadata = [{ type: counterType, family: 'istio_requests_total', help: 'requests', unit: '' }];
  const written = await agent.post('/api/v1/write', compress(encodeWriteRequest(sent, metadata)), {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
  });
  expect(written.status, written.text).toBe(204);
  await agent.flush();
}, 60_000);
afterAll(() => agent.remove());

/** What every request of Grafana's has (its Go client packs nothing itself, and takes gzip). */
const grafana = { 'user-agent': 'Grafana/12.1.0', 'accept-encoding': 'gzip', 'x-grafana-org-id': '1' };

interface Call {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks with parameters in the URL or, by POST, as a form. */
async function call(
  path: string,
  parameters: Record<string, string> = {},
  { method = 'GET', headers = grafana }: Call = {},
) {
  const encoded = new URLSearchParams(parameters).toString();
  const isForm = method === 'POST';
  const answer = await fetch(`${agent.url}/api/v1/${path}${isForm || encoded === '' ? '' : `?${encoded}`}`, {
    method,
    headers: isForm ? { ...headers, 'content-type': 'application/x-www-form-urlencoded' } : headers,
    ...(isForm ? { body: encoded } : {}),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text };
}

async function data(path: string, parameters: Record<string, string> = {}, how: Call = {}) {
  const { status, text, headers } = await call(path, parameters, how);
  expect(status, text).toBe(200);
  expect(headers.get('content-type')).toBe('application/json');
  const answer = JSON.parse(text);
  expect(answer.status).toBe('success');
  return answer.data;
}

describe("Grafana's Prometheus data source", () => {
  it('is healthy: it asks for 1+1, and for a version that lets it choose modern calls', async () => {
    const asked = { query: '1+1', time: '4' };
    for (const method of ['POST', 'GET'] as const)
      expect(await data('query', asked, { method })).toEqual({ resultType: 'scalar', result: [4, '2'] });
    const built = await data('status/buildinfo');
    expect(built.version).toMatch(/^3\.\d+\.\d+$/);
    expect(built).not.toHaveProperty('features');
  });

  it('fills its metrics browser: metadata, labels, values and series of a window', async () => {
    const window = { start: String(endS - 3600), end: String(endS), limit: '40000' };
    expect(await data('metadata', { limit: '40000' })).toEqual({
      istio_requests_total: [{ type: 'counter', help: 'requests', unit: '' }],
    });
    const labels = await data('labels', { ...window, 'match[]': '{__name__="up"}' }, { method: 'POST' });
    expect(labels).toEqual(['__name__', 'instance', 'job']);
    expect(await data('labels', window)).toContain('destination_service');
    expect(await data('label/__name__/values', window)).toEqual([
      'istio_request_duration_milliseconds_bucket',
      'istio_requests_total',
      'up',
    ]);
    const selector = '{__name__="istio_requests_total",reporter="destination"}';
    expect(await data('label/response_code/values', { ...window, 'match[]': selector })).toEqual(['200', '503']);
    const series = await data('series', { ...window, 'match[]': selector }, { method: 'POST' });
    expect(series).toEqual(
      ['200', '503'].map((response_code) => ({ __name__: 'istio_requests_total', ...toReviews, response_code })),
    );
  });

  it('draws a panel, with exemplars on it', async () => {
    const rate = 'sum by (response_code) (rate(istio_requests_total{destination_service=~"reviews.*"}[1m0s]))';
    const range = { query: rate, start: String(endS - 300), end: String(endS), step: '15' };
    const drawn = await data('query_range', range, { method: 'POST' });
    expect(drawn.resultType).toBe('matrix');
    expect(drawn.result.map(({ metric }: { metric: unknown }) => metric)).toEqual([
      { response_code: '200' },
      { response_code: '503' },
    ]);
    for (const [i, perSecond] of [9, 1].entries()) {
      const { values } = drawn.result[i];
      expect(values).toHaveLength(21);
      expect(values[0][0]).toBe(endS - 300);
      for (const [, value] of values) expect(Number(value)).toBeCloseTo(perSecond, 9);
    }
    // A second time, as an instant query for a table, and by GET, as it is configured in old data sources.
    const table = await data('query', { query: rate, time: String(endS) });
    expect(table.result.map(({ value }: { value: [number, string] }) => Math.round(Number(value[1])))).toEqual([9, 1]);
    expect((await data('query_range', range)).result).toEqual(drawn.result);
    const query = 'istio_request_duration_milliseconds_bucket{reporter="destination"}';
    const exemplars = await data('query_exemplars', { ...range, query }, { method: 'POST' });
    expect(exemplars).toHaveLength(1);
    expect(exemplars[0].exemplars).toEqual([{ labels: { trace_id: traceId }, value: '42', timestamp: endS - 1 }]);
  });

  it('gets a large answer packed', async () => {
    const range = { query: 'vector(1/3) or up', start: String(endS - 11_000), end: String(endS), step: '1' };
    const packed = await call('query_range', range);
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    const { result } = JSON.parse(packed.text).data;
    expect(result[0].values).toHaveLength(11_001);
    expect(result[0].values.at(-1)).toEqual([endS, '0.3333333333333333']);
  });

  it('finds no rules and no alerts, which its pages show as empty lists', async () => {
    expect(await data('rules')).toEqual({ groups: [] });
    expect(await data('rules', { type: 'alert' })).toEqual({ groups: [] });
    expect(await data('alerts')).toEqual({ alerts: [] });
    expect(await data('alertmanagers')).toEqual({ activeAlertmanagers: [], droppedAlertmanagers: [] });
  });

  it('is told what is wrong with a query, in a shape that it shows', async () => {
    const { status, text } = await call(
      'query_range',
      { query: 'rate(up)', start: '0', end: '1', step: '1' },
      { method: 'POST' },
    );
    expect([status, JSON.parse(text)]).toEqual([
      400,
      {
        status: 'error',
        errorType: 'bad_data',
        error: expect.stringContaining('1:6: parse error: expected type range vector in call to function "rate"'),
      },
    ]);
    expect(JSON.parse((await call('query', { query: '1', timeout: '0' })).text)).toEqual({
      status: 'error',
      errorType: 'bad_data',
      error: 'invalid parameter "timeout": timeout must be positive, got 0s',
    });
  });

  it('gets the figures of a query that asks for them', async () => {
    const { stats } = await data('query', { query: 'up', time: String(endS), stats: 'all' });
    expect(stats.samples).toEqual({ totalQueryableSamples: expect.any(Number), peakSamples: expect.any(Number) });
    expect(stats.timings.execTotalTime).toBeGreaterThan(0);
  });
});

describe('what asks from elsewhere', () => {
  it('is refused where it is the page of another origin, which is told nothing by a preflight either', async () => {
    const origin = 'http://dashboards.example';
    const asked = await call('query', { query: '1' }, { headers: { origin } });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    const preflight = await fetch(`${agent.url}/api/v1/query`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  });

  it('is told the methods of a route, and the nearest routes to one that is not there', async () => {
    const wrong = await fetch(`${agent.url}/api/v1/query`, { method: 'PUT' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, POST']);
    const unknown = await call('status/buildinf');
    expect(unknown.status).toBe(404);
    expect(unknown.text).toContain('/api/v1/status/buildinfo');
  });
});

/** Prometheus' own client for Go, which Kiali has: POST with a form, GET for what has no form. */
const goClient = { 'user-agent': 'Go-http-client/1.1', 'accept-encoding': 'gzip' };
const ask = (query: string) => data('query', { query, time: endS.toFixed(3) }, { method: 'POST', headers: goClient });

describe('Kiali', () => {
  it('reads how often is scraped and how long samples are kept', async () => {
    expect((await data('status/config', {}, { headers: goClient })).yaml).toMatch(
      /^global:\n {2}scrape_interval: 15s\n/,
    );
    const { storageRetention } = await data('status/runtimeinfo', {}, { headers: goClient });
    expect(storageRetention.split(' or ')).toEqual(['30d', '20GiB']);
    expect((await data('status/flags', {}, { headers: goClient }))['storage.tsdb.retention.time']).toBe('30d');
    expect((await data('status/buildinfo', {}, { headers: goClient })).version).toMatch(/^3\./);
  });

  it("asks for its graph's rates, for health and for response times", async () => {
    const groups =
      'source_workload_namespace,source_workload,destination_service_namespace,destination_workload,response_code';
    const graph = `sum(rate(istio_requests_total{reporter="destination",destination_service_namespace="bookinfo"} [600s])) by (${groups}) > 0`;
    const edges = await ask(`round(${graph},0.001)`);
    expect(edges.result.map(({ metric, value }: { metric: object; value: unknown[] }) => [metric, value[1]])).toEqual(
      [
        ['200', '9'],
        ['503', '1'],
      ].map(([response_code, value]) => [
        {
          source_workload_namespace: 'bookinfo',
          source_workload: 'productpage-v1',
          destination_service_namespace: 'bookinfo',
          destination_workload: 'reviews-v1',
          response_code,
        },
        value,
      ]),
    );
    const health = await ask(
      'rate(istio_requests_total{reporter=~"destination|waypoint",destination_service_namespace="bookinfo"}[600s]) > 0',
    );
    expect(health.result).toHaveLength(2);
    const times = await ask(
      'histogram_quantile(0.5, sum(rate(istio_request_duration_milliseconds_bucket{reporter="destination"}[600s])) by (le,destination_workload)) > 0',
    );
    expect(Number(times.result[0].value[1])).toBeCloseTo(10, 9);
    const names = await data('label/__name__/values', { 'match[]': '{__name__=~"istio_.*"}' }, { headers: goClient });
    expect(names).toEqual(['istio_request_duration_milliseconds_bucket', 'istio_requests_total']);
  });
});

describe('Flagger', () => {
  it('sees that there is a Prometheus, and judges a canary by its share of successes and by its latency', async () => {
    expect((await call('status/flags')).status).toBe(200);
    const of = 'reporter="destination",destination_workload_namespace="bookinfo",destination_workload=~"reviews-v1"';
    const judged = async (query: string) => {
      const { result } = await data('query', { query, time: String(endS) });
      return Number(result[0].value[1]);
    };
    const successes = `sum( rate( istio_requests_total{ ${of}, response_code!~"5.*" }[1m] ) ) / sum( rate( istio_requests_total{ ${of} }[1m] ) ) * 100`;
    expect(await judged(successes)).toBeCloseTo(90, 9);
    const latency = `histogram_quantile( 0.99, sum( rate( istio_request_duration_milliseconds_bucket{ ${of} }[1m] ) ) by (le) )`;
    expect(await judged(latency)).toBeCloseTo(98.2, 9);
  });
});
