/** What generated decoders of protobuf read with: protobufjs's reader, made fast for short texts and strict about what it is given. */
import protobuf from 'protobufjs/minimal.js';
import { CodecError } from '../codec-error.ts';
import { knownText } from '../known-texts.ts';

/** 64 bits without a sign, in halves of 32 without signs: no number holds them, and a bigint costs more than all the rest of a span. */
export interface Bits64 {
  low: number;
  high: number;
}

/** Where a message lies within another. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** No sender nests deeper; protobuf's own libraries stop here too. */
const nestingLimit = 100;

/** A class because protobufjs's reader is one. Hot: bench/codec.ts. */
export class WireReader extends protobuf.Reader {
  readonly #bytes: Buffer;
  /** The whole message, a character a byte: to cut text out of it is cheaper than to ask for it piece by piece. */
  readonly #text: string;
  #depth = 0;

  constructor(bytes: Buffer) {
    super(bytes);
    this.#bytes = bytes;
    this.#text = bytes.toString('latin1');
  }

  /** Begins a message within a message; answers where it ends. */
  enter(): number {
    if (++this.#depth > nestingLimit) throw new Error(`nested more than ${nestingLimit} deep`);
    return this.#end();
  }

  /** Ends it: its fields must fill it exactly. */
  leave(end: number): void {
    this.#depth--;
    if (this.pos !== end) throw new Error('a field reaches beyond its message');
  }

  /** Passes over a message within the message, to come back to it with `enterAt`. */
  passOver(): ByteRange {
    const end = this.#end();
    const start = this.pos;
    this.pos = end;
    return { start, end };
  }

  /** Begins a message that was passed over. */
  enterAt({ start, end }: ByteRange): number {
    if (++this.#depth > nestingLimit) throw new Error(`nested more than ${nestingLimit} deep`);
    this.pos = start;
    return end;
  }

  /** Passes over a field that the message does not have; one that it has is here only because its wire type is wrong. */
  unknown(tag: number, known: readonly number[]): void {
    const field = tag >>> 3;
    if (known.includes(field)) throw new Error(`field ${field} has the wrong wire type ${tag & 7}`);
    this.skipType(tag & 7, 0, field);
  }

  /** Text that is seldom the same twice. It may be a part of the message's text: copy it where it outlives the message. */
  text(): string {
    const end = this.#end();
    const start = this.pos;
    this.pos = end;
    const bytes = this.#bytes;
    for (let i = start; i < end; i++) if ((bytes[i] ?? 0) > 0x7f) return bytes.toString('utf8', start, end);
    return this.#text.slice(start, end);
  }

  /** Text that comes again and again. */
  repeatedText(): string {
    const end = this.#end();
    const start = this.pos;
    this.pos = end;
    // What is not known is copied: names are kept in caches, and a part of the message's text would keep all of it.
    return knownText(this.#bytes, start, end) ?? this.#bytes.toString('utf8', start, end);
  }

  /** Bytes as lower-case hex digits. */
  hex(): string {
    const end = this.#end();
    const start = this.pos;
    this.pos = end;
    return this.#bytes.toString('hex', start, end);
  }

  /** Bytes of their own memory. */
  copiedBytes(): Uint8Array {
    return new Uint8Array(this.bytes());
  }

  bigInt64(): bigint {
    const start = this.pos;
    const bytes = this.#bytes;
    const first = bytes[start] ?? 0x80;
    if (first < 0x80) {
      this.pos = start + 1;
      return BigInt(first);
    }
    const second = bytes[start + 1] ?? 0x80;
    if (second < 0x80) {
      this.pos = start + 2;
      return BigInt((first & 0x7f) | (second << 7));
    }
    const { low, high } = this.int64();
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }

  fixed64Bits(): Bits64 {
    const low = this.fixed32();
    return { low, high: this.fixed32() };
  }

  uint64Bits(): Bits64 {
    const { low, high } = this.uint64();
    return { low: low >>> 0, high: high >>> 0 };
  }

  bigFixed64(): bigint {
    const low = this.fixed32();
    return (BigInt(this.sfixed32()) << 32n) | BigInt(low);
  }

  /** Begins a packed list; answers where it ends. */
  enterPacked(): number {
    return this.#end();
  }

  /** Whether a packed list has another number: its numbers must fill it exactly. */
  goesOn(end: number): boolean {
    if (this.pos < end) return true;
    if (this.pos > end) throw new Error('a number reaches beyond its list');
    return false;
  }

  /** The message from `start` to `end`, a character a byte, as a part of the whole: copy it where it outlives the message. */
  rawText(start: number, end: number): string {
    return this.#text.slice(start, end);
  }

  /** Whether these very bytes, a character each, stand from `start` on. */
  hasRawText(raw: string, start: number): boolean {
    return this.#text.startsWith(raw, start);
  }

  #end(): number {
    const size = this.size();
    if (size > this.len - this.pos) throw new Error(`a length of ${size} bytes where ${this.len - this.pos} are left`);
    return this.pos + size;
  }
}

/** Decodes a whole body; whatever is wrong with it is said as a CodecError with the place. */
export function decodeMessage<Message>(bytes: Buffer, decode: (reader: WireReader, end: number) => Message): Message {
  const reader = new WireReader(bytes);
  try {
    return decode(reader, bytes.length);
  } catch (error) {
    throw malformed(reader, error);
  }
}

/** What was thrown while `reader` read, with its place, unless it is a fault of the program's own. */
export function malformed(reader: WireReader, error: unknown): unknown {
  if (error instanceof TypeError || error instanceof ReferenceError || !(error instanceof Error)) return error;
  return new CodecError(`malformed protobuf at byte ${Math.min(reader.pos, reader.len)}: ${error.message}`);
}
