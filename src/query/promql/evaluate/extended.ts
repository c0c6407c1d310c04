/**
 * What `anchored` and `smoothed` make of a selector: samples beyond the window, as far as an instant selector would look, say what the series was
 * at its edges, so that nothing is extrapolated (promql/functions.go, `extendedRate` and its kin; promql/engine.go, `smoothSeries`).
 */
import type { Edges, VectorSelector } from '../ast.ts';
import type { GridSeries, RawSeries } from '../value.ts';
import { type Evaluation, newSeries, type Steps, timesOf } from './evaluation.ts';
import { countUntil } from './positions.ts';
import type { RangeVector, RangeWindow } from './range-vector.ts';
import type { RateKind } from './rate.ts';
import { samplesOf, withoutMarkers } from './selector.ts';

type Samples = Pick<RangeWindow, 'timestampsMs' | 'values'>;

const timeAt = ({ timestampsMs }: Samples, index: number): number => timestampsMs[index] ?? Number.NaN;
const valueAt = ({ values }: Samples, index: number): number => values[index] ?? Number.NaN;

/** The value at a time between the sample `before` and the next, on a straight line; a counter that was reset between them began at 0. */
function interpolate(samples: Samples, before: number, atMs: number, isCounter = false): number {
  const firstMs = timeAt(samples, before);
  const next = valueAt(samples, before + 1);
  const known = valueAt(samples, before);
  const first = isCounter && next < known ? 0 : known;
  return first + ((next - first) * (atMs - firstMs)) / (timeAt(samples, before + 1) - firstMs);
}

/** The newest sample at or before the window's start, or else the oldest. */
function firstOf(window: RangeWindow): number {
  let first = window.from;
  while (first + 1 < window.to - 1 && timeAt(window, first + 1) <= window.afterMs) first++;
  return first;
}

/** The oldest sample at or after the window's end, or else the newest. */
function lastOf(window: RangeWindow): number {
  let last = window.to - 1;
  while (last > window.from && timeAt(window, last - 1) >= window.untilMs) last--;
  return last;
}

interface Ends {
  readonly first: number;
  readonly last: number;
  /** The values at the window's start and end. */
  readonly left: number;
  readonly right: number;
}

/** What the series was at the ends of the window; undefined where it has no sample within it, nor around it. */
function endsOf(window: RangeWindow, edges: Edges, isCounter = false): Ends | undefined {
  const { from, afterMs, untilMs } = window;
  const isSmoothed = edges === 'smoothed';
  const first = firstOf(window);
  const last = isSmoothed ? lastOf(window) : window.to - 1;
  if (timeAt(window, last) <= afterMs) return undefined;
  if (isSmoothed && timeAt(window, first) > untilMs) return undefined;
  const isBefore = isSmoothed && timeAt(window, first) < afterMs;
  const isBeyond = isSmoothed && last > from && timeAt(window, last) > untilMs;
  const left = isBefore ? interpolate(window, first, afterMs, isCounter) : valueAt(window, first);
  const right = isBeyond ? interpolate(window, last - 1, untilMs, isCounter) : valueAt(window, last);
  return { first, last, left, right };
}

/** `rate`, `increase` and `delta` between the window's ends. */
export const extendedRate =
  (edges: Edges, { isCounter, perSecond }: RateKind) =>
  (window: RangeWindow): number | undefined => {
    const ends = endsOf(window, edges, isCounter);
    if (ends === undefined) return undefined;
    const { first, last, left, right } = ends;
    let change = right - left;
    if (isCounter) {
      const from = timeAt(window, first) <= window.afterMs ? first + 1 : first;
      const to = timeAt(window, last) >= window.untilMs ? last : last + 1;
      let previous = left;
      for (let i = from; i < to; i++) {
        const value = valueAt(window, i);
        if (value < previous) change += previous;
        previous = value;
      }
      if (right < previous) change += previous;
    }
    return perSecond ? change / ((window.untilMs - window.afterMs) / 1000) : change;
  };

/** `changes` and `resets`, beginning with the sample that the window began with. */
export const fromAnchor =
  (count: (window: RangeWindow) => number | undefined) =>
  (window: RangeWindow): number | undefined => {
    if (timeAt(window, window.to - 1) <= window.afterMs) return undefined;
    return count({ ...window, from: firstOf(window) });
  };

/** Visits the windows of one series with the samples that lie at most the lookback before them, and if smoothed behind them. */
export function* visitExtended(
  { timestampsMs, values }: RawSeries,
  { rangeMs, firstMs, stepMs, edges }: RangeVector,
  evaluation: Evaluation,
  visit: (window: RangeWindow) => void,
): Steps<void> {
  const { grid, lookbackMs, meter } = evaluation;
  const aheadMs = edges === 'smoothed' ? lookbackMs : 0;
  const from = countUntil(timestampsMs, firstMs - rangeMs - lookbackMs);
  const window: RangeWindow = { timestampsMs, values, from, to: from, afterMs: 0, untilMs: 0, timeMs: 0, index: 0 };
  for (let index = 0; index < grid.count; index++) {
    const untilMs = firstMs + index * stepMs;
    const afterMs = untilMs - rangeMs;
    while (window.to < timestampsMs.length && timeAt(window, window.to) <= untilMs + aheadMs) window.to++;
    while (window.from < window.to && timeAt(window, window.from) <= afterMs - lookbackMs) window.from++;
    if (meter.spend(50 + 4 * (window.to - window.from))) yield;
    if (window.from === window.to) continue;
    Object.assign(window, { afterMs, untilMs, timeMs: grid.startMs + index * grid.stepMs, index });
    visit(window);
  }
}

/** Numbers with one more on either side; a range may have more of them than a call can have arguments. */
function between(first: number, middle: Float64Array, last: number): Float64Array {
  const all = new Float64Array(middle.length + 2);
  all[0] = first;
  all.set(middle, 1);
  all[middle.length + 1] = last;
  return all;
}

/** The samples of a window as they stand, with what the series was at its ends. */
export function* extendedSamples(range: RangeVector, evaluation: Evaluation): Steps<readonly RawSeries[]> {
  const found: RawSeries[] = [];
  const { edges } = range;
  if (edges === undefined) throw new Error('a plain range has no samples beyond it');
  for (const series of range.series) {
    yield* visitExtended(series, range, evaluation, (window) => {
      const ends = endsOf(window, edges);
      if (ends === undefined) return;
      const from = timeAt(window, ends.first) <= window.afterMs ? ends.first + 1 : ends.first;
      const to = timeAt(window, ends.last) >= window.untilMs ? ends.last : ends.last + 1;
      const { labels, timestampsMs, values } = series;
      found.push({
        labels,
        timestampsMs: between(window.afterMs, timestampsMs.subarray(from, to), window.untilMs),
        values: between(ends.left, values.subarray(from, to), ends.right),
      });
    });
  }
  return found;
}

/** An instant selector that is `smoothed`: at each point what lies between the samples around it, or the newest sample before it. */
export function* evaluateSmoothed(selector: VectorSelector, evaluation: Evaluation): Steps<GridSeries[]> {
  const { grid, lookbackMs, meter } = evaluation;
  const { firstMs, stepMs } = timesOf(selector, evaluation);
  const found: GridSeries[] = [];
  for (const points of samplesOf(selector, evaluation)) {
    const samples = withoutMarkers(points);
    const { timestampsMs } = samples;
    const series = newSeries(points.labels, evaluation);
    let next = 0;
    let any = false;
    for (let i = 0; i < grid.count; i++) {
      const atMs = firstMs + i * stepMs;
      while (next < timestampsMs.length && timeAt(samples, next) <= atMs) next++;
      const before = next - 1;
      if (before < 0 || timeAt(samples, before) <= atMs - lookbackMs) continue;
      const isBetween = next < timestampsMs.length && timeAt(samples, next) <= atMs + lookbackMs;
      series.values[i] = isBetween ? interpolate(samples, before, atMs) : valueAt(samples, before);
      series.isPresent[i] = 1;
      any = true;
    }
    if (any) found.push(series);
    if (meter.spend(500 + 10 * grid.count + timestampsMs.length)) yield;
  }
  return found;
}
