/** Which characters a class such as `[a-z]`, `\d` or `\pL` takes. */

/** Whether a code point belongs to the class. */
export type CharacterTest = (code: number) => boolean;

export type Escape =
  | { readonly kind: 'code'; readonly code: number; readonly end: number }
  | { readonly kind: 'class'; readonly test: CharacterTest; readonly end: number };

type Ranges = readonly (readonly [from: number, to: number])[];

const inRanges =
  (ranges: Ranges): CharacterTest =>
  (code) =>
    ranges.some(([from, to]) => code >= from && code <= to);
const not =
  (test: CharacterTest): CharacterTest =>
  (code) =>
    !test(code);

/** A code point in either case. */
export function either(code: number): CharacterTest {
  const text = String.fromCodePoint(code);
  const lower = text.toLowerCase().codePointAt(0);
  const upper = text.toUpperCase().codePointAt(0);
  return (other) => other === code || other === lower || other === upper;
}

const inEitherCase =
  (test: CharacterTest): CharacterTest =>
  (code) => {
    if (test(code)) return true;
    const text = String.fromCodePoint(code);
    return test(text.toLowerCase().codePointAt(0) ?? code) || test(text.toUpperCase().codePointAt(0) ?? code);
  };

const rangesOf = (text: string): Ranges =>
  Array.from({ length: text.length / 2 }, (_, at) => [text.charCodeAt(2 * at), text.charCodeAt(2 * at + 1)]);

const digit = inRanges(rangesOf('09'));
const word = inRanges(rangesOf('09AZaz__'));
const space = inRanges(rangesOf('\t\n\f\r  '));

const posixClasses: Readonly<Record<string, CharacterTest>> = {
  alnum: inRanges(rangesOf('09AZaz')),
  alpha: inRanges(rangesOf('AZaz')),
  ascii: (code) => code < 0x80,
  blank: inRanges(rangesOf('\t\t  ')),
  cntrl: (code) => code < 0x20 || code === 0x7f,
  digit,
  graph: inRanges(rangesOf('!~')),
  lower: inRanges(rangesOf('az')),
  print: inRanges(rangesOf(' ~')),
  punct: inRanges(rangesOf('!/:@[`{~')),
  space: inRanges(rangesOf('\t\r  ')),
  upper: inRanges(rangesOf('AZ')),
  word,
  xdigit: inRanges(rangesOf('09AFaf')),
};

const perlClasses: Readonly<Record<string, CharacterTest>> = {
  d: digit,
  D: not(digit),
  w: word,
  W: not(word),
  s: space,
  S: not(space),
};

/** `\d` and its kin, by their letter: ASCII alone, as RE2 has them. */
export const perlClass = (letter: string): CharacterTest | undefined =>
  Object.hasOwn(perlClasses, letter) ? perlClasses[letter] : undefined;

/** `\pL`, `\p{Greek}`: one character at a time, so that JavaScript's matcher has nothing to go back over. */
function unicodeClass(name: string): CharacterTest | undefined {
  const isNegated = name.startsWith('^');
  const plain = isNegated ? name.slice(1) : name;
  for (const property of [plain, `Script=${plain}`]) {
    try {
      const expression = new RegExp(`^\\p{${property}}$`, 'u');
      const test: CharacterTest = (code) => expression.test(String.fromCodePoint(code));
      return isNegated ? not(test) : test;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return undefined;
}

/** Reads classes and escapes out of a pattern. */
export function createClassReader(source: string, fail: (why: string) => never) {
  const readEscape = (start: number, letters: Readonly<Record<string, number>>): Escape => {
    const rest = source.slice(start, start + 64);
    const letter = rest[1] ?? '';
    const unicode = /^\\([pP])(?:\{(\^?[A-Za-z_]+)\}|([A-Z]))/.exec(rest);
    if (unicode !== null) {
      const test = unicodeClass(unicode[2] ?? unicode[3] ?? '');
      if (test === undefined) return fail(`"${unicode[0]}" is no class of characters`);
      return { kind: 'class', test: unicode[1] === 'P' ? not(test) : test, end: start + unicode[0].length };
    }
    const hex = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(rest);
    if (hex !== null) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? '', 16);
      if (code > 0x10ffff) return fail(`"${hex[0]}" is no character`);
      return { kind: 'code', code, end: start + hex[0].length };
    }
    const octal = /^\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(rest);
    if (octal !== null) {
      return { kind: 'code', code: Number.parseInt(octal[1] ?? '', 8), end: start + octal[0].length };
    }
    const known = Object.hasOwn(letters, letter) ? letters[letter] : undefined;
    if (known !== undefined) return { kind: 'code', code: known, end: start + 2 };
    if (letter === '') return fail('it ends with a backslash');
    // DataKit's users write `\_` too; a backslash before anything but letters and digits means that character.
    if (/[A-Za-z0-9]/.test(letter)) return fail(`"\\${letter}" is not known`);
    const code = source.codePointAt(start + 1) ?? 0;
    return { kind: 'code', code, end: start + 1 + String.fromCodePoint(code).length };
  };

  const readMember = (at: number): Escape => {
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(source.slice(at, at + 16));
    if (posix !== null) {
      const name = posix[2] ?? '';
      const test = Object.hasOwn(posixClasses, name) ? posixClasses[name] : undefined;
      if (test === undefined) return fail(`"${posix[0]}" is no class of characters`);
      return { kind: 'class', test: posix[1] === '^' ? not(test) : test, end: at + posix[0].length };
    }
    if (source[at] === '\\') {
      const perl = perlClass(source[at + 1] ?? '');
      if (perl !== undefined) return { kind: 'class', test: perl, end: at + 2 };
      return readEscape(at, { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 });
    }
    const code = source.codePointAt(at) ?? 0;
    return { kind: 'code', code, end: at + String.fromCodePoint(code).length };
  };

  return {
    readEscape,
    /** Reads the class whose bracket opens at `start`. */
    read(start: number, ignoresCase: boolean): { readonly test: CharacterTest; readonly end: number } {
      const isNegated = source[start + 1] === '^';
      let at = start + (isNegated ? 2 : 1);
      const ranges: [number, number][] = [];
      const tests: CharacterTest[] = [];
      for (let isFirst = true; isFirst || source[at] !== ']'; isFirst = false) {
        if (at >= source.length) return fail(`the class that begins at character ${start + 1} is not closed`);
        const member = readMember(at);
        at = member.end;
        if (member.kind === 'class') {
          tests.push(member.test);
          continue;
        }
        let to = member.code;
        if (source[at] === '-' && source[at + 1] !== ']' && at + 1 < source.length) {
          const last = readMember(at + 1);
          if (last.kind === 'class' || last.code < member.code) {
            return fail(`"${source.slice(start, last.end)}" has a range that runs backwards`);
          }
          to = last.code;
          at = last.end;
        }
        ranges.push([member.code, to]);
      }
      const within = inRanges(ranges);
      const all: CharacterTest = (code) => within(code) || tests.some((test) => test(code));
      const cased = ignoresCase ? inEitherCase(all) : all;
      return { test: isNegated ? not(cased) : cased, end: at + 1 };
    },
  };
}
