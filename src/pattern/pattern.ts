/**
 * Regular expressions in Go's syntax whose time grows with the text and the pattern, never worse (RE2): JavaScript's own can take minutes for
 * `^(a+)+$`, and patterns and texts may both come from strangers. Messages are Go's, as users of Prometheus and Loki know them.
 */
import { RE2JS, RE2JSException } from 're2js';
import { patternWeight } from './weight.ts';

export interface Pattern {
  readonly source: string;
  /** How many steps it has: trying it on a text takes up to so many for each character, about 20 ns each. */
  readonly size: number;
  /** Whether it is found, anywhere in the text unless it is anchored. */
  test(text: string): boolean;
  /** What its groups took, the whole match first, '' for a group that took no part; undefined where it is not found. */
  match(text: string): readonly string[] | undefined;
  /** The numbers of groups that have a name. */
  readonly names: ReadonlyMap<string, number>;
}

export type CompiledPattern =
  | { readonly ok: true; readonly pattern: Pattern }
  | { readonly ok: false; readonly message: string };

export interface PatternOptions {
  /** Whether the whole text must match. */
  readonly isAnchored: boolean;
  /** As Prometheus has it since version 3. */
  readonly dotTakesNewline?: boolean;
}

/** Compiling takes memory and time by length: about 80 ms for so many. Dashboards write hundreds of names into one pattern. */
const maxSourceLength = 65_536;
/** So does compiling by what is repeated: `[\pL\pN]{1000}` weighs 81,000. */
export const maxPatternWeight = 200_000;

/** Compiles a pattern; `message` is Go's sentence where it cannot be. */
export function compilePattern(source: string, { isAnchored, dotTakesNewline }: PatternOptions): CompiledPattern {
  if (source.length > maxSourceLength) {
    return { ok: false, message: `error parsing regexp: the pattern is longer than ${maxSourceLength} characters` };
  }
  const weight = patternWeight(source);
  if (weight > maxPatternWeight) {
    const message = `error parsing regexp: the pattern is too large: with its repetitions it has about ${weight} characters, the limit is ${maxPatternWeight}`;
    return { ok: false, message };
  }
  try {
    const compiled = RE2JS.compile(source, dotTakesNewline === true ? RE2JS.DOTALL : 0);
    return { ok: true, pattern: patternOf(source, compiled, isAnchored) };
  } catch (error) {
    if (error instanceof RE2JSException) return { ok: false, message: messageOf(error) };
    throw error;
  }
}

/** As Go writes it: it quotes the pattern as given, before which the library puts the flag, and quotes even where nothing is to quote. */
function messageOf({ message }: RE2JSException): string {
  const said = message.replace('`(?s)', '`');
  return said.endsWith('`') ? said : `${said}: \`\``;
}

function patternOf(source: string, compiled: RE2JS, isAnchored: boolean): Pattern {
  const groups = compiled.groupCount();
  return {
    source,
    size: compiled.programSize(),
    names: new Map(Object.entries(compiled.namedGroups())),
    test: (text) => (isAnchored ? compiled.testExact(text) : compiled.test(text)),
    match(text) {
      const matcher = compiled.matcher(text);
      if (!(isAnchored ? matcher.matches() : matcher.find())) return undefined;
      return Array.from({ length: groups + 1 }, (_, group) => matcher.group(group) ?? '');
    },
  };
}
