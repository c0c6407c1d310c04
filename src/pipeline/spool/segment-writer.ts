/** The segment that is being written. After its first failure it is never written again: an fdatasync that failed once may answer yes the second time without having written. */
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { type FileSystem, type OpenFile, writeAll } from '../file-system.ts';
import { decodeHeader, encodeHeader, encodeRecord, headerBytes, type Section } from './format.ts';

export interface SegmentWriterOptions {
  readonly files: FileSystem;
  readonly path: string;
  readonly number: number;
  readonly writer: number;
  readonly startedMs: number;
  readonly startedMonotonicMs: number;
}

export class SegmentWriter {
  readonly number: number;
  readonly path: string;
  readonly startedMs: number;
  readonly startedMonotonicMs: number;
  readonly seed: number;
  readonly #file: OpenFile;
  readonly #files: FileSystem;
  readonly #header: Buffer;
  #sizeBytes = 0;
  #isRolledBack = true;

  private constructor(options: SegmentWriterOptions, file: OpenFile) {
    this.number = options.number;
    this.path = options.path;
    this.startedMs = options.startedMs;
    this.startedMonotonicMs = options.startedMonotonicMs;
    this.#files = options.files;
    this.#file = file;
    this.#header = encodeHeader({ segment: options.number, writer: options.writer, salt: randomBytes(8) });
    this.seed = decodeHeader(this.#header)?.seed ?? 0;
  }

  /** Makes the file. Its header goes out with the first records. */
  static async create(options: SegmentWriterOptions): Promise<SegmentWriter> {
    return new SegmentWriter(options, await options.files.open(options.path, 'create'));
  }

  /** The bytes that are synced. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** False when what a failed commit wrote may come back after a power cut: the disk could not be told to forget it. */
  get isRolledBack(): boolean {
    return this.#isRolledBack;
  }

  /** Writes the records in one go and syncs them. When this throws, none of them is in the segment, which must then be finished. */
  async commit(records: readonly (readonly Section[])[]): Promise<void> {
    const isFirst = this.#sizeBytes === 0;
    const buffers: Uint8Array[] = isFirst ? [this.#header] : [];
    for (const sections of records) buffers.push(...encodeRecord(sections, this.seed));
    const start = this.#sizeBytes;
    let size = start;
    for (const buffer of buffers) size += buffer.byteLength;
    let isWritten = false;
    try {
      await writeAll(this.#file, buffers, start);
      isWritten = true;
      await this.#file.syncData();
      if (isFirst) await this.#files.syncDirectory(dirname(this.path));
    } catch (error) {
      await this.#rollBack(start, isWritten);
      throw error;
    }
    this.#sizeBytes = size;
  }

  /** Takes the refused records off again, so that a restart does not find what its sender was told to send once more. */
  async #rollBack(start: number, wasSyncing: boolean): Promise<void> {
    this.#isRolledBack = false;
    try {
      await this.#file.truncate(start);
      if (wasSyncing) return;
      await this.#file.syncData();
      this.#isRolledBack = true;
    } catch {
      // The commit's own error is the one that counts. Within this process nothing beyond `sizeBytes` is ever read.
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Empties a segment whose number must stay taken, down to its header. Durable once it resolves. */
export async function emptySegment(files: FileSystem, path: string): Promise<void> {
  const file = await files.open(path, 'write');
  try {
    await file.truncate(headerBytes);
    await file.syncData();
  } finally {
    await file.close();
  }
}
