/** What OpenTelemetry's own SDK and exporters send as metrics, over HTTP and gRPC, through a whole agent and back out of Prometheus' API. */
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { context, trace } from '@opentelemetry/api';
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeExportMetricsServiceResponse } from '../../src/codec/otlp/otlp.generated.ts';
import { decodeMessage } from '../../src/codec/protobuf/wire-reader.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { metricsInProtobuf, numberedMetrics } from '../fixtures/otlp-metrics.ts';

const exportPath = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';

let agent: TestAgent;
beforeAll(async () => {
  agent = await startAgent({ sets: ['store.retention=forever', 'store.max_bytes=none', 'global_tags.cluster=east'] });
  await agent.ready();
}, 60_000);
afterAll(() => agent.remove());

type Metric = Readonly<Record<string, string>>;

async function ask(path: string): Promise<unknown> {
  const { status: code, text } = await agent.get(path);
  expect(code, text).toBe(200);
  return JSON.parse(text).data;
}

/** Every series of a service and its value now; the scrape of a name would miss what is named wrongly. */
async function seriesOf(service: string): Promise<Map<string, string>> {
  await agent.flush();
  const query = encodeURIComponent(`{job="${service}"}`);
  const { result } = (await ask(`/api/v1/query?query=${query}`)) as {
    result: readonly { metric: Metric; value: readonly [number, string] }[];
  };
  return new Map(
    result.map(({ metric, value }) => {
      const { __name__: name = '', job: _, instance: __, cluster: ___, ...labels } = metric;
      const text = Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`);
      return [`${name}{${text.sort().join(',')}}`, value[1]];
    }),
  );
}

const resourceOf = (service: string) =>
  resourceFromAttributes({
    'service.name': service,
    'service.instance.id': `${service}-1`,
    'k8s.namespace.name': 'shop',
    'k8s.pod.name': `${service}-7f`,
  });

/** One of every instrument of the SDK's. */
async function measure(service: string, exporter: PushMetricExporter): Promise<void> {
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ resource: resourceOf(service), readers: [reader] });
  const meter = provider.getMeter('shop', '2.1');
  const requests = meter.createCounter('http.server.requests', { description: 'Requests "taken"', unit: '{request}' });
  requests.add(3, { 'http.route': '/cart', 'http.status_code': 200 });
  requests.add(2, { 'http.route': '/cart', 'http.status_code': 500 });
  meter.createCounter('network.sent', { unit: 'By' }).add(9007199254740992);
  meter.createUpDownCounter('queue.length').add(-4);
  meter.createGauge('cpu.utilization', { unit: '1' }).record(0.25, { core: 0 });
  meter.createObservableGauge('temperature', { unit: 'Cel' }).addCallback((result) => result.observe(-3.5));
  const latency = meter.createHistogram('http.server.request.duration', {
    unit: 's',
    advice: { explicitBucketBoundaries: [0.005, 1, 2.5] },
  });
  for (const seconds of [0.001, 0.5, 0.75, 9]) latency.record(seconds, { 'http.route': '/cart' });
  await provider.forceFlush();
  await provider.shutdown();
}

const expected = {
  'http_server_requests_total{http_route="/cart",http_status_code="200"}': '3',
  'http_server_requests_total{http_route="/cart",http_status_code="500"}': '2',
  'network_sent_bytes_total{}': '9007199254740992',
  'queue_length{}': '-4',
  'cpu_utilization_ratio{core="0"}': '0.25',
  'temperature_celsius{}': '-3.5',
  'http_server_request_duration_seconds_count{http_route="/cart"}': '4',
  'http_server_request_duration_seconds_sum{http_route="/cart"}': '10.251',
  'http_server_request_duration_seconds_bucket{http_route="/cart",le="0.005"}': '1',
  'http_server_request_duration_seconds_bucket{http_route="/cart",le="1"}': '3',
  'http_server_request_duration_seconds_bucket{http_route="/cart",le="2.5"}': '3',
  'http_server_request_duration_seconds_bucket{http_route="/cart",le="+Inf"}': '4',
};

/** The SDK's request as its protobuf exporter would post it, for a sender over gRPC. */
async function serialized(service: string): Promise<Buffer> {
  const memory = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  await measure(service, memory);
  const [metrics] = memory.getMetrics();
  const body = metrics === undefined ? undefined : ProtobufMetricsSerializer.serializeRequest(metrics);
  if (body === undefined) throw new Error('the SDK made no request');
  return Buffer.from(body);
}

function call(url: string, body: Buffer, options: Record<string, number> = {}): Promise<Buffer> {
  const client = new Client(new URL(url).host, credentials.createInsecure(), options);
  const same = (bytes: Buffer) => bytes;
  return new Promise<Buffer>((resolve, reject) => {
    const deadline = Date.now() + 10_000;
    client.makeUnaryRequest(exportPath, same, same, body, { deadline }, (error: ServiceError | null, answer) =>
      error === null ? resolve(answer ?? Buffer.alloc(0)) : reject(error),
    );
  }).finally(() => client.close());
}

describe('an agent that OpenTelemetry’s SDK sends metrics to', () => {
  const url = (path = '/v1/metrics') => `${agent.url}${path}`;
  const gzip = 'gzip' as never;
  it.each<[string, (service: string) => Promise<unknown>]>([
    ['protobuf', (service) => measure(service, new ProtobufExporter({ url: url() }))],
    ['protobuf gzipped', (service) => measure(service, new ProtobufExporter({ url: url(), compression: gzip }))],
    ['JSON', (service) => measure(service, new JsonExporter({ url: url() }))],
    ['JSON at DataKit’s path', (service) => measure(service, new JsonExporter({ url: url('/otel/v1/metrics') }))],
    ['gRPC', async (service) => call(agent.url, await serialized(service))],
    [
      'gRPC gzipped',
      async (service) => call(agent.url, await serialized(service), { 'grpc.default_compression_algorithm': 2 }),
    ],
  ])('answers with the same values under Prometheus’ names: %s', async (name, send) => {
    const service = name.toLowerCase().replaceAll(/[^a-z]+/g, '-');
    await send(service);
    const found = await seriesOf(service);
    const target = [...found.keys()].find((key) => key.startsWith('target_info'));
    expect(target).toContain(`k8s_namespace_name="shop",k8s_pod_name="${service}-7f"`);
    if (target !== undefined) found.delete(target);
    expect(Object.fromEntries(found)).toEqual(expected);
  });

  it('answers with type, help and unit of each metric, with its instance and with global tags', async () => {
    await measure('described', new JsonExporter({ url: url() }));
    await agent.flush();
    const metadata = (await ask('/api/v1/metadata')) as Record<string, readonly object[]>;
    expect(metadata['http_server_requests_total']).toEqual([{ type: 'counter', help: 'Requests "taken"', unit: '' }]);
    expect(metadata['network_sent_bytes_total']).toEqual([{ type: 'counter', help: '', unit: 'bytes' }]);
    expect(metadata['queue_length']).toEqual([{ type: 'gauge', help: '', unit: '' }]);
    expect(metadata['http_server_request_duration_seconds']).toEqual([
      { type: 'histogram', help: '', unit: 'seconds' },
    ]);
    expect(metadata['target_info']).toEqual([{ type: 'gauge', help: 'Target metadata', unit: '' }]);
    const query = encodeURIComponent('queue_length{job="described"}');
    expect(await ask(`/api/v1/query?query=${query}`)).toMatchObject({
      result: [{ metric: { __name__: 'queue_length', job: 'described', instance: 'described-1', cluster: 'east' } }],
    });
  });

  it('answers with the exemplars that came along', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const nowMs = Date.now();
    const point = {
      timeUnixNano: `${nowMs}000000`,
      count: '2',
      sum: 3,
      bucketCounts: ['1', '1'],
      explicitBounds: [1],
      exemplars: [{ asDouble: 2.5, timeUnixNano: `${nowMs - 1000}000000`, traceId, spanId: 'b7ad6b7169203331' }],
    };
    const histogram = { aggregationTemporality: 2, dataPoints: [point] };
    const body = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'traced', histogram }] }] }] };
    expect((await agent.post('/v1/metrics', JSON.stringify(body), { 'content-type': 'application/json' })).status).toBe(
      200,
    );
    await agent.flush();
    const range = `start=${nowMs / 1000 - 60}&end=${nowMs / 1000 + 60}`;
    expect(await ask(`/api/v1/query_exemplars?query=traced_bucket&${range}`)).toEqual([
      {
        seriesLabels: { __name__: 'traced_bucket', le: '+Inf', cluster: 'east' },
        exemplars: [
          {
            labels: { trace_id: traceId, span_id: 'b7ad6b7169203331' },
            value: '2.5',
            timestamp: (nowMs - 1000) / 1000,
          },
        ],
      },
    ]);
  });

  it('tells a sender of delta and of exponential histograms what it cannot keep, and the operator too', async () => {
    class Delta extends InMemoryMetricExporter {
      selectAggregation() {
        return { type: AggregationType.EXPONENTIAL_HISTOGRAM } as const;
      }
    }
    const memory = new Delta(AggregationTemporality.DELTA);
    const reader = new PeriodicExportingMetricReader({ exporter: memory, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ resource: resourceOf('deltas'), readers: [reader] });
    const meter = provider.getMeter('shop');
    context.with(trace.deleteSpan(context.active()), () => {
      meter.createCounter('since').add(1);
      meter.createHistogram('sizes').record(7);
    });
    await provider.forceFlush();
    const [metrics] = memory.getMetrics();
    const body = metrics === undefined ? undefined : ProtobufMetricsSerializer.serializeRequest(metrics);
    await provider.shutdown();
    const { partialSuccess } = decodeMessage(
      await call(agent.url, Buffer.from(body ?? '')),
      decodeExportMetricsServiceResponse,
    );
    expect(partialSuccess?.rejectedDataPoints).toBe(2n);
    expect(partialSuccess?.errorMessage).toContain('metric "sizes": exponential histograms are not stored');
    expect((await agent.get('/api/trawl/status')).text).toContain('exponential histograms are not stored');
  });

  it('says in gRPC’s words what is no request, and in plain ones that logs are not taken', async () => {
    await expect(call(agent.url, Buffer.from('xyz'))).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    for (const path of ['/v1/logs', '/otel/v1/logs']) {
      const answer = await agent.post(path, '{}', { 'content-type': 'application/json' });
      expect(answer.status).toBe(404);
      expect(answer.text).toContain('logs over OTLP are not taken here; traces are, on POST /v1/traces, and metrics');
    }
  });
});

describe('data points behind a window', () => {
  it('are told by their number, their neighbours kept', async () => {
    const narrow = await startAgent({ sets: ['store.out_of_order_window=1h'] });
    try {
      const nowMs = Date.now();
      const { resourceMetrics: old } = numberedMetrics([1, 2], nowMs - 7_200_000) as { resourceMetrics: object[] };
      const { resourceMetrics: ahead } = numberedMetrics([3], nowMs + 3_600_000) as { resourceMetrics: object[] };
      const { resourceMetrics: good } = numberedMetrics([4, 5], nowMs) as { resourceMetrics: object[] };
      const body = metricsInProtobuf({ resourceMetrics: [...old, ...ahead, ...good] });
      const { partialSuccess } = decodeMessage(await call(narrow.url, body), decodeExportMetricsServiceResponse);
      expect(partialSuccess?.rejectedDataPoints).toBe(3n);
      expect(partialSuccess?.errorMessage).toMatch(/^2 older than is taken .*, 1 more than 10 minutes ahead/);
      await narrow.ready();
      await narrow.flush();
      const { text } = await narrow.get('/api/v1/query?query=numbered');
      expect(JSON.parse(text).data.result).toHaveLength(2);
    } finally {
      await narrow.remove();
    }
  }, 60_000);
});
