import { describe, expect, it } from 'vitest';
import { assertStandsMutants } from '../../../test/contract/decoder-kit.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import { toOtlpTrace } from '../../query/jaeger/otlp-trace.ts';
import { toUiTrace } from '../../query/jaeger/ui-trace.ts';
import { CodecError } from '../codec-error.ts';
import { decodeJsonSpans } from '../otlp/decode-spans.ts';
import { encodeJsonSpans } from '../otlp/encode-spans.ts';
import { decodeTraces } from './decode-traces.ts';

const decode = (json: unknown) => decodeTraces(Buffer.from(JSON.stringify(json)));
const tag = (key: string, value: unknown, type = 'string') => ({ key, type, value });
const usualSpan = {
  traceID: '463ac35c9f6413ad',
  spanID: 'a2fb4a1d1a96d312',
  operationName: 'GET /reviews',
  references: [],
  startTime: 1_795_270_987_123_456,
  duration: 238_000,
  tags: [],
  logs: [],
  processID: 'p1',
  warnings: null,
};
const processes = {
  p1: { serviceName: 'reviews', tags: [tag('hostname', 'reviews-v2-7f4c'), tag('pid', 7, 'int64')] },
};
const file = (...spans: object[]) => ({
  data: [{ traceID: '463ac35c9f6413ad', spans: spans.map((more) => ({ ...usualSpan, ...more })), processes }],
  total: 0,
  errors: null,
});
const one = (more: object) => {
  const [span] = decode(file(more));
  if (span === undefined) throw new Error('no span');
  return span;
};

describe("Jaeger's JSON", () => {
  it('gives a span with its process, to the microsecond', () => {
    const span = one({});
    expect(span).toMatchObject({
      traceId: '0000000000000000463ac35c9f6413ad',
      id: 'a2fb4a1d1a96d312',
      parentId: undefined,
      name: 'GET /reviews',
      startUs: 1_795_270_987_123_456,
      durationUs: 238_000,
      status: 'unset',
      localEndpoint: { serviceName: 'reviews' },
      resource: { service: 'reviews', attributes: { hostname: 'reviews-v2-7f4c', pid: '7' } },
    });
    expect(span.details?.resource.typedAttributes).toEqual([['pid', 7n]]);
  });

  it('keeps the type of every tag, and integers beyond 2^53 whether they are texts or numbers', () => {
    const text = JSON.stringify(
      file({
        tags: [
          tag('b', true, 'bool'),
          tag('i', '9223372036854775807', 'int64'),
          tag('f', 0.5, 'float64'),
          tag('nan', 'NaN', 'float64'),
          tag('x', 'AQID', 'binary'),
          tag('s', 'text'),
        ],
      }),
    ).replace('"9223372036854775807"', '9223372036854775807');
    const [span] = decodeTraces(Buffer.from(text));
    expect(span?.details?.typedAttributes).toEqual([
      ['b', true],
      ['i', 9223372036854775807n],
      ['f', 0.5],
      ['nan', Number.NaN],
      ['x', new Uint8Array([1, 2, 3])],
    ]);
    expect(span?.attributes['s']).toBe('text');
  });

  it('puts the tags that OpenTelemetry has places for where they belong', () => {
    const span = one({
      tags: [
        tag('span.kind', 'client'),
        tag('otel.status_code', 'ERROR'),
        tag('error', true, 'bool'),
        tag('otel.status_description', 'upstream timed out'),
        tag('w3c.tracestate', 'a=1'),
        tag('otel.scope.name', 'http'),
        tag('otel.scope.version', '1.2'),
        tag('http.method', 'GET'),
      ],
    });
    expect(span).toMatchObject({ kind: 'CLIENT', status: 'error', attributes: { 'http.method': 'GET' } });
    expect(Object.keys(span.attributes)).toEqual(['http.method']);
    expect(span.details).toMatchObject({
      statusMessage: 'upstream timed out',
      traceState: 'a=1',
      scope: { name: 'http', version: '1.2' },
    });
  });

  it('takes an error tag for the status, and keeps the reason that it says', () => {
    expect(one({ tags: [tag('error', true, 'bool')] })).toMatchObject({ status: 'error', attributes: {} });
    expect(one({ tags: [tag('error', 'true')] })).toMatchObject({ status: 'error', attributes: {} });
    expect(one({ tags: [tag('error', 'no route')] })).toMatchObject({
      status: 'error',
      attributes: { error: 'no route' },
    });
    expect(one({ tags: [tag('error', false, 'bool')] })).toMatchObject({
      status: 'unset',
      attributes: { error: 'false' },
    });
  });

  it('keeps a tag whose text means nothing in its place', () => {
    expect(one({ tags: [tag('span.kind', 'sideways'), tag('otel.status_code', '7')] })).toMatchObject({
      kind: undefined,
      status: 'unset',
      attributes: { 'span.kind': 'sideways', 'otel.status_code': '7' },
    });
  });

  it('finds the parent in the first reference within the trace, and keeps the others as links', () => {
    const of = (refType: string, spanID: string, traceID = usualSpan.traceID) => ({ refType, traceID, spanID });
    const span = one({ references: [of('FOLLOWS_FROM', '1'), of('CHILD_OF', '2', 'ff'), of('CHILD_OF', '3')] });
    expect(span.parentId).toBe('0000000000000003');
    expect(span.details?.links.map(({ spanId, attributes }) => [spanId, attributes])).toEqual([
      ['0000000000000001', []],
      ['0000000000000002', [['opentracing.ref_type', 'child_of']]],
    ]);
    const follower = one({ references: [of('FOLLOWS_FROM', '1')] });
    expect(follower.parentId).toBe('0000000000000001');
    expect(follower.details?.links).toHaveLength(1);
    expect(one({ references: undefined, parentSpanID: '9' }).parentId).toBe('0000000000000009');
  });

  it('makes a log an event, named by its field "event"', () => {
    const logs = [{ timestamp: 1_795_270_987_200_000, fields: [tag('event', 'retry'), tag('attempt', 2, 'int64')] }];
    const span = one({ logs });
    expect(span.events).toEqual([{ timestampUs: 1_795_270_987_200_000, value: 'retry' }]);
    expect(span.details?.events[0]?.attributes).toEqual([['attempt', 2n]]);
  });

  it('takes several traces, one trace alone, and a list of traces', () => {
    const { data } = file({});
    expect(decode({ data: [...data, ...data] })).toHaveLength(2);
    expect(decode(data[0])).toHaveLength(1);
    expect(decode(data)).toHaveLength(1);
    expect(decode({ data: [] })).toEqual([]);
  });

  it.each([
    [{ data: 1 }, '$.data: a list is needed, but it is 1'],
    [{ data: [7] }, '$.data[0]: an object is needed, but it is 7'],
    [file({}, { spanID: 'x' }), '$.data[0].spans[1].spanID: an id of 1 to 16 hex digits is needed, but it is "x"'],
    [file({ traceID: '0' }), '$.data[0].spans[0].traceID: an id must not be all zeros'],
    [file({ startTime: -1 }), '$.data[0].spans[0].startTime: microseconds are needed, but it is -1'],
    [
      file({ tags: [tag('n', 'many', 'int64')] }),
      '$.data[0].spans[0].tags[0].value: a value of type int64 is needed, but it is "many"',
    ],
    [file({ logs: [{ fields: {} }] }), '$.data[0].spans[0].logs[0].fields: a list is needed, but it is {}'],
  ])('says where a file is wrong: %j', (json, message) => {
    expect(() => decode(json)).toThrow(new CodecError(message));
  });

  it('comes back from what our own answer makes of it, by way of OTLP', () => {
    const seed = 16_686;
    const random = createRandom(seed);
    const spans = Array.from({ length: 40 }, (_, i) => ({
      ...usualSpan,
      spanID: (i + 1).toString(16).padStart(16, '0'),
      references:
        i === 0
          ? []
          : [
              {
                refType: 'CHILD_OF',
                traceID: usualSpan.traceID,
                spanID: Math.ceil(random() * i)
                  .toString(16)
                  .padStart(16, '0'),
              },
            ],
      startTime: usualSpan.startTime + Math.floor(random() * 1e6),
      duration: 1 + Math.floor(random() * 1e6),
      tags: [tag('n', Math.floor(random() * 1e9), 'int64'), tag('http.url', `/${i}`), tag('span.kind', 'server')],
      logs: [{ timestamp: usualSpan.startTime + i, fields: [tag('event', 'e'), tag('ok', random() < 0.5, 'bool')] }],
    }));
    const decoded = decode({ data: [{ traceID: usualSpan.traceID, spans, processes }] });
    const stored = decodeJsonSpans(Buffer.from(encodeJsonSpans(decoded)));
    expect(stored.rejected, `seed ${seed}`).toBe(0);
    const again = toUiTrace(toOtlpTrace(stored.spans));
    expect(again.spans, `seed ${seed}`).toEqual(spans);
    expect(again.processes).toEqual(processes);
  });

  it('stands 10,000 mutants', () => {
    const whole = file({
      references: [{ refType: 'CHILD_OF', traceID: usualSpan.traceID, spanID: '1' }],
      tags: [tag('a', 1, 'int64'), tag('f', 0.5, 'float64'), tag('b', true, 'bool'), tag('x', 'AQID', 'binary')],
      logs: [{ timestamp: 1, fields: [tag('event', 'x')] }],
      warnings: ['late'],
    });
    const tokens = [
      'null',
      '{}',
      '[]',
      '"',
      '1e999',
      '-1',
      '"__proto__":',
      '[[',
      'true',
      '\\u0000',
      '18446744073709551616',
    ];
    const validMessages = [whole, whole.data[0], file({}, {})].map((json) => Buffer.from(JSON.stringify(json)));
    // What was taken must also go out again.
    const decoder = {
      name: 'jaeger-json',
      validMessages,
      tokens,
      decode: (body: Buffer) => encodeJsonSpans(decodeTraces(body)),
    };
    const { accepted, refused } = assertStandsMutants(decoder, { mutants: 10_000, seed: 14_268 });
    expect(accepted).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(1_000);
  });
});
