/**
 * What `bench/promql.ts` asks about: counters of 8 labels in metrics of 10,000, 1,000 and 100 series, a sample every 15 s. A counter's value
 * is a function of its number and the time, so that any process can go on where another ended.
 */
import { compress, encodeWriteRequest, type WriteSeries } from '../../test/fixtures/write-request.ts';

export const stepMs = 15_000;
/** Of each step, so that no sample lies on the edge of a window, where versions of Prometheus differ. */
const skewMs = 7003;
const metrics = [
  ['bench_10k_total', 10_000],
  ['bench_1k_total', 1_000],
  ['bench_100_total', 100],
  ['bench_warm_total', 1_000],
] as const;
const codes = ['200', '404', '503'];
/** What counters count from, so that their values have the digits of real ones. */
const epochStep = Math.floor(Date.UTC(2026, 10, 1) / stepMs);

/** The last step whose samples are not in the future. */
export const stepAt = (timeMs: number): number => Math.floor((timeMs - skewMs) / stepMs);
export const stampOf = (step: number): number => step * stepMs + skewMs;

const labelsOfSeries: readonly WriteSeries['labels'][] = metrics.flatMap(([name, count]) =>
  Array.from({ length: count }, (_, i): WriteSeries['labels'] => {
    const svc = i % 100;
    const pod = Math.floor(i / 3);
    return [
      ['__name__', name],
      ['code', codes[i % 3] ?? ''],
      ['instance', `10.1.${pod % 250}.${pod % 199}:9090`],
      ['job', `team-${svc % 12}`],
      ['namespace', `team-${svc % 12}`],
      ['pod', `svc-${svc}-7d9f8b6c5d-${String(i).padStart(5, '0')}`],
      ['svc', `svc-${String(svc).padStart(2, '0')}`],
      ['zone', `eu-west-1${'abc'[svc % 3]}`],
    ];
  }),
);

/** The same number for the same two numbers, below 2^32 and spread evenly (the last steps of murmur3). */
function mixed(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7ed55d16, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function valueAt(series: number, step: number): number {
  const growth = 1 + (mixed(series, -1) % 100);
  return (mixed(series, -2) % 1e6) + growth * (step - epochStep) + (mixed(series, step) % (growth + 1));
}

const samplesOfBody = 20;
const seriesOfBody = 200;
/** How many bodies hold one step of every series. */
export const bodiesOfStep = Math.ceil(labelsOfSeries.length / seriesOfBody);

/** A body of remote write: `count` steps from `step` of the `part`th share of the series. */
export function createBody(part: number, step: number, count: number): Buffer {
  const first = part * seriesOfBody;
  const series = labelsOfSeries.slice(first, first + seriesOfBody).map(
    (labels, i): WriteSeries => ({
      labels,
      samples: Array.from({ length: count }, (_, k) => [stampOf(step + k), valueAt(first + i, step + k)] as const),
    }),
  );
  return compress(encodeWriteRequest(series));
}

/** Bodies for `steps` samples of each series from `startMs`, in order of time. */
export function* createBodies(startMs: number, steps: number): Generator<{ readonly body: Buffer }> {
  const first = stepAt(startMs);
  for (let from = 0; from < steps; from += samplesOfBody) {
    const count = Math.min(samplesOfBody, steps - from);
    for (let part = 0; part < bodiesOfStep; part++) yield { body: createBody(part, first + from, count) };
  }
}

export interface BenchQuery {
  readonly name: string;
  /** PromQL; for another path its query string. */
  readonly query: string;
  /** An instant query has none. */
  readonly stepS?: number;
  /** What is asked instead of a query, e.g. `series`, over the last hour. */
  readonly path?: string;
  /** Whether the answer may be gzipped, as Grafana asks for it. */
  readonly isGzipped?: true;
}

/** The path and query string of a query at `endMs`, or over the hour before it. */
export function pathOf({ query, stepS, path }: BenchQuery, endMs: number): string {
  const end = String(endMs / 1000);
  const hour = { start: String(endMs / 1000 - 3600), end };
  if (path !== undefined) {
    const parameters = new URLSearchParams(query);
    for (const [name, value] of Object.entries(hour)) parameters.set(name, value);
    return `/api/v1/${path}?${parameters}`;
  }
  if (stepS === undefined) return `/api/v1/query?${new URLSearchParams({ query, time: end })}`;
  return `/api/v1/query_range?${new URLSearchParams({ query, ...hour, step: String(stepS) })}`;
}

/** The same of a metric that no query of the table reads: what warms a server's code and not its samples. */
export function neighbourOf(query: BenchQuery): BenchQuery | undefined {
  const text = query.query.replace(/bench_(?:10k|1k|100)_total/g, 'bench_warm_total');
  return text === query.query ? undefined : { ...query, query: text };
}

/** The table of queries. */
export const benchQueries: readonly BenchQuery[] = [
  { name: 'instant selector, 1k', query: 'bench_1k_total' },
  { name: 'instant selector, 10k', query: 'bench_10k_total' },
  { name: 'instant rate, 1k', query: 'rate(bench_1k_total[5m])' },
  { name: 'instant rate, 10k', query: 'rate(bench_10k_total[5m])' },
  { name: 'instant sum by (svc) rate, 1k', query: 'sum by (svc) (rate(bench_1k_total[5m]))' },
  { name: 'instant sum by (svc) rate, 10k', query: 'sum by (svc) (rate(bench_10k_total[5m]))' },
  {
    name: 'instant sum by (svc) rate, 1k of 10k',
    query: 'sum by (svc) (rate(bench_10k_total{svc=~"svc-0.*"}[5m]))',
  },
  {
    name: 'instant rate, regex and code, 334 of 10k',
    query: 'rate(bench_10k_total{svc=~"svc-0.*", code="404"}[5m])',
  },
  { name: 'range 1h/15s rate, 1 of 1k', query: 'rate(bench_1k_total{svc="svc-07", pod=~".*-00007"}[5m])', stepS: 15 },
  { name: 'range 1h/15s rate, 100', query: 'rate(bench_100_total[5m])', stepS: 15 },
  { name: 'range 1h/15s rate, 1k', query: 'rate(bench_1k_total[5m])', stepS: 15 },
  { name: 'range 1h/15s selector, 1k', query: 'bench_1k_total', stepS: 15 },
  { name: 'range 1h/15s sum by (code) rate, 1k', query: 'sum by (code) (rate(bench_1k_total[5m]))', stepS: 15 },
  { name: 'range 1h/60s sum by (svc) rate, 10k', query: 'sum by (svc) (rate(bench_10k_total[5m]))', stepS: 60 },
  { name: 'range 1h/60s max_over_time, 1k', query: 'max by (svc) (max_over_time(bench_1k_total[5m]))', stepS: 60 },
  { name: 'a number', query: '1+1' },
  { name: 'range 1h/15s rate, 1k, gzip', query: 'rate(bench_1k_total[5m])', stepS: 15, isGzipped: true },
  { name: 'instant rate, 10k, gzip', query: 'rate(bench_10k_total[5m])', isGzipped: true },
  { name: 'series, 1k', path: 'series', query: 'match[]=bench_1k_total' },
  { name: 'series, 10k', path: 'series', query: 'match[]=bench_10k_total' },
  { name: 'label values, 10k', path: 'label/pod/values', query: '' },
  { name: 'label values, 10k of one metric', path: 'label/pod/values', query: 'match[]=bench_10k_total' },
  { name: 'label values, names', path: 'label/__name__/values', query: '' },
  { name: 'labels', path: 'labels', query: '' },
  { name: 'labels of one metric, 1k', path: 'labels', query: 'match[]=bench_1k_total' },
];
