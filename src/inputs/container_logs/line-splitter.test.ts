import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { createLineSplitter, type RawLine } from './line-splitter.ts';

function split(chunks: readonly string[], maxBytes = 100, offset = 0) {
  const splitter = createLineSplitter(offset, maxBytes);
  const lines: string[] = [];
  const take = ({ bytes, startOffset, endOffset, isCut }: RawLine) => {
    lines.push(`${bytes.toString()}@${startOffset}-${endOffset}${isCut ? ' cut' : ''}`);
  };
  for (const chunk of chunks) splitter.push(Buffer.from(chunk), take);
  return { splitter, lines, take };
}

describe('line splitter', () => {
  it('tells each line with where it begins and ends', () => {
    expect(split(['ab\n\nc', 'd\ne'], 100, 10).lines).toEqual(['ab@10-13', '@13-14', 'cd@14-17']);
  });

  it('keeps its place at the beginning of the line that has not ended', () => {
    const { splitter, lines, take } = split(['ab\ncd']);
    expect([splitter.lineOffset, splitter.readOffset]).toEqual([3, 5]);
    splitter.finish(take);
    expect(lines).toEqual(['ab@0-3', 'cd@3-5']);
    expect(splitter.lineOffset).toBe(5);
  });

  it('cuts what is too long, however it comes, and goes on behind the newline', () => {
    expect(split(['abcdef\ngh\n'], 4).lines).toEqual(['abcd@0-7 cut', 'gh@7-10']);
    expect(split(['abc', 'def', 'ghi\nj\n'], 4).lines).toEqual(['abcd@0-10 cut', 'j@10-12']);
    expect(split(['abcd\n'], 4).lines).toEqual(['abcd@0-5']);
    expect(split(['abcd', '\n'], 4).lines).toEqual(['abcd@0-5']);
  });

  it('gives the same lines however the bytes are cut', () => {
    const random = createRandom(7);
    const text = Array.from({ length: 200 }, (_, n) => 'x'.repeat(Math.floor(random() * 30)) + n).join('\n');
    const whole = split([`${text}\n`], 20).lines;
    for (let round = 0; round < 20; round++) {
      const chunks: string[] = [];
      for (let at = 0; at <= text.length; ) {
        const length = 1 + Math.floor(random() * 50);
        chunks.push(`${text}\n`.slice(at, at + length));
        at += length;
      }
      expect(split(chunks, 20).lines).toEqual(whole);
    }
  });
});
