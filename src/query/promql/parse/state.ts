/** Where a parser stands, and the small steps that all of its rules are made of. */
import { unquote } from '../../go-string.ts';
import { parseError } from '../error.ts';
import { durationFault, parseNumber } from '../literal.ts';
import { createLexer, describeToken, quote, type Token } from './tokens.ts';

/** Deeper nesting is refused, because evaluation recurses. */
export const maxDepth = 200;

/** Operators in a row nest as well, and rows within rows; some 1,500 levels of them overrun the stack of an evaluation. */
const maxHeight = 2 * maxDepth;

export interface Parser {
  readonly query: string;
  /** The token that comes next, read when it is first looked at: what is wrong before it is told first, as by Prometheus's parser. */
  readonly token: Token;
  /** Goes beyond that token. */
  readonly skip: () => void;
  /** Where the last token that was taken ends. */
  lastTo: number;
  depth: number;
  /** How high the tree is of what was parsed since the expression began that is being parsed. */
  height: number;
  /** How many aggregations are open: errors inside of one name it. */
  aggregations: number;
}

export function createParser(query: string): Parser {
  const lexer = createLexer(query);
  let next: Token | undefined;
  return {
    query,
    get token() {
      next ??= lexer.next();
      return next;
    },
    skip() {
      next = undefined;
    },
    lastTo: 0,
    depth: 0,
    height: 0,
    aggregations: 0,
  };
}

export function advance(parser: Parser): Token {
  const { token } = parser;
  parser.lastTo = token.to;
  parser.skip();
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

/** Puts one more level on what was parsed, whose last part begins with the token. */
export function raise(parser: Parser, token: Token): void {
  if (++parser.height > maxHeight)
    failAt(parser.query, token, `expression is nested more than ${maxHeight} levels deep`);
}

export const isNext = (parser: Parser, text: string): boolean =>
  parser.token.text === text && parser.token.kind !== 'string' && parser.token.kind !== 'identifier';

export function accept(parser: Parser, text: string): boolean {
  if (!isNext(parser, text)) return false;
  advance(parser);
  return true;
}

export function stringOf(parser: Parser, token: Token): string {
  const value = unquote(token.text);
  if (value === undefined)
    return failAt(parser.query, token, `error unquoting string ${quote(token.text)}: invalid syntax`);
  return value;
}

export function numberOf(parser: Parser, token: Token): number {
  const value = parseNumber(token.text);
  if (value === undefined) {
    return failAt(
      parser.query,
      token,
      token.kind === 'duration'
        ? durationFault(token.text)
        : `error parsing number: strconv.ParseFloat: parsing ${quote(token.text)}: invalid syntax`,
    );
  }
  if (!Number.isFinite(value) && /^\d/.test(token.text)) {
    const message = `error parsing number: strconv.ParseFloat: parsing ${quote(token.text)}: value out of range`;
    return failAt(parser.query, token, message);
  }
  return value;
}

export const precedences: Readonly<Record<string, number>> = {
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
export const powPrecedence = 6;

/** Nothing may follow an expression. */
export function expectEnd(parser: Parser): void {
  if (parser.token.kind !== 'end') unexpected(parser);
}
