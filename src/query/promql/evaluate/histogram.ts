/** Classic histograms: quantiles and fractions from buckets, which are series with a label `le` (promql/quantile.go). */
import type { Label } from '../../../model/sample.ts';
import { badBucketLabel, invalidQuantile, type RaisedBuckets } from '../annotations.ts';
import type { Call, Expression } from '../ast.ts';
import { createClasses, type Derivation } from '../derived-labels.ts';
import { formatOpenMetrics } from '../go-number.ts';
import { type GridSeries, labelOf, type VectorValue } from '../value.ts';
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
  bound: number;
  count: number;
}

interface BucketSeries {
  readonly bound: number;
  readonly series: GridSeries;
}

interface Histogram {
  /** Without `le` and the metric's name. */
  readonly labels: readonly Label[];
  /** By bound. */
  readonly buckets: BucketSeries[];
}

/** A bound as Go's ParseFloat reads it; undefined where it is none. NaN is none. */
export function parseBound(text: string): number | undefined {
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

const withoutBound: Derivation = {
  key: JSON.stringify(['histogram']),
  derive: (labels) => labels.filter(([name]) => name !== 'le'),
};

/** Puts the buckets of each histogram together. Buckets of different names are different histograms. */
function* groupBuckets(vector: VectorValue, argument: Expression, evaluation: Evaluation): Steps<readonly Histogram[]> {
  const histograms = new Map<readonly Label[], Histogram>();
  const named = createClasses(withoutBound);
  const bounds = new Map<string, number | undefined>();
  for (const series of vector.series) {
    const text = labelOf(series.labels, 'le');
    if (!bounds.has(text)) bounds.set(text, parseBound(text));
    const bound = bounds.get(text);
    if (evaluation.meter.spend(500)) yield;
    if (bound === undefined) {
      if (hasAny(series)) evaluation.annotations.warn(argument, badBucketLabel(text));
      continue;
    }
    const key = named(series.labels);
    let histogram = histograms.get(key);
    if (histogram === undefined) {
      histogram = { labels: evaluation.nameless(key), buckets: [] };
      histograms.set(key, histogram);
    }
    histogram.buckets.push({ bound, series });
  }
  for (const { buckets } of histograms.values()) buckets.sort((a, b) => a.bound - b.bound);
  return [...histograms.values()];
}

/**
 * The buckets that have a value at a point, those of one bound as one. Bounds may be written in several ways: `1` and `1.0`. They are written to
 * `room`, whose objects are used again for each point.
 */
function bucketsAt(buckets: readonly BucketSeries[], index: number, room: Bucket[]): Bucket[] {
  const found: Bucket[] = [];
  for (const { bound, series } of buckets) {
    if (series.isPresent[index] !== 1) continue;
    const count = series.values[index] ?? Number.NaN;
    const last = found[found.length - 1];
    if (last !== undefined && last.bound === bound) {
      last.count += count;
      continue;
    }
    let bucket = room[found.length];
    if (bucket === undefined) {
      bucket = { bound, count };
      room.push(bucket);
    }
    bucket.bound = bound;
    bucket.count = count;
    found.push(bucket);
  }
  return found;
}

/** Differences so small come of adding floats in another order, and are no news. */
const tolerance = 1e-12;

function isAlmostEqual(a: number, b: number): boolean {
  const sum = Math.abs(a) + Math.abs(b);
  return a === b || (a !== 0 && b !== 0 && Math.abs(a - b) / Math.min(sum, Number.MAX_VALUE) < tolerance);
}

type Raised = Omit<RaisedBuckets, 'timeMs'>;

/** Counts may not fall from bucket to bucket. Tells of those that had to be raised by more than rounding. */
function makeMonotonic(buckets: readonly Bucket[]): Raised | undefined {
  let previous = buckets[0]?.count ?? 0;
  let raised: Raised | undefined;
  for (const bucket of buckets) {
    const { bound, count } = bucket;
    if (count === previous) continue;
    if (isAlmostEqual(count, previous)) bucket.count = previous;
    else if (count < previous) {
      bucket.count = previous;
      const most = Math.max(raised?.most ?? 0, previous - count);
      raised = { lowestBound: raised?.lowestBound ?? bound, highestBound: bound, most };
    } else previous = count;
  }
  return raised;
}

interface Estimate {
  readonly value: number;
  readonly raised?: Raised | undefined;
}

/** The first bucket but the last with at least so many observations, or the last: by halves, as in Prometheus, which matters where a count is NaN. */
function bucketOf(rank: number, buckets: readonly Bucket[]): number {
  let from = 0;
  let to = buckets.length - 1;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((buckets[middle]?.count ?? 0) >= rank) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** The value below which the share `quantile` of the observations lies, linear within a bucket. */
export function bucketQuantile(quantile: number, buckets: readonly Bucket[]): Estimate {
  if (Number.isNaN(quantile)) return { value: Number.NaN };
  if (quantile < 0) return { value: Number.NEGATIVE_INFINITY };
  if (quantile > 1) return { value: Number.POSITIVE_INFINITY };
  const last = buckets.at(-1);
  if (last === undefined || last.bound !== Number.POSITIVE_INFINITY || buckets.length < 2) return { value: Number.NaN };
  const raised = makeMonotonic(buckets);
  const observations = last.count;
  if (observations === 0) return { value: Number.NaN, raised };
  let rank = quantile * observations;
  const at = bucketOf(rank, buckets);
  // Beyond the last bound that is a number nothing is known.
  if (at === buckets.length - 1) return { value: buckets[at - 1]?.bound ?? Number.NaN, raised };
  const { bound, count } = buckets[at] ?? last;
  if (at === 0 && bound <= 0) return { value: bound, raised };
  const before = at === 0 ? { bound: 0, count: 0 } : (buckets[at - 1] ?? last);
  rank -= before.count;
  return { value: before.bound + (bound - before.bound) * (rank / (count - before.count)), raised };
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
        // Of what begins at no number nothing is below a value.
        if (from === Number.NEGATIVE_INFINITY) return count;
        return rank + ((count - rank) * (value - from)) / (bound - from);
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
  readonly compute: (buckets: Bucket[], index: number) => number;
  /** Whether a value is asked for at a point; at all of them unless given. */
  readonly isAsked?: (index: number) => boolean;
}

/** Computes one value a histogram and point. */
function* perHistogram(
  histograms: readonly Histogram[],
  { labels, compute, isAsked = () => true }: Omit<PerPoint, 'argument'>,
  evaluation: Evaluation,
): Steps<readonly GridSeries[]> {
  const found: GridSeries[] = [];
  const room: Bucket[] = [];
  for (const histogram of histograms) {
    const into = newSeries(labels(histogram.labels), evaluation);
    for (let i = 0; i < into.values.length; i++) {
      if (!isAsked(i)) {
        if (evaluation.meter.spend(2)) yield;
        continue;
      }
      const buckets = bucketsAt(histogram.buckets, i, room);
      if (evaluation.meter.spend(60 * (histogram.buckets.length + 1))) yield;
      if (buckets.length === 0) continue;
      into.values[i] = compute(buckets, i);
      into.isPresent[i] = 1;
    }
    if (hasAny(into)) found.push(into);
  }
  return yield* mergeEqual(found, evaluation.meter);
}

function warnQuantiles(quantiles: Float64Array, place: Expression, { annotations }: Evaluation): void {
  for (const quantile of quantiles) if (!isQuantile(quantile)) annotations.warn(place, invalidQuantile(quantile));
}

const quantileAt =
  (quantiles: Float64Array, argument: Expression, { annotations, grid }: Evaluation) =>
  (buckets: Bucket[], index: number): number => {
    const { value, raised } = bucketQuantile(quantiles[index] ?? Number.NaN, buckets);
    if (raised !== undefined) {
      annotations.informRaised(argument, { ...raised, timeMs: grid.startMs + index * grid.stepMs });
    }
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
    // A quantile that is another at each point is another series at each.
    for (const quantile of new Set(quantiles)) {
      const labels = (from: readonly Label[]) => withLabel(from, label, formatOpenMetrics(quantile));
      const isAsked = (i: number) => Object.is((quantiles[i] ?? Number.NaN) + 0, quantile + 0);
      for (const one of yield* perHistogram(histograms, { labels, compute, isAsked }, evaluation)) series.push(one);
    }
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
