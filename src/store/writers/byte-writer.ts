/**
 * A growing buffer that bytes are appended to. Hot: every stored span goes through here (`bench/codec.ts`), hence the hand-made string
 * and hex loops, which beat Buffer's own for the short ASCII strings that telemetry is made of.
 */

const shortString = 128;

/** Value of a hex digit's char code; 0 for anything else, for what arrives here was checked by the codec. */
const nibbles = new Uint8Array(256);
for (let i = 0; i < 16; i++) {
  nibbles[i.toString(16).charCodeAt(0)] = i;
  nibbles[i.toString(16).toUpperCase().charCodeAt(0)] = i;
}

const nibble = (text: string, index: number): number => nibbles[text.charCodeAt(index) & 0xff] ?? 0;

const two32 = 2 ** 32;

/** Where in a UUID's text the digits of each byte stand, as ClickHouse has the bytes. */
const uuidDigits = new Uint8Array([16, 14, 11, 9, 6, 4, 2, 0, 34, 32, 30, 28, 26, 24, 21, 19]);

const maxKeptBytes = 8 * 1024 * 1024;

export class ByteWriter {
  #buffer: Buffer;
  #view: DataView;
  #length = 0;

  readonly #initialBytes: number;

  constructor(initialBytes = 64 * 1024) {
    this.#initialBytes = initialBytes;
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Empties the writer and keeps its memory, unless something huge once came through. */
  clear(): void {
    this.#length = 0;
    if (this.#buffer.length <= maxKeptBytes) return;
    this.#buffer = Buffer.allocUnsafeSlow(this.#initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** What was written, in the writer's own memory: it changes with the next write after `clear`. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** A whole number within ±2^53 as 64 bits, two's complement. */
  i64(value: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.#length, value >>> 0, true);
    this.#view.setInt32(this.#length + 4, Math.floor(value / two32), true);
    this.#length += 8;
  }

  bigU64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#length, value, true);
    this.#length += 8;
  }

  bigI64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigInt64(this.#length, value, true);
    this.#length += 8;
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** `count` bytes of zeros. */
  zeros(count: number): void {
    this.#reserve(count);
    this.#buffer.fill(0, this.#length, this.#length + count);
    this.#length += count;
  }

  /** LEB128, as ClickHouse writes lengths. */
  varUint(value: number): void {
    let rest = value;
    this.#reserve(8);
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The first `count` of `numbers`, each in 1, 2 or 4 bytes as `width` is 0, 1 or 2. */
  integers(numbers: Uint32Array, count: number, width: 0 | 1 | 2): void {
    const sizeBytes = count << width;
    this.#reserve(sizeBytes);
    const buffer = this.#buffer;
    let at = this.#length;
    if (width === 0) for (let i = 0; i < count; i++) buffer[at++] = numbers[i] ?? 0;
    else if (width === 1) {
      for (let i = 0; i < count; i++) {
        const number = numbers[i] ?? 0;
        buffer[at++] = number;
        buffer[at++] = number >>> 8;
      }
    } else buffer.set(new Uint8Array(numbers.buffer, numbers.byteOffset, sizeBytes), at);
    this.#length += sizeBytes;
  }

  /** Hex digits as bytes, first digit first: a FixedString. */
  hex(digits: string): void {
    const count = digits.length >> 1;
    this.#reserve(count);
    const buffer = this.#buffer;
    let at = this.#length;
    for (let i = 0; i < count; i++) buffer[at++] = (nibble(digits, 2 * i) << 4) | nibble(digits, 2 * i + 1);
    this.#length = at;
  }

  /** A UUID in its canonical spelling: two little-endian 64-bit halves. */
  uuid(text: string): void {
    this.#reserve(16);
    const buffer = this.#buffer;
    const start = this.#length;
    for (let i = 0; i < 16; i++) {
      const digit = uuidDigits[i] ?? 0;
      buffer[start + i] = (nibble(text, digit) << 4) | nibble(text, digit + 1);
    }
    this.#length = start + 16;
  }

  /** 16 hex digits as a little-endian 64-bit number. */
  hexU64(digits: string): void {
    this.#reserve(8);
    const buffer = this.#buffer;
    let at = this.#length;
    for (let i = 14; i >= 0; i -= 2) buffer[at++] = (nibble(digits, i) << 4) | nibble(digits, i + 1);
    this.#length = at;
  }

  /** The length in bytes and the UTF-8 of a string; a lone surrogate becomes U+FFFD. */
  string(text: string): void {
    const chars = text.length;
    this.#reserve(chars * 3 + 5);
    if (chars < shortString && this.#shortAscii(text)) return;
    // The length goes before the bytes but is only known after them: guess its width from ASCII and move the bytes if it was wrong.
    const guess = chars < 0x80 ? 1 : chars < 0x4000 ? 2 : chars < 0x20_0000 ? 3 : 4;
    const start = this.#length;
    const written = this.#buffer.write(text, start + guess, 'utf8');
    this.varUint(written);
    const width = this.#length - start;
    if (width !== guess) {
      // varUint may have overwritten the first byte of the text, so write it once more where it belongs.
      this.#reserve(written);
      this.#buffer.write(text, this.#length, 'utf8');
    }
    this.#length += written;
  }

  #shortAscii(text: string): boolean {
    const chars = text.length;
    const buffer = this.#buffer;
    const start = this.#length + 1;
    for (let i = 0; i < chars; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      buffer[start + i] = code;
    }
    buffer[this.#length] = chars;
    this.#length = start + chars;
    return true;
  }
}
