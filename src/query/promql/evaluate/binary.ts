/** Binary operators and signs (promql/engine.go, `VectorBinop` and its kin). */
import { type Binary, isArithmetic, isComparison, isSetOp, type Unary } from '../ast.ts';
import type { GridSeries, Value, VectorValue } from '../value.ts';
import { checkUnique, type Evaluation, hasAny, haveOneName, mergeEqual, newSeries, type Steps } from './evaluation.ts';
import { matchVectors } from './matching.ts';
import { type Operation, operationOf } from './operators.ts';
import { combineSets } from './set-operators.ts';

/** Whether the result is no longer what the metric's name says. */
const dropsName = ({ op, returnsBool }: Binary): boolean => isArithmetic(op) || returnsBool;

interface Sides {
  readonly vector: VectorValue;
  readonly scalar: Float64Array;
  readonly isScalarLeft: boolean;
}

/** One series and a number at each point; a comparison keeps the vector's value, on whichever side it stands. */
function withScalar(
  from: GridSeries,
  into: GridSeries,
  { scalar, isScalarLeft, operation }: Omit<Sides, 'vector'> & { readonly operation: Operation },
): void {
  const { compute, keeps } = operation;
  for (let i = 0; i < scalar.length; i++) {
    if (from.isPresent[i] !== 1) continue;
    const value = from.values[i] ?? Number.NaN;
    const number = scalar[i] ?? Number.NaN;
    const left = isScalarLeft ? number : value;
    const right = isScalarLeft ? value : number;
    if (keeps !== undefined) {
      if (!keeps(left, right)) continue;
      into.values[i] = value;
    } else into.values[i] = compute(left, right);
    into.isPresent[i] = 1;
  }
}

function* evaluateWithScalar(binary: Binary, sides: Sides, evaluation: Evaluation): Steps<VectorValue> {
  const { vector, scalar, isScalarLeft } = sides;
  const operation = operationOf(binary.op, binary.returnsBool);
  const found: GridSeries[] = [];
  for (const from of vector.series) {
    const into = newSeries(dropsName(binary) ? evaluation.nameless(from.labels) : from.labels, evaluation);
    withScalar(from, into, { scalar, isScalarLeft, operation });
    if (hasAny(into)) found.push(into);
    if (evaluation.meter.spend(300 + 6 * scalar.length)) yield;
  }
  const isOrdered = vector.isOrdered ?? false;
  if (!dropsName(binary) || (yield* haveOneName(vector.series, evaluation.meter)))
    return { kind: 'vector', series: found, isOrdered };
  return { kind: 'vector', series: yield* mergeEqual(found, evaluation.meter), isOrdered };
}

export function* evaluateBinary(binary: Binary, evaluation: Evaluation): Steps<Value> {
  const { op, returnsBool } = binary;
  const left = yield* evaluation.evaluate(binary.left, evaluation);
  const right = yield* evaluation.evaluate(binary.right, evaluation);
  if (left.kind === 'scalar' && right.kind === 'scalar') {
    // Between scalars a comparison has `bool`.
    const { compute } = operationOf(op, returnsBool || isComparison(op));
    return { kind: 'scalar', values: left.values.map((value, i) => compute(value, right.values[i] ?? Number.NaN)) };
  }
  if (left.kind === 'vector' && right.kind === 'scalar') {
    return yield* evaluateWithScalar(binary, { vector: left, scalar: right.values, isScalarLeft: false }, evaluation);
  }
  if (left.kind === 'scalar' && right.kind === 'vector') {
    return yield* evaluateWithScalar(binary, { vector: right, scalar: left.values, isScalarLeft: true }, evaluation);
  }
  if (left.kind !== 'vector' || right.kind !== 'vector') {
    throw new Error(`${op} was checked and has a ${left.kind} and a ${right.kind}`);
  }
  if (isSetOp(op)) return yield* combineSets(binary, { left, right }, evaluation);
  return yield* matchVectors(binary, { left, right, dropsName: dropsName(binary) }, evaluation);
}

/** `-x`; `+x` is `x`. */
export function* evaluateUnary({ op, inner }: Unary, evaluation: Evaluation): Steps<Value> {
  const value = yield* evaluation.evaluate(inner, evaluation);
  if (op === '+') return value;
  if (value.kind === 'scalar') return { kind: 'scalar', values: value.values.map((number) => -number) };
  if (value.kind !== 'vector') throw new Error(`a sign was checked and has a ${value.kind}`);
  const series: GridSeries[] = [];
  for (const { labels, values, isPresent } of value.series) {
    evaluation.meter.claim(values.length);
    series.push({ labels: evaluation.nameless(labels), values: values.map((number) => -number), isPresent });
    if (evaluation.meter.spend(300 + 2 * values.length)) yield;
  }
  if (!(yield* haveOneName(value.series, evaluation.meter))) yield* checkUnique(series, evaluation.meter);
  return { kind: 'vector', series };
}
