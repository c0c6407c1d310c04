/** How far a log file has been read, and by what it is known again: a name is not enough, and an inode is not either, for it is used again. */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { z } from 'zod';

/** A checksum over a stretch of the file. */
const checksum = z.strictObject({ length: z.int().min(0).max(1024), crc: z.int().min(0) });

const positionSchema = z.strictObject({
  /** Where the file was last seen, below the root. */
  path: z.string(),
  /** All whole lines before it are kept. */
  offset: z.int().min(0),
  /** Where the unfinished line of a stream begins: what the stream says from there to `offset` is parts of it, and is read again. */
  pending: z.record(z.string(), z.int().min(0)),
  /** Over the first bytes, at most 1 KiB. */
  head: checksum,
  /** Over the bytes before `offset`, at most 64. */
  tail: checksum,
  /** The size of a compressed file of which everything is read, so that it need not be inflated again to find that out. */
  doneBytes: z.int().min(0).optional(),
});

export type FilePosition = z.infer<typeof positionSchema>;
export type Checksum = z.infer<typeof checksum>;

export const maxHeadBytes = 1024;
export const maxTailBytes = 64;

/** The position as it is kept. */
export const encodePosition = (position: FilePosition): string => JSON.stringify(position);

/** Undefined for what cannot be read. */
export function decodePosition(value: string): FilePosition | undefined {
  try {
    const parsed = positionSchema.safeParse(JSON.parse(value));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    // Not even JSON: the caller reports both cases alike.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export type ReadAt = (buffer: Buffer, offset: number) => number;

/** Reads an open file at an offset, without moving anything. */
export const readAt =
  (fd: number): ReadAt =>
  (buffer, offset) =>
    readSync(fd, buffer, 0, buffer.length, offset);

function checksumOf(read: ReadAt, offset: number, length: number): Checksum {
  const buffer = Buffer.alloc(length);
  let got = 0;
  while (got < length) {
    const bytes = read(buffer.subarray(got), offset + got);
    if (bytes === 0) break;
    got += bytes;
  }
  return { length: got, crc: crc32(buffer.subarray(0, got)) };
}

/** The first bytes, as far as they were read already and so will not change. */
export const checkHead = (read: ReadAt, offset: number): Checksum =>
  checksumOf(read, 0, Math.min(offset, maxHeadBytes));

/** The bytes before `offset`. */
export function checkTail(read: ReadAt, offset: number): Checksum {
  const length = Math.min(offset, maxTailBytes);
  return checksumOf(read, offset - length, length);
}

/** Of nothing. */
export const noChecksum: Checksum = { length: 0, crc: 0 };

const isSame = (a: Checksum, b: Checksum) => a.length === b.length && a.crc === b.crc;

/** Whether the file begins as the position says: if not, it is another file. */
export const matchesHead = (read: ReadAt, { head }: FilePosition): boolean =>
  isSame(checksumOf(read, 0, head.length), head);

/** Whether what lies before the offset is still what was read: if not, the file was emptied and filled again. */
export const matchesTail = (read: ReadAt, { offset, tail }: Pick<FilePosition, 'offset' | 'tail'>): boolean =>
  isSame(checksumOf(read, offset - tail.length, tail.length), tail);
