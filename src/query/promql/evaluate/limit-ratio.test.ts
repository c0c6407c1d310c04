import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../../model/sample.ts';
import { instantQuery, rangeQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';
import { hashLabels, xxh64 } from './label-hash.ts';

const count = 500;
const stored = Array.from({ length: count }, (_, i) => ({
  series: createSeries([
    ['__name__', 'x'],
    ['i', String(i)],
    ['odd', String(i % 2)],
  ]),
  samples: [{ timestampMs: 0, value: i, isStale: false }],
}));

const options = {
  source: createMemorySource(stored),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 1_000_000,
};

async function ask(query: string) {
  const { value, warnings } = await instantQuery(parsePromql(query), 0, options);
  return { values: value.kind === 'vector' ? value.series.map(({ values }) => values[0] ?? -1) : [], warnings };
}

const valuesOf = async (query: string): Promise<readonly number[]> => (await ask(query)).values;

describe('limit_ratio', () => {
  it('takes about its share, and the same elements each time', async () => {
    const values = await valuesOf('limit_ratio(0.3, x)');
    expect(values.length).toBeGreaterThan(0.2 * count);
    expect(values.length).toBeLessThan(0.4 * count);
    expect(await valuesOf('limit_ratio(0.3, x)')).toEqual(values);
    expect(await valuesOf('limit_ratio(0.3, x{odd="1"})')).toEqual(values.filter((i) => i % 2 === 1));
    expect(await valuesOf('limit_ratio by (odd) (0.3, x)')).toHaveLength(values.length);
    expect(await valuesOf('limit_ratio(0.2, x) unless limit_ratio(0.3, x)')).toEqual([]);
  });

  it('takes with a negative ratio what the positive one leaves', async () => {
    expect(await valuesOf('limit_ratio(0.3, x) and limit_ratio(-0.7, x)')).toEqual([]);
    expect(await valuesOf('count(limit_ratio(0.3, x) or limit_ratio(-0.7, x))')).toEqual([count]);
  });

  it('takes all with 1 and -1 and nothing with 0, and says so where a ratio is beyond them', async () => {
    expect(await valuesOf('limit_ratio(1, x)')).toHaveLength(count);
    expect(await valuesOf('limit_ratio(-1, x)')).toHaveLength(count);
    expect(await valuesOf('limit_ratio(0, x)')).toEqual([]);
    const { values, warnings } = await ask('limit_ratio(1.5, x)');
    expect(values).toHaveLength(count);
    expect(warnings).toEqual(['PromQL warning: ratio value should be between -1 and 1, got 1.5, capping to 1 (1:13)']);
    await expect(ask('limit_ratio(NaN, x)')).rejects.toThrow('Ratio value is NaN');
  });

  it('may have another ratio at each point', async () => {
    const grid = { startMs: 0, stepMs: 1000, count: 2 };
    const { value } = await rangeQuery(parsePromql('count(limit_ratio(time(), x)) or vector(0)'), grid, options);
    expect(value.kind === 'vector' ? [...(value.series[0]?.values ?? [])] : []).toEqual([0, count]);
  });
});

describe('a label set hashed', () => {
  it.each([
    ['', 'ef46db3751d8e999'],
    ['a', 'd24ec4f1a98c6e5b'],
    ['abc', '44bc2cf5ad770999'],
    ['Nobody inspects the spammish repetition', 'fbcea83c8a378bf1'],
  ])('XXH64 of %j is %s', (text, hash) => {
    expect(xxh64(Buffer.from(text)).toString(16)).toBe(hash);
  });

  it('has the length of each text before it, in one byte or behind a 255 in three', () => {
    const long = 'v'.repeat(300);
    const bytes = Buffer.from(`\x01a\x02é\x01b`, 'utf8');
    expect(
      hashLabels([
        ['a', 'é'],
        ['b', long],
      ]),
    ).toBe(xxh64(Buffer.concat([bytes, Buffer.from([255, 44, 1, 0]), Buffer.from(long)])));
  });
});
