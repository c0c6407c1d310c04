import { describe, expect, it } from 'vitest';
import { quantileOf } from './quantile.ts';

/** By sorting, NaN first. */
function sortedQuantile(quantile: number, values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b));
  const rank = quantile * (sorted.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - lower;
  return (sorted[lower] ?? 0) * (1 - weight) + (sorted[upper] ?? 0) * weight;
}

describe('a quantile', () => {
  it('is what sorting says, whatever the values', () => {
    let state = 3;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let i = 0; i < 2000; i++) {
      const spread = 1 + random(50);
      const values = Array.from({ length: 1 + random(60) }, () =>
        random(15) === 0 ? Number.NaN : random(spread) - 10,
      );
      const quantile = random(11) / 10;
      expect(quantileOf(quantile, Float64Array.from(values)), JSON.stringify({ quantile, values })).toBe(
        sortedQuantile(quantile, values),
      );
    }
  });

  it('of values in order, all the same, or falling is found too', () => {
    const count = 100_001;
    for (const value of [(i: number) => i, () => 7, (i: number) => count - i, (i: number) => i % 2]) {
      const values = Array.from({ length: count }, (_, i) => value(i));
      expect(quantileOf(0.25, Float64Array.from(values))).toBe(sortedQuantile(0.25, values));
    }
  });

  it.each([
    [-0.1, Number.NEGATIVE_INFINITY],
    [1.1, Number.POSITIVE_INFINITY],
    [Number.NaN, Number.NaN],
  ])('%d is no share', (quantile, expected) => {
    expect(quantileOf(quantile, Float64Array.of(1, 2))).toBe(expected);
  });
});
