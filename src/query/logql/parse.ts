/** LogQL text → expression, by Grafana's grammar for editors (lezer-logql); what it leaves open is checked here. */
import { parser as grammar } from '@grafana/lezer-logql';
import type { SyntaxNode } from '@lezer/common';
import { InvalidRegexError, type LabelMatcher, type MatchOp, matchesEmpty } from '../../store/readers/label-matcher.ts';
import { unquote } from '../go-string.ts';
import { type LogqlError, parseErrorAt, parseErrorOf, unsupported } from './error.ts';

/** A query that gives lines: those of the streams that the matchers take, and of them those that hold every text. */
export interface LogExpression {
  readonly matchers: readonly LabelMatcher[];
  readonly contains: readonly string[];
}

/** Longer texts are refused before they are parsed; Loki's own limit is the same. */
export const maxQueryLength = 131_072;

const strictGrammar = grammar.configure({ strict: true });

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') found.push(child);
  }
  return found;
}

/** The token at a place, in the words of Loki's parser. */
function describeToken(rest: string): string {
  const token = /^(?:[a-zA-Z_][\w]*|[\d.][\w.]*|"(?:\\.|[^"\\])*"?|`[^`]*`?|[!=<>|]=|[=!|]~|\|>|[\s\S])/u.exec(
    rest,
  )?.[0];
  if (token === undefined) return 'unexpected $end';
  if (/^[a-zA-Z_]/.test(token)) return 'unexpected IDENTIFIER';
  if (/^[\d.]/.test(token)) return 'unexpected NUMBER';
  if (/^["`]/.test(token)) return 'unexpected STRING';
  return `unexpected ${token}`;
}

function syntaxError(query: string, offset: number): LogqlError {
  const skipped = /^(?:\s|#.*)*/.exec(query.slice(offset))?.[0].length ?? 0;
  const at = offset + skipped;
  return parseErrorAt(query, at, `syntax error: ${describeToken(query.slice(at))}`);
}

function parseTree(query: string): SyntaxNode {
  try {
    return strictGrammar.parse(query).topNode;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const place = /(\d+)$/.exec(error.message);
    throw syntaxError(query, place === null ? query.length : Number(place[1]));
  }
}

function stringValue(query: string, node: SyntaxNode): string {
  const value = unquote(query.slice(node.from, node.to));
  if (value === undefined) throw parseErrorAt(query, node.from, 'invalid char escape');
  return value;
}

const matchOps: Readonly<Record<string, MatchOp>> = { Eq: '=', Neq: '!=', Re: '=~', Nre: '!~' };

/** The lists of the grammar nest to the left, as deep as they are long, so they are walked and not recursed into. */
function nodesNamed(root: SyntaxNode, name: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  root.cursor().iterate((node) => {
    if (node.name === name) found.push(node.node);
  });
  return found;
}

function parseMatcher(query: string, node: SyntaxNode): LabelMatcher {
  const [label, op, value] = children(node);
  const matchOp = matchOps[op?.name ?? ''];
  if (label === undefined || value === undefined || matchOp === undefined) throw syntaxError(query, node.from);
  return { name: query.slice(label.from, label.to), op: matchOp, value: stringValue(query, value) };
}

function parseSelector(query: string, node: SyntaxNode): LabelMatcher[] {
  const matchers = nodesNamed(node, 'Matcher').map((matcher) => parseMatcher(query, matcher));
  try {
    if (matchers.map(matchesEmpty).every((isEmpty) => isEmpty)) {
      throw parseErrorOf(
        'queries require at least one regexp or equality matcher that does not have an empty-compatible value. ' +
          'For instance, app=~".*" does not meet this requirement, but app=~".+" will',
      );
    }
  } catch (error) {
    if (error instanceof InvalidRegexError) throw parseErrorOf(error.message);
    throw error;
  }
  return matchers;
}

function parseLineFilter(query: string, node: SyntaxNode): string {
  const [filter, value, ...rest] = children(node);
  if (filter === undefined || value === undefined) throw syntaxError(query, node.from);
  const operator = query.slice(filter.from, filter.to);
  if (operator !== '|=') throw unsupported(`line filter "${operator}"`);
  if (value.name === 'FilterOp') throw unsupported(`line filter "${query.slice(value.from, value.to)}"`);
  if (rest.length > 0) throw unsupported('"or" between line filters');
  return stringValue(query, value);
}

function parsePipeline(query: string, node: SyntaxNode): string[] {
  for (const stage of nodesNamed(node, 'PipelineStage')) {
    const [first, second] = children(stage);
    if (first?.name === 'LineFilters') continue;
    const named = second ?? first ?? stage;
    throw unsupported(`stage "| ${query.slice(named.from, named.to).slice(0, 64)}"`);
  }
  return nodesNamed(node, 'LineFilter').map((filter) => parseLineFilter(query, filter));
}

/** Parses a query for lines; throws a LogqlError. */
export function parseLogql(query: string): LogExpression {
  if (query.length > maxQueryLength) {
    throw parseErrorOf(`query is longer than the limit of ${maxQueryLength} characters`);
  }
  let [node] = children(parseTree(query));
  while (node !== undefined && (node.name === 'Expr' || node.name === 'LogExpr')) {
    const parts = children(node);
    const [first, pipeline, ...rest] = parts;
    if (first?.name === 'Selector') {
      if (rest.length > 0) throw unsupported(`"${query.slice(node.from, node.to).slice(0, 64)}"`);
      return {
        matchers: parseSelector(query, first),
        contains: pipeline === undefined ? [] : parsePipeline(query, pipeline),
      };
    }
    node = first;
  }
  if (node === undefined) throw syntaxError(query, query.length);
  if (node.name !== 'MetricExpr') throw unsupported(`"${query.slice(node.from, node.to).slice(0, 64)}"`);
  throw unsupported(`metric query "${query.slice(node.from, node.to).slice(0, 64)}"`);
}
