/** The bytes of an answer while it is written, in chunks: an answer may be larger than a string can be. */

/** A chunk is handed on when it is so large; writing one takes a millisecond or two, and then others have their turn. */
export const chunkBytes = 128 * 1024;
/** What is written beyond a chunk's size before it is looked at usually fits. */
const spareBytes = 32 * 1024;
/** So little is copied rather than sent in memory that is much larger. */
const copiedBytes = 32 * 1024;

/** Bytes that are gathered until there are enough of them to be sent. */
export interface Chunk {
  buffer: Buffer;
  size: number;
}

const usualBytes = chunkBytes + spareBytes;
const allocateChunk = (): Buffer => Buffer.allocUnsafe(usualBytes);

/** The memory of the last answer, which was copied from it. */
let unused: Buffer | undefined;

export function startChunk(): Chunk {
  const buffer = unused ?? allocateChunk();
  unused = undefined;
  return { buffer, size: 0 };
}

/** Makes room for so many further bytes. */
export function reserve(chunk: Chunk, sizeBytes: number): void {
  const wanted = chunk.size + sizeBytes;
  if (wanted <= chunk.buffer.length) return;
  const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * chunk.buffer.length));
  chunk.buffer.copy(larger, 0, 0, chunk.size);
  chunk.buffer = larger;
}

export function writeText(chunk: Chunk, text: string): void {
  // A UTF-16 unit is at most three bytes of UTF-8.
  reserve(chunk, 3 * text.length);
  chunk.size += chunk.buffer.write(text, chunk.size);
}

/** What was gathered, once it is enough. */
export function takeChunk(chunk: Chunk): Buffer {
  const taken = chunk.buffer.subarray(0, chunk.size);
  chunk.buffer = allocateChunk();
  chunk.size = 0;
  return taken;
}

/** What was gathered last. */
export function takeLast({ buffer, size }: Chunk): Buffer {
  const taken = buffer.subarray(0, size);
  if (size > copiedBytes) return taken;
  // One that had to grow for a long label is not kept.
  if (buffer.length === usualBytes) unused = buffer;
  return Buffer.from(taken);
}
