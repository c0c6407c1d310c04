import { describe, expect, it } from 'vitest';
import { createBodyPool } from './body-pool.ts';

describe('the pool of bodies', () => {
  it('hands the same memory out again once it was given back, and never to two at once', () => {
    const pool = createBodyPool(1024 * 1024);
    const first = pool.take(80_000);
    const second = pool.take(80_000);
    expect(first.bytes.buffer).not.toBe(second.bytes.buffer);
    first.giveBack();
    expect(pool.take(100_000).bytes.buffer).toBe(first.bytes.buffer);
    expect(pool.take(80_000).bytes.buffer).not.toBe(second.bytes.buffer);
  });

  it.each([0, 1, 16_384, 16_385, 1_048_576, 1_048_577, 5_000_000])('gives exactly %d bytes', (size) => {
    expect(createBodyPool(0).take(size).bytes.length).toBe(size);
  });

  it('keeps no more than it was told', () => {
    const pool = createBodyPool(16_384);
    const taken = [pool.take(10), pool.take(10)];
    for (const body of taken) body.giveBack();
    expect(pool.take(10).bytes.buffer).toBe(taken[0]?.bytes.buffer);
    expect(pool.take(10).bytes.buffer).not.toBe(taken[1]?.bytes.buffer);
  });
});
