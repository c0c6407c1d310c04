import { describe, expect, it } from 'vitest';
import { assertStandsMutants } from '../../../test/contract/decoder-kit.ts';
import { zipkinThrift } from '../../../test/contract/decoders.ts';
import { toV1Thrift } from '../../../test/fixtures/v1-spans.ts';
import type { Span } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { decodeSpans } from './decode-spans.ts';

/** `0c00000001` and the fields of one span, without the stop. */
const oneSpan = (fields: string): Buffer => Buffer.from(`0c00000001${fields.replaceAll(' ', '')}`, 'hex');
const ids = '0a0001 000000000000000a 0a0004 000000000000000b';

function refusal(body: Buffer): string {
  try {
    decodeSpans(body);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`taken: ${body.subarray(0, 100).toString('hex')}`);
}

const only = (body: Buffer): Span | undefined => decodeSpans(body)[0];

describe('a Thrift list of spans', () => {
  it('gives ids of 64 and 128 bits, times, names, and texts that are no ASCII', () => {
    const endpoint = { serviceName: 'žluť', ipv4: '10.0.0.1', ipv6: '20010db800000000000000000000c001', port: 65_535 };
    const sent = {
      traceId: '463ac35c9f6413ad48485a3953bb6124',
      id: 'ffffffffffffffff',
      parentId: '8000000000000000',
      name: 'GET',
      timestamp: 1_750_000_000_000_001,
      duration: 9_007_199_254_740_991,
      annotations: [{ timestamp: 1_750_000_000_000_002, value: 'é', endpoint }],
      binaryAnnotations: [
        { key: 'ключ', value: '😀', endpoint },
        { key: 'empty', value: '', endpoint },
      ],
      debug: true,
    };
    expect(only(toV1Thrift([sent]))).toMatchObject({
      traceId: sent.traceId,
      id: sent.id,
      parentId: sent.parentId,
      name: 'GET',
      startUs: sent.timestamp,
      durationUs: sent.duration,
      debug: true,
      events: [{ timestampUs: 1_750_000_000_000_002, value: 'é' }],
      attributes: { ключ: '😀', empty: '' },
      localEndpoint: { serviceName: 'žluť', ipv4: '10.0.0.1', ipv6: '2001:db8::c001', port: 65_535 },
    });
  });

  it('skips one field that it does not know, of whatever type, and reads on', () => {
    const unknown = [
      '020063 01',
      '030063 01',
      '040063 0000000000000000',
      '060063 0001',
      '080063 00000001',
      '0a0063 0000000000000001',
      '0b0063 00000002 6162',
      '0c0063 080001 00000001 0c0002 00 00',
      '0d0063 0b 0c 00000001 00000001 61 00',
      '0e0063 08 00000002 00000001 00000002',
      '0f0063 0f 00000001 03 00000002 0102',
      '0b0001 00000001 78',
    ];
    for (const field of unknown) {
      expect(only(oneSpan(`${field} ${ids} ${field} 0b0003 00000001 6e 00`))?.name, field).toBe('n');
    }
  });

  it('drops annotations without a time, and values that are neither text nor an address', () => {
    const annotation = '0f0006 0c 00000001 0b0002 00000002 6373 00';
    const number = '0f0008 0c 00000001 0b0001 00000001 6b 0b0002 00000004 00000001 080003 00000003 00';
    expect(only(oneSpan(`${ids} ${annotation} ${number} 00`))).toMatchObject({ events: [], attributes: {} });
  });

  it.each(['0c00000000', '0cffffffff', '0b00000000', ''])('is empty without a positive count: %s', (hex) => {
    expect(decodeSpans(Buffer.from(hex, 'hex'))).toEqual([]);
  });
});

describe('refusals in words for the sender', () => {
  it.each([
    [oneSpan('00'), 'traceId == 0 at byte 6 reading List<Span> from TBinary'],
    [oneSpan('0a0001 000000000000000a 00'), 'id == 0 at byte 17 reading List<Span> from TBinary'],
    [Buffer.from('7b', 'hex'), 'Expected a THRIFT encoded list\n'],
    [Buffer.from('0a0001', 'hex'), 'Expected a THRIFT encoded list\n'],
    [Buffer.from('0c', 'hex'), 'Truncated: length 4 > bytes available 0 at byte 1 reading List<Span> from TBinary'],
    [
      oneSpan('0b0003 7fffffff 61'),
      'Truncated: length 2147483647 > bytes available 1 at byte 12 reading List<Span> from TBinary',
    ],
    [oneSpan('0b0003 ffffffff 61'), 'Malformed: negative length -1 at byte 12 reading List<Span> from TBinary'],
    [
      oneSpan(`${ids} 0f0006 0c 7fffffff`),
      'Truncated: length 2147483647 > bytes available 0 at byte 35 reading List<Span> from TBinary',
    ],
  ])('of %j', (body, message) => {
    expect(refusal(body)).toBe(message);
  });

  it('stop at deep nesting, whatever it is made of', () => {
    for (const level of ['0c0063', '0f0063', '0d0063']) {
      const inner = { '0c0063': '0c0001', '0f0063': '0f00000001', '0d0063': '0d0d00000001' }[level] ?? '';
      expect(refusal(oneSpan(`${level}${inner.repeat(10_000)}`))).toMatch(/nested more than 64 deep|Truncated/);
    }
    expect(refusal(oneSpan(`0c0063${'0c0001'.repeat(10_000)}`))).toContain('nested more than 64 deep');
  });

  it('come at once for lists of elements that take no bytes', () => {
    const lists = `0100400000`.repeat(100_000);
    const started = performance.now();
    expect(refusal(oneSpan(`0f0063 0f 000186a0 ${lists}`))).toContain('reading List<Span>');
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('extreme bodies', () => {
  it('with 10,000 tags and a tag of 1 MB give them all', () => {
    const binaryAnnotations = Array.from({ length: 10_000 }, (_, i) => ({ key: `k${i}`, value: 'v' }));
    binaryAnnotations.push({ key: 'long', value: 'x'.repeat(1_000_000) });
    const span = only(toV1Thrift([{ traceId: '000000000000000a', id: '000000000000000b', binaryAnnotations }]));
    expect(Object.keys(span?.attributes ?? {})).toHaveLength(10_001);
    expect(span?.attributes['long']).toHaveLength(1_000_000);
  });

  it('stand 10,000 mutants', () => {
    expect(assertStandsMutants(zipkinThrift, { mutants: 10_000, seed: 50 }).refused).toBeGreaterThan(1000);
  });
});
