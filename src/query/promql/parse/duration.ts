/** Durations within brackets and after `offset`: literals, or formulas of several. */
import type { Formula, FormulaOp } from '../ast.ts';
import { durationOf, isBound, isLiteral, longestMs } from '../formula.ts';
import { durationFault, parseDuration, parseNumber } from '../literal.ts';
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

/** A duration: its milliseconds, 0 while they are not known, and the formula where it was not written as one literal. */
export interface ParsedDuration {
  readonly ms: number;
  readonly formula: Formula | undefined;
}

interface DurationContext {
  readonly context: string;
  readonly expected: string;
  /** Whether a sign binds to the operand alone, as right after `offset`. */
  readonly isTight: boolean;
}

export const operandExpected = 'number, duration, step(), or range()';
/** The same where something else may follow. */
export const operandsBefore = 'number, duration, step(), range()';

/** Further within a formula. */
const inside = (where: DurationContext): DurationContext => ({ ...where, expected: operandExpected, isTight: false });

/** `5m`, or a number of seconds. */
function parseDurationToken(parser: Parser, { context, expected }: DurationContext): Formula {
  const { token, query } = parser;
  if (token.kind !== 'duration' && token.kind !== 'number') return unexpected(parser, context, expected);
  const isDuration = token.kind === 'duration';
  const ms = isDuration ? parseDuration(token.text) : (parseNumber(token.text) ?? Number.NaN) * 1000;
  if (ms === undefined) return failAt(query, token, durationFault(token.text));
  if (!Number.isFinite(ms) || Math.abs(ms) > longestMs) return failAt(query, token, 'duration out of range');
  advance(parser);
  return { kind: 'literal', seconds: ms / 1000, isDuration, from: token.from, to: token.to };
}

/** `step()`, `range()`, `min_of(a, b)` and `max_of(a, b)`, whose word comes next. */
function parseDurationCall(parser: Parser, where: DurationContext): Formula {
  const { text, from } = advance(parser);
  const word = text.toLowerCase();
  const need = (punctuation: string): void => {
    if (!accept(parser, punctuation)) unexpected(parser, where.context, operandExpected);
  };
  need('(');
  if (word === 'step' || word === 'range') {
    need(')');
    return { kind: word, from, to: parser.lastTo };
  }
  const left = parseDurationSum(parser, 0, inside(where));
  need(',');
  const right = parseDurationSum(parser, 0, inside(where));
  need(')');
  return { kind: word === 'min_of' ? 'min_of' : 'max_of', left, right, from, to: parser.lastTo };
}

function parseOperand(parser: Parser, where: DurationContext): Formula {
  const { from, text, kind } = parser.token;
  if (isNext(parser, '-') || isNext(parser, '+')) {
    const op = advance(parser).text === '-' ? '-' : '+';
    const inner = where.isTight
      ? parseDurationOperand(parser, where)
      : parseDurationSum(parser, powPrecedence, inside(where));
    return { kind: 'sign', op, inner, from, to: inner.to };
  }
  if (accept(parser, '(')) {
    const inner = parseDurationSum(parser, 0, inside(where));
    if (!accept(parser, ')')) unexpected(parser, where.context, operandExpected);
    return { kind: 'parentheses', inner, from, to: parser.lastTo };
  }
  if (kind === 'identifier' && /^(?:step|range|min_of|max_of)$/i.test(text)) return parseDurationCall(parser, where);
  return parseDurationToken(parser, where);
}

function parseDurationOperand(parser: Parser, where: DurationContext): Formula {
  if (++parser.depth > maxDepth) {
    failAt(parser.query, parser.token, `expression is nested more than ${maxDepth} levels deep`);
  }
  const operand = parseOperand(parser, where);
  parser.depth--;
  return operand;
}

const operators: Readonly<Record<string, FormulaOp>> = { '+': '+', '-': '-', '*': '*', '/': '/', '%': '%', '^': '^' };

function parseDurationSum(parser: Parser, least: number, where: DurationContext): Formula {
  const { depth } = parser;
  let left = parseDurationOperand(parser, where);
  for (;;) {
    const { token } = parser;
    const op = token.kind === 'operator' ? operators[token.text] : undefined;
    const precedence = precedences[token.text] ?? 0;
    if (op === undefined || precedence < least) {
      parser.depth = depth;
      return left;
    }
    // Each operator nests the formula so far.
    parser.depth++;
    advance(parser);
    const right = parseDurationSum(parser, op === '^' ? precedence : precedence + 1, inside(where));
    if (right.kind === 'literal' && right.seconds === 0) {
      if (op === '/') failAt(parser.query, token, 'division by zero');
      if (op === '%') failAt(parser.query, token, 'modulo by zero');
    }
    left = { kind: 'operation', op, left, right, from: left.from, to: right.to };
  }
}

/** What can be known now of a duration is checked now. */
function known(parser: Parser, formula: Formula, mayBeNegative: boolean): ParsedDuration {
  const kept = isLiteral(formula) ? undefined : formula;
  if (isBound(formula)) return { ms: 0, formula: kept };
  return { ms: durationOf(parser.query, formula, { times: { stepS: 0, rangeS: 0 }, mayBeNegative }), formula: kept };
}

export function parseRangeDuration(parser: Parser, context: string, expected: string): ParsedDuration {
  const { token } = parser;
  if (token.kind === 'end' || isNext(parser, ']') || isNext(parser, ':')) return unexpected(parser, context, expected);
  return known(parser, parseDurationSum(parser, 0, { context, expected, isTight: false }), false);
}

/** The operand of `offset`: what follows an operator is no part of it, unless it begins with a parenthesis. */
export function parseOffsetDuration(parser: Parser): ParsedDuration {
  const where = { context: 'offset', expected: operandExpected, isTight: true };
  const isOpen = isNext(parser, '(');
  const formula = isOpen ? parseDurationSum(parser, 0, inside(where)) : parseDurationOperand(parser, where);
  return known(parser, formula, true);
}
