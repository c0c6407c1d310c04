import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries, type SeriesSamples } from '../../../model/sample.ts';
import { instantQuery, rangeQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';
import { findPushable } from '../pushdown.ts';

type Points = Readonly<Record<number, number | 'stale'>>;

/** A series `x` whose samples are given by their seconds. */
const seriesOf = (points: Points): SeriesSamples => ({
  series: createSeries([['__name__', 'x']]),
  samples: Object.entries(points).map(([second, value]) => ({
    timestampMs: Number(second) * 1000,
    value: value === 'stale' ? Number.NaN : value,
    isStale: value === 'stale',
  })),
});

const optionsFor = (points: Points) => ({
  source: createMemorySource([seriesOf(points)]),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 1_000_000,
});

/** The value of the only series, if any. */
async function at(query: string, second: number, points: Points): Promise<number | undefined> {
  const { value } = await instantQuery(parsePromql(query), second * 1000, optionsFor(points));
  return value.kind === 'vector' ? value.series[0]?.values[0] : undefined;
}

const counter = { 0: 10, 60: 16, 120: 22, 180: 34, 240: 4, 300: 10 };

describe('an anchored range', () => {
  it('begins with the newest sample at or before its start, so that nothing is extrapolated', async () => {
    expect(await at('increase(x[1m] anchored)', 90, counter)).toBe(6);
    expect(await at('delta(x[1m] anchored)', 150, counter)).toBe(6);
    expect(await at('rate(x[1m] anchored)', 180, counter)).toBe(0.2);
    expect(await at('increase(x[1m] anchored offset 1m)', 150, counter)).toBe(6);
    expect(await at('increase(x[1m] anchored @ 90)', 300, counter)).toBe(6);
  });

  it('begins with its first sample where there was none before', async () => {
    expect(await at('increase(x[1m] anchored)', 30, counter)).toBe(0);
    expect(await at('increase(x[5m] anchored)', 130, counter)).toBe(12);
  });

  it('counts a reset as what the counter has grown since', async () => {
    expect(await at('increase(x[2m] anchored)', 290, counter)).toBe(16);
    expect(await at('delta(x[2m] anchored)', 290, counter)).toBe(-18);
    expect(await at('resets(x[1m] anchored)', 290, counter)).toBe(1);
    expect(await at('changes(x[1m] anchored)', 150, counter)).toBe(1);
  });

  it('shows more samples than a call can have arguments', async () => {
    const samples = Array.from({ length: 150_000 }, (_, i) => ({ timestampMs: i * 1000, value: i, isStale: false }));
    const source = createMemorySource([{ series: createSeries([['__name__', 'x']]), samples }]);
    const options = { ...optionsFor({}), source };
    const { value } = await instantQuery(parsePromql('x[2d] anchored'), 150_000_000, options);
    expect(value.kind === 'matrix' && value.series[0]?.values.length).toBe(150_002);
  });

  it('looks back no farther than an instant selector, and is nothing without a sample within', async () => {
    expect(await at('changes(x[1m] anchored)', 420, { 0: 1, 400: 2 })).toBe(0);
    expect(await at('changes(x[2m] anchored)', 419, { 0: 1, 400: 2 })).toBe(1);
    expect(await at('changes(x[1m] anchored)', 400, counter)).toBeUndefined();
    expect(await at('increase(x[1m] anchored)', 400, counter)).toBeUndefined();
  });

  it('does not take notice of staleness markers', async () => {
    expect(await at('increase(x[1m] anchored)', 90, { 0: 1, 20: 'stale', 60: 4, 80: 'stale' })).toBe(3);
  });
});

describe('a smoothed range', () => {
  it('has at its edges what lies between the samples around them', async () => {
    expect(await at('increase(x[1m] smoothed)', 90, counter)).toBe(6);
    expect(await at('increase(x[1m] smoothed)', 150, counter)).toBe(9);
    expect(await at('rate(x[30s] smoothed)', 165, counter)).toBeCloseTo(0.2, 12);
    expect(await at('delta(x[1m] smoothed)', 90, counter)).toBe(6);
  });

  it('takes a counter that was reset across an edge to have begun at 0', async () => {
    // Half way from the reset to 4.
    expect(await at('increase(x[1m] smoothed)', 210, counter)).toBe(6 + 2);
    expect(await at('increase(x[1m] smoothed)', 270, counter)).toBe(2 + 3);
    expect(await at('delta(x[1m] smoothed)', 210, counter)).toBe(19 - 28);
  });

  it('stops at the first and the last sample that there are', async () => {
    expect(await at('increase(x[1m] smoothed)', 30, counter)).toBe(3);
    expect(await at('increase(x[1m] smoothed)', 330, counter)).toBe(3);
    expect(await at('increase(x[1m] smoothed)', 360, counter)).toBeUndefined();
    expect(await at('increase(x[10s] smoothed)', 10, { 20: 1, 30: 2 })).toBeUndefined();
  });

  it('is the same at each step of a range query', async () => {
    const query = 'increase(x[1m] smoothed)';
    const grid = { startMs: 30_000, stepMs: 60_000, count: 5 };
    const { value } = await rangeQuery(parsePromql(query), grid, optionsFor(counter));
    const alone = await Promise.all([30, 90, 150, 210, 270].map((second) => at(query, second, counter)));
    expect(value.kind === 'vector' ? [...(value.series[0]?.values ?? [])] : []).toEqual(alone);
  });
});

describe('a range with its edges by itself', () => {
  it.each([
    ['x[1m] smoothed', [30_000, 60_000, 90_000], [13, 16, 19]],
    ['x[1m] anchored', [30_000, 60_000, 90_000], [10, 16, 16]],
    ['x[30s] smoothed', [60_000, 90_000], [16, 19]],
  ])('%s has a sample at each', async (query, timestampsMs, values) => {
    const { value } = await instantQuery(parsePromql(query), 90_000, optionsFor(counter));
    expect(value).toMatchObject({ kind: 'matrix', series: [{ labels: [['__name__', 'x']] }] });
    if (value.kind !== 'matrix') return;
    expect([...(value.series[0]?.timestampsMs ?? [])]).toEqual(timestampsMs);
    expect([...(value.series[0]?.values ?? [])]).toEqual(values);
  });
});

describe('a smoothed instant selector', () => {
  it('lies between the samples around it', async () => {
    expect(await at('x smoothed', 90, counter)).toBe(19);
    expect(await at('x smoothed', 120, counter)).toBe(22);
    expect(await at('x smoothed offset 1m', 150, counter)).toBe(19);
    // Nothing says that it is a counter.
    expect(await at('x smoothed', 210, counter)).toBe(19);
  });

  it('keeps its last value as long as any other, and is nothing before its first', async () => {
    expect(await at('x smoothed', 599, counter)).toBe(10);
    expect(await at('x smoothed', 600, counter)).toBeUndefined();
    expect(await at('x smoothed', 10, { 20: 1, 30: 2 })).toBeUndefined();
    expect(await at('x smoothed', 10, { 0: 1, 311: 2 })).toBe(1);
  });
});

describe('what the store could compute', () => {
  it('is left to the evaluator where samples beyond the window count', () => {
    const options = { grid: { startMs: 0, stepMs: 1000, count: 10 }, lookbackMs: 300_000 };
    const pushed = (query: string) => findPushable(parsePromql(query).expression, options);
    expect(pushed('rate(x[1m])')).toHaveLength(1);
    expect(pushed('rate(x[1m] anchored) + increase(x[1m] smoothed) + (x smoothed)')).toEqual([]);
  });
});

describe('a function that cannot take notice of what is beyond a window', () => {
  it.each([
    ['deriv(x[1m] smoothed)', 'smoothed modifier can only be used with: delta, increase, rate - not with deriv'],
    ['changes(x[1m] smoothed)', 'smoothed modifier can only be used with: delta, increase, rate - not with changes'],
    [
      'sum_over_time(x[1m] anchored)',
      'anchored modifier can only be used with: changes, delta, increase, rate, resets - not with sum_over_time',
    ],
  ])('%s is refused', (query, message) => {
    expect(() => parsePromql(query)).toThrow(message);
  });
});
