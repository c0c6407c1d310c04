/**
 * How long answers take to write: of range queries, 1,000 series of 240 points; of instant queries, 10,000 series, whose labels are arrays
 * that come again or new ones. Prints JSON. Run: `npx tsx bench/prometheus-answers.ts`.
 */
import type { Label } from '../src/model/sample.ts';
import { formatChunks } from '../src/query/prometheus/format.ts';
import type { Grid, GridSeries } from '../src/query/promql/value.ts';

const range = { startMs: 1_435_781_451_781, stepMs: 15_000, count: 240 };
const instant = { startMs: 1_435_781_451_781, stepMs: 0, count: 1 };
const rounds = 21;

const labelsOf = (s: number): Label[] => [
  ['code', ['200', '404', '503'][s % 3] ?? ''],
  ['instance', `10.1.${s % 250}.${s % 199}:9090`],
  ['job', `team-${s % 12}`],
  ['namespace', `team-${s % 12}`],
  ['pod', `svc-${s % 100}-7d9f8b6c5d-${String(s).padStart(5, '0')}`],
  ['svc', `svc-${s % 100}`],
  ['zone', `eu-west-1${'abc'[s % 3]}`],
];

function vectorOf(seriesCount: number, { count }: Grid, valueAt: (point: number, series: number) => number) {
  const series = Array.from({ length: seriesCount }, (_, s): GridSeries => {
    const values = Float64Array.from({ length: count }, (_, i) => valueAt(i, s));
    return { labels: labelsOf(s), values, isPresent: new Uint8Array(count).fill(1) };
  });
  return { kind: 'vector' as const, series };
}

type Vector = ReturnType<typeof vectorOf>;

/** A counter's increase, between its first and its last sample, over a window of five minutes. */
const rateAt = (i: number, s: number) => (((s * 37 + i * 11) % 4000) * (300 / 285)) / 300;
const wavesAt = (i: number, s: number) => 100 * Math.sin(i * s + 1);

interface Case {
  readonly value: Vector;
  readonly grid: Grid;
  readonly isNew?: true;
}

const cases: Readonly<Record<string, Case>> = {
  whole: { value: vectorOf(1000, range, (i, s) => 1000 * s + 7 * i), grid: range },
  rates: { value: vectorOf(1000, range, rateAt), grid: range },
  waves: { value: vectorOf(1000, range, wavesAt), grid: range },
  'instant rates': { value: vectorOf(10_000, instant, rateAt), grid: instant },
  'instant rates, new labels': { value: vectorOf(10_000, instant, rateAt), grid: instant, isNew: true },
};

const withNewLabels = ({ kind, series }: Vector): Vector => ({
  kind,
  series: series.map((each) => ({ ...each, labels: [...each.labels] })),
});

const measured = Object.entries(cases).map(([name, { value, grid, isNew }]) => {
  const times: number[] = [];
  let sizeBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const shown = isNew ? withNewLabels(value) : value;
    const startedMs = performance.now();
    sizeBytes = 0;
    for (const chunk of formatChunks({ value: shown, grid, before: '', more: '', after: '' })) {
      sizeBytes += chunk.length;
    }
    times.push(performance.now() - startedMs);
  }
  times.sort((a, b) => a - b);
  const [best = 0, median = 0] = [times[0], times[Math.floor(rounds / 2)]];
  return [name, { sizeBytes, bestMs: Number(best.toFixed(2)), medianMs: Number(median.toFixed(2)) }];
});
console.log(JSON.stringify(Object.fromEntries(measured), null, 2));
