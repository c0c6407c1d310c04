/**
 * What in a binary list of Zipkin spans makes Zipkin 3.6.1 stop reading, so that on such a body its verdict is no measure. A field that the format
 * does not name it skips together with all that follows, and so refuses what is whole and takes what is broken behind it. At a span without a
 * byte it leaves the list, answers 202 and keeps nothing, whatever follows. Walks on its own, without the decoders that it is there to judge.
 */

export type ReaderFault = 'unknown field' | 'empty span';

/** Field number and wire type, as a protobuf key has them, and the fields of the message that lies in it. */
interface Message {
  readonly keys: ReadonlyMap<number, Message | undefined>;
}

const varint = 0;
const fixed64 = 1;
const bytes = 2;
const fixed32 = 5;

function message(fields: readonly (readonly [number: number, wireType: number, inner?: Message])[]): Message {
  return { keys: new Map(fields.map(([number, wireType, inner]) => [number * 8 + wireType, inner])) };
}

const protoEndpoint = message([
  [1, bytes],
  [2, bytes],
  [3, bytes],
  [4, varint],
]);
const protoAnnotation = message([
  [1, fixed64],
  [2, bytes],
]);
const protoTag = message([
  [1, bytes],
  [2, bytes],
]);
const protoSpan = message([
  [1, bytes],
  [2, bytes],
  [3, bytes],
  [4, varint],
  [5, bytes],
  [6, fixed64],
  [7, varint],
  [8, bytes, protoEndpoint],
  [9, bytes, protoEndpoint],
  [10, bytes, protoAnnotation],
  [11, bytes, protoTag],
  [12, varint],
  [13, varint],
]);
/** Zipkin looks at the length of what lies in a list, not at the key. */
const anyKeyOfList = protoSpan;

/** Thrown inside this module only: the walk is over, with nothing found. */
class BrokenError extends Error {}

class Cursor {
  #at = 0;
  readonly #body: Buffer;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get at(): number {
    return this.#at;
  }

  take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#body.length) throw new BrokenError();
    this.#at += length;
    return this.#body.subarray(this.#at - length, this.#at);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1, i = 0; i < 10; i++, scale *= 128) {
      const byte = this.take(1)[0] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new BrokenError();
  }
}

function protoHasUnknown(cursor: Cursor, end: number, { keys }: Message): boolean {
  while (cursor.at < end) {
    const key = cursor.varint();
    if (!keys.has(key)) return true;
    const wireType = key % 8;
    if (wireType === varint) cursor.varint();
    else if (wireType === fixed64) cursor.take(8);
    else if (wireType === fixed32) cursor.take(4);
    else {
      const length = cursor.varint();
      const inner = keys.get(key);
      if (inner === undefined) cursor.take(length);
      else if (protoHasUnknown(cursor, cursor.at + length, inner)) return true;
    }
  }
  return false;
}

interface Struct {
  /** By `type << 16 | id`. */
  readonly fields: ReadonlyMap<number, Struct | undefined>;
}

const thriftLengths: ReadonlyMap<number, number> = new Map([
  [2, 1],
  [6, 2],
  [8, 4],
  [10, 8],
]);
const thriftString = 11;
const thriftStruct = 12;
const thriftList = 15;

function struct(fields: readonly (readonly [id: number, type: number, inner?: Struct])[]): Struct {
  return { fields: new Map(fields.map(([id, type, inner]) => [(type << 16) | id, inner])) };
}

const thriftEndpoint = struct([
  [1, 8],
  [2, 6],
  [3, thriftString],
  [4, thriftString],
]);
const thriftSpan = struct([
  [1, 10],
  [3, thriftString],
  [4, 10],
  [5, 10],
  [
    6,
    thriftList,
    struct([
      [1, 10],
      [2, thriftString],
      [3, thriftStruct, thriftEndpoint],
    ]),
  ],
  [
    8,
    thriftList,
    struct([
      [1, thriftString],
      [2, thriftString],
      [3, 8],
      [4, thriftStruct, thriftEndpoint],
    ]),
  ],
  [9, 2],
  [10, 10],
  [11, 10],
  [12, 10],
]);

function thriftHasUnknown(cursor: Cursor, { fields }: Struct): boolean {
  for (;;) {
    const type = cursor.take(1).readUInt8();
    if (type === 0) return false;
    const key = (type << 16) | cursor.take(2).readUInt16BE();
    if (!fields.has(key)) return true;
    const inner = fields.get(key);
    const length = thriftLengths.get(type);
    if (length !== undefined) cursor.take(length);
    else if (type === thriftString) cursor.take(cursor.take(4).readInt32BE());
    else if (
      inner !== undefined &&
      (type === thriftList ? thriftListHasUnknown(cursor, inner) : thriftHasUnknown(cursor, inner))
    )
      return true;
  }
}

function thriftListHasUnknown(cursor: Cursor, inner: Struct): boolean {
  cursor.take(1);
  for (let left = cursor.take(4).readInt32BE(); left > 0; left--) if (thriftHasUnknown(cursor, inner)) return true;
  return false;
}

/** What Zipkin 3.6.1 stumbles over, of what the body holds as far as it can be read; the first of them. */
export function findReaderFault(format: 'THRIFT' | 'PROTO3', body: Buffer): ReaderFault | undefined {
  const cursor = new Cursor(body);
  try {
    if (format === 'THRIFT') return thriftListHasUnknown(cursor, thriftSpan) ? 'unknown field' : undefined;
    while (cursor.at < body.length) {
      cursor.varint();
      const length = cursor.varint();
      if (length === 0) return 'empty span';
      if (protoHasUnknown(cursor, cursor.at + length, anyKeyOfList)) return 'unknown field';
    }
    return undefined;
  } catch (error) {
    if (error instanceof BrokenError) return undefined;
    throw error;
  }
}
