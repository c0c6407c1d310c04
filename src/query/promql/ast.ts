/** PromQL expressions after parsing: typed, each with its place in the text, durations in milliseconds. */
import type { LabelMatcher } from '../../store/readers/label-matcher.ts';

/** Where a node stands in the query: UTF-16 units, `to` excluded. */
export interface Place {
  readonly from: number;
  readonly to: number;
}

export interface NumberLiteral extends Place {
  readonly kind: 'number';
  readonly value: number;
  /** Whether it was written as a duration, as in `5m`. */
  readonly isDuration: boolean;
}

export interface StringLiteral extends Place {
  readonly kind: 'string';
  readonly value: string;
}

/** The time of `@`. */
export type At =
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

/** A duration that was not written as one literal, as in `[step() + 1m]`; its numbers are seconds. */
export type Formula =
  | (Place & { readonly kind: 'literal'; readonly seconds: number; readonly isDuration: boolean })
  | (Place & { readonly kind: 'step' | 'range' })
  | (Place & { readonly kind: 'sign'; readonly op: '+' | '-'; readonly inner: Formula })
  | (Place & { readonly kind: 'parentheses'; readonly inner: Formula })
  | (Place & { readonly kind: 'min_of' | 'max_of'; readonly left: Formula; readonly right: Formula })
  | (Place & { readonly kind: 'operation'; readonly op: FormulaOp; readonly left: Formula; readonly right: Formula });

export type FormulaOp = '+' | '-' | '*' | '/' | '%' | '^';

/** The modifiers of a selector or subquery. */
export interface Moved {
  /** Negative looks ahead. Where a formula speaks of the query's times, 0 until they are known, as with the other durations. */
  readonly offsetMs: number;
  readonly offsetFormula?: Formula | undefined;
  readonly at: At | undefined;
}

export interface VectorSelector extends Place, Moved {
  readonly kind: 'vector_selector';
  /** The name before the braces, if any. */
  readonly name: string | undefined;
  /** The metric's name is the matcher `__name__ = …` among them, the last where it stands before the braces. */
  readonly matchers: readonly LabelMatcher[];
  /** How samples beyond the window count. */
  readonly edges: Edges | undefined;
}

export type Edges = 'anchored' | 'smoothed';

export interface MatrixSelector extends Place {
  readonly kind: 'matrix_selector';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly rangeFormula?: Formula | undefined;
}

export interface Subquery extends Place, Moved {
  readonly kind: 'subquery';
  readonly inner: Expression;
  readonly rangeMs: number;
  readonly rangeFormula?: Formula | undefined;
  /** Undefined takes the default. */
  readonly stepMs: number | undefined;
  readonly stepFormula?: Formula | undefined;
}

export interface Call extends Place {
  readonly kind: 'call';
  /** A key of the table of functions. */
  readonly function: string;
  readonly arguments: readonly Expression[];
}

export type AggregationOp =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'count_values'
  | 'quantile'
  | 'limitk'
  | 'limit_ratio';

export interface Aggregation extends Place {
  readonly kind: 'aggregation';
  readonly op: AggregationOp;
  readonly inner: Expression;
  readonly parameter: Expression | undefined;
  readonly labels: readonly string[];
  readonly isWithout: boolean;
}

export type ArithmeticOp = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOp = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type SetOp = 'and' | 'or' | 'unless';
export type BinaryOp = ArithmeticOp | ComparisonOp | SetOp;

/** Which elements of two vectors belong together. */
export interface Matching {
  readonly cardinality: 'one-to-one' | 'many-to-one' | 'one-to-many';
  /** `on(labels)`, or else `ignoring(labels)`. */
  readonly isOn: boolean;
  readonly labels: readonly string[];
  /** The labels that `group_left` and `group_right` copy from the one side. */
  readonly include: readonly string[];
  /** What stands in for an element that is missing on a side. */
  readonly fill: Fill;
}

export interface Fill {
  readonly left: number | undefined;
  readonly right: number | undefined;
}

export interface Binary extends Place {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: Expression;
  readonly right: Expression;
  readonly returnsBool: boolean;
  readonly matching: Matching;
}

export interface Unary extends Place {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly inner: Expression;
}

export interface Parentheses extends Place {
  readonly kind: 'parentheses';
  readonly inner: Expression;
}

export type Expression =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregation
  | Binary
  | Unary
  | Parentheses;

export type ValueType = 'scalar' | 'string' | 'vector' | 'matrix';

/** A type as Prometheus's messages name it. */
export const typeNames: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  string: 'string',
  vector: 'instant vector',
  matrix: 'range vector',
};

/** The expression inside any number of parentheses. */
export function unwrap(expression: Expression): Exclude<Expression, Parentheses> {
  let inner = expression;
  while (inner.kind === 'parentheses') inner = inner.inner;
  return inner;
}

const comparisons: ReadonlySet<string> = new Set<ComparisonOp>(['==', '!=', '<', '<=', '>', '>=']);
const sets: ReadonlySet<string> = new Set<SetOp>(['and', 'or', 'unless']);

export const isComparison = (op: BinaryOp): op is ComparisonOp => comparisons.has(op);
export const isSetOp = (op: BinaryOp): op is SetOp => sets.has(op);
export const isArithmetic = (op: BinaryOp): op is ArithmeticOp => !isComparison(op) && !isSetOp(op);
