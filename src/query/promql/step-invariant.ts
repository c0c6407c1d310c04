/** Which expressions have one value at every point of the grid, so that they need be evaluated once. */
import { type Expression, unwrap } from './ast.ts';

/** Functions that look at the time of evaluation even where their arguments do not. */
const clockBound: ReadonlySet<string> = new Set(['time', 'predict_linear']);
const dates: ReadonlySet<string> = new Set([
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'hour',
  'minute',
  'month',
  'year',
]);

/** `timestamp` of what is no selector is the time of evaluation. */
function looksAtClock(name: string, args: readonly Expression[]): boolean {
  const [first] = args;
  if (clockBound.has(name)) return true;
  if (dates.has(name)) return first === undefined;
  return name === 'timestamp' && first !== undefined && unwrap(first).kind !== 'vector_selector';
}

const known = new WeakMap<Expression, boolean>();

function decide(expression: Expression): boolean {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return true;
    case 'vector_selector':
    case 'subquery':
      return expression.at !== undefined;
    case 'matrix_selector':
      return expression.selector.at !== undefined;
    case 'call':
      return !looksAtClock(expression.function, expression.arguments) && expression.arguments.every(isStepInvariant);
    case 'aggregation':
      return (
        isStepInvariant(expression.inner) &&
        (expression.parameter === undefined || isStepInvariant(expression.parameter))
      );
    case 'binary':
      return isStepInvariant(expression.left) && isStepInvariant(expression.right);
    case 'unary':
    case 'parentheses':
      return isStepInvariant(expression.inner);
  }
}

export function isStepInvariant(expression: Expression): boolean {
  let decided = known.get(expression);
  if (decided === undefined) {
    decided = decide(expression);
    known.set(expression, decided);
  }
  return decided;
}
