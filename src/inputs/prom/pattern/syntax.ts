/** Reads a regular expression in RE2's syntax, as Go, Prometheus and DataKit have it. */
import { type CharacterTest, createClassReader, either, perlClass } from './character-class.ts';

export type Assertion = 'begin' | 'end' | 'begin_line' | 'end_line' | 'word' | 'no_word';

export type Node =
  | { readonly kind: 'empty' }
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  | { readonly kind: 'capture'; readonly group: number; readonly node: Node }
  | {
      readonly kind: 'repeat';
      readonly node: Node;
      readonly min: number;
      readonly max: number;
      readonly isLazy: boolean;
    };

export interface Syntax {
  readonly node: Node;
  /** How many groups capture, the whole match not among them. */
  readonly groups: number;
  /** The numbers of groups that have a name. */
  readonly names: ReadonlyMap<string, number>;
}

/** What is wrong with a pattern. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

interface Flags {
  readonly ignoresCase: boolean;
  readonly isMultiline: boolean;
  readonly dotTakesNewline: boolean;
  readonly isUngreedy: boolean;
}

const maxRepeat = 1000;
const maxNesting = 200;
const lineFeed = 0x0a;
const escapes: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** Reads a pattern; `dotTakesNewline` as Prometheus has it for its relabelling. */
export function parsePattern(source: string, options: { readonly dotTakesNewline: boolean }): Syntax {
  return createReader(source).read({
    ignoresCase: false,
    isMultiline: false,
    dotTakesNewline: options.dotTakesNewline,
    isUngreedy: false,
  });
}

function createReader(source: string) {
  let at = 0;
  let groups = 0;
  let nesting = 0;
  const names = new Map<string, number>();
  const classes = createClassReader(source, (why) => fail(why));

  const fail = (why: string): never => {
    throw new PatternError(`is not a regular expression: ${why}`);
  };
  const take = (text: string): boolean => {
    if (!source.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };
  const sequence = (nodes: readonly Node[]): Node => {
    const [only] = nodes;
    if (only === undefined) return { kind: 'empty' };
    return nodes.length === 1 ? only : { kind: 'sequence', nodes };
  };
  const character = (code: number, flags: Flags): Node => ({
    kind: 'character',
    test: flags.ignoresCase ? either(code) : (other) => other === code,
  });

  const readChoice = (given: Flags): Node => {
    if (++nesting > maxNesting) fail('it is nested too deeply');
    let flags = given;
    const choices: Node[] = [];
    let nodes: Node[] = [];
    while (at < source.length && source[at] !== ')') {
      if (take('|')) {
        choices.push(sequence(nodes));
        nodes = [];
        continue;
      }
      const changed = readFlagGroup(flags);
      if (changed !== undefined) {
        flags = changed;
        continue;
      }
      nodes.push(...readRepeated(flags));
    }
    nesting--;
    choices.push(sequence(nodes));
    return choices.length === 1 ? sequence(choices) : { kind: 'choice', nodes: choices };
  };

  /** `(?i)`: flags for the rest of the group. */
  const readFlagGroup = (flags: Flags): Flags | undefined => {
    const [whole, letters] = /^\(\?([imsU-]+)\)/.exec(source.slice(at, at + 20)) ?? [];
    if (whole === undefined || letters === undefined) return undefined;
    at += whole.length;
    return withFlags(flags, letters);
  };

  const withFlags = (flags: Flags, letters: string): Flags => {
    const [on = '', off = '', ...more] = letters.split('-');
    if (more.length > 0 || (letters.includes('-') && off === '')) fail(`the flags "${letters}" cannot be read`);
    const set = (letter: string, before: boolean) =>
      on.includes(letter) ? true : off.includes(letter) ? false : before;
    return {
      ignoresCase: set('i', flags.ignoresCase),
      isMultiline: set('m', flags.isMultiline),
      dotTakesNewline: set('s', flags.dotTakesNewline),
      isUngreedy: set('U', flags.isUngreedy),
    };
  };

  const readRepeated = (flags: Flags): readonly Node[] => {
    const start = at;
    if (take('\\Q')) return readQuoted(flags);
    const node = readAtom(flags);
    const bounds = readBounds();
    if (bounds === undefined) return [node];
    const isLazy = take('?') !== flags.isUngreedy;
    if (readBounds() !== undefined) fail(`"${source.slice(start, at)}" repeats a repetition`);
    return [{ kind: 'repeat', node, ...bounds, isLazy }];
  };

  const readQuoted = (flags: Flags): readonly Node[] => {
    const end = source.indexOf('\\E', at);
    const text = source.slice(at, end < 0 ? source.length : end);
    at = end < 0 ? source.length : end + 2;
    return Array.from(text, (one) => character(one.codePointAt(0) ?? 0, flags));
  };

  const readBounds = (): { readonly min: number; readonly max: number } | undefined => {
    if (take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (take('?')) return { min: 0, max: 1 };
    const match = /^\{(\d+)(,(\d*))?\}/.exec(source.slice(at, at + 20));
    if (match === null) return undefined;
    at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (min > maxRepeat || (max > maxRepeat && max !== Number.POSITIVE_INFINITY) || max < min) {
      fail(`"${match[0]}" repeats too often`);
    }
    return { min, max };
  };

  const readAtom = (flags: Flags): Node => {
    const code = source.codePointAt(at) ?? 0;
    const letter = String.fromCodePoint(code);
    if (letter === '(') return readGroup(flags);
    if (letter === '[') {
      const { test, end } = classes.read(at, flags.ignoresCase);
      at = end;
      return { kind: 'character', test };
    }
    if (letter === '\\') return readEscape(flags);
    at += letter.length;
    switch (letter) {
      case '*':
      case '+':
      case '?':
        return fail(`nothing stands before "${letter}" that could be repeated`);
      case '.':
        return {
          kind: 'character',
          test: flags.dotTakesNewline ? () => true : (other) => other !== lineFeed,
        };
      case '^':
        return { kind: 'assertion', assertion: flags.isMultiline ? 'begin_line' : 'begin' };
      case '$':
        return { kind: 'assertion', assertion: flags.isMultiline ? 'end_line' : 'end' };
      default:
        return character(code, flags);
    }
  };

  const readGroup = (flags: Flags): Node => {
    const start = at;
    const named = /^\(\?P?<([A-Za-z_][0-9A-Za-z_]*)>/.exec(source.slice(at, at + 200));
    const flagged = /^\(\?([imsU-]*):/.exec(source.slice(at, at + 20));
    let group = 0;
    let inner = flags;
    if (named !== null) {
      at += named[0].length;
      group = ++groups;
      const name = named[1] ?? '';
      if (names.has(name)) fail(`two groups have the name "${name}"`);
      names.set(name, group);
    } else if (flagged !== null) {
      at += flagged[0].length;
      inner = withFlags(flags, flagged[1] ?? '');
    } else if (source.startsWith('(?', at)) {
      fail(`"${source.slice(at, at + 3)}" is not known (what looks ahead or behind is not part of RE2)`);
    } else {
      at++;
      group = ++groups;
    }
    const node = readChoice(inner);
    if (!take(')')) fail(`the group that begins at character ${start + 1} is not closed`);
    return group === 0 ? node : { kind: 'capture', group, node };
  };

  const readEscape = (flags: Flags): Node => {
    const letter = source[at + 1] ?? '';
    const assertion = ({ A: 'begin', z: 'end', b: 'word', B: 'no_word' } as const)[letter];
    if (assertion !== undefined) {
      at += 2;
      return { kind: 'assertion', assertion };
    }
    const perl = perlClass(letter);
    if (perl !== undefined) {
      at += 2;
      return { kind: 'character', test: perl };
    }
    const escaped = classes.readEscape(at, escapes);
    at = escaped.end;
    return escaped.kind === 'code' ? character(escaped.code, flags) : { kind: 'character', test: escaped.test };
  };

  return {
    read(flags: Flags): Syntax {
      const node = readChoice(flags);
      if (at < source.length) fail(`the bracket at character ${at + 1} closes nothing`);
      return { node, groups, names };
    },
  };
}
