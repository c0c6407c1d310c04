/** A query's text → a checked expression. */
import type { LabelMatcher } from '../../../store/readers/label-matcher.ts';
import type { Expression, ValueType } from '../ast.ts';
import { parseError } from '../error.ts';
import { checkTypes } from './check.ts';
import { createParser, expectEnd, parseExpression } from './parser.ts';

/** Longer texts are refused before they are parsed. */
export const maxQueryLength = 131_072;

/** A query that can be evaluated. */
export interface Query {
  readonly text: string;
  readonly expression: Expression;
  readonly type: ValueType;
}

function parseText(text: string): Expression {
  if (text.length > maxQueryLength) {
    throw parseError(text, maxQueryLength, `query is longer than the limit of ${maxQueryLength} characters`);
  }
  const parser = createParser(text);
  if (parser.token.kind === 'end') throw parseError(text, 0, 'no expression found in input');
  const expression = parseExpression(parser, 0);
  expectEnd(parser);
  return expression;
}

/** Parses and checks a query; throws a PromqlError that says where it is wrong. */
export function parsePromql(text: string): Query {
  const expression = parseText(text);
  return { text, expression, type: checkTypes(text, expression) };
}

/** Parses a series selector that stands alone, as in `match[]`; throws a PromqlError that says where it is wrong. */
export function parseSelectorText(text: string): readonly LabelMatcher[] {
  const expression = parseText(text);
  if (expression.kind !== 'vector_selector' || expression.offsetMs !== 0 || expression.at !== undefined) {
    const end = /^\s*[\w:]*/.exec(text)?.[0].length ?? 0;
    const parser = createParser(text.slice(end));
    throw parseError(text, end, parser.token.kind === 'end' ? 'unexpected end of input' : `unexpected ${text.slice(end, end + 20)}`);
  }
  const { name, matchers } = expression;
  // The name goes first, where readers look for it.
  return name === undefined ? matchers : [...matchers.slice(-1), ...matchers.slice(0, -1)];
}
