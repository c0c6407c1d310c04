/** Each row of the table of functions that the engine computes, against the evaluator on random samples of one store. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { createSeries, type Sample, type SeriesSamples } from '../../model/sample.ts';
import { createLabelCache } from '../../store/readers/label-cache.ts';
import { defaultSampleLimits } from '../../store/readers/samples.ts';
import { createSampleEncoder, dayOf, sampleColumns, seriesColumns } from '../../store/writers/samples.ts';
import { type EngineOptions, instantQuery, type QueryPart, rangeQuery, type SampleSource } from './engine.ts';
import { parsePromql } from './parse/parse.ts';
import { pushedFunctions } from './pushdown.ts';
import { createStoreSamples } from './store-samples.ts';
import { type Grid, labelKey, type Value } from './value.ts';

const startMs = 1_736_938_800_000;
const seed = Math.floor(Math.random() * 2 ** 32);
const random = createRandom(seed);
const below = (n: number): number => Math.floor(random() * n);

let store: TestStore;
let pushed: SampleSource;
let reference: SampleSource;

async function insert(table: string, columns: readonly (readonly [string, string])[], body: Buffer): Promise<void> {
  const structure = columns.map(([name, type]) => `${name} ${type.replaceAll("'", "\\'")}`).join(', ');
  const names = columns.map(([name]) => name).join(', ');
  await store.client.insert({
    sql: `INSERT INTO ${table} (${names}, seg) SELECT ${names}, 1 FROM input('${structure}')`,
    body,
    deduplicationToken: `pushdown-${table}-${body.length}-${body.subarray(-64).toString('hex')}`,
    signal: AbortSignal.timeout(10_000),
  });
}

const kinds = ['counter', 'gauge', 'decimal', 'rare', 'infinite', 'nan'] as const;

function nextValue(kind: (typeof kinds)[number], before: number): number {
  if (kind === 'counter') return random() < 0.05 ? below(10) : before + below(50);
  if (kind === 'decimal') return Number((random() * 20 - 10).toFixed(2));
  if (kind === 'infinite' && random() < 0.1)
    return random() < 0.5 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  if (kind === 'nan' && random() < 0.1) return Number.NaN;
  return random() < 0.3 ? before : random() * 1000 - 500;
}

/** Series with resets, gaps, ends, single samples, odd milliseconds, and samples that were sent twice. */
function randomSeries(i: number): SeriesSamples {
  const kind = kinds[i % kinds.length] ?? 'counter';
  const samples: Sample[] = [];
  let value = below(100);
  let timeMs = startMs + below(60_000);
  const untilMs = startMs + 3_600_000;
  const everyMs = kind === 'rare' ? 400_000 : 15_000;
  while (timeMs < untilMs) {
    value = nextValue(kind, Number.isFinite(value) ? value : below(100));
    const isEnd = random() < 0.02;
    samples.push({ timestampMs: timeMs, value: isEnd ? Number.NaN : value, isStale: isEnd });
    if (random() < 0.05)
      samples.push({ timestampMs: timeMs, value: random() < 0.5 ? value : value + 1, isStale: false });
    timeMs += random() < 0.03 ? 700_000 : everyMs + below(3) - 1 + (random() < 0.1 ? below(5000) : 0);
  }
  const labels = [
    ['__name__', i % 7 === 6 ? 'other_total' : 'x_total'],
    ['group', `g${i % 5}`],
    ['kind', kind],
    ['n', String(i)],
  ] as const;
  return { series: createSeries(labels), samples };
}

beforeAll(async () => {
  store = await startTestStore();
  const items = Array.from({ length: 60 }, (_, i) => randomSeries(i));
  const encoder = createSampleEncoder();
  await insert(
    'series',
    seriesColumns,
    encoder.series(items.map(({ series }) => ({ series, lastDay: dayOf(startMs) }))),
  );
  await insert('samples', sampleColumns, encoder.samples(items));
  pushed = createStoreSamples(store.client, { limits: defaultSampleLimits, labels: createLabelCache() });
  reference = { select: pushed.select };
}, 60_000);
afterAll(() => store.stop());

type Answer = { readonly value: Value; readonly parts: readonly QueryPart[] };

/** Numbers of a value by series and point. */
function cellsOf(value: Value): Map<string, number> {
  const cells = new Map<string, number>();
  if (value.kind !== 'vector') throw new Error(`a ${value.kind}`);
  for (const { labels, values, isPresent } of value.series) {
    const key = labelKey(labels);
    values.forEach((cell, i) => {
      if (isPresent[i] === 1) cells.set(`${key}@${i}`, cell);
    });
  }
  return cells;
}

/** What a difference of figures of hundreds rounds to; where they cancel out there is nothing to be relative to. */
const rounding = 1e-12;

const isNear = (a: number, b: number, within: number): boolean =>
  Object.is(a, b) ||
  a === b ||
  Math.abs(a - b) <= within * Math.max(Math.abs(a), Math.abs(b)) ||
  (within > 0 && Math.abs(a - b) <= rounding);

function expectSame(query: string, got: Value, wanted: Value, within: number): void {
  const found = cellsOf(got);
  const expected = cellsOf(wanted);
  const wrong = [...expected].filter(([key, value]) => !found.has(key) || !isNear(found.get(key) ?? 0, value, within));
  const show = wrong.slice(0, 3).map(([key, value]) => `${key}: ${found.get(key)} instead of ${value}`);
  expect(show, `${query}, seed ${seed}`).toEqual([]);
  expect(found.size, `${query}, seed ${seed}`).toBe(expected.size);
}

async function answers(query: string, grid: Grid, lookbackMs = 300_000) {
  const ask = async (source: SampleSource): Promise<Answer> => {
    const parts: QueryPart[] = [];
    const signal = AbortSignal.timeout(20_000);
    const options: EngineOptions = {
      source,
      signal,
      lookbackMs,
      maxPoints: 10_000_000,
      onPart: (part) => parts.push(part),
    };
    const parsed = parsePromql(query);
    const asked = grid.stepMs === 0 ? instantQuery(parsed, grid.startMs, options) : rangeQuery(parsed, grid, options);
    return { value: (await asked).value, parts };
  };
  return { got: await ask(pushed), wanted: await ask(reference) };
}

const grids: readonly Grid[] = [
  { startMs: startMs + 1_800_001, stepMs: 0, count: 1 },
  { startMs: startMs + 3_000_500, stepMs: 0, count: 1 },
  { startMs: startMs - 60_000, stepMs: 15_000, count: 250 },
  { startMs: startMs + 123, stepMs: 61_007, count: 60 },
  { startMs: startMs, stepMs: 600_000, count: 7 },
];

const exact = new Set(['changes', 'resets', 'last_over_time', 'present_over_time', 'idelta']);

async function check(query: string, within = 1e-9): Promise<void> {
  for (const grid of grids) {
    const { got, wanted } = await answers(query, grid);
    expect(
      got.parts.some(({ kind }) => kind === 'pushed'),
      query,
    ).toBe(true);
    expectSame(`${query} at ${JSON.stringify(grid)}`, got.value, wanted.value, within);
  }
}

describe('what the engine computes is what the evaluator would', () => {
  for (const [name] of pushedFunctions) {
    it(`${name} over windows of every length, with gaps, resets, ends and samples that were sent twice`, async () => {
      for (const range of ['20s', '1m', '5m', '1007ms', '25m']) {
        await check(`${name}(x_total[${range}])`, exact.has(name) ? 0 : 1e-9);
      }
    }, 60_000);

    it(`${name} with an offset, with @ and under an aggregation`, async () => {
      const within = exact.has(name) ? 1e-12 : 1e-9;
      await check(`${name}(x_total{kind!="gauge"}[5m] offset 7m)`, within);
      await check(`${name}(x_total[5m] offset -90s)`, within);
      await check(`${name}(x_total[5m] @ ${startMs / 1000 + 2000.5})`, within);
      await check(`sum by (group) (${name}(x_total[5m] @ end()))`, within);
      await check(`max without (n, kind) (${name}(x_total{group=~"g[1-3]"}[5m]))`, within);
      await check(`-${name}(x_total{kind="counter"}[5m]) / on (n) count by (n) (x_total)`, within);
    }, 60_000);
  }

  it('a selector, with its ends and its lookback', async () => {
    for (const query of ['x_total', 'x_total offset 5m', 'x_total @ start()', '{kind="counter"}', 'sum(x_total)']) {
      await check(query, query.startsWith('sum') ? 1e-9 : 0);
    }
    for (const grid of grids) {
      const { got, wanted } = await answers('x_total', grid, 20_001);
      expectSame('x_total with a lookback of 20 s', got.value, wanted.value, 0);
    }
  }, 60_000);

  it('whole numbers stay whole where counters grew by them', async () => {
    for (const grid of grids) {
      const { got, wanted } = await answers('increase(x_total{kind="counter"}[5m])', grid);
      const found = cellsOf(got.value);
      for (const [key, value] of cellsOf(wanted.value)) if (Number.isInteger(value)) expect(found.get(key)).toBe(value);
    }
  });

  it('series with NaN and infinities are left to the evaluator, and no others', async () => {
    const [grid] = grids;
    if (grid === undefined) throw new Error('no grid');
    const { got } = await answers('rate(x_total[25m])', grid);
    const [part] = got.parts;
    if (part?.kind !== 'pushed') throw new Error('nothing was pushed down');
    expect(part.answer.rows.length).toBeGreaterThan(0);
    expect(part.answer.unusual.length).toBeGreaterThan(0);
    for (const { labels } of part.answer.unusual) {
      expect(['nan', 'infinite']).toContain(labels.find(([label]) => label === 'kind')?.[1]);
    }
  });

  it('two metrics whose series become one are refused as ever', async () => {
    const grid = { startMs: startMs + 1_800_001, stepMs: 0, count: 1 };
    await expect(answers('rate({__name__=~"(x|other)_total", kind="counter"}[5m])', grid)).resolves.toBeDefined();
    await expect(answers('rate({n="0"}[5m]) + ignoring (group) rate(x_total{n="0"}[5m])', grid)).resolves.toBeDefined();
  });
});
