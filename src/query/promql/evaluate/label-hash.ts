/**
 * A label set's hash as Prometheus computes it (model/labels, `Hash` of its default build): XXH64 of its names and values, each with its length
 * before it. Series that `limit_ratio` takes there are those that it takes here.
 */
import type { Label } from '../../../model/sample.ts';
import { unmarked } from '../name-mark.ts';

const prime1 = 0x9e3779b185ebca87n;
const prime2 = 0xc2b2ae3d27d4eb4fn;
const prime3 = 0x165667b19e3779f9n;
const prime4 = 0x85ebca77c2b2ae63n;
const prime5 = 0x27d4eb2f165667c5n;
const max64 = 0xffff_ffff_ffff_ffffn;

const multiply = (a: bigint, b: bigint): bigint => (a * b) & max64;
const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & max64;
const round = (lane: bigint, input: bigint): bigint =>
  multiply(rotate((lane + multiply(input, prime2)) & max64, 31n), prime1);
const merge = (hash: bigint, lane: bigint): bigint => (multiply(hash ^ round(0n, lane), prime1) + prime4) & max64;

/** What whole blocks of 32 bytes come to, in four lanes. */
function hashBlocks(bytes: Buffer): bigint {
  if (bytes.length < 32) return prime5;
  let [a, b, c, d] = [(prime1 + prime2) & max64, prime2, 0n, -prime1 & max64];
  for (let at = 0; at + 32 <= bytes.length; at += 32) {
    a = round(a, bytes.readBigUInt64LE(at));
    b = round(b, bytes.readBigUInt64LE(at + 8));
    c = round(c, bytes.readBigUInt64LE(at + 16));
    d = round(d, bytes.readBigUInt64LE(at + 24));
  }
  const hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & max64;
  return merge(merge(merge(merge(hash, a), b), c), d);
}

/** XXH64 with the seed 0. */
export function xxh64(bytes: Buffer): bigint {
  let hash = (hashBlocks(bytes) + BigInt(bytes.length)) & max64;
  let at = bytes.length - (bytes.length % 32);
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (multiply(rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n), prime1) + prime4) & max64;
  }
  if (at + 4 <= bytes.length) {
    hash = (multiply(rotate(hash ^ multiply(BigInt(bytes.readUInt32LE(at)), prime1), 23n), prime2) + prime3) & max64;
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = multiply(rotate(hash ^ multiply(BigInt(bytes[at] ?? 0), prime5), 11n), prime1);
  }
  hash = multiply(hash ^ (hash >> 33n), prime2);
  hash = multiply(hash ^ (hash >> 29n), prime3);
  return hash ^ (hash >> 32n);
}

/** A text behind its length: one byte, or 255 and three. */
function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const { length } = bytes;
  const head = length < 255 ? [length] : [255, length & 255, (length >> 8) & 255, (length >> 16) & 255];
  return Buffer.concat([Buffer.from(head), bytes]);
}

const known = new WeakMap<readonly Label[], bigint>();

export function hashLabels(labels: readonly Label[]): bigint {
  let hash = known.get(labels);
  if (hash === undefined) {
    hash = xxh64(Buffer.concat(unmarked(labels).flatMap(([name, value]) => [encodeText(name), encodeText(value)])));
    known.set(labels, hash);
  }
  return hash;
}
