/** `offset` and `@`, which a selector or a subquery may each have once, in either order. */
import type { At, Edges, Expression, Moved } from '../ast.ts';
import { parseError } from '../error.ts';
import type { ParsedDuration } from './duration.ts';

interface Change {
  readonly to: number;
  /** What the modifier is called where it may not stand. */
  readonly what: string;
  readonly repeated: string;
  readonly isSet: (moved: Moved) => boolean;
  readonly fields: Partial<Moved>;
}

function changed(query: string, expression: Expression, change: Change): Expression {
  const { to, what, repeated, isSet, fields } = change;
  const check = (moved: Moved): void => {
    if (isSet(moved)) throw parseError(query, expression.from, repeated);
  };
  switch (expression.kind) {
    case 'vector_selector':
    case 'subquery':
      check(expression);
      return { ...expression, ...fields, to };
    case 'matrix_selector':
      check(expression.selector);
      return { ...expression, selector: { ...expression.selector, ...fields }, to };
    default:
      throw parseError(
        query,
        expression.from,
        `${what} modifier must be preceded by an instant vector selector or range vector selector or a subquery`,
      );
  }
}

export const withOffset = (query: string, expression: Expression, duration: ParsedDuration, to: number): Expression =>
  changed(query, expression, {
    to,
    what: 'offset',
    repeated: 'offset may not be set multiple times',
    isSet: (moved) => moved.offsetMs !== 0 || moved.offsetFormula !== undefined,
    fields: { offsetMs: duration.ms, offsetFormula: duration.formula },
  });

export const withAt = (query: string, expression: Expression, at: At, to: number): Expression =>
  changed(query, expression, {
    to,
    what: '@',
    repeated: '@ <timestamp> may not be set multiple times',
    isSet: (moved) => moved.at !== undefined,
    fields: { at },
  });

/** `anchored` or `smoothed` on a selector. */
export function withEdges(query: string, expression: Expression, edges: Edges, to: number): Expression {
  const refuse = (message: string): never => {
    throw parseError(query, expression.from, message);
  };
  if (expression.kind === 'subquery') return refuse(`${edges} modifier is not supported for subqueries`);
  const selector = expression.kind === 'matrix_selector' ? expression.selector : expression;
  if (selector.kind !== 'vector_selector') return refuse(`${edges} modifier not implemented`);
  if (selector.edges !== undefined && selector.edges !== edges) {
    return refuse('anchored and smoothed modifiers cannot be used together');
  }
  const changed = { ...selector, edges };
  return expression.kind === 'matrix_selector' ? { ...expression, selector: changed, to } : { ...changed, to };
}
