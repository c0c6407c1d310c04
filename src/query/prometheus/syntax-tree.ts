/** An expression as `/api/v1/parse_query` gives it (Prometheus: web/api/v1/translate_ast.go). */
import { type Expression, type Formula, isSetOp, type Moved, unwrap, type VectorSelector } from '../promql/ast.ts';
import { functions } from '../promql/functions.ts';
import { formatPlain } from '../promql/go-number.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A formula as it was written; a literal alone is none. */
function formulaTree(formula: Formula | undefined): Json {
  if (formula === undefined) return null;
  const operation = (op: string, lhs: Formula | undefined, rhs: Formula | undefined): Json => ({
    type: 'durationExpr',
    op,
    lhs: formulaTree(lhs),
    rhs: formulaTree(rhs),
    wrapped: false,
  });
  switch (formula.kind) {
    case 'literal':
      return { type: 'numberLiteral', val: formatPlain(formula.seconds), duration: formula.isDuration };
    case 'step':
    case 'range':
      return operation(formula.kind, undefined, undefined);
    case 'sign':
      if (formula.inner.kind === 'literal') {
        const { seconds } = formula.inner;
        return formulaTree({ ...formula.inner, seconds: formula.op === '-' ? -seconds : seconds });
      }
      return operation(formula.op, undefined, formula.inner);
    case 'parentheses': {
      const inner = formulaTree(formula.inner);
      const isOperation = typeof inner === 'object' && inner !== null && 'wrapped' in inner;
      return isOperation ? { ...inner, wrapped: true } : inner;
    }
    default:
      return operation(formula.kind === 'operation' ? formula.op : formula.kind, formula.left, formula.right);
  }
}

const moved = ({ at, offsetMs, offsetFormula }: Moved): { readonly [key: string]: Json } => ({
  // What a formula says is not evaluated there.
  offset: offsetFormula === undefined ? offsetMs : 0,
  offsetExpr: formulaTree(offsetFormula),
  timestamp: at?.kind === 'time' ? at.timeMs : null,
  startOrEnd: at === undefined || at.kind === 'time' ? null : at.kind,
});

const selector = (node: VectorSelector): { readonly [key: string]: Json } => ({
  name: node.name ?? '',
  matchers: node.matchers.map(({ name, op, value }) => ({ name, value, type: op })),
  ...moved(node),
  anchored: node.edges === 'anchored',
  smoothed: node.edges === 'smoothed',
});

/** Whether an expression is a number at each point, for which operators have no matching. */
function isScalar(expression: Expression): boolean {
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'number':
      return true;
    case 'call':
      return functions.get(inner.function)?.returns === 'scalar';
    case 'unary':
      return isScalar(inner.inner);
    case 'binary':
      return isScalar(inner.left) && isScalar(inner.right);
    default:
      return false;
  }
}

function binary(node: Extract<Expression, { kind: 'binary' }>): Json {
  const { op, left, right, returnsBool, matching } = node;
  const { cardinality, labels, isOn, include } = matching;
  const hasMatching = !isScalar(left) && !isScalar(right);
  return {
    type: 'binaryExpr',
    op,
    lhs: syntaxTree(left),
    rhs: syntaxTree(right),
    matching: hasMatching
      ? {
          card: isSetOp(op) ? 'many-to-many' : cardinality,
          labels,
          on: isOn,
          include,
          fillValues: { lhs: matching.fill.left ?? null, rhs: matching.fill.right ?? null },
        }
      : null,
    bool: returnsBool,
  };
}

export function syntaxTree(expression: Expression): Json {
  switch (expression.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatPlain(expression.value) };
    case 'string':
      return { type: 'stringLiteral', val: expression.value };
    case 'vector_selector':
      return { type: 'vectorSelector', ...selector(expression) };
    case 'matrix_selector':
      return {
        type: 'matrixSelector',
        range: expression.rangeFormula === undefined ? expression.rangeMs : 0,
        rangeExpr: formulaTree(expression.rangeFormula),
        ...selector(expression.selector),
      };
    case 'subquery': {
      const { inner, rangeMs, rangeFormula, stepMs = 0, stepFormula } = expression;
      const range = { range: rangeFormula === undefined ? rangeMs : 0, rangeExpr: formulaTree(rangeFormula) };
      const step = { step: stepFormula === undefined ? stepMs : 0, stepExpr: formulaTree(stepFormula) };
      return { type: 'subquery', expr: syntaxTree(inner), ...range, ...step, ...moved(expression) };
    }
    case 'call': {
      const known = functions.get(expression.function);
      const func = {
        name: expression.function,
        argTypes: known?.parameters ?? [],
        variadic: known?.variadic ?? 0,
        returnType: known?.returns ?? 'vector',
      };
      return { type: 'call', func, args: expression.arguments.map(syntaxTree) };
    }
    case 'aggregation': {
      const { op, inner, parameter, labels, isWithout } = expression;
      const param = parameter === undefined ? null : syntaxTree(parameter);
      return { type: 'aggregation', op, expr: syntaxTree(inner), param, grouping: labels, without: isWithout };
    }
    case 'binary':
      return binary(expression);
    case 'unary':
      return { type: 'unaryExpr', op: expression.op, expr: syntaxTree(expression.inner) };
    case 'parentheses':
      return { type: 'parenExpr', expr: syntaxTree(expression.inner) };
  }
}
