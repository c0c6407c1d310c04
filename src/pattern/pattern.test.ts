import { describe, expect, it } from 'vitest';
import { createRandom } from '../../test/fixtures/random.ts';
import { compilePattern } from './pattern.ts';
import { patternWeight } from './weight.ts';

function compiled(source: string, isAnchored = false) {
  const result = compilePattern(source, { isAnchored });
  if (!result.ok) throw new Error(result.message);
  return result.pattern;
}

describe('patterns', () => {
  it('finds what RE2 finds', () => {
    for (const [source, text, expected] of [
      ['a|ab', 'ab', ['a']],
      ['(a|ab)(c|bcd)', 'abcd', ['abcd', 'a', 'bcd']],
      ['(a*)(b?)', 'aab', ['aab', 'aa', 'b']],
      ['(a*?)(b?)$', 'aab', ['aab', 'aa', 'b']],
      ['(?:x)?(y+)', 'zxyy', ['xyy', 'yy']],
      ['(?i)HeLLo', 'say hEllO', ['hEllO']],
      ['(?i:a)B', 'AB', ['AB']],
      ['[^[:digit:]]+', '12ab3', ['ab']],
      ['[]a]+', 'x]a]', [']a]']],
      ['[a\\-z]+', 'b-z', ['-z']],
      ['\\Qa.b\\E', 'axb a.b', ['a.b']],
      ['^istio\\_(.*)', 'istio_requests', ['istio_requests', 'requests']],
      ['\\bfoo\\b', 'a foo b', ['foo']],
      ['x{2,3}', 'xxxx', ['xxx']],
      ['(?P<first>\\d+)-(?<second>\\w+)', '12-ab', ['12-ab', '12', 'ab']],
      ['\\p{Greek}+', 'abc αβγ', ['αβγ']],
      ['\\x{1F600}', '😀', ['😀']],
      ['a.c', 'a😀c', ['a😀c']],
      ['(a)|b', 'b', ['b', '']],
      ['(|a)*', 'aa', ['', '']],
      ['(?m)^b$', 'a\nb\nc', ['b']],
    ] satisfies [string, string, string[]][]) {
      expect([source, compiled(source).match(text)]).toEqual([source, expected]);
    }
  });

  it('matches the whole text where it is anchored', () => {
    expect(compiled('a|ab', true).match('ab')).toEqual(['ab']);
    expect(compiled('b', true).test('abc')).toBe(false);
    expect(compiled('(.*)', true).match('')).toEqual(['', '']);
  });

  it('says what is wrong with a pattern as Go does', () => {
    for (const [source, why] of [
      ['a(b', 'missing closing ): `a(b`'],
      ['a)b', 'unexpected ): `a)b`'],
      ['[a', 'missing closing ]: `[a`'],
      ['*a', 'missing argument to repetition operator: `*`'],
      ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
      ['(a)\\1', 'invalid escape sequence: `\\1`'],
      ['a{1001}', 'invalid repeat count: `{1001}`'],
      ['((a{100}){100}){100}', 'invalid repeat count: `{100}`'],
      ['[z-a]', 'invalid character class range: `z-a`'],
      ['a\\', 'trailing backslash at end of expression: ``'],
      ['('.repeat(1001) + ')'.repeat(1001), 'expression nests too deeply'],
      ['x'.repeat(65_537), 'longer than 65536 characters'],
      [
        `(${'ab'.repeat(5000)}){1000}`,
        'too large: with its repetitions it has about 10002000 characters, the limit is 200000',
      ],
    ] as const) {
      const result = compilePattern(source, { isAnchored: false });
      expect(result.ok ? 'ok' : result.message, source).toContain(why);
    }
  });

  it('takes what people write, and weighs it by its size when it is compiled', () => {
    const names = Array.from({ length: 3000 }, (_, i) => `service-name-${i}`).join('|');
    for (const source of [
      '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
      '(?:\\d{1,3}\\.){3}\\d{1,3}',
      '[\\pL\\pN]{1000}',
      '(?:[]a-z^]{10}[[:alpha:]]{10}){5}',
      names,
    ]) {
      const { size } = compiled(source);
      expect(patternWeight(source), source.slice(0, 40)).toBeGreaterThan(size / 4);
    }
    for (const source of ['((((a{10}){10}){10})', 'a{', '{5}', '[a', '\\', ')('])
      expect(patternWeight(source)).toBeLessThan(2000);
  });

  it('agrees with JavaScript on random patterns and texts', () => {
    const random = createRandom(20261121);
    const pick = (texts: readonly string[]): string => texts[Math.floor(random() * texts.length)] ?? '';
    // JavaScript throws an empty turn of a repetition away, RE2 does not: what can be empty is not repeated here.
    const make = (depth: number): { readonly source: string; readonly mayBeEmpty: boolean } => {
      if (depth === 0) return { source: pick(['a', 'b', '.', '[ab]', '[^a]', '\\w', 'c']), mayBeEmpty: false };
      const { source, mayBeEmpty } = make(depth - 1);
      const other = make(depth - 1);
      const kind = Math.floor(random() * (mayBeEmpty ? 3 : 4));
      if (kind === 0) return { source: `(?:${source})(${other.source})`, mayBeEmpty: mayBeEmpty && other.mayBeEmpty };
      if (kind === 1) return { source: `(${source})`, mayBeEmpty };
      if (kind === 2) return { source: `${source}|${other.source}`, mayBeEmpty: mayBeEmpty || other.mayBeEmpty };
      const times = pick(['*', '+', '?', '*?', '+?', '??', '{1,2}', '{2,}']);
      return { source: `(?:${source})${times}`, mayBeEmpty: /^[*?]/.test(times) };
    };
    for (let n = 0; n < 3000; n++) {
      const { source } = make(1 + Math.floor(random() * 4));
      const text = Array.from({ length: Math.floor(random() * 8) }, () => pick(['a', 'b', 'c', '-'])).join('');
      const ours = compiled(source).match(text);
      const theirs = new RegExp(source, 'u').exec(text);
      expect([source, text, ours?.[0]]).toEqual([source, text, theirs?.[0]]);
    }
  });

  it('takes time in proportion where JavaScript takes for ever', () => {
    for (const source of ['^(a+)+$', '(a*)*b', '(a|aa)+$', '(.*)(.*)(.*)(.*)(.*)x']) {
      expect(compiled(source).test(`${'a'.repeat(3000)}!`)).toBe(false);
    }
  });
});
