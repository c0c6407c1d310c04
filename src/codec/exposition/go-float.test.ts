import { describe, expect, it } from 'vitest';
import { createChoices } from '../../../test/contract/decoder-kit.ts';
import { formatOpenMetricsFloat, parseGoFloat } from './go-float.ts';

describe('floats', () => {
  it('are read as Go reads them', () => {
    for (const text of ['1', '+7', '-.5', '5.', '0009', '1e3', '4e-400', 'Inf', '+infinity', '-INF', 'nan'])
      expect(parseGoFloat(text), text).toBeDefined();
    for (const text of ['', '-', '.', '1e', '1e309', '0x1p3', '1_0', '+nan', ' 1', '1\r', '1\u00a0', 'Infinit', 'true'])
      expect(parseGoFloat(text), text).toBeUndefined();
  });

  it('are written as OpenMetrics has them, and mean the same', () => {
    const examples: readonly (readonly [number, string])[] = [
      [1, '1.0'],
      [0, '0.0'],
      [0.002, '0.002'],
      [1e-5, '1e-05'],
      [100_000, '100000.0'],
      [1e6, '1e+06'],
      [1_234_567, '1.234567e+06'],
      [-2.5, '-2.5'],
      [Number.POSITIVE_INFINITY, '+Inf'],
    ];
    for (const [value, text] of examples) expect(formatOpenMetricsFloat(value)).toBe(text);
    const random = createChoices(9);
    for (let i = 0; i < 1000; i++) {
      const value = random(2 ** 31) * 10 ** (random(40) - 20);
      expect(parseGoFloat(formatOpenMetricsFloat(value))).toBe(value);
    }
  });
});
