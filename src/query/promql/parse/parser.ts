/**
 * PromQL text → expression, by recursive descent with precedence climbing: linear time, and Prometheus's own words for what is wrong
 * (promql/parser/generated_parser.y). The grammar made for editors (lezer-promql) is not used: it takes `-1^2` for 1 and binds `offset` to `-x`.
 */
import type { AggregationOp, BinaryOp, Expression, Place } from '../ast.ts';
import { functions } from '../functions.ts';
import { formatG } from '../go-number.ts';
import { operandExpected, operandsBefore, parseOffsetDuration, parseRangeDuration } from './duration.ts';
import { parseModifiers } from './matching.ts';
import { withAt, withEdges, withOffset } from './modifiers.ts';
import { parseLabels, parseSelector, reserved } from './selector.ts';
import {
  accept,
  advance,
  failAt,
  isNext,
  maxDepth,
  numberOf,
  type Parser,
  powPrecedence,
  precedences,
  raise,
  stringOf,
  unexpected,
} from './state.ts';
import { quote, type Token } from './tokens.ts';

/** Whether what comes next may be the beginning of an expression. */
function startsExpression({ token: { kind, text } }: Parser): boolean {
  if (kind === 'punctuation') return text === '(' || text === '{';
  if (kind === 'operator' || kind === 'keyword') return /^[-+a-z]/.test(text) && !reserved.has(text);
  return kind !== 'end';
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
    if (!startsExpression(parser)) failAt(parser.query, comma, 'trailing commas not allowed in function call args');
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

/** `[range]` or `[range:step]` after an expression. */
function parseBrackets(parser: Parser, inner: Expression): Expression {
  const bracket = advance(parser);
  raise(parser, bracket);
  const { ms: rangeMs, formula: rangeFormula } = parseRangeDuration(
    parser,
    'subquery or range selector',
    operandExpected,
  );
  if (accept(parser, ']')) {
    if (inner.kind !== 'vector_selector')
      return failAt(parser.query, bracket, 'ranges only allowed for vector selectors');
    if (inner.offsetMs !== 0) return failAt(parser.query, bracket, 'no offset modifiers allowed before range');
    if (inner.at !== undefined) return failAt(parser.query, bracket, 'no @ modifiers allowed before range');
    return { kind: 'matrix_selector', selector: inner, rangeMs, rangeFormula, from: inner.from, to: parser.lastTo };
  }
  if (!accept(parser, ':')) unexpected(parser, 'subquery or range', '":" or "]"');
  const step = isNext(parser, ']')
    ? undefined
    : parseRangeDuration(parser, 'subquery selector', `${operandsBefore}, or "]"`);
  if (!accept(parser, ']')) unexpected(parser, 'subquery selector', '"]"');
  const window = { rangeMs, rangeFormula, stepMs: step?.ms, stepFormula: step?.formula };
  return { kind: 'subquery', inner, ...window, offsetMs: 0, at: undefined, from: inner.from, to: parser.lastTo };
}

function parseOffset(parser: Parser, inner: Expression): Expression {
  advance(parser);
  const duration = parseOffsetDuration(parser);
  return withOffset(parser.query, inner, duration, parser.lastTo);
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
  if (/^fill(?:_(?:left|right))?$/i.test(word.text)) return unexpected(parser);
  const name = parser.query.slice(word.from, word.to);
  const args = parseArguments(parser);
  if (!functions.has(name)) failAt(parser.query, word, `unknown function with name ${quote(name)}`);
  return { kind: 'call', function: name, arguments: args, from: word.from, to: parser.lastTo };
}

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

/** An expression whose operators all bind at least as tight as `least`. */
export function parseExpression(parser: Parser, least: number): Expression {
  if (++parser.depth > maxDepth) {
    failAt(parser.query, parser.token, `expression is nested more than ${maxDepth} levels deep`);
  }
  const before = parser.height;
  parser.height = 0;
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
    raise(parser, token);
    left = { kind: 'binary', op: token.text as BinaryOp, left, right, ...modifiers, from: left.from, to: right.to };
  }
  parser.depth--;
  parser.height = Math.max(before, parser.height + 1);
  return left;
}
