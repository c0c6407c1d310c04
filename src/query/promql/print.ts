/** Expressions as text again, on one line or, where that would be long, on several (promql/parser/printer.go, prettier.go). */
import type { LabelMatcher } from '../../store/readers/label-matcher.ts';
import type {
  Aggregation,
  Binary,
  Expression,
  Fill,
  Formula,
  MatrixSelector,
  Moved,
  Subquery,
  VectorSelector,
} from './ast.ts';
import { formatG, formatPlain } from './go-number.ts';
import { quote } from './parse/tokens.ts';

/** Years and weeks only where nothing is left over: 90d is easier to read than 12w6d. */
const durationUnits: readonly (readonly [unit: string, ms: number, isWhole: boolean])[] = [
  ['y', 31_536_000_000, true],
  ['w', 604_800_000, true],
  ['d', 86_400_000, false],
  ['h', 3_600_000, false],
  ['m', 60_000, false],
  ['s', 1000, false],
  ['ms', 1, false],
];

/** `1h30m`. */
export function printDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  let rest = durationMs;
  let text = '';
  for (const [unit, ms, isWhole] of durationUnits) {
    if (isWhole && rest % ms !== 0) continue;
    const count = Math.floor(rest / ms);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * ms;
  }
  return text;
}

const printName = (name: string): string => (/^[a-zA-Z_]\w*$/.test(name) ? name : quote(name));

const printLabels = (labels: readonly string[]): string => labels.map(printName).join(', ');

const printMatcher = ({ name, op, value }: LabelMatcher): string => `${printName(name)}${op}${quote(value)}`;

const printSigned = (durationMs: number): string =>
  durationMs < 0 ? `-${printDuration(-durationMs)}` : printDuration(durationMs);

/** A formula as it was written, but for its blanks. */
function printFormula(formula: Formula): string {
  switch (formula.kind) {
    case 'literal':
      return formula.isDuration ? printSigned(formula.seconds * 1000) : formatPlain(formula.seconds);
    case 'step':
    case 'range':
      return `${formula.kind}()`;
    case 'sign':
      return `${formula.op === '+' ? '' : '-'}${printFormula(formula.inner)}`;
    case 'parentheses':
      return `(${printFormula(formula.inner)})`;
    case 'operation':
      return `${printFormula(formula.left)} ${formula.op} ${printFormula(formula.right)}`;
    default:
      return `${formula.kind}(${printFormula(formula.left)}, ${printFormula(formula.right)})`;
  }
}

const printLength = (durationMs: number, formula: Formula | undefined): string =>
  formula === undefined ? printSigned(durationMs) : printFormula(formula);

function printMoved({ at, offsetMs, offsetFormula }: Moved): string {
  const isMoved = offsetMs !== 0 || offsetFormula !== undefined;
  const offset = isMoved ? ` offset ${printLength(offsetMs, offsetFormula)}` : '';
  if (at === undefined) return offset;
  return ` @ ${at.kind === 'time' ? (at.timeMs / 1000).toFixed(3) : `${at.kind}()`}${offset}`;
}

/** A selector without its modifiers. */
function printMatchers({ name, matchers }: VectorSelector): string {
  const others = name === undefined ? matchers : matchers.slice(0, -1);
  const texts = others.map(printMatcher).sort();
  return `${name ?? ''}${texts.length === 0 && name !== undefined ? '' : `{${texts.join(',')}}`}`;
}

const printEdges = ({ edges }: VectorSelector): string => (edges === undefined ? '' : ` ${edges}`);

const printMatrix = ({ selector, rangeMs, rangeFormula }: MatrixSelector): string =>
  `${printMatchers(selector)}[${printLength(rangeMs, rangeFormula)}]${printEdges(selector)}${printMoved(selector)}`;

function printWindow(subquery: Subquery): string {
  const { rangeMs, rangeFormula, stepMs, stepFormula } = subquery;
  const step = stepMs === undefined ? '' : printLength(stepMs, stepFormula);
  return `[${printLength(rangeMs, rangeFormula)}:${step}]${printMoved(subquery)}`;
}

function printAggregator({ op, labels, isWithout }: Aggregation): string {
  if (isWithout) return `${op} without (${printLabels(labels)}) `;
  return labels.length === 0 ? op : `${op} by (${printLabels(labels)}) `;
}

function printFill({ left, right }: Fill): string {
  if (left === right) return left === undefined ? '' : ` fill (${formatG(left)})`;
  const leftText = left === undefined ? '' : ` fill_left (${formatG(left)})`;
  return right === undefined ? leftText : `${leftText} fill_right (${formatG(right)})`;
}

function printOperator({ op, returnsBool, matching }: Binary): string {
  const { cardinality, isOn, labels, include } = matching;
  const isGrouped = cardinality !== 'one-to-one';
  const by = labels.length > 0 || isOn || isGrouped ? ` ${isOn ? 'on' : 'ignoring'} (${printLabels(labels)})` : '';
  const side = cardinality === 'many-to-one' ? 'left' : 'right';
  const group = isGrouped ? ` group_${side} (${printLabels(include)})` : '';
  return `${op}${returnsBool ? ' bool' : ''}${by}${group}${printFill(matching.fill)}`;
}

/** An expression on one line. */
export function print(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return expression.isDuration ? printSigned(expression.value * 1000) : formatPlain(expression.value);
    case 'string':
      return quote(expression.value);
    case 'vector_selector': {
      const { at, offsetMs, offsetFormula } = expression;
      const offset = printMoved({ at: undefined, offsetMs, offsetFormula });
      const moved = [printMoved({ at, offsetMs: 0 }), printEdges(expression), offset];
      return printMatchers(expression) + moved.join('');
    }
    case 'matrix_selector':
      return printMatrix(expression);
    case 'subquery':
      return print(expression.inner) + printWindow(expression);
    case 'call':
      return `${expression.function}(${expression.arguments.map(print).join(', ')})`;
    case 'aggregation': {
      const parameter = expression.parameter === undefined ? '' : `${print(expression.parameter)}, `;
      return `${printAggregator(expression)}(${parameter}${print(expression.inner)})`;
    }
    case 'binary':
      return `${print(expression.left)} ${printOperator(expression)} ${print(expression.right)}`;
    case 'unary':
      return expression.op + print(expression.inner);
    case 'parentheses':
      return `(${print(expression.inner)})`;
  }
}

const maxLineLength = 100;

/** An expression with each part that is longer than a line on lines of its own. */
export function prettyPrint(expression: Expression, level = 0): string {
  const indent = '  '.repeat(level);
  const line = print(expression);
  if (expression.kind !== 'unary' && Buffer.byteLength(line) <= maxLineLength) {
    // A short subquery is not indented there either.
    return expression.kind === 'subquery' ? line : indent + line;
  }
  switch (expression.kind) {
    case 'subquery':
      return prettyPrint(expression.inner, level) + printWindow(expression);
    case 'call': {
      const args = expression.arguments.map((argument) => prettyPrint(argument, level + 1));
      return `${indent}${expression.function}(\n${args.join(',\n')}\n${indent})`;
    }
    case 'aggregation': {
      const { parameter, inner } = expression;
      const parts = [...(parameter === undefined ? [] : [parameter]), inner];
      const lines = parts.map((part) => prettyPrint(part, level + 1));
      return `${indent}${printAggregator(expression)}(\n${lines.join(',\n')}\n${indent})`;
    }
    case 'binary': {
      const { left, right } = expression;
      return `${prettyPrint(left, level + 1)}\n${indent}${printOperator(expression)}\n${prettyPrint(right, level + 1)}`;
    }
    case 'unary':
      return `${indent}${expression.op}${prettyPrint(expression.inner, level).trim()}`;
    case 'parentheses':
      return `${indent}(\n${prettyPrint(expression.inner, level + 1)}\n${indent})`;
    default:
      return indent + line;
  }
}
