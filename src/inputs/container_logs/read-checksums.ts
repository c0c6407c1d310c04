/** By what a file is known again, taken from the very bytes that were read: looking back at the file could fail, or find other bytes by then. */
import { crc32 } from 'node:zlib';
import { type Checksum, type FilePosition, maxHeadBytes, maxTailBytes, noChecksum } from './position.ts';

export interface ReadChecksums {
  /** Takes the chunk that follows the last one; `wholeBytes` of it belong to lines that have ended. */
  push(chunk: Buffer, wholeBytes: number): void;
  /** The checksums of a position at `offset`, which is the end of the last whole line or of everything read. */
  at(offset: number): Pick<FilePosition, 'head' | 'tail'>;
}

const noBytes: Buffer = Buffer.alloc(0);

/** The last bytes of two stretches that follow each other, copied: a chunk's memory is read into again. */
function lastBytes(before: Buffer, chunk: Buffer): Buffer {
  const own = chunk.subarray(Math.max(0, chunk.length - maxTailBytes));
  const room = maxTailBytes - own.length;
  return Buffer.concat([before.subarray(Math.max(0, before.length - room)), own]);
}

/** Makes the checksums of what is read from `startOffset` on. `head` is what is known of the file's beginning. */
export function createReadChecksums(startOffset: number, head: Checksum): ReadChecksums {
  let readOffset = startOffset;
  /** From `startOffset` to the end of what the head may hold. */
  let headBytes = noBytes;
  let readTail = noBytes;
  let lineTail = noBytes;

  const headAt = (offset: number): Checksum => {
    const length = Math.min(offset, maxHeadBytes);
    if (length <= head.length || head.length < startOffset) return head;
    const more = headBytes.subarray(head.length - startOffset, length - startOffset);
    return { length: head.length + more.length, crc: crc32(more, head.crc) };
  };

  return {
    push(chunk, wholeBytes) {
      if (readOffset < maxHeadBytes)
        headBytes = Buffer.concat([headBytes, chunk.subarray(0, maxHeadBytes - readOffset)]);
      if (wholeBytes > 0) lineTail = lastBytes(readTail, chunk.subarray(0, wholeBytes));
      readTail = lastBytes(readTail, chunk);
      readOffset += chunk.length;
    },
    at(offset) {
      const tail = offset === readOffset ? readTail : lineTail;
      return { head: headAt(offset), tail: tail.length === 0 ? noChecksum : { length: tail.length, crc: crc32(tail) } };
    },
  };
}
