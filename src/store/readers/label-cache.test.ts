import { describe, expect, it } from 'vitest';
import type { Label } from '../../model/sample.ts';
import { createLabelCache } from './label-cache.ts';

const labelsOf = (n: number): Label[] => [
  ['__name__', 'x_total'],
  ['pod', `pod-${n}`],
];

describe('labels that are kept', () => {
  it('are found by both halves of the id, and share what is equal', () => {
    const cache = createLabelCache();
    cache.keep({ low: 1, high: 2 }, labelsOf(1));
    cache.keep({ low: 1, high: -3 }, labelsOf(2));
    expect(cache.get({ low: 1, high: 2 })).toEqual(labelsOf(1));
    expect(cache.get({ low: 1, high: -3 })).toEqual(labelsOf(2));
    expect(cache.get({ low: 2, high: 1 })).toBeUndefined();
    expect(cache.get({ low: 1, high: 2 })?.[0]).toBe(cache.get({ low: 1, high: -3 })?.[0]);
  });

  it('are all forgotten when they are too many, and what is given back stays whole', () => {
    const cache = createLabelCache(1000);
    const given = Array.from({ length: 50 }, (_, i) => cache.keep({ low: i, high: 7 }, labelsOf(i)));
    expect(given).toEqual(Array.from({ length: 50 }, (_, i) => labelsOf(i)));
    expect(cache.get({ low: 0, high: 7 })).toBeUndefined();
    expect(cache.get({ low: 49, high: 7 })).toEqual(labelsOf(49));
    const known = Array.from({ length: 50 }, (_, i) => cache.get({ low: i, high: 7 })).filter(
      (one) => one !== undefined,
    );
    expect(known.length).toBeLessThan(10);
  });
});
