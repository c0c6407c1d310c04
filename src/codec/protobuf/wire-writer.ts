/** What generated encoders of protobuf write with. */
import protobuf from 'protobufjs/minimal.js';
import type { Bits64 } from './wire-reader.ts';

const two32 = 2 ** 32;

/** A class because protobufjs's writer is one. */
export class WireWriter extends protobuf.BufferWriter {
  /** An even number of hex digits as bytes. */
  hex(digits: string): void {
    this.bytes(Buffer.from(digits, 'hex'));
  }

  bigInt64(value: bigint): void {
    const number = Number(value);
    this.int64(Number.isSafeInteger(number) ? number : String(value));
  }

  bigFixed64(value: bigint): void {
    this.fixed64Bits(bitsOf(BigInt.asUintN(64, value)));
  }

  fixed64Bits({ low, high }: Bits64): void {
    this.fixed32(low).fixed32(high);
  }

  uint64Bits({ low, high }: Bits64): void {
    const number = high * two32 + low;
    this.uint64(Number.isSafeInteger(number) ? number : String(bigOf({ low, high })));
  }
}

/** The number that the halves are. */
export function bigOf({ low, high }: Bits64): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The halves of a number from 0 to 2^64-1. */
export function bitsOf(value: bigint): Bits64 {
  return { low: Number(value & 0xffff_ffffn), high: Number(value >> 32n) };
}
