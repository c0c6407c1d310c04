/** DataKit's patterns are in Go's syntax (RE2); this writes them in JavaScript's, flag `u`. */

export type Translated =
  | { readonly ok: true; readonly source: string }
  | { readonly ok: false; readonly message: string };

/** What JavaScript takes after a backslash with the flag `u`. */
const knownEscape = /[\^$\\.*+?()[\]{}|/bBdDsSwWfnrtvpPuxck0-9]/;

const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** One piece of a pattern at `at`: what it becomes, and how long it was. */
function translatePiece(
  pattern: string,
  at: number,
  isInClass: boolean,
): { readonly text: string; readonly length: number } {
  const char = pattern.charAt(at);
  const next = pattern.charAt(at + 1);
  if (char === '\\' && next !== '') {
    if (!isInClass && next === 'A') return { text: '^', length: 2 };
    if (!isInClass && next === 'z') return { text: '$', length: 2 };
    if (next === 'a') return { text: '\\x07', length: 2 };
    if (isInClass && next === '-') return { text: '\\-', length: 2 };
    // Go takes a backslash before any punctuation; JavaScript only where it means something.
    const isIdle = !knownEscape.test(next) && !/[A-Za-z0-9]/.test(next);
    return { text: isIdle ? next : char + next, length: 2 };
  }
  if (!isInClass && pattern.startsWith('(?P<', at)) return { text: '(?<', length: 4 };
  if (isInClass && char === '[') {
    const posix = /^\[:([a-z]+):\]/.exec(pattern.slice(at, at + 12));
    const members = posixClasses[posix?.[1] ?? ''];
    return members === undefined ? { text: '\\[', length: 1 } : { text: members, length: posix?.[0].length ?? 1 };
  }
  return { text: char, length: 1 };
}

/** Translates a pattern and proves that it compiles: `^istio\_` → `^istio_`. What has no counterpart is refused. */
export function translatePattern(pattern: string): Translated {
  if (/^\(\?[a-zA-Z-]+[):]/.test(pattern)) {
    return {
      ok: false,
      message: 'begins with a flag such as (?i), which is not supported; write [Aa] for either case',
    };
  }
  let source = '';
  let isInClass = false;
  for (let at = 0; at < pattern.length; ) {
    const piece = translatePiece(pattern, at, isInClass);
    if (piece.length === 1) {
      if (!isInClass && pattern[at] === '[') {
        isInClass = true;
        // A bracket right after the opening one stands for itself.
        const opening = /^\[\^?\]?/.exec(pattern.slice(at, at + 3))?.[0] ?? '[';
        source += opening.replace(']', '\\]');
        at += opening.length;
        continue;
      }
      if (isInClass && pattern[at] === ']') isInClass = false;
    }
    source += piece.text;
    at += piece.length;
  }
  try {
    new RegExp(source, 'u');
    return { ok: true, source };
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : String(error);
    return { ok: false, message: `is not a regular expression: ${why}` };
  }
}
