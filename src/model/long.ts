/**
 * Whole numbers of 64 bits. Nearly all are safe integers and stay numbers; what is beyond is the nearest double and, apart from it, the rest
 * to add, so that only those who write it out exactly need to know.
 */

/** A bigint only where the number is no safe integer: equal longs are `===`, and `<` orders them. */
export type Long = number | bigint;

/** The largest double that 63 bits hold: the nearest one to the last numbers below 2^63 would come out of the store as a negative one. */
const lastDouble = 2 ** 63 - 1024;

/** The long of any whole number. */
export function longOf(value: bigint): Long {
  const nearest = Number(value);
  return Number.isSafeInteger(nearest) ? nearest : value;
}

/** The double nearest to a long of 63 bits and a sign, below 2^63. */
export function nearestOf(value: Long): number {
  return typeof value === 'number' ? value : Math.min(Number(value), lastDouble);
}

/** What to add to the nearest double; undefined for most, which are it. */
export function restOf(value: Long): number | undefined {
  if (typeof value === 'number') return undefined;
  const rest = Number(value - BigInt(nearestOf(value)));
  return rest === 0 ? undefined : rest;
}

/** The long that was split into its nearest double and a rest. */
export function joinLong(nearest: number, rest = 0): Long {
  return Number.isSafeInteger(nearest) ? nearest : longOf(BigInt(nearest) + BigInt(rest));
}

/** The sum of two longs as 64 bits hold it: beyond them it starts again from the other end. */
export function addLongs(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return longOf(BigInt.asIntN(64, BigInt(a) + BigInt(b)));
}

/** The difference of two longs, likewise. */
export function subtractLongs(a: Long, b: Long): Long {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return longOf(BigInt.asIntN(64, BigInt(a) - BigInt(b)));
}
