import { describe, expect, it } from 'vitest';
import { sortSteps } from './sort-steps.ts';

function sorted<T>(items: readonly T[], compare: (a: T, b: T) => number) {
  const steps = sortSteps(items, { compare, isDue: (comparisons) => comparisons > 1 || items.length < 10 });
  let turns = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { items: step.value, turns };
    turns++;
  }
}

describe('sorting in steps', () => {
  it('keeps equal ones as they were, and gives turns meanwhile', () => {
    let state = 7;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state % 1000;
    };
    const items = Array.from({ length: 3001 }, (_, i) => ({ key: random(), place: i }));
    const { items: found, turns } = sorted(items, (a, b) => a.key - b.key);
    expect(found).toEqual([...items].sort((a, b) => a.key - b.key || a.place - b.place));
    expect(turns).toBe(12);
  });

  it('gives back what is in order already', () => {
    const items = [1, 2, 2, 3];
    expect(sorted(items, (a, b) => a - b).items).toBe(items);
    expect(sorted<number>([], (a, b) => a - b).items).toEqual([]);
    expect(sorted([2, 1], (a, b) => a - b).items).toEqual([1, 2]);
  });
});
