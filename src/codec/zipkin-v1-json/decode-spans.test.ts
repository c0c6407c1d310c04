import { describe, expect, it } from 'vitest';
import { assertStandsMutants, makeMutants } from '../../../test/contract/decoder-kit.ts';
import { zipkinV1Json } from '../../../test/contract/decoders.ts';
import { randomV1Spans, toV1Json } from '../../../test/fixtures/v1-spans.ts';
import type { Span } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { decodeUtf8 } from '../java-text.ts';
import { decodeSpans } from './decode-spans.ts';
import { readSpansExactly } from './exact-reader.ts';
import { readSpansFast } from './fast-reader.ts';

const decode = (text: string): Span[] => decodeSpans(Buffer.from(text));

function refusal(text: string): string {
  try {
    decode(text);
  } catch (error) {
    expect(error).toBeInstanceOf(CodecError);
    return error instanceof Error ? error.message : '';
  }
  throw new Error(`taken: ${text.slice(0, 200)}`);
}

describe('ids of v1 JSON', () => {
  it.each([
    ['1', `${'0'.repeat(31)}1`],
    ['ZZZZ463ac35c9f6413ad', `${'0'.repeat(16)}463ac35c9f6413ad`],
    ['463ac35c9f6413ad48485a3953bb6124', '463ac35c9f6413ad48485a3953bb6124'],
    ['63ac35c9f6413ad48485a3953bb6124', `${'0'.repeat(16)}48485a3953bb6124`],
  ])('are numbers of 64 bits, high ones only from 32 digits: %s', (traceId, expected) => {
    const [span] = decode(`[{"traceId":"${traceId}","id":"${traceId}","parentId":"0"}]`);
    expect(span).toMatchObject({ traceId: expected, id: expected.slice(16), parentId: undefined });
  });

  it.each([
    ['""', 'should be a 1 to 32 character lower-hex string with no prefix'],
    ['"A"', 'A should be a 1 to 32 character lower-hex string with no prefix at line 1 column 16 path $[0].traceId'],
    [`"${'1'.repeat(33)}"`, 'should be a 1 to 32'],
    [`"1${'0'.repeat(31)}"`, 'traceId == 0'],
    ['null', 'Expected a string but was NULL at line 1 column 17 path $[0].traceId'],
    ['true', 'Expected a string but was BOOLEAN'],
  ])('are refused with their place: %s', (traceId, message) => {
    expect(refusal(`[{"traceId":${traceId},"id":"1"}]`)).toContain(message);
  });
});

describe('refusals in Zipkin’s words', () => {
  it.each([
    ['[{"id":"1"}]', 'traceId == 0 at line 1 column 12 path $[0].id reading List<Span> from json'],
    [
      '[{"traceId":"1","id":"1","annotations":[{"value":"x"}]}]',
      'Incomplete annotation at $[0].annotations[0].value reading List<Span> from json',
    ],
    [
      '[{"traceId":"1","id":"1","binaryAnnotations":[{"value":"x"}]}]',
      'No key at $[0].binaryAnnotations[0].value reading List<Span> from json',
    ],
    ['[{"localEndpoint":{}}]', 'Expected a JSON_V1 encoded list, but received: JSON_V2\n'],
  ])('of %s', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it('say where deep nesting stops, whatever it is made of', () => {
    for (const open of ['[', '{"a":', '[{"a":']) {
      expect(refusal(`[{"traceId":"1","id":"1","x":${open.repeat(10_000)}`)).toContain('Nesting limit 255');
    }
  });
});

describe('binary annotations', () => {
  it('with numbers, false and lists are left out; a number as an event’s value is text', () => {
    const [span] = decode(
      '[{"traceId":"1","id":"1","annotations":[{"timestamp":1,"value":1.50}],"binaryAnnotations":[{"key":"a","value":1},{"key":"b","value":false},{"key":"c","value":["x"]},{"key":"d","value":"x"},{"key":"e","value":null}]}]',
    );
    expect(span).toMatchObject({ attributes: { d: 'x' }, events: [{ timestampUs: 1, value: '1.50' }] });
  });

  it('by the thousand, and of a megabyte, are tags', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `{"key":"k${i}","value":"v"}`).join(',');
    const [span] = decode(
      `[{"traceId":"1","id":"1","binaryAnnotations":[${many},{"key":"long","value":"${'x'.repeat(1_000_000)}"}]}]`,
    );
    expect(Object.keys(span?.attributes ?? {})).toHaveLength(10_001);
    expect(span?.attributes['long']).toHaveLength(1_000_000);
  });
});

describe('the two readers', () => {
  it('agree on every mutant that the fast one takes', () => {
    const seed = 20_261_121;
    let taken = 0;
    for (const mutant of makeMutants(zipkinV1Json, { mutants: 10_000, seed })) {
      const fast = readSpansFast(mutant);
      if (fast === undefined) continue;
      taken++;
      const text = decodeUtf8(mutant);
      expect(fast, `seed ${seed}: ${text}`).toEqual(readSpansExactly(text));
    }
    expect(taken).toBeGreaterThan(300);
  });

  it('leave what tracers write to the fast one', () => {
    const spans = randomV1Spans(5, 50).map(({ binaryAnnotations, ...span }) => ({
      ...span,
      binaryAnnotations: binaryAnnotations?.filter(({ key, value }) => key !== '__proto__' && value !== undefined),
    }));
    expect(readSpansFast(toV1Json(spans))).toHaveLength(50);
  });

  it('stand 10,000 mutants', () => {
    expect(assertStandsMutants(zipkinV1Json, { mutants: 10_000, seed: 49 }).refused).toBeGreaterThan(1000);
  });
});
