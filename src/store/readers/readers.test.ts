import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { LogRecord } from '../../model/log-record.ts';
import { emptyResource } from '../../model/resource.ts';
import { createSeries, type Sample, type SeriesSamples } from '../../model/sample.ts';
import type { Span } from '../../model/span.ts';
import { createLogEncoder, logColumns } from '../writers/logs.ts';
import { createSampleEncoder, sampleColumns, seriesColumns } from '../writers/samples.ts';
import { createSpanEncoder, spanColumns } from '../writers/spans.ts';
import { InvalidRegexError, type LabelMatcher, type MatchOp } from './label-matcher.ts';
import { ResultLimitError } from './limits.ts';
import { readLogs } from './logs.ts';
import { serviceNames } from './names.ts';
import { defaultSampleLimits, isStale, readSamples } from './samples.ts';
import { traceById } from './spans.ts';

let store: TestStore;
let segments = 0;
const signal = (): AbortSignal => AbortSignal.timeout(10_000);

async function insert(table: string, columns: readonly (readonly [string, string])[], body: Buffer): Promise<void> {
  const structure = columns.map(([name, type]) => `${name} ${type.replaceAll("'", "\\'")}`).join(', ');
  const names = columns.map(([name]) => name).join(', ');
  segments++;
  await store.client.insert({
    sql: `INSERT INTO ${table} (${names}, seg) SELECT ${names}, ${segments} FROM input('${structure}')`,
    body,
    deduplicationToken: `test-${segments}`,
    signal: signal(),
  });
}

const endpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: undefined };

const fullSpan: Span = {
  traceId: '463ac35c9f6413ad48485a3953bb6124',
  id: 'ffffffffffffffff',
  parentId: '0000000000000001',
  kind: 'SERVER',
  shared: true,
  debug: true,
  name: 'Get /É',
  startUs: 1_472_470_996_199_001,
  durationUs: 207_000,
  status: 'error',
  localEndpoint: { serviceName: 'Frontend', ipv4: '255.0.0.1', ipv6: '2001:db8::1', port: 65535 },
  remoteEndpoint: { ...endpoint, ipv4: '10.0.0.2' },
  events: [
    { timestampUs: 1_472_470_996_199_002, value: 'a' },
    { timestampUs: -5, value: 'ütf \u0000 \u2028' },
  ],
  attributes: {
    '': 'empty key',
    __proto__key: 'x',
    a: '',
    'guid:x-request-id': '5e8ff1cd-0a1d-9b39-a1c6-8b0a2c7d1e11',
    'http.path': "/a'b\\c\n\t",
    long: 'é'.repeat(1000),
  },
  resource: {
    service: 'frontend',
    namespace: 'shop',
    pod: 'frontend-1',
    container: 'app',
    node: 'n1',
    version: 'v2',
    attributes: { region: 'eu', zone: 'b' },
  },
};

const bareSpan: Span = {
  traceId: '0000000000000000000000000000000a',
  id: '000000000000000b',
  parentId: undefined,
  kind: undefined,
  shared: false,
  debug: false,
  name: '',
  startUs: undefined,
  durationUs: undefined,
  status: 'unset',
  localEndpoint: undefined,
  remoteEndpoint: undefined,
  events: [],
  attributes: {},
  resource: emptyResource,
};

const samplesOf = (
  labels: Record<string, string>,
  points: readonly (readonly [number, number | 'stale'])[],
): SeriesSamples => ({
  series: createSeries(Object.entries(labels)),
  samples: points.map(
    ([timestampMs, value]): Sample => ({
      timestampMs,
      value: value === 'stale' ? Number.NaN : value,
      isStale: value === 'stale',
    }),
  ),
});

async function insertSamples(items: readonly SeriesSamples[]): Promise<void> {
  const encoder = createSampleEncoder();
  const rows = items.map(({ series, samples }) => ({
    series,
    lastDay: Math.max(0, ...samples.map(({ timestampMs }) => Math.floor(timestampMs / 86_400_000))),
  }));
  await insert('series', seriesColumns, encoder.series(rows));
  await insert('samples', sampleColumns, encoder.samples(items));
}

const matcher = (name: string, op: MatchOp, value: string): LabelMatcher => ({ name, op, value });

beforeAll(async () => {
  store = await startTestStore();
}, 60_000);

afterAll(() => store.stop());

describe('traceById', () => {
  beforeAll(async () => {
    const farAhead: Span = { ...bareSpan, id: '000000000000000c', startUs: 4_102_444_800_000_000 };
    const before1970: Span = { ...bareSpan, id: '000000000000000d', startUs: -1_000_000 };
    await insert(
      'spans',
      spanColumns,
      createSpanEncoder()([fullSpan, bareSpan, farAhead, before1970], 1_472_470_996_000),
    );
  });

  it('gives a span back exactly as it was written', async () => {
    expect(await traceById(store.client, fullSpan.traceId, { signal: signal() })).toEqual([fullSpan]);
  });

  it('finds a 64-bit id by its 16 digits, spans without a start and with one that cannot be among them', async () => {
    const spans = await traceById(store.client, '000000000000000a', { signal: signal() });
    const starts = new Map(spans.map(({ id, startUs }) => [id, startUs]));
    expect(Object.fromEntries(starts)).toEqual({
      '000000000000000b': undefined,
      '000000000000000c': 4_102_444_800_000_000,
      '000000000000000d': -1_000_000,
    });
    expect(spans.find(({ id }) => id === bareSpan.id)).toEqual(bareSpan);
  });

  it('finds nothing for an unknown id', async () => {
    expect(await traceById(store.client, 'f'.repeat(32), { signal: signal() })).toEqual([]);
  });

  it('does not read all spans for one trace', async () => {
    const plan = await store.client.rows<{ explain: string }>({
      sql: `EXPLAIN indexes = 1 SELECT id FROM spans WHERE trace_id = toFixedString(unhex({id:String}), 16)`,
      parameters: { id: fullSpan.traceId },
      signal: signal(),
    });
    expect(plan.map(({ explain }) => explain).join('\n')).toContain('by_trace');
  });

  it('names the services as they were spelled', async () => {
    expect(await serviceNames(store.client, { signal: signal() })).toEqual(['Frontend']);
  });

  it('ends when its caller leaves', async () => {
    await expect(traceById(store.client, fullSpan.traceId, { signal: AbortSignal.abort() })).rejects.toThrow();
  });
});

describe('readSamples', () => {
  const day = 1_700_000_000_000;

  beforeAll(async () => {
    await insertSamples([
      samplesOf({ __name__: 'up', job: 'a', instance: 'x:1' }, [
        [day, 1],
        [day + 15_000, Number.NaN],
        [day + 30_000, 'stale'],
        [day + 45_000, Number.POSITIVE_INFINITY],
        [day + 60_000, -0],
      ]),
      samplesOf({ __name__: 'up', job: "b'\\\n{}" }, [[day, 2]]),
      samplesOf({ __name__: 'down', job: 'a' }, [[day, 3]]),
      samplesOf({ __name__: 'old' }, [
        [0, 1],
        [1, 2],
        [-60_000, 3],
      ]),
    ]);
    await insertSamples([
      samplesOf({ __name__: 'up', job: 'a', instance: 'x:1' }, [
        [day, 1],
        [day + 75_000, 6],
      ]),
    ]);
  });

  const read = (matchers: readonly LabelMatcher[], afterMs = day - 1, untilMs = day + 100_000) =>
    readSamples(store.client, { matchers, afterMs, untilMs }, { signal: signal() });
  const jobs = async (matchers: readonly LabelMatcher[]): Promise<string[]> =>
    (await read(matchers)).map(({ labels }) => labels.map(([name, value]) => `${name}=${value}`).join(',')).sort();

  it('gives values, markers and infinities back as they were, and a sample that was stored twice once', async () => {
    const [points, ...others] = await read([matcher('__name__', '=', 'up'), matcher('job', '=', 'a')]);
    expect(others).toEqual([]);
    expect(points?.labels).toEqual([
      ['__name__', 'up'],
      ['instance', 'x:1'],
      ['job', 'a'],
    ]);
    expect([...(points?.timestampsMs ?? [])].map((ms) => ms - day)).toEqual([
      0, 15_000, 30_000, 45_000, 60_000, 75_000,
    ]);
    expect([...(points?.values ?? [])]).toEqual([1, Number.NaN, Number.NaN, Number.POSITIVE_INFINITY, -0, 6]);
    expect(points === undefined ? [] : [0, 1, 2, 3].map((i) => isStale(points, i))).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });

  it('leaves out the sample on the left edge of the window and takes the one on the right', async () => {
    const [points] = await read([matcher('__name__', '=', 'up'), matcher('job', '=', 'a')], day, day + 15_000);
    expect([...(points?.timestampsMs ?? [])]).toEqual([day + 15_000]);
  });

  const up = matcher('__name__', '=', 'up');
  const upA = '__name__=up,instance=x:1,job=a';
  const upB = "__name__=up,job=b'\\\n{}";
  it.each<[string, LabelMatcher[], string[]]>([
    ['=', [up], [upA, upB]],
    ['= with what SQL would trip over', [up, matcher('job', '=', "b'\\\n{}")], [upB]],
    ['!=', [up, matcher('job', '!=', 'a')], [upB]],
    ['= of a label that is missing', [up, matcher('instance', '=', '')], [upB]],
    ['!= of a label that is missing', [up, matcher('instance', '!=', '')], [upA]],
    ['=~ anchored on both ends', [up, matcher('instance', '=~', 'x')], []],
    ['=~ over a line feed', [up, matcher('job', '=~', 'b.*')], [upB]],
    [
      '=~ with alternatives',
      [matcher('__name__', '=~', 'up|down'), matcher('job', '=~', 'a|c')],
      ['__name__=down,job=a', upA],
    ],
    ['=~ that takes nothing as well', [up, matcher('instance', '=~', 'y|')], [upB]],
    ['!~', [up, matcher('job', '!~', 'b[^x]+')], [upA]],
    ['=~ with flags and quotes', [up, matcher('instance', '=~', '(?i:X)\\Q:1\\E')], [upA]],
    ['a name that would end the SQL', [up, matcher("x'] OR 1=1 --", '!=', 'y')], [upA, upB]],
  ])('matches %s', async (_, matchers, expected) => {
    expect(await jobs(matchers)).toEqual([...expected].sort());
  });

  it('takes as long for a pattern that would explode elsewhere as for any', async () => {
    const hostile = 'a'.repeat(5000);
    await insertSamples([samplesOf({ __name__: 'hostile', v: `${hostile}!` }, [[day, 1]])]);
    expect(await jobs([matcher('__name__', '=', 'hostile'), matcher('v', '=~', '(a+)+$')])).toEqual([]);
  });

  it.each(['(?=a)', 'a**', '(', ')', 'a)(b', '[', '\\', '(?i', 'x{2000}', '\\1', '(?<!a)', '\\y', '*'])(
    'refuses %j, which RE2 does not know',
    async (pattern) => {
      await expect(read([up, matcher('job', '=~', pattern)])).rejects.toThrow(InvalidRegexError);
    },
  );

  it('reads around and before 1970', async () => {
    const [points] = await read([matcher('__name__', '=', 'old')], -300_000, 1);
    expect([...(points?.timestampsMs ?? [])]).toEqual([-60_000, 0, 1]);
    const [first] = await read([matcher('__name__', '=', 'old')], -300_000, 0);
    expect([...(first?.timestampsMs ?? [])]).toEqual([-60_000, 0]);
    expect(await read([matcher('__name__', '=', 'old')], -1e15, 1e16)).toHaveLength(1);
    expect(await read([up], 0, 1e16)).toHaveLength(2);
    expect(await read([up], 0, 4_294_967_294_000)).toHaveLength(2);
  });

  it('refuses more series or samples than its limits, by the limit', async () => {
    const narrow = (limits: Partial<typeof defaultSampleLimits>) =>
      readSamples(
        store.client,
        { matchers: [up], afterMs: day - 1, untilMs: day + 100_000 },
        { signal: signal(), limits: { ...defaultSampleLimits, ...limits } },
      );
    await expect(narrow({ maxSeries: 1 })).rejects.toThrow(ResultLimitError);
    await expect(narrow({ maxSamples: 3 })).rejects.toThrow(
      'query processing would load too many samples into memory in query execution',
    );
  });
});

describe('readLogs', () => {
  const t0 = 1_700_000_000_000_000_000n;
  const line = (timeNs: bigint, body: string, pod = 'p1'): LogRecord => ({
    timeNs,
    stream: 'stdout',
    body,
    severity: '',
    traceId: '',
    spanId: '',
    requestId: '',
    attributes: {},
    resource: { ...emptyResource, service: 'reviews', namespace: 'shop', pod, container: 'app' },
  });

  beforeAll(async () => {
    const encode = createLogEncoder();
    const records = [
      line(t0, 'first 100% a_b c\\d'),
      line(t0 + 1n, 'tie 1'),
      line(t0 + 1n, 'tie 2'),
      line(t0 + 1n, 'tie 3'),
      line(t0 + 2n, 'Last "quoted"'),
      line(t0 + 2n, 'elsewhere', 'p2'),
    ];
    await insert('logs', logColumns, encode(records));
    await insert('logs', logColumns, encode([line(t0 + 1n, 'tie 4')]));
  });

  const bodies = async (over: Partial<Parameters<typeof readLogs>[1]> = {}): Promise<string[]> => {
    const lines = await readLogs(
      store.client,
      {
        matchers: [matcher('pod', '=', 'p1')],
        contains: [],
        startNs: t0,
        endNs: t0 + 1000n,
        direction: 'forward',
        limit: 100,
        ...over,
      },
      { signal: signal() },
    );
    return lines.map(({ body }) => body);
  };
  const ties = ['tie 1', 'tie 2', 'tie 3', 'tie 4'];

  it('orders lines of one stamp as they arrived, and backward reversed', async () => {
    const forward = ['first 100% a_b c\\d', ...ties, 'Last "quoted"'];
    expect(await bodies()).toEqual(forward);
    expect(await bodies({ direction: 'backward' })).toEqual(forward.toReversed());
    expect(await bodies({ direction: 'backward', limit: 2 })).toEqual(['Last "quoted"', 'tie 4']);
  });

  it('takes its start and leaves out its end, to the nanosecond', async () => {
    expect(await bodies({ startNs: t0 + 1n, endNs: t0 + 2n })).toEqual(ties);
    expect(await bodies({ startNs: -(2n ** 63n), endNs: 2n ** 63n })).toHaveLength(6);
  });

  it.each([
    ['100%', 1],
    ['0% a', 1],
    ['a_b', 1],
    ['a.b', 0],
    ['c\\d', 1],
    ['"quoted"', 1],
    ['%', 1],
    ['last', 0],
    ['', 6],
    ["'", 0],
  ])('takes the lines that hold %j, letter by letter', async (text, count) => {
    expect(await bodies({ contains: [text] })).toHaveLength(count);
  });

  it('matches by service under both of its names, and takes other labels for empty', async () => {
    expect(await bodies({ matchers: [matcher('service', '=', 'reviews'), matcher('pod', '!=', 'p2')] })).toHaveLength(
      6,
    );
    expect(await bodies({ matchers: [matcher('service_name', '=~', 'rev.*')], contains: ['e', 'w'] })).toEqual([
      'elsewhere',
    ]);
    expect(await bodies({ matchers: [matcher('namespace', '=', 'shop'), matcher('job', '=', 'x')] })).toEqual([]);
    expect(await bodies({ matchers: [matcher('namespace', '=', 'shop'), matcher('job', '!~', 'x')] })).toHaveLength(7);
  });
});
