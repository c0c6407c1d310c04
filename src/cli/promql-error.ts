/** Why a query has no answer, shown at its place in the query, with what to do about it. */
import { nearest } from '../config/did-you-mean.ts';
import { functions } from '../query/promql/functions.ts';
import { cutTo, widthOf } from './cells.ts';
import { programName } from './command.ts';
import { knownMistake, placeIn } from './promql-mistakes.ts';
import type { Screen } from './screen.ts';

export interface QueryRefusal {
  readonly errorType: string;
  readonly error: string;
}

export interface RefusalContext {
  readonly query: string;
  readonly url: string;
  readonly screen: Screen;
}

/** Where two names are equally near, the one that is written more often. */
const usual = ['rate', 'sum', 'increase', 'histogram_quantile', 'max', 'min', 'avg', 'count', 'irate'];
const aggregations = [
  ...['avg', 'bottomk', 'count', 'count_values', 'group', 'limit_ratio', 'limitk', 'max', 'min'],
  ...['quantile', 'stddev', 'stdvar', 'sum', 'topk'],
];

/** The lines that explain it. */
export function explainRefusal(refusal: QueryRefusal, context: RefusalContext): string[] {
  const { screen, query } = context;
  const message = refusal.error.replace(/^invalid parameter "query": /, '');
  const placed = /^(\d+):(\d+): parse error: ([\s\S]*)$/.exec(message);
  if (placed === null) {
    const next = nextStep(refusal, context);
    return [screen.show(message), ...(next === undefined ? [] : [next])];
  }
  const [, line = '', column = '', what = ''] = placed;
  const lineNumber = Number(line);
  const mistake = knownMistake({ ...placeIn(query, lineNumber, Number(column)), what });
  const hint = mistake === undefined ? hintFor(what) : screen.show(mistake);
  const place = query.includes('\n') ? `line ${line}, column ${column}` : `column ${column}`;
  return [
    `the query cannot be read, at ${place}: ${screen.show(what)}`,
    '',
    ...pointAt(query.split('\n')[lineNumber - 1] ?? '', Number(column), screen),
    ...(hint === undefined ? [] : ['', hint]),
  ];
}

const indent = '  ';

/** The line of the query with a caret below the column, which counts bytes from 1 as Prometheus does. */
function pointAt(line: string, column: number, screen: Screen): string[] {
  const bytes = Buffer.from(line);
  const width = Math.max(20, screen.width - indent.length);
  // A tab is as wide as the terminal likes; and of a text a megabyte long only what is near can be seen.
  const shown = (text: string): string => screen.show(text.replaceAll('\t', ' '));
  const rest = shown(
    bytes
      .subarray(column - 1)
      .toString()
      .slice(0, 2 * width),
  );
  const near = bytes.subarray(0, column - 1).toString();
  const before = shown(near.slice(-2 * width));
  const room = widthOf(rest) > width / 2 ? Math.floor(width / 2) : width - Math.max(1, widthOf(rest));
  const isCut = near.length > 2 * width;
  const kept = isCut || widthOf(before) > room ? endOf(before, room, screen) : before;
  return [indent + cutTo(kept + rest, width, screen.ellipsis), `${indent}${' '.repeat(widthOf(kept))}^`];
}

/** The end of a text that is too long, in at most `width` cells. */
function endOf(text: string, width: number, screen: Screen): string {
  const characters = [...text].reverse();
  let kept = '';
  for (const character of characters) {
    if (widthOf(character + kept) + screen.ellipsis.length > width) break;
    kept = character + kept;
  }
  return screen.ellipsis + kept;
}

/** What a parser's words mean to somebody who wrote the query. */
const hints: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/at least one non-empty matcher/, 'name a metric, or give at least one label a value that is not empty'],
  [
    /expected type range vector in call to function "(\w+)"/,
    'it looks back over a window, which is to be given in brackets:  $1(METRIC[5m])',
  ],
  [
    /expected type instant vector .*got range vector/,
    'take the window in brackets away, or put a function around it that takes one, such as rate(METRIC[5m])',
  ],
  [/^unclosed left (paren|bracket|brace)|unclosed left/, 'what is opened there is never closed'],
  [/in subquery or range/, 'a window is written in brackets:  METRIC[5m]'],
  [/inside braces|in label matching/, 'labels are written as {job="api", code=~"5.."}'],
  [/^unexpected identifier/, 'an operator or a comma is missing before it; labels are written as METRIC{job="api"}'],
  [/unexpected end of input/, 'something is still missing at the end'],
  [
    /^unexpected right parenthesis|unexpected "\)"/,
    'something is missing before it, or it closes what was never opened',
  ],
  [
    /must contain only scalar and instant vector/,
    'an operator takes no window; put a function such as rate() around METRIC[5m]',
  ],
  [/must use BOOL modifier/, 'between two numbers, write bool after the operator:  1 == bool 2'],
  [/parsing regexp/, 'regular expressions are those of RE2; in double quotes a \\ is written twice'],
  [/ranges only allowed for vector selectors/, 'a window over an expression needs a step as well:  (…)[5m:1m]'],
  [/unterminated/, 'the closing quote is missing'],
  [/duration/, 'durations are written as 30s, 5m or 1h30m'],
];

function hintFor(what: string): string | undefined {
  const unknown = /unknown function with name "(\w+)"/.exec(what)?.[1];
  if (unknown !== undefined) {
    const near = nearest(unknown, [...usual, ...functions.keys(), ...aggregations]);
    return near === undefined ? 'no function has such a name' : `did you mean "${near}"?`;
  }
  const [pattern, hint] = hints.find(([each]) => each.test(what)) ?? [];
  if (pattern === undefined || hint === undefined) return undefined;
  return hint.replace('$1', pattern.exec(what)?.[1] ?? '');
}

const askLess = 'ask for less: fewer series (more labels in the braces), a shorter range or window, or a longer --step';

function nextStep({ errorType, error }: QueryRefusal, { url }: RefusalContext): string | undefined {
  if (errorType === 'unavailable')
    return `the store comes back by itself; what the agent says of it:  curl ${url}/-/ready`;
  if (errorType === 'timeout') return askLess;
  if (errorType === 'canceled') return 'the agent ended it, perhaps as it stopped; ask again';
  if (/for range query, must be/.test(error))
    return `over a range, every point is one number a series: put a function such as rate() around it, or leave --range and --start away`;
  if (/too many samples|maximum|limit|memory/i.test(error)) return askLess;
  if (/duplicate series|multiple matches|many-to-many|many-to-one/i.test(error))
    return 'say by which labels the sides belong together, with on(…) or ignoring(…), and group_left where one side has more series';
  if (errorType === 'internal') return `the agent's log says more; is it well?  ${programName()} targets`;
  return undefined;
}
