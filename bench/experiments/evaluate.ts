/**
 * What PromQL's evaluator costs by itself, its samples in memory: metrics of 10,000, 1,000 and 100 series of 12 labels and 320 samples at 15 s, of which
 * 70 % count whole numbers, 20 % are noisy floats and 10 % constant. `npx tsx bench/experiments/evaluate.ts [runs] [name]` prints one JSON object a
 * query: the least, p50 and p95 of its runs in ms, and how many series it answers; with `name` the queries alone whose names have that in them.
 */
import type { Label } from '../../src/model/sample.ts';
import { instantQuery, rangeQuery, type SampleSource } from '../../src/query/promql/engine.ts';
import { parsePromql } from '../../src/query/promql/parse/parse.ts';
import type { SeriesPoints } from '../../src/store/readers/samples.ts';
import { createRandom } from '../../test/fixtures/random.ts';

const runs = Number(process.argv[2] ?? 30);
const wanted = process.argv[3] ?? '';
const sampleCount = 320;
const scrapeMs = 15_000;
const startMs = 1_795_250_000_000;
const endMs = startMs + (sampleCount - 1) * scrapeMs;
const random = createRandom(5);

const codes = ['200', '404', '503'];
const bounds = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '+Inf'];

const pairs = new Map<string, Label>();

/** Series share their pairs, as those that the store gives do. */
function shared([name, value]: Label): Label {
  const key = `${name}=${value}`;
  const pair = pairs.get(key) ?? [name, value];
  pairs.set(key, pair);
  return pair;
}

function labelsOf(name: string, i: number, bound: string | undefined): readonly Label[] {
  const svc = i % 100;
  const labels: Label[] = [
    ['__name__', name],
    ['cluster', 'main'],
    ['code', codes[i % 3] ?? ''],
    ['container', `app-${svc % 4}`],
    ['endpoint', 'http-metrics'],
    ['instance', `10.1.${i % 250}.${i % 199}:9090`],
    ['job', `team-${svc % 12}`],
    ['method', i % 2 === 0 ? 'GET' : 'POST'],
    ['namespace', `team-${svc % 12}`],
    ['pod', `svc-${svc}-7d9f8b6c5d-${String(i).padStart(5, '0')}`],
    ['svc', `svc-${String(svc).padStart(2, '0')}`],
    ['zone', `eu-west-1${'abc'[svc % 3]}`],
  ];
  const all: Label[] = bound === undefined ? labels : [...labels.slice(0, 7), ['le', bound], ...labels.slice(7)];
  return all.map(shared);
}

type Shape = 'counter' | 'noise' | 'constant' | 'bucket';

/** When the targets were scraped, of which there are 100: a few milliseconds late now and then. Series of one share the array. */
const scrapeTimes = Array.from({ length: 100 }, () => {
  const phaseMs = Math.floor(random() * 1000);
  return Float64Array.from(
    { length: sampleCount },
    (_, i) => startMs + i * scrapeMs - phaseMs + (random() < 0.1 ? 3 : 0),
  );
});

/** A bucket counts what the bucket `below` does as well. */
function createSeries(labels: readonly Label[], shape: Shape, below?: SeriesPoints): SeriesPoints {
  const anyTimes = scrapeTimes[Math.floor(random() * scrapeTimes.length)] ?? new Float64Array(0);
  const values = new Float64Array(sampleCount);
  const growth = 1 + Math.floor(random() * 200);
  let value = Math.floor(random() * 1e6);
  for (let i = 0; i < sampleCount; i++) {
    const isReset = shape === 'counter' && random() < 0.001;
    if (isReset) value = 0;
    else if (shape === 'counter' || shape === 'bucket') value += Math.floor(random() * growth);
    const noise = shape === 'noise' ? Math.round(random() * 1e6) / 1000 : 0;
    values[i] = value + noise + (below?.values[i] ?? 0);
  }
  return { labels, timestampsMs: below?.timestampsMs ?? anyTimes, values, staleAt: undefined };
}

const shapeOf = (i: number): Shape => (i % 10 < 7 ? 'counter' : i % 10 < 9 ? 'noise' : 'constant');

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const inOrder = (series: readonly SeriesPoints[]): readonly SeriesPoints[] =>
  [...series].sort((a, b) => compareText(JSON.stringify(a.labels), JSON.stringify(b.labels)));

const createMetric = (name: string, count: number): readonly SeriesPoints[] =>
  inOrder(Array.from({ length: count }, (_, i) => createSeries(labelsOf(name, i, undefined), shapeOf(i))));

function createHistograms(name: string, count: number): readonly SeriesPoints[] {
  const series: SeriesPoints[] = [];
  for (let i = 0; i < count; i++) {
    let below: SeriesPoints | undefined;
    for (const bound of bounds) {
      below = createSeries(labelsOf(name, i, bound), 'bucket', below);
      series.push(below);
    }
  }
  return inOrder(series);
}

const metrics = new Map([
  ['bench_10k_total', createMetric('bench_10k_total', 10_000)],
  ['bench_1k_total', createMetric('bench_1k_total', 1000)],
  ['other_1k_total', createMetric('other_1k_total', 1000)],
  ['bench_100_total', createMetric('bench_100_total', 100)],
  ['bench_bucket', createHistograms('bench_bucket', 1000)],
]);

const source: SampleSource = {
  select({ matchers }) {
    const name = matchers.find((matcher) => matcher.name === '__name__')?.value ?? '';
    return Promise.resolve((metrics.get(name) ?? []).slice());
  },
};

interface Case {
  readonly name: string;
  readonly query: string;
  /** An instant query has none. */
  readonly stepS?: number;
}

const cases: readonly Case[] = [
  { name: 'instant selector 1k', query: 'bench_1k_total' },
  { name: 'instant selector 10k', query: 'bench_10k_total' },
  { name: 'instant rate 1k', query: 'rate(bench_1k_total[5m])' },
  { name: 'instant rate 10k', query: 'rate(bench_10k_total[5m])' },
  { name: 'instant sum by (svc) rate 1k', query: 'sum by (svc) (rate(bench_1k_total[5m]))' },
  { name: 'instant sum by (svc) rate 10k', query: 'sum by (svc) (rate(bench_10k_total[5m]))' },
  { name: 'instant topk rate 10k', query: 'topk(10, rate(bench_10k_total[5m]))' },
  {
    name: 'instant histogram_quantile 10k',
    query: 'histogram_quantile(0.9, sum by (le, svc) (rate(bench_bucket[5m])))',
  },
  { name: 'range 1h/15s rate 100', query: 'rate(bench_100_total[5m])', stepS: 15 },
  { name: 'range 1h/15s rate 1k', query: 'rate(bench_1k_total[5m])', stepS: 15 },
  { name: 'range 1h/15s selector 1k', query: 'bench_1k_total', stepS: 15 },
  { name: 'range 1h/15s sum by (code) rate 1k', query: 'sum by (code) (rate(bench_1k_total[5m]))', stepS: 15 },
  { name: 'range 1h/60s sum by (svc) rate 10k', query: 'sum by (svc) (rate(bench_10k_total[5m]))', stepS: 60 },
  {
    name: 'range 1h/60s sum without (pod, instance) rate 10k',
    query: 'sum without (pod, instance) (rate(bench_10k_total[5m]))',
    stepS: 60,
  },
  {
    name: 'range 1h/60s max by (svc) max_over_time 1k',
    query: 'max by (svc) (max_over_time(bench_1k_total[5m]))',
    stepS: 60,
  },
  { name: 'range 1h/60s avg_over_time 1k', query: 'avg_over_time(bench_1k_total[5m])', stepS: 60 },
  { name: 'range 1h/60s irate 1k', query: 'irate(bench_1k_total[5m])', stepS: 60 },
  {
    name: 'range 1h/60s histogram_quantile 10k',
    query: 'histogram_quantile(0.9, sum by (le, svc) (rate(bench_bucket[5m])))',
    stepS: 60,
  },
  { name: 'range 1h/60s avg by (job) selector 1k', query: 'avg by (job) (bench_1k_total)', stepS: 60 },
  { name: 'range 1h/60s a / b 1k', query: 'bench_1k_total / other_1k_total', stepS: 60 },
  {
    name: 'range 1h/60s a / on (pod, instance) b 1k',
    query: 'bench_1k_total / on (pod, instance) other_1k_total',
    stepS: 60,
  },
  {
    name: 'range 1h/60s sum by (svc) / sum by (svc) 1k',
    query: 'sum by (svc) (rate(bench_1k_total[5m])) / sum by (svc) (rate(other_1k_total[5m]))',
    stepS: 60,
  },
  { name: 'range 1h/60s topk rate 1k', query: 'topk(10, rate(bench_1k_total[5m]))', stepS: 60 },
  { name: 'range 1h/60s rate > 10 1k', query: 'rate(bench_1k_total[5m]) * 60 > 10', stepS: 60 },
];

async function timeOf(query: string, stepS: number | undefined): Promise<{ tookMs: number; series: number }> {
  const options = {
    source,
    signal: new AbortController().signal,
    lookbackMs: 300_000,
    maxPoints: 50_000_000,
  };
  const parsed = parsePromql(query);
  const startedMs = performance.now();
  const stepMs = (stepS ?? 0) * 1000;
  const grid = { startMs: endMs - 3_600_000, stepMs, count: 3_600_000 / stepMs + 1 };
  const { value } = await (stepS === undefined
    ? instantQuery(parsed, endMs, options)
    : rangeQuery(parsed, grid, options));
  const tookMs = performance.now() - startedMs;
  return { tookMs, series: 'series' in value ? value.series.length : 1 };
}

for (const { name, query, stepS } of cases) {
  if (!name.includes(wanted)) continue;
  const times: number[] = [];
  let series = 0;
  for (let run = 0; run < runs + 10; run++) {
    const found = await timeOf(query, stepS);
    series = found.series;
    if (run >= 10) times.push(found.tookMs);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => Number((times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(2));
  process.stdout.write(`${JSON.stringify({ name, leastMs: at(0), p50Ms: at(0.5), p95Ms: at(0.95), series })}\n`);
}
