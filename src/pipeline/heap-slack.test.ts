import { describe, expect, it } from 'vitest';
import { createHeapSlack, growingPercent } from './heap-slack.ts';

const mebibyte = 1024 * 1024;

describe('the slack of the heap', () => {
  it('lets a small heap gather 96 MiB before it is collected, and leaves a large one to V8', () => {
    expect(growingPercent(24 * mebibyte)).toBe(400);
    expect(growingPercent(96 * mebibyte)).toBe(100);
    expect(growingPercent(8 * mebibyte)).toBe(800);
    expect(growingPercent(400 * mebibyte)).toBe(0);
  });

  it('takes an eighth of the memory that a process may use at most', () => {
    expect(growingPercent(24 * mebibyte, 128 * mebibyte)).toBe(60);
    expect(growingPercent(100 * mebibyte, 128 * mebibyte)).toBe(0);
  });

  it('tells V8 only when the answer changes', () => {
    const flags: string[] = [];
    const keepSlack = createHeapSlack(undefined, (flag) => flags.push(flag));
    for (const used of [24, 24, 24.5, 25, 82, 83]) keepSlack(used * mebibyte);
    expect(flags).toEqual(['--heap-growing-percent=400', '--heap-growing-percent=380', '--heap-growing-percent=100']);
  });
});
