/**
 * Regular expressions of queries, as they are handed to the engine's RE2: what is done here is to check the syntax (RE2 as Go has it, which
 * Prometheus and Loki promise), to make it safe to anchor, and to tell whether it matches the empty string, which is what a label that is
 * missing holds.
 */
import { compilePattern } from '../../pattern/pattern.ts';

export type CheckedRegex =
  | {
      readonly kind: 'ok';
      /** For the engine's `match`, unanchored; `.` matches newlines only where the caller says so. */
      readonly pattern: string;
      /** Whether the whole of it matches ''. */
      readonly matchesEmpty: boolean;
    }
  | { readonly kind: 'invalid'; readonly message: string };

/** `\Q…\E` is written out, because without its end it would swallow what the caller puts behind the pattern. */
const writeOutQuoted = (source: string): string =>
  source.replace(/\\Q([\s\S]*?)(?:\\E|$)|\\[\s\S]/gu, (found: string, quoted: string | undefined) =>
    quoted === undefined ? found : quoted.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'),
  );

/** Checks a pattern of RE2's syntax; its errors read as Go's `regexp` words them. */
export function checkRegex(source: string): CheckedRegex {
  const compiled = compilePattern(source, { isAnchored: true, dotTakesNewline: true });
  if (!compiled.ok) return { kind: 'invalid', message: compiled.message };
  return { kind: 'ok', pattern: writeOutQuoted(source), matchesEmpty: compiled.pattern.test('') };
}
