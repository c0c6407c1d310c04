import { describe, expect, it } from 'vitest';
import { assertStandsMutants } from '../../../test/contract/decoder-kit.ts';
import { readSpanFixture, spanFixtures, zipkinProto3 } from '../../../test/contract/decoders.ts';
import { randomV1Spans, toV1Json } from '../../../test/fixtures/v1-spans.ts';
import type { Span } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { WireReader } from '../protobuf/wire-reader.ts';
import { decodeSpans as decodeV1Json } from '../zipkin-v1-json/decode-spans.ts';
import { decodeSpans as decodeV2Json } from '../zipkin-v2-json/decode-spans.ts';
import { encodeSpans as encodeJson } from '../zipkin-v2-json/encode-spans.ts';
import { decodeSpans } from './decode-spans.ts';
import { encodeSpans } from './encode-spans.ts';
import { decodeListOfSpans } from './zipkin.generated.ts';

function varint(value: number): string {
  let hex = '';
  for (let rest = value; ; rest >>= 7) {
    const byte = rest & 0x7f;
    if (rest < 0x80) return hex + byte.toString(16).padStart(2, '0');
    hex += (byte | 0x80).toString(16);
  }
}

/** A list of one span with the fields given as hex. */
function oneSpan(fields: string): Buffer {
  const hex = fields.replaceAll(' ', '');
  return Buffer.from(`0a${varint(hex.length / 2)}${hex}`, 'hex');
}

const ids = '0a01 0a 1a01 0b';

function refusal(body: Buffer): string {
  try {
    decodeSpans(body);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`taken: ${body.subarray(0, 100).toString('hex')}`);
}

const only = (fields: string): Span | undefined => decodeSpans(oneSpan(`${ids} ${fields}`))[0];

describe('spans that go out and come back', () => {
  const lists = [
    ...spanFixtures.map((name) => decodeV2Json(readSpanFixture(name))),
    decodeV1Json(toV1Json(randomV1Spans(8, 100))),
  ];

  it('are the same to the last byte of their JSON', () => {
    for (const spans of lists) {
      expect(encodeJson(decodeSpans(Buffer.from(encodeSpans(spans))))).toBe(encodeJson(spans));
    }
  });

  it('are read alike by the generated decoder, which reads as protobuf wants it', () => {
    for (const spans of lists) {
      const body = Buffer.from(encodeSpans(spans));
      const { spans: messages } = decodeListOfSpans(new WireReader(body), body.length);
      expect(messages.map(({ id, tags }) => [id, tags.length])).toEqual(
        spans.map(({ id, attributes }) => [id, Object.keys(attributes).length]),
      );
    }
  });
});

describe('what Zipkin’s reader does and protobuf’s does not', () => {
  it.each([
    ['0a01ab', `${'0'.repeat(30)}ab`],
    ['0a0cabababababababababababab', `${'0'.repeat(8)}${'ab'.repeat(12)}`],
    [`0a10${'ab'.repeat(16)}`, 'ab'.repeat(16)],
  ])('pads trace ids of other lengths: %s', (field, expected) => {
    expect(decodeSpans(oneSpan(`${field} 1a010b`))).toMatchObject([{ traceId: expected }]);
  });

  it.each([
    ['0a00 1a010b', 'traceId is empty at byte 4'],
    [`0a11${'ab'.repeat(17)} 1a010b`, 'traceId.length > 32 at byte 4'],
    [`0a08${'00'.repeat(8)} 1a010b`, 'traceId is all zeros at byte 12'],
    ['0a010a', 'Missing : id at byte 5'],
    ['1a010b', 'Missing : traceId at byte 5'],
    ['0a010a 1a00', 'id is empty'],
    [`0a010a 1a09${'ab'.repeat(9)}`, 'id.length > 16'],
    [`0a010a 1a08${'00'.repeat(8)}`, 'id is all zeros'],
    [`${ids} 1209${'ab'.repeat(9)}`, 'parentId.length > 16'],
    [`${ids} 6002`, 'Malformed: invalid boolean value at byte 10'],
    [`${ids} 9b069c06`, 'Malformed: invalid wireType 3 at byte 10'],
    [`${ids} 38ffffffffffffffffffff01`, 'Greater than 64-bit varint'],
    [`${ids} 4206 20ffffffff1f`, 'Greater than 32-bit varint'],
    [`${ids} 4204 20808004`, 'invalid port 65536'],
    [`${ids} 2affffffff0f`, 'Malformed: negative length -1'],
    [`${ids} 2aff7f61`, 'Truncated: length 16383 > bytes available 1 at byte 11'],
  ])('refuses %s', (fields, message) => {
    expect(refusal(oneSpan(fields))).toContain(message);
    expect(refusal(oneSpan(fields))).toMatch(/ at byte \d+ reading List<Span> from proto3$/);
  });

  it('takes kinds that it does not know for none, and incomplete annotations and tags for nothing', () => {
    expect(only('2063 5203 120178 5209 090100000000000000 5a00 5a03 120176')).toMatchObject({
      kind: undefined,
      events: [],
      attributes: {},
    });
  });

  it('takes a tag without a value for an empty one, and a parent of zeros for none', () => {
    expect(only(`5a03 0a0161 1208${'00'.repeat(8)}`)).toMatchObject({ attributes: { a: '' }, parentId: undefined });
  });

  it('skips one field that it does not know, and reads on', () => {
    for (const field of ['980601', '99060000000000000000', '9a06026162', '9d0600000000', '2801', '0801']) {
      expect(only(`${field} 2a0161`)?.name, field).toBe('a');
    }
  });

  it('goes by the bytes of an address, not by the field that they come under', () => {
    const ipOf = (hex: string) =>
      only(`42${varint(hex.length / 2 + 2)} 12${varint(hex.length / 2)} ${hex}`)?.localEndpoint;
    expect(ipOf('0a000001')).toMatchObject({ ipv4: '10.0.0.1' });
    expect(ipOf('20010db8000000000000000000000001')).toMatchObject({ ipv6: '2001:db8::1' });
    expect(ipOf('00000000000000000000000001020304')).toMatchObject({ ipv4: '1.2.3.4', ipv6: undefined });
    expect(ipOf('00000000000000000000ffff01020304')).toMatchObject({ ipv6: '::ffff:102:304' });
    expect(ipOf('00000000000000000000000000000001')).toMatchObject({ ipv6: '::1' });
    expect(ipOf('0a0000')).toBeUndefined();
  });

  it('keeps the other spans of a list where one has not a byte', () => {
    expect(decodeSpans(Buffer.concat([oneSpan(ids), Buffer.from('0a00', 'hex'), oneSpan(ids)]))).toHaveLength(2);
  });

  it('reads durations of up to 64 bits, negative ones as none', () => {
    expect(only('38ffffffffffffff0f')?.durationUs).toBe(2 ** 53 - 1);
    expect(only('38ffffffffffffffffff01')?.durationUs).toBeUndefined();
  });
});

describe('extreme bodies', () => {
  it('refuses a length of 4 GB and what is not a list', () => {
    expect(refusal(Buffer.from('0affffffff0f', 'hex'))).toContain('Malformed: negative length -1');
    expect(refusal(Buffer.from('0affffffff07', 'hex'))).toContain('Truncated: length 2147483647');
    expect(refusal(Buffer.from('0a', 'hex'))).toBe('Expected a PROTO3 encoded list\n');
  });

  it('refuses groups, however deep', () => {
    expect(refusal(oneSpan(`${ids} ${'9b06'.repeat(10_000)}`))).toContain('invalid wireType 3');
  });

  it('gives 10,000 tags and a tag of 1 MB', () => {
    const [span] = decodeV2Json(Buffer.from('[{"traceId":"1","id":"2"}]'));
    if (span === undefined) throw new Error('no span');
    const attributes: Record<string, string> = { long: 'x'.repeat(1_000_000) };
    for (let i = 0; i < 10_000; i++) attributes[`k${i}`] = 'v';
    const [back] = decodeSpans(Buffer.from(encodeSpans([{ ...span, attributes }])));
    expect(back?.attributes).toEqual(attributes);
  });

  it('stand 10,000 mutants', () => {
    expect(assertStandsMutants(zipkinProto3, { mutants: 10_000, seed: 51 }).refused).toBeGreaterThan(1000);
  });
});
