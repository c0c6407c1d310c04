/** What was probably meant where a query cannot be read: known from the text around the place, of which the parser's words say little. */

/** The query before and from the place where it could not be read further. */
interface Place {
  readonly before: string;
  readonly after: string;
  /** The parser's words. */
  readonly what: string;
}

/** Splits a query at a line and a column, which counts bytes from 1 as Prometheus does. */
export function placeIn(query: string, line: number, column: number): Omit<Place, 'what'> {
  const lines = query.split('\n');
  const bytes = Buffer.from(lines[line - 1] ?? '');
  const before = [...lines.slice(0, line - 1), bytes.subarray(0, column - 1).toString()].join('\n');
  const after = [bytes.subarray(column - 1).toString(), ...lines.slice(line)].join('\n');
  return { before, after };
}

const nameAtEnd = /([a-zA-Z_:][\w:]*)\s*$/;
const text = /^(?:"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|`[^`]*`)/;
/** What is longer is not written out again. */
const mostShown = 60;

/** Names of OpenTelemetry have dots. */
function dottedName({ before, after, what }: Place): string | undefined {
  if (!/^unexpected character(?: inside braces)?: '\.'/.test(what)) return undefined;
  const first = /[a-zA-Z_:][\w:]*$/.exec(before)?.[0];
  const rest = /^(?:\.\w[\w:]*)+/.exec(after)?.[0];
  if (first === undefined || rest === undefined) return undefined;
  const behind = after.slice(rest.length);
  const name = JSON.stringify(first + rest);
  if (what.includes('inside braces') && /^\s*[=!]/.test(behind))
    return `a label's name with a dot is written in quotes:  {${name}="VALUE"}`;
  const matchers = /^\{\s*([^{}]*[^{}\s])\s*\}/.exec(behind)?.[1];
  const isShown = matchers !== undefined && matchers.length <= mostShown;
  return `a metric's name with a dot is written in quotes and braces:  {${name}${isShown ? `, ${matchers}` : ''}}`;
}

function labelsWithoutParentheses({ before, after, what }: Place): string | undefined {
  if (!/in grouping opts, expected "\("$/.test(what)) return undefined;
  const word = /\b(by|without|on|ignoring)\s*$/i.exec(before)?.[1];
  const labels = /^\w+(?:\s*,\s*\w+)*/.exec(after)?.[0];
  return word === undefined || labels === undefined || labels.length > mostShown
    ? undefined
    : `labels are written in parentheses:  ${word} (${labels})`;
}

function setOperator({ after, what }: Place): string | undefined {
  if (!what.startsWith('unexpected character')) return undefined;
  if (after.startsWith('&')) return 'it is written as a word:  LEFT and RIGHT';
  if (after.startsWith('|')) return 'it is written as a word:  LEFT or RIGHT';
  if (/^![^=~]/.test(after))
    return 'PromQL has no "not": LEFT unless RIGHT leaves out what RIGHT has, absent(METRIC) is 1 where nothing is';
  return undefined;
}

/** `up =~ "x"`, where the place is before the operator or, of `!=`, before the text. */
function comparedWithText({ before, after }: Place): string | undefined {
  const behind = /^(=~|!~|!=|==?)\s*/.exec(after);
  const ahead = /(!=|==)\s*(?:bool\s*)?$/.exec(before);
  const operator = behind?.[1] ?? ahead?.[1];
  const value = text.exec(after.slice(behind?.[0].length ?? 0))?.[0];
  if (operator === undefined) return undefined;
  if (value === undefined) return operator === '=' ? 'numbers are compared with ==' : undefined;
  const name = nameAtEnd.exec(behind === null ? before.slice(0, ahead?.index) : before)?.[1] ?? 'METRIC';
  const isShown = name.length + value.length <= mostShown;
  const sign = operator === '==' ? '=' : operator;
  return `texts are compared with labels, in braces:  ${isShown ? name : 'METRIC'}{LABEL${sign}${isShown ? value : '"TEXT"'}}`;
}

function groupedFunction({ after, what }: Place): string | undefined {
  const word = /^unexpected <(by|without)>/.exec(what)?.[1];
  if (word === undefined) return undefined;
  const labels = /^\w+\s*\(([\w\s,]*)\)/.exec(after)?.[1]?.trim() ?? 'LABEL';
  return `${word} belongs to an aggregation, such as sum:  sum ${word} (${labels.length <= mostShown ? labels : 'LABEL'}) (…)`;
}

/** What to write instead, if it is a mistake that is known. */
export function knownMistake(place: Place): string | undefined {
  for (const look of [dottedName, labelsWithoutParentheses, setOperator, groupedFunction]) {
    const hint = look(place);
    if (hint !== undefined) return hint;
  }
  const isOperator = /^unexpected (?:character after '[=!]'|"==?"$)|^binary expression must contain only/.test(
    place.what,
  );
  return isOperator ? comparedWithText(place) : undefined;
}
