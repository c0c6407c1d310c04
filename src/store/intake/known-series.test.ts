import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { createSeries, type Series, type SeriesSamples } from '../../model/sample.ts';
import { dayOf, lastDate } from '../writers/samples.ts';
import { identityOf } from '../writers/series-id.ts';
import { createKnownSeries } from './known-series.ts';
import { SeriesIdTable } from './series-id-table.ts';

const dayMs = 86_400_000;
const seriesOf = (i: number): Series => createSeries([['__name__', `m${i}`]]);
const on = (series: Series, ...days: readonly number[]): SeriesSamples => ({
  series,
  samples: days.map((day) => ({ timestampMs: day * dayMs, value: 1, isStale: false })),
});

describe('the series that the store knows', () => {
  it('are those of every day and object that was kept, as a plain map has them', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const pick = (count: number) => Math.floor(random() * count);
    const known = createKnownSeries();
    const objects = Array.from({ length: 300 }, (_, i) => seriesOf(i % 200));
    let model = new Map<string, { first: number; last: number }>();
    for (let round = 0; round < 300; round++) {
      const items = Array.from({ length: 1 + pick(40) }, () => {
        const series = random() < 0.5 ? seriesOf(pick(200)) : (objects[pick(300)] ?? seriesOf(0));
        const day = random() < 0.02 ? [0, lastDate][pick(2)] : 20_000 + pick(3);
        return on(series, day ?? 0, Math.min((day ?? 0) + pick(2), lastDate));
      });
      const expected = new Map<string, { first: number; last: number }>();
      for (const { series, samples } of items) {
        const name = series.labels[0]?.[1] ?? '';
        const [first, last] = [dayOf(samples[0]?.timestampMs ?? 0), dayOf(samples.at(-1)?.timestampMs ?? 0)];
        const before = expected.get(name) ?? model.get(name);
        if (before !== undefined && before.first <= first && before.last >= last) continue;
        const days = { first: Math.min(before?.first ?? first, first), last: Math.max(before?.last ?? last, last) };
        expected.set(name, days);
      }
      const rows = known.missing(items);
      expect(
        rows.map(({ series, firstDay, lastDay }) => [series.labels[0]?.[1], { first: firstDay, last: lastDay }]),
        `seed ${seed}`,
      ).toEqual([...expected]);
      if (random() < 0.7) {
        known.add(rows);
        for (const [name, days] of expected) model.set(name, days);
      } else if (random() < 0.05) {
        known.clear();
        model = new Map();
      }
    }
  });
});

describe('a table of ids', () => {
  it('tells ids apart that share a half, and forgets all of them when it is cleared', () => {
    const table = new SeriesIdTable();
    const keys = Array.from({ length: 1000 }, (_, i) => ({ low: (i >> 1) - 250, high: i & 1 ? -1 : i }));
    for (const [i, key] of keys.entries()) table.set(key, i + 1);
    expect(table.size).toBe(1000);
    expect(keys.map((key) => table.get(key))).toEqual(keys.map((_, i) => i + 1));
    expect(table.get({ low: 7, high: 7 })).toBe(0);
    table.set({ low: 0, high: 0 }, 0xffff_ffff);
    expect(table.get({ low: 0, high: 0 })).toBe(0xffff_ffff);
    table.clear();
    expect([table.size, ...keys.map((key) => table.get(key))].every((value) => value === 0)).toBe(true);
  });

  it('finds the ids of real series', () => {
    const table = new SeriesIdTable();
    const identities = Array.from({ length: 500 }, (_, i) => identityOf(seriesOf(i)));
    for (const [i, identity] of identities.entries()) table.set(identity, i + 1);
    expect(identities.map((identity) => table.get(identity))).toEqual(identities.map((_, i) => i + 1));
  });
});
