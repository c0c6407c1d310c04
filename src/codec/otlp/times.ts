/** OTLP's nanoseconds, which no double holds, as the model's microseconds and what is left of them. */
import type { Bits64 } from '../protobuf/wire-reader.ts';
import { bigOf } from '../protobuf/wire-writer.ts';

/** `us * 1000 + restNs` is the time. Up to the year 2255 the rest is 0 to 999; beyond, where `us` is the nearest double, it may be any small number. */
export interface SplitTime {
  readonly us: number;
  readonly restNs: number;
}

/** 2^53 µs: from there on a product is no whole number of microseconds any more. */
const lateHigh = Math.floor((2 ** 53 * 1000) / 2 ** 32);

/** Hot: bench/codec.ts. 2^32 is 4294967 * 1000 + 296, so that no product here is beyond 2^53. */
export function splitTime(bits: Bits64): SplitTime {
  const { low, high } = bits;
  if (high >= lateHigh) return splitLate(bigOf(bits));
  const rest = high * 296 + low;
  const restUs = Math.floor(rest / 1000);
  return { us: high * 4_294_967 + restUs, restNs: rest - restUs * 1000 };
}

function splitLate(ns: bigint): SplitTime {
  const us = Number(ns / 1000n);
  return { us, restNs: Number(ns - BigInt(us) * 1000n) };
}

/** The nanoseconds that `splitTime` split. */
export function joinTime(us: number, restNs: number): bigint {
  return BigInt(us) * 1000n + BigInt(restNs);
}
