/** Aggregations whose result is one element a group (promql/engine.go `aggregation`). */
import { invalidQuantile } from '../annotations.ts';
import type { Aggregation } from '../ast.ts';
import type { GridSeries, VectorValue } from '../value.ts';
import { type Evaluation, evaluateScalar, evaluateVector, newSeries, type Steps } from './evaluation.ts';
import { type Group, groupSeries } from './grouping.ts';
import { isQuantile, quantileOf } from './quantile.ts';
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

interface Mean {
  sum: number;
  lost: number;
  count: number;
  /** Once the sum would be infinite, the mean itself grows value by value. */
  isByAndBy: boolean;
}

function addToMean(mean: Mean, value: number): void {
  mean.count++;
  if (mean.count === 1) {
    mean.sum = value;
    return;
  }
  let inc = value;
  if (!mean.isByAndBy) {
    const total = mean.sum + value;
    if (Math.abs(total) !== Number.POSITIVE_INFINITY) {
      mean.lost += Math.abs(mean.sum) >= Math.abs(value) ? mean.sum - total + value : value - total + mean.sum;
      mean.sum = total;
      return;
    }
    mean.isByAndBy = true;
    mean.sum /= mean.count - 1;
    mean.lost /= mean.count - 1;
  }
  if (Math.abs(mean.sum) === Number.POSITIVE_INFINITY) {
    // An infinity stays what it is unless the other one or NaN comes.
    if (value === mean.sum || Number.isFinite(value)) return;
  }
  const weight = (mean.count - 1) / mean.count;
  inc = value / mean.count;
  const sum = mean.sum * weight;
  const total = sum + inc;
  mean.lost *= weight;
  if (Math.abs(total) === Number.POSITIVE_INFINITY) mean.lost = 0;
  else mean.lost += Math.abs(sum) >= Math.abs(inc) ? sum - total + inc : inc - total + sum;
  mean.sum = total;
}

const createAverage: CreateFold = ({ values, isPresent }) => {
  const means = Array.from(values, (): Mean => ({ sum: 0, lost: 0, count: 0, isByAndBy: false }));
  return {
    add(member) {
      means.forEach((mean, i) => {
        if (member.isPresent[i] === 1) addToMean(mean, member.values[i] ?? Number.NaN);
      });
    },
    finish() {
      means.forEach(({ sum, lost, count, isByAndBy }, i) => {
        if (count === 0) return;
        isPresent[i] = 1;
        values[i] = isByAndBy ? sum + lost : sum / count + lost / count;
      });
    },
  };
};

/** Folds that need no more than the value so far. */
const createSimple =
  (first: (value: number) => number, next: (sofar: number, value: number) => number): CreateFold =>
  ({ values, isPresent }) => ({
    add(member) {
      for (let i = 0; i < values.length; i++) {
        if (member.isPresent[i] !== 1) continue;
        const value = member.values[i] ?? Number.NaN;
        values[i] = isPresent[i] === 1 ? next(values[i] ?? Number.NaN, value) : first(value);
        isPresent[i] = 1;
      }
    },
    finish: () => undefined,
  });

const same = (value: number): number => value;

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
  count: createSimple(
    () => 1,
    (sofar) => sofar + 1,
  ),
  group: createSimple(
    () => 1,
    () => 1,
  ),
  max: createSimple(same, (sofar, value) => (value > sofar || Number.isNaN(sofar) ? value : sofar)),
  min: createSimple(same, (sofar, value) => (value < sofar || Number.isNaN(sofar) ? value : sofar)),
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

function* evaluateQuantile(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const { parameter = aggregation, inner } = aggregation;
  const quantiles = yield* evaluateScalar(parameter, evaluation);
  const wrong = quantiles.find((quantile) => !isQuantile(quantile));
  if (wrong !== undefined) evaluation.annotations.warn(parameter, invalidQuantile(wrong));
  const { series } = yield* evaluateVector(inner, evaluation);
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
    if (aggregation.op === 'limitk' || aggregation.op === 'limit_ratio') {
      return yield* evaluateLimits(aggregation, evaluation);
    }
    return yield* evaluateRanks(aggregation, evaluation);
  }
  const { series } = yield* evaluateVector(aggregation.inner, evaluation);
  const found: GridSeries[] = [];
  for (const group of yield* groupSeries(series, aggregation, evaluation.meter)) {
    found.push(yield* foldGroup(group, create, evaluation));
  }
  return { kind: 'vector', series: found };
}
