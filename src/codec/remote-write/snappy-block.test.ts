import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { compress } from '../../../test/fixtures/write-request.ts';
import { CodecError } from '../codec-error.ts';
import { createSnappyDecoder, SnappySizeError } from './snappy-block.ts';

const limit = 8 * 1024 * 1024;

describe('a snappy block', () => {
  it('comes out as it went in, whatever its length and however much repeats in it', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const decode = createSnappyDecoder();
    for (let i = 0; i < 300; i++) {
      const size = Math.floor(random() ** 3 * 200_000);
      const alphabet = 1 + Math.floor(random() * 256);
      const bytes = Buffer.from(Array.from({ length: size }, () => Math.floor(random() * alphabet)));
      if (size > 500) bytes.copy(bytes, Math.floor(size / 2), 0, Math.floor(size / 3));
      expect(decode(compress(bytes), limit).equals(bytes), `seed ${seed}, block ${i}`).toBe(true);
    }
  });

  it('repeats what it is writing where a copy reaches into itself, and reads every kind of tag', () => {
    const decode = createSnappyDecoder();
    // The length; the literal "ab"; eight bytes from two back; three from two back by two bytes of offset; two from four back by four; "cd".
    const tags = [[17], [0x04, 0x61, 0x62], [0x11, 2], [0x0a, 2, 0], [0x07, 4, 0, 0, 0], [0x04, 0x63, 0x64]];
    expect(decode(Buffer.from(tags.flat()), limit).toString()).toBe('ababababab' + 'aba' + 'ba' + 'cd');
  });

  it('is refused by the length that it says, before memory is taken for it', () => {
    const decode = createSnappyDecoder();
    expect(() => decode(compress(Buffer.alloc(1000)), 999)).toThrow(SnappySizeError);
    expect(() => decode(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]), 2 ** 32)).toThrow('shorter than it says');
  });

  it.each([
    ['nothing', []],
    ['a length that does not end', [0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a literal that is cut short', [5, 0x10, 1, 2]],
    ['a literal longer than the block', [1, 0x10, 1, 2, 3, 4, 5]],
    ['a copy from before the start', [8, 0x00, 0x61, 0x01, 0x02]],
    ['a copy from nowhere', [5, 0x00, 0x61, 0x01, 0x00]],
    ['a copy that is cut short', [5, 0x00, 0x61, 0x02]],
    ['less than it says', [9, 0x00, 0x61]],
  ])('that is %s is an error of the codec', (_what, bytes) => {
    expect(() => createSnappyDecoder()(Buffer.from(bytes), limit)).toThrow(CodecError);
  });
});
