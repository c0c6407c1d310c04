/** Instant selectors: for each point of the grid the newest sample that is young enough. */
import { isStale, type SeriesPoints } from '../../../store/readers/samples.ts';
import type { VectorSelector } from '../ast.ts';
import type { GridSeries, RawSeries } from '../value.ts';
import { type Evaluation, newSeries, type Steps, timesOf } from './evaluation.ts';

export function samplesOf(selector: VectorSelector, evaluation: Evaluation): readonly SeriesPoints[] {
  const samples = evaluation.samples.get(selector);
  if (samples === undefined) throw new Error('a selector was evaluated whose samples were not read');
  return samples;
}

/** How many of the timestamps are not after `untilMs`. */
export function countUntil(timestampsMs: Float64Array, untilMs: number): number {
  let low = 0;
  let high = timestampsMs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timestampsMs[middle] ?? 0) <= untilMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What a selector gives of a sample: its value, or when it was taken. */
export type Taken = 'value' | 'timestamp';

/** The newest sample in (t - lookback, t], unless it is a staleness marker. */
export function* evaluateSelector(
  selector: VectorSelector,
  evaluation: Evaluation,
  taken: Taken = 'value',
): Steps<GridSeries[]> {
  const { grid, lookbackMs, meter } = evaluation;
  const { firstMs, stepMs } = timesOf(selector, evaluation);
  const found: GridSeries[] = [];
  for (const points of samplesOf(selector, evaluation)) {
    const { timestampsMs, values, staleAt } = points;
    const length = timestampsMs.length;
    let next = countUntil(timestampsMs, firstMs - lookbackMs);
    if (next === length || (timestampsMs[next] ?? 0) > firstMs + (grid.count - 1) * stepMs) continue;
    const series = newSeries(points.labels, evaluation);
    let any = false;
    for (let i = 0; i < grid.count; i++) {
      const atMs = firstMs + i * stepMs;
      while (next < length && (timestampsMs[next] ?? 0) <= atMs) next++;
      const newest = next - 1;
      if (newest < 0) continue;
      const timestampMs = timestampsMs[newest] ?? 0;
      if (timestampMs <= atMs - lookbackMs) continue;
      if (staleAt !== undefined && isStale(points, newest)) continue;
      series.values[i] = taken === 'value' ? (values[newest] ?? Number.NaN) : timestampMs / 1000;
      series.isPresent[i] = 1;
      any = true;
    }
    if (any) found.push(series);
    if (meter.spend(500 + 5 * grid.count + length)) yield;
  }
  for (const series of taken === 'value' ? (evaluation.pushed.get(selector) ?? []) : []) {
    meter.claim(grid.count);
    found.push(series);
  }
  return found;
}

/** The samples without staleness markers, which no range takes notice of. */
export function withoutMarkers(points: SeriesPoints): RawSeries {
  if (points.staleAt === undefined) return points;
  const keep = (_: number, index: number) => !isStale(points, index);
  return {
    labels: points.labels,
    timestampsMs: points.timestampsMs.filter(keep),
    values: points.values.filter(keep),
  };
}
