/** The evaluator: expression + samples → value. Pure; it is the reference for whatever is computed in the engine instead. */
import { type Expression, type MatrixSelector, type Parentheses, type Subquery, unwrap } from '../ast.ts';
import { isStepInvariant } from '../step-invariant.ts';
import type { GridSeries, RawSeries, Value } from '../value.ts';
import { evaluateAggregation } from './aggregation.ts';
import { evaluateBinary, evaluateUnary } from './binary.ts';
import { evaluateCall } from './call.ts';
import { type Evaluation, newSeries, type Steps } from './evaluation.ts';
import { evaluateSmoothed, extendedSamples } from './extended.ts';
import { countUntil } from './positions.ts';
import { evaluateRange } from './range-vector.ts';
import { evaluateSelector } from './selector.ts';

/** A range vector as it stands, at the grid's only point. */
function* evaluateMatrix(range: MatrixSelector | Subquery, evaluation: Evaluation): Steps<Value> {
  const vector = yield* evaluateRange(range, evaluation);
  if (vector.edges !== undefined) return { kind: 'matrix', series: yield* extendedSamples(vector, evaluation) };
  const { series, rangeMs, firstMs } = vector;
  const found: RawSeries[] = [];
  for (const { labels, timestampsMs, values } of series) {
    const from = countUntil(timestampsMs, firstMs - rangeMs);
    const to = countUntil(timestampsMs, firstMs);
    if (to > from) {
      found.push({ labels, timestampsMs: timestampsMs.subarray(from, to), values: values.subarray(from, to) });
    }
    if (evaluation.meter.spend(1000)) yield;
  }
  return { kind: 'matrix', series: found };
}

/** What is the same at every point is evaluated once and repeated. */
function* evaluateOnce(expression: Expression, evaluation: Evaluation): Steps<Value> {
  const { grid } = evaluation;
  const value = yield* evaluate(expression, { ...evaluation, grid: { ...grid, count: 1, givenEndMs: grid.startMs } });
  switch (value.kind) {
    case 'scalar':
      return { kind: 'scalar', values: new Float64Array(grid.count).fill(value.values[0] ?? Number.NaN) };
    case 'vector': {
      const series: GridSeries[] = [];
      for (const { labels, values, isPresent } of value.series) {
        const into = newSeries(labels, evaluation);
        into.values.fill(values[0] ?? Number.NaN);
        into.isPresent.fill(isPresent[0] ?? 0);
        series.push(into);
        if (evaluation.meter.spend(300 + grid.count)) yield;
      }
      return { ...value, series };
    }
    default:
      return value;
  }
}

function* evaluateNode(inner: Exclude<Expression, Parentheses>, evaluation: Evaluation): Steps<Value> {
  switch (inner.kind) {
    case 'number':
      return { kind: 'scalar', values: new Float64Array(evaluation.grid.count).fill(inner.value) };
    case 'string':
      return { kind: 'string', text: inner.value };
    case 'vector_selector':
      if (inner.edges === 'smoothed') return { kind: 'vector', series: yield* evaluateSmoothed(inner, evaluation) };
      return { kind: 'vector', series: yield* evaluateSelector(inner, evaluation) };
    case 'matrix_selector':
    case 'subquery':
      return yield* evaluateMatrix(inner, evaluation);
    case 'call':
      return yield* evaluateCall(inner, evaluation);
    case 'aggregation':
      return yield* evaluateAggregation(inner, evaluation);
    case 'binary':
      return yield* evaluateBinary(inner, evaluation);
    case 'unary':
      return yield* evaluateUnary(inner, evaluation);
  }
}

/** How many points a value holds on to. */
function sizeOf(value: Value, { grid }: Evaluation): number {
  if (value.kind === 'vector') return value.series.length * grid.count;
  return value.kind === 'scalar' ? grid.count : 0;
}

/** Evaluates an expression over the grid. Series come in the order in which the samples had them, unless the value says that it is ordered. */
export function* evaluate(expression: Expression, evaluation: Evaluation): Steps<Value> {
  const inner = unwrap(expression);
  const isOnce = evaluation.grid.count > 1 && inner.kind !== 'number' && isStepInvariant(inner);
  const before = evaluation.meter.claimed();
  const value = isOnce ? yield* evaluateOnce(inner, evaluation) : yield* evaluateNode(inner, evaluation);
  // What the value was made of is garbage now.
  evaluation.meter.settle(before + sizeOf(value, evaluation));
  return value;
}
