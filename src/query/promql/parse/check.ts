/** What the grammar leaves open: types, numbers of arguments, matchers that select something (promql/parser/parse.go, `checkAST`). */
import { matchesEmpty } from '../../../store/readers/label-matcher.ts';
import {
  type Aggregation,
  type Binary,
  type Call,
  type Edges,
  type Expression,
  isComparison,
  isSetOp,
  type Place,
  typeNames,
  unwrap,
  type ValueType,
  type VectorSelector,
} from '../ast.ts';
import { PromqlError, parseError } from '../error.ts';
import { type FunctionSignature, functions } from '../functions.ts';
import { quote } from './tokens.ts';

const fail = (query: string, { from }: Pick<Place, 'from'>, message: string): never => {
  throw parseError(query, from, message);
};

function checkSelector(query: string, selector: VectorSelector): void {
  const { name, matchers } = selector;
  if (name !== undefined) {
    const other = matchers.slice(0, -1).find((matcher) => matcher.name === '__name__');
    if (other === undefined) return;
    fail(query, selector, `metric name must not be set twice: ${quote(name)} or ${quote(other.value)}`);
  }
  if (matchers.every(matchesEmpty)) {
    fail(query, selector, 'vector selector must contain at least one non-empty matcher');
  }
}

function expectType(query: string, expression: Expression, wanted: ValueType, context: string): void {
  const type = checkTypes(query, expression);
  if (type === wanted) return;
  fail(query, expression, `expected type ${typeNames[wanted]} in ${context}, got ${typeNames[type]}`);
}

function checkAggregation(query: string, { op, inner, parameter }: Aggregation): void {
  expectType(query, inner, 'vector', 'aggregation expression');
  if (parameter === undefined) return;
  expectType(query, parameter, op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter');
}

/** Where the operator stands: after the left side and the blanks that follow it. */
function operatorPlace(query: string, { left }: Binary): Pick<Place, 'from'> {
  let from = left.to;
  while (/\s/.test(query[from] ?? '')) from++;
  return { from };
}

function checkOperator(
  query: string,
  binary: Binary,
  types: { readonly left: ValueType; readonly right: ValueType },
): void {
  const { op, returnsBool, matching } = binary;
  if (returnsBool && !isComparison(op)) {
    fail(query, operatorPlace(query, binary), 'bool modifier can only be used on comparison operators');
  }
  if (isComparison(op) && !returnsBool && types.left === 'scalar' && types.right === 'scalar') {
    fail(query, operatorPlace(query, binary), 'comparisons between scalars must use BOOL modifier');
  }
  const both = matching.isOn ? matching.labels.find((label) => matching.include.includes(label)) : undefined;
  if (both === undefined) return;
  fail(query, operatorPlace(query, binary), `label ${quote(both)} must not occur in ON and GROUP clause at once`);
}

function checkBinary(query: string, binary: Binary): ValueType {
  const { op, left, right, matching } = binary;
  const types = { left: checkTypes(query, left), right: checkTypes(query, right) };
  checkOperator(query, binary, types);
  for (const side of ['left', 'right'] as const) {
    if (types[side] === 'scalar' || types[side] === 'vector') continue;
    fail(query, binary[side], 'binary expression must contain only scalar and instant vector types');
  }
  const isBetweenVectors = types.left === 'vector' && types.right === 'vector';
  if (!isBetweenVectors && matching.labels.length > 0) {
    fail(query, binary, 'vector matching only allowed between instant vectors');
  }
  if (matching.fill.left !== undefined || matching.fill.right !== undefined) {
    if (!isBetweenVectors) fail(query, binary, 'filling in missing series only allowed between instant vectors');
    if (isSetOp(op)) fail(query, binary, 'filling in missing series not allowed for set operators');
  }
  if (isSetOp(op)) {
    if (!isBetweenVectors) fail(query, binary, `set operator ${quote(op)} not allowed in binary scalar expression`);
    if (matching.cardinality !== 'one-to-one') fail(query, binary, `no grouping allowed for ${quote(op)} operation`);
  }
  return types.left === 'scalar' && types.right === 'scalar' ? 'scalar' : 'vector';
}

function checkCount(query: string, call: Call, { parameters, variadic }: FunctionSignature): void {
  const got = call.arguments.length;
  const name = quote(call.function);
  if (variadic === 0) {
    if (got === parameters.length) return;
    fail(query, call, `expected ${parameters.length} argument(s) in call to ${name}, got ${got}`);
  }
  const least = parameters.length - 1;
  if (got < least) fail(query, call, `expected at least ${least} argument(s) in call to ${name}, got ${got}`);
  if (variadic > 0 && got > least + variadic) {
    fail(query, call, `expected at most ${least + variadic} argument(s) in call to ${name}, got ${got}`);
  }
}

/** The second argument of `info` is no selector of its own: matchers of labels, all of which may take the empty value. */
function checkInfoMatchers(query: string, argument: Expression): void {
  if (argument.kind !== 'vector_selector') fail(query, argument, 'expected label selectors only');
  else if (argument.name !== undefined) {
    fail(query, argument, 'expected label selectors only, got vector selector instead');
  }
}

const withEdges: Readonly<Record<Edges, readonly string[]>> = {
  anchored: ['changes', 'delta', 'increase', 'rate', 'resets'],
  smoothed: ['delta', 'increase', 'rate'],
};

/** Only some functions can take notice of what is beyond the window. */
function checkEdges(call: Call): void {
  for (const argument of call.arguments.map(unwrap)) {
    const edges = argument.kind === 'matrix_selector' ? argument.selector.edges : undefined;
    if (edges === undefined || withEdges[edges].includes(call.function)) continue;
    const known = withEdges[edges].join(', ');
    throw new PromqlError('execution', `${edges} modifier can only be used with: ${known} - not with ${call.function}`);
  }
}

function checkCall(query: string, call: Call): ValueType {
  const signature = functions.get(call.function);
  if (signature === undefined) return fail(query, call, `unknown function with name ${quote(call.function)}`);
  checkCount(query, call, signature);
  checkEdges(call);
  for (const [i, argument] of call.arguments.entries()) {
    if (call.function === 'info' && i === 1) {
      checkInfoMatchers(query, argument);
      continue;
    }
    const wanted = signature.parameters[Math.min(i, signature.parameters.length - 1)] ?? 'scalar';
    expectType(query, argument, wanted, `call to function ${quote(call.function)}`);
  }
  return signature.returns;
}

/** Checks an expression and says what it evaluates to. Throws a PromqlError at the first thing that does not fit. */
export function checkTypes(query: string, expression: Expression): ValueType {
  switch (expression.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'vector_selector':
      checkSelector(query, expression);
      return 'vector';
    case 'matrix_selector':
      checkSelector(query, expression.selector);
      return 'matrix';
    case 'subquery': {
      const type = checkTypes(query, expression.inner);
      if (type !== 'vector') fail(query, expression, `subquery is only allowed on instant vector, got ${type} instead`);
      return 'matrix';
    }
    case 'call':
      return checkCall(query, expression);
    case 'aggregation':
      checkAggregation(query, expression);
      return 'vector';
    case 'binary':
      return checkBinary(query, expression);
    case 'unary': {
      const type = checkTypes(query, expression.inner);
      if (type === 'scalar' || type === 'vector') return type;
      const got = quote(typeNames[type]);
      return fail(
        query,
        expression,
        `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`,
      );
    }
    case 'parentheses':
      return checkTypes(query, expression.inner);
  }
}
