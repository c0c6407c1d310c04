import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../../model/sample.ts';
import { instantQuery, rangeQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';
import type { Value } from '../value.ts';

/** `a_total` and `b_total` of `x="1"`, growing by 1 and 2 a second; a sample each 10 s. */
const stored = (['a_total', 'b_total'] as const).map((name, i) => ({
  series: createSeries([
    ['__name__', name],
    ['x', '1'],
  ]),
  samples: Array.from({ length: 61 }, (_, at) => ({
    timestampMs: at * 10_000,
    value: at * 10 * (i + 1),
    isStale: false,
  })),
}));

const optionsFor = (delaysNameRemoval: boolean) => ({
  source: createMemorySource(stored),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 1_000_000,
  delaysNameRemoval,
});

function shown(value: Value): unknown {
  if (value.kind !== 'vector' && value.kind !== 'matrix') return value;
  return Object.fromEntries(
    value.series.map(({ labels, values }) => [
      labels.map((label) => label.join('=')).join(),
      Number(values[0]?.toFixed(9)),
    ]),
  );
}

async function at600s(query: string, delaysNameRemoval = true): Promise<unknown> {
  const { value } = await instantQuery(parsePromql(query), 600_000, optionsFor(delaysNameRemoval));
  return shown(value);
}

describe('a name that is taken off when the query is done', () => {
  it.each([
    ['rate(a_total[5m])', { 'x=1': 1 }],
    ['sum by (x) (rate({x="1"}[5m]))', { 'x=1': 3 }],
    ['sum without (y) (rate({x="1"}[5m]))', { 'x=1': 3 }],
    ['label_replace(rate({x="1"}[5m]), "m", "$1", "__name__", "(.)_total")', { 'm=a,x=1': 1, 'm=b,x=1': 2 }],
    [
      'label_join(rate({x="1"}[5m]), "__name__", "_", "__name__", "x")',
      { '__name__=a_total_1,x=1': 1, '__name__=b_total_1,x=1': 2 },
    ],
    ['sum by (__name__) (rate({x="1"}[5m]) > 1.5)', { '': 2 }],
    ['sum by (__name__) ({x="1"})', { '__name__=a_total': 600, '__name__=b_total': 1200 }],
    ['sum by (__name__) (rate(a_total[5m]) or a_total)', { '': 1 }],
    ['rate(a_total[5m]) and b_total', { 'x=1': 1 }],
    ['a_total unless rate(b_total[5m])', {}],
    ['rate(a_total[5m]) + on (x) rate(b_total[5m])', { 'x=1': 3 }],
    ['rate(a_total[5m]) < rate(b_total[5m])', { '__name__=a_total,x=1': 1 }],
    ['a_total < bool b_total', { 'x=1': 1 }],
    ['topk(1, rate({x="1"}[5m]))', { 'x=1': 2 }],
    ['-{x="1"} > -700', { 'x=1': -600 }],
    ['max_over_time(rate(a_total[1m])[5m:1m])', { 'x=1': 1 }],
    ['last_over_time(rate(a_total[1m])[5m:1m])', { 'x=1': 1 }],
    ['last_over_time(a_total[5m])', { '__name__=a_total,x=1': 600 }],
  ])('%s', async (query, answer) => {
    expect(await at600s(query)).toEqual(answer);
  });

  it('leaves no mark behind in a matrix', async () => {
    expect(await at600s('rate(a_total[1m])[1m:1m]')).toEqual({ 'x=1': 1 });
  });

  it('may not leave two series of one label set', async () => {
    const message = 'vector cannot contain metrics with the same labelset';
    await expect(at600s('rate({x="1"}[5m])')).rejects.toThrow(message);
    await expect(at600s('rate({x="1"}[5m])[1m:1m]')).rejects.toThrow(message);
    const grid = { startMs: 0, stepMs: 60_000, count: 11 };
    await expect(rangeQuery(parsePromql('-{x="1"}'), grid, optionsFor(true))).rejects.toThrow(message);
  });

  it('is taken off by each function unless that was asked for', async () => {
    await expect(at600s('sum by (x) (rate({x="1"}[5m]))', false)).rejects.toThrow('same labelset');
    expect(await at600s('label_replace(rate(a_total[5m]), "m", "$1", "__name__", "(.*)")', false)).toEqual({
      'x=1': 1,
    });
  });
});
