/** How long the answer of a range query takes to write: 1,000 series of 240 points. Prints JSON. Run: `npx tsx bench/prometheus-answers.ts`. */
import type { Label } from '../src/model/sample.ts';
import { formatChunks } from '../src/query/prometheus/format.ts';
import type { GridSeries } from '../src/query/promql/value.ts';

const seriesCount = 1000;
const grid = { startMs: 1_435_781_451_781, stepMs: 15_000, count: 240 };
const rounds = 15;

const vectorOf = (valueAt: (point: number, series: number) => number) => ({
  kind: 'vector' as const,
  series: Array.from({ length: seriesCount }, (_, s): GridSeries => {
    const labels: Label[] = [
      ['__name__', 'http_requests_total'],
      ['instance', `10.0.0.${s}:9090`],
      ['job', 'shop'],
    ];
    const values = Float64Array.from({ length: grid.count }, (_, i) => valueAt(i, s));
    return { labels, values, isPresent: new Uint8Array(grid.count).fill(1) };
  }),
});

const cases = {
  whole: vectorOf((i, s) => 1000 * s + 7 * i),
  fractions: vectorOf((i, s) => 100 * Math.sin(i * s + 1)),
};

const measured = Object.entries(cases).map(([name, value]) => {
  const times: number[] = [];
  let sizeBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    sizeBytes = 0;
    for (const chunk of formatChunks({ value, grid, before: '', more: '', after: '' })) sizeBytes += chunk.length;
    times.push(performance.now() - startedMs);
  }
  times.sort((a, b) => a - b);
  return [name, { sizeBytes, bestMs: times[0], medianMs: times[Math.floor(rounds / 2)] }];
});
console.log(JSON.stringify({ points: seriesCount * grid.count, ...Object.fromEntries(measured) }, null, 2));
