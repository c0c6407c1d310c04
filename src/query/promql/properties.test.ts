/** What must hold for any samples and any grid, against the plainest code that says the same. */
import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type SeriesSamples } from '../../model/sample.ts';
import { type EngineOptions, instantQuery, rangeQuery } from './engine.ts';
import { parsePromql } from './parse/parse.ts';
import type { Grid, Value } from './value.ts';

type Random = (below: number) => number;

function createRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Point {
  readonly timestampMs: number;
  readonly value: number;
  readonly isStale: boolean;
}

/** A counter with gaps, resets, markers and now and then something odd. */
function randomPoints(random: Random): Point[] {
  const points: Point[] = [];
  let timestampMs = random(5000);
  let value = random(100);
  for (let i = random(80); i > 0; i--) {
    timestampMs += random(10) === 0 ? 1 + random(400_000) : 1 + random(30_000);
    value = random(12) === 0 ? random(5) : value + random(50);
    const odd = random(60);
    const isStale = odd === 0;
    points.push({ timestampMs, value: isStale || odd === 1 ? Number.NaN : value, isStale });
  }
  return points;
}

const randomGrid = (random: Random): Grid => ({
  startMs: random(600_000),
  stepMs: 1 + random(90_000),
  count: 1 + random(40),
});

const options = (stored: readonly SeriesSamples[]): EngineOptions => ({
  source: createMemorySource(stored),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 1_000_000,
});

const storedAs = (name: string, points: readonly Point[]): SeriesSamples => ({
  series: createSeries([['__name__', name]]),
  samples: points,
});

/** The only series of a vector, undefined where it has no value. */
function column({ kind, ...value }: Value, count: number): (number | undefined)[] {
  if (kind !== 'vector' || !('series' in value)) throw new Error(`expected a vector and got a ${kind}`);
  const [series] = value.series;
  if (series === undefined || !('isPresent' in series)) return Array.from({ length: count }, () => undefined);
  return Array.from(series.values, (each, i) => (series.isPresent[i] === 1 ? each : undefined));
}

const close = (value: number | undefined): unknown =>
  value === undefined || !Number.isFinite(value) || value === 0
    ? value
    : expect.closeTo(value, 9 - Math.log10(Math.abs(value)));

/** Prometheus's extrapolation, window by window and sample by sample. */
function plainRate(
  window: readonly Point[],
  edges: { afterMs: number; untilMs: number },
  isCounter: boolean,
): number | undefined {
  const [first] = window;
  const last = window.at(-1);
  if (first === undefined || last === undefined || window.length < 2) return undefined;
  let change = last.value - first.value;
  if (isCounter) {
    window.forEach((point, i) => {
      const before = window[i - 1];
      if (before !== undefined && point.value < before.value) change += before.value;
    });
  }
  const sampledS = (last.timestampMs - first.timestampMs) / 1000;
  const averageS = sampledS / (window.length - 1);
  let beforeS = (first.timestampMs - edges.afterMs) / 1000;
  let afterS = (edges.untilMs - last.timestampMs) / 1000;
  if (beforeS >= averageS * 1.1) beforeS = averageS / 2;
  if (afterS >= averageS * 1.1) afterS = averageS / 2;
  if (isCounter && change > 0 && first.value >= 0) beforeS = Math.min(beforeS, (sampledS * first.value) / change);
  return (change * (sampledS + beforeS + afterS)) / sampledS;
}

type Plain = (window: readonly Point[], edges: { afterMs: number; untilMs: number }) => number | undefined;

const total = (window: readonly Point[]): number => window.reduce((sum, { value }) => sum + value, 0);

const plain: Readonly<Record<string, Plain>> = {
  increase: (window, edges) => plainRate(window, edges, true),
  delta: (window, edges) => plainRate(window, edges, false),
  rate: (window, edges) => {
    const grown = plainRate(window, edges, true);
    return grown === undefined ? undefined : grown / ((edges.untilMs - edges.afterMs) / 1000);
  },
  count_over_time: (window) => window.length || undefined,
  sum_over_time: (window) => (window.length === 0 ? undefined : total(window)),
  avg_over_time: (window) => (window.length === 0 ? undefined : total(window) / window.length),
  last_over_time: (window) => window.at(-1)?.value,
  max_over_time: (window) => {
    const numbers = window.map(({ value }) => value).filter((value) => !Number.isNaN(value));
    if (window.length === 0) return undefined;
    return numbers.length === 0 ? Number.NaN : Math.max(...numbers);
  },
  resets: (window) =>
    window.length === 0
      ? undefined
      : window.filter(({ value }, i) => value < (window[i - 1]?.value ?? Number.NEGATIVE_INFINITY)).length,
};

describe('functions of windows', () => {
  it.each(Object.entries(plain))('%s is what its windows say one by one', async (name, compute) => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = createRandom(seed);
      const points = randomPoints(random);
      const grid = randomGrid(random);
      const rangeMs = 1 + random(400_000);
      const offsetMs = random(3) === 0 ? random(100_000) : 0;
      const offset = offsetMs === 0 ? '' : ` offset ${offsetMs}ms`;
      const query = parsePromql(`${name}(x_total[${rangeMs}ms]${offset})`);
      const { value } = await rangeQuery(query, grid, options([storedAs('x_total', points)]));
      const expected = Array.from({ length: grid.count }, (_, i) => {
        const untilMs = grid.startMs + i * grid.stepMs - offsetMs;
        const edges = { afterMs: untilMs - rangeMs, untilMs };
        const window = points.filter(
          ({ timestampMs, isStale }) => !isStale && timestampMs > edges.afterMs && timestampMs <= untilMs,
        );
        return close(compute(window, edges));
      });
      expect(column(value, grid.count), `seed ${seed}: ${query.text} from ${grid.startMs} by ${grid.stepMs}`).toEqual(
        expected,
      );
    }
  });
});

const queries: readonly string[] = [
  'x',
  'sum(x) by (a)',
  'rate(x[2m])',
  'avg without (a) (x) > 20',
  'x + on(a) group_left sum by (a) (x)',
  'x unless x > 50',
  'max_over_time(rate(x[1m])[5m:30s])',
  'x @ 100 * time()',
  'topk(2, x)',
  'quantile(0.3, x)',
  'stddev(x) or vector(1)',
  'absent(x > 90)',
  'predict_linear(x[5m] @ 300, 60)',
  'timestamp(x offset 20s)',
  'hour() + day_of_year(x)',
  'scalar(sum(x)) - scalar(count(x))',
];

describe('a range query', () => {
  it.each(queries)('%s has at each point what an instant query has there', async (text) => {
    const query = parsePromql(text);
    for (let seed = 1; seed <= 12; seed++) {
      const random = createRandom(seed * 97);
      const stored = ['1', '2', '3', '4'].map((b, i) => ({
        series: createSeries([
          ['__name__', 'x'],
          ['a', i < 2 ? 'p' : 'q'],
          ['b', b],
        ]),
        samples: randomPoints(random),
      }));
      const grid = randomGrid(random);
      const whole = await rangeQuery(query, grid, options(stored));
      for (let i = 0; i < grid.count; i++) {
        const timeMs = grid.startMs + i * grid.stepMs;
        const { value } = await instantQuery(query, timeMs, options(stored));
        expect(atPoint(whole.value, i), `seed ${seed} at ${timeMs}`).toEqual(atPoint(value, 0));
      }
    }
  });
});

/** Labels and values at one point of the grid. */
function atPoint(value: Value, index: number): unknown {
  if (value.kind === 'scalar') return value.values[index];
  if (value.kind !== 'vector') throw new Error(`expected a vector and got a ${value.kind}`);
  const present = value.series.filter(({ isPresent }) => isPresent[index] === 1);
  return Object.fromEntries(present.map(({ labels, values }) => [JSON.stringify(labels), values[index]]));
}

describe('the bounds of an evaluation', () => {
  const many = Array.from({ length: 50 }, (_, i) => ({
    series: createSeries([
      ['__name__', 'x'],
      ['i', String(i)],
    ]),
    samples: [{ timestampMs: 0, value: i, isStale: false }],
  }));
  const grid: Grid = { startMs: 0, stepMs: 100, count: 100 };
  const message = 'query processing would load too many samples into memory in query execution';

  it('hold for what a query has at once, and forget what it let go', async () => {
    const bounded = { ...options(many), maxPoints: 11_000 };
    await expect(rangeQuery(parsePromql('x'), grid, bounded)).resolves.toBeDefined();
    await expect(rangeQuery(parsePromql('x + x'), grid, bounded)).rejects.toThrow(message);
    const sums = Array.from({ length: 20 }, () => 'sum(x)').join(' + ');
    await expect(rangeQuery(parsePromql(sums), grid, bounded)).resolves.toBeDefined();
  });

  it('hold for subqueries of many points, before they are evaluated', async () => {
    await expect(instantQuery(parsePromql('max_over_time(x[1000d:1ms])'), 0, options(many))).rejects.toThrow(message);
  });

  it('let others have their turn, and stop when the signal says so', async () => {
    const leaving = new AbortController();
    const long = instantQuery(
      parsePromql('sum(sum_over_time(x[100d:100s])) + sum(max_over_time(x[100d:100s]))'),
      8_640_000_000,
      {
        ...options(many),
        maxPoints: 100_000_000,
        lookbackMs: 8_640_000_000,
        signal: leaving.signal,
      },
    );
    setTimeout(() => leaving.abort(new Error('left')), 1);
    await expect(long).rejects.toThrow('the query was canceled');
  });
});
