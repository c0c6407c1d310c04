/** The closed segments of a spool, oldest first, and their way off the disk. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { errorCode, type FileSystem } from '../file-system.ts';
import { createMutex } from './mutex.ts';
import { type Positions, positionsFileName, savePositions } from './positions.ts';
import { emptySegment } from './segment-writer.ts';

/** What a spool knows of a closed segment. */
export interface ClosedSegment {
  readonly number: number;
  readonly writer: number;
  readonly seed: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly createdMs: number;
  /** It was written by an earlier run. */
  readonly isRecovered: boolean;
  /** Items of each kind; undefined where nothing has read the segment since the start. */
  readonly items: ReadonlyMap<number, number> | undefined;
  readonly hasPositions: boolean;
}

export interface ShelfOptions {
  readonly files: FileSystem;
  readonly directory: string;
  readonly log: Logger;
  readonly positions: Positions;
  /** The newest segment that `positions.json` covers. */
  readonly savedThrough: number;
  /** The newest segment that lies in the directory. */
  readonly newestOnDisk: number;
  /** Emptied segments of earlier releases. */
  readonly leftovers: readonly Leftover[];
}

/** A segment without records, kept only as long as its number is the newest in the directory. */
export interface Leftover {
  readonly number: number;
  readonly path: string;
}

/** So many segments without positions may pass before `positions.json` is told, so that an opening never reads more than these. */
const maxLag = 8;

export class Shelf {
  readonly #options: ShelfOptions;
  readonly #segments: ClosedSegment[] = [];
  readonly #taken = new Set<ClosedSegment>();
  #leftovers: readonly Leftover[];
  readonly #removals = createMutex();
  readonly #saves = createMutex();
  #savedThrough: number;
  #newestClosed = 0;
  #newestOnDisk: number;
  #bytes = 0;

  constructor(options: ShelfOptions) {
    this.#options = options;
    this.#savedThrough = options.savedThrough;
    this.#newestOnDisk = options.newestOnDisk;
    this.#leftovers = options.leftovers;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get segments(): readonly ClosedSegment[] {
    return this.#segments;
  }

  get newestClosed(): number {
    return this.#newestClosed;
  }

  /** A newer segment's name is durable: older numbers need no placeholder any more. */
  newerOnDisk(number: number): void {
    this.#newestOnDisk = number;
  }

  add(segment: ClosedSegment): void {
    this.#segments.push(segment);
    this.#bytes += segment.sizeBytes;
    this.#newestClosed = Math.max(this.#newestClosed, segment.number);
  }

  /** The oldest segment that nobody works on. */
  oldestFree(): ClosedSegment | undefined {
    return this.#segments.find((segment) => !this.#taken.has(segment));
  }

  take(segment: ClosedSegment): void {
    this.#taken.add(segment);
  }

  giveBack(segment: ClosedSegment): void {
    this.#taken.delete(segment);
  }

  /** Whether `positions.json` should be written now that a segment is closed. */
  get isBehind(): boolean {
    const covered = this.#segments.some((segment) => segment.hasPositions && segment.number > this.#savedThrough);
    return covered || this.#newestClosed - this.#savedThrough > maxLag;
  }

  /** Resolves once `positions.json` durably covers the segments up to `number`. */
  async saveThrough(number: number): Promise<void> {
    await this.#saves(async () => {
      if (this.#savedThrough >= number) return;
      const through = Math.max(number, this.#newestClosed);
      const { files, directory, positions } = this.#options;
      await savePositions(files, join(directory, positionsFileName), { through, positions: positions.withPrefix('') });
      this.#savedThrough = through;
    });
  }

  /**
   * Takes a segment off the disk. What it says about positions is durable elsewhere first; its number stays visible in the directory
   * until a newer one is, so that no number is ever given twice.
   */
  async remove(segment: ClosedSegment): Promise<void> {
    if (segment.hasPositions) await this.saveThrough(segment.number);
    await this.#removals(async () => {
      const { files, directory } = this.#options;
      const newest = this.#newestOnDisk;
      if (segment.number >= newest) await ignoreMissing(emptySegment(files, segment.path));
      const leftovers = [...this.#leftovers, { number: segment.number, path: segment.path }];
      const gone = leftovers.filter((leftover) => leftover.number < newest);
      for (const { path } of gone) await ignoreMissing(files.unlink(path));
      if (gone.length > 0) await files.syncDirectory(directory);
      this.#leftovers = leftovers.filter((leftover) => leftover.number >= newest);
    });
    this.forget(segment);
  }

  /** Drops a segment from the books only: its file is elsewhere. */
  forget(segment: ClosedSegment): void {
    const index = this.#segments.indexOf(segment);
    if (index < 0) return;
    this.#segments.splice(index, 1);
    this.#taken.delete(segment);
    this.#bytes -= segment.sizeBytes;
  }
}

/** A file that somebody took away needs no removing. */
async function ignoreMissing(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
