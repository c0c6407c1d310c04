import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import {
  randomDetails,
  randomHex,
  randomResourceDetails,
  randomScope,
  randomText,
} from '../../../test/fixtures/random-details.ts';
import { attributeText } from '../../model/attribute.ts';
import { emptyResource } from '../../model/resource.ts';
import { type Span, spanKinds, spanStatuses } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { WireWriter } from '../protobuf/wire-writer.ts';
import { decodeJsonSpans, decodeProtobufSpans } from './decode-spans.ts';
import { encodeJsonSpans, encodeProtobufSpans } from './encode-spans.ts';
import type { DecodedSpans } from './to-spans.ts';

const formats: readonly { name: string; decode(body: Buffer): DecodedSpans; encode(spans: readonly Span[]): Buffer }[] =
  [
    { name: 'protobuf', decode: decodeProtobufSpans, encode: (spans) => Buffer.from(encodeProtobufSpans(spans)) },
    { name: 'JSON', decode: decodeJsonSpans, encode: (spans) => Buffer.from(encodeJsonSpans(spans)) },
  ];

const startUs = 1_795_253_305_853_895;
const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

/** Spans of three emitters with two scopes each, as a decoder makes them. */
function randomSpans(seed: number, count: number): Span[] {
  const random = createRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const emitters = Array.from({ length: 3 }, (_, i) => {
    const details = randomResourceDetails(random);
    const service = `service-${i}`;
    const attributes: Record<string, string> = {
      'service.name': service,
      'k8s.pod.name': `pod-${i}`,
      text: randomText(random),
    };
    for (const [key, value] of details.typedAttributes) attributes[key] = attributeText(value);
    return {
      details,
      resource: { ...emptyResource, service, pod: `pod-${i}`, attributes },
      scopes: [randomScope(random), { ...randomScope(random), name: 'second' }],
    };
  });
  return Array.from({ length: count }, () => {
    const emitter = pick(emitters);
    const events = Array.from({ length: Math.floor(random() * 3) }, () => ({
      timestampUs: startUs + Math.floor(random() * 1e6),
      value: randomText(random),
    }));
    const details = { ...randomDetails(random, events.length), resource: emitter.details, scope: pick(emitter.scopes) };
    const attributes: Record<string, string> = { plain: randomText(random) };
    for (const [key, value] of details.typedAttributes) attributes[key] = attributeText(value);
    const { service } = emitter.resource;
    return {
      traceId: randomHex(random, 32),
      id: randomHex(random, 16),
      parentId: pick([undefined, randomHex(random, 16)]),
      kind: pick([undefined, ...spanKinds]),
      shared: false,
      debug: false,
      name: randomText(random),
      startUs: startUs + Math.floor(random() * 1e6),
      durationUs: pick([undefined, 1, 3_600_000_000]),
      status: pick(spanStatuses),
      localEndpoint: { serviceName: service, ipv4: undefined, ipv6: undefined, port: undefined },
      remoteEndpoint: undefined,
      events,
      attributes,
      resource: emitter.resource,
      details,
    };
  });
}

function decodeOne(fields: string): Span {
  const { spans } = decodeJsonSpans(
    Buffer.from(
      `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${traceId}","spanId":"${spanId}",${fields}}]}]}]}`,
    ),
  );
  const [span] = spans;
  if (span === undefined) throw new Error('no span');
  return span;
}

function refusal(decode: (body: Buffer) => unknown, body: Buffer | string): string {
  try {
    decode(Buffer.from(body));
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error('taken');
}

describe.each(formats)('OTLP in $name', ({ decode, encode }) => {
  it('goes out as it came in: every type of value, every nanosecond, links, scopes, resources', () => {
    const seed = 4317;
    const spans = randomSpans(seed, 300);
    const { spans: decoded, rejected } = decode(encode(spans));
    const byId = (a: Span, b: Span) => (a.id < b.id ? -1 : 1);
    expect(rejected).toBe(0);
    expect(decoded.sort(byId), `seed ${seed}`).toEqual([...spans].sort(byId));
  });

  it.each([
    ['an end before the start', 1_795_253_305_853_895_123n, 1_795_253_305_853_895_122n],
    ['no end', 1_795_253_305_853_895_123n, 0n],
    ['no start', 0n, 1_795_253_305_853_895_123n],
    ['neither', 0n, 0n],
    ['a start in the first microsecond', 999n, 1000n],
    ['the end of time', 2n ** 64n - 2n, 2n ** 64n - 1n],
    ['a time beyond 2262', 2n ** 63n + 1n, 2n ** 63n + 10n ** 15n + 7n],
    ['a whole life', 1n, 2n ** 64n - 1n],
  ])('keeps %s', (_, start, end) => {
    const json = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${traceId}","spanId":"${spanId}","startTimeUnixNano":"${start}","endTimeUnixNano":"${end}"}]}]}]}`;
    const once = decode(encode(decodeJsonSpans(Buffer.from(json)).spans));
    const text = encodeJsonSpans(once.spans);
    if (start === 0n) expect(text).not.toContain('startTimeUnixNano');
    else expect(text).toContain(`"startTimeUnixNano":"${start}"`);
    if (end === 0n) expect(text).not.toContain('endTimeUnixNano');
    else expect(text).toContain(`"endTimeUnixNano":"${end}"`);
    expect(once.spans[0]?.durationUs ?? 0).toBeGreaterThanOrEqual(0);
  });

  it('takes the good spans beside the bad, and says what is wrong with the first of these', () => {
    const [good] = randomSpans(1, 1);
    if (good === undefined) throw new Error('no span');
    const ids = [
      {},
      { traceId: '0'.repeat(32) },
      { traceId: 'ab' },
      { id: '' },
      { id: '0'.repeat(16) },
      { parentId: 'abcd' },
    ];
    const { spans, rejected, reason } = decode(encode(ids.map((id) => ({ ...good, ...id }))));
    expect([spans.length, rejected]).toEqual([1, 5]);
    expect(reason).toBe('span 2 of the request: traceId is all zeros');
  });

  it('takes a request without spans', () => {
    expect(decode(encode([]))).toEqual({ spans: [], rejected: 0, reason: '' });
  });

  it('takes 10,000 attributes and one of 1 MB', () => {
    const [span] = randomSpans(2, 1);
    if (span === undefined) throw new Error('no span');
    const attributes: Record<string, string> = { long: 'é'.repeat(500_000) };
    for (let i = 0; i < 10_000; i++) attributes[`key-${i}`] = `value-${i}`;
    const [back] = decode(encode([{ ...span, attributes }])).spans;
    expect(back?.attributes).toEqual(attributes);
  });
});

describe('the model of an OTLP span', () => {
  it('has text of every value as Jaeger compares it, and the value itself', () => {
    const span = decodeOne(`"attributes":[
      {"key":"text","value":{"stringValue":"a"}},{"key":"yes","value":{"boolValue":true}},{"key":"int","value":{"intValue":"-7"}},
      {"key":"max","value":{"intValue":9223372036854775807}},{"key":"double","value":{"doubleValue":3}},{"key":"nan","value":{"doubleValue":"NaN"}},
      {"key":"bytes","value":{"bytesValue":"AAECAw=="}},{"key":"list","value":{"array_value":{"values":[{"stringValue":"<a>"},{"intValue":1}]}}},
      {"key":"map","value":{"kvlistValue":{"values":[{"key":"z","value":{}},{"key":"k","value":{"stringValue":"v"}}]}}},{"key":"empty"}]`);
    expect(span.attributes).toEqual({
      text: 'a',
      yes: 'true',
      int: '-7',
      max: '9223372036854775807',
      double: '3',
      nan: 'NaN',
      bytes: 'AAECAw==',
      list: '["\\u003ca\\u003e",1]',
      map: '{"k":"v","z":null}',
      empty: '',
    });
    expect(span.details?.typedAttributes).toEqual([
      ['yes', true],
      ['int', -7n],
      ['max', 9_223_372_036_854_775_807n],
      ['double', 3],
      ['nan', Number.NaN],
      ['bytes', new Uint8Array([0, 1, 2, 3])],
      ['list', ['<a>', 1n]],
      [
        'map',
        {
          entries: [
            ['z', null],
            ['k', 'v'],
          ],
        },
      ],
      ['empty', null],
    ]);
  });

  it('keeps attributes that are named like parts of every object', () => {
    const { attributes } = decodeOne(
      '"attributes":[{"key":"__proto__","value":{"stringValue":"x"}},{"key":"constructor","value":{"intValue":1}}]',
    );
    expect(Object.entries(attributes).sort()).toEqual([
      ['__proto__', 'x'],
      ['constructor', '1'],
    ]);
  });

  it('names the emitter by its resource, and a mesh’s proxy by what it says in the span', () => {
    const resource = (name: string) =>
      `{"attributes":[{"key":"service.name","value":{"stringValue":"${name}"}},{"key":"k8s.pod.name","value":{"stringValue":"pod-1"}},{"key":"k8s.namespace.name","value":{"stringValue":"shop"}}]}`;
    const body = (name: string, attributes: string) =>
      Buffer.from(
        `{"resourceSpans":[{"resource":${resource(name)},"scopeSpans":[{"spans":[{"traceId":"${traceId}","spanId":"${spanId}","attributes":[${attributes}]}]}]}]}`,
      );
    const [plain] = decodeJsonSpans(body('cart', '')).spans;
    expect(plain?.resource).toMatchObject({ service: 'cart', pod: 'pod-1', namespace: 'shop' });
    expect(plain?.localEndpoint?.serviceName).toBe('cart');
    const [proxy] = decodeJsonSpans(
      body(
        'reviews.default',
        '{"key":"istio.namespace","value":{"stringValue":"default"}},{"key":"istio.canonical_service","value":{"stringValue":"reviews"}}',
      ),
    ).spans;
    expect(proxy?.resource).toMatchObject({ service: 'reviews', namespace: 'default', pod: 'pod-1' });
    expect(proxy?.resource.attributes['service.name']).toBe('reviews.default');
  });

  it('knows the other side of a call', () => {
    const text = (key: string, value: string) => `{"key":"${key}","value":{"stringValue":"${value}"}}`;
    const span = decodeOne(
      `"kind":"SPAN_KIND_CLIENT","attributes":[${text('peer.service', 'cards-db')},${text('network.peer.address', '10.0.0.3')},{"key":"network.peer.port","value":{"intValue":5432}}]`,
    );
    expect(span).toMatchObject({
      kind: 'CLIENT',
      remoteEndpoint: { serviceName: 'cards-db', ipv4: '10.0.0.3', port: 5432 },
    });
  });

  it('has no parent that is the span itself or all zeros', () => {
    expect(decodeOne(`"parentSpanId":"${spanId}"`).parentId).toBeUndefined();
    expect(decodeOne('"parentSpanId":"0000000000000000"').parentId).toBeUndefined();
  });
});

describe('OTLP in JSON', () => {
  it('reads ids in any case, snake_case names, names of enums, integers as numbers, and passes over what it does not know', () => {
    const body = `{"unknown":[{"a":1}],"resource_spans":[{"scope_spans":[{"spans":[{"trace_id":"${traceId.toUpperCase()}","span_id":"${spanId}","kind":"SPAN_KIND_SERVER",
      "start_time_unix_nano":1795253305853895123,"end_time_unix_nano":"1795253305853896124","flags":257,"status":{"code":"STATUS_CODE_ERROR"},"parentSpanId":null,"x":null}]}]}]}`;
    expect(decodeJsonSpans(Buffer.from(body)).spans[0]).toMatchObject({
      traceId,
      kind: 'SERVER',
      startUs: 1_795_253_305_853_895,
      durationUs: 1,
      status: 'error',
      details: { startRestNs: 123, durationRestNs: 1, flags: 257 },
    });
  });

  it('reads a long integer wherever it stands, and leaves texts alone', () => {
    const span = decodeOne(
      '"name":"x:1234567890123456789","attributes":[{"key":"a","value":{"intValue":-9223372036854775808}},{"key":"\\"b:[12345678901234567","value":{"doubleValue":12345678901234567168}}]',
    );
    expect(span.name).toBe('x:1234567890123456789');
    expect(span.details?.typedAttributes).toEqual([
      ['a', -9_223_372_036_854_775_808n],
      ['"b:[12345678901234567', Number('12345678901234567168')],
    ]);
  });

  it.each([
    ['x', /^malformed JSON: /],
    ['{"resourceSpans":[{"scopeSpans":[', /^malformed JSON: /],
    ['[]', /^expected an object, got \[\]/],
    [
      '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz","spanId":"1"}]}]}]}',
      'resourceSpans[0].scopeSpans[0].spans[0].traceId: expected pairs of hex digits, got "xyz"',
    ],
    [
      '{"resourceSpans":[{"scopeSpans":[{"spans":[{},{"startTimeUnixNano":"18446744073709551616"}]}]}]}',
      'resourceSpans[0].scopeSpans[0].spans[1].startTimeUnixNano: expected a 64-bit integer, got "18446744073709551616"',
    ],
    [
      '{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":{"boolValue":"true"}}]}]}]}]}',
      /attributes\[0\]\.value\.boolValue: expected true or false/,
    ],
    ['{"resourceSpans":{}}', 'resourceSpans: expected a list, got {}'],
  ])('says what is wrong with %s', (body, message) => {
    expect(refusal(decodeJsonSpans, body)).toMatch(message);
  });

  it('refuses brackets without end in no time', () => {
    for (const open of ['[', '{"a":', '[{"a":', '{"values":[{"arrayValue":']) {
      expect(refusal(decodeJsonSpans, `{"resourceSpans":${open.repeat(200_000)}`)).toContain('malformed JSON');
    }
    const nested = `${'{"arrayValue":{"values":['.repeat(10_000)}${']}}'.repeat(10_000)}`;
    const attribute = `{"padding":"${' '.repeat(1_000_000)}","key":"a","value":${nested}}`;
    const body = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[${attribute}]}]}]}]}`;
    expect(refusal(decodeJsonSpans, body)).toContain('lists nested more than 50 deep');
  });
});

describe('OTLP in protobuf', () => {
  const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
  /** A request with one span whose fields are given. */
  const request = (span: Buffer): Buffer => {
    let body = span;
    for (const tag of [0x12, 0x12, 0x0a]) {
      const writer = new WireWriter();
      writer.uint32(tag);
      writer.bytes(body);
      body = Buffer.from(writer.finish());
    }
    return body;
  };

  it.each([
    ['78797a', 'text that is no protobuf'],
    ['0a ffffffff0f', 'a length of 4 GB'],
    ['0a ffffffffffffffffff01', 'a length of 2^64'],
    ['0a 05', 'a length beyond the end'],
    ['08 01', 'a number where a message should be'],
    ['0b', 'a group without end'],
    ['00 00', 'a field without a number'],
    ['0f', 'a wire type that there is none of'],
  ])('refuses %s, %s', (hex) => {
    expect(refusal(decodeProtobufSpans, bytes(hex))).toMatch(/^malformed protobuf at byte \d+: /);
  });

  it('refuses a field that reaches beyond its message', () => {
    expect(refusal(decodeProtobufSpans, bytes('0a 02 1a 05 61 62 63 64 65'))).toContain('beyond its message');
  });

  it('passes over fields that it does not know', () => {
    const ids = `0a10${traceId}1208${spanId}`;
    const unknown = 'f83f 01 fa3f 02 6162 f93f 0102030405060708 fd3f 01020304';
    expect(decodeProtobufSpans(request(bytes(ids + unknown))).spans).toHaveLength(1);
  });

  it('refuses nesting without end', () => {
    let value = bytes('0a00');
    const depth = 10_001;
    for (let i = 0; i < depth; i++) {
      const writer = new WireWriter();
      // AnyValue.array_value { ArrayValue.values }
      writer.uint32(i % 2 === 0 ? 0x2a : 0x0a);
      writer.bytes(value);
      value = Buffer.from(writer.finish());
    }
    const attribute = new WireWriter();
    attribute.uint32(0x4a).fork().uint32(0x12).bytes(value).ldelim();
    expect(refusal(decodeProtobufSpans, request(Buffer.from(attribute.finish())))).toContain(
      'nested more than 100 deep',
    );
  });
});

describe('a Zipkin span as OTLP', () => {
  it('is what the collector’s Zipkin receiver makes of it', () => {
    const span: Span = {
      traceId,
      id: spanId,
      parentId: undefined,
      kind: 'CLIENT',
      shared: false,
      debug: false,
      name: 'query',
      startUs: 1000,
      durationUs: 3,
      status: 'error',
      localEndpoint: { serviceName: 'back', ipv4: '10.0.0.2', ipv6: undefined, port: 9000 },
      remoteEndpoint: { serviceName: 'db', ipv4: '10.0.0.3', ipv6: undefined, port: 3306 },
      events: [{ timestampUs: 1001, value: 'locked' }],
      attributes: { 'db.type': 'sql', error: 'true' },
      resource: emptyResource,
    };
    expect(JSON.parse(encodeJsonSpans([span]))).toEqual({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'back' } }] },
          scopeSpans: [
            {
              scope: {},
              spans: [
                {
                  traceId,
                  spanId,
                  name: 'query',
                  kind: 3,
                  startTimeUnixNano: '1000000',
                  endTimeUnixNano: '1003000',
                  attributes: [
                    { key: 'db.type', value: { stringValue: 'sql' } },
                    { key: 'network.local.address', value: { stringValue: '10.0.0.2' } },
                    { key: 'net.host.port', value: { intValue: '9000' } },
                    { key: 'peer.service', value: { stringValue: 'db' } },
                    { key: 'network.peer.address', value: { stringValue: '10.0.0.3' } },
                    { key: 'net.peer.port', value: { intValue: '3306' } },
                  ],
                  events: [{ timeUnixNano: '1001000', name: 'locked' }],
                  status: { code: 2 },
                },
              ],
            },
          ],
        },
      ],
    });
    const [other] = JSON.parse(
      encodeJsonSpans([{ ...span, startUs: undefined, attributes: { error: 'out of stock' } }]),
    ).resourceSpans[0].scopeSpans[0].spans;
    expect(other.status).toEqual({ code: 2 });
    expect(other.attributes[0]).toEqual({ key: 'error', value: { stringValue: 'out of stock' } });
    expect(other.attributes.at(-1)).toEqual({ key: 'otel.zipkin.absentField.startTime', value: { boolValue: true } });
  });

  it('tells spans of two services apart', () => {
    const span = (serviceName: string): Span =>
      ({
        ...randomSpans(3, 1)[0],
        ...{
          traceId,
          id: spanId,
          localEndpoint: { serviceName, ipv4: undefined, ipv6: undefined, port: undefined },
          details: undefined,
          resource: emptyResource,
        },
      }) as Span;
    const { resourceSpans } = JSON.parse(encodeJsonSpans([span('a'), span('b'), span('a')]));
    expect(
      resourceSpans.map((each: { scopeSpans: { spans: unknown[] }[] }) => each.scopeSpans[0]?.spans.length),
    ).toEqual([2, 1]);
  });
});

const conformance = join(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', 'traces/client-calls.json');

describe('requests that Jaeger took and refused', () => {
  it.skipIf(!existsSync(conformance))('are taken and refused alike', () => {
    const fill = (text: string) =>
      text
        .replace(/\{\{RUN[^}]*\}\}/g, '0a1b2c3d')
        .replace(/\{\{i\}\}/g, '1')
        .replace(/\{\{i:04\}\}/g, '0001')
        .replace(/\{\{T0_NS[^}]*\}\}/g, '1795253305853895123');
    const { load, calls } = JSON.parse(readFileSync(conformance, 'utf8'));
    let seen = 0;
    for (const { name, request, expect: expected } of [...load, ...calls]) {
      const type = request.contentType ?? request.headers?.['content-type'];
      if (request.to !== 'otlp' || request.method === 'GET' || type === 'text/plain') continue;
      seen++;
      const body = Buffer.from(
        fill(
          request.text ??
            JSON.stringify(request.json).replace(/\{"\$repeat":.*"item":(.*)\}\}\]\}\]\}\]\}$/, '$1]}]}]}'),
        ),
      );
      const decode = type.includes('protobuf') ? decodeProtobufSpans : decodeJsonSpans;
      if (expected.status === 200) expect(decode(body).rejected, name).toBe(0);
      else expect(refusal(decode, body), name).not.toBe('');
    }
    expect(seen).toBeGreaterThan(10);
  });
});
