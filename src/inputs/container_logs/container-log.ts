/** One life of a container: its files in order of time, read as the one log that they are. */
import { statSync } from 'node:fs';
import type { Position } from '../../model/batch.ts';
import type { LogRecord, LogStream } from '../../model/log-record.ts';
import type { FoundContainer, FoundFile } from './directory-scan.ts';
import type { RawLine } from './line-splitter.ts';
import { openLogSource } from './log-source.ts';
import { createPartJoiner, type JoinedLine, type LogPart } from './part-joiner.ts';
import { encodePosition, type FilePosition, noChecksum } from './position.ts';
import { createFileResolver, type FileAccess, type StartAt } from './start-point.ts';
import {
  beginAt,
  createTrackedFile,
  endPending,
  isTakenAlready,
  isTruncated,
  isUnlinked,
  keyOf,
  notePosition,
  pushChunk,
  type TrackedFile,
  unreadBytes,
} from './tracked-file.ts';

/** What the logs of all containers share. */
export interface LogReading {
  readonly root: string;
  readonly keyPrefix: string;
  readonly maxLineBytes: number;
  readPart(line: RawLine): LogPart | undefined;
  createRecord(line: JoinedLine, container: FoundContainer): LogRecord;
  nowMs(): number;
  /** Leave to open one more file, which may close another. */
  mayOpen(): Promise<boolean>;
  onOpened(count: 1 | -1): void;
  onLost(reason: 'malformed' | 'line_too_long' | 'rotated_away', count: number, why: string): void;
  onProblem(path: string, why: string): void;
}

/** What one turn of reading collects. */
export interface Gathered {
  readonly records: LogRecord[];
  readonly positions: Position[];
  /** Bytes read, against the batch's budget. */
  readBytes: number;
}

export interface ContainerLog {
  /** Takes what a scan found; undefined when the container is gone. */
  update(found: FoundContainer | undefined): void;
  /** Looks at the files; whether there is something to do. */
  hasWork(): boolean;
  /** Whether the live file's name leads to another file than before. */
  isRotated(): boolean;
  /** Reads up to the budget; true if there is more. Where it throws, what was collected before has its positions all the same. */
  gather(into: Gathered, budget: { readonly buffer: Buffer; readonly maxBytes: number }): Promise<boolean>;
  /** What was gathered since the last commit is kept. */
  commit(): void;
  /** Closes one file at whose end reading waits; false if there is none. */
  closeIdle(): Promise<boolean>;
  close(): Promise<void>;
  /** Everything is read and forgotten. */
  isOver(): boolean;
  unreadBytes(): number;
  readonly directory: string;
}

/** An unfinished line waits this long for its end. */
const maxPendingMs = 30_000;
/** A rotated file that cannot be read is tried this long before newer ones go on without it. */
const maxFailingMs = 60_000;
/** What was rotated or deleted is watched this long for late writes. */
const drainMs = 2_000;

/** What an earlier run left. */
export interface Memory {
  /** By the key of the file. */
  readonly kept: ReadonlyMap<string, FilePosition>;
  readonly startAt: StartAt;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Whether it is not known yet where to begin in a file that has lines. */
const isAwaited = ({ state, isGone, found }: TrackedFile) => state === 'unknown' && !isGone && found.sizeBytes > 0;

/** Makes the log of a container that was just found. */
export function createContainerLog(first: FoundContainer, memory: Memory, reading: LogReading): ContainerLog {
  const directory = first.id.slice(0, first.id.lastIndexOf('/'));
  const joiner = createPartJoiner(reading.maxLineBytes);
  const resolver = createFileResolver({
    container: first,
    ...memory,
    maxLineBytes: reading.maxLineBytes,
    onRotatedAway: (why) => reading.onLost('rotated_away', 1, why),
  });
  let container = first;
  let files: TrackedFile[] = [];
  let isGone = false;
  let isFirstUpdate = true;
  const forgotten = new Set<string>();
  /** What was offered and not committed. */
  const offeredPositions = new Map<TrackedFile, FilePosition>();
  const offeredForgotten = new Set<string>();
  let isClosed = false;

  const pathOf = (found: FoundFile) => `${directory}/${found.path.slice(found.path.lastIndexOf('/') + 1)}`;

  /** The file we know under this inode. One that is not held open may be another by now, and is looked at again where its name changed. */
  const recognize = (one: FoundFile, known: TrackedFile | undefined): TrackedFile => {
    const key = keyOf(first, one);
    if (known === undefined)
      return createTrackedFile(key, one, {
        path: pathOf(one),
        resume: isFirstUpdate ? memory.kept.get(key) : undefined,
      });
    if (known.state === 'unknown' || (known.source !== undefined && !one.name.isGzip)) return known;
    if (known.state === 'done') {
      if (known.position.path === pathOf(one) && known.position.doneBytes === one.sizeBytes) return known;
      return createTrackedFile(key, one, { path: pathOf(one), resume: undefined });
    }
    const isSameKind = known.found.name.isGzip === one.name.isGzip;
    if (isSameKind && (known.position.path === pathOf(one) || known.pendingStarts.size > 0)) return known;
    // Parts of unfinished lines are still in memory: they must not be read again.
    return createTrackedFile(key, one, { path: pathOf(one), resume: { ...known.position, pending: {} } });
  };

  const update = (found: FoundContainer | undefined) => {
    isGone = found === undefined;
    if (found !== undefined) container = found;
    const known = new Map(files.map((file) => [file.key, file]));
    const ordered = (found?.files ?? []).map((one) => {
      const key = keyOf(first, one);
      const file = recognize(one, known.get(key));
      known.delete(key);
      forgotten.delete(key);
      file.found = one;
      file.isGone = false;
      if (file.position.path !== pathOf(one)) file.position = { ...file.position, path: pathOf(one) };
      return file;
    });
    for (const file of known.values()) file.isGone = true;
    // What has no name any more is older than what has one.
    files = [...known.values(), ...ordered];
    isFirstUpdate = false;
  };

  const emit = (line: JoinedLine, into: Gathered) => {
    if (line.isTooLong) {
      const where = `${container.namespace}/${container.pod}/${container.container}`;
      reading.onLost(
        'line_too_long',
        1,
        `a line of ${where} is longer than ${reading.maxLineBytes} bytes and was cut there`,
      );
    }
    into.records.push(reading.createRecord(line, container));
  };

  const takeLine = (file: TrackedFile, line: RawLine, into: Gathered) => {
    const part = reading.readPart(line);
    if (part === undefined) {
      if (file.rescan !== undefined && line.startOffset < file.rescan.untilOffset) return;
      reading.onLost(
        'malformed',
        1,
        `${file.found.path}: byte ${line.startOffset}: not a line as a container runtime writes it`,
      );
      return;
    }
    if (isTakenAlready(file, line, part.stream)) return;
    const joined = joiner.push(part, reading.nowMs());
    if (joined !== undefined) {
      endPending(files, part.stream);
      emit(joined, into);
    } else if (!file.pendingStarts.has(part.stream)) {
      file.pendingStarts.set(part.stream, line.startOffset);
    }
  };

  const flushPending = (sinceMs: number, into: Gathered) => {
    for (const line of joiner.flush(sinceMs)) {
      endPending(files, line.stream);
      emit(line, into);
    }
  };

  const giveUp = (file: TrackedFile, why: string) => {
    file.state = 'done';
    reading.onLost('rotated_away', 1, `${file.found.path} ${why}: what was not read of it is lost`);
  };

  /** Whether a file was given up because it fails for too long; the newest is never, for nothing waits for it. */
  const hasFailedLong = (file: TrackedFile): boolean => {
    file.failingSinceMs ??= reading.nowMs();
    if (!isRetired(file) || reading.nowMs() - file.failingSinceMs < maxFailingMs) return false;
    giveUp(file, `could not be read for ${maxFailingMs / 1000} s`);
    return true;
  };

  const ensureOpen = async (file: TrackedFile): Promise<boolean> => {
    if (file.source !== undefined) return true;
    if (isClosed || file.isGone || !(await reading.mayOpen())) return false;
    try {
      const options = { root: reading.root, isGzip: file.found.name.isGzip };
      file.source = await openLogSource(file.found.path, file.found, options);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT') return false;
      reading.onProblem(file.found.path, messageOf(error));
      // Nothing may wait for a file that is not for us to read.
      if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP') file.state = 'done';
      else if (code.startsWith('Z_') || code === 'ERR_BUFFER_TOO_LARGE') giveUp(file, 'cannot be inflated');
      else if (!hasFailedLong(file)) throw error;
    }
    if (file.source === undefined) return false;
    reading.onOpened(1);
    if (!isClosed) return true;
    await closeFile(file);
    return false;
  };

  const closeFile = async (file: TrackedFile) => {
    const { source } = file;
    if (source === undefined) return;
    file.source = undefined;
    reading.onOpened(-1);
    try {
      await source.close();
    } catch (error) {
      // The descriptor is given back all the same, and nothing was written.
      reading.onProblem(file.found.path, messageOf(error));
    }
  };

  const access: FileAccess = { open: ensureOpen, close: closeFile };

  /** A name that leads nowhere any more, or to a file that takes no more lines, as a newer one does. */
  const isRetired = (file: TrackedFile) => isGone || file.isGone || file !== files.at(-1);
  const isDrained = (file: TrackedFile) =>
    file.state === 'reading' &&
    isRetired(file) &&
    file.source !== undefined &&
    file.quietSinceMs !== undefined &&
    reading.nowMs() - file.quietSinceMs >= drainMs;

  const restart = (file: TrackedFile) => {
    resolver.remember(file.position);
    beginAt(
      file,
      { ...file.position, offset: 0, pending: {}, head: noChecksum, tail: noChecksum },
      reading.maxLineBytes,
    );
    for (const stream of ['stdout', 'stderr'] satisfies LogStream[]) {
      if (joiner.isPending(stream)) file.pendingStarts.set(stream, 0);
    }
    for (const copy of files) if (copy.copyOf === file) resolver.release(copy);
  };

  const readFile = async (file: TrackedFile, into: Gathered, budget: { buffer: Buffer; maxBytes: number }) => {
    const { source } = file;
    if (source === undefined) return;
    if (isTruncated(file)) {
      restart(file);
      // Its copies take over the old position before new lines overwrite it, or they would be read again after a crash.
      await resolver.resolve(files, access);
      if (files.some(isAwaited)) return;
    }
    try {
      while (into.readBytes < budget.maxBytes) {
        const bytes = await source.read(budget.buffer, file.splitter.readOffset);
        if (bytes === 0) break;
        into.readBytes += bytes;
        file.quietSinceMs = undefined;
        pushChunk(file, budget.buffer.subarray(0, bytes), (line) => takeLine(file, line, into));
      }
    } finally {
      notePosition(file);
    }
    if (source.sizeBytes() <= file.splitter.readOffset) file.quietSinceMs ??= reading.nowMs();
    if (isDrained(file) || (file.found.name.isGzip && into.readBytes < budget.maxBytes)) {
      file.splitter.finish((line) => takeLine(file, line, into));
      notePosition(file);
      // The last scan may have seen less of it than was read, and there may be no further one.
      if (!file.found.name.isGzip) file.found = { ...file.found, sizeBytes: source.sizeBytes() };
      await closeFile(file);
      if (file.found.name.isGzip) {
        file.state = 'done';
        file.position = { ...file.position, doneBytes: file.found.sizeBytes };
        file.isDirty = true;
      }
    }
  };

  /** Reads on in a file; where that fails, those after it wait, but not for ever. */
  const tryFile = async (file: TrackedFile, into: Gathered, budget: { buffer: Buffer; maxBytes: number }) => {
    try {
      if (!(await ensureOpen(file))) return;
      await readFile(file, into, budget);
      file.failingSinceMs = undefined;
    } catch (error) {
      // An open file that the server has forgotten never answers again; its name may.
      if (codeOf(error) === 'ESTALE' && !file.isGone) await closeFile(file);
      if (!hasFailedLong(file)) throw error;
      await closeFile(file);
    }
  };

  /**
   * Lets go of files that have no name and are read to their end. The position of a copy, such as the compressed file, is kept in the same
   * batch that forgets the original's: after a crash between them the copy would be read again.
   */
  const forgetGone = async () => {
    const gone = files.filter((file) => file.isGone && file.source === undefined);
    if (gone.length === 0) return;
    for (const file of gone) {
      resolver.remember(file.position);
      for (const copy of files) if (copy.copyOf === file) resolver.release(copy);
    }
    await resolver.resolve(files, access);
    if (files.some(isAwaited)) return;
    for (const file of gone) {
      const isCompressed = files.some(({ found }) => found.path === `${file.found.path}.gz`);
      if (unreadBytes(file) > 0 && !isCompressed) {
        reading.onLost('rotated_away', 1, `${file.found.path} is gone and was not read to its end`);
      }
      forgotten.add(file.key);
    }
    files = files.filter((file) => !gone.includes(file));
  };

  /** Never throws: whatever failed before, the positions belong to exactly what was collected. */
  const collectPositions = (into: Gathered) => {
    for (const key of resolver.takeLost()) forgotten.add(key);
    for (const file of files) {
      forgotten.delete(file.key);
      if (!file.isDirty) continue;
      offeredPositions.set(file, file.position);
      into.positions.push({ key: reading.keyPrefix + file.key, value: encodePosition(file.position) });
    }
    for (const key of forgotten) {
      offeredForgotten.add(key);
      into.positions.push({ key: reading.keyPrefix + key, value: '' });
    }
  };

  return {
    directory,
    update,
    hasWork: () => {
      if (forgotten.size > 0) return true;
      const sinceMs = joiner.pendingSinceMs();
      if (sinceMs !== undefined && (reading.nowMs() - sinceMs >= maxPendingMs || files.length === 0)) return true;
      return files.some((file) => {
        if (isUnlinked(file)) file.isGone = true;
        return unreadBytes(file) > 0 || isDrained(file) || (file.isGone && file.source === undefined);
      });
    },
    isRotated: () => {
      const live = files.at(-1);
      if (live === undefined || live.isGone || live.source === undefined) return false;
      try {
        const stats = statSync(live.found.path, { bigint: true, throwIfNoEntry: false });
        return stats?.ino !== live.found.ino || stats.dev !== live.found.dev;
      } catch {
        // What cannot be looked at now is reported by the next scan.
        return false;
      }
    },
    async gather(into, budget) {
      try {
        await resolver.resolve(files, access);
        for (const file of files) {
          if (into.readBytes >= budget.maxBytes) break;
          // What comes after it has to wait, or lines would change their order.
          if (isAwaited(file)) break;
          if (file.state !== 'reading' || (file.source === undefined && unreadBytes(file) === 0)) continue;
          await tryFile(file, into, budget);
        }
        const isFull = into.readBytes >= budget.maxBytes;
        if (!isFull) await forgetGone();
        await resolver.resolve(files, access);
        flushPending(files.length === 0 ? Number.POSITIVE_INFINITY : reading.nowMs() - maxPendingMs, into);
        return isFull;
      } finally {
        collectPositions(into);
      }
    },
    commit() {
      for (const [file, position] of offeredPositions) if (file.position === position) file.isDirty = false;
      for (const key of offeredForgotten) forgotten.delete(key);
      offeredPositions.clear();
      offeredForgotten.clear();
    },
    async closeIdle() {
      const idle = files.find((file) => file.source !== undefined && !file.isGone && unreadBytes(file) === 0);
      if (idle?.source === undefined) return false;
      idle.found = { ...idle.found, sizeBytes: idle.source.sizeBytes() };
      await closeFile(idle);
      return true;
    },
    async close() {
      isClosed = true;
      for (const file of files) await closeFile(file);
    },
    isOver: () => isGone && files.length === 0 && forgotten.size === 0 && joiner.pendingSinceMs() === undefined,
    unreadBytes: () => files.reduce((sum, file) => sum + unreadBytes(file), 0),
  };
}
