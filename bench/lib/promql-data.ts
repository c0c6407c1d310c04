/** What `bench/promql.ts` asks about: counters of 8 labels in metrics of 10,000, 1,000 and 100 series, a sample every 15 s. */
import { createRandom } from '../../test/fixtures/random.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../../test/fixtures/write-request.ts';

export const stepMs = 15_000;
const metrics = [
  ['bench_10k_total', 10_000],
  ['bench_1k_total', 1_000],
  ['bench_100_total', 100],
] as const;
const codes = ['200', '404', '503'];

interface Counter {
  readonly labels: WriteSeries['labels'];
  readonly growth: number;
  value: number;
}

function createCounters(): Counter[] {
  const random = createRandom(11);
  return metrics.flatMap(([name, count]) =>
    Array.from({ length: count }, (_, i): Counter => {
      const svc = i % 100;
      const pod = Math.floor(i / 3);
      return {
        labels: [
          ['__name__', name],
          ['code', codes[i % 3] ?? ''],
          ['instance', `10.1.${pod % 250}.${pod % 199}:9090`],
          ['job', `team-${svc % 12}`],
          ['namespace', `team-${svc % 12}`],
          ['pod', `svc-${svc}-7d9f8b6c5d-${String(i).padStart(5, '0')}`],
          ['svc', `svc-${String(svc).padStart(2, '0')}`],
          ['zone', `eu-west-1${'abc'[svc % 3]}`],
        ],
        growth: 1 + Math.floor(random() * 200),
        value: Math.floor(random() * 1e6),
      };
    }),
  );
}

const samplesOfBody = 20;
const seriesOfBody = 200;

/** Bodies of remote write for `steps` samples of each series, in order of time. */
export function* createBodies(startMs: number, steps: number): Generator<{ body: Buffer; samples: number }> {
  const counters = createCounters();
  const random = createRandom(13);
  for (let from = 0; from < steps; from += samplesOfBody) {
    for (let first = 0; first < counters.length; first += seriesOfBody) {
      const series = counters.slice(first, first + seriesOfBody).map((counter): WriteSeries => {
        const samples = Array.from({ length: Math.min(samplesOfBody, steps - from) }, (_, i) => {
          counter.value += Math.floor(random() * counter.growth);
          return [startMs + (from + i) * stepMs, counter.value] as const;
        });
        return { labels: counter.labels, samples };
      });
      const samples = series.reduce((sum, each) => sum + (each.samples?.length ?? 0), 0);
      yield { body: compress(encodeWriteRequest(series)), samples };
    }
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
  { name: 'label values, 3 names', path: 'label/__name__/values', query: '' },
  { name: 'labels', path: 'labels', query: '' },
  { name: 'labels of one metric, 1k', path: 'labels', query: 'match[]=bench_1k_total' },
];
