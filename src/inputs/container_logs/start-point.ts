/** Where to begin in a file: where an earlier run stopped, behind what was read of it under another name or before it was compressed, or anew. */
import type { FoundContainer } from './directory-scan.ts';
import type { LogSource } from './log-source.ts';
import {
  checkHead,
  checkTail,
  type FilePosition,
  matchesHead,
  matchesTail,
  noChecksum,
  type ReadAt,
} from './position.ts';
import { beginAt, keyOf, type TrackedFile } from './tracked-file.ts';

export type StartAt = 'auto' | 'beginning' | 'end';

export interface FileAccess {
  /** False if the file cannot be opened now. */
  open(file: TrackedFile): Promise<boolean>;
  close(file: TrackedFile): Promise<void>;
}

export interface FileResolver {
  /** Decides for every file that is still unknown and not empty. */
  resolve(files: readonly TrackedFile[], access: FileAccess): Promise<void>;
  /** A position whose file was emptied or is gone; a copy of the file may turn up. */
  remember(position: FilePosition): void;
  /** The file that `copy` is a copy of will not be read further. */
  release(copy: TrackedFile): void;
  /** Keys of kept positions that nothing needs any more. */
  takeLost(): readonly string[];
}

export interface ResolverOptions {
  readonly container: FoundContainer;
  /** All positions that an earlier run kept, by key without its prefix. */
  readonly kept: ReadonlyMap<string, FilePosition>;
  /** Where to begin in the files that are there at first, if none of the container was ever read. */
  readonly startAt: StartAt;
  readonly maxLineBytes: number;
  readonly onRotatedAway: (why: string) => void;
}

interface Orphan {
  readonly position: FilePosition;
  /** The key it was kept under by an earlier run. */
  readonly key: string | undefined;
}

/** Emptied or removed files that are remembered. */
const maxRemembered = 8;
/** Where a file that was never read counts as too large to be read from its beginning. */
const largeBytes = 20_000_000;
/** How far back a line's beginning is looked for. */
const maxLookBackBytes = 1024 * 1024;

const matches = (read: ReadAt, sizeBytes: number, position: FilePosition): boolean =>
  position.offset > 0 && sizeBytes >= position.offset && matchesHead(read, position) && matchesTail(read, position);

/** Whether a file begins like one that is read already: by its bytes where that is open, else by what is known of it. */
function hasSameStart(source: LogSource, other: TrackedFile): boolean {
  if (other.source === undefined) return other.position.offset > 0 && matchesHead(source.readAt, other.position);
  const length = Math.min(source.sizeBytes(), other.source.sizeBytes());
  if (length === 0) return false;
  return checkHead(source.readAt, length).crc === checkHead(other.source.readAt, length).crc;
}

/** The offset behind the last newline before `sizeBytes`. */
function lastLineEnd(read: ReadAt, sizeBytes: number): number {
  const buffer = Buffer.alloc(Math.min(sizeBytes, maxLookBackBytes));
  const from = sizeBytes - buffer.length;
  const at = buffer.subarray(0, read(buffer, from)).lastIndexOf(0x0a);
  return at < 0 ? from : from + at + 1;
}

/** Makes the resolver of one container's life. */
export function createFileResolver(options: ResolverOptions): FileResolver {
  const { container, kept, maxLineBytes } = options;
  const directory = container.id.slice(0, container.id.lastIndexOf('/') + 1);
  const isOurs = (path: string) => path.startsWith(`${directory}${container.restart}.log`);
  const foundKeys = new Map(container.files.map((file) => [keyOf(container, file), file.sizeBytes]));
  let orphans: Orphan[] = [...kept]
    .filter(([key, position]) => isOurs(position.path) && !foundKeys.has(key))
    .map(([key, position]) => ({ key, position }));
  const isKnown = orphans.length > 0 || [...foundKeys.keys()].some((key) => kept.has(key));
  let lost: string[] = [];
  let isFirst = true;

  const resume = (file: TrackedFile, position: FilePosition): boolean => {
    const isDone = position.doneBytes === file.found.sizeBytes && position.path === file.position.path;
    if (file.found.name.isGzip && isDone) {
      file.state = 'done';
      file.position = { ...position, path: file.position.path };
      return true;
    }
    const { source } = file;
    if (source === undefined || !matches(source.readAt, source.sizeBytes(), position)) return false;
    beginAt(file, position, maxLineBytes);
    return true;
  };

  const adoptOrphan = (file: TrackedFile): boolean => {
    const { source } = file;
    if (source === undefined) return false;
    const orphan = orphans.find(({ position }) => matches(source.readAt, source.sizeBytes(), position));
    if (orphan === undefined) return false;
    orphans = orphans.filter((other) => other !== orphan);
    if (orphan.key !== undefined) lost.push(orphan.key);
    beginAt(file, orphan.position, maxLineBytes);
    file.isDirty = true;
    return true;
  };

  /** A rotated file that begins like one that is still read is its copy, perhaps still being made. */
  const findOriginal = (file: TrackedFile, files: readonly TrackedFile[]): TrackedFile | undefined => {
    const { source } = file;
    if (source === undefined || file.found.name.rotation === '') return undefined;
    return files.find((other) => {
      const isRead = other.state === 'reading' && !(other.isGone && other.source === undefined);
      if (other === file || !isRead || !hasSameStart(source, other)) return false;
      const { position } = other;
      return source.sizeBytes() < position.offset || matchesTail(source.readAt, position);
    });
  };

  const beginAnew = (file: TrackedFile) => {
    const { source, found } = file;
    const sizeBytes = foundKeys.get(file.key);
    const isOld = !isKnown && sizeBytes !== undefined && options.startAt !== 'beginning';
    if (isOld && found.name.isGzip) {
      file.state = 'done';
      file.position = { ...file.position, doneBytes: found.sizeBytes };
      file.isDirty = true;
      return;
    }
    const startsAtEnd = isOld && (options.startAt === 'end' || sizeBytes >= largeBytes);
    const offset = startsAtEnd && source !== undefined ? lastLineEnd(source.readAt, sizeBytes) : 0;
    const head = source === undefined ? noChecksum : checkHead(source.readAt, offset);
    const tail = source === undefined ? noChecksum : checkTail(source.readAt, offset);
    beginAt(file, { ...file.position, offset, pending: {}, head, tail }, maxLineBytes);
    // Kept even if no line comes: a restart must not skip what is written meanwhile.
    file.isDirty = startsAtEnd;
  };

  /** Opens what is unknown; false where that has to wait. */
  const openUnknown = async (file: TrackedFile, access: FileAccess): Promise<boolean> =>
    file.state === 'unknown' && !file.isGone && file.found.sizeBytes > 0 && (await access.open(file));

  return {
    async resolve(files, access) {
      const unknown = files.filter(({ state, isGone }) => state === 'unknown' && !isGone);
      if (unknown.length === 0) return;
      for (const file of files) {
        if (!file.isGone || file.resume === undefined) continue;
        // Gone before it could be looked at, perhaps because it was compressed.
        orphans.push({ position: file.resume, key: undefined });
        file.resume = undefined;
      }
      for (const file of unknown) {
        const position = file.resume;
        if (position === undefined || resume(file, position)) continue;
        // Nothing was read of it, or less is there than was read: no content could prove that it is the same file.
        const isShort = !file.found.name.isGzip && (position.offset === 0 || file.found.sizeBytes < position.offset);
        if (!isShort && !(await openUnknown(file, access))) continue;
        // The position stays with the file until the comparison is made: it may fail, and is made again.
        const isResumed = !isShort && resume(file, position);
        file.resume = undefined;
        if (!isResumed) orphans.push({ position, key: undefined });
      }
      // What could not be opened now may be what another file is a copy of.
      if (unknown.some(({ resume }) => resume !== undefined)) return;
      for (const file of unknown) {
        if (!(await openUnknown(file, access))) continue;
        if (adoptOrphan(file)) continue;
        const original = findOriginal(file, files);
        if (original === undefined) {
          beginAnew(file);
          continue;
        }
        file.state = 'copy';
        file.copyOf = original;
        await access.close(file);
      }
      if (!isFirst || unknown.some(({ state, found }) => state === 'unknown' && found.sizeBytes > 0)) return;
      isFirst = false;
      for (const { key, position } of orphans) {
        if (key === undefined) continue;
        lost.push(key);
        options.onRotatedAway(`${position.path} is gone since the last run; what was not read of it is lost`);
      }
      orphans = orphans.filter(({ key }) => key === undefined);
    },
    remember(position) {
      if (position.offset === 0 || orphans.some((orphan) => orphan.position === position)) return;
      orphans = [...orphans, { position, key: undefined }].slice(-maxRemembered);
    },
    release(copy) {
      copy.state = 'unknown';
      copy.copyOf = undefined;
    },
    takeLost() {
      const keys = lost;
      lost = [];
      return keys;
    },
  };
}
