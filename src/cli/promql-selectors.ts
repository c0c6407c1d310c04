/** The selectors in the text of a query, for questions about them. A reading by tokens, of queries that an agent could read. */

export interface EqualMatcher {
  readonly label: string;
  readonly value: string;
}

export interface SelectorText {
  /** The metric's name, where it has one. */
  readonly name: string | undefined;
  /** As the query has it, without window and offset. */
  readonly text: string;
  /** Those of `label="value"` alone. */
  readonly equals: readonly EqualMatcher[];
}

const token =
  /\s+|#[^\n]*|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|`[^`]*`|\[[^\]]*\]|(?:\d|\.\d)[\w.]*|[a-zA-Z_:][\w:]*|\{(?:"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|`[^`]*`|[^"'`}])*\}|[\s\S]/gy;
const isName = /^[a-zA-Z_:]/;
/** Names of labels stand in the parentheses that follow these. */
const beforeLabels = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const words = new Set([...beforeLabels, 'and', 'or', 'unless', 'atan2', 'bool', 'offset', 'inf', 'nan']);
const matcher =
  /([a-zA-Z_]\w*|"(?:\\[\s\S]|[^"\\])*")\s*(=~|!~|!=|=)\s*("(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|`[^`]*`)/g;

/** Every selector of a query, each once. */
export function selectorsOf(query: string): SelectorText[] {
  const tokens = (query.match(token) ?? []).filter((text) => text.trim() !== '' && !text.startsWith('#'));
  const found: SelectorText[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const text = tokens[i] ?? '';
    const next = tokens[i + 1] ?? '';
    if (beforeLabels.has(text.toLowerCase()) && next === '(') {
      while (i < tokens.length && tokens[i] !== ')') i++;
    } else if (text.startsWith('{')) {
      found.push(selector(undefined, text));
    } else if (isName.test(text) && isMetric(text, next)) {
      const hasBraces = next.startsWith('{');
      found.push(selector(text, hasBraces ? next : ''));
      if (hasBraces) i++;
    }
  }
  return found.filter(({ text }, i) => found.findIndex((other) => other.text === text) === i);
}

const isMetric = (text: string, next: string): boolean =>
  next !== '(' && !words.has(text.toLowerCase()) && !/^(by|without)$/i.test(next);

function selector(name: string | undefined, braces: string): SelectorText {
  const matchers = [...braces.matchAll(matcher)].map(([, label = '', operator, value = '']) => ({
    label: unquote(label),
    operator,
    value: unquote(value),
  }));
  const equals = matchers.filter(({ operator }) => operator === '=');
  const quoted = /^\{\s*("(?:\\[\s\S]|[^"\\])*")\s*[,}]/.exec(braces)?.[1];
  const inBraces =
    equals.find(({ label }) => label === '__name__')?.value ?? (quoted === undefined ? undefined : unquote(quoted));
  return {
    name: name ?? inBraces,
    text: `${name ?? ''}${braces}`,
    equals: equals.filter(({ label, value }) => label !== '__name__' && value !== ''),
  };
}

const unquote = (text: string): string => (/^["'`]/.test(text) ? text.slice(1, -1).replace(/\\(["'\\])/g, '$1') : text);
