import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../model/sample.ts';
import { type EngineOptions, instantQuery, rangeQuery } from './engine.ts';
import { parsePromql } from './parse/parse.ts';
import { print } from './print.ts';

/** A sample each second whose value is its second. */
const seconds = {
  series: createSeries([['__name__', 'x']]),
  samples: Array.from({ length: 101 }, (_, i) => ({ timestampMs: i * 1000, value: i, isStale: false })),
};

const options: EngineOptions = {
  source: createMemorySource([seconds]),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 1_000_000,
};

/** Over 50 s to 60 s. */
async function over(query: string, stepMs: number): Promise<readonly number[]> {
  const grid = { startMs: 50_000, stepMs, count: 10_000 / stepMs + 1 };
  const { value } = await rangeQuery(parsePromql(query), grid, options);
  return value.kind === 'vector' ? [...(value.series[0]?.values ?? [])] : [];
}

async function at50s(query: string): Promise<number | undefined> {
  const { value } = await instantQuery(parsePromql(query), 50_000, options);
  return value.kind === 'vector' ? value.series[0]?.values[0] : undefined;
}

describe('a duration of several parts', () => {
  it.each([
    ['count_over_time(x[2 * 5s])', 10],
    ['count_over_time(x[(2 + 3) * 2s])', 10],
    ['count_over_time(x[-5s + 15s])', 10],
    ['count_over_time(x[1h % 59m55s * 2])', 10],
    ['count_over_time(x[min_of(10s, 1m)])', 10],
    ['count_over_time(x[max_of(10s, 2 ^ 3)])', 10],
    ['count_over_time(x[4s + 6s:1s + 1s])', 5],
    ['x offset (10s / 2)', 45],
    ['x offset (-10s / 2)', 55],
    ['x offset 10s / 2', 20],
    ['x offset (-2 ^ 2)', 54],
    ['x offset (1s) * 2', 48],
    ['x offset -(1s) * 2', 102],
    ['x offset -2 ^ 2', 52 ** 2],
    ['x offset -(2 ^ 2) ^ 2', 54 ** 2],
  ])('%s', async (query, value) => {
    expect(await at50s(query)).toBe(value);
  });

  it('is counted in whole milliseconds, as Go does', async () => {
    expect(parsePromql('x[1.005]').expression).toMatchObject({ rangeMs: 1005 });
    expect(parsePromql('x[0.7 + 0.1]').expression).toMatchObject({ rangeMs: 799 });
    expect(parsePromql('x[10 / 3]').expression).toMatchObject({ rangeMs: 3333 });
  });

  it.each([
    ['x[5m - 5m]', '2:9: duration must be greater than 0'],
    ['x[5m / 0]', '1:6: parse error: division by zero'],
    ['x[5m % (1 - 1)]', '2:14: modulo by zero'],
    ['x[2m ^ 1e9]', '2:10: duration is NaN or infinite'],
    ['x[1y * 1e9]', '2:10: duration is out of range'],
    [
      'x[step(1)]',
      '1:8: parse error: unexpected number "1" in subquery or range selector, expected number, duration, step(), or range()',
    ],
    [
      'x[min_of(1m)]',
      '1:12: parse error: unexpected ")" in subquery or range selector, expected number, duration, step(), or range()',
    ],
  ])('%s is refused', (query, message) => {
    expect(() => parsePromql(query)).toThrow(message);
  });

  it('cannot nest deeper than an expression', () => {
    expect(() => parsePromql(`x[${'('.repeat(1000)}1m${')'.repeat(1000)}]`)).toThrow(
      'nested more than 200 levels deep',
    );
    expect(() => parsePromql(`x[1m${' + 1m'.repeat(1000)}]`)).toThrow('nested more than 200 levels deep');
  });
});

describe('step() and range() within a duration', () => {
  it('are those of the range query, in subqueries too', async () => {
    expect(await over('count_over_time(x[step()])', 5000)).toEqual([5, 5, 5]);
    expect(await over('count_over_time(x[2 * STEP() + 1])', 5000)).toEqual([11, 11, 11]);
    expect(await over('count_over_time(x[range()])', 5000)).toEqual([10, 10, 10]);
    expect(await over('max_over_time(x[range()] @ end())', 5000)).toEqual([60, 60, 60]);
    expect(await over('sum_over_time(count_over_time(x[step()])[range():step()])', 5000)).toEqual([10, 10, 10]);
    expect(await over('sum(x offset step()) by (a) + scalar(x offset -range())', 10_000)).toEqual([100, 120]);
  });

  it('are 0 in an instant query, which a range may not be', async () => {
    expect(await at50s('x offset range()')).toBe(50);
    expect(await at50s('count_over_time(x[step() + 3])')).toBe(3);
    await expect(at50s('count_over_time(x[step()])')).rejects.toThrow('18:24: duration must be greater than 0');
    await expect(at50s('count_over_time(x[1m / range()])')).rejects.toThrow('division by zero');
  });

  it('bind a sign after offset to what follows it alone', async () => {
    expect(await over('x offset -step()*2', 10_000)).toEqual([120, 140]);
    expect(await over('x offset (-step()*2)', 10_000)).toEqual([70, 80]);
  });
});

describe('a formula printed', () => {
  it.each([
    ['x[5m*2]', 'x[5m * 2]'],
    ['x[( 1+STEP( ) )%3h]', 'x[(1 + step()) % 3h]'],
    ['x offset -range()', 'x offset -range()'],
    ['x[5m:max_of(step(),10s)] offset (1m-90)', 'x[5m:max_of(step(), 10s)] offset (1m - 90)'],
    ['x @ 5 offset step()', 'x @ 5.000 offset step()'],
    ['x[300]', 'x[5m]'],
    ['x offset -300', 'x offset -5m'],
  ])('%s is %s', (query, text) => {
    expect(print(parsePromql(query).expression)).toBe(text);
    expect(print(parsePromql(text).expression)).toBe(text);
  });
});
