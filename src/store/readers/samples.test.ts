import { describe, expect, it } from 'vitest';
import { decodeSamples, findSeries } from './samples.ts';

const stale = 0x7ff0000000000002n;
const nan = 0x7ff8000000000001n;

function bitsOf(value: number): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.readBigUInt64LE();
}

/** Rows of one series at one stamp. */
function rows(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(values.length * 24);
  values.forEach((bits, i) => {
    bytes.writeBigUInt64LE(7n, i * 24);
    bytes.writeBigInt64LE(15_000n, i * 24 + 8);
    bytes.writeBigUInt64LE(bits, i * 24 + 16);
  });
  return bytes;
}

describe('samples of one series with one stamp', () => {
  it.each([
    ['a number and the mark of an end', bitsOf(-3), stale],
    ['a number and NaN', bitsOf(Number.NEGATIVE_INFINITY), nan],
    ['NaN and the mark of an end', nan, stale],
    ['zero and minus zero', bitsOf(0), bitsOf(-0)],
    ['two numbers', bitsOf(5), bitsOf(4)],
  ])('are one, the same in whatever order they are read: %s', (_what, winner, loser) => {
    for (const values of [
      [winner, loser],
      [loser, winner],
      [loser, winner, loser],
    ]) {
      const bytes = rows(values);
      const [points] = decodeSamples(bytes, findSeries(bytes), [[]]);
      expect(points?.values).toHaveLength(1);
      expect(points?.staleAt?.[0] ?? 0).toBe(0);
      expect(points?.values[0]).toBe(winner === nan ? Number.NaN : Buffer.from(rows([winner])).readDoubleLE(16));
    }
  });
});
