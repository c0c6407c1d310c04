/** What Zipkin's and OpenTelemetry's senders post, through a whole agent and out of Jaeger's two APIs, as its viewers ask them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { envoyCall } from '../fixtures/envoy-v1-spans.ts';
import { toV1Thrift } from '../fixtures/v1-spans.ts';

const startUs = 1_750_000_000_000_000;

let agent: TestAgent;

beforeAll(async () => {
  agent = await startAgent({ sets: ['store.retention=forever'] });
  await agent.ready();
});

afterAll(async () => {
  await agent.remove();
});

const json = async (path: string): Promise<unknown> => {
  const { status, text } = await agent.get(path);
  expect(status, text).toBe(200);
  return JSON.parse(text);
};

describe("an agent behind Jaeger's viewers", () => {
  it('shows a call that two Envoys of Istio 1.0 sent in Thrift, at once and whole', async () => {
    const traceId = '00000000000a0001';
    for (const spans of envoyCall({ traceId, id: traceId, startUs })) {
      const sent = await agent.post('/api/v1/spans', toV1Thrift(spans), { 'content-type': 'application/x-thrift' });
      expect(sent.status).toBe(202);
    }
    const name = 'reviews.default.svc.cluster.local:9080/*';
    const tag = (key: string, value: string) => ({ key, type: 'string', value });
    // Leading zeros do not matter, nor does case.
    expect(await json('/api/traces/A0001')).toMatchObject({
      data: [
        {
          traceID: traceId,
          spans: [
            {
              traceID: traceId,
              spanID: traceId,
              operationName: name,
              references: [],
              startTime: startUs,
              duration: 21_000,
              tags: expect.arrayContaining([
                tag('span.kind', 'client'),
                tag('network.local.address', '10.1.0.7'),
                tag('upstream_cluster', 'outbound|9080||reviews.default.svc.cluster.local'),
                tag('guid:x-request-id', '0c1a1a3a-9b0c-9c6a-a5a5-3e3f6a1fb6e1'),
              ]),
              logs: [],
              processID: 'p1',
              warnings: null,
            },
            {
              // The server's half has an id of its own here, below the client's.
              spanID: '0000000000000001',
              operationName: name,
              references: [{ refType: 'CHILD_OF', traceID: traceId, spanID: traceId }],
              startTime: startUs + 1000,
              duration: 19_000,
              tags: expect.arrayContaining([tag('span.kind', 'server'), tag('network.local.address', '10.1.0.9')]),
              processID: 'p2',
            },
          ],
          processes: { p1: { serviceName: 'productpage' }, p2: { serviceName: 'reviews' } },
          warnings: null,
        },
      ],
      errors: null,
    });
  });

  it('finds it by what one of its spans says, and lists its names', async () => {
    await agent.flush();
    const window = `start=${startUs - 1000}&end=${startUs + 1000}`;
    const found = async (query: string) => {
      const { data } = JSON.parse((await agent.get(`/api/traces?${window}&${query}`)).text);
      return data.map(({ traceID }: { traceID: string }) => traceID);
    };
    const tags = { 'guid:x-request-id': '0c1a1a3a-9b0c-9c6a-a5a5-3e3f6a1fb6e1', component: 'proxy' };
    const tagged = `tags=${encodeURIComponent(JSON.stringify(tags))}`;
    expect(await found(`service=reviews&minDuration=19ms&maxDuration=0.019s&${tagged}`)).toEqual(['00000000000a0001']);
    expect(await found('service=productpage&maxDuration=19ms')).toEqual([]);
    expect(await json('/api/services')).toMatchObject({ data: ['productpage', 'reviews'], total: 2 });
    expect(await json('/api/services/reviews/operations')).toMatchObject({
      data: ['reviews.default.svc.cluster.local:9080/*'],
    });
  });

  it('gives an OpenTelemetry span back over v3 as it came', async () => {
    const resourceSpans = [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeSpans: [
          {
            scope: { name: 'lib', version: '2' },
            spans: [
              {
                traceId: '5b8efff798038103d269b633813fc60c',
                spanId: 'eee19b7ec3c1b174',
                traceState: 'a=b',
                flags: 257,
                name: 'Buy',
                kind: 5,
                startTimeUnixNano: '1750000000000000001',
                endTimeUnixNano: '1750000000000000999',
                attributes: [{ key: 'n', value: { intValue: '9223372036854775807' } }],
                events: [{ timeUnixNano: '1750000000000000007', name: 'e' }],
                status: { message: 'm', code: 2 },
              },
            ],
          },
        ],
      },
    ];
    const sent = await agent.post('/v1/traces', JSON.stringify({ resourceSpans }), {
      'content-type': 'application/json',
    });
    expect(sent.status).toBe(200);
    expect(await json('/api/v3/traces/5b8efff798038103d269b633813fc60c')).toEqual({ result: { resourceSpans } });
    expect(await json('/api/traces/5b8efff798038103d269b633813fc60c')).toMatchObject({
      data: [
        {
          spans: [
            {
              startTime: startUs,
              duration: 0,
              tags: expect.arrayContaining([{ key: 'n', type: 'int64', value: '9223372036854775807' }]),
            },
          ],
        },
      ],
    });
  });

  it('shows a file that is dropped on the viewer, and refuses one that is too large', async () => {
    const transform = (body: string) => agent.post('/api/transform', body, { 'content-type': 'application/json' });
    const shown = await transform('{"resourceSpans":[]}');
    expect([shown.status, JSON.parse(shown.text)]).toEqual([
      200,
      { data: [], total: 0, limit: 0, offset: 0, errors: null },
    ]);
    expect((await transform(`{"x":"${'y'.repeat(2 * 1024 * 1024)}"}`)).status).toBe(200);
    expect((await transform('y'.repeat(17 * 1024 * 1024))).status).toBe(413);
  });

  it('counts calls between services and draws them over time', async () => {
    const endMs = 1_760_000_000_000;
    const span = (i: number, fields: object) => ({
      traceId: `c${i}`,
      id: `c${i}`,
      kind: 'SERVER',
      timestamp: (endMs - 60_000 * (i + 1)) * 1000,
      duration: 2000,
      ...fields,
    });
    const spans = Array.from({ length: 6 }, (_, i) => [
      span(i, { kind: 'CLIENT', localEndpoint: { serviceName: 'Caller' } }),
      span(i, {
        shared: true,
        name: 'op',
        localEndpoint: { serviceName: 'Callee' },
        ...(i < 3 ? { tags: { error: '' } } : {}),
      }),
    ]);
    expect((await agent.post('/api/v2/spans', JSON.stringify(spans.flat()))).status).toBe(202);
    await agent.flush();
    expect(await json(`/api/dependencies?endTs=${endMs}&lookback=3600000`)).toMatchObject({
      data: [{ parent: 'Caller', child: 'Callee', callCount: 6 }],
    });
    const drawn = async (metric: string, more = '') => {
      const path = `/api/metrics/${metric}?service=Callee&groupByOperation=true&endTs=${endMs}&lookback=0&step=60000&ratePer=600000${more}`;
      const { metrics } = JSON.parse((await agent.get(path)).text);
      return metrics;
    };
    const point = (doubleValue: unknown) => [
      {
        labels: [
          { name: 'service_name', value: 'Callee' },
          { name: 'operation', value: 'op' },
        ],
        metricPoints: [{ gaugeValue: { doubleValue }, timestamp: '2025-10-09T08:53:20Z' }],
      },
    ];
    expect(await drawn('calls')).toEqual(point(expect.closeTo(0.01, 3)));
    expect(await drawn('errors')).toEqual(point(0.5));
    expect(await drawn('latencies', '&quantile=0.95')).toEqual(point(expect.closeTo(2, 1)));
  });

  it('has a service with a slash in its name', async () => {
    const span = { traceId: 'b1', id: 'b1', timestamp: startUs, localEndpoint: { serviceName: 'a/b c+d' }, name: 'x' };
    expect((await agent.post('/api/v2/spans', JSON.stringify([span]))).status).toBe(202);
    await agent.flush();
    expect(await json('/api/services/a%2Fb%20c%2Bd/operations')).toMatchObject({ data: ['x'], total: 1 });
  });
});
