import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { createSeriesBudget } from './series-budget.ts';
import { hashLabels, sameLabels } from './series-hash.ts';

describe('the budget of series', () => {
  it('admits each series once, new ones up to the limit, and all anew on the next day', () => {
    const budget = createSeriesBudget(1000);
    const random = createRandom(7);
    const hashes = Array.from({ length: 1500 }, () => Math.floor(random() * 2 ** 53));
    expect(hashes.map((hash) => budget.admit(hash, 0)).filter((isAdmitted) => isAdmitted)).toHaveLength(1000);
    expect(hashes.slice(0, 1000).every((hash) => budget.admit(hash, 1000))).toBe(true);
    expect(budget.admit(hashes[1200] ?? 0, 1000)).toBe(false);
    expect([budget.current(), budget.day(1000)]).toEqual([1000, 0]);
    expect(budget.day(86_400_000)).toBe(1);
    expect(budget.admit(hashes[1200] ?? 0, 86_400_000)).toBe(true);
    expect(budget.current()).toBe(1);
  });
});

describe('hashes of labels', () => {
  it('are the same for the same labels alone, among many that are nearly the same', () => {
    const hashes = new Set<number>();
    const sets = Array.from({ length: 200_000 }, (_, n) => [
      ['__name__', `metric_${n % 100}`] as const,
      ['id', String(n)] as const,
    ]);
    for (const labels of sets) hashes.add(hashLabels(labels));
    expect(hashes.size).toBe(sets.length);
    expect(hashLabels([['a', 'bc']])).not.toBe(hashLabels([['ab', 'c']]));
    expect(Number.isSafeInteger(hashLabels([['a', 'b']]))).toBe(true);
    expect(sameLabels([['a', 'b']], [['a', 'b']])).toBe(true);
    expect(sameLabels([['a', 'b']], [['a', 'c']])).toBe(false);
  });
});
