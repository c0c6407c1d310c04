import { describe, expect, it } from 'vitest';
import { assertStandsMutants } from '../../../test/contract/decoder-kit.ts';
import { otlpMetricsJson, otlpMetricsProtobuf } from '../../../test/contract/otlp-metrics-decoders.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import type { Label } from '../../model/sample.ts';
import { WireWriter } from '../protobuf/wire-writer.ts';
import { createMetricsDecoder, decodeMetrics, type MetricsDecoder } from './decode-metrics.ts';
import { type DecodedMetrics, TooManySamplesError } from './metrics-collector.ts';
import { encodeExportMetricsServiceRequest, readExportMetricsServiceRequest } from './otlp.generated.ts';

const decoder = (options: Partial<Parameters<typeof createMetricsDecoder>[0]> = {}) =>
  createMetricsDecoder({ maxSamples: 10_000, maxKnownBytes: 1024 * 1024, ...options });

const timeMs = 1_750_000_000_123;
const timeUnixNano = `${timeMs}456789`;
const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });
const shop = [
  attribute('service.name', 'cart'),
  attribute('service.namespace', 'shop'),
  attribute('service.instance.id', 'cart-1'),
];

interface Sent {
  readonly attributes?: readonly object[];
  readonly metrics: readonly object[];
}

const requestOf = (...sent: readonly Sent[]) => ({
  resourceMetrics: sent.map(({ attributes = shop, metrics }) => ({
    resource: { attributes },
    scopeMetrics: [{ scope: { name: 'lib', version: '1' }, metrics }],
  })),
});

function toProtobuf(request: object): Buffer {
  const writer = new WireWriter();
  encodeExportMetricsServiceRequest(readExportMetricsServiceRequest(request), writer);
  return Buffer.from(writer.finish());
}

/** In JSON and in protobuf, which come to the same. */
function decode(request: object, by: MetricsDecoder = decoder()): DecodedMetrics {
  const fromJson = decodeMetrics(by, Buffer.from(JSON.stringify(request)), 'json');
  const fromProtobuf = decodeMetrics(by, toProtobuf(request), 'protobuf');
  expect(fromProtobuf).toEqual(fromJson);
  return fromProtobuf;
}

const textOf = (labels: readonly Label[]) => labels.map(([name, value]) => `${name}=${value}`).join(' ');

/** Series and values; `†` is the end of one. */
const samplesOf = ({ items }: DecodedMetrics) =>
  items
    .filter(({ series }) => !series.labels.some(([, value]) => value === 'target_info'))
    .map(({ series, samples }) => [
      textOf(series.labels),
      ...samples.map(({ value, isStale }) => (isStale ? '†' : value)),
    ]);
const targetsOf = ({ items }: DecodedMetrics) =>
  items
    .filter(({ series }) => series.labels.some(([, value]) => value === 'target_info'))
    .map(({ series, samples }) => [textOf(series.labels), samples.map(({ timestampMs }) => timestampMs)]);

const gauge = (name: string, points: readonly object[], more: object = {}) => ({
  name,
  ...more,
  gauge: { dataPoints: points.map((point) => ({ timeUnixNano, ...point })) },
});
const sum = (name: string, points: readonly object[], more: object = {}) => ({
  name,
  sum: {
    aggregationTemporality: 2,
    isMonotonic: true,
    dataPoints: points.map((point) => ({ timeUnixNano, ...point })),
    ...more,
  },
});

describe('a metric of OTLP', () => {
  it('that is a gauge or a sum becomes one series for each set of attributes, with job and instance', () => {
    const decoded = decode(
      requestOf({
        metrics: [
          gauge('cpu.utilization', [{ asDouble: 0.5, attributes: [attribute('cpu.id', '0')] }, { asInt: '-3' }], {
            unit: '1',
            description: 'How busy',
          }),
          sum('requests', [{ asInt: '12' }]),
          sum('queue.length', [{ asDouble: -1.5 }], { isMonotonic: false }),
        ],
      }),
    );
    const identity = 'instance=cart-1 job=shop/cart';
    expect(samplesOf(decoded)).toEqual([
      [`__name__=cpu_utilization_ratio cpu_id=0 ${identity}`, 0.5],
      [`__name__=cpu_utilization_ratio ${identity}`, -3],
      [`__name__=requests_total ${identity}`, 12],
      [`__name__=queue_length ${identity}`, -1.5],
    ]);
    expect(decoded.items[0]?.samples[0]?.timestampMs).toBe(timeMs);
    expect(decoded.metadata).toEqual([
      { family: 'cpu_utilization_ratio', type: 'gauge', help: 'How busy', unit: '' },
      { family: 'requests_total', type: 'counter', help: '', unit: '' },
      { family: 'queue_length', type: 'gauge', help: '', unit: '' },
    ]);
    expect(decoded.pointTimesMs).toEqual([timeMs, timeMs, timeMs, timeMs]);
    expect(decoded.leftOut).toEqual([]);
  });

  it('has the labels of its attributes, whatever they are, under names that can be labels', () => {
    const attributes = [
      attribute('a.b', '2'),
      attribute('a-b', '1'),
      attribute('a_b', '3'),
      attribute('9lives', 'cat'),
      attribute('_x', 'y'),
      attribute('empty', ''),
      attribute('job', 'own'),
      { key: 'flag', value: { boolValue: true } },
      { key: 'code', value: { intValue: '503' } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }] } } },
    ];
    expect(samplesOf(decode(requestOf({ metrics: [gauge('x', [{ asInt: '1', attributes }])] })))).toEqual([
      ['__name__=x a_b=1;2;3 code=503 flag=true instance=cart-1 job=shop/cart key_9lives=cat key_x=y list=["a",1]', 1],
    ]);
  });

  it.each([
    [[attribute('service.name', 'cart')], 'job=cart'],
    [[attribute('service.namespace', 'shop')], ''],
    [[attribute('service.name', 'cart'), attribute('service.namespace', '')], 'job=/cart'],
    [[attribute('service.instance.id', 'i')], 'instance=i'],
    [[], ''],
  ])('has job and instance of what its resource says: %j', (attributes, expected) => {
    const [series] = samplesOf(decode(requestOf({ attributes, metrics: [gauge('x', [{ asInt: '1' }])] })));
    expect(series?.[0]).toBe(`__name__=x ${expected}`.trim());
  });

  it('that is a histogram becomes buckets that add up, a count and a sum', () => {
    const point = {
      timeUnixNano,
      count: '9',
      sum: 2.5,
      bucketCounts: ['1', '0', '5', '3'],
      explicitBounds: [0.005, 1, 2.5],
      attributes: [attribute('le', 'mine'), attribute('route', '/')],
    };
    const histogram = { aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE', dataPoints: [point] };
    const decoded = decode(requestOf({ attributes: [], metrics: [{ name: 'latency', unit: 's', histogram }] }));
    expect(samplesOf(decoded)).toEqual([
      ['__name__=latency_seconds_sum le=mine route=/', 2.5],
      ['__name__=latency_seconds_count le=mine route=/', 9],
      ['__name__=latency_seconds_bucket le=0.005 route=/', 1],
      ['__name__=latency_seconds_bucket le=1 route=/', 1],
      ['__name__=latency_seconds_bucket le=2.5 route=/', 6],
      ['__name__=latency_seconds_bucket le=+Inf route=/', 9],
    ]);
    expect(decoded.metadata).toEqual([{ family: 'latency_seconds', type: 'histogram', help: '', unit: 'seconds' }]);
    expect(decoded.pointTimesMs).toHaveLength(1);
  });

  it('that is a histogram may lack its sum and its buckets, and may change its bounds', () => {
    const by = decoder();
    const histogramOf = (point: object) =>
      requestOf({
        attributes: [],
        metrics: [{ name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [{ timeUnixNano, ...point }] } }],
      });
    const one = samplesOf(decode(histogramOf({ count: '2' }), by));
    expect(one).toEqual([
      ['__name__=h_count', 2],
      ['__name__=h_bucket le=+Inf', 2],
    ]);
    const bounded = (bounds: readonly number[]) =>
      samplesOf(
        decode(histogramOf({ count: '2', explicitBounds: bounds, bucketCounts: [...bounds.map(() => '1'), '0'] }), by),
      ).map(([text]) => text);
    expect(bounded([1, 2])).toEqual([
      '__name__=h_count',
      ...['1', '2', '+Inf'].map((le) => `__name__=h_bucket le=${le}`),
    ]);
    expect(bounded([1, 5])).toEqual([
      '__name__=h_count',
      ...['1', '5', '+Inf'].map((le) => `__name__=h_bucket le=${le}`),
    ]);
  });

  it('that is a summary becomes a series for each quantile, a count and a sum', () => {
    const point = {
      timeUnixNano,
      count: '4',
      sum: 10,
      quantileValues: [
        { quantile: 0.5, value: 1 },
        { quantile: 1, value: 7 },
      ],
    };
    const metrics = [{ name: 'rpc.time', unit: 'ms', summary: { dataPoints: [point] } }];
    expect(samplesOf(decode(requestOf({ attributes: [], metrics })))).toEqual([
      ['__name__=rpc_time_milliseconds_sum', 10],
      ['__name__=rpc_time_milliseconds_count', 4],
      ['__name__=rpc_time_milliseconds quantile=0.5', 1],
      ['__name__=rpc_time_milliseconds quantile=1', 7],
    ]);
  });

  it('ends its series where a value was not recorded, or is Prometheus’ own mark of the end', () => {
    const decoded = decode(requestOf({ attributes: [], metrics: [gauge('x', [{ asInt: '5', flags: 1 }])] }));
    expect(samplesOf(decoded)).toEqual([['__name__=x', '†']]);
    const body = toProtobuf(requestOf({ attributes: [], metrics: [gauge('x', [{ asDouble: 1.5 }])] }));
    const at = body.indexOf(Buffer.from([0x21, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f])) + 1;
    body.writeBigUInt64LE(0x7ff0_0000_0000_0002n, at);
    expect(samplesOf(decodeMetrics(decoder(), body, 'protobuf'))).toEqual([['__name__=x', '†']]);
    body.writeBigUInt64LE(0x7ff8_0000_0000_0001n, at);
    expect(samplesOf(decodeMetrics(decoder(), body, 'protobuf'))).toEqual([['__name__=x', Number.NaN]]);
  });

  it('keeps the nearest double of integers beyond 2^53, sums of counts too', () => {
    const big = { count: '18446744073709551615', bucketCounts: ['9007199254740993', '1'] };
    const decoded = decode(
      requestOf({
        attributes: [],
        metrics: [
          gauge('g', [{ asInt: '9007199254740993' }, { asInt: '-9223372036854775808' }]),
          {
            name: 'h',
            histogram: { aggregationTemporality: 2, dataPoints: [{ timeUnixNano, ...big, explicitBounds: [1, 2] }] },
          },
        ],
      }),
    );
    expect(samplesOf(decoded).map(([, value]) => value)).toEqual([
      9007199254740992,
      -(2 ** 63),
      2 ** 64,
      9007199254740992,
      9007199254740994,
      2 ** 64,
    ]);
  });

  it.each([
    ['0', undefined],
    ['999999', 0],
    ['1000000', 1],
    ['1750000000123999999', 1_750_000_000_123],
    ['1750000000124000000', 1_750_000_000_124],
    ['18446744073709551615', 18_446_744_073_709],
  ])('has the millisecond that its time lies in: %s ns', (timeUnixNano, expected) => {
    const { items } = decode(requestOf({ attributes: [], metrics: [gauge('x', [{ asInt: '1', timeUnixNano }])] }));
    expect(items[0]?.samples[0]?.timestampMs).toBe(expected);
  });
});

describe('a resource', () => {
  it('has its other attributes in target_info, for the time of its data points', () => {
    const attributes = [...shop, attribute('k8s.pod.name', 'cart-7f'), { key: 'pid', value: { intValue: '42' } }];
    const at = (ms: number) => ({ asInt: '1', timeUnixNano: `${ms}000000` });
    const decoded = decode(
      requestOf({ attributes, metrics: [gauge('x', [at(400_000), at(100_000)]), gauge('y', [at(600_000)])] }),
    );
    expect(targetsOf(decoded)).toEqual([
      [
        '__name__=target_info instance=cart-1 job=shop/cart k8s_pod_name=cart-7f pid=42',
        [100_000, 250_000, 400_000, 550_000, 600_000],
      ],
    ]);
    expect(decoded.metadata.at(-1)).toEqual({
      family: 'target_info',
      type: 'gauge',
      help: 'Target metadata',
      unit: '',
    });
    expect(decoded.pointTimesMs).toHaveLength(3);
  });

  it('has none where there is nothing else to say, nothing to find it by, or no data point', () => {
    const one = gauge('x', [{ asInt: '1' }]);
    for (const [attributes, metrics] of [
      [shop, [one]],
      [[attribute('host.name', 'n')], [one]],
      [[...shop, attribute('host.name', 'n')], []],
    ] as const)
      expect(targetsOf(decode(requestOf({ attributes, metrics })))).toEqual([]);
  });

  it('has at most a day of them, however old a data point is', () => {
    const metrics = [gauge('x', [{ asInt: '1' }, { asInt: '1', timeUnixNano: '1' }])];
    const [target] = targetsOf(decode(requestOf({ attributes: [...shop, attribute('a', 'b')], metrics })));
    expect(target?.[1]).toHaveLength(576);
    expect(target?.[1]).toContain(timeMs);
  });
});

describe('exemplars', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const spanId = 'b7ad6b7169203331';
  const ids = [
    ['span_id', spanId],
    ['trace_id', traceId],
  ];

  it('come with trace, span and what was filtered out, their time or their sample’s', () => {
    const exemplars = [
      { asDouble: 1.5, traceId, spanId, timeUnixNano: '5000000', filteredAttributes: [attribute('user.id', '7')] },
      { asInt: '3' },
      { traceId },
    ];
    const decoded = decode(requestOf({ attributes: [], metrics: [sum('x', [{ asInt: '5', exemplars }])] }));
    const series = decoded.items[0]?.series;
    expect(decoded.exemplars).toEqual([
      { series, labels: [...ids, ['user.id', '7']], value: 1.5, timestampMs: 5 },
      { series, labels: [], value: 3, timestampMs: timeMs },
    ]);
    expect(decoded.leftOut).toEqual([{ what: 'exemplars', reason: 'an exemplar without a value', count: 1 }]);
  });

  it('lose what was filtered out where all together is longer than 128 characters', () => {
    const filteredAttributes = [attribute('long', 'x'.repeat(70))];
    const exemplars = [{ asDouble: 1, traceId, spanId, filteredAttributes }];
    const decoded = decode(requestOf({ attributes: [], metrics: [gauge('x', [{ asInt: '5', exemplars }])] }));
    expect(decoded.exemplars[0]?.labels).toEqual(ids);
  });

  it('of a histogram go to the bucket that their value falls into', () => {
    const exemplars = [2, 0.5, 1, 99].map((asDouble) => ({ asDouble, timeUnixNano }));
    const point = { timeUnixNano, count: '4', bucketCounts: ['2', '1', '1'], explicitBounds: [1, 5], exemplars };
    const metrics = [{ name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [point] } }];
    const decoded = decode(requestOf({ attributes: [], metrics }));
    expect(decoded.exemplars.map(({ series, value }) => [value, textOf(series.labels)])).toEqual([
      [2, '__name__=h_bucket le=5'],
      [0.5, '__name__=h_bucket le=1'],
      [1, '__name__=h_bucket le=1'],
      [99, '__name__=h_bucket le=+Inf'],
    ]);
  });
});

describe('what cannot be taken', () => {
  const histogram = (more: object) => ({
    name: 'h',
    histogram: { dataPoints: [{ timeUnixNano, count: '1' }], ...more },
  });

  it.each<[string, object]>([
    ['metric "d": delta temporality is not taken', sum('d', [{ asInt: '1' }], { aggregationTemporality: 1 })],
    ['metric "h": delta temporality is not taken', histogram({ aggregationTemporality: 1 })],
    ['metric "h": its temporality is not said', histogram({})],
    [
      'metric "e": exponential histograms are not stored',
      { name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [{ timeUnixNano, scale: 3 }] } },
    ],
    ['metric "": nothing of its name can be a name', gauge('', [{ asInt: '1' }])],
    ['a data point without a time', gauge('x', [{ asInt: '1', timeUnixNano: '0' }])],
    [
      'metric "x": an attribute named "…" can be no label'.replace('…', '😀'),
      gauge('x', [{ asInt: '1', attributes: [attribute('😀', '1')] }]),
    ],
    [
      'metric "x": a series has 141 labels, more than 128',
      gauge('x', [{ asInt: '1', attributes: Array.from({ length: 140 }, (_, i) => attribute(`a${i}`, '1')) }]),
    ],
    ['metric "x": attributes of ', gauge('x', [{ asInt: '1', attributes: [attribute('a', 'x'.repeat(300_000))] }])],
  ])('is left out and told, its neighbours are kept: %s', (reason, metric) => {
    const { leftOut, items } = decode(
      requestOf({ attributes: [], metrics: [metric, gauge('good', [{ asInt: '1' }])] }),
    );
    expect(leftOut).toEqual([{ what: 'data points', reason: expect.stringContaining(reason), count: 1 }]);
    expect(items).toHaveLength(1);
  });

  it('is told by at most twenty reasons, the rest under the last of them', () => {
    const metrics = Array.from({ length: 50 }, (_, i) => sum(`m${i}`, [{ asInt: '1' }], { aggregationTemporality: 1 }));
    const { leftOut } = decode(requestOf({ metrics }));
    expect([leftOut.length, leftOut.reduce((total, { count }) => total + count, 0)]).toEqual([20, 50]);
  });

  it('is the whole body where it has more samples than may be', () => {
    const many = (count: number) =>
      requestOf({
        metrics: [
          gauge(
            'x',
            Array.from({ length: count }, (_, i) => ({ asInt: `${i}` })),
          ),
        ],
      });
    expect(() => decode(many(200), decoder({ maxSamples: 100 }))).toThrow(TooManySamplesError);
    const bounds = Array.from({ length: 200 }, (_, i) => i);
    const wide = { timeUnixNano, count: '1', explicitBounds: bounds, bucketCounts: bounds.map(() => '0') };
    const metrics = [{ name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [wide] } }];
    expect(() => decode(requestOf({ metrics }), decoder({ maxSamples: 100 }))).toThrow(TooManySamplesError);
  });

  it('is a data point that only takes time, of which the rest is not read', () => {
    const bounds = Array.from({ length: 5000 }, (_, i) => i);
    const wide = { timeUnixNano, count: '1', explicitBounds: bounds, bucketCounts: bounds.map(() => '0') };
    const exemplars = Array.from({ length: 300 }, (_, i) => ({ asInt: `${i}` }));
    const decoded = decode(
      requestOf({
        attributes: [],
        metrics: [
          { name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [wide] } },
          gauge('x', [{ asInt: '1', exemplars }]),
        ],
      }),
    );
    expect(decoded.leftOut).toEqual([
      { what: 'data points', reason: 'metric "h": more than 4096 buckets', count: 1 },
      { what: 'exemplars', reason: 'more than 256 of one data point', count: 44 },
    ]);
    expect([decoded.items.length, decoded.exemplars.length]).toEqual([1, 256]);
    const many = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[${'{},'.repeat(1000)}{}]}}]}]}]}`;
    expect(() => decodeMetrics(decoder(), Buffer.from(many), 'json')).toThrow('more objects than a request of metrics');
  });

  it('is the whole body where it is no request, with the place', () => {
    const json = (text: string) => () => decodeMetrics(decoder(), Buffer.from(text), 'json');
    expect(json('{')).toThrow(/^malformed JSON/);
    expect(json('{"resourceMetrics":7}')).toThrow('resourceMetrics: expected a list, got 7');
    expect(() => decodeMetrics(decoder(), Buffer.from([0x0a, 99]), 'protobuf')).toThrow(
      /^malformed protobuf at byte 2/,
    );
  });
});

describe('series that are known', () => {
  const point = (i: number) => ({ asInt: `${i}`, attributes: [attribute('pod', `pod-${i}`)] });
  const request = (order: readonly number[]) =>
    requestOf({ metrics: [gauge('x', order.map(point)), sum('y', order.map(point))] });

  it('are the same object again, in whatever order they come and in either format', () => {
    const by = decoder();
    const series = (order: readonly number[]) => decode(request(order), by).items.map((item) => item.series);
    const first = series([1, 2, 3]);
    for (const [i, each] of series([1, 2, 3]).entries()) expect(each).toBe(first[i]);
    const again = series([3, 1, 2, 1]);
    expect(again[0]).toBe(first[2]);
    expect(again[1]).toBe(first[0]);
    expect(again[4]).toBe(first[5]);
  });

  it('are never taken for others, however many are forgotten in between', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const by = decoder({ maxKnownBytes: 20_000 });
    for (let round = 0; round < 100; round++) {
      const start = Math.floor(random() * 300);
      const order = Array.from({ length: 20 }, (_, i) => (random() < 0.8 ? start + i : Math.floor(random() * 300)));
      const service = `service-${Math.floor(random() * 3)}`;
      const metrics = [gauge('x', order.map(point))];
      const decoded = decode(requestOf({ attributes: [attribute('service.name', service)], metrics }), by);
      expect(samplesOf(decoded), `seed ${seed}`).toEqual(
        order.map((i) => [`__name__=x job=${service} pod=pod-${i}`, i]),
      );
    }
  });

  it('have the help that was said last', () => {
    const by = decoder();
    const helpOf = (description: string) =>
      decode(requestOf({ metrics: [gauge('x', [{ asInt: '1' }], { description })] }), by).metadata[0]?.help;
    expect([helpOf('one'), helpOf('two'), helpOf('')]).toEqual(['one', 'two', '']);
  });

  it('may have attributes that stand apart from one another', () => {
    const body = toProtobuf(requestOf({ attributes: [], metrics: [gauge('x', [point(1)])] }));
    const whole = decodeMetrics(decoder(), body, 'protobuf');
    // The flags between two attributes.
    const kv = Buffer.from([0x3a, 0x08, 0x0a, 0x01, 0x61, 0x12, 0x03, 0x0a, 0x01, 0x62]);
    const dataPoint = Buffer.concat([kv, Buffer.from([0x40, 0, 0x19, 0, 0x10, 0xa5, 0xd4, 0xe8, 0, 0, 0]), kv]);
    const wrap = (tag: number, bytes: Buffer) => Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
    const metric = Buffer.concat([Buffer.from([0x0a, 1, 0x78]), wrap(0x2a, wrap(0x0a, dataPoint))]);
    const scattered = wrap(0x0a, wrap(0x12, wrap(0x12, metric)));
    expect(samplesOf(decodeMetrics(decoder(), scattered, 'protobuf'))).toEqual([['__name__=x a=b;b', 0]]);
    expect(samplesOf(whole)).toEqual([['__name__=x pod=pod-1', 1]]);
  });

  it('come in steps where there are many', () => {
    const body = toProtobuf(request(Array.from({ length: 8000 }, (_, i) => i)));
    const steps = decoder({ maxSamples: 100_000 })(body, 'protobuf');
    let count = 0;
    while (steps.next().done !== true) count++;
    expect(count).toBeGreaterThan(2);
  });
});

describe('the decoder of OTLP’s metrics', () => {
  it.each([otlpMetricsProtobuf, otlpMetricsJson])('stands 10,000 mutants: $name', (mutants) => {
    const { accepted, refused } = assertStandsMutants(mutants, { mutants: 10_000, seed: 4318 });
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(1000);
  });
});
