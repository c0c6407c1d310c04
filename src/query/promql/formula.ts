/** Durations written as formulas: what they come to, now or once the query's times are known (promql/durations.go). */
import { type Expression, type Formula, type FormulaOp, type Moved, unwrap } from './ast.ts';
import { PromqlError, parseError } from './error.ts';
import { type Grid, givenEndOf } from './value.ts';

/** Go's durations end at 2^63 ns, and so do Prometheus's. */
export const longestMs = 9_223_372_036_854;

/** What `step()` and `range()` stand for, in seconds; of an instant query both are 0. */
export interface QueryTimes {
  readonly stepS: number;
  readonly rangeS: number;
}

export const queryTimesOf = (grid: Grid): QueryTimes => ({
  stepS: grid.stepMs / 1000,
  rangeS: (givenEndOf(grid) - grid.startMs) / 1000,
});

/** Whether a formula speaks of the query's times. */
export function isBound(formula: Formula): boolean {
  switch (formula.kind) {
    case 'literal':
      return false;
    case 'step':
    case 'range':
      return true;
    case 'sign':
    case 'parentheses':
      return isBound(formula.inner);
    default:
      return isBound(formula.left) || isBound(formula.right);
  }
}

const operations: Readonly<Record<FormulaOp, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': (a, b) => a ** b,
};

/** Whether it is a number or a duration as it stands, with a sign or none. */
export const isLiteral = (formula: Formula): boolean =>
  formula.kind === 'literal' || (formula.kind === 'sign' && formula.inner.kind === 'literal');

/** What is wrong with a formula Prometheus finds out after it was parsed, and gives its first and last byte. */
function refuse(query: string, formula: Formula, message: string): never {
  if (isLiteral(formula)) throw parseError(query, formula.from, message);
  const bytesTo = (at: number): number => Buffer.byteLength(query.slice(0, at));
  throw new PromqlError('parse', `${bytesTo(formula.from)}:${bytesTo(formula.to)}: ${message}`);
}

function secondsOf(query: string, formula: Formula, times: QueryTimes): number {
  switch (formula.kind) {
    case 'literal':
      return formula.seconds;
    case 'step':
      return times.stepS;
    case 'range':
      return times.rangeS;
    case 'parentheses':
      return secondsOf(query, formula.inner, times);
    case 'sign':
      return (formula.op === '-' ? -1 : 1) * secondsOf(query, formula.inner, times);
    case 'min_of':
      return Math.min(secondsOf(query, formula.left, times), secondsOf(query, formula.right, times));
    case 'max_of':
      return Math.max(secondsOf(query, formula.left, times), secondsOf(query, formula.right, times));
    case 'operation': {
      const left = secondsOf(query, formula.left, times);
      const right = secondsOf(query, formula.right, times);
      if (right === 0 && formula.op === '/') return refuse(query, formula, 'division by zero');
      if (right === 0 && formula.op === '%') return refuse(query, formula, 'modulo by zero');
      return operations[formula.op](left, right);
    }
  }
}

/** The milliseconds that a formula comes to; throws where that is no range (or, `mayBeNegative`, no offset) at all. */
export function durationOf(
  query: string,
  formula: Formula,
  { times, mayBeNegative }: { readonly times: QueryTimes; readonly mayBeNegative: boolean },
): number {
  const seconds = secondsOf(query, formula, times);
  if (!Number.isFinite(seconds) && !isLiteral(formula)) return refuse(query, formula, 'duration is NaN or infinite');
  // Literals go to nanoseconds first, so that 1.005 s are 1005 ms; formulas are cut to milliseconds. And no -0.
  const ms = Math.trunc(isLiteral(formula) ? Math.round(seconds * 1e9) / 1e6 : seconds * 1000) + 0;
  if (!Number.isFinite(ms) || Math.abs(ms) > longestMs) {
    return refuse(query, formula, isLiteral(formula) ? 'duration out of range' : 'duration is out of range');
  }
  if (ms <= 0 && !mayBeNegative) return refuse(query, formula, 'duration must be greater than 0');
  return ms;
}

type Resolve = (formula: Formula | undefined, known: number, mayBeNegative?: boolean) => number;

function resolveIn(expression: Expression, resolve: Resolve): Expression {
  const inside = (inner: Expression): Expression => resolveIn(inner, resolve);
  const offset = ({ offsetMs, offsetFormula }: Moved): Pick<Moved, 'offsetMs'> => ({
    offsetMs: resolve(offsetFormula, offsetMs, true),
  });
  switch (expression.kind) {
    case 'number':
    case 'string':
      return expression;
    case 'vector_selector':
      return { ...expression, ...offset(expression) };
    case 'matrix_selector': {
      const { selector, rangeMs, rangeFormula } = expression;
      const moved = { ...selector, ...offset(selector) };
      return { ...expression, selector: moved, rangeMs: resolve(rangeFormula, rangeMs) };
    }
    case 'subquery': {
      const { inner, rangeMs, rangeFormula, stepMs, stepFormula } = expression;
      const step = stepMs === undefined ? undefined : resolve(stepFormula, stepMs);
      const range = resolve(rangeFormula, rangeMs);
      return { ...expression, ...offset(expression), inner: inside(inner), rangeMs: range, stepMs: step };
    }
    case 'call':
      return { ...expression, arguments: expression.arguments.map(inside) };
    case 'aggregation': {
      const { inner, parameter } = expression;
      return {
        ...expression,
        inner: inside(inner),
        parameter: parameter === undefined ? undefined : inside(parameter),
      };
    }
    case 'binary':
      return { ...expression, left: inside(expression.left), right: inside(expression.right) };
    case 'unary':
    case 'parentheses':
      return { ...expression, inner: inside(expression.inner) };
  }
}

/** Whether any duration of an expression speaks of the query's times. */
export function hasBound(expression: Expression): boolean {
  const isOne = (formula: Formula | undefined): boolean => formula !== undefined && isBound(formula);
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'number':
    case 'string':
      return false;
    case 'vector_selector':
      return isOne(inner.offsetFormula);
    case 'matrix_selector':
      return isOne(inner.rangeFormula) || isOne(inner.selector.offsetFormula);
    case 'subquery':
      return [inner.rangeFormula, inner.stepFormula, inner.offsetFormula].some(isOne) || hasBound(inner.inner);
    case 'call':
      return inner.arguments.some(hasBound);
    case 'aggregation':
      return hasBound(inner.inner) || (inner.parameter !== undefined && hasBound(inner.parameter));
    case 'binary':
      return hasBound(inner.left) || hasBound(inner.right);
    case 'unary':
      return hasBound(inner.inner);
  }
}

/** The expression with `step()` and `range()` in its durations replaced by what they are in a query over this grid; itself where it has none. */
export function resolveDurations(text: string, expression: Expression, grid: Grid): Expression {
  if (!hasBound(expression)) return expression;
  const times = queryTimesOf(grid);
  return resolveIn(expression, (formula, known, mayBeNegative = false) =>
    formula === undefined || !isBound(formula) ? known : durationOf(text, formula, { times, mayBeNegative }),
  );
}
