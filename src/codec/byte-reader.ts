/** Reads a binary message from its start and refuses to read beyond its end; what Thrift's and protobuf's readers share. */
import { type Long, longOf } from '../model/long.ts';
import { CodecError } from './codec-error.ts';
import { decodeUtf8 } from './java-text.ts';
import { knownText } from './known-texts.ts';
import { WideSpanError } from './wide-span-error.ts';

/** Longer strings cost V8 pages of their own, and a text that is kept keeps its stretch. */
const stretchLength = 32 * 1024;

/** The long of two halves of 32 bits. */
function longOfHalves(high: number, low: number): Long {
  const value = high * 2 ** 32 + (low >>> 0);
  return Number.isSafeInteger(value) ? value : longOf((BigInt(high) << 32n) | BigInt(low >>> 0));
}

/** A class because it is nothing but a position in a message. Hot: bench/codec.ts. */
export class ByteReader {
  readonly bytes: Buffer;
  /** A stretch of the message, a character a byte: cutting texts out of it is cheaper than asking for them one by one. */
  #stretch = '';
  #stretchStart = 0;
  readonly #view: DataView;
  position = 0;
  /** Values that nobody asked for since whoever reads set it to zero, and how many may come. */
  skipped = 0;
  maxSkipped = Number.POSITIVE_INFINITY;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  /** Refuses unless `length` more bytes are there. */
  require(length: number): void {
    if (length > this.bytes.length - this.position) {
      throw this.error(`Truncated: length ${length} > bytes available ${this.remaining}`);
    }
    if (length < 0) throw this.error(`Malformed: negative length ${length}`);
  }

  /** The error to throw for `reason` at the reader's place. */
  error(reason: string): CodecError {
    return new CodecError(`${reason} at byte ${this.position}`);
  }

  byte(): number {
    const byte = this.bytes[this.position];
    if (byte === undefined) throw this.error('Truncated: length 1 > bytes available 0');
    this.position++;
    return byte;
  }

  /** Unsigned, big end first. */
  uint16(): number {
    this.require(2);
    const { bytes, position } = this;
    this.position = position + 2;
    return ((bytes[position] ?? 0) << 8) | (bytes[position + 1] ?? 0);
  }

  /** Signed, big end first. */
  int32(): number {
    this.require(4);
    const { bytes, position } = this;
    this.position = position + 4;
    return (
      ((bytes[position] ?? 0) << 24) |
      ((bytes[position + 1] ?? 0) << 16) |
      ((bytes[position + 2] ?? 0) << 8) |
      (bytes[position + 3] ?? 0)
    );
  }

  /** Signed, big end first. */
  int64(): Long {
    const high = this.int32();
    return longOfHalves(high, this.int32());
  }

  /** Signed, little end first. */
  fixed64(): Long {
    this.require(8);
    const { position } = this;
    this.position = position + 8;
    return longOfHalves(this.#littleEndian(position + 4), this.#littleEndian(position));
  }

  #littleEndian(at: number): number {
    const { bytes } = this;
    return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
  }

  /** Counts a value that nobody asked for: small ones by the million would take seconds. */
  countSkipped(): void {
    if (++this.skipped > this.maxSkipped) throw new WideSpanError('fields', this.maxSkipped);
  }

  /** Passes over `length` bytes, and answers how many that were. */
  skip(length: number): number {
    this.require(length);
    this.position += length;
    return length;
  }

  /** A protobuf varint of up to 32 bits, signed; more is refused, which most readers of protobuf cut off. */
  varint32(): number {
    let result = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    const last = this.byte();
    if (last > 0x0f) throw this.error('Greater than 32-bit varint');
    return result | (last << 28);
  }

  /** A protobuf varint of up to 64 bits, signed. */
  varint64(): Long {
    let result = 0;
    for (let i = 0, scale = 1; i < 7; i++, scale *= 128) {
      const byte = this.byte();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
    }
    let wide = BigInt(result);
    for (let shift = 49n; ; shift += 7n) {
      const byte = this.byte();
      if (shift === 63n && byte > 0x0f) throw this.error('Greater than 64-bit varint');
      wide |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80 || shift === 63n) return longOf(BigInt.asIntN(64, wide));
    }
  }

  /** Text that is seldom the same twice. It may be a part of a longer one: copy it where it outlives the message. */
  text(length: number): string {
    this.require(length);
    const start = this.position;
    const end = start + length;
    this.position = end;
    const { bytes } = this;
    if (length > stretchLength) return decodeUtf8(bytes.subarray(start, end));
    for (let i = start; i < end; i++) {
      if ((bytes[i] ?? 0) > 0x7f) return decodeUtf8(bytes.subarray(start, end));
    }
    return this.ascii(start, end);
  }

  /** The text of bytes from `start` to `end` that are known to be ASCII. */
  ascii(start: number, end: number): string {
    if (start < this.#stretchStart || end > this.#stretchStart + this.#stretch.length) this.#stretchFrom(start, end);
    return this.#stretch.slice(start - this.#stretchStart, end - this.#stretchStart);
  }

  #stretchFrom(start: number, end: number): void {
    this.#stretch = this.bytes.toString('latin1', start, Math.max(start + stretchLength, end));
    this.#stretchStart = start;
  }

  /** Text that comes again and again. */
  knownText(length: number): string {
    this.require(length);
    const start = this.position;
    const known = knownText(this.bytes, start, start + length);
    if (known === undefined) return this.text(length);
    this.position = start + length;
    return known;
  }

  /** Lower-case hex digits, two a byte. */
  hex(length: number): string {
    this.require(length);
    const start = this.position;
    this.position = start + length;
    return this.bytes.toString('hex', start, start + length);
  }

  /** Whether the bytes from here on are those of an earlier part of the message. */
  repeats(start: number, end: number): boolean {
    const { bytes, position } = this;
    const view = this.#view;
    const shift = position - start;
    if (end + shift > bytes.length) return false;
    let i = start;
    for (; i + 4 <= end; i += 4) if (view.getInt32(i) !== view.getInt32(i + shift)) return false;
    for (; i < end; i++) if (bytes[i] !== bytes[i + shift]) return false;
    return true;
  }
}
