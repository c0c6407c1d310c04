/** Durations within brackets and after `offset`: literals, or several put together by operators. */
import { unsupported } from '../error.ts';
import { parseDuration, parseNumber } from '../literal.ts';
import {
  accept,
  advance,
  failAt,
  isNext,
  maxDepth,
  type Parser,
  powPrecedence,
  precedences,
  unexpected,
} from './state.ts';
import { quote } from './tokens.ts';

/** Go's durations end at 2^63 ns, and so do Prometheus's. */
export const longestMs = 9_223_372_036_854;

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

export function parseRangeDuration(parser: Parser, context: string, expected: string): number {
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
export function parseDurationOperand(parser: Parser, where: DurationContext): number {
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
