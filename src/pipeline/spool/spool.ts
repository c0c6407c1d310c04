/** A spool: what one destination is still to be given, synced on disk before anybody is told that it is kept. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Position } from '../../model/batch.ts';
import type { Clock } from '../component.ts';
import { errorCode, type FileSystem, readRepeatedly } from '../file-system.ts';
import { DiskSpool } from './disk-spool.ts';
import type { Section } from './format.ts';
import { headerBytes, positionsOf } from './format.ts';
import { createPositions, loadPositions, positionsFileName, type SavedPositions } from './positions.ts';
import { type Found, type FoundSegment, findSegments } from './recovery.ts';
import { scanSegment } from './segment.ts';
import type { SpoolRecord } from './segment-reader.ts';
import { type ClosedSegment, Shelf } from './shelf.ts';

export type { Section } from './format.ts';
export { positionsKind, positionsSection } from './format.ts';
export type { SpoolRecord } from './segment-reader.ts';

export interface SpoolLimits {
  /** All segments together. */
  readonly maxBytes: number;
  /** A segment is closed when it has reached this; 16 MiB unless told, and never more than a quarter of `maxBytes`. */
  readonly segmentBytes?: number;
  /** `nextSegment` closes the open segment when its first record is so old; 1,000 unless told. */
  readonly segmentAgeMs?: number;
  /** A larger record is refused as `too_large`; a quarter of `maxBytes`, at most 64 MiB, unless told. */
  readonly maxRecordBytes?: number;
  /** Bytes that wait for their turn to be written; 64 MiB unless told. */
  readonly maxPendingBytes?: number;
}

/** Something that was kept and cannot be delivered any more. */
export interface SpoolLoss {
  readonly reason: 'spool_full' | 'corrupt_record';
  readonly segment: number;
  readonly sizeBytes: number;
  /** Items lost by section kind; empty where the damage left no count. */
  readonly items: ReadonlyMap<number, number>;
  readonly why: string;
}

export interface SpoolOptions {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: SpoolLimits;
  /** What happens to an append when `maxBytes` is reached. */
  readonly whenFull: 'drop_oldest' | 'refuse';
  /** The data directory's number; it goes into each segment's header and makes the segment's name unique over all agents. */
  readonly writer: number;
  /** Whether records carry positions. Opening then reads the segments that `positions.json` does not cover. */
  readonly keepsPositions: boolean;
  onLoss(loss: SpoolLoss): void;
}

/**
 * What became of an append. Only after `kept` may its sender be told yes. After every other answer the record is not in the spool; only
 * after `failed` may a power cut bring it back, because the disk could neither keep it nor be made to forget it.
 */
export type AppendResult =
  | { readonly kind: 'kept' }
  | { readonly kind: 'full'; readonly afterMs: number; readonly cause: Error }
  | { readonly kind: 'too_large'; readonly cause: Error }
  | { readonly kind: 'disk_full'; readonly afterMs: number; readonly cause: Error }
  | { readonly kind: 'failed'; readonly afterMs: number; readonly cause: Error };

/** A closed segment in the hands of a sender, which releases it once everything in it is where it belongs. */
export interface Segment {
  readonly number: number;
  /** The number of the data directory that wrote it: in a copied directory another one than the spool's own. */
  readonly writer: number;
  /** `writer` in the upper, `number` in the lower 32 bits. */
  readonly id: bigint;
  readonly sizeBytes: number;
  readonly createdMs: number;
  /** It was written by an earlier run: some of it may have been sent already. */
  readonly isRecovered: boolean;
  /** The verified records, in the order of their appends, without positions. May be called again. Throws when the disk cannot be read. */
  records(): AsyncIterable<SpoolRecord>;
  /** Removes it. What it says about positions is durable before. Rejects when the disk fails; may then be called again. */
  release(): Promise<void>;
  /** Moves it to `quarantine/` as lost, for a reason that a person can read. */
  setAside(why: string): Promise<void>;
  /** Puts it back unsent: `nextSegment` gives it out again. */
  putBack(): void;
}

export interface SpoolStats {
  /** On disk, the open segment included. */
  readonly bytes: number;
  readonly segments: number;
  /** How long the oldest record has waited; 0 when there is none. */
  readonly oldestAgeMs: number;
  readonly pendingBytes: number;
  readonly pendingRecords: number;
  /** Since the start. */
  readonly tornBytes: number;
  readonly corruptBytes: number;
  readonly quarantinedSegments: number;
  readonly droppedSegments: number;
  /** The newest failure of the disk, until a write succeeds. */
  readonly lastFailure: string | undefined;
}

export interface Spool {
  readonly directory: string;
  /**
   * Keeps a record: resolves once it is synced or refused. The sections' bytes are not copied and must not change until then.
   * When the signal aborts before the record's turn came, it is not written.
   */
  append(sections: readonly Section[], signal: AbortSignal): Promise<AppendResult>;
  /** Waits for the oldest closed segment that nobody holds; closes the open one when it is old enough. Rejects with the signal's reason. */
  nextSegment(signal: AbortSignal): Promise<Segment>;
  /** Closes the open segment now, if it holds anything. Answers the newest closed number ever: all that was kept before the call lies in segments up to it. */
  rotate(): Promise<number>;
  /** Resolves once no segment up to `number` is left. */
  released(number: number, signal: AbortSignal): Promise<void>;
  /** The newest kept positions whose key starts with `prefix`. */
  positions(prefix: string): readonly Position[];
  stats(): SpoolStats;
  /** Writes what waits, and takes no more. */
  close(): Promise<void>;
}

/** Opens a spool and takes up what an earlier run left. New records always go to a new segment. Rejects when the directory cannot be used at all. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { directory, fileSystem: files, log, keepsPositions } = options;
  const context = { files, directory, log };
  const saved = keepsPositions ? await openPositions(context) : { through: 0, positions: [] };
  const found = await findSegments(context);
  const positions = createPositions(saved.positions);
  const isEmpty = (segment: FoundSegment) => segment.sizeBytes <= headerBytes;
  const highest = Math.max(found.highest, saved.through);
  const shelf = new Shelf({
    ...context,
    positions,
    savedThrough: saved.through,
    newestOnDisk: found.segments.at(-1)?.number ?? 0,
    leftovers: found.segments.filter(isEmpty),
  });
  const spool = new DiskSpool(options, { shelf, positions, nextNumber: firstNumber(options, highest) });
  spool.quarantined(found.setAside.length);
  for (const segment of found.segments) {
    if (isEmpty(segment)) continue;
    const closed = closedOf(segment);
    // The newest is read even if the file covers it: a record that was refused may have come back with its position.
    if (keepsPositions && segment.number >= saved.through) {
      shelf.add(await scanPositions(context, closed, (records) => positions.apply(records)));
    } else shelf.add(closed);
  }
  report(options, found);
  return spool;
}

async function openPositions(context: { files: FileSystem; directory: string; log: Logger }): Promise<SavedPositions> {
  const path = join(context.directory, positionsFileName);
  const loaded = await loadPositions(context.files, path);
  if (typeof loaded !== 'string') return loaded;
  if (loaded === 'damaged') {
    context.log.error({ path }, 'the file of read positions is damaged; positions are rebuilt from the segments alone');
  }
  return { through: 0, positions: [] };
}

/**
 * A directory without any segment may be one that somebody emptied: it goes on from a number that an earlier spool cannot have reached
 * (seconds since 1970, as a segment lasts a second or so), for a number that came twice would be taken for a repetition.
 */
function firstNumber(options: SpoolOptions, highest: number): number {
  if (highest > 0) return highest + 1;
  const seconds = Math.floor(options.clock.nowMs() / 1000);
  return seconds > 0 && seconds < 0x7fffffff ? seconds : randomInt(1, 0x7fffffff);
}

function closedOf(segment: FoundSegment): ClosedSegment {
  return {
    number: segment.number,
    writer: segment.header.writer,
    seed: segment.header.seed,
    path: segment.path,
    sizeBytes: segment.sizeBytes,
    createdMs: segment.modifiedMs,
    isRecovered: true,
    items: undefined,
    hasPositions: false,
  };
}

async function scanPositions(
  context: { files: FileSystem; log: Logger },
  segment: ClosedSegment,
  apply: (positions: readonly Position[]) => void,
): Promise<ClosedSegment> {
  const found: Position[] = [];
  try {
    const items = await readRepeatedly(() => {
      found.length = 0;
      return scanSegment(context.files, segment, (sections) => found.push(...positionsOf(sections)));
    });
    apply(found);
    return { ...segment, items, hasPositions: found.length > 0 };
  } catch (error) {
    if (errorCode(error) !== 'EIO') throw error;
    context.log.error({ err: error, segment: segment.path }, 'a spool segment could not be read for its positions');
    return { ...segment, hasPositions: true };
  }
}

function report(options: SpoolOptions, found: Found): void {
  const waiting = found.segments.filter((segment) => segment.sizeBytes > headerBytes);
  if (waiting.length === 0) return;
  let sizeBytes = 0;
  for (const segment of waiting) sizeBytes += segment.sizeBytes;
  options.log.info(
    { directory: options.directory, segments: waiting.length, sizeBytes },
    'the spool holds data of an earlier run',
  );
}
