import { describe, expect, it } from 'vitest';
import { createRandom } from '../../test/fixtures/random.ts';
import { cutTo, fitTo, harmless, widthOf } from './cells.ts';

describe("a stranger's text", () => {
  it.each([
    ['get /reviews', 'get /reviews'],
    ['a\u001b[31mred\u0007', 'a�[31mred�'],
    ['one\ntwo\r\nthree\tfour', 'one�two��three�four'],
    ['safe\u202egnp.exe', 'safe�gnp.exe'],
    ['a\u200bb\u2060c\ufeffd\u00ade', 'a�b�c�d�e'],
    ['\ud800 alone', '� alone'],
    ['tag\u{e0041}', 'tag�'],
    ['žlutý kůň', 'žlutý kůň'],
    ['評価 🐟', '評価 🐟'],
  ])('obeys nothing and hides nothing: %j', (text, shown) => {
    expect(harmless(text)).toBe(shown);
  });

  it('has no more marks on a letter than writing has', () => {
    expect(harmless(`Z${'\u0301'.repeat(500)}algo`)).toBe('Z\u0301\u0301algo');
  });

  it('is not worked on beyond what can be seen', () => {
    expect(harmless('é'.repeat(1_000_000)).length).toBeLessThan(10_000);
  });
});

describe('cells', () => {
  it('count wide characters twice and marks not at all', () => {
    expect(widthOf('reviews')).toBe(7);
    expect(widthOf('評価')).toBe(4);
    expect(widthOf('e\u0301')).toBe(1);
    expect(widthOf('🐟')).toBe(2);
  });

  it('are filled exactly, whatever the text', () => {
    const seed = 80;
    const random = createRandom(seed);
    const letters = ['a', 'é', 'e\u0301', '評', '🐟', '\u001b', '\u202e', ' ', 'ﷺ', '\u{1f468}'];
    for (let round = 0; round < 500; round++) {
      const text = Array.from(
        { length: Math.floor(random() * 30) },
        () => letters[Math.floor(random() * letters.length)],
      ).join('');
      const width = Math.floor(random() * 20);
      expect(widthOf(fitTo(harmless(text), width, '…')), `seed ${seed}, ${JSON.stringify(text)} in ${width}`).toBe(
        width,
      );
    }
  });

  it('end in an ellipsis where a text was cut', () => {
    expect(cutTo('productpage', 8, '…')).toBe('product…');
    expect(cutTo('productpage', 8, '..')).toBe('produc..');
    expect(cutTo('評価評価', 4, '…')).toBe('評…');
    expect(cutTo('reviews', 7, '…')).toBe('reviews');
  });
});
