import { describe, expect, it } from 'vitest';
import { createPartJoiner, type LogPart } from './part-joiner.ts';

const part = (text: string, isPartial: boolean, stream: 'stdout' | 'stderr' = 'stdout', timeNs = 1n): LogPart => ({
  timeNs,
  stream,
  isPartial,
  content: Buffer.from(text),
  text,
  hasInvalidUtf8: false,
  isCut: false,
});

describe('part joiner', () => {
  it('joins each stream by itself and takes the stamp of the first part', () => {
    const joiner = createPartJoiner(100);
    expect(joiner.push(part('a', true, 'stdout', 5n), 0)).toBeUndefined();
    expect(joiner.push(part('x', true, 'stderr', 6n), 0)).toBeUndefined();
    expect(joiner.push(part('b', false, 'stdout', 7n), 0)).toMatchObject({
      text: 'ab',
      timeNs: 5n,
      isTruncated: false,
    });
    expect(joiner.isPending('stdout')).toBe(false);
    expect(joiner.push(part('y', false, 'stderr', 8n), 0)).toMatchObject({ text: 'xy', stream: 'stderr' });
  });

  it('gives up a line whose end never comes, as truncated', () => {
    const joiner = createPartJoiner(100);
    joiner.push(part('a', true), 1000);
    joiner.push(part('x', true, 'stderr'), 2000);
    expect(joiner.pendingSinceMs()).toBe(1000);
    expect(joiner.flush(999)).toEqual([]);
    expect(joiner.flush(1000)).toMatchObject([{ text: 'a', isTruncated: true, isTooLong: false }]);
    expect(joiner.pendingSinceMs()).toBe(2000);
  });

  it('cuts a line at the limit and waits for its end in bounded memory', () => {
    const joiner = createPartJoiner(4);
    for (let n = 0; n < 1000; n++) expect(joiner.push(part('abc', true), 0)).toBeUndefined();
    expect(joiner.push(part('z', false), 0)).toMatchObject({ text: 'abca', isTruncated: true, isTooLong: true });
    expect(joiner.push(part('abcde', false), 0)).toMatchObject({ text: 'abcd', isTooLong: true });
  });
});
