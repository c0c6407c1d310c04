/** Instant selectors: for each point of the grid the newest sample that is young enough. */
import { isStale, type SeriesPoints } from '../../../store/readers/samples.ts';
import type { VectorSelector } from '../ast.ts';
import type { GridSeries, RawSeries } from '../value.ts';
import { type Cells, createRows, type Evaluation, type Steps, timesOf } from './evaluation.ts';

export function samplesOf(selector: VectorSelector, evaluation: Evaluation): readonly SeriesPoints[] {
  const samples = evaluation.samples.get(selector);
  if (samples === undefined) throw new Error('a selector was evaluated whose samples were not read');
  return samples;
}

/** How many of the timestamps are not after `untilMs`; those that are not before `low` or after `high` are looked at. */
function countBetween(
  timestampsMs: Float64Array,
  untilMs: number,
  { low, high }: { readonly low: number; readonly high: number },
): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((timestampsMs[middle] ?? 0) <= untilMs) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** How many of the timestamps are not after `untilMs`. */
export const countUntil = (timestampsMs: Float64Array, untilMs: number): number =>
  countBetween(timestampsMs, untilMs, { low: 0, high: timestampsMs.length });

/** The same where the answer is about `guess`, as it is for series that were scraped together: two looks, mostly, at memory that is needed anyway. */
export function countUntilNear(timestampsMs: Float64Array, untilMs: number, guess: number): number {
  const length = timestampsMs.length;
  const start = Math.max(0, Math.min(guess, length));
  let reach = 1;
  if (start === 0 || (timestampsMs[start - 1] ?? 0) <= untilMs) {
    let low = start;
    while (low + reach <= length && (timestampsMs[low + reach - 1] ?? 0) <= untilMs) {
      low += reach;
      reach *= 2;
    }
    if (reach === 1) return low;
    return countBetween(timestampsMs, untilMs, { low, high: Math.min(length, low + reach - 1) });
  }
  let high = start - 1;
  while (high >= reach && (timestampsMs[high - reach] ?? 0) > untilMs) {
    high -= reach;
    reach *= 2;
  }
  return countBetween(timestampsMs, untilMs, { low: Math.max(0, high - reach + 1), high });
}

/** What a selector gives of a sample: its value, or when it was taken. */
export type Taken = 'value' | 'timestamp';

interface Looks {
  readonly firstMs: number;
  readonly stepMs: number;
  readonly lookbackMs: number;
  readonly isTimestamp: boolean;
}

/** Looks at one series from its sample `next` on; gives how many points have a value. Measured: 3 ns a point. */
function lookAt(points: SeriesPoints, next: number, looks: Looks, { values: into, isPresent }: Cells): number {
  const { timestampsMs, values, staleAt } = points;
  const { firstMs, stepMs, lookbackMs, isTimestamp } = looks;
  const length = timestampsMs.length;
  let after = next;
  let present = 0;
  for (let i = 0; i < into.length; i++) {
    const atMs = firstMs + i * stepMs;
    while (after < length && (timestampsMs[after] ?? 0) <= atMs) after++;
    if (after === 0) continue;
    const newest = after - 1;
    const timestampMs = timestampsMs[newest] ?? 0;
    if (timestampMs <= atMs - lookbackMs) continue;
    if (staleAt !== undefined && staleAt[newest] === 1) continue;
    into[i] = isTimestamp ? timestampMs / 1000 : (values[newest] ?? Number.NaN);
    isPresent[i] = 1;
    present++;
  }
  return present;
}

/** The newest sample in (t - lookback, t], unless it is a staleness marker. */
export function* evaluateSelector(
  selector: VectorSelector,
  evaluation: Evaluation,
  taken: Taken = 'value',
): Steps<GridSeries[]> {
  const { grid, lookbackMs, meter } = evaluation;
  const looks: Looks = { ...timesOf(selector, evaluation), lookbackMs, isTimestamp: taken === 'timestamp' };
  const { firstMs, stepMs } = looks;
  const lastMs = firstMs + (grid.count - 1) * stepMs;
  // With one point the newest sample is all that is wanted, and with several those from the first window on.
  const afterMs = grid.count === 1 ? firstMs : firstMs - lookbackMs;
  const rows = createRows(evaluation);
  const found: GridSeries[] = [];
  let behind = 0;
  for (const points of samplesOf(selector, evaluation)) {
    const { timestampsMs } = points;
    const length = timestampsMs.length;
    const next = countUntilNear(timestampsMs, afterMs, length - behind);
    behind = length - next;
    if (grid.count > 1 && (next === length || (timestampsMs[next] ?? 0) > lastMs)) continue;
    const series = rows.finish(points.labels, lookAt(points, next, looks, rows.cells()));
    if (series !== undefined) found.push(series);
    if (meter.spend(200 + 4 * grid.count)) yield;
  }
  for (const series of taken === 'value' ? (evaluation.pushed.get(selector) ?? []) : []) {
    meter.claim(grid.count);
    found.push(series);
  }
  return found;
}

/** The samples without staleness markers, which no range takes notice of. */
export function withoutMarkers(points: SeriesPoints): RawSeries {
  const { labels, timestampsMs, values, staleAt } = points;
  if (staleAt === undefined) return points;
  const first = staleAt.indexOf(1);
  if (first === -1) return points;
  let count = first;
  for (let i = first; i < staleAt.length; i++) if (!isStale(points, i)) count++;
  // Most series have one marker, which is their end.
  if (count === first) {
    return { labels, timestampsMs: timestampsMs.subarray(0, first), values: values.subarray(0, first) };
  }
  const keptMs = new Float64Array(count);
  const kept = new Float64Array(count);
  let next = 0;
  for (let i = 0; i < staleAt.length; i++) {
    if (isStale(points, i)) continue;
    keptMs[next] = timestampsMs[i] ?? 0;
    kept[next++] = values[i] ?? Number.NaN;
  }
  return { labels, timestampsMs: keptMs, values: kept };
}
