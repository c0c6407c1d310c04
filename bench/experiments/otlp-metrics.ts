/**
 * What reading OTLP's metrics costs: a request of 10,000 gauges and counters of ten attributes, and one of 1,000 histograms of fifteen buckets, in
 * protobuf and JSON. `npx tsx bench/experiments/otlp-metrics.ts` prints one JSON object a case: µs of CPU a data point and a sample, for series
 * that are new and for the same series with new values, as every export after the first has them.
 */
import { createMetricsDecoder, decodeMetrics, type MetricsDecoder } from '../../src/codec/otlp/decode-metrics.ts';
import { metricsInProtobuf } from '../../test/fixtures/otlp-metrics.ts';

const rounds = 15;
const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });
const resource = {
  attributes: [
    attribute('service.name', 'cart'),
    attribute('service.namespace', 'shop'),
    attribute('service.instance.id', 'cart-7f4c'),
    attribute('k8s.pod.name', 'cart-7f4c'),
    attribute('telemetry.sdk.language', 'nodejs'),
  ],
};
const attributesOf = (i: number) => [
  ...['http.request.method', 'url.scheme', 'network.protocol.version', 'server.address'].map((key) =>
    attribute(key, `${key}-1`),
  ),
  ...['http.route', 'error.type', 'user_agent.name', 'cloud.region'].map((key) => attribute(key, `${key}-${i % 20}`)),
  { key: 'http.response.status_code', value: { intValue: `${200 + (i % 5)}` } },
  attribute('peer', `pod-${i}`),
];
const times = (round: number) => ({
  startTimeUnixNano: '1795253300000000000',
  timeUnixNano: `${1_795_253_305_853 + round * 15_000}000000`,
});
const bounds = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000];

function numbers(round: number): object[] {
  const points = Array.from({ length: 5_000 }, (_, i) => ({ ...times(round), attributes: attributesOf(i) }));
  return [
    { name: 'process.load', gauge: { dataPoints: points.map((point, i) => ({ ...point, asDouble: i + round / 7 })) } },
    {
      name: 'http.server.requests',
      unit: '{request}',
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: points.map((point, i) => ({ ...point, asInt: `${i + round}` })),
      },
    },
  ];
}

function histograms(round: number): object[] {
  const dataPoints = Array.from({ length: 1_000 }, (_, i) => ({
    ...times(round),
    attributes: attributesOf(i),
    count: `${160 + i}`,
    sum: i + round / 7,
    bucketCounts: Array.from({ length: 16 }, () => '10'),
    explicitBounds: bounds,
  }));
  return [{ name: 'http.server.request.duration', unit: 'ms', histogram: { aggregationTemporality: 2, dataPoints } }];
}

const requestOf = (metrics: object[]) => ({
  resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: 'lib' }, metrics }] }],
});

function cpuUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const round2 = (value: number): number => Math.round(value * 100) / 100;

for (const [name, metricsOf] of Object.entries({ numbers, histograms })) {
  for (const format of ['protobuf', 'json'] as const) {
    const bodies = Array.from({ length: rounds }, (_, round) => {
      const request = requestOf(metricsOf(round));
      return format === 'json' ? Buffer.from(JSON.stringify(request)) : metricsInProtobuf(request);
    });
    const create = (): MetricsDecoder =>
      createMetricsDecoder({ maxSamples: 1_000_000, maxKnownBytes: 64 * 1024 * 1024 });
    let points = 0;
    let samples = 0;
    const read = (decoder: MetricsDecoder, body: Buffer) => () => {
      const decoded = decodeMetrics(decoder, body, format);
      points = decoded.pointTimesMs.length;
      samples = decoded.items.length;
    };
    const news = bodies.map((body) => cpuUs(read(create(), body)));
    const decoder = create();
    const known = bodies.map((body) => cpuUs(read(decoder, body))).slice(3);
    const [newUs, knownUs] = [median(news), median(known)];
    console.log(
      JSON.stringify({
        case: `${name}, ${format}`,
        points,
        samples,
        bodyBytesPerPoint: Math.round((bodies[0]?.length ?? 0) / points),
        newUsPerPoint: round2(newUs / points),
        knownUsPerPoint: round2(knownUs / points),
        knownUsPerSample: round2(knownUs / samples),
      }),
    );
  }
}
