import { describe, expect, it } from 'vitest';
import {
  checkHead,
  checkTail,
  decodePosition,
  encodePosition,
  matchesHead,
  matchesTail,
  type ReadAt,
} from './position.ts';

const over =
  (bytes: Buffer): ReadAt =>
  (buffer, offset) =>
    bytes.copy(buffer, 0, Math.min(offset, bytes.length));

describe('position of a file', () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, n) => n % 251));
  const position = {
    path: 'a/b/0.log',
    offset: 3000,
    pending: { stdout: 2900 },
    head: checkHead(over(bytes), 3000),
    tail: checkTail(over(bytes), 3000),
  };

  it('comes back as it was kept', () => {
    expect(decodePosition(encodePosition(position))).toEqual(position);
  });

  it('is not read from anything else', () => {
    for (const value of ['', '{', 'null', '[]', '{"path":"a"}', encodePosition({ ...position, offset: -1 })]) {
      expect(decodePosition(value)).toBeUndefined();
    }
  });

  it('knows the file again however it has grown', () => {
    const grown = over(Buffer.concat([bytes, Buffer.from('more')]));
    expect(matchesHead(grown, position) && matchesTail(grown, position)).toBe(true);
  });

  it('does not know a file with another beginning, or with another end of what was read', () => {
    const changed = (at: number) => {
      const copy = Buffer.from(bytes);
      copy[at] = 255;
      return over(copy);
    };
    expect(matchesHead(changed(0), position)).toBe(false);
    expect(matchesHead(changed(1023), position)).toBe(false);
    expect(matchesTail(changed(2999), position)).toBe(false);
    expect(matchesTail(changed(2936), position)).toBe(false);
    expect(matchesTail(over(bytes.subarray(0, 2990)), position)).toBe(false);
  });
});
