import { describe, expect, it } from 'vitest';
import { decodeJsonSpans } from '../../codec/otlp/decode-spans.ts';
import { decodeSpans } from '../../codec/zipkin-v2-json/decode-spans.ts';
import { adjustTrace } from './adjusters.ts';
import { type OtlpTrace, spansOf, toOtlpTrace } from './otlp-trace.ts';
import { toUiTrace, type UiSpan, type UiTrace } from './ui-trace.ts';
import { warningsOf } from './warnings.ts';

const traceId = '5b8efff798038103d269b633813fc60c';
const startNs = 1_750_000_000_000_000_000n;
type Fields = Readonly<Record<string, unknown>>;

const text = (key: string, value: string) => ({ key, value: { stringValue: value } });

const otlpSpan = (fields: Fields): Fields => ({
  traceId,
  spanId: '00000000000000a1',
  name: 'op',
  startTimeUnixNano: String(startNs),
  endTimeUnixNano: String(startNs + 1_500_000n),
  ...fields,
});

const emitter = (
  service: string,
  spans: readonly Fields[],
  more: { scope?: Fields; attributes?: readonly unknown[] } = {},
) => ({
  resource: { attributes: [text('service.name', service), ...(more.attributes ?? [])] },
  scopeSpans: [{ scope: more.scope ?? {}, spans }],
});

function traceOf(...resourceSpans: readonly unknown[]): OtlpTrace {
  return toOtlpTrace(decodeJsonSpans(Buffer.from(JSON.stringify({ resourceSpans }))).spans);
}

const zipkinTrace = (...spans: readonly Fields[]): OtlpTrace =>
  toOtlpTrace(decodeSpans(Buffer.from(JSON.stringify(spans.map((span) => ({ traceId, id: 'a1', ...span }))))));

function adjusted(trace: OtlpTrace): UiTrace {
  adjustTrace(trace);
  return toUiTrace(trace);
}

const firstSpan = ({ spans: [first] }: UiTrace): UiSpan => {
  if (first === undefined) throw new Error('the trace has no span');
  return first;
};

const tagsOf = (fields: Fields) => firstSpan(toUiTrace(traceOf(emitter('s', [otlpSpan(fields)])))).tags;

describe("an OpenTelemetry span in Jaeger's v1 JSON", () => {
  it('has all fields in the order of Jaeger, lists that are empty among them', () => {
    expect(JSON.stringify(toUiTrace(traceOf(emitter('shop', [otlpSpan({})]))))).toBe(
      JSON.stringify({
        traceID: traceId,
        spans: [
          {
            traceID: traceId,
            spanID: '00000000000000a1',
            operationName: 'op',
            references: [],
            startTime: 1_750_000_000_000_000,
            duration: 1500,
            tags: [],
            logs: [],
            processID: 'p1',
            warnings: null,
          },
        ],
        processes: { p1: { serviceName: 'shop', tags: [] } },
        warnings: null,
      }),
    );
  });

  it.each([
    ['text', { stringValue: 'x' }, 'string', 'x'],
    ['empty text', { stringValue: '' }, 'string', ''],
    ['truth', { boolValue: false }, 'bool', false],
    ['an integer', { intValue: '-7' }, 'int64', -7],
    ['the largest exact integer', { intValue: '9007199254740991' }, 'int64', 9_007_199_254_740_991],
    ['an integer beyond it', { intValue: '9007199254740992' }, 'int64', '9007199254740992'],
    ['the smallest exact integer', { intValue: '-9007199254740991' }, 'int64', -9_007_199_254_740_991],
    ['an integer beyond that', { intValue: '-9223372036854775808' }, 'int64', '-9223372036854775808'],
    ['a double', { doubleValue: 0.1 }, 'float64', 0.1],
    ['a whole double', { doubleValue: 3 }, 'float64', 3],
    ['what is no number', { doubleValue: 'NaN' }, 'float64', 'NaN'],
    ['bytes', { bytesValue: 'AAECAw==' }, 'binary', 'AAECAw=='],
    ['a list', { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }] } }, 'string', '["a",1]'],
    ['a map', { kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }] } }, 'string', '{"k":true}'],
    ['nothing', {}, 'string', ''],
  ])('writes %s as a tag', (_what, value, type, written) => {
    expect(tagsOf({ attributes: [{ key: 'k', value }] })).toEqual([{ key: 'k', type, value: written }]);
  });

  it('says kind, status, message and trace state in tags behind its own', () => {
    expect(
      tagsOf({
        kind: 2,
        status: { code: 2, message: 'refused' },
        traceState: 'v=1',
        attributes: [text('k', 'v')],
      }).map(({ key, value }) => [key, value]),
    ).toEqual([
      ['k', 'v'],
      ['span.kind', 'server'],
      ['otel.status_code', 'ERROR'],
      ['error', true],
      ['otel.status_description', 'refused'],
      ['w3c.tracestate', 'v=1'],
    ]);
    expect(tagsOf({ status: { code: 1 } })).toEqual([{ key: 'otel.status_code', type: 'string', value: 'OK' }]);
    expect([1, 2, 3, 4, 5].map((kind) => tagsOf({ kind })[0]?.value)).toEqual([
      'internal',
      'server',
      'client',
      'producer',
      'consumer',
    ]);
  });

  it('refers to its parent first, then to its links', () => {
    const link = { traceId: '0000000000000000000000000000beef', spanId: 'b1'.padStart(16, '0') };
    const { references } = firstSpan(
      toUiTrace(
        traceOf(
          emitter('s', [
            otlpSpan({
              parentSpanId: '00000000000000ff',
              links: [link, { ...link, attributes: [text('opentracing.ref_type', 'child_of')] }],
            }),
          ]),
        ),
      ),
    );
    expect(references).toEqual([
      { refType: 'CHILD_OF', traceID: traceId, spanID: '00000000000000ff' },
      { refType: 'FOLLOWS_FROM', traceID: '000000000000beef', spanID: '00000000000000b1' },
      { refType: 'CHILD_OF', traceID: '000000000000beef', spanID: '00000000000000b1' },
    ]);
  });

  it("names an event's log after it unless the event has a field of that name", () => {
    const events = [
      { timeUnixNano: String(startNs + 2999n), name: 'retry', attributes: [{ key: 'n', value: { intValue: '2' } }] },
      { timeUnixNano: String(startNs), name: 'ignored', attributes: [text('event', 'own')] },
      { timeUnixNano: String(startNs), name: '' },
    ];
    expect(firstSpan(toUiTrace(traceOf(emitter('s', [otlpSpan({ events })])))).logs).toEqual([
      {
        timestamp: 1_750_000_000_000_002,
        fields: [
          { key: 'event', type: 'string', value: 'retry' },
          { key: 'n', type: 'int64', value: 2 },
        ],
      },
      { timestamp: 1_750_000_000_000_000, fields: [{ key: 'event', type: 'string', value: 'own' }] },
      { timestamp: 1_750_000_000_000_000, fields: [] },
    ]);
  });

  it('puts what the emitter says into processes, one for all that say the same, numbered as they appear', () => {
    const { spans, processes } = toUiTrace(
      traceOf(
        emitter('a', [otlpSpan({})], { attributes: [text('host', 'n1')] }),
        emitter('b', [otlpSpan({ spanId: '00000000000000a2' })]),
        emitter('a', [otlpSpan({ spanId: '00000000000000a3' })], { attributes: [text('host', 'n1')] }),
        emitter('a', [otlpSpan({ spanId: '00000000000000a4' })], { attributes: [text('host', 'n2')] }),
      ),
    );
    expect(Object.fromEntries(spans.map(({ spanID, processID }) => [spanID.slice(-1), processID]))).toEqual({
      1: 'p1',
      2: 'p2',
      3: 'p1',
      4: 'p3',
    });
    expect(Object.keys(processes)).toEqual(['p1', 'p2', 'p3']);
    expect(processes['p3']).toEqual({ serviceName: 'a', tags: [{ key: 'host', type: 'string', value: 'n2' }] });
  });

  it.each([
    [[], 'missing-service-name'],
    [[text('service.name', '')], 'empty-service-name'],
    [[{ key: 'service.name', value: { intValue: '1' } }], 'service-name-wrong-type'],
  ])('gives an emitter without a name one of Jaeger: %j', (attributes, serviceName) => {
    const trace = traceOf({ resource: { attributes }, scopeSpans: [{ spans: [otlpSpan({})] }] });
    expect(toUiTrace(trace).processes).toEqual({ p1: { serviceName, tags: [] } });
  });

  it('is put right where it has no name or ends before it starts', () => {
    const { operationName, duration, tags, warnings } = firstSpan(
      toUiTrace(traceOf(emitter('s', [otlpSpan({ name: '', endTimeUnixNano: String(startNs - 1n) })]))),
    );
    expect({ operationName, duration, tags }).toEqual({ operationName: 'empty-span-name', duration: 0, tags: [] });
    expect(warnings).toEqual([
      'Negative duration detected, sanitizing end timestamp. Original end timestamp: 2025-06-15 15:06:39.999999999 +0000 UTC, adjusted to: 2025-06-15 15:06:40.000000001 +0000 UTC',
    ]);
  });
});

describe("a Zipkin span in Jaeger's v1 JSON", () => {
  it('tells its endpoints in tags and its annotations in logs', () => {
    const { processes, spans } = adjusted(
      zipkinTrace({
        kind: 'CLIENT',
        name: 'Query',
        timestamp: 1_750_000_000_000_000,
        duration: 5,
        localEndpoint: { serviceName: 'Back', ipv4: '10.0.0.2', port: 9000 },
        remoteEndpoint: { serviceName: 'db', ipv6: '2001:db8::1', port: 3306 },
        annotations: [{ timestamp: 1_750_000_000_000_001, value: 'locked' }],
        tags: { n: '5' },
      }),
    );
    expect(processes).toEqual({ p1: { serviceName: 'Back', tags: [] } });
    expect(spans).toMatchObject([
      {
        operationName: 'Query',
        startTime: 1_750_000_000_000_000,
        duration: 5,
        tags: [
          { key: 'n', type: 'string', value: '5' },
          { key: 'net.host.port', type: 'int64', value: 9000 },
          { key: 'net.peer.port', type: 'int64', value: 3306 },
          { key: 'network.local.address', type: 'string', value: '10.0.0.2' },
          { key: 'network.peer.address', type: 'string', value: '2001:db8::1' },
          { key: 'peer.service', type: 'string', value: 'db' },
          { key: 'span.kind', type: 'string', value: 'client' },
        ],
        logs: [{ timestamp: 1_750_000_000_000_001, fields: [{ key: 'event', type: 'string', value: 'locked' }] }],
      },
    ]);
  });

  it.each([
    ['true', [['error', true]]],
    [
      'out of stock',
      [
        ['error', 'out of stock'],
        ['error', true],
      ],
    ],
    [
      '',
      [
        ['error', ''],
        ['error', true],
      ],
    ],
  ])('is an error where it has a tag `error` of %j', (error, expected) => {
    const { tags } = firstSpan(
      adjusted(zipkinTrace({ localEndpoint: { serviceName: 'a' }, timestamp: 1, tags: { error } })),
    );
    expect(tags.filter(({ key }) => key === 'error').map(({ key, value }) => [key, value])).toEqual(expected);
  });

  it('without a time starts in 1970 and says why', () => {
    expect(firstSpan(adjusted(zipkinTrace({ localEndpoint: { serviceName: 'a' } })))).toMatchObject({
      startTime: 0,
      duration: 0,
      tags: [{ key: 'otel.zipkin.absentField.startTime', type: 'bool', value: true }],
      warnings: null,
    });
  });
});

describe('what is adjusted', () => {
  const parents = ({ spans }: UiTrace) =>
    Object.fromEntries(
      spans.map(({ spanID, operationName, references }) => [
        operationName,
        [spanID.slice(-2), references[0]?.spanID.slice(-2)],
      ]),
    );

  it("gives a server that shares its client's id an unused one, and takes its children along", () => {
    const trace = zipkinTrace(
      { id: '1', kind: 'CLIENT', name: 'client', timestamp: 10, duration: 90, localEndpoint: { serviceName: 'a' } },
      {
        id: '1',
        kind: 'SERVER',
        shared: true,
        name: 'server',
        timestamp: 20,
        duration: 70,
        localEndpoint: { serviceName: 'b' },
      },
      {
        id: '2',
        parentId: '1',
        kind: 'CLIENT',
        name: 'below',
        timestamp: 30,
        duration: 10,
        localEndpoint: { serviceName: 'b' },
      },
    );
    expect(parents(toUiTrace(trace))).toMatchObject({ server: ['01', undefined], below: ['02', '01'] });
    expect(parents(adjusted(trace))).toEqual({ client: ['01', undefined], server: ['03', '01'], below: ['02', '03'] });
  });

  it('leaves two servers of one client below the client', () => {
    const server = { id: '1', kind: 'SERVER', shared: true, duration: 5 };
    const trace = zipkinTrace(
      { id: '1', kind: 'CLIENT', name: 'client', timestamp: 10, duration: 90, localEndpoint: { serviceName: 'a' } },
      { ...server, name: 'try', timestamp: 20, localEndpoint: { serviceName: 'b' } },
      { ...server, name: 'retry', timestamp: 40, localEndpoint: { serviceName: 'c' } },
    );
    expect(parents(adjusted(trace))).toEqual({ client: ['01', undefined], try: ['02', '01'], retry: ['03', '01'] });
  });

  it('leaves ids alone that no client shares', () => {
    const trace = zipkinTrace(
      { id: '1', kind: 'SERVER', name: 'x', timestamp: 10, localEndpoint: { serviceName: 'a' } },
      { id: '1', kind: 'SERVER', name: 'y', timestamp: 10, localEndpoint: { serviceName: 'a' } },
    );
    const ui = adjusted(trace);
    expect(ui.spans.map(({ spanID }) => spanID.slice(-1))).toEqual(['1', '1']);
    expect(ui.spans.map(({ warnings }) => warnings)).toEqual([
      null,
      ['duplicate span IDs; skipping clock skew adjustment'],
    ]);
  });

  it('shows copies of a span once, whatever the order of their attributes', () => {
    const attributes = [text('b', '2'), text('a', '1')];
    const trace = traceOf(
      emitter('s', [otlpSpan({ attributes }), otlpSpan({ attributes: [...attributes].reverse() })]),
      emitter('other', [otlpSpan({ attributes })]),
    );
    const { spans } = adjusted(trace);
    expect(spans.map(({ processID }) => processID)).toEqual(['p1', 'p2']);
    expect(spans[0]?.tags.map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('sorts events by time', () => {
    const event = (name: string, ns: bigint) => ({ name, timeUnixNano: String(startNs + ns) });
    const { logs } = firstSpan(
      adjusted(traceOf(emitter('s', [otlpSpan({ events: [event('b', 2n), event('a', 1n)] })]))),
    );
    expect(logs.map(({ fields: [field] }) => field?.value)).toEqual(['a', 'b']);
  });

  it('writes IPv4 addresses out that came as numbers, and moves what tells of the library to the process', () => {
    const ui = adjusted(
      traceOf(
        emitter('s', [
          otlpSpan({
            attributes: [
              { key: 'ip', value: { intValue: '3232235777' } },
              { key: 'peer.ipv4', value: { doubleValue: 16_909_060 } },
              text('telemetry.sdk.name', 'otel'),
            ],
          }),
        ]),
      ),
    );
    expect(firstSpan(ui).tags).toEqual([
      { key: 'ip', type: 'string', value: '192.168.1.1' },
      { key: 'peer.ipv4', type: 'string', value: '1.2.3.4' },
    ]);
    expect(ui.processes['p1']?.tags).toEqual([{ key: 'telemetry.sdk.name', type: 'string', value: 'otel' }]);
  });

  it('keeps what a span says of another library than its process', () => {
    const sdk = [text('telemetry.sdk.name', 'a')];
    const { tags, warnings } = firstSpan(
      adjusted(
        traceOf(emitter('s', [otlpSpan({ attributes: [text('telemetry.sdk.name', 'b')] })], { attributes: sdk })),
      ),
    );
    expect(tags).toEqual([{ key: 'telemetry.sdk.name', type: 'string', value: 'b' }]);
    expect(warnings).toEqual(['conflicting values between Span and Resource for attribute telemetry.sdk.name']);
  });

  it('drops links that lead to no trace', () => {
    const { references, warnings } = firstSpan(
      adjusted(traceOf(emitter('s', [otlpSpan({ links: [{ spanId: '00000000000000b1' }] })]))),
    );
    expect({ references, warnings }).toEqual({ references: [], warnings: ['Invalid span link removed'] });
  });

  it('warns of a parent that is not there, once however often it is asked', () => {
    const spans = decodeJsonSpans(
      Buffer.from(JSON.stringify({ resourceSpans: [emitter('s', [otlpSpan({ parentSpanId: '00000000000011ff' })])] })),
    ).spans;
    for (let asked = 0; asked < 4; asked++) {
      const trace = toOtlpTrace(spans);
      adjustTrace(trace);
      expect([...spansOf(trace)].map(({ span }) => warningsOf(span))).toEqual([
        ['parent span ID=00000000000011ff is not in the trace; skipping clock skew adjustment'],
      ]);
    }
  });

  it.each([
    ['before its parent', -40_000n, 50_000n, '65µs'],
    ['longer than its parent and before it', -10_000n, 200_000n, '10µs'],
    ['after its parent', 90_000n, 50_000n, '-65µs'],
  ])('warns of a child on another host that lies %s, and leaves its time', (_where, offset, length, delta) => {
    const parent = otlpSpan({ endTimeUnixNano: String(startNs + 100_000n) });
    const child = otlpSpan({
      spanId: '00000000000000a2',
      parentSpanId: '00000000000000a1',
      startTimeUnixNano: String(startNs + offset),
      endTimeUnixNano: String(startNs + offset + length),
    });
    const on = (host: string) => ({ attributes: [text('host.name', host)] });
    const warningsOn = (host: string) =>
      adjusted(traceOf(emitter('a', [parent], on('h1')), emitter('b', [child], on(host)))).spans.find(({ spanID }) =>
        spanID.endsWith('a2'),
      );
    expect(warningsOn('h2')).toMatchObject({
      startTime: Number((startNs + offset) / 1000n),
      warnings: [`clock skew adjustment disabled; not applying calculated delta of ${delta}`],
    });
    expect(warningsOn('h1')?.warnings).toBeNull();
  });

  it('keeps emitters and scopes together in a trace that is made in several steps', () => {
    const id = (n: number) => n.toString(16).padStart(16, '0');
    const spans = (first: number) =>
      Array.from({ length: 1500 }, (_, i) =>
        otlpSpan({ spanId: id(first + 2 * i), startTimeUnixNano: String(startNs + BigInt(first + 2 * i)) }),
      );
    const { spans: decoded } = decodeJsonSpans(
      Buffer.from(
        JSON.stringify({
          resourceSpans: [
            emitter('a', spans(1), { scope: { name: 'x' } }),
            emitter('b', spans(2), { scope: { name: 'y' } }),
          ],
        }),
      ),
    );
    const mixed = [...decoded].sort((a, b) => (a.id < b.id ? -1 : 1));
    const trace = toOtlpTrace(mixed);
    expect(trace.map(({ scopeSpans }) => scopeSpans.map((scope) => [scope.scope?.name, scope.spans.length]))).toEqual([
      [['x', 1500]],
      [['y', 1500]],
    ]);
    expect(new Set([...spansOf(trace)].map(({ span }) => span.spanId)).size).toBe(3000);
  });

  it('goes through a trace deeper than any stack', () => {
    const id = (n: number) => n.toString(16).padStart(16, '0');
    const spans = Array.from({ length: 20_000 }, (_, i) =>
      otlpSpan({ spanId: id(i + 1), ...(i === 0 ? {} : { parentSpanId: id(i) }) }),
    );
    expect(adjusted(traceOf(emitter('s', spans))).spans).toHaveLength(20_000);
  });
});
