/** Classic histograms: quantiles and fractions from buckets, which are series with a label `le` (promql/quantile.go). */
import type { Label } from '../../../model/sample.ts';
import { badBucketLabel, forcedMonotonicity, invalidQuantile } from '../annotations.ts';
import type { Call, Expression } from '../ast.ts';
import { formatG } from '../go-number.ts';
import { type GridSeries, labelKey, labelOf, type VectorValue } from '../value.ts';
import {
  type Evaluation,
  evaluateScalar,
  evaluateString,
  evaluateVector,
  executionError,
  hasAny,
  mergeEqual,
  newSeries,
  type Steps,
} from './evaluation.ts';
import { withLabel } from './labels.ts';
import { isQuantile } from './quantile.ts';

interface Bucket {
  readonly bound: number;
  count: number;
}

interface BucketSeries {
  readonly bound: number;
  readonly series: GridSeries;
}

interface Histogram {
  /** Without `le` and the metric's name. */
  readonly labels: readonly Label[];
  readonly name: string;
  /** By bound. */
  readonly buckets: BucketSeries[];
}

/** A bound as Go's ParseFloat reads it; undefined where it is none. */
export function parseBound(text: string): number | undefined {
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Puts the buckets of each histogram together. Buckets of different names are different histograms. */
function* groupBuckets(vector: VectorValue, argument: Expression, evaluation: Evaluation): Steps<readonly Histogram[]> {
  const histograms = new Map<string, Histogram>();
  for (const series of vector.series) {
    const text = labelOf(series.labels, 'le');
    const name = labelOf(series.labels, '__name__');
    const bound = parseBound(text);
    if (evaluation.meter.spend(2000)) yield;
    if (bound === undefined) {
      if (hasAny(series)) evaluation.annotations.warn(argument, badBucketLabel(text, name));
      continue;
    }
    const named = series.labels.filter(([label]) => label !== 'le');
    const key = labelKey(named);
    let histogram = histograms.get(key);
    if (histogram === undefined) {
      histogram = { labels: evaluation.nameless(named), name, buckets: [] };
      histograms.set(key, histogram);
    }
    histogram.buckets.push({ bound, series });
  }
  for (const { buckets } of histograms.values()) buckets.sort((a, b) => a.bound - b.bound);
  return [...histograms.values()];
}

/** The buckets that have a value at a point, those of one bound as one. Bounds may be written in several ways: `1` and `1.0`. */
function bucketsAt(buckets: readonly BucketSeries[], index: number): Bucket[] {
  const found: Bucket[] = [];
  for (const { bound, series } of buckets) {
    if (series.isPresent[index] !== 1) continue;
    const count = series.values[index] ?? Number.NaN;
    const last = found.at(-1);
    if (last?.bound === bound) last.count += count;
    else found.push({ bound, count });
  }
  return found;
}

/** Differences so small come of adding floats in another order, and are no news. */
const tolerance = 1e-12;

function isAlmostEqual(a: number, b: number): boolean {
  const sum = Math.abs(a) + Math.abs(b);
  return a === b || (a !== 0 && b !== 0 && Math.abs(a - b) / Math.min(sum, Number.MAX_VALUE) < tolerance);
}

/** Counts may not fall from bucket to bucket. Says whether one had to be raised by more than rounding. */
function makeMonotonic(buckets: readonly Bucket[]): boolean {
  let previous = buckets[0]?.count ?? 0;
  let isForced = false;
  for (const bucket of buckets) {
    if (bucket.count === previous) continue;
    if (isAlmostEqual(bucket.count, previous)) bucket.count = previous;
    else if (bucket.count < previous) {
      bucket.count = previous;
      isForced = true;
    } else previous = bucket.count;
  }
  return isForced;
}

interface Estimate {
  readonly value: number;
  readonly isForced: boolean;
}

const none: Estimate = { value: Number.NaN, isForced: false };

/** The value below which the share `quantile` of the observations lies, linear within a bucket. */
export function bucketQuantile(quantile: number, buckets: readonly Bucket[]): Estimate {
  if (Number.isNaN(quantile)) return none;
  if (quantile < 0) return { value: Number.NEGATIVE_INFINITY, isForced: false };
  if (quantile > 1) return { value: Number.POSITIVE_INFINITY, isForced: false };
  const last = buckets.at(-1);
  if (last === undefined || last.bound !== Number.POSITIVE_INFINITY || buckets.length < 2) return none;
  const isForced = makeMonotonic(buckets);
  const observations = last.count;
  if (observations === 0) return none;
  let rank = quantile * observations;
  let at = buckets.findIndex(({ count }) => count >= rank);
  if (at === -1) at = buckets.length - 1;
  // Beyond the last bound that is a number nothing is known.
  if (at === buckets.length - 1) return { value: buckets[at - 1]?.bound ?? Number.NaN, isForced };
  const { bound, count } = buckets[at] ?? last;
  if (at === 0 && bound <= 0) return { value: bound, isForced };
  const before = at === 0 ? { bound: 0, count: 0 } : (buckets[at - 1] ?? last);
  rank -= before.count;
  return { value: before.bound + (bound - before.bound) * (rank / (count - before.count)), isForced };
}

/** The share of the observations between two values. */
export function bucketFraction(lower: number, upper: number, buckets: readonly Bucket[]): number {
  const last = buckets.at(-1);
  if (last === undefined || last.bound !== Number.POSITIVE_INFINITY) return Number.NaN;
  if (last.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  const rankOf = (value: number): number => {
    let rank = 0;
    let from = Number.NEGATIVE_INFINITY;
    for (const [i, { bound, count }] of buckets.entries()) {
      // What has a positive bound is taken to begin at 0.
      if (i === 0 && bound > 0) from = 0;
      if (from >= value) return rank;
      if (bound > value) {
        if (from === Number.NEGATIVE_INFINITY) return Number.NaN;
        return rank + (count - rank) * ((value - from) / (bound - from));
      }
      rank = count;
      from = bound;
    }
    return last.count;
  };
  return (Math.min(rankOf(upper), last.count) - Math.min(rankOf(lower), last.count)) / last.count;
}

interface PerPoint {
  readonly argument: Expression;
  readonly labels: (labels: readonly Label[]) => readonly Label[];
  readonly compute: (buckets: Bucket[], index: number, name: string) => number;
}

/** Computes one value a histogram and point. */
function* perHistogram(
  histograms: readonly Histogram[],
  { labels, compute }: Omit<PerPoint, 'argument'>,
  evaluation: Evaluation,
): Steps<readonly GridSeries[]> {
  const found: GridSeries[] = [];
  for (const histogram of histograms) {
    const into = newSeries(labels(histogram.labels), evaluation);
    for (let i = 0; i < into.values.length; i++) {
      const buckets = bucketsAt(histogram.buckets, i);
      if (evaluation.meter.spend(60 * (histogram.buckets.length + 1))) yield;
      if (buckets.length === 0) continue;
      into.values[i] = compute(buckets, i, histogram.name);
      into.isPresent[i] = 1;
    }
    if (hasAny(into)) found.push(into);
  }
  return yield* mergeEqual(found, evaluation.meter);
}

function warnQuantiles(quantiles: Float64Array, place: Expression, { annotations }: Evaluation): void {
  const wrong = quantiles.find((quantile) => !isQuantile(quantile));
  if (wrong !== undefined) annotations.warn(place, invalidQuantile(wrong));
}

const quantileAt =
  (quantiles: Float64Array, argument: Expression, { annotations }: Evaluation) =>
  (buckets: Bucket[], index: number, name: string): number => {
    const { value, isForced } = bucketQuantile(quantiles[index] ?? Number.NaN, buckets);
    if (isForced) annotations.inform(argument, forcedMonotonicity(name));
    return value;
  };

export function* evaluateHistogramQuantile(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [place = call, argument = call] = call.arguments;
  const quantiles = yield* evaluateScalar(place, evaluation);
  warnQuantiles(quantiles, place, evaluation);
  const histograms = yield* groupBuckets(yield* evaluateVector(argument, evaluation), argument, evaluation);
  const compute = quantileAt(quantiles, argument, evaluation);
  return {
    kind: 'vector',
    series: yield* perHistogram(histograms, { labels: (labels) => labels, compute }, evaluation),
  };
}

export function* evaluateHistogramQuantiles(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [argument = call, labelArgument = call, ...places] = call.arguments;
  const label = yield* evaluateString(labelArgument, evaluation);
  if (label === '') throw executionError('invalid label name in histogram_quantiles(): ');
  const histograms = yield* groupBuckets(yield* evaluateVector(argument, evaluation), argument, evaluation);
  const series: GridSeries[] = [];
  for (const place of places) {
    const quantiles = yield* evaluateScalar(place, evaluation);
    warnQuantiles(quantiles, place, evaluation);
    const compute = quantileAt(quantiles, argument, evaluation);
    const value = formatG(quantiles[0] ?? Number.NaN);
    const labels = (from: readonly Label[]) => withLabel(from, label, value);
    series.push(...(yield* perHistogram(histograms, { labels, compute }, evaluation)));
  }
  return { kind: 'vector', series: yield* mergeEqual(series, evaluation.meter) };
}

export function* evaluateHistogramFraction(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [first = call, second = call, argument = call] = call.arguments;
  const lower = yield* evaluateScalar(first, evaluation);
  const upper = yield* evaluateScalar(second, evaluation);
  const histograms = yield* groupBuckets(yield* evaluateVector(argument, evaluation), argument, evaluation);
  const compute = (buckets: Bucket[], i: number): number =>
    bucketFraction(lower[i] ?? Number.NaN, upper[i] ?? Number.NaN, buckets);
  return {
    kind: 'vector',
    series: yield* perHistogram(histograms, { labels: (labels) => labels, compute }, evaluation),
  };
}
