import { describe, expect, it } from 'vitest';
import { parseGrpcTimeout } from './timeout.ts';

describe('grpc-timeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['10S', 10_000],
    ['250m', 250],
    ['500000u', 500],
    ['1000000n', 1],
    ['0S', 0],
    ['99999999H', 99_999_999 * 3_600_000],
  ])('%s is %d ms', (header, ms) => {
    expect(parseGrpcTimeout(header)).toBe(ms);
  });

  it.each(['', '10', 'S', '-1S', '1.5S', '123456789S', '1s', '1 S', '1S '])('%j is none', (header) => {
    expect(parseGrpcTimeout(header)).toBeUndefined();
  });
});
