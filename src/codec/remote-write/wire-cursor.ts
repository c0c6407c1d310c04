/** A cursor over protobuf's wire format that makes no objects and no strings. Hot: bench/remote-write.ts. */
import { CodecError } from '../codec-error.ts';

const two32 = 2 ** 32;

/** A class because its position is the state of everything that reads through it. */
export class WireCursor {
  readonly bytes: Buffer;
  readonly view: DataView;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  fail(why: string): CodecError {
    return new CodecError(`malformed protobuf at byte ${this.at}: ${why}`);
  }

  /** An unsigned number below 2^32: a tag, a length or an enum; of a longer one the lower 32 bits. */
  uint32(): number {
    const { bytes } = this;
    let byte = bytes[this.at++];
    if (byte !== undefined && byte < 0x80) return byte;
    let value = (byte ?? 0) & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      byte = bytes[this.at++];
      if (byte === undefined) throw this.fail('a number is cut short');
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw this.fail('a number of more than ten bytes');
  }

  /** A signed 64-bit number; exact within 2^53, which holds every time there is. */
  int64(): number {
    const { bytes } = this;
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[this.at++];
      if (byte === undefined) throw this.fail('a number is cut short');
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 0x80) return (high | 0) * two32 + (low >>> 0);
    }
    throw this.fail('a number of more than ten bytes');
  }

  double(): number {
    const at = this.at;
    if (at + 8 > this.bytes.length) throw this.fail('a number is cut short');
    this.at = at + 8;
    return this.view.getFloat64(at, true);
  }

  /** Begins a part with a length; answers where it ends, which is within `end`. */
  part(end: number): number {
    const length = this.uint32();
    const partEnd = this.at + length;
    if (partEnd > end) throw this.fail(`a length of ${length} bytes where ${Math.max(end - this.at, 0)} are left`);
    return partEnd;
  }

  /** Passes over a field that is not known. */
  skip(tag: number, end: number): void {
    const wireType = tag & 7;
    if (tag >>> 3 === 0) throw this.fail('a field without a number');
    if (wireType === 0) this.int64();
    else if (wireType === 1) this.at += 8;
    else if (wireType === 2) this.at = this.part(end);
    else if (wireType === 5) this.at += 4;
    else throw this.fail(`wire type ${wireType}`);
    if (this.at > end) throw this.fail('a field reaches beyond its message');
  }

  /** Ends a message: its fields must fill it exactly. */
  leave(end: number): void {
    if (this.at !== end) throw this.fail('a field reaches beyond its message');
  }
}
