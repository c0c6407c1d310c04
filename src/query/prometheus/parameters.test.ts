import { describe, expect, it } from 'vitest';
import { parseBound } from '../promql/evaluate/histogram.ts';
import { createPrometheusApi } from './index.ts';
import { limitParameter, maxInt64, parseTime, wholeNumberFault } from './parameters.ts';

const never = new AbortController().signal;

describe('a parameter as long as a form may be', () => {
  const api = createPrometheusApi({ samples: { select: () => Promise.resolve([]) }, now: () => 0 });
  const digits = '1'.repeat(1_000_000);

  // Looking at each digit once for each other one would take most of an hour.
  it.each([
    ['time', `${digits}x`],
    ['time', `${'1_'.repeat(500_000)}x`],
    ['time', `.${digits}x`],
    ['time', `1e${digits}x`],
    ['timeout', `${digits}x`],
    ['timeout', '1h'.repeat(500_000)],
    ['lookback_delta', `${digits}x`],
    ['limit', `${digits}x`],
    ['limit', digits],
    ['limit', `-${digits}`],
  ])('is read in a time that grows with its length: %s', async (name, text) => {
    const given: Readonly<Record<string, string>> = { query: '1', [name]: text };
    expect((await api.query((each) => given[each] ?? '', never)).status).toBe(400);
  });

  it('is read so where it is the bound of a bucket', () => {
    expect(parseBound(`${digits}x`)).toBeUndefined();
    expect(parseBound(`${digits}.${digits}x`)).toBeUndefined();
    expect(['1', '1.', '.5', '1.5e3', '+Inf', '-1'].map(parseBound)).toEqual([
      1,
      1,
      0.5,
      1500,
      Number.POSITIVE_INFINITY,
      -1,
    ]);
    expect(['', '.', 'e5', '1_0', '1e'].map(parseBound)).toEqual(Array.from({ length: 5 }, () => undefined));
  });
});

describe('a number in a parameter', () => {
  it('is read as Go does, with single underscores between digits', () => {
    expect(['1', '1.', '.5', '1.25e1', '1_0', '1_0.2_5', '+2', '-3'].map(parseTime)).toEqual([
      1000, 1000, 500, 12_500, 10_000, 10_250, 2000, -3000,
    ]);
    expect(['', '.', '_1', '1_', '1__0', '1._5', '1e', 'e1'].map(parseTime)).toEqual(
      Array.from({ length: 8 }, () => undefined),
    );
  });

  it('is out of range from 2^63 on, and not for zeros before it', () => {
    const faultOf = (text: string) => wholeNumberFault(text, { name: 'Atoi', most: maxInt64 });
    expect(faultOf('9223372036854775807')).toBeUndefined();
    expect(faultOf('-9223372036854775808')).toBeUndefined();
    expect(faultOf('+0000000000000000000000000000012')).toBeUndefined();
    for (const text of ['9223372036854775808', '-9223372036854775809', '10000000000000000000']) {
      expect(faultOf(text)).toBe(`strconv.Atoi: parsing "${text}": value out of range`);
    }
    expect(limitParameter(() => '0000000000000000000000000000012')).toBe(12);
  });
});
