/** The few file operations that durability rests on, as a seam: a test hands in a disk that forgets, writes short and fails (`test/fault/simulated-disk.ts`). */
import { constants, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';

export interface FileInfo {
  readonly kind: 'file' | 'directory' | 'other';
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** An open file. Every write says where: nothing depends on a shared file position. */
export interface OpenFile {
  /** Writes the buffers one after another in one call; may write less than asked and then says how much. */
  write(buffers: readonly Uint8Array[], positionBytes: number): Promise<number>;
  /** Fills `into` as far as the file goes; answers the bytes read, 0 at the end. */
  read(into: Uint8Array, positionBytes: number): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** fdatasync: contents and size are on the disk once it resolves, the file's name is not. */
  syncData(): Promise<void>;
  close(): Promise<void>;
}

/** `create` fails when the name is taken; `replace` empties what is there. */
export type OpenMode = 'read' | 'write' | 'create' | 'replace';

export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** With its parents; it may be there already. */
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names in a directory, sorted. */
  list(path: string): Promise<readonly string[]>;
  /** Undefined when there is nothing of that name. Symbolic links are not followed. */
  info(path: string): Promise<FileInfo | undefined>;
}

const flagsOf: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  replace: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
};

/** The machine's own file system. Files are made 0600, directories 0700. */
export const realFileSystem: FileSystem = {
  async open(path, mode) {
    return openFileOf(await fs.open(path, flagsOf[mode], 0o600));
  },
  async syncDirectory(path) {
    const handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async makeDirectory(path) {
    await fs.mkdir(path, { recursive: true, mode: 0o700 });
  },
  rename: (from, to) => fs.rename(from, to),
  unlink: (path) => fs.unlink(path),
  async list(path) {
    return (await fs.readdir(path)).sort();
  },
  async info(path) {
    try {
      const stats = await fs.lstat(path);
      return { kind: kindOf(stats), sizeBytes: stats.size, modifiedMs: stats.mtimeMs };
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
};

function openFileOf(handle: fs.FileHandle): OpenFile {
  return {
    async write(buffers, positionBytes) {
      const { bytesWritten } = await handle.writev([...buffers], positionBytes);
      return bytesWritten;
    },
    async read(into, positionBytes) {
      const { bytesRead } = await handle.read(into, 0, into.byteLength, positionBytes);
      return bytesRead;
    },
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    syncData: () => handle.datasync(),
    close: () => handle.close(),
  };
}

function kindOf(stats: Stats): FileInfo['kind'] {
  if (stats.isFile()) return 'file';
  return stats.isDirectory() ? 'directory' : 'other';
}

/** The system's code of an error (`ENOSPC`), or '' where there is none. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** Whether an error says that there is no room: the disk, the quota or the file-size limit is exhausted. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}

/** Reads again, twice at most, what the disk could not read (EIO); every other failure is thrown at once. */
export async function readRepeatedly<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (errorCode(error) !== 'EIO' || attempt === 3) throw error;
    }
  }
}

/** Writes all of the buffers, going on after short writes; on a failure an unknown part of them is in the file. */
export async function writeAll(file: OpenFile, buffers: readonly Uint8Array[], positionBytes: number): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.byteLength > 0);
  let at = positionBytes;
  while (rest.length > 0) {
    const written = await file.write(rest, at);
    if (written <= 0) throw new Error(`a write at byte ${at} wrote nothing`);
    at += written;
    rest = withoutFirst(rest, written);
  }
}

function withoutFirst(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (left >= buffer.byteLength) {
      left -= buffer.byteLength;
      continue;
    }
    rest.push(left > 0 ? buffer.subarray(left) : buffer);
    left = 0;
  }
  return rest;
}

/** Fills `into` from a position on; answers fewer bytes only at the end of the file. */
export async function readFully(file: OpenFile, into: Uint8Array, positionBytes: number): Promise<number> {
  let filled = 0;
  while (filled < into.byteLength) {
    const count = await file.read(into.subarray(filled), positionBytes + filled);
    if (count <= 0) break;
    filled += count;
  }
  return filled;
}

/** The whole of a file of at most `maxBytes`, or undefined when it is not there. */
export async function readSmallFile(files: FileSystem, path: string, maxBytes: number): Promise<Buffer | undefined> {
  const info = await files.info(path);
  if (info === undefined) return undefined;
  if (info.kind !== 'file') throw new Error(`${path} is not a file`);
  if (info.sizeBytes > maxBytes) throw new Error(`${path} has ${info.sizeBytes} bytes, more than ${maxBytes}`);
  const file = await files.open(path, 'read');
  try {
    const bytes = Buffer.alloc(info.sizeBytes);
    return bytes.subarray(0, await readFully(file, bytes, 0));
  } finally {
    await file.close();
  }
}

/** Puts `bytes` in the place of a file so that after a crash either the old or the new contents are there, whole. Durable once it resolves. */
export async function replaceFile(files: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await files.open(temporary, 'replace');
  try {
    await writeAll(file, [bytes], 0);
    await file.syncData();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path);
  await files.syncDirectory(dirname(path));
}
