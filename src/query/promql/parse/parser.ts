/**
 * PromQL text → expression, by recursive descent with precedence climbing: linear time, and Prometheus's own words for what is wrong
 * (promql/parser/generated_parser.y). The grammar made for editors (lezer-promql) is not used: it takes `-1^2` for 1 and binds `offset` to `-x`.
 */
import {
  InvalidRegexError,
  type LabelMatcher,
  type MatchOp,
  matchesEmpty,
} from '../../../store/readers/label-matcher.ts';
import { unquote } from '../../go-string.ts';
import type { AggregationOp, BinaryOp, Expression, Fill, Matching, Place, VectorSelector } from '../ast.ts';
import { parseError, unsupported } from '../error.ts';
import { functions } from '../functions.ts';
import { formatG } from '../go-number.ts';
import { parseDuration, parseNumber } from '../literal.ts';
import { withAt, withEdges, withOffset } from './modifiers.ts';
import { createLexer, describeToken, type Lexer, quote, type Token } from './tokens.ts';

/** Deeper nesting is refused, because evaluation recurses. */
export const maxDepth = 200;

export interface Parser {
  readonly query: string;
  readonly lexer: Lexer;
  /** The token that comes next. */
  token: Token;
  /** Where the last token that was taken ends. */
  lastTo: number;
  depth: number;
  /** How many aggregations are open: errors inside of one name it. */
  aggregations: number;
}

export function createParser(query: string): Parser {
  const lexer = createLexer(query);
  return { query, lexer, token: lexer.next(), lastTo: 0, depth: 0, aggregations: 0 };
}

function advance(parser: Parser): Token {
  const { token } = parser;
  parser.lastTo = token.to;
  parser.token = parser.lexer.next();
  return token;
}

export const failAt = (query: string, { from }: { readonly from: number }, message: string): never => {
  throw parseError(query, from, message);
};

/** Refuses the token that comes next, as the grammar's rule of that name would. */
export function unexpected(parser: Parser, rule = '', expected = ''): never {
  const context = rule === '' && parser.aggregations > 0 ? 'aggregation' : rule;
  const where = context === '' ? '' : ` in ${context}`;
  const wanted = expected === '' ? '' : `, expected ${expected}`;
  return failAt(parser.query, parser.token, `unexpected ${describeToken(parser.token)}${where}${wanted}`);
}

const isNext = (parser: Parser, text: string): boolean =>
  parser.token.text === text && parser.token.kind !== 'string' && parser.token.kind !== 'identifier';

function accept(parser: Parser, text: string): boolean {
  if (!isNext(parser, text)) return false;
  advance(parser);
  return true;
}

function stringOf(parser: Parser, token: Token): string {
  const value = unquote(token.text);
  if (value === undefined)
    return failAt(parser.query, token, `error unquoting string ${quote(token.text)}: invalid syntax`);
  return value;
}

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
    return unexpected(parser, 'label matching', 'label matching operator');
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
function parseSelector(parser: Parser, name: Token | undefined): VectorSelector {
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
function parseLabels(parser: Parser): string[] {
  if (!accept(parser, '(')) unexpected(parser, 'grouping opts', '"("');
  const labels: string[] = [];
  while (!isNext(parser, ')')) {
    const { token } = parser;
    if (token.kind === 'string') labels.push(stringOf(parser, token));
    else if (/^[a-zA-Z_]\w*$/.test(token.text) && token.kind !== 'metric_identifier') {
      labels.push(parser.query.slice(token.from, token.to));
    } else unexpected(parser, 'grouping opts', 'label');
    advance(parser);
    if (isNext(parser, ')')) break;
    if (!accept(parser, ',')) unexpected(parser, 'grouping opts', '"," or ")"');
  }
  advance(parser);
  return labels;
}

/** The arguments of a call or an aggregation, parentheses included. */
function parseArguments(parser: Parser): Expression[] {
  advance(parser);
  const found: Expression[] = [];
  if (accept(parser, ')')) return found;
  for (;;) {
    found.push(parseExpression(parser, 0));
    if (accept(parser, ')')) return found;
    const comma = parser.token;
    if (!accept(parser, ',')) unexpected(parser);
    if (isNext(parser, ')')) failAt(parser.query, comma, 'trailing commas not allowed in function call args');
  }
}

interface Grouping {
  readonly labels: readonly string[];
  readonly isWithout: boolean;
}

function parseGrouping(parser: Parser): Grouping | undefined {
  const isWithout = isNext(parser, 'without');
  if (!isWithout && !isNext(parser, 'by')) return undefined;
  advance(parser);
  return { labels: parseLabels(parser), isWithout };
}

const withParameter: ReadonlySet<string> = new Set<AggregationOp>([
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
]);

function parseAggregation(parser: Parser, op: Token): Expression {
  const before = parseGrouping(parser);
  if (!isNext(parser, '(')) unexpected(parser, 'aggregation');
  parser.aggregations++;
  const args = parseArguments(parser);
  parser.aggregations--;
  const grouping = before ?? parseGrouping(parser) ?? { labels: [], isWithout: false };
  const place: Place = { from: op.from, to: parser.lastTo };
  const wanted = withParameter.has(op.text) ? 2 : 1;
  if (args.length === 0) return failAt(parser.query, place, 'no arguments for aggregate expression provided');
  const [first, second] = args;
  const inner = wanted === 2 ? second : first;
  if (args.length !== wanted || inner === undefined) {
    const message = `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`;
    return failAt(parser.query, place, message);
  }
  const parameter = wanted === 2 ? first : undefined;
  return { kind: 'aggregation', op: op.text as AggregationOp, inner, parameter, ...grouping, ...place };
}

/** Go's durations end at 2^63 ns, and so do Prometheus's. */
const longestMs = 9_223_372_036_854;

/** A duration within brackets or after `offset`: `5m`, or a number of seconds; undefined where the next token is none. */
function parseDurationToken(parser: Parser): number | undefined {
  const { token, query } = parser;
  if (token.kind !== 'duration' && token.kind !== 'number') return undefined;
  const seconds = token.kind === 'number' ? parseNumber(token.text) : undefined;
  const ms = token.kind === 'duration' ? parseDuration(token.text) : Math.trunc((seconds ?? Number.NaN) * 1000);
  if (ms === undefined) return failAt(query, token, `not a valid duration string: ${quote(token.text)}`);
  if (!Number.isFinite(ms) || Math.abs(ms) > longestMs) return failAt(query, token, 'duration out of range');
  advance(parser);
  return ms;
}

function parseRangeDuration(parser: Parser, context: string, expected: string): number {
  const { token } = parser;
  if (token.kind === 'end' || isNext(parser, ']') || isNext(parser, ':')) return unexpected(parser, context, expected);
  const ms = Math.round(parseDurationSum(parser, 0, { context, expected }) * 1000);
  if (!Number.isFinite(ms) || ms > longestMs) return failAt(parser.query, token, 'duration out of range');
  if (ms <= 0) return failAt(parser.query, token, 'duration must be greater than 0');
  return ms;
}

interface DurationContext {
  readonly context: string;
  readonly expected: string;
}

const durationChoices: Readonly<Record<string, (a: number, b: number) => number>> = {
  min_of: Math.min,
  max_of: Math.max,
};

/** `min_of(a, b)` and its kin, whose word comes next. */
function parseDurationCall(parser: Parser, where: DurationContext): number {
  const word = advance(parser).text.toLowerCase();
  const choose = durationChoices[word];
  if (choose === undefined) throw unsupported(`${word}() within a duration`);
  if (!accept(parser, '(')) unexpected(parser, where.context, '"("');
  const first = parseDurationSum(parser, 0, where);
  if (!accept(parser, ',')) unexpected(parser, where.context, '","');
  const second = parseDurationSum(parser, 0, where);
  if (!accept(parser, ')')) unexpected(parser, where.context, '")"');
  return choose(first, second);
}

/** What a sign stands before: within brackets as in an expression, after `offset` the operand alone. */
const parseDurationSigned = (parser: Parser, where: DurationContext): number =>
  where.context === 'offset' ? parseDurationOperand(parser, where) : parseDurationSum(parser, powPrecedence, where);

/** A duration in seconds: a literal, or several put together by operators. */
function parseDurationOperand(parser: Parser, where: DurationContext): number {
  if (++parser.depth > maxDepth) {
    failAt(parser.query, parser.token, `expression is nested more than ${maxDepth} levels deep`);
  }
  let seconds: number;
  if (accept(parser, '-')) seconds = -parseDurationSigned(parser, where);
  else if (accept(parser, '+')) seconds = parseDurationSigned(parser, where);
  else if (accept(parser, '(')) {
    seconds = parseDurationSum(parser, 0, where);
    if (!accept(parser, ')')) unexpected(parser, where.context, where.expected);
  } else if (/^(?:step|range|min_of|max_of)$/i.test(parser.token.text) && parser.token.kind === 'identifier') {
    seconds = parseDurationCall(parser, where);
  } else {
    const ms = parseDurationToken(parser);
    if (ms === undefined) return unexpected(parser, where.context, where.expected);
    seconds = ms / 1000;
  }
  parser.depth--;
  return seconds;
}

const durationOps: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': (a, b) => a ** b,
};

function parseDurationSum(parser: Parser, least: number, where: DurationContext): number {
  let left = parseDurationOperand(parser, where);
  for (;;) {
    const { token } = parser;
    const compute = token.kind === 'operator' ? durationOps[token.text] : undefined;
    const precedence = precedences[token.text] ?? 0;
    if (compute === undefined || precedence < least) return left;
    advance(parser);
    const right = parseDurationSum(parser, token.text === '^' ? precedence : precedence + 1, where);
    if (right === 0 && token.text === '/') failAt(parser.query, token, 'division by zero');
    if (right === 0 && token.text === '%') failAt(parser.query, token, 'modulo by zero');
    left = compute(left, right);
  }
}

/** `[range]` or `[range:step]` after an expression. */
function parseBrackets(parser: Parser, inner: Expression): Expression {
  const bracket = advance(parser);
  const rangeMs = parseRangeDuration(parser, 'subquery or range selector', 'duration');
  if (accept(parser, ']')) {
    if (inner.kind !== 'vector_selector')
      return failAt(parser.query, bracket, 'ranges only allowed for vector selectors');
    if (inner.offsetMs !== 0) return failAt(parser.query, bracket, 'no offset modifiers allowed before range');
    if (inner.at !== undefined) return failAt(parser.query, bracket, 'no @ modifiers allowed before range');
    return { kind: 'matrix_selector', selector: inner, rangeMs, from: inner.from, to: parser.lastTo };
  }
  if (!accept(parser, ':')) unexpected(parser, 'subquery or range', '":" or "]"');
  const stepMs = isNext(parser, ']') ? undefined : parseRangeDuration(parser, 'subquery selector', 'duration or "]"');
  if (!accept(parser, ']')) unexpected(parser, 'subquery selector', '"]"');
  const { from } = inner;
  return { kind: 'subquery', inner, rangeMs, stepMs, offsetMs: 0, at: undefined, from, to: parser.lastTo };
}

function parseOffset(parser: Parser, inner: Expression): Expression {
  advance(parser);
  const { token } = parser;
  const where = { context: 'offset', expected: 'number, duration, step(), or range()' };
  const offsetMs = Math.round(parseDurationOperand(parser, where) * 1000);
  if (!Number.isFinite(offsetMs) || Math.abs(offsetMs) > longestMs)
    failAt(parser.query, token, 'duration out of range');
  return withOffset(parser.query, inner, offsetMs, parser.lastTo);
}

function parseAt(parser: Parser, inner: Expression): Expression {
  advance(parser);
  for (const kind of ['start', 'end'] as const) {
    if (!isNext(parser, kind)) continue;
    advance(parser);
    if (!accept(parser, '(') || !accept(parser, ')')) unexpected(parser, '@', 'timestamp');
    return withAt(parser.query, inner, { kind }, parser.lastTo);
  }
  const isNegative = isNext(parser, '-');
  if (isNegative || isNext(parser, '+')) advance(parser);
  const { token } = parser;
  if (token.kind !== 'number' && token.kind !== 'duration') return unexpected(parser, '@', 'timestamp');
  const seconds = numberOf(parser, token) * (isNegative ? -1 : 1);
  advance(parser);
  if (!Number.isFinite(seconds) || Math.abs(seconds) >= 9e15) {
    return failAt(parser.query, inner, `timestamp out of bounds for @ modifier: ${formatG(seconds)}`);
  }
  return withAt(parser.query, inner, { kind: 'time', timeMs: Math.round(seconds * 1000) }, parser.lastTo);
}

/** `offset`, `@` and brackets bind tighter than any operator. */
function parsePostfix(parser: Parser, primary: Expression): Expression {
  let expression = primary;
  for (let count = 0; ; count++) {
    if (count > maxDepth) failAt(parser.query, parser.token, `expression is nested more than ${maxDepth} levels deep`);
    if (isNext(parser, '[')) expression = parseBrackets(parser, expression);
    else if (isNext(parser, 'offset')) expression = parseOffset(parser, expression);
    else if (isNext(parser, '@')) expression = parseAt(parser, expression);
    else {
      const edges = (['anchored', 'smoothed'] as const).find((word) => isNext(parser, word));
      if (edges === undefined) return expression;
      const { to } = advance(parser);
      expression = withEdges(parser.query, expression, edges, to);
    }
  }
}

function numberOf(parser: Parser, token: Token): number {
  const value = parseNumber(token.text);
  if (value === undefined) {
    return failAt(
      parser.query,
      token,
      token.kind === 'duration'
        ? `not a valid duration string: ${quote(token.text)}`
        : `error parsing number: strconv.ParseFloat: parsing ${quote(token.text)}: invalid syntax`,
    );
  }
  return value;
}

/** A word: a call where a parenthesis follows, or else a metric's name. */
function parseWord(parser: Parser): Expression {
  const { kind } = parser.token;
  const word = advance(parser);
  if (
    kind === 'aggregator' &&
    !isNext(parser, '{') &&
    (isNext(parser, '(') || isNext(parser, 'by') || isNext(parser, 'without'))
  ) {
    return parseAggregation(parser, word);
  }
  const canBeCalled = kind === 'identifier' || word.text === 'start' || word.text === 'end';
  if (!canBeCalled || !isNext(parser, '(')) return parseSelector(parser, word);
  const name = parser.query.slice(word.from, word.to);
  const args = parseArguments(parser);
  if (!functions.has(name)) failAt(parser.query, word, `unknown function with name ${quote(name)}`);
  return { kind: 'call', function: name, arguments: args, from: word.from, to: parser.lastTo };
}

/** Words that are no metric's name where an expression is expected (promql/parser/generated_parser.y, `metric_identifier`). */
const reserved: ReadonlySet<string> = new Set(['on', 'ignoring', 'group_left', 'group_right', 'bool', 'atan2']);

function parsePrimary(parser: Parser): Expression {
  const { token } = parser;
  const { from } = token;
  switch (token.kind) {
    case 'number':
    case 'duration':
      advance(parser);
      return {
        kind: 'number',
        value: numberOf(parser, token),
        isDuration: token.kind === 'duration',
        from,
        to: token.to,
      };
    case 'string':
      advance(parser);
      return { kind: 'string', value: stringOf(parser, token), from, to: token.to };
    case 'punctuation': {
      if (token.text === '{') return parseSelector(parser, undefined);
      if (token.text !== '(') return unexpected(parser);
      advance(parser);
      const inner = parseExpression(parser, 0);
      if (!accept(parser, ')')) unexpected(parser);
      return { kind: 'parentheses', inner, from, to: parser.lastTo };
    }
    case 'end':
      return unexpected(parser);
    case 'operator':
    case 'keyword':
      if (reserved.has(token.text) || !/^[a-z]/.test(token.text)) return unexpected(parser);
      return parseWord(parser);
    default:
      return parseWord(parser);
  }
}

const precedences: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};
const powPrecedence = 6;

/** A sign binds looser than `^` and tighter than `*`; before a number it is the number's. */
function parseUnary(parser: Parser): Expression {
  const { token } = parser;
  if (token.kind !== 'operator' || (token.text !== '-' && token.text !== '+')) {
    return parsePostfix(parser, parsePrimary(parser));
  }
  advance(parser);
  const inner = parseExpression(parser, powPrecedence);
  const { text: op } = token;
  if (inner.kind === 'number') {
    const value = op === '-' ? -inner.value : inner.value;
    return { ...inner, value, from: token.from };
  }
  return { kind: 'unary', op, inner, from: token.from, to: inner.to };
}

interface Modifiers {
  readonly returnsBool: boolean;
  readonly matching: Matching;
}

/** A number with a sign before it or none, in parentheses. */
function parseFillValue(parser: Parser): number {
  if (!accept(parser, '(')) unexpected(parser, 'fill modifier', '"("');
  const isNegative = isNext(parser, '-');
  if (isNegative || isNext(parser, '+')) advance(parser);
  if (parser.token.kind !== 'number' && parser.token.kind !== 'duration') unexpected(parser, 'fill modifier', 'number');
  const value = numberOf(parser, parser.token);
  advance(parser);
  if (!accept(parser, ')')) unexpected(parser, 'fill modifier', '")"');
  return isNegative ? -value : value;
}

/** `fill(0)`, or `fill_left(0)` and `fill_right(0)` in any order. These words are metrics' names too: a parenthesis tells. */
function parseFill(parser: Parser): Fill {
  let fill: Fill = { left: undefined, right: undefined };
  for (;;) {
    const { kind, text, to } = parser.token;
    const side = kind === 'identifier' ? /^fill(?:_(left|right))?$/i.exec(text) : null;
    if (side === null || !/^\s*\(/.test(parser.query.slice(to, to + 100))) return fill;
    advance(parser);
    const value = parseFillValue(parser);
    const [, named] = side;
    if (named === undefined) return { left: value, right: value };
    fill = { ...fill, [named.toLowerCase()]: value };
  }
}

type Grouped = Pick<Matching, 'cardinality' | 'include'>;

function parseGroupSide(parser: Parser): Grouped {
  const isLeft = isNext(parser, 'group_left');
  if (!isLeft && !isNext(parser, 'group_right')) return { cardinality: 'one-to-one', include: [] };
  advance(parser);
  const include = isNext(parser, '(') ? parseLabels(parser) : [];
  return { cardinality: isLeft ? 'many-to-one' : 'one-to-many', include };
}

function parseModifiers(parser: Parser): Modifiers {
  const returnsBool = accept(parser, 'bool');
  const isOn = isNext(parser, 'on');
  const isMatched = isOn || isNext(parser, 'ignoring');
  if (isMatched) advance(parser);
  const labels = isMatched ? parseLabels(parser) : [];
  const grouped: Grouped = isMatched ? parseGroupSide(parser) : { cardinality: 'one-to-one', include: [] };
  return { returnsBool, matching: { ...grouped, isOn, labels, fill: parseFill(parser) } };
}

/** An expression whose operators all bind at least as tight as `least`. */
export function parseExpression(parser: Parser, least: number): Expression {
  if (++parser.depth > maxDepth) {
    failAt(parser.query, parser.token, `expression is nested more than ${maxDepth} levels deep`);
  }
  let left = parseUnary(parser);
  let operators = 0;
  for (;;) {
    const { token } = parser;
    const precedence = token.kind === 'operator' ? precedences[token.text] : undefined;
    if (precedence === undefined || precedence < least) break;
    if (++operators > maxDepth) {
      failAt(parser.query, token, `expression has more than ${maxDepth} operators in a row`);
    }
    advance(parser);
    const modifiers = parseModifiers(parser);
    const right = parseExpression(parser, token.text === '^' ? precedence : precedence + 1);
    left = { kind: 'binary', op: token.text as BinaryOp, left, right, ...modifiers, from: left.from, to: right.to };
  }
  parser.depth--;
  return left;
}

/** Nothing may follow an expression. */
export function expectEnd(parser: Parser): void {
  if (parser.token.kind !== 'end') unexpected(parser);
}

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
