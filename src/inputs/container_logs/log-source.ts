/** The bytes of a log file: of an open file, or of a rotated one that was compressed and fits into memory inflated. */
import { constants, fstatSync } from 'node:fs';
import { type FileHandle, open, readFile, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type ReadAt, readAt } from './position.ts';

const gunzipAsync = promisify(gunzip);

/** The kubelet rotates at 10 MiB; what is far beyond that is not worth the memory. */
const maxInflatedBytes = 128 * 1024 * 1024;

export interface LogSource {
  readonly readAt: ReadAt;
  read(buffer: Buffer, offset: number): Promise<number>;
  /** The size now. */
  sizeBytes(): number;
  /** Whether the file has no name any more. */
  isUnlinked(): boolean;
  close(): Promise<void>;
}

export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Opens a file if it still is the one that was found there, and lies below `root`; undefined if it is not. */
export async function openLogSource(
  path: string,
  identity: FileIdentity,
  options: { readonly root: string; readonly isGzip: boolean },
): Promise<LogSource | undefined> {
  const real = await realpath(path);
  if (!real.startsWith(options.root.endsWith(sep) ? options.root : options.root + sep)) return undefined;
  // Neither a link that was put there since, nor a pipe that would wait for its writer.
  const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  let isHandedOut = false;
  try {
    const stats = fstatSync(handle.fd, { bigint: true });
    if (!stats.isFile() || stats.dev !== identity.dev || stats.ino !== identity.ino) return undefined;
    if (options.isGzip)
      return ofBytes(await gunzipAsync(await readFile(handle), { maxOutputLength: maxInflatedBytes }));
    isHandedOut = true;
    return ofHandle(handle);
  } finally {
    if (!isHandedOut) await handle.close();
  }
}

function ofHandle(handle: FileHandle): LogSource {
  return {
    readAt: readAt(handle.fd),
    read: async (buffer, offset) => (await handle.read(buffer, 0, buffer.length, offset)).bytesRead,
    sizeBytes: () => fstatSync(handle.fd).size,
    isUnlinked: () => fstatSync(handle.fd).nlink === 0,
    close: () => handle.close(),
  };
}

function ofBytes(bytes: Buffer): LogSource {
  const read: ReadAt = (buffer, offset) => bytes.copy(buffer, 0, Math.min(offset, bytes.length));
  return {
    readAt: read,
    read: async (buffer, offset) => read(buffer, offset),
    sizeBytes: () => bytes.length,
    isUnlinked: () => false,
    close: async () => undefined,
  };
}
