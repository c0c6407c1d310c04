import { describe, expect, it } from 'vitest';
import { delimited, type RawFormat, type RawSpan, rawFormats } from '../../test/fixtures/raw-spans.ts';
import { randomV1Spans, toV1Json, toV1Thrift } from '../../test/fixtures/v1-spans.ts';
import { WideSpanError } from './wide-span-error.ts';
import { decodeInSteps, zipkinDecoders } from './zipkin-decoders.ts';
import { type ZipkinFormat, zipkinFormats } from './zipkin-format.ts';

const names: Readonly<Record<ZipkinFormat, string>> = {
  JSON_V1: 'Zipkin v1 JSON',
  JSON_V2: 'Zipkin v2 JSON',
  THRIFT: 'Zipkin v1 Thrift',
  PROTO3: 'Zipkin v2 protobuf',
};

function rawFormatOf(format: ZipkinFormat): RawFormat {
  const found = rawFormats.find(({ name }) => name === names[format]);
  if (found === undefined) throw new Error(`there is no format ${names[format]}`);
  return found;
}

const spanOf = (n: number, more: Partial<RawSpan> = {}): RawSpan => ({
  traceId: (n + 1).toString(16).padStart(16, '0'),
  id: 'b'.padStart(16, '0'),
  name: `naïve ${n % 7}`,
  service: `shop ${n % 3}`,
  start: 1_795_253_305_853_895n + BigInt(n),
  tags: [
    ['n', String(n)],
    ['http.path', `/"},{[${n}`],
  ],
  ...more,
});

const many = Array.from({ length: 10_000 }, (_, n) => spanOf(n));
const tagsOf = (count: number) => Array.from({ length: count }, (_, n) => [`key ${n}`, 'v'] as const);

/** The result or the error, and what each step told. */
function inSteps(format: ZipkinFormat, body: Buffer, maxParts = 20_000) {
  const counts: number[] = [];
  const steps = decodeInSteps(format, body, { maxSpans: 100_000, maxParts });
  try {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return { result: step.value, counts };
      counts.push(step.value);
    }
  } catch (error) {
    return { result: error instanceof WideSpanError ? error : String(error), counts };
  }
}

function atOnce(format: ZipkinFormat, body: Buffer) {
  try {
    return zipkinDecoders[format](body);
  } catch (error) {
    return String(error);
  }
}

describe.each(zipkinFormats)('a large body in %s', (format) => {
  const raw = rawFormatOf(format);
  const body = raw.encode(many);

  it('is decoded in many steps, to the same spans as at once', () => {
    const { result, counts } = inSteps(format, body);
    expect(result).toEqual(atOnce(format, body));
    expect(result).toHaveLength(many.length);
    expect(counts.length).toBeGreaterThan(4);
    expect(counts.at(-1)).toBeGreaterThan(many.length / 2);
  });

  it('is refused in the same words wherever it goes wrong', () => {
    for (const broken of [
      body.subarray(0, -1),
      body.subarray(0, body.length / 2),
      Buffer.concat([body, Buffer.from('more')]),
      Buffer.concat([body.subarray(0, body.length / 2), Buffer.from('"tags"'), body.subarray(body.length / 2)]),
      raw.encode([...many, spanOf(7, { id: '0'.repeat(16) }), ...many]),
      raw.encode([...many, spanOf(7, { start: 2n ** 62n + 1n })]),
    ]) {
      expect(inSteps(format, broken).result).toEqual(atOnce(format, broken));
    }
  });

  it('takes a span of as many tags as it may have, and refuses one of more before it is read whole', () => {
    const wide = raw.encode([...many, spanOf(1, { tags: tagsOf(20_000) })]);
    expect(inSteps(format, wide).result).toEqual(atOnce(format, wide));
    const wider = raw.encode([spanOf(1, { tags: tagsOf(100_000) })]);
    expect(inSteps(format, wider).result).toBeInstanceOf(WideSpanError);
    expect(String(inSteps(format, wider).result)).toContain('more than 20000 tags');
  });
});

describe('a span that costs much and says little', () => {
  const ids = '"traceId":"1","id":"1"';
  const text = (fields: string) => Buffer.from(`[{${ids},${fields}}]`);
  const protoSpan = (fields: Buffer) => {
    const id = Buffer.from('0000000000000001', 'hex');
    return delimited(1, Buffer.concat([delimited(1, id), delimited(3, id), fields]));
  };
  const thriftSpan = (fields: Buffer) =>
    Buffer.concat([
      Buffer.from('0c000000010a000100000000000000010a00040000000000000001', 'hex'),
      fields,
      Buffer.alloc(1),
    ]);
  const annotations = Array.from({ length: 30_000 }, (_, n) => `{"timestamp":${n},"value":"v"}`).join(',');
  it.each<[string, ZipkinFormat, Buffer]>([
    ['unknown values by the hundred thousand', 'JSON_V1', text(`"x":[${'1,'.repeat(300_000)}1]`)],
    ['unknown values by the hundred thousand', 'JSON_V2', text(`"x":[[${'1,'.repeat(300_000)}1]]`)],
    ['unknown fields by the hundred thousand', 'PROTO3', protoSpan(Buffer.alloc(600_000, Buffer.from('7001', 'hex')))],
    [
      'an unknown list of structs without a field',
      'THRIFT',
      thriftSpan(Buffer.concat([Buffer.from('0f00630c000493e0', 'hex'), Buffer.alloc(300_000)])),
    ],
    ['its name again and again', 'JSON_V1', text(`${'"name":"a",'.repeat(100_000)}"name":"b"`)],
    ['its name again and again', 'JSON_V2', text(`${'"name":"a",'.repeat(100_000)}"name":"b"`)],
    ['its kind again and again', 'PROTO3', protoSpan(Buffer.alloc(600_000, Buffer.from('2001', 'hex')))],
    ['debug again and again', 'THRIFT', thriftSpan(Buffer.alloc(600_000, Buffer.from('02000901', 'hex')))],
    ['annotations by the ten thousand', 'JSON_V1', text(`"annotations":[${annotations}]`)],
    ['annotations by the ten thousand', 'JSON_V2', text(`"annotations":[${annotations}]`)],
    ['annotations by the ten thousand, unusual', 'JSON_V2', text(`"annotations":[${annotations}],"x":1`)],
  ])('is refused: %s in %s', (_, format, body) => {
    expect(inSteps(format, body).result).toBeInstanceOf(WideSpanError);
  });

  it('is refused where thousands of services wrote into one span of version 1', () => {
    const at = (n: number) => ({ timestamp: n + 1, value: 'x', endpoint: { serviceName: `service ${n}` } });
    const span = {
      traceId: '000000000000000a',
      id: '000000000000000b',
      annotations: Array.from({ length: 10_000 }, (_, n) => at(n)),
    };
    for (const [format, body] of [
      ['JSON_V1', toV1Json([span])],
      ['THRIFT', toV1Thrift([span])],
    ] as const) {
      expect(String(inSteps(format, body).result)).toContain('more than 2000 services');
      expect(inSteps(format, body, 200_000).result).toHaveLength(10_000);
    }
  });
});

it('random spans of version 1 are decoded in steps as at once', () => {
  const spans = randomV1Spans(11, 4000);
  for (const [format, body] of [
    ['JSON_V1', toV1Json(spans)],
    ['THRIFT', toV1Thrift(spans)],
  ] as const) {
    const { result, counts } = inSteps(format, body);
    expect(result).toEqual(atOnce(format, body));
    expect(counts.length).toBeGreaterThan(2);
  }
});
