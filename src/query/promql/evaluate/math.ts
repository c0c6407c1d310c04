/** Functions of one value at a time. */
import type { Call } from '../ast.ts';
import type { VectorValue } from '../value.ts';
import { type Evaluation, evaluateScalar, evaluateVector, mapValues, type Steps } from './evaluation.ts';

export const mathFunctions: ReadonlyMap<string, (value: number) => number> = new Map<string, (value: number) => number>(
  [
    ['abs', Math.abs],
    ['acos', Math.acos],
    ['acosh', Math.acosh],
    ['asin', Math.asin],
    ['asinh', Math.asinh],
    ['atan', Math.atan],
    ['atanh', Math.atanh],
    ['ceil', Math.ceil],
    ['cos', Math.cos],
    ['cosh', Math.cosh],
    // The quotient first, lest a large value overflow between.
    ['deg', (value) => value * (180 / Math.PI)],
    ['exp', Math.exp],
    ['floor', Math.floor],
    ['ln', Math.log],
    ['log10', Math.log10],
    ['log2', Math.log2],
    ['rad', (value) => value * (Math.PI / 180)],
    ['sgn', (value) => (value < 0 ? -1 : value > 0 ? 1 : value)],
    ['sin', Math.sin],
    ['sinh', Math.sinh],
    ['sqrt', Math.sqrt],
    ['tan', Math.tan],
    ['tanh', Math.tanh],
  ],
);

/** As Go has them: an infinity that decides goes before NaN. */
export const smaller = (a: number, b: number): number =>
  a === Number.NEGATIVE_INFINITY || b === Number.NEGATIVE_INFINITY ? Number.NEGATIVE_INFINITY : Math.min(a, b);
export const larger = (a: number, b: number): number =>
  a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : Math.max(a, b);

type Held = (value: number, limits: readonly number[]) => number;

/** Those with numbers beside the vector, one for each point. */
export const heldFunctions: ReadonlyMap<string, Held> = new Map<string, Held>([
  ['clamp', (value, [least = Number.NaN, most = Number.NaN]) => larger(least, smaller(most, value))],
  ['clamp_max', (value, [most = Number.NaN]) => smaller(most, value)],
  ['clamp_min', (value, [least = Number.NaN]) => larger(least, value)],
  // By the inverse, so that steps such as 0.1 divide without a rest.
  ['round', (value, [step = 1]) => Math.floor(value * (1 / step) + 0.5) / (1 / step)],
]);

export function* evaluateMath(
  call: Call,
  compute: (value: number) => number,
  evaluation: Evaluation,
): Steps<VectorValue> {
  const vector = yield* evaluateVector(call.arguments[0] ?? call, evaluation);
  return yield* mapValues(vector, evaluation, (from, into) => {
    for (let i = 0; i < into.values.length; i++) {
      if (from.isPresent[i] !== 1) continue;
      into.values[i] = compute(from.values[i] ?? Number.NaN);
      into.isPresent[i] = 1;
    }
  });
}

export function* evaluateHeld(call: Call, compute: Held, evaluation: Evaluation): Steps<VectorValue> {
  const [argument = call, ...rest] = call.arguments;
  const vector = yield* evaluateVector(argument, evaluation);
  const scalars: Float64Array[] = [];
  for (const scalar of rest) scalars.push(yield* evaluateScalar(scalar, evaluation));
  const limits = Array.from({ length: evaluation.grid.count }, (_, i) =>
    scalars.map((values) => values[i] ?? Number.NaN),
  );
  return yield* mapValues(vector, evaluation, (from, into) => {
    limits.forEach((held, i) => {
      if (from.isPresent[i] !== 1) return;
      // No value lies between a minimum and a smaller maximum.
      if (call.function === 'clamp' && (held[1] ?? 0) < (held[0] ?? 0)) return;
      into.values[i] = compute(from.values[i] ?? Number.NaN, held);
      into.isPresent[i] = 1;
    });
  });
}
