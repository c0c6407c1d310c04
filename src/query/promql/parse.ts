/** PromQL text → expression. The grammar is Prometheus's own for editors (lezer-promql); what it leaves open, types and matchers, is checked here. */
import type { SyntaxNode } from '@lezer/common';
import { parser as grammar } from '@prometheus-io/lezer-promql';
import { InvalidRegexError, type LabelMatcher, type MatchOp, matchesEmpty } from '../../store/readers/label-matcher.ts';
import { unquote } from '../go-string.ts';
import { type Expression, typeNames, typeOf, type VectorSelector } from './ast.ts';
import { type PromqlError, parseError, unsupported } from './error.ts';
import { functions } from './functions.ts';
import { parseDuration, parseNumber } from './literal.ts';

/** Longer texts are refused before they are parsed: parsing the worst takes about 4 ms for each KiB. */
export const maxQueryLength = 131_072;
/** Deeper nesting is refused, because evaluation recurses. */
const maxDepth = 200;

const strictGrammar = grammar.configure({ strict: true });

interface Context {
  readonly query: string;
  readonly depth: number;
  /** Of `match[]`, which has a message of its own for them. */
  readonly allowsEmptySelectors: boolean;
}

const textOf = (context: Context, node: SyntaxNode): string => context.query.slice(node.from, node.to);

const fail = (context: Context, node: { readonly from: number }, message: string): never => {
  throw parseError(context.query, node.from, message);
};

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') found.push(child);
  }
  return found;
}

/** The token at a place, as Prometheus's messages describe it. */
function describeToken(query: string, offset: number): string {
  const rest = query.slice(offset);
  const token = /^(?:[a-zA-Z_:][\w:]*|[\d.][\w.]*|"[^"]*"?|'[^']*'?|`[^`]*`?|[!=<>]=|[=!]~|[\s\S])/u.exec(rest)?.[0];
  if (token === undefined) return 'unexpected end of input';
  const shown = JSON.stringify(token.slice(0, 64));
  if (/^[a-zA-Z_:]/.test(token)) return `unexpected identifier ${shown}`;
  if (/^[\d.]/.test(token)) return `unexpected number ${shown}`;
  if (/^["'`]/.test(token)) return `unexpected string ${token.slice(0, 64)}`;
  return `unexpected ${shown}`;
}

const unknownFunction = /([a-zA-Z_]\w*)\s*$/;

function syntaxError(query: string, offset: number): PromqlError {
  const skipped = /^(?:\s|#.*)*/.exec(query.slice(offset))?.[0].length ?? 0;
  const at = offset + skipped;
  const name = query[at] === '(' ? unknownFunction.exec(query.slice(Math.max(0, at - 200), at))?.[1] : undefined;
  if (name !== undefined) {
    return parseError(query, query.lastIndexOf(name, at), `unknown function with name ${JSON.stringify(name)}`);
  }
  return parseError(query, at, describeToken(query, at));
}

/** The offset at which lezer gave up in strict mode. */
function offsetOf(error: SyntaxError, query: string): number {
  const found = /(\d+)$/.exec(error.message);
  return found === null ? query.length : Number(found[1]);
}

function parseTree(query: string): SyntaxNode {
  try {
    return strictGrammar.parse(withoutTrailingDots(query)).topNode;
  } catch (error) {
    if (error instanceof SyntaxError) throw syntaxError(query, offsetOf(error, query));
    throw error;
  }
}

function stringValue(context: Context, node: SyntaxNode): string {
  const value = unquote(textOf(context, node));
  return value ?? fail(context, node, `invalid syntax in string ${textOf(context, node).slice(0, 64)}`);
}

const matchOps: Readonly<Record<string, MatchOp>> = { EqlSingle: '=', Neq: '!=', EqlRegex: '=~', NeqRegex: '!~' };

function parseMatcher(context: Context, node: SyntaxNode): LabelMatcher {
  if (node.name === 'QuotedLabelName') {
    return { name: '__name__', op: '=', value: stringValue(context, node.firstChild ?? node) };
  }
  const [label, op, value] = children(node);
  const matchOp = matchOps[op?.firstChild?.name ?? ''];
  if (label === undefined || value === undefined || matchOp === undefined) {
    return fail(context, node, describeToken(context.query, node.from));
  }
  const name =
    label.name === 'QuotedLabelName' ? stringValue(context, label.firstChild ?? label) : textOf(context, label);
  return { name, op: matchOp, value: stringValue(context, value) };
}

function parseSelector(context: Context, node: SyntaxNode): VectorSelector {
  const matchers: LabelMatcher[] = [];
  for (const child of children(node)) {
    if (child.name === 'Identifier') matchers.push({ name: '__name__', op: '=', value: textOf(context, child) });
    else for (const matcher of children(child)) matchers.push(parseMatcher(context, matcher));
  }
  const [first, ...rest] = matchers;
  if (node.firstChild?.name === 'Identifier' && rest.some(({ name }) => name === '__name__')) {
    return fail(context, node, `metric name must not be set twice: ${JSON.stringify(first?.value)}`);
  }
  try {
    if (matchers.map(matchesEmpty).every((isEmpty) => isEmpty) && !context.allowsEmptySelectors) {
      fail(context, node, 'vector selector must contain at least one non-empty matcher');
    }
  } catch (error) {
    if (error instanceof InvalidRegexError) throw parseError(context.query, node.from, error.message);
    throw error;
  }
  return { kind: 'vector_selector', matchers, offsetMs: 0 };
}

/** A duration within brackets or after `offset`: `5m`, or a number of seconds. */
function durationMs(context: Context, node: SyntaxNode): number {
  if (node.name === 'NumberDurationLiteralInDurationContext') {
    const text = textOf(context, node);
    const seconds = parseDuration(text) === undefined ? parseNumber(text) : undefined;
    const ms = parseDuration(text) ?? (seconds === undefined ? undefined : Math.trunc(seconds * 1000));
    if (ms === undefined || !Number.isFinite(ms)) return fail(context, node, `not a valid duration string: ${text}`);
    return ms;
  }
  const [first, second, third] = children(node);
  if (first !== undefined && second === undefined && first.name.startsWith('NumberDuration')) {
    return durationMs(context, first);
  }
  if (first?.name === 'UnaryOp' && second !== undefined && third === undefined) {
    return durationMs(context, second) * (textOf(context, first) === '-' ? -1 : 1);
  }
  throw unsupported(`duration expression "${textOf(context, node)}"`);
}

function parseMatrix(context: Context, node: SyntaxNode): Expression {
  const [inner, range] = children(node);
  if (inner === undefined || range === undefined) return fail(context, node, 'unexpected end of input');
  const selector = convert(context, inner);
  if (selector.kind !== 'vector_selector') {
    return fail(context, node, 'ranges only allowed for vector selectors');
  }
  const rangeMs = durationMs(context, range);
  if (rangeMs <= 0) return fail(context, range, 'duration must be greater than 0');
  return { kind: 'matrix_selector', selector, rangeMs };
}

function parseOffset(context: Context, node: SyntaxNode): Expression {
  const [innerNode, , durationNode] = children(node);
  if (innerNode === undefined || durationNode === undefined) return fail(context, node, 'unexpected end of input');
  const inner = convert(context, innerNode);
  const offsetMs = durationMs(context, durationNode);
  const selector = inner.kind === 'matrix_selector' ? inner.selector : inner;
  if (selector.kind !== 'vector_selector') {
    return fail(
      context,
      node,
      'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    );
  }
  if (innerNode.name === 'OffsetExpr') return fail(context, node, 'offset may not be set multiple times');
  const moved: VectorSelector = { ...selector, offsetMs };
  return inner.kind === 'matrix_selector' ? { ...inner, selector: moved } : moved;
}

function parseCall(context: Context, node: SyntaxNode): Expression {
  const [identifier, body] = children(node);
  if (identifier === undefined || body === undefined) return fail(context, node, 'unexpected end of input');
  const name = textOf(context, identifier);
  const known = functions.get(name);
  if (known === undefined) throw unsupported(`function "${name}"`);
  const argumentNodes = children(body);
  if (argumentNodes.length !== known.parameters.length) {
    const expected = known.parameters.length;
    return fail(
      context,
      node,
      `expected ${expected} argument(s) in call to ${JSON.stringify(name)}, got ${argumentNodes.length}`,
    );
  }
  const args = argumentNodes.map((argument, i) => {
    const converted = convert(context, argument);
    const wanted = known.parameters[i];
    if (wanted !== undefined && typeOf(converted) !== wanted) {
      const got = typeNames[typeOf(converted)];
      fail(context, argument, `expected type ${typeNames[wanted]} in call to function "${name}", got ${got}`);
    }
    return converted;
  });
  return { kind: 'call', function: name, arguments: args };
}

/** What the grammar knows and the evaluator does not, by the word that a user would look for. */
function refuse(context: Context, node: SyntaxNode): never {
  const parts = children(node);
  const word = (index: number): string => {
    const part = parts[index];
    return part === undefined ? '' : textOf(context, part);
  };
  switch (node.name) {
    case 'AggregateExpr':
      throw unsupported(`aggregation "${word(0)}"`);
    case 'BinaryExpr':
      throw unsupported(`binary operator "${word(1)}"`);
    case 'UnaryExpr':
      throw unsupported(`unary operator "${word(0)}"`);
    case 'SubqueryExpr':
      throw unsupported('subquery');
    case 'StepInvariantExpr':
      throw unsupported('modifier "@"');
    case 'AnchoredExpr':
      throw unsupported('modifier "anchored"');
    case 'SmoothedExpr':
      throw unsupported('modifier "smoothed"');
    default:
      throw unsupported(`"${textOf(context, node).slice(0, 64)}"`);
  }
}

function convert(outer: Context, node: SyntaxNode): Expression {
  const context: Context = { ...outer, depth: outer.depth + 1 };
  if (context.depth > maxDepth) fail(context, node, `expression is nested more than ${maxDepth} levels deep`);
  switch (node.name) {
    case 'NumberDurationLiteral': {
      const text = textOf(context, node);
      const value = parseNumber(text);
      return value === undefined
        ? fail(context, node, `bad number or duration syntax: ${text}`)
        : { kind: 'number', value };
    }
    case 'StringLiteral':
      return { kind: 'string', value: stringValue(context, node) };
    case 'VectorSelector':
      return parseSelector(context, node);
    case 'MatrixSelector':
      return parseMatrix(context, node);
    case 'OffsetExpr':
      return parseOffset(context, node);
    case 'FunctionCall':
      return parseCall(context, node);
    case 'ParenExpr': {
      const [inner] = children(node);
      if (inner === undefined) return fail(context, node, 'unexpected end of input');
      return { kind: 'parentheses', inner: convert(context, inner) };
    }
    default:
      return refuse(context, node);
  }
}

/** Parentheses nested deeper than is evaluated are told before lezer, which gives up on them with a stranger message. */
function checkDepth(query: string): void {
  let depth = 0;
  for (const { 0: token, index } of query.matchAll(/"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`[^`]*`?|#[^\n]*|[()]/gs)) {
    if (token === '(' && ++depth > maxDepth) {
      throw parseError(query, index, `expression is nested more than ${maxDepth} levels deep`);
    }
    if (token === ')') depth--;
  }
}

/** `2.` is a number to Prometheus and none to the grammar, which is given a blank for the dot, so that every place stays where it is. */
const withoutTrailingDots = (query: string): string =>
  query.replace(
    /"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|`[^`]*`?|#[^\n]*|(?<![\w.:])(\d+)\.(?![\w.])/gs,
    (token: string, digits: string | undefined) => (digits === undefined ? token : `${digits} `),
  );

function parseExpression(query: string, allowsEmptySelectors: boolean): Expression {
  if (query.length > maxQueryLength) {
    throw parseError(query, maxQueryLength, `query is longer than the limit of ${maxQueryLength} characters`);
  }
  if (/^(?:\s|#.*)*$/.test(query)) throw parseError(query, 0, 'no expression found in input');
  checkDepth(query);
  const [expression] = children(parseTree(query));
  if (expression === undefined) throw parseError(query, query.length, 'no expression found in input');
  return convert({ query, depth: 0, allowsEmptySelectors }, expression);
}

/** Parses a query; throws a PromqlError that says where it is wrong. */
export const parsePromql = (query: string): Expression => parseExpression(query, false);

/** Parses a series selector that stands alone, as in `match[]`; throws a PromqlError that says where it is wrong. */
export function parseSelectorText(text: string): readonly LabelMatcher[] {
  const expression = parseExpression(text, true);
  if (expression.kind !== 'vector_selector' || expression.offsetMs !== 0) {
    const end = /^\s*[\w:]*/.exec(text)?.[0].length ?? 0;
    throw parseError(text, end, describeToken(text, end));
  }
  return expression.matchers;
}
