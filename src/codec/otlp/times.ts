/** OTLP's nanoseconds, which no double holds, as the model's microseconds and what is left of them. */
import type { Bits64 } from '../protobuf/wire-reader.ts';
import { bigOf } from '../protobuf/wire-writer.ts';

/** `us * 1000 + restNs` is the time. Up to the year 2262 the rest is 0 to 999; beyond, where `us` is the nearest double, it may be any small number. */
export interface SplitTime {
  readonly us: number;
  readonly restNs: number;
}

const lastSimpleHigh = 2 ** 31;

/** Hot: bench/codec.ts. 2^32 is 4294967 * 1000 + 296, so that no product here is beyond 2^53. */
export function splitTime(bits: Bits64): SplitTime {
  const { low, high } = bits;
  if (high >= lastSimpleHigh) return splitLate(bigOf(bits));
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
