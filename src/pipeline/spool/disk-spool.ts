/** The spool at work: gathers appends into groups, writes and syncs each group at once, and hands closed segments out. */
import { join } from 'node:path';
import type { Position } from '../../model/batch.ts';
import { isDiskFull } from '../file-system.ts';
import { RefusedError } from '../refusal.ts';
import {
  type Cut,
  cutsKind,
  cutsSection,
  headerBytes,
  positionsKind,
  positionsOf,
  recordBytes,
  type Section,
} from './format.ts';
import { createAnnouncement, createMutex } from './mutex.ts';
import type { Positions } from './positions.ts';
import { maxCuts, maxSegmentNumber, quarantine, segmentFileName } from './recovery.ts';
import { countItems, readSegment, scanSegment } from './segment.ts';
import type { Damage, SpoolRecord } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';
import type { ClosedSegment, Shelf } from './shelf.ts';
import type { AppendResult, Segment, Spool, SpoolOptions, SpoolStats } from './spool.ts';

const mebibyte = 1024 * 1024;
/** One write takes at most so much, so that those who wait for it do not wait for all the others too. */
const maxGroupBytes = 8 * mebibyte;
/** After a failure the disk is left alone for so long; appends are refused meanwhile. */
const failurePauseMs = 100;
const retryAfterMs = 1000;
/** Made once: an abort without a reason makes an exception with a stack each time. */
const waitOver = new Error('the wait is over');

interface Waiting {
  readonly sections: readonly Section[];
  readonly sizeBytes: number;
  settle(result: AppendResult): void;
}

/** What is known of the open segment beside its file. */
interface OpenSegment {
  readonly writer: SegmentWriter;
  readonly items: Map<number, number>;
  hasPositions: boolean;
}

interface Start {
  readonly shelf: Shelf;
  readonly positions: Positions;
  readonly nextNumber: number;
}

export class DiskSpool implements Spool {
  readonly directory: string;
  readonly #options: SpoolOptions;
  readonly #limits: Required<SpoolOptions['limits']>;
  readonly #shelf: Shelf;
  readonly #positions: Positions;
  /** Whatever changes the open segment runs in here, one after another. */
  readonly #writing = createMutex();
  readonly #changed = createAnnouncement();
  readonly #damaged = new Set<number>();
  readonly #counts = { tornBytes: 0, corruptBytes: 0, quarantinedSegments: 0, droppedSegments: 0 };
  #waiting: Waiting[] = [];
  #pendingBytes = 0;
  #isDraining = false;
  #isClosed = false;
  #open: OpenSegment | undefined;
  /** Segments whose end must be said in the next one, because a refused group could not be taken off their file for certain. */
  #cuts: readonly Cut[] = [];
  #nextNumber: number;
  #failure: { result: AppendResult; untilMs: number; message: string } | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: SpoolOptions, start: Start) {
    this.directory = options.directory;
    this.#options = options;
    this.#limits = completed(options.limits);
    this.#shelf = start.shelf;
    this.#positions = start.positions;
    this.#nextNumber = start.nextNumber;
  }

  append(sections: readonly Section[], signal: AbortSignal): Promise<AppendResult> {
    checkKinds(sections);
    const sizeBytes = recordBytes(sections);
    const refusal = this.#refusal(sizeBytes, signal);
    if (refusal !== undefined) return Promise.resolve(refusal);
    return new Promise((resolve) => {
      const abandon = () => {
        const index = this.#waiting.indexOf(waiting);
        if (index < 0) return; // It is being written: the disk's answer is the true one.
        this.#waiting.splice(index, 1);
        waiting.settle({ kind: 'failed', afterMs: 0, cause: asError(signal.reason) });
      };
      const waiting: Waiting = {
        sections,
        sizeBytes,
        settle: (result) => {
          signal.removeEventListener('abort', abandon);
          this.#pendingBytes -= sizeBytes;
          resolve(result);
        },
      };
      signal.addEventListener('abort', abandon, { once: true });
      this.#waiting.push(waiting);
      this.#pendingBytes += sizeBytes;
      this.#drain();
    });
  }

  #refusal(sizeBytes: number, signal: AbortSignal): AppendResult | undefined {
    const { maxRecordBytes, maxPendingBytes } = this.#limits;
    if (signal.aborted) return { kind: 'failed', afterMs: 0, cause: asError(signal.reason) };
    if (this.#isClosed) return this.#failedWith(new Error(`the spool ${this.directory} is closed`));
    if (sizeBytes > maxRecordBytes) {
      const why = `${sizeBytes} bytes in one batch are more than the ${maxRecordBytes} a spool takes; send smaller batches`;
      const cause = new RefusedError('body_too_large', why);
      return { kind: 'too_large', cause };
    }
    if (this.#pendingBytes > 0 && this.#pendingBytes + sizeBytes > maxPendingBytes) {
      return this.#full(`${this.#pendingBytes} bytes already wait for the disk at ${this.directory}`, 'overloaded');
    }
    if (this.#options.whenFull === 'refuse' && this.#bytes + this.#pendingBytes + sizeBytes > this.#limits.maxBytes) {
      return this.#full(`the spool ${this.directory} holds its limit of ${this.#limits.maxBytes} bytes`);
    }
    return undefined;
  }

  #full(why: string, reason: 'spool_full' | 'overloaded' = 'spool_full'): AppendResult {
    return { kind: 'full', afterMs: retryAfterMs, cause: new RefusedError(reason, why) };
  }

  #failedWith(cause: Error): AppendResult {
    return { kind: 'failed', afterMs: retryAfterMs, cause };
  }

  get #bytes(): number {
    return this.#shelf.bytes + (this.#open?.writer.sizeBytes ?? 0);
  }

  /** Groups form by themselves: while one is written and synced, the next gathers. */
  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    void this.#writing(async () => {
      while (this.#waiting.length > 0) await this.#commitGroup();
    }).finally(() => {
      this.#isDraining = false;
      if (this.#waiting.length > 0) this.#drain();
    });
  }

  async #commitGroup(): Promise<void> {
    if ((this.#open?.writer.sizeBytes ?? 0) >= this.#limits.segmentBytes) await this.#closeOpen();
    const group = this.#takeGroup();
    let result: AppendResult;
    try {
      result = await this.#commit(group);
    } catch (error) {
      result = this.#failedWith(asError(error));
      this.#options.log.error({ err: error, directory: this.directory }, 'a spool failed in a way it should not');
    }
    for (const waiting of group) waiting.settle(result);
  }

  #takeGroup(): Waiting[] {
    const room = this.#limits.segmentBytes - (this.#open?.writer.sizeBytes ?? 0);
    const limit = Math.min(maxGroupBytes, room);
    let sizeBytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && sizeBytes + waiting.sizeBytes > limit) break;
      sizeBytes += waiting.sizeBytes;
      count += 1;
    }
    const group = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return group;
  }

  async #commit(group: readonly Waiting[]): Promise<AppendResult> {
    const { clock } = this.#options;
    if (this.#failure !== undefined && clock.monotonicMs() < this.#failure.untilMs) return this.#failure.result;
    let sizeBytes = this.#open === undefined ? headerBytes : 0;
    for (const waiting of group) sizeBytes += waiting.sizeBytes;
    if (!(await this.#makeRoom(sizeBytes))) {
      return this.#full(`the spool ${this.directory} holds its limit of ${this.#limits.maxBytes} bytes`);
    }
    try {
      const open = this.#open ?? (await this.#begin());
      this.#open = open;
      const records = group.map((waiting) => waiting.sections);
      const isNew = open.writer.sizeBytes === 0;
      await open.writer.commit(isNew && this.#cuts.length > 0 ? [[cutsSection(this.#cuts)], ...records] : records);
      if (isNew) this.#forgetCuts();
      this.#committed(open, group);
      // Whoever waits for a segment need know of its first record only: when it is due is certain from then on.
      if (isNew) this.#changed.announce();
    } catch (error) {
      return await this.#diskFailed(asError(error));
    }
    return { kind: 'kept' };
  }

  async #begin(): Promise<OpenSegment> {
    const number = this.#nextNumber;
    if (number > maxSegmentNumber) throw new Error(`the spool ${this.directory} has used up its segment numbers`);
    this.#nextNumber += 1;
    const { fileSystem: files, clock, writer } = this.#options;
    const path = join(this.directory, segmentFileName(number));
    const times = { startedMs: clock.nowMs(), startedMonotonicMs: clock.monotonicMs() };
    return {
      writer: await SegmentWriter.create({ files, path, number, writer, ...times }),
      items: new Map(),
      hasPositions: false,
    };
  }

  #committed(open: OpenSegment, group: readonly Waiting[]): void {
    this.#failure = undefined;
    this.#shelf.newerOnDisk(open.writer.number);
    for (const { sections } of group) {
      countItems(open.items, sections);
      if (!this.#options.keepsPositions) continue;
      const positions = positionsOf(sections);
      if (positions.length === 0) continue;
      open.hasPositions = true;
      this.#positions.apply(positions);
    }
  }

  /** With a new segment the directory was synced: what was unlinked stays so. What is still on the shelf is said again next time. */
  #forgetCuts(): void {
    if (this.#cuts.length === 0) return;
    const numbers = new Set(this.#shelf.segments.map((segment) => segment.number));
    this.#cuts = this.#cuts.filter((cut) => numbers.has(cut.segment));
  }

  async #diskFailed(cause: Error): Promise<AppendResult> {
    const isFull = isDiskFull(cause) && (this.#open?.writer.isRolledBack ?? true);
    const message = `${this.directory}: ${cause.message}`;
    const told = isFull
      ? new RefusedError('disk_full', `no room on the disk for ${this.directory}; nothing was kept`, { cause })
      : new RefusedError('internal', `the disk failed for ${this.directory}; nothing was kept`, { cause });
    const result: AppendResult = { kind: isFull ? 'disk_full' : 'failed', afterMs: retryAfterMs, cause: told };
    if (this.#failure === undefined) {
      const what = isFull ? 'no room for the spool: what comes is refused' : 'the spool cannot be written';
      this.#options.log.error({ err: cause, directory: this.directory }, what);
    }
    const writer = this.#open?.writer;
    if (writer?.isRolledBack === false) {
      this.#cuts = [...this.#cuts, { segment: writer.number, sizeBytes: writer.sizeBytes }].slice(-maxCuts);
    }
    this.#failure = { result, message, untilMs: this.#options.clock.monotonicMs() + failurePauseMs };
    await this.#closeOpen();
    return result;
  }

  /** Ends the open segment. One without records leaves nothing behind. */
  async #closeOpen(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const { writer, items, hasPositions } = open;
    const { fileSystem: files, log } = this.#options;
    try {
      await writer.close();
      if (writer.sizeBytes === 0) await files.unlink(writer.path);
    } catch (error) {
      log.warn({ err: error, segment: writer.path }, 'a spool segment could not be closed properly');
    }
    if (writer.sizeBytes === 0) return;
    const { number, seed, path, sizeBytes, startedMs: createdMs } = writer;
    const shared = { number, seed, path, sizeBytes, createdMs, items, hasPositions };
    this.#shelf.add({ ...shared, writer: this.#options.writer, isRecovered: false });
    this.#savePositions();
    this.#changed.announce();
  }

  /** Not waited for: whoever releases a segment asks for it again and waits. */
  #savePositions(): void {
    if (!this.#options.keepsPositions || !this.#shelf.isBehind) return;
    this.#saving = this.#shelf.saveThrough(this.#shelf.newestClosed).catch((error: unknown) => {
      this.#options.log.warn({ err: error, directory: this.directory }, 'positions could not be saved; will try again');
    });
  }

  /** Whether so many bytes fit, after dropping what `whenFull` allows to drop. */
  async #makeRoom(sizeBytes: number): Promise<boolean> {
    while (this.#bytes + sizeBytes > this.#limits.maxBytes) {
      if (this.#options.whenFull === 'refuse') return false;
      if (this.#shelf.oldestFree() === undefined) await this.#closeOpen();
      const victim = this.#shelf.oldestFree();
      if (victim === undefined || !(await this.#drop(victim))) return false;
    }
    return true;
  }

  async #drop(victim: ClosedSegment): Promise<boolean> {
    const { fileSystem: files, log } = this.#options;
    this.#shelf.take(victim);
    try {
      const items = victim.items ?? (await scanSegment(files, victim, () => undefined));
      await this.#shelf.remove(victim);
      this.#counts.droppedSegments += 1;
      this.#lost(victim, { reason: 'spool_full', items, why: `the spool ${this.directory} is full; the oldest went` });
      this.#changed.announce();
      return true;
    } catch (error) {
      log.error({ err: error, segment: victim.path }, 'the oldest spool segment could not be dropped');
      this.#shelf.giveBack(victim);
      return false;
    }
  }

  #lost(
    segment: ClosedSegment,
    loss: { reason: 'spool_full' | 'corrupt_record'; items: ReadonlyMap<number, number>; why: string },
  ): void {
    this.#options.onLoss({ ...loss, segment: segment.number, sizeBytes: segment.sizeBytes });
  }

  async nextSegment(signal: AbortSignal): Promise<Segment> {
    for (;;) {
      signal.throwIfAborted();
      const closed = this.#shelf.oldestFree();
      if (closed !== undefined) {
        this.#shelf.take(closed);
        return this.#handOut(closed);
      }
      const open = this.#open;
      const dueMs =
        open === undefined || open.writer.sizeBytes === 0
          ? undefined
          : open.writer.startedMonotonicMs + this.#limits.segmentAgeMs - this.#options.clock.monotonicMs();
      if (dueMs !== undefined && dueMs <= 0) await this.rotate();
      else await this.#waitForChange(dueMs, signal);
    }
  }

  async #waitForChange(timeoutMs: number | undefined, signal: AbortSignal): Promise<void> {
    if (timeoutMs === undefined) return this.#changed.next(signal);
    // Not AbortSignal.any: its results stay referenced by a signal that lives as long as the sender.
    const ended = new AbortController();
    const abort = () => ended.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race(
        [this.#changed.next(ended.signal), this.#options.clock.sleep(timeoutMs, ended.signal)].map(quietly),
      );
    } finally {
      signal.removeEventListener('abort', abort);
      ended.abort(waitOver);
    }
  }

  #handOut(closed: ClosedSegment): Segment {
    const { fileSystem: files, log } = this.#options;
    return {
      number: closed.number,
      writer: closed.writer,
      id: (BigInt(closed.writer) << 32n) | BigInt(closed.number),
      sizeBytes: closed.sizeBytes,
      createdMs: closed.createdMs,
      isRecovered: closed.isRecovered,
      records: () => this.#records(closed),
      release: async () => {
        await this.#shelf.remove(closed);
        this.#changed.announce();
      },
      setAside: async (why) => {
        if (closed.hasPositions) await this.#shelf.saveThrough(closed.number);
        await quarantine({ files, directory: this.directory, log }, closed.number, why);
        this.#shelf.forget(closed);
        this.#counts.quarantinedSegments += 1;
        this.#lost(closed, { reason: 'corrupt_record', items: closed.items ?? new Map(), why });
        this.#changed.announce();
      },
      putBack: () => {
        this.#shelf.giveBack(closed);
        this.#changed.announce();
      },
    };
  }

  async *#records(closed: ClosedSegment): AsyncGenerator<SpoolRecord, void, undefined> {
    const damages: Damage[] = [];
    const seen = new Map<number, number>();
    for await (const record of readSegment(this.#options.fileSystem, closed, (damage) => damages.push(damage))) {
      countItems(seen, record.sections);
      if (record.sections[0]?.kind === cutsKind) continue;
      yield { ...record, sections: record.sections.filter((section) => section.kind < cutsKind) };
    }
    if (damages.length > 0 && !this.#damaged.has(closed.number)) this.#reportDamage(closed, damages, seen);
  }

  /** Counts a segment's damage once, however often it is read. */
  #reportDamage(closed: ClosedSegment, damages: readonly Damage[], seen: ReadonlyMap<number, number>): void {
    this.#damaged.add(closed.number);
    let isTorn = true;
    for (const damage of damages) {
      if (damage.kind === 'torn') this.#counts.tornBytes += damage.sizeBytes;
      else this.#counts.corruptBytes += damage.sizeBytes;
      if (damage.kind === 'corrupt' || !closed.isRecovered) isTorn = false;
    }
    const where = { segment: closed.path, damages: damages.slice(0, 10) };
    if (isTorn) {
      this.#options.log.warn(where, 'the end of a spool segment was cut off: an append that was not yet answered');
      return;
    }
    this.#options.log.error(where, 'a spool segment has records that cannot be read; they are left out');
    const items = new Map([...(closed.items ?? [])].map(([kind, count]) => [kind, count - (seen.get(kind) ?? 0)]));
    const why = `${damages.length} damaged places in ${closed.path}`;
    this.#lost(closed, { reason: 'corrupt_record', items, why });
  }

  async rotate(): Promise<number> {
    await this.#writing(() => this.#closeOpen());
    return this.#shelf.newestClosed;
  }

  async released(number: number, signal: AbortSignal): Promise<void> {
    while (this.#shelf.segments.some((segment) => segment.number <= number)) await this.#changed.next(signal);
  }

  positions(prefix: string): readonly Position[] {
    return this.#positions.withPrefix(prefix);
  }

  stats(): SpoolStats {
    const times = this.#shelf.segments.map((segment) => segment.createdMs);
    const hasOpen = this.#open !== undefined && this.#open.writer.sizeBytes > 0;
    if (hasOpen && this.#open !== undefined) times.push(this.#open.writer.startedMs);
    const oldest = times.length === 0 ? undefined : Math.min(...times);
    return {
      bytes: this.#bytes,
      segments: times.length,
      oldestAgeMs: oldest === undefined ? 0 : Math.max(0, this.#options.clock.nowMs() - oldest),
      pendingBytes: this.#pendingBytes,
      pendingRecords: this.#waiting.length,
      ...this.#counts,
      lastFailure: this.#failure?.message,
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#waiting.length > 0 || this.#isDraining) await this.#writing(async () => undefined);
    await this.rotate();
    await this.#saving;
  }

  /** Adds to the count of what the opening put aside. */
  quarantined(count: number): void {
    this.#counts.quarantinedSegments += count;
  }
}

/** The limits with their defaults, each bounded by what makes sense beside the others. */
function completed(limits: SpoolOptions['limits']): Required<SpoolOptions['limits']> {
  const { maxBytes } = limits;
  const quarter = Math.max(1, Math.floor(maxBytes / 4));
  return {
    maxBytes,
    segmentBytes: Math.min(limits.segmentBytes ?? 16 * mebibyte, quarter),
    segmentAgeMs: limits.segmentAgeMs ?? 1000,
    maxRecordBytes: Math.min(limits.maxRecordBytes ?? 64 * mebibyte, quarter),
    maxPendingBytes: limits.maxPendingBytes ?? 64 * mebibyte,
  };
}

/** A wrong kind is a bug of the destination, and must not look like a failure of the disk later. */
function checkKinds(sections: readonly Section[]): void {
  for (const { kind } of sections) {
    if (Number.isInteger(kind) && kind >= 1 && kind <= positionsKind && kind !== cutsKind) continue;
    throw new RangeError(`a section cannot have kind ${kind}: 1 to 253, or positionsKind`);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Of two waits the one that comes second ends by the abort that follows; that is no failure. */
function quietly(wait: Promise<void>): Promise<void> {
  wait.catch(() => undefined);
  return wait;
}
