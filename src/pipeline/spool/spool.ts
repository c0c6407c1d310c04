/** A spool: what one destination is still to be given, synced on disk before anybody is told that it is kept. `open-spool.ts` opens one. */
import type { Logger } from 'pino';
import type { Position } from '../../model/batch.ts';
import type { Clock } from '../component.ts';
import type { FileSystem } from '../file-system.ts';
import type { Section } from './format.ts';
import type { SpoolRecord } from './segment-reader.ts';

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
