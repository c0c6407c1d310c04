/** The words of a query, with the errors that Prometheus's own lexer has (promql/parser/lex.go). Read one by one, so that what is wrong earlier is told first. */
import { type PromqlError, parseError } from '../error.ts';
import { escapeEnd } from './escape.ts';
import { scanNumberOrDuration } from './number-token.ts';

export type TokenKind =
  | 'identifier'
  | 'metric_identifier'
  | 'string'
  | 'number'
  | 'duration'
  | 'keyword'
  | 'operator'
  | 'aggregator'
  | 'punctuation'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Lower case where it is a keyword, an operator or an aggregator. */
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

const aggregators: ReadonlySet<string> = new Set([
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
]);

const keywords: ReadonlySet<string> = new Set([
  'offset',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'bool',
  'start',
  'end',
  'anchored',
  'smoothed',
]);

const wordOperators: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'atan2']);

export interface Lexer {
  readonly query: string;
  /** Reads the next token; throws a PromqlError at what is none. */
  next(): Token;
}

const spacesPattern = /(?:[ \t\r\n]+|#[^\n]*)*/y;
const blanksPattern = /[ \t\r\n]*/y;
const wordPattern = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const labelPattern = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const rawPattern = /`[^`]*`/y;

const take = (pattern: RegExp, text: string, at: number): string => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
};

/** A character as Go's %q shows it. */
export function quoteCharacter(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '\\') return "'\\\\'";
  const point = character.codePointAt(0) ?? 0;
  const named: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };
  if (named[character] !== undefined) return `'${named[character]}'`;
  if (point < 32 || point === 127) return `'\\x${point.toString(16).padStart(2, '0')}'`;
  if (point >= 0xd800 && point <= 0xdfff) return "'\ufffd'";
  return `'${character}'`;
}

/** Reads a string in quotes: its end, or what is wrong with it. */
function stringEnd(query: string, from: number): number | string {
  const quote = query[from] ?? '';
  let at = from + 1;
  while (at < query.length) {
    const character = query[at++];
    if (character === quote) return at;
    if (character === '\n') break;
    if (character !== '\\') continue;
    const end = escapeEnd(query, at, quote);
    if (typeof end === 'string') return end;
    at = end;
  }
  return 'unterminated quoted string';
}

const operatorPattern = /==|!=|<=|>=|[*/%+\-^<>]/y;
const bracePattern = /=~|!~|!=|=/y;

interface State {
  at: number;
  isInBraces: boolean;
  isInBrackets: boolean;
  /** Whether within brackets nothing but operators and words of durations was read since their beginning. */
  isInDuration: boolean;
  hasDuration: boolean;
  hasColon: boolean;
  openParentheses: number;
}

type Fail = (message: string, at: number) => PromqlError;

function wordToken(text: string, from: number): Token {
  const to = from + text.length;
  const lower = text.toLowerCase();
  if (aggregators.has(lower)) return { kind: 'aggregator', text: lower, from, to };
  if (wordOperators.has(lower)) return { kind: 'operator', text: lower, from, to };
  if (keywords.has(lower)) return { kind: 'keyword', text: lower, from, to };
  if (lower === 'inf' || lower === 'nan') return { kind: 'number', text, from, to };
  return { kind: text.includes(':') ? 'metric_identifier' : 'identifier', text, from, to };
}

function numberToken(query: string, from: number, fail: Fail): Token {
  const { kind, text } = scanNumberOrDuration(query, from);
  if (kind === 'bad') throw fail(`bad number or duration syntax: ${quote(text)}`, from);
  return { kind, text, from, to: from + text.length };
}

function stringToken(query: string, from: number, fail: Fail): Token {
  if (query[from] === '`') {
    const raw = take(rawPattern, query, from);
    if (raw === '') throw fail('unterminated raw string', from);
    return { kind: 'string', text: raw, from, to: from + raw.length };
  }
  const to = stringEnd(query, from);
  if (typeof to === 'string') throw fail(to, from);
  return { kind: 'string', text: query.slice(from, to), from, to };
}

const punctuation = (text: string, from: number): Token => ({
  kind: 'punctuation',
  text,
  from,
  to: from + text.length,
});

/** The words of durations within brackets. */
const durationWords: ReadonlySet<string> = new Set(['step', 'range', 'min_of', 'max_of']);
const durationWordPattern = /[a-zA-Z_]+/y;

/** A word of durations; undefined where there is none. */
function durationWord(query: string, from: number): Token | undefined {
  const text = take(durationWordPattern, query, from);
  return durationWords.has(text.toLowerCase()) ? { kind: 'identifier', text, from, to: from + text.length } : undefined;
}

const durationOperator = /[+\-*/%^]/y;

/** What follows a bracket, until a number was read. */
function tokenInDuration(query: string, state: State, fail: Fail): Token {
  const from = state.at;
  const character = characterAt(query, from);
  switch (character) {
    case '':
      throw fail('unexpected end of input in duration expression', from);
    case ':':
      if (!state.hasDuration) throw fail('unexpected colon before duration in duration expression', from + 1);
      if (state.hasColon) throw fail('unexpected repeated colon in duration expression', from + 1);
      state.hasColon = true;
      return punctuation(':', from);
    case ']':
      state.isInDuration = false;
      state.isInBrackets = false;
      return punctuation(']', from);
    case '(':
    case ')':
    case ',':
      return bracketToken(character, state, fail) ?? punctuation(character, from);
    default:
  }
  const op = take(durationOperator, query, from);
  if (op !== '') return { kind: 'operator', text: op, from, to: from + op.length };
  const isNumber = /\d/.test(character) || (character === '.' && /\d/.test(query[from + 1] ?? ''));
  const token = isNumber ? numberToken(query, from, fail) : durationWord(query, from);
  if (token === undefined)
    throw fail(`unexpected character in duration expression: ${quoteCharacter(character)}`, from);
  state.hasDuration = true;
  state.isInDuration = !isNumber;
  return token;
}

const characterAt = (query: string, at: number): string => {
  const point = query.codePointAt(at);
  return point === undefined ? '' : String.fromCodePoint(point);
};

function tokenInBraces(query: string, state: State, fail: Fail): Token {
  const from = state.at;
  const character = characterAt(query, from);
  if (character === '') throw fail('unexpected end of input inside braces', from);
  const word = take(labelPattern, query, from);
  if (word !== '') return { kind: 'identifier', text: word, from, to: from + word.length };
  if (character === '"' || character === "'" || character === '`') return stringToken(query, from, fail);
  if (character === ',') return punctuation(',', from);
  const op = take(bracePattern, query, from);
  if (op !== '') return { kind: 'operator', text: op, from, to: from + op.length };
  if (character === '!') {
    throw fail(
      `unexpected character after '!' inside braces: ${quoteCharacter(characterAt(query, from + 1) || '\ufffd')}`,
      from,
    );
  }
  if (character === '}') {
    state.isInBraces = false;
    return punctuation('}', from);
  }
  if (character === '{') throw fail("unexpected left brace '{'", from);
  throw fail(`unexpected character inside braces: ${quoteCharacter(character)}`, from);
}

/** Parentheses, brackets and braces, whose nesting the lexer watches; undefined where there is none. */
function bracketToken(character: string, state: State, fail: Fail): Token | undefined {
  const from = state.at;
  switch (character) {
    case '(':
      state.openParentheses++;
      break;
    case ')':
      // The parenthesis is read by then.
      if (state.openParentheses === 0) throw fail("unexpected right parenthesis ')'", from + 1);
      state.openParentheses--;
      break;
    case '{':
      state.isInBraces = true;
      break;
    case '[':
      if (state.isInBrackets) throw fail("unexpected left bracket '['", from);
      state.isInBrackets = true;
      state.isInDuration = true;
      state.hasDuration = false;
      state.hasColon = false;
      break;
    case ']':
      if (!state.isInBrackets) throw fail("unexpected right bracket ']'", from);
      state.isInBrackets = false;
      break;
    case ':':
      if (!state.isInBrackets) return undefined;
      if (state.hasColon) throw fail("unexpected colon ':'", from);
      state.hasColon = true;
      break;
    case ',':
    case '@':
      break;
    default:
      return undefined;
  }
  return punctuation(character, from);
}

function tokenOutside(query: string, state: State, fail: Fail): Token {
  const from = state.at;
  const character = characterAt(query, from);
  if (character === '') {
    if (state.openParentheses > 0) throw fail('unclosed left parenthesis', from);
    if (state.isInBrackets) throw fail('unclosed left bracket', from);
    return { kind: 'end', text: '', from, to: from };
  }
  const bracket = bracketToken(character, state, fail);
  if (bracket !== undefined) return bracket;
  const op = take(operatorPattern, query, from);
  if (op !== '') return { kind: 'operator', text: op, from, to: from + op.length };
  if (character === '=') {
    if (query[from + 1] === '~') throw fail("unexpected character after '=': '~'", from);
    return { kind: 'operator', text: '=', from, to: from + 1 };
  }
  if (character === '!') {
    throw fail(`unexpected character after '!': ${quoteCharacter(characterAt(query, from + 1) || '\ufffd')}`, from);
  }
  if (/\d/.test(character) || (character === '.' && /\d/.test(query[from + 1] ?? ''))) {
    return numberToken(query, from, fail);
  }
  if (character === '"' || character === "'" || character === '`') return stringToken(query, from, fail);
  const word = take(wordPattern, query, from);
  if (word !== '' && state.isInBrackets) {
    const found = durationWord(query, from);
    if (found === undefined) throw fail(`unexpected character: ${quoteCharacter(character)}, expected ':'`, from);
    return found;
  }
  if (word !== '') return wordToken(word, from);
  throw fail(`unexpected character: ${quoteCharacter(character)}`, from);
}

/** Reads the tokens of a query. */
export function createLexer(query: string): Lexer {
  const state: State = {
    at: 0,
    isInBraces: false,
    isInBrackets: false,
    isInDuration: false,
    hasDuration: false,
    hasColon: false,
    openParentheses: 0,
  };
  const fail: Fail = (message, at) => parseError(query, at, message);
  return {
    query,
    next() {
      // A duration has no comments.
      state.at += take(state.isInDuration ? blanksPattern : spacesPattern, query, state.at).length;
      const read = state.isInBraces ? tokenInBraces : state.isInDuration ? tokenInDuration : tokenOutside;
      const token = read(query, state, fail);
      state.at = token.to;
      return token;
    },
  };
}

const namedEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
};

/** A string as Go's %q shows it. */
export function quote(text: string): string {
  let quoted = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const isControl = code < 32 || code === 127;
    quoted += namedEscapes[character] ?? (isControl ? `\\x${code.toString(16).padStart(2, '0')}` : character);
  }
  return `"${quoted}"`;
}

const shorten = (text: string): string => (text.length > 10 ? `${quote(text.slice(0, 10))}...` : quote(text));

/** A token as Prometheus's messages name it. */
export function describeToken({ kind, text }: Token): string {
  switch (kind) {
    case 'end':
      return 'end of input';
    case 'identifier':
      return `identifier ${quote(text)}`;
    case 'metric_identifier':
      return `metric identifier ${quote(text)}`;
    case 'string':
    case 'number':
    case 'duration':
      return `${kind} ${shorten(text)}`;
    case 'keyword':
      return text === 'start' || text === 'end' ? quote(text) : `<${text}>`;
    case 'aggregator':
      return `<aggr:${text}>`;
    case 'operator':
      return text === '=' ? '"="' : `<op:${text}>`;
    case 'punctuation':
      return text === '@' ? '<op:@>' : quote(text);
  }
}
