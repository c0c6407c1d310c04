/** What generated readers and writers of protobuf's JSON go by (https://protobuf.dev/programming-guides/json/, with OTLP's hex ids). */
import { CodecError } from '../codec-error.ts';
import type { Bits64 } from './wire-reader.ts';
import { bigOf, bitsOf } from './wire-writer.ts';

const shownLength = 60;
const two32 = 2 ** 32;
const integer = /^-?[0-9]{1,20}$/;
const hexPairs = /^(?:[0-9a-fA-F]{2})*$/;
const upperCase = /[A-F]/;
/** Both of base64's alphabets, with or without padding. */
const base64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
/** Printable ASCII without quote and backslash: may stand between quotes as it is. */
const plain = /^[ !#-[\]-~]*$/;

/** The error for a value that is not what it should be; `placed` puts the place before it. */
function refuse(expected: string, value: unknown): CodecError {
  const shown = JSON.stringify(value)?.slice(0, shownLength) ?? String(value);
  return new CodecError(`: expected ${expected}, got ${shown}`);
}

/** An error with the place of what was read put before it. */
export function placed(place: string, error: unknown): unknown {
  return error instanceof CodecError ? new CodecError(`${place}${error.message}`) : error;
}

/** As deep as messages may be nested in protobuf (`WireReader`); a message within a message of its own kind is always in a list. */
const nestingLimit = 50;
let depth = 0;

/** Reads a list's items; the error names the item. */
export function readList<Item>(value: unknown, read: (value: unknown) => Item): Item[] {
  if (!Array.isArray(value)) throw refuse('a list', value);
  if (depth >= nestingLimit) throw new CodecError(`: lists nested more than ${nestingLimit} deep`);
  const items: Item[] = [];
  depth++;
  try {
    for (const item of value) items.push(read(item));
  } catch (error) {
    throw placed(`[${items.length}]`, error);
  } finally {
    depth--;
  }
  return items;
}

/** A message's fields; null stands for a field that is not there. */
export function readObject(value: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw refuse('an object', value);
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function readText(value: unknown): string {
  if (typeof value !== 'string') throw refuse('a text', value);
  return value;
}

export function readBool(value: unknown): boolean {
  if (typeof value !== 'boolean') throw refuse('true or false', value);
  return value;
}

/** Bytes that are hex digits in JSON, in lower case. */
export function readHex(value: unknown): string {
  if (typeof value !== 'string' || !hexPairs.test(value)) throw refuse('pairs of hex digits', value);
  return upperCase.test(value) ? value.toLowerCase() : value;
}

export function readBytes(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !base64.test(value)) throw refuse('bytes in base64', value);
  return new Uint8Array(Buffer.from(value, 'base64'));
}

export function readDouble(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') {
    const number = value.trim() === '' ? Number.NaN : Number(value);
    if (!Number.isNaN(number) || value === 'NaN') return number;
  }
  throw refuse('a number', value);
}

function readInteger(value: unknown, low: number, high: number): number {
  const number = typeof value === 'string' && integer.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < low || number > high) {
    throw refuse(`a whole number from ${low} to ${high}`, value);
  }
  return number;
}

export const readUint32 = (value: unknown): number => readInteger(value, 0, two32 - 1);
export const readInt32 = (value: unknown): number => readInteger(value, -(two32 / 2), two32 / 2 - 1);

/** A number within 2^53, or the text of a larger one (`quoteLongIntegers` makes it that). */
function readBigInteger(value: unknown, low: bigint, high: bigint): bigint {
  if ((typeof value === 'number' && Number.isInteger(value)) || (typeof value === 'string' && integer.test(value))) {
    const number = BigInt(value);
    if (number >= low && number <= high) return number;
  }
  throw refuse('a 64-bit integer', value);
}

export function readInt64(value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  return readBigInteger(value, -(2n ** 63n), 2n ** 63n - 1n);
}

export function readUint64(value: unknown): Bits64 {
  // Nanoseconds since 1970 have 19 digits: twice nine digits are exact, and much faster than a bigint.
  if (typeof value === 'string' && value.length === 19 && integer.test(value)) {
    const upper = Number(value.slice(0, 10));
    const lower = Number(value.slice(10));
    // upper * 10^9 + lower, by halves: 10^9 is below 2^30 and upper is below 2^34.
    const upperLow = (upper % 0x1_0000) * 1e9 + lower;
    const upperHigh = Math.floor(upper / 0x1_0000) * 1e9 + Math.floor(upperLow / 0x1_0000);
    return {
      low: ((upperHigh % 0x1_0000) * 0x1_0000 + (upperLow % 0x1_0000)) >>> 0,
      high: Math.floor(upperHigh / 0x1_0000),
    };
  }
  return bitsOf(readBigInteger(value, 0n, 2n ** 64n - 1n));
}

/** An enum's number: itself or its name. A number that the enum does not have is kept, as protobuf keeps it. */
export function readEnum(value: unknown, numbers: ReadonlyMap<string, number>): number {
  if (typeof value === 'string') {
    const number = numbers.get(value);
    if (number !== undefined) return number;
  }
  return readInt32(value);
}

export function writeText(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

export function writeDouble(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0' : String(value);
}

export const writeInt64 = (value: bigint): string => `"${value}"`;
export const writeUint64 = (value: Bits64): string => `"${bigOf(value)}"`;

export function writeBytes(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}"`;
}

export function writeList<Item>(items: readonly Item[], write: (item: Item) => string): string {
  return `[${items.map(write).join(',')}]`;
}
