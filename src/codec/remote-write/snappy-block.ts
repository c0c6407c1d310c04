/** Snappy's block format (https://github.com/google/snappy/blob/main/format_description.txt), decoded into memory that is used again. */
import { CodecError } from '../codec-error.ts';

/** Beyond so many bytes the engine's own copy is faster than a loop; from another buffer it needs a view of it first. */
const longCopy = 24;
const longLiteral = 96;
const keptBytes = 8 * 1024 * 1024;

/** A block is larger than may be; known before anything of it is decoded. */
export class SnappySizeError extends CodecError {
  readonly sizeBytes: number;

  constructor(sizeBytes: number, limitBytes: number) {
    super(`the snappy block would be ${sizeBytes} bytes; ${limitBytes} are taken`);
    this.sizeBytes = sizeBytes;
  }
}

function readSize(bytes: Uint8Array): { readonly sizeBytes: number; readonly at: number } {
  let sizeBytes = 0;
  for (let at = 0; at < 5; at++) {
    const byte = bytes[at];
    if (byte === undefined) break;
    sizeBytes += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) {
      if (sizeBytes > 0xffff_ffff) break;
      return { sizeBytes, at: at + 1 };
    }
  }
  throw new CodecError('malformed snappy: the block does not begin with its length');
}

const torn = (at: number) => new CodecError(`malformed snappy at byte ${at}`);

/** A tag of snappy makes at most 64 bytes of at least 2: a block that claims more is a lie, told before memory is taken for it. */
const maxGrowth = 64;

/** Makes a decoder. What it answers is valid until the next block is decoded. Hot: bench/remote-write.ts. */
export function createSnappyDecoder(): (bytes: Buffer, limitBytes: number) => Buffer {
  let memory = Buffer.allocUnsafeSlow(256 * 1024);
  return (bytes, limitBytes) => {
    const { sizeBytes, at } = readSize(bytes);
    if (sizeBytes > limitBytes) throw new SnappySizeError(sizeBytes, limitBytes);
    if (sizeBytes > bytes.length * maxGrowth)
      throw new CodecError('malformed snappy: the block is shorter than it says');
    if (memory.length < sizeBytes) memory = Buffer.allocUnsafeSlow(sizeBytes);
    const out = memory.subarray(0, sizeBytes);
    if (memory.length > keptBytes) memory = Buffer.allocUnsafeSlow(256 * 1024);
    inflate(bytes, at, out);
    return out;
  };
}

function inflate(bytes: Buffer, start: number, out: Buffer): void {
  const end = bytes.length;
  const size = out.length;
  let at = start;
  let to = 0;
  while (at < end) {
    const tag = bytes[at++] ?? 0;
    let length = tag >>> 2;
    if ((tag & 3) === 0) {
      if (length >= 60) {
        const width = length - 59;
        if (at + width > end) throw torn(at);
        length = bytes.readUIntLE(at, width);
        at += width;
      }
      length++;
      if (at + length > end || to + length > size) throw torn(at);
      if (length > longLiteral) out.set(bytes.subarray(at, at + length), to);
      else for (let i = 0; i < length; i++) out[to + i] = bytes[at + i] ?? 0;
      at += length;
      to += length;
      continue;
    }
    let offset: number;
    if ((tag & 3) === 1) {
      length = (length & 7) + 4;
      offset = ((tag & 0xe0) << 3) | (bytes[at] ?? 0);
      at += 1;
    } else if ((tag & 3) === 2) {
      length++;
      offset = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      at += 2;
    } else {
      length++;
      offset =
        ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)) +
        (bytes[at + 3] ?? 0) * 0x100_0000;
      at += 4;
    }
    if (at > end || offset === 0 || offset > to || to + length > size) throw torn(at);
    const from = to - offset;
    // Where the copy reaches into what it is writing, the bytes repeat: a loop only.
    if (length > longCopy && offset >= length) out.copyWithin(to, from, from + length);
    else for (let i = 0; i < length; i++) out[to + i] = out[from + i] ?? 0;
    to += length;
  }
  if (to !== size) throw new CodecError(`malformed snappy: ${to} bytes where the block says ${size}`);
}
