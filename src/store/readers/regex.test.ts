import { describe, expect, it } from 'vitest';
import { checkRegex } from './regex.ts';

describe('checkRegex', () => {
  it.each([
    ['', true],
    ['a', false],
    ['a*', true],
    ['a|', true],
    ['|a', true],
    ['a|b', false],
    ['(a|b?)c*', true],
    ['(?:a|b)+', false],
    ['(a*)+', true],
    ['a{0,3}', true],
    ['a{2}', false],
    ['a{,3}', false],
    ['^$', true],
    ['\\bx*', false],
    ['(?i)A?', true],
    ['(?i:a)?', true],
    ['(?P<name>x?)(?<other>y*)', true],
    ['\\Qa*\\E', false],
    ['\\Q\\E', true],
    ['[]a]*', true],
    ['[^]a]', false],
    ['[[:alpha:]]?', true],
    ['[a-z-]', false],
    ['[-a]', false],
    ['[]-a]', false],
    ['[\\d-z]', false],
    ['[\\]-a]', false],
    ['.+', false],
    ['.*', true],
    ['a??', true],
    ['\\pL*\\p{Greek}?', true],
    ['\\x41\\x{10FFFF}\\123\\0', false],
    ['}', false],
  ])('knows whether %j matches a label that is missing', (source, matchesEmpty) => {
    expect(checkRegex(source)).toMatchObject({ kind: 'ok', matchesEmpty });
  });

  it('writes quoted text out, so that it cannot swallow what follows the pattern', () => {
    expect(checkRegex('a\\Qb.c|)')).toMatchObject({ kind: 'ok', pattern: 'ab\\.c\\|\\)' });
    expect(checkRegex('\\Qx\\E+')).toMatchObject({ kind: 'ok', pattern: 'x+' });
  });

  it.each([
    ['(', 'missing closing ): `(`'],
    [')', 'unexpected ): `)`'],
    ['[a', 'missing closing ]: `[a`'],
    ['a\\', 'trailing backslash at end of expression: ``'],
    ['a**', 'invalid nested repetition operator: `**`'],
    ['+', 'missing argument to repetition operator: `+`'],
    ['(*)', 'missing argument to repetition operator: `*`'],
    ['a{1001}', 'invalid repeat count: `{1001}`'],
    ['a{3,2}', 'invalid repeat count: `{3,2}`'],
    ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
    ['(?<=a)', 'invalid named capture: `(?<=a)`'],
    ['(?>a)', 'invalid or unsupported Perl syntax: `(?>`'],
    ['\\1', 'invalid escape sequence: `\\1`'],
    ['\\C', 'invalid escape sequence: `\\C`'],
    ['[z-a]', 'invalid character class range: `z-a`'],
    ['[\\x{2}-\\x01]', 'invalid character class range: `\\x{2}-\\x01`'],
    ['[[:nope:]]', 'invalid character class range: `[:nope:]`'],
    ['\\p{Nope}', 'invalid character class range: `\\p{Nope}`'],
    ['\\x{110000}', 'invalid escape sequence: `\\x{110000`'],
    ['[a', 'missing closing ]: `[a`'],
    ['[]', 'missing closing ]: `[]`'],
    ['[\\b]', 'invalid escape sequence: `\\b`'],
  ])('refuses %j in the words of Go', (source, message) => {
    expect(checkRegex(source)).toEqual({ kind: 'invalid', message: `error parsing regexp: ${message}` });
  });

  it('says of random patterns the same as JavaScript about the empty text, and stays linear', () => {
    const seed = 20_261_121;
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const pieces = [
      'a',
      'b',
      '(',
      ')',
      '(?:',
      '|',
      '*',
      '+',
      '?',
      '{2}',
      '{0,1}',
      '[ab]',
      '[^a]',
      '.',
      '\\d',
      '\\.',
      '^',
      '$',
    ];
    let compared = 0;
    for (let i = 0; i < 20_000; i++) {
      const source = Array.from({ length: random(9) }, () => pieces[random(pieces.length)]).join('');
      const checked = checkRegex(source);
      if (checked.kind !== 'ok') continue;
      let expression: RegExp;
      try {
        expression = new RegExp(`^(?:${source})$`, 's');
      } catch {
        // JavaScript repeats no assertions; such patterns cannot be compared.
        continue;
      }
      compared++;
      expect(checked.matchesEmpty, `${source} (seed ${seed})`).toBe(expression.test(''));
    }
    expect(compared).toBeGreaterThan(1000);
    expect(checkRegex('('.repeat(30_000) + ')'.repeat(30_000))).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('nests too deeply'),
    });
  });
});
