/** Functions of one window by itself: the `*_over_time` family, changes, resets and regressions (promql/functions.go). */
import { addTo, type KahanSum } from './kahan.ts';
import { quantileOf } from './quantile.ts';
import type { RangeWindow } from './range-vector.ts';

type WindowFunction = (window: RangeWindow) => number | undefined;

const at = (values: Float64Array, index: number): number => values[index] ?? Number.NaN;

type Part = Pick<RangeWindow, 'values' | 'from' | 'to'>;

export function sum({ values, from, to }: Part): number {
  const total: KahanSum = { sum: 0, lost: 0 };
  for (let i = from; i < to; i++) addTo(total, at(values, i));
  return Number.isFinite(total.sum) ? total.sum + total.lost : total.sum;
}

/** The mean of the sum, or, where that would be too large, a mean that grows value by value. */
export function average({ values, from, to }: Part): number {
  const total: KahanSum = { sum: 0, lost: 0 };
  for (let i = from; i < to; i++) {
    const { sum: before, lost } = total;
    addTo(total, at(values, i));
    if (i === from || Math.abs(total.sum) !== Number.POSITIVE_INFINITY) continue;
    return averageByAndBy({ values, from, to }, i, { sum: before, lost });
  }
  const count = to - from;
  return total.sum / count + total.lost / count;
}

function averageByAndBy({ values, from, to }: Part, next: number, { sum: before, lost }: KahanSum): number {
  const mean: KahanSum = { sum: before / (next - from), lost: lost / (next - from) };
  for (let i = next; i < to; i++) {
    const count = i - from + 1;
    const weight = (count - 1) / count;
    mean.sum *= weight;
    mean.lost *= weight;
    addTo(mean, at(values, i) / count);
  }
  return mean.sum + mean.lost;
}

function extreme({ values, from, to }: RangeWindow, isMore: (a: number, b: number) => boolean): number {
  let found = at(values, from);
  for (let i = from; i < to; i++) {
    const value = at(values, i);
    if (isMore(value, found) || Number.isNaN(found)) found = value;
  }
  return found;
}

function timeOfExtreme(window: RangeWindow, isMore: (a: number, b: number) => boolean): number {
  const { values, timestampsMs, from, to } = window;
  let found = from;
  for (let i = from; i < to; i++)
    if (isMore(at(values, i), at(values, found)) || Number.isNaN(at(values, found))) found = i;
  return at(timestampsMs, found) / 1000;
}

function variance({ values, from, to }: RangeWindow): number {
  const mean: KahanSum = { sum: 0, lost: 0 };
  const squares: KahanSum = { sum: 0, lost: 0 };
  for (let i = from; i < to; i++) {
    const value = at(values, i);
    const delta = value - (mean.sum + mean.lost);
    addTo(mean, delta / (i - from + 1));
    addTo(squares, delta * (value - (mean.sum + mean.lost)));
  }
  return (squares.sum + squares.lost) / (to - from);
}

function changes({ values, from, to }: RangeWindow): number {
  let count = 0;
  for (let i = from + 1; i < to; i++) {
    const value = at(values, i);
    const previous = at(values, i - 1);
    if (value !== previous && !(Number.isNaN(value) && Number.isNaN(previous))) count++;
  }
  return count;
}

function resets({ values, from, to }: RangeWindow): number {
  let count = 0;
  for (let i = from + 1; i < to; i++) if (at(values, i) < at(values, i - 1)) count++;
  return count;
}

function medianDeviation({ values, from, to }: RangeWindow): number {
  for (let i = from; i < to; i++) if (Number.isNaN(at(values, i))) return Number.NaN;
  const median = quantileOf(0.5, values.slice(from, to));
  return quantileOf(
    0.5,
    values.slice(from, to).map((value) => Math.abs(value - median)),
  );
}

interface Line {
  /** Per second. */
  readonly slope: number;
  /** The value at the time that is given. */
  readonly intercept: number;
}

/** Least squares through the samples, seconds counted from `originMs`. */
function regression({ timestampsMs, values, from, to }: RangeWindow, originMs: number): Line {
  const x: KahanSum = { sum: 0, lost: 0 };
  const y: KahanSum = { sum: 0, lost: 0 };
  const xy: KahanSum = { sum: 0, lost: 0 };
  const x2: KahanSum = { sum: 0, lost: 0 };
  const first = at(values, from);
  let isConstant = true;
  for (let i = from; i < to; i++) {
    const value = at(values, i);
    if (value !== first) isConstant = false;
    const seconds = (at(timestampsMs, i) - originMs) / 1000;
    addTo(x, seconds);
    addTo(y, value);
    addTo(xy, seconds * value);
    addTo(x2, seconds * seconds);
  }
  if (isConstant) {
    return Number.isFinite(first) ? { slope: 0, intercept: first } : { slope: Number.NaN, intercept: Number.NaN };
  }
  const count = to - from;
  const sumX = x.sum + x.lost;
  const sumY = y.sum + y.lost;
  const covariance = xy.sum + xy.lost - (sumX * sumY) / count;
  const slope = covariance / (x2.sum + x2.lost - (sumX * sumX) / count);
  return { slope, intercept: sumY / count - (slope * sumX) / count };
}

/** The value so many seconds after the time of evaluation. */
export function predict(window: RangeWindow, seconds: number): number | undefined {
  if (window.to - window.from < 2) return undefined;
  const { slope, intercept } = regression(window, window.timeMs);
  return slope * seconds + intercept;
}

export interface Smoothing {
  readonly factor: number;
  readonly trend: number;
}

/** Holt's linear smoothing. */
export function smooth({ values, from, to }: RangeWindow, { factor, trend }: Smoothing): number | undefined {
  if (to - from < 2) return undefined;
  let before = 0;
  let now = at(values, from);
  let slope = at(values, from + 1) - now;
  for (let i = from + 1; i < to; i++) {
    if (i > from + 1) slope = trend * (now - before) + (1 - trend) * slope;
    const next = factor * at(values, i) + (1 - factor) * (now + slope);
    before = now;
    now = next;
  }
  return now;
}

const isLarger = (a: number, b: number): boolean => a > b;
const isSmaller = (a: number, b: number): boolean => a < b;
const isLargerOrEqual = (a: number, b: number): boolean => a >= b;
const isSmallerOrEqual = (a: number, b: number): boolean => a <= b;

/** Those that need nothing but the window. */
export const windowFunctions: ReadonlyMap<string, WindowFunction> = new Map<string, WindowFunction>([
  ['avg_over_time', average],
  ['changes', changes],
  ['count_over_time', ({ from, to }) => to - from],
  [
    'deriv',
    (window) =>
      window.to - window.from < 2 ? undefined : regression(window, window.timestampsMs[window.from] ?? 0).slope,
  ],
  ['first_over_time', ({ values, from }) => at(values, from)],
  ['last_over_time', ({ values, to }) => at(values, to - 1)],
  ['mad_over_time', medianDeviation],
  ['max_over_time', (window) => extreme(window, isLarger)],
  ['min_over_time', (window) => extreme(window, isSmaller)],
  ['present_over_time', () => 1],
  ['resets', resets],
  ['stddev_over_time', (window) => Math.sqrt(variance(window))],
  ['stdvar_over_time', variance],
  ['sum_over_time', sum],
  ['ts_of_first_over_time', ({ timestampsMs, from }) => at(timestampsMs, from) / 1000],
  ['ts_of_last_over_time', ({ timestampsMs, to }) => at(timestampsMs, to - 1) / 1000],
  ['ts_of_max_over_time', (window) => timeOfExtreme(window, isLargerOrEqual)],
  ['ts_of_min_over_time', (window) => timeOfExtreme(window, isSmallerOrEqual)],
]);
