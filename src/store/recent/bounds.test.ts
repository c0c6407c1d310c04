/** What memory takes, and what it costs those who send. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createStore, equals, minuteMs, type StoreInMemory, startMs } from '../../../test/fixtures/recent-store.ts';
import { createSeries, type Sample, type Series } from '../../model/sample.ts';
import type { LabelMatcher } from '../readers/label-matcher.ts';
import type { SampleSelection } from '../readers/samples.ts';

const podOf = (i: number): Series =>
  createSeries([
    ['__name__', 'requests_total'],
    ['pod', `p${i}`],
  ]);

const at = (timestampMs: number, value: number): Sample => ({ timestampMs, value, isStale: false });

const lastHour = (store: StoreInMemory, ...matchers: LabelMatcher[]): SampleSelection => ({
  matchers: [equals('__name__', 'requests_total'), ...matchers],
  afterMs: store.now() - 60 * minuteMs,
  untilMs: store.now(),
});

async function hold(store: StoreInMemory, selection: SampleSelection): Promise<void> {
  for (let i = 0; i < 300 && store.recent.find(selection) === undefined; i++) await turn();
  expect(store.recent.find(selection)).toBeDefined();
}

describe('the bounds of recent samples', () => {
  it('are those of what the store keeps: memory does not answer for what may be dropped at any time', async () => {
    const store = createStore(1 << 24, { oldestMs: () => startMs - 30 * minuteMs });
    store.add([{ series: podOf(1), samples: [at(startMs - 5, 1)] }]);
    const hour = lastHour(store);
    for (let i = 0; i < 50; i++, await turn()) expect(store.recent.find(hour)).toBeUndefined();
    expect(store.reads()).toBe(0);
    await hold(store, { ...hour, afterMs: startMs - 20 * minuteMs });
  });

  it('are kept in a flood from the past, whose samples get their places together and not one by one', async () => {
    const store = createStore();
    const series = podOf(1);
    const count = 5000;
    store.add([{ series, samples: Array.from({ length: count }, (_, i) => at(startMs - (count - i) * 500, i)) }]);
    await hold(store, lastHour(store));
    const before = store.recent.statistics().bytes;
    for (let i = 0; i < count; i++) {
      store.add([{ series, samples: [at(startMs - 250 - ((i * 7919) % count) * 500, i)] }]);
    }
    // A copy of five thousand samples for each of as many would be two hundred megabytes.
    expect(store.recent.statistics().bytes).toBeLessThan(before * 4);
    expect(store.recent.find(lastHour(store))).toEqual(store.read(lastHour(store)));
  });

  it('let samples that are sent twice cost nothing', async () => {
    const store = createStore();
    const samples = Array.from({ length: 500 }, (_, i) => at(startMs - (500 - i) * 1000, i));
    store.add([{ series: podOf(1), samples }]);
    await hold(store, lastHour(store));
    const [held] = store.recent.find(lastHour(store)) ?? [];
    store.add([{ series: podOf(1), samples }]);
    expect(store.recent.find(lastHour(store))?.[0]).toBe(held);
  });

  it('make no garbage of what is asked again while nothing came', async () => {
    const store = createStore();
    store.add([1, 2, 3].map((i) => ({ series: podOf(i), samples: [at(startMs - 5, i)] })));
    await hold(store, lastHour(store));
    const [first, second] = [store.recent.find(lastHour(store)), store.recent.find(lastHour(store))];
    expect(second?.map((points, i) => points === first?.[i])).toEqual([true, true, true]);
    expect(second?.[1]?.timestampsMs).toBe(second?.[0]?.timestampsMs);
  });

  it('count everything that comes and goes, so that nothing is left when nobody asks any more', async () => {
    const store = createStore();
    for (let i = 0; i < 300; i++) {
      store.pass(15_000);
      const stampMs = store.now() - (i % 3) * 20_000;
      store.add([0, 1, 2, 3].map((k) => ({ series: podOf((i + k) % 40), samples: [at(stampMs - k * (i % 2), i)] })));
      if (i % 10 < 8) store.recent.find(lastHour(store));
      store.recent.find(lastHour(store, { name: 'pod', op: '=~', value: `p[${i % 9}].*` }));
      await turn();
    }
    expect(store.recent.statistics().bytes).toBeGreaterThan(20_000);
    for (let i = 0; i < 10; i++) {
      store.pass(16 * minuteMs);
      store.add([]);
    }
    expect(store.recent.statistics()).toMatchObject({ selections: 0, series: 0, bytes: 0 });
  });

  it('hold one column of stamps for the series of a target that was once scraped together with another', async () => {
    const store = createStore();
    const targets = [0, 1].map((target) => Array.from({ length: 50 }, (_, i) => podOf(target * 1000 + i)));
    const scrape = (target: number, stampMs: number) =>
      store.add((targets[target] ?? []).map((series) => ({ series, samples: [at(stampMs, 1)] })));
    scrape(0, startMs);
    await hold(store, { ...lastHour(store), untilMs: startMs + 1 });
    scrape(1, startMs);
    for (let i = 1; i <= 1000; i++) {
      scrape(0, startMs + i * 1000);
      scrape(1, startMs + i * 1000 + 7);
    }
    expect(store.recent.statistics().bytes / (100 * 1000)).toBeLessThan(13);
  });

  it('do not keep a selection away for long that was forgotten while it was read', async () => {
    const store = createStore();
    store.add([1, 2, 3, 4, 5, 6, 7].map((i) => ({ series: podOf(i), samples: [at(startMs - 5, i)] })));
    for (let i = 0; i < 3; i++) store.recent.find(lastHour(store));
    await turn();
    store.recent.clear();
    for (let i = 0; i < 20; i++) await turn();
    expect(store.recent.find(lastHour(store))).toBeUndefined();
    store.pass(minuteMs);
    await hold(store, lastHour(store));
    expect(store.failures).toEqual([]);
  });

  it('give a metric up whose new series come faster than they can be tested', async () => {
    const store = createStore();
    store.add([{ series: podOf(1), samples: [at(startMs - 5, 1)] }]);
    await hold(store, lastHour(store, { name: 'pod', op: '=~', value: 'p1|p2' }));
    store.recent.keep(Array.from({ length: 9000 }, (_, i) => ({ series: podOf(i), samples: [at(startMs, 1)] })));
    expect(store.recent.statistics()).toMatchObject({ selections: 0, series: 0 });
  });
});
