/** What memory answers, against a store that was given the same samples. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { createStore, equals, minuteMs, startMs } from '../../../test/fixtures/recent-store.ts';
import { createSeries, type Sample, type Series, type SeriesSamples } from '../../model/sample.ts';
import type { LabelMatcher } from '../readers/label-matcher.ts';
import type { SampleSelection } from '../readers/samples.ts';
import type { RecentSamples } from './recent-samples.ts';

/** Asks until memory answers, as a dashboard does. */
async function bring(recent: RecentSamples, selection: SampleSelection): Promise<void> {
  for (let i = 0; i < 200 && recent.find(selection) === undefined; i++) await turn();
}

const sampleAt = (timestampMs: number, value: number): Sample => ({ timestampMs, value, isStale: false });

const requestsOf = (code: string): Series =>
  createSeries([
    ['__name__', 'requests_total'],
    ['code', code],
  ]);

const lastHour = (nowMs: number, ...matchers: LabelMatcher[]): SampleSelection => ({
  matchers: [equals('__name__', 'requests_total'), ...matchers],
  afterMs: nowMs - 60 * minuteMs,
  untilMs: nowMs,
});

describe('recent samples', () => {
  it('are brought into memory when a selection is asked for the second time, and not the first', async () => {
    const store = createStore();
    store.add([{ series: requestsOf('200'), samples: [sampleAt(startMs - minuteMs, 7)] }]);
    const selection = lastHour(store.now());
    expect(store.recent.find(selection)).toBeUndefined();
    for (let i = 0; i < 20; i++) await turn();
    expect(store.reads()).toBe(0);
    await bring(store.recent, selection);
    expect(store.reads()).toBe(1);
    expect(store.recent.find(selection)).toEqual(store.read(selection));
    expect(store.recent.statistics()).toMatchObject({ selections: 1, series: 1 });
  });

  it('hold what comes while they are read from the store, once', async () => {
    const store = createStore();
    const series = Array.from({ length: 20 }, (_, i) => requestsOf(String(200 + i)));
    store.add(series.map((each) => ({ series: each, samples: [sampleAt(startMs - minuteMs, 1)] })));
    const selection = lastHour(store.now());
    store.recent.find(selection);
    store.recent.find(selection);
    for (let i = 0; i < 30; i++) {
      store.pass(10);
      store.add(series.map((each) => ({ series: each, samples: [sampleAt(store.now(), i)] })));
      await turn();
    }
    const later = lastHour(store.now());
    await bring(store.recent, later);
    expect(store.recent.find(later)).toEqual(store.read(later));
    expect(store.reads()).toBe(1);
  });

  it('answer a selection within one that is held without reading anything', async () => {
    const store = createStore();
    store.add(['200', '404', '500'].map((code) => ({ series: requestsOf(code), samples: [sampleAt(startMs - 5, 1)] })));
    await bring(store.recent, lastHour(store.now()));
    const errors = lastHour(store.now(), { name: 'code', op: '=~', value: '5..' });
    expect(store.recent.find(errors)).toEqual(store.read(errors));
    store.add([{ series: requestsOf('503'), samples: [sampleAt(startMs - 3, 1)] }]);
    expect(store.recent.find(errors)).toHaveLength(2);
    expect(store.reads()).toBe(1);
  });

  it('do not answer for a time that reaches back beyond them', async () => {
    const store = createStore();
    store.add([{ series: requestsOf('200'), samples: [sampleAt(startMs - 90 * minuteMs, 1), sampleAt(startMs, 2)] }]);
    await bring(store.recent, lastHour(store.now()));
    const longer = { ...lastHour(store.now()), afterMs: startMs - 120 * minuteMs };
    expect(store.recent.find(longer)).toBeUndefined();
    await bring(store.recent, longer);
    expect(store.recent.find(longer)).toEqual(store.read(longer));
  });

  it('do not hold more than they may, and do not try again at once what does not fit', async () => {
    const store = createStore(30_000);
    const series = Array.from({ length: 60 }, (_, i) => requestsOf(String(i)));
    store.add(series.map((each) => ({ series: each, samples: [sampleAt(startMs - 5, 1)] })));
    const all = lastHour(store.now());
    for (let i = 0; i < 50; i++) {
      expect(store.recent.find(all)).toBeUndefined();
      await turn();
    }
    expect(store.reads()).toBe(1);
    expect(store.recent.statistics()).toMatchObject({ bytes: 0, series: 0 });
    const one = lastHour(store.now(), equals('code', '7'));
    await bring(store.recent, one);
    expect(store.recent.find(one)).toEqual(store.read(one));
  });

  it('make room for what is asked for now by giving up what nobody asked for lately', async () => {
    const store = createStore(60_000);
    const series = ['a', 'b'].flatMap((kind) =>
      Array.from({ length: 40 }, (_, i) =>
        createSeries([
          ['__name__', 'requests_total'],
          ['kind', kind],
          ['i', String(i)],
        ]),
      ),
    );
    store.add(series.map((each) => ({ series: each, samples: [sampleAt(startMs - 5, 1)] })));
    const a = lastHour(store.now(), equals('kind', 'a'));
    const b = lastHour(store.now(), equals('kind', 'b'));
    await bring(store.recent, a);
    expect(store.recent.find(a)).toHaveLength(40);
    store.pass(5 * minuteMs);
    await bring(store.recent, { ...b, untilMs: store.now() });
    expect(store.recent.find({ ...b, untilMs: store.now() })).toHaveLength(40);
    expect(store.recent.find(a)).toBeUndefined();
  });

  it('are forgotten when the store may have lost them, what is being read as well', async () => {
    const store = createStore();
    store.add([{ series: requestsOf('200'), samples: [sampleAt(startMs - 5, 1)] }]);
    const selection = lastHour(store.now());
    await bring(store.recent, selection);
    store.recent.clear();
    expect(store.recent.statistics()).toMatchObject({ selections: 0, series: 0, bytes: 0 });
    store.recent.find(selection);
    store.recent.find(selection);
    await turn();
    store.recent.clear();
    for (let i = 0; i < 20; i++) await turn();
    expect(store.recent.statistics()).toMatchObject({ selections: 0, series: 0 });
  });

  it('do not change under an evaluation that has them in hand', async () => {
    const store = createStore();
    const series = requestsOf('200');
    store.add([{ series, samples: [sampleAt(startMs - 20, 1), sampleAt(startMs - 10, 2)] }]);
    const selection = { ...lastHour(store.now()), untilMs: store.now() + minuteMs };
    await bring(store.recent, selection);
    const [inHand] = store.recent.find(selection) ?? [];
    const copy = structuredClone(inHand);
    // Out of order, of a stamp that is there, and of the end.
    for (const timestampMs of [startMs - 15, startMs - 10, startMs + 10]) {
      store.add([{ series, samples: [{ timestampMs, value: 99, isStale: timestampMs > startMs }] }]);
    }
    expect(inHand).toEqual(copy);
    expect(store.recent.find(selection)).toEqual(store.read(selection));
  });

  it('need no more than a column of stamps for all series that were sampled together', async () => {
    const store = createStore();
    const series = Array.from({ length: 50 }, (_, i) => requestsOf(String(i)));
    for (let i = 400; i > 0; i--) {
      store.add(series.map((each) => ({ series: each, samples: [sampleAt(startMs - i * 5000, i)] })));
    }
    await bring(store.recent, lastHour(store.now()));
    for (let i = 1; i <= 100; i++) {
      store.pass(5000);
      store.add(series.map((each) => ({ series: each, samples: [sampleAt(store.now(), i)] })));
    }
    const { bytes } = store.recent.statistics();
    expect(bytes / (50 * 500)).toBeLessThan(12);
    const selection = lastHour(store.now());
    expect(store.recent.find(selection)).toEqual(store.read(selection));
  });

  it('are what the store has, whatever comes in whatever order while whatever is asked', async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const below = (n: number): number => Math.floor(random() * n);
    for (let round = 0; round < 4; round++) {
      const store = createStore(round % 3 === 0 ? 40_000 : 1 << 24);
      const series = Array.from({ length: 30 }, (_, i) =>
        createSeries([
          ['__name__', i % 5 === 0 ? 'other' : 'requests_total'],
          ['code', String(200 + (i % 7))],
          ['pod', `p${i}`],
        ]),
      );
      const selections: readonly (readonly LabelMatcher[])[] = [
        [],
        [equals('code', '203')],
        [{ name: 'code', op: '=~', value: '20[1-4]' }],
        [{ name: 'pod', op: '!=', value: 'p3' }, equals('code', '201')],
        [{ name: 'pod', op: '!~', value: 'p.' }],
      ];
      let answered = 0;
      for (let step = 0; step < 300; step++) {
        store.pass(below(40_000));
        const count = below(6);
        const live = series.slice(0, 5 + Math.floor((step / 300) * series.length));
        const stampMs = store.now() - below(3) * below(60_000);
        const items = Array.from({ length: count }, (): SeriesSamples => {
          const picked = live[below(live.length)] ?? requestsOf('0');
          const isStale = random() < 0.05;
          const timestampMs = random() < 0.8 ? stampMs : stampMs - below(2 * 60 * minuteMs);
          return { series: picked, samples: [{ timestampMs, value: isStale ? Number.NaN : below(10), isStale }] };
        });
        store.add(items);
        if (random() < 0.3) await turn();
        if (random() < 0.002) store.recent.clear();
        const matchers = [equals('__name__', 'requests_total'), ...(selections[below(selections.length)] ?? [])];
        const afterMs = store.now() - below(90) * minuteMs;
        const selection = { matchers, afterMs, untilMs: store.now() - below(2) * below(30) * minuteMs };
        const found = store.recent.find(selection);
        if (found === undefined) continue;
        answered++;
        expect(found, `seed ${seed}, round ${round}, step ${step}`).toEqual(store.read(selection));
      }
      expect(store.failures).toEqual([]);
      expect(answered).toBeGreaterThan(20);
      await store.recent.stop();
    }
  });

  it('are not held of a query that names no metric, and not at all without memory', async () => {
    const store = createStore(0);
    const selection = lastHour(store.now());
    for (let i = 0; i < 5; i++) expect(store.recent.find(selection)).toBeUndefined();
    const other = createStore();
    const everything = { ...selection, matchers: [{ name: '__name__', op: '=~', value: '.+' } as const] };
    for (let i = 0; i < 5; i++) expect(other.recent.find(everything)).toBeUndefined();
    await turn();
    expect(other.reads()).toBe(0);
  });
});
