/** What operators do to two numbers. */
import type { ArithmeticOp, BinaryOp, ComparisonOp } from '../ast.ts';

const arithmetic: Readonly<Record<ArithmeticOp, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': power,
  atan2: Math.atan2,
};

const comparison: Readonly<Record<ComparisonOp, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** IEEE's power: 1 to any power and -1 to an infinite one are 1, where JavaScript says NaN. */
function power(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY)) return 1;
  return a ** b;
}

/** An operator of numbers: its result, and for a comparison that filters whether the element stays. */
export interface Operation {
  readonly compute: (a: number, b: number) => number;
  readonly keeps: ((a: number, b: number) => boolean) | undefined;
}

/** Comparisons give the left side's value where they hold, or 1 and 0 with `bool`. */
export function operationOf(op: BinaryOp, returnsBool: boolean): Operation {
  if (op === 'and' || op === 'or' || op === 'unless') throw new Error(`${op} is no operator of numbers`);
  if (op in arithmetic) return { compute: arithmetic[op as ArithmeticOp], keeps: undefined };
  const holds = comparison[op as ComparisonOp];
  if (returnsBool) return { compute: (a, b) => (holds(a, b) ? 1 : 0), keeps: undefined };
  return { compute: (a) => a, keeps: holds };
}
