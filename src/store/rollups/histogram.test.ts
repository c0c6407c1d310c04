import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { addBuckets, type Histogram, quantileUs } from './histogram.ts';

/** The bucket as the SQL computes it. */
const bucketOf = (durationUs: number) =>
  durationUs === 0 ? 0 : 1 + Math.min(1008, Math.floor(Math.log2(durationUs) * 16));

describe('quantileUs', () => {
  it('is within 3 % of the exact quantile, the rounding to three digits included', () => {
    const random = createRandom(1);
    const durations = Array.from({ length: 5000 }, () => Math.floor(2 ** (random() * 30)) + 20).sort((a, b) => a - b);
    const histogram: Histogram = new Map();
    for (const duration of durations) addBuckets(histogram, [bucketOf(duration)], [1]);
    for (const quantile of [0, 0.01, 0.5, 0.95, 0.99, 1]) {
      const exact = durations[Math.floor(quantile * (durations.length - 1))] ?? 0;
      const told = quantileUs(histogram, quantile) ?? 0;
      expect(Math.abs(told / exact - 1), `quantile ${quantile}`).toBeLessThan(0.03);
    }
  });

  it('adds up to the same in whatever order and however the counts came', () => {
    const whole: Histogram = new Map();
    addBuckets(whole, [0, 5, 900], ['3', 1, '2']);
    const pieces: Histogram = new Map();
    addBuckets(pieces, [900, 0], [1, 3]);
    addBuckets(pieces, [5, 900], [1, 1]);
    expect(quantileUs(pieces, 0.5)).toBe(quantileUs(whole, 0.5));
    expect(quantileUs(whole, 0.4)).toBe(0);
  });

  it('has no answer for nothing', () => {
    expect(quantileUs(new Map(), 0.5)).toBeUndefined();
  });
});
