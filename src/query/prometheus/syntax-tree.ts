/** An expression as `/api/v1/parse_query` gives it (Prometheus: web/api/v1/translate_ast.go). */
import { type Expression, isSetOp, type Moved, unwrap, type VectorSelector } from '../promql/ast.ts';
import { functions } from '../promql/functions.ts';
import { formatPlain } from '../promql/go-number.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const moved = ({ at, offsetMs }: Moved): { readonly [key: string]: Json } => ({
  offset: offsetMs,
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
      return { type: 'matrixSelector', range: expression.rangeMs, ...selector(expression.selector) };
    case 'subquery': {
      const { inner, rangeMs, stepMs = 0 } = expression;
      return { type: 'subquery', expr: syntaxTree(inner), range: rangeMs, step: stepMs, ...moved(expression) };
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
