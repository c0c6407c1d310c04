/** PromQL expressions after parsing: typed, with durations in milliseconds. */
import type { LabelMatcher } from '../../store/readers/label-matcher.ts';

export interface NumberLiteral {
  readonly kind: 'number';
  readonly value: number;
}

export interface StringLiteral {
  readonly kind: 'string';
  readonly value: string;
}

export interface VectorSelector {
  readonly kind: 'vector_selector';
  /** The metric's name is the matcher `__name__ = …` among them. */
  readonly matchers: readonly LabelMatcher[];
  /** Negative looks ahead. */
  readonly offsetMs: number;
}

export interface MatrixSelector {
  readonly kind: 'matrix_selector';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
}

export interface Call {
  readonly kind: 'call';
  /** A key of the table of functions. */
  readonly function: string;
  readonly arguments: readonly Expression[];
}

export interface Parentheses {
  readonly kind: 'parentheses';
  readonly inner: Expression;
}

export type Expression = NumberLiteral | StringLiteral | VectorSelector | MatrixSelector | Call | Parentheses;

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

/** What an expression evaluates to. */
export function typeOf(expression: Expression): ValueType {
  const inner = unwrap(expression);
  switch (inner.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'vector_selector':
    case 'call':
      return 'vector';
    case 'matrix_selector':
      return 'matrix';
  }
}
