/** One file of a container and how far it has been read. */
import type { LogStream } from '../../model/log-record.ts';
import type { FoundFile } from './directory-scan.ts';
import { createLineSplitter, type LineSplitter, type RawLine } from './line-splitter.ts';
import type { FileIdentity, LogSource } from './log-source.ts';
import { type FilePosition, matchesTail, noChecksum } from './position.ts';
import { createReadChecksums, type ReadChecksums } from './read-checksums.ts';

/** After a restart: up to `untilOffset` only the parts of lines that were unfinished are read again. */
interface Rescan {
  readonly untilOffset: number;
  readonly from: ReadonlyMap<string, number>;
}

export interface TrackedFile {
  readonly key: string;
  found: FoundFile;
  /** `unknown` until it is clear where to begin; `copy` while another file that is still read has the same content. */
  state: 'unknown' | 'copy' | 'reading' | 'done';
  /** What was kept under this key by an earlier run. */
  resume: FilePosition | undefined;
  copyOf: TrackedFile | undefined;
  source: LogSource | undefined;
  splitter: LineSplitter;
  checksums: ReadChecksums;
  rescan: Rescan | undefined;
  /** Where the unfinished line of a stream begins in this file. */
  readonly pendingStarts: Map<LogStream, number>;
  /** As of the last look at the file. */
  position: FilePosition;
  /** The position has changed since it was last kept. */
  isDirty: boolean;
  /** No name leads to the file any more. */
  isGone: boolean;
  /** Since when nothing was added, by the monotonic clock. */
  quietSinceMs: number | undefined;
  /** Since when it cannot be opened or read, by the monotonic clock. */
  failingSinceMs: number | undefined;
}

interface Known {
  /** Where the file is, below the root. */
  readonly path: string;
  readonly resume: FilePosition | undefined;
}

/** What a file's position is kept under. The container is a part of it, for an inode that is given back may be another container's soon. */
export const keyOf = (container: { readonly id: string }, { dev, ino }: FileIdentity): string =>
  `${container.id}:${dev}:${ino}`;

/** A file as it is found. */
export function createTrackedFile(key: string, found: FoundFile, known: Known): TrackedFile {
  const { path, resume } = known;
  return {
    key,
    found,
    state: 'unknown',
    resume,
    copyOf: undefined,
    source: undefined,
    splitter: createLineSplitter(0, 0),
    checksums: createReadChecksums(0, noChecksum),
    rescan: undefined,
    pendingStarts: new Map(),
    position: { path, offset: 0, pending: {}, head: noChecksum, tail: noChecksum },
    isDirty: false,
    isGone: false,
    quietSinceMs: undefined,
    failingSinceMs: undefined,
  };
}

const newline = 0x0a;

const isStream = (name: string): name is LogStream => name === 'stdout' || name === 'stderr';

/** What a runtime writes before the text of a line: stamp, stream, tags. */
const maxHeaderBytes = 256;

/** Begins, or begins again, to read where a position says. */
export function beginAt(file: TrackedFile, position: FilePosition, maxLineBytes: number): void {
  const from = new Map(Object.entries(position.pending));
  const startOffset = Math.min(position.offset, ...from.values());
  file.state = 'reading';
  file.copyOf = undefined;
  file.resume = undefined;
  file.splitter = createLineSplitter(startOffset, maxLineBytes + maxHeaderBytes);
  file.checksums = createReadChecksums(startOffset, position.head);
  file.rescan = from.size > 0 ? { untilOffset: position.offset, from } : undefined;
  file.pendingStarts.clear();
  for (const [stream, offset] of from) if (isStream(stream)) file.pendingStarts.set(stream, offset);
  const { doneBytes: _, ...rest } = position;
  file.position = { ...rest, path: file.position.path };
}

/** Whether a line was taken by an earlier run, as it was not a part of what was unfinished then. */
export function isTakenAlready(file: TrackedFile, line: RawLine, stream: LogStream): boolean {
  if (file.rescan === undefined || line.startOffset >= file.rescan.untilOffset) return false;
  return line.startOffset < (file.rescan.from.get(stream) ?? Number.POSITIVE_INFINITY);
}

/** Takes what was read of the file; `onLine` gets the lines that ended in it. */
export function pushChunk(file: TrackedFile, chunk: Buffer, onLine: (line: RawLine) => void): void {
  file.checksums.push(chunk, chunk.lastIndexOf(newline) + 1);
  file.splitter.push(chunk, onLine);
}

/** Brings `position` up to what has been read. Looks at no file, so it holds for what was collected even where the next read fails. */
export function notePosition(file: TrackedFile): void {
  const { splitter } = file;
  if (file.state !== 'reading') return;
  const offset = splitter.lineOffset;
  if (file.rescan !== undefined) {
    // Until the old parts are read again, the kept position is the better one.
    if (offset < file.rescan.untilOffset) return;
    file.rescan = undefined;
  }
  const old = file.position;
  const checks = offset === old.offset ? { head: old.head, tail: old.tail } : file.checksums.at(offset);
  if (offset !== old.offset) file.isDirty = true;
  file.position = { ...old, ...checks, offset, pending: Object.fromEntries(file.pendingStarts) };
}

/** Notes that a stream's unfinished line ended; its beginnings need not be found again. */
export function endPending(files: readonly TrackedFile[], stream: LogStream): void {
  for (const file of files) {
    if (!file.pendingStarts.delete(stream)) continue;
    file.position = { ...file.position, pending: Object.fromEntries(file.pendingStarts) };
    file.isDirty = true;
  }
}

/** Whether the open file was emptied since it was last read, be it filled again or not. */
export function isTruncated(file: TrackedFile): boolean {
  const { source, splitter, position } = file;
  if (source === undefined || file.found.name.isGzip) return false;
  const sizeBytes = source.sizeBytes();
  if (sizeBytes < splitter.readOffset) return true;
  return sizeBytes > splitter.readOffset && position.offset > 0 && !matchesTail(source.readAt, position);
}

/** The size as it can be told: where an open file does not answer, reading it says why, and the last scan knew a size. */
function sizeNow({ source, found }: TrackedFile): number {
  try {
    return source?.sizeBytes() ?? found.sizeBytes;
  } catch {
    return found.sizeBytes;
  }
}

/** Whether an open file is known to have no name any more. */
export function isUnlinked({ source }: TrackedFile): boolean {
  try {
    return source?.isUnlinked() === true;
  } catch {
    // Reading it says what is wrong with it.
    return false;
  }
}

/** How much is known to be unread. */
export function unreadBytes(file: TrackedFile): number {
  if (file.state === 'done' || file.state === 'copy') return 0;
  if (file.found.name.isGzip) return file.state === 'unknown' ? file.found.sizeBytes : 1;
  const sizeBytes = sizeNow(file);
  // A file that became shorter was emptied: all of it is unread.
  return sizeBytes < file.splitter.readOffset ? sizeBytes || 1 : sizeBytes - file.splitter.readOffset;
}
