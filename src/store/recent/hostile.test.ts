/** Memory against a store, when everything goes wrong at once. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { createStore, equals, minuteMs } from '../../../test/fixtures/recent-store.ts';
import { createSeries, type Label, type Sample, type Series, type SeriesSamples } from '../../model/sample.ts';
import type { LabelMatcher } from '../readers/label-matcher.ts';

const hourMs = 60 * minuteMs;

const labelSets = (n: number): readonly Series[] =>
  Array.from({ length: n }, (_, i) => {
    const labels: Label[] = [['__name__', i % 7 === 0 ? 'temperatur_größe' : 'requests_total']];
    if (i > 0) labels.push(['code', String(200 + (i % 5))]);
    if (i % 3 > 0) labels.push(['pod', `p${i}`]);
    if (i % 4 === 0) labels.push(['größe', `🙂${i % 8}`]);
    return createSeries(i === 1 ? labels.slice(0, 1) : labels);
  });

const matcherLists: readonly (readonly LabelMatcher[])[] = [
  [],
  [],
  [equals('code', '203')],
  [equals('pod', '')],
  [{ name: 'pod', op: '!=', value: '' }],
  [{ name: 'code', op: '=~', value: '20[1-4]' }],
  [{ name: 'code', op: '=~', value: '20[1-4]' }, equals('größe', '')],
  [{ name: 'größe', op: '=~', value: '🙂.|' }],
  [{ name: 'nothing', op: '=~', value: '.*' }],
  [{ name: 'pod', op: '!~', value: 'p[1-9]' }, equals('code', '201')],
  [{ name: '__name__', op: '=~', value: 'requests.*' }],
  [{ name: '__name__', op: '!=', value: 'requests_total' }],
  [{ name: '__name__', op: '=', value: 'temperatur_größe' }],
];

/** Times that nobody expects, beside those that everybody does. */
function timeNear(nowMs: number, random: () => number): number {
  const dice = random();
  const back = Math.floor(random() ** 3 * 8 * hourMs);
  if (dice < 0.03) return nowMs + Math.floor(random() * 3 * hourMs);
  if (dice < 0.04) return -Math.floor(random() * 3 * hourMs);
  return nowMs - back;
}

interface Mix {
  readonly random: () => number;
  readonly below: (n: number) => number;
  readonly live: readonly Series[];
}

/** One of the ways in which samples come. */
function batchOf({ random, below, live }: Mix, nowMs: number): readonly SeriesSamples[] {
  const sample = (timestampMs: number): Sample => {
    const isStale = random() < 0.05;
    const value = random() < 0.05 ? Number.NaN : random() < 0.05 ? -0 : below(4);
    return { timestampMs, value: isStale ? Number.NaN : value, isStale };
  };
  const pick = () => live[below(live.length)] ?? createSeries([]);
  const dice = random();
  if (dice < 0.5) {
    const stampMs = nowMs - (random() < 0.2 ? below(minuteMs) : 0);
    return live.filter(() => random() < 0.9).map((series) => ({ series, samples: [sample(stampMs)] }));
  }
  if (dice < 0.6) {
    // A flood from the past, in order or not, some stamps more than once.
    const fromMs = timeNear(nowMs, random);
    const stepMs = 1 + below(10_000);
    const samples = Array.from({ length: below(60) }, (_, i) => sample(fromMs + (i % 40) * stepMs));
    return [{ series: pick(), samples: random() < 0.5 ? samples : samples.reverse() }];
  }
  return Array.from({ length: below(8) }, () => ({ series: pick(), samples: [sample(timeNear(nowMs, random))] }));
}

async function play(seed: number, steps: number): Promise<number> {
  const random = createRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const all = labelSets(10 + below(40));
  const isTiny = random() < 0.3;
  let failing = 0;
  const store = createStore(isTiny ? 30_000 + below(60_000) : 1 << 24, {
    sliceMs: random() < 0.7 ? 0 : 3,
    sliceSeries: random() < 0.7 ? 1 + below(6) : 500,
    isFailing: () => random() < failing,
  });
  let answered = 0;
  let offsetMs = below(2 * hourMs);
  for (let step = 0; step < steps; step++) {
    store.pass(random() < 0.01 ? below(3 * hourMs) : below(30_000));
    if (random() < 0.01) store.shift(below(4 * hourMs) - 2 * hourMs);
    if (random() < 0.003) store.recent.clear();
    if (random() < 0.05) failing = random() < 0.5 ? 0 : 0.2;
    if (random() < 0.03) offsetMs = random() < 0.5 ? below(2 * hourMs) : 0;
    // Series come, end and return.
    const from = below(all.length);
    const live = random() < 0.7 ? all.slice(0, 10) : all.slice(from, from + 12);
    if (random() < 0.8) store.add(batchOf({ random, below, live }, store.now()));
    for (let i = below(4); i > 0; i--) await turn();
    const name = random() < 0.85 ? 'requests_total' : 'temperatur_größe';
    const matchers = [equals('__name__', name), ...(matcherLists[below(matcherLists.length)] ?? [])];
    const untilMs = random() < 0.02 ? timeNear(store.now(), random) : store.now() - (random() < 0.5 ? 0 : offsetMs);
    const selection = { matchers, afterMs: untilMs - below(3) * below(90) * minuteMs - 300_000, untilMs };
    const found = store.recent.find(selection);
    if (found === undefined) continue;
    answered++;
    expect(found, `seed ${seed}, step ${step}`).toEqual(store.read(selection));
    expect(store.recent.statistics().bytes).toBeGreaterThanOrEqual(0);
  }
  await store.recent.stop();
  store.recent.clear();
  return answered;
}

describe('recent samples, when everything goes wrong at once', () => {
  it('are what the store has, or are not there', async () => {
    const seed = Number(process.env.TRAWL_SEED ?? Math.floor(Math.random() * 2 ** 32));
    const rounds = Number(process.env.TRAWL_ROUNDS ?? 4);
    let answered = 0;
    for (let round = 0; round < rounds; round++) answered += await play((seed + round) >>> 0, 300);
    expect(answered, `seed ${seed}`).toBeGreaterThan(rounds * 10);
  }, 600_000);
});
