/** Selectors and lists of labels. */
import {
  InvalidRegexError,
  type LabelMatcher,
  type MatchOp,
  matchesEmpty,
} from '../../../store/readers/label-matcher.ts';
import type { VectorSelector } from '../ast.ts';
import { accept, advance, expectEnd, failAt, isNext, type Parser, stringOf, unexpected } from './state.ts';
import type { Token } from './tokens.ts';

const matchOps: Readonly<Record<string, MatchOp>> = { '=': '=', '!=': '!=', '=~': '=~', '!~': '!~' };

/** `name op "text"`, or a metric's name in quotes. */
function parseMatcher(parser: Parser): LabelMatcher {
  const label = parser.token;
  if (label.kind !== 'identifier' && label.kind !== 'string') unexpected(parser, 'label matching', 'identifier or "}"');
  advance(parser);
  const name = label.kind === 'string' ? stringOf(parser, label) : label.text;
  const op = parser.token.kind === 'operator' ? matchOps[parser.token.text] : undefined;
  if (op === undefined) {
    if (label.kind === 'string' && (isNext(parser, ',') || isNext(parser, '}'))) {
      return { name: '__name__', op: '=', value: name };
    }
    return unexpected(parser, 'label matching', label.kind === 'string' ? '"," or "}"' : 'label matching operator');
  }
  advance(parser);
  if (parser.token.kind !== 'string') return unexpected(parser, 'label matching', 'string');
  const matcher: LabelMatcher = { name, op, value: stringOf(parser, advance(parser)) };
  try {
    matchesEmpty(matcher);
  } catch (error) {
    if (error instanceof InvalidRegexError) return failAt(parser.query, label, error.message);
    throw error;
  }
  return matcher;
}

function parseMatchers(parser: Parser): LabelMatcher[] {
  const matchers: LabelMatcher[] = [];
  while (!isNext(parser, '}')) {
    matchers.push(parseMatcher(parser));
    if (isNext(parser, '}')) break;
    if (!accept(parser, ',')) unexpected(parser, 'label matching', '"," or "}"');
  }
  advance(parser);
  return matchers;
}

/** A selector whose name, if it has one before its braces, was just taken. */
export function parseSelector(parser: Parser, name: Token | undefined): VectorSelector {
  const from = name?.from ?? parser.token.from;
  const matchers = accept(parser, '{') ? parseMatchers(parser) : [];
  const metricName = name === undefined ? undefined : parser.query.slice(name.from, name.to);
  if (metricName !== undefined) matchers.push({ name: '__name__', op: '=', value: metricName });
  const to = parser.lastTo;
  return {
    kind: 'vector_selector',
    name: metricName,
    matchers,
    edges: undefined,
    offsetMs: 0,
    at: undefined,
    from,
    to,
  };
}

/** `(label, label)`. */
export function parseLabels(parser: Parser): string[] {
  if (!accept(parser, '(')) unexpected(parser, 'grouping opts', '"("');
  const labels: string[] = [];
  while (!isNext(parser, ')')) {
    const { token } = parser;
    if (token.kind === 'string') labels.push(stringOf(parser, token));
    else if (/^[a-zA-Z_:][\w:]*$/.test(token.text) && !isNext(parser, 'without')) {
      labels.push(parser.query.slice(token.from, token.to));
    } else unexpected(parser, 'grouping opts', 'label');
    advance(parser);
    if (isNext(parser, ')')) break;
    if (!accept(parser, ',')) unexpected(parser, 'grouping opts', '"," or ")"');
  }
  advance(parser);
  return labels;
}

/** Words that are no metric's name where an expression is expected (promql/parser/generated_parser.y, `metric_identifier`). */
export const reserved: ReadonlySet<string> = new Set(['on', 'ignoring', 'group_left', 'group_right', 'bool', 'atan2']);

/** A selector that is the whole text. */
export function parseSelectorAlone(parser: Parser): VectorSelector {
  const { kind, text } = parser.token;
  const isBrace = kind === 'punctuation' && text === '{';
  const isWord = /^[a-z_:]/i.test(text) && kind !== 'number' && kind !== 'duration' && !reserved.has(text);
  if (!isBrace && !isWord) unexpected(parser);
  const selector = parseSelector(parser, isBrace ? undefined : advance(parser));
  expectEnd(parser);
  return selector;
}
