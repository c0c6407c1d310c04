/**
 * ClickHouse's RowBinary: values one after another without names or types, so the reader must ask for the columns in the order of the
 * query. It is what the readers use because JSON turns NaN and Inf into null and costs several times as much to parse.
 */
import { type Long, longOf } from '../../model/long.ts';

/** A cursor over the bytes of an answer. Each call takes the next value; LowCardinality columns are written as what they hold. */
export interface RowBinary {
  isAtEnd(): boolean;
  u8(): number;
  u16(): number;
  u32(): number;
  u64(): bigint;
  i64(): bigint;
  /** A 64-bit integer that the caller knows to be within 2^53, e.g. microseconds or milliseconds since 1970. */
  safeI64(): number;
  /** A 64-bit integer that hardly ever is beyond 2^53. */
  long(): Long;
  f64(): number;
  /** The value's 64 bits; Float64 markers are told apart by them. */
  f64Bits(): { readonly high: number; readonly low: number };
  string(): string;
  /** A String column's bytes, in the answer's own memory. */
  bytes(): Buffer;
  /** LEB128, up to 2^53. */
  varUint(): number;
  /** As lower-case hex digits. */
  fixedHex(sizeBytes: number): string;
  /** A UInt64 as 16 lower-case hex digits. */
  hexU64(): string;
  /** 8-4-4-4-12 digits, or '' when all are zeros. */
  uuid(): string;
  array<T>(element: () => T): T[];
  map(): [key: string, value: string][];
  /** Leaves a map of texts out. */
  skipMap(): void;
}

/** Says that an answer of the store ended early or is not what the query asked for. */
export class RowBinaryError extends Error {
  override readonly name = 'RowBinaryError';
}

/** Reads an answer in the format RowBinary. */
export function readRowBinary(bytes: Buffer): RowBinary {
  let position = 0;

  const take = (sizeBytes: number): number => {
    const start = position;
    position += sizeBytes;
    if (position > bytes.length) {
      throw new RowBinaryError(
        `the store's answer ends at byte ${bytes.length} in the middle of a value at byte ${start}`,
      );
    }
    return start;
  };
  const length = (): number => {
    let result = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes.readUInt8(take(1));
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
    }
  };
  const string = (): string => {
    const size = length();
    const start = take(size);
    // Short ASCII texts, nearly all keys and values of tags, are several times faster this way than through the UTF-8 decoder.
    if (size > 24) return bytes.toString('utf8', start, position);
    let text = '';
    for (let i = start; i < position; i++) {
      const byte = bytes[i] ?? 0;
      if (byte > 0x7f) return bytes.toString('utf8', start, position);
      text += String.fromCharCode(byte);
    }
    return text;
  };
  const hexU64 = (): string => bytes.readBigUInt64LE(take(8)).toString(16).padStart(16, '0');
  const array = <T>(element: () => T): T[] => {
    const count = length();
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(element());
    return items;
  };

  return {
    isAtEnd: () => position >= bytes.length,
    u8: () => bytes.readUInt8(take(1)),
    u16: () => bytes.readUInt16LE(take(2)),
    u32: () => bytes.readUInt32LE(take(4)),
    u64: () => bytes.readBigUInt64LE(take(8)),
    i64: () => bytes.readBigInt64LE(take(8)),
    safeI64() {
      const start = take(8);
      return bytes.readInt32LE(start + 4) * 2 ** 32 + bytes.readUInt32LE(start);
    },
    long() {
      const start = take(8);
      const value = bytes.readInt32LE(start + 4) * 2 ** 32 + bytes.readUInt32LE(start);
      return Number.isSafeInteger(value) ? value : longOf(bytes.readBigInt64LE(start));
    },
    f64: () => bytes.readDoubleLE(take(8)),
    f64Bits() {
      const start = take(8);
      return { low: bytes.readUInt32LE(start), high: bytes.readUInt32LE(start + 4) };
    },
    string,
    bytes() {
      const size = length();
      const start = take(size);
      return bytes.subarray(start, position);
    },
    varUint: length,
    fixedHex(sizeBytes) {
      const start = take(sizeBytes);
      return bytes.toString('hex', start, position);
    },
    hexU64,
    uuid() {
      const digits = hexU64() + hexU64();
      if (digits === '0'.repeat(32)) return '';
      return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
    },
    array,
    map: () => array(() => [string(), string()]),
    skipMap() {
      for (let left = 2 * length(); left > 0; left--) take(length());
    },
  };
}
