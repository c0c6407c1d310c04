import { describe, expect, it } from 'vitest';
import { createScrapeMemory } from './scrape-memory.ts';

describe('the memory of scrapes', () => {
  it('ends the largest when all together hold too much, and nobody else', () => {
    const memory = createScrapeMemory(100);
    const [large, small, late] = [memory.open(), memory.open(), memory.open()];
    large.hold(60);
    small.hold(30);
    late.hold(20);
    expect(large.evicted.aborted).toBe(true);
    expect(String(large.evicted.reason)).toContain('total_body_size_limit');
    expect([small.evicted.aborted, late.evicted.aborted]).toEqual([false, false]);
    expect(memory.heldBytes()).toBe(50);
    expect(() => large.hold(1)).toThrow('total_body_size_limit');
    large.release();
    small.release();
    late.release();
    late.release();
    expect(memory.heldBytes()).toBe(0);
  });

  it('tells whoever asks for too much itself', () => {
    const memory = createScrapeMemory(100);
    const claim = memory.open();
    expect(() => claim.hold(101)).toThrow('total_body_size_limit');
    expect(memory.heldBytes()).toBe(0);
  });
});
