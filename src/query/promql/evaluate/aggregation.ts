/** Aggregations whose result is one element a group (promql/engine.go `aggregation`). */
import { invalidQuantile } from '../annotations.ts';
import type { Aggregation, Expression } from '../ast.ts';
import type { GridSeries, VectorValue } from '../value.ts';
import { type Evaluation, evaluateScalar, evaluateVector, newSeries, type Steps } from './evaluation.ts';
import { type Group, groupSeries } from './grouping.ts';
import { evaluateLimitRatio } from './limit-ratio.ts';
import { larger, smaller } from './math.ts';
import { quantileOf } from './quantile.ts';
import { evaluateCountValues, evaluateLimits, evaluateRanks } from './rank.ts';

/** Folds members one after the other into `into`; column by column, so that a thousand members need no more memory than one. */
interface Fold {
  readonly add: (member: GridSeries) => void;
  readonly finish: () => void;
}

type CreateFold = (into: GridSeries) => Fold;

/** Kahan's sum of each column. */
const createSum: CreateFold = ({ values, isPresent }) => {
  const lost = new Float64Array(values.length);
  return {
    add(member) {
      const from = member.values;
      const present = member.isPresent;
      for (let i = 0; i < values.length; i++) {
        if (present[i] !== 1) continue;
        const value = from[i] ?? Number.NaN;
        if (isPresent[i] !== 1) {
          isPresent[i] = 1;
          values[i] = value;
          continue;
        }
        const sum = values[i] ?? Number.NaN;
        const total = sum + value;
        values[i] = total;
        if (total === Number.POSITIVE_INFINITY || total === Number.NEGATIVE_INFINITY) lost[i] = 0;
        else if (Math.abs(sum) >= Math.abs(value)) lost[i] = (lost[i] ?? 0) + (sum - total + value);
        else lost[i] = (lost[i] ?? 0) + (value - total + sum);
      }
    },
    finish() {
      for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) + (lost[i] ?? 0);
    },
  };
};

/** Means of columns: sums until a sum would be infinite, and from then on means that grow value by value. */
interface Means {
  readonly sums: Float64Array;
  readonly lost: Float64Array;
  readonly counts: Uint32Array;
  readonly isByAndBy: Uint8Array;
}

const isInfinite = (value: number): boolean => Math.abs(value) === Number.POSITIVE_INFINITY;

/** What Kahan's sum loses when `value` is added to `sum`. */
const lossOf = (sum: number, value: number, total: number): number =>
  Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;

function addByAndBy({ sums, lost, counts }: Means, i: number, value: number): void {
  const count = counts[i] ?? 1;
  const mean = sums[i] ?? 0;
  // An infinity stays what it is unless the other one or NaN comes.
  if (isInfinite(mean) && (value === mean || Number.isFinite(value))) return;
  const weight = (count - 1) / count;
  const sum = mean * weight;
  const part = value / count;
  const total = sum + part;
  lost[i] = isInfinite(total) ? 0 : (lost[i] ?? 0) * weight + lossOf(sum, part, total);
  sums[i] = total;
}

function addToMean(means: Means, i: number, value: number): void {
  const { sums, lost, counts, isByAndBy } = means;
  const count = (counts[i] ?? 0) + 1;
  counts[i] = count;
  if (count === 1) {
    sums[i] = value;
    return;
  }
  if (isByAndBy[i] === 0) {
    const sum = sums[i] ?? 0;
    const total = sum + value;
    if (!isInfinite(total)) {
      lost[i] = (lost[i] ?? 0) + lossOf(sum, value, total);
      sums[i] = total;
      return;
    }
    isByAndBy[i] = 1;
    sums[i] = sum / (count - 1);
    lost[i] = (lost[i] ?? 0) / (count - 1);
  }
  addByAndBy(means, i, value);
}

const createAverage: CreateFold = ({ values, isPresent }) => {
  const means: Means = {
    sums: values,
    lost: new Float64Array(values.length),
    counts: new Uint32Array(values.length),
    isByAndBy: new Uint8Array(values.length),
  };
  return {
    add(member) {
      for (let i = 0; i < values.length; i++) {
        if (member.isPresent[i] === 1) addToMean(means, i, member.values[i] ?? Number.NaN);
      }
    },
    finish() {
      for (let i = 0; i < values.length; i++) {
        const count = means.counts[i] ?? 0;
        if (count === 0) continue;
        isPresent[i] = 1;
        const divisor = means.isByAndBy[i] === 1 ? 1 : count;
        values[i] = (values[i] ?? 0) / divisor + (means.lost[i] ?? 0) / divisor;
      }
    },
  };
};

/** `max` and `min`: NaN counts only where there is nothing else. */
const createExtreme =
  (isMax: boolean): CreateFold =>
  ({ values, isPresent }) => ({
    add(member) {
      const from = member.values;
      const present = member.isPresent;
      for (let i = 0; i < values.length; i++) {
        if (present[i] !== 1) continue;
        const value = from[i] ?? Number.NaN;
        const sofar = values[i] ?? Number.NaN;
        if (isPresent[i] !== 1 || (isMax ? value > sofar : value < sofar) || Number.isNaN(sofar)) values[i] = value;
        isPresent[i] = 1;
      }
    },
    finish: () => undefined,
  });

/** `count` and `group`: how many there are, or that there are any. */
const createCount =
  (isCounted: boolean): CreateFold =>
  ({ values, isPresent }) => ({
    add(member) {
      const present = member.isPresent;
      for (let i = 0; i < values.length; i++) {
        if (present[i] !== 1) continue;
        values[i] = isCounted ? (values[i] ?? 0) + 1 : 1;
        isPresent[i] = 1;
      }
    },
    finish: () => undefined,
  });

/** Welford's variance of each column. */
const createVariance =
  (isDeviation: boolean): CreateFold =>
  ({ values, isPresent }) => {
    const means = new Float64Array(values.length);
    const counts = new Float64Array(values.length);
    return {
      add(member) {
        for (let i = 0; i < values.length; i++) {
          if (member.isPresent[i] !== 1) continue;
          const value = member.values[i] ?? Number.NaN;
          const count = (counts[i] ?? 0) + 1;
          counts[i] = count;
          isPresent[i] = 1;
          if (count === 1) {
            means[i] = value;
            values[i] = Number.isFinite(value) ? 0 : Number.NaN;
            continue;
          }
          const delta = value - (means[i] ?? 0);
          const mean = (means[i] ?? 0) + delta / count;
          means[i] = mean;
          values[i] = (values[i] ?? 0) + delta * (value - mean);
        }
      },
      finish() {
        for (let i = 0; i < values.length; i++) {
          const variance = (values[i] ?? 0) / (counts[i] ?? 1);
          values[i] = isDeviation ? Math.sqrt(variance) : variance;
        }
      },
    };
  };

const folds: Readonly<Record<string, CreateFold>> = {
  sum: createSum,
  avg: createAverage,
  count: createCount(true),
  group: createCount(false),
  max: createExtreme(true),
  min: createExtreme(false),
  stddev: createVariance(true),
  stdvar: createVariance(false),
};

function* foldGroup(group: Group, create: CreateFold, evaluation: Evaluation): Steps<GridSeries> {
  const into = newSeries(group.labels, evaluation);
  const fold = create(into);
  for (const member of group.members) {
    fold.add(member);
    if (evaluation.meter.spend(100 + 5 * into.values.length)) yield;
  }
  fold.finish();
  return into;
}

function* quantileOfGroup(group: Group, quantiles: Float64Array, evaluation: Evaluation): Steps<GridSeries> {
  const into = newSeries(group.labels, evaluation);
  const column = new Float64Array(group.members.length);
  for (let i = 0; i < into.values.length; i++) {
    let count = 0;
    for (const { values, isPresent } of group.members)
      if (isPresent[i] === 1) column[count++] = values[i] ?? Number.NaN;
    if (count > 0) {
      into.values[i] = quantileOf(quantiles[i] ?? Number.NaN, column.subarray(0, count));
      into.isPresent[i] = 1;
    }
    if (evaluation.meter.spend(100 * (column.length + 1))) yield;
  }
  return into;
}

/** Only the extremes of what is no quantile are told. */
function warnOfExtremes(quantiles: Float64Array, place: Expression, { annotations }: Evaluation): void {
  const least = quantiles.reduce(smaller, Number.MAX_VALUE);
  const most = quantiles.reduce(larger, -Number.MAX_VALUE);
  if (quantiles.some(Number.isNaN)) annotations.warn(place, invalidQuantile(Number.NaN));
  if (most > 1) annotations.warn(place, invalidQuantile(most));
  if (least < 0) annotations.warn(place, invalidQuantile(least));
}

function* evaluateQuantile(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const { parameter = aggregation, inner } = aggregation;
  const quantiles = yield* evaluateScalar(parameter, evaluation);
  const { series } = yield* evaluateVector(inner, evaluation);
  warnOfExtremes(quantiles, parameter, evaluation);
  const found: GridSeries[] = [];
  for (const group of yield* groupSeries(series, aggregation, evaluation.meter)) {
    found.push(yield* quantileOfGroup(group, quantiles, evaluation));
  }
  return { kind: 'vector', series: found };
}

export function* evaluateAggregation(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const create = folds[aggregation.op];
  if (create === undefined) {
    if (aggregation.op === 'quantile') return yield* evaluateQuantile(aggregation, evaluation);
    if (aggregation.op === 'count_values') return yield* evaluateCountValues(aggregation, evaluation);
    if (aggregation.op === 'limitk') return yield* evaluateLimits(aggregation, evaluation);
    if (aggregation.op === 'limit_ratio') return yield* evaluateLimitRatio(aggregation, evaluation);
    return yield* evaluateRanks(aggregation, evaluation);
  }
  const { series } = yield* evaluateVector(aggregation.inner, evaluation);
  const found: GridSeries[] = [];
  for (const group of yield* groupSeries(series, aggregation, evaluation.meter)) {
    found.push(yield* foldGroup(group, create, evaluation));
  }
  return { kind: 'vector', series: found };
}
