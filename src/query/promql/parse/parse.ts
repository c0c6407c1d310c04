/** A query's text → a checked expression. */
import { maxPatternWeight } from '../../../pattern/pattern.ts';
import { patternWeight } from '../../../pattern/weight.ts';
import type { LabelMatcher } from '../../../store/readers/label-matcher.ts';
import type { Expression, ValueType } from '../ast.ts';
import { parseError } from '../error.ts';
import { checkTypes } from './check.ts';
import { parseExpression } from './parser.ts';
import { parseSelectorAlone } from './selector.ts';
import { createParser, expectEnd } from './state.ts';

/** Longer texts are refused before they are parsed. */
export const maxQueryLength = 131_072;

/** A query that can be evaluated. */
export interface Query {
  readonly text: string;
  readonly expression: Expression;
  readonly type: ValueType;
}

function checkLength(text: string): void {
  if (text.length <= maxQueryLength) return;
  throw parseError(text, maxQueryLength, `query is longer than the limit of ${maxQueryLength} characters`);
}

/** The patterns of matchers, wherever they stand. */
const matcherPattern = /[=!]~\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`)/g;

/** All patterns of a query are compiled before anybody else has a turn. */
function checkPatterns(text: string): void {
  let weight = 0;
  for (const found of text.matchAll(matcherPattern)) {
    weight += patternWeight(found[1] ?? found[2] ?? found[3] ?? '');
    if (weight <= maxPatternWeight) continue;
    const message = `the regular expressions of the query are too large: the limit is ${maxPatternWeight} characters, repetitions counted`;
    throw parseError(text, found.index, message);
  }
}

function parseText(text: string): Expression {
  checkLength(text);
  checkPatterns(text);
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
  checkLength(text);
  checkPatterns(text);
  const { name, matchers } = parseSelectorAlone(createParser(text));
  // The name goes first, where readers look for it.
  return name === undefined ? matchers : [...matchers.slice(-1), ...matchers.slice(0, -1)];
}
