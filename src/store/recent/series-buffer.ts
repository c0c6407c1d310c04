/** The newest samples of one series, in memory. What was handed out is never written to again: evaluations go on while samples arrive. */
import type { Label, Sample } from '../../model/sample.ts';
import type { SeriesKey } from '../intake/series-id-table.ts';
import type { SeriesPoints } from '../readers/samples.ts';
import { keepsPlace, mergePoints, type Points, pointsOf, type RoomyPoints, roomy } from './merge-points.ts';
import { type ColumnPool, numberBytes, roomFor, type TimeColumn } from './time-column.ts';

/** What a series takes beside its samples: its object, its array, what was handed out last, its labels, and its places in tables. */
const seriesBytes = 800;
const labelBytes = 8;
/** What a sample takes that waits for its place. */
const lateBytes = 64;

const none = new Float64Array(0);

/** Samples that came too late are put in their places when somebody looks, or when they are this many and an eighth of all. */
const minLate = 16;
const lateShare = 8;

/** What was handed out last. */
interface Handed {
  readonly from: number;
  readonly to: number;
  readonly points: SeriesPoints;
}

/** Samples in order of time, no stamp twice. */
export class SeriesBuffer {
  readonly id: SeriesKey;
  readonly labels: readonly Label[];
  /** All samples after this time are here. */
  fromMs: number;
  /** Where it is among all. */
  place = 0;
  /** How many selections take it. */
  users = 0;
  /** It was let go, and has no samples any more. */
  isGone = false;
  /** From when on it is needed, as of the last round of tidying that saw it. */
  neededFromMs = 0;
  round = 0;
  readonly #pool: ColumnPool;
  #column: TimeColumn | undefined;
  /** The places in the column of the first sample and behind the last. */
  #start = 0;
  #end = 0;
  #values: Float64Array = none;
  /** Undefined, which is usual, while no sample is a staleness marker. */
  #staleAt: Uint8Array | undefined;
  /** The place of what is at 0 among the values. */
  #base = 0;
  /** Samples that are not in their places yet, none of them newer than the newest. */
  #late: Sample[] | undefined;
  #handed: Handed | undefined;

  constructor({ low, high }: SeriesKey, labels: readonly Label[], { pool, fromMs }: BufferOptions) {
    this.id = { low, high };
    this.labels = labels;
    this.fromMs = fromMs;
    this.#pool = pool;
    pool.memory.bytes += this.#sizeBytes;
  }

  /** How many samples there are in their places. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** The stamp of its last sample. */
  get newestMs(): number {
    return this.#column?.at(this.#end - 1) ?? Number.NEGATIVE_INFINITY;
  }

  /** Whether samples came that are not in their places yet. */
  get hasLate(): boolean {
    return this.#late !== undefined;
  }

  /** The column that it shares with others, and the first place that it needs of it. */
  get column(): TimeColumn | undefined {
    return this.#column;
  }
  get start(): number {
    return this.#start;
  }

  /** About what it takes of memory beside its column. */
  get #sizeBytes(): number {
    const late = (this.#late?.length ?? 0) * lateBytes;
    const markers = this.#staleAt?.length ?? 0;
    return seriesBytes + this.labels.length * labelBytes + this.#values.length * numberBytes + markers + late;
  }

  /** Takes a sample, in whatever order they come. */
  add(sample: Sample): void {
    if (sample.timestampMs <= this.newestMs) this.#addLate(sample);
    else this.#append(sample);
  }

  /** Adds samples that were read from the store; those that are here already are taken once. */
  merge(points: Points): void {
    this.#settle();
    const own = this.#all();
    this.#replace(own === undefined ? roomy(points) : mergePoints(own, points));
  }

  /** Forgets the samples until `timeMs`, once they are enough to make it worth while. */
  forgetUntil(timeMs: number): void {
    this.#settle();
    // It may be the last that holds an array which has long been replaced.
    this.#handed = undefined;
    const column = this.#column;
    if (column === undefined) return;
    const start = column.after(timeMs, { from: this.#start, to: this.#end });
    if ((start - this.#start) * 4 <= this.length) return;
    const before = this.#sizeBytes;
    this.#start = Math.min(start, this.#end - 1);
    this.fromMs = Math.max(this.fromMs, timeMs);
    const [from, to] = [this.#start - this.#base, this.#end - this.#base];
    const staleAt = this.#staleAt?.subarray(from, to);
    this.#values = withRoom(this.#values.subarray(from, to));
    this.#staleAt = staleAt?.includes(1) === true ? markersWithRoom(staleAt, this.#values.length) : undefined;
    this.#base = this.#start;
    this.#changed(before);
  }

  /** Lets go of everything. */
  drop(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#pool.memory.bytes -= this.#sizeBytes;
    this.#column?.leave();
    this.#column = undefined;
    this.#values = none;
    this.#staleAt = undefined;
    this.#late = undefined;
    this.#handed = undefined;
  }

  /** The samples after `afterMs` until `untilMs`; undefined where there are none. The same object as before where nothing is different. */
  view(afterMs: number, untilMs: number): SeriesPoints | undefined {
    this.#settle();
    const column = this.#column;
    if (column === undefined) return undefined;
    const from = column.after(afterMs, { from: this.#start, to: this.#end });
    const isToEnd = column.at(this.#end - 1) <= untilMs;
    const to = isToEnd ? this.#end : column.after(untilMs, { from, to: this.#end });
    if (from >= to) return undefined;
    const before = this.#handed;
    if (before?.from === from && before.to === to) return before.points;
    const staleAt = this.#staleAt?.subarray(from - this.#base, to - this.#base);
    const points = {
      labels: this.labels,
      timestampsMs: column.view({ from, to }),
      values: this.#values.subarray(from - this.#base, to - this.#base),
      staleAt: staleAt?.includes(1) === true ? staleAt : undefined,
    };
    this.#handed = { from, to, points };
    return points;
  }

  /** Everything that is in its place. */
  #all(): Points | undefined {
    const column = this.#column;
    if (column === undefined) return undefined;
    const [from, to] = [this.#start - this.#base, this.#end - this.#base];
    return {
      timestampsMs: column.view({ from: this.#start, to: this.#end }),
      values: this.#values.subarray(from, to),
      staleAt: this.#staleAt?.subarray(from, to),
    };
  }

  #append({ timestampMs, value, isStale }: Sample): void {
    const pool = this.#pool;
    const column = this.#column;
    if (column === undefined) this.#begin(timestampMs);
    else if (this.#end === column.end) column.append(timestampMs);
    else if (column.at(this.#end) !== timestampMs) this.#leaveColumn(timestampMs);
    pool.last = this.#column;
    const at = this.#end++ - this.#base;
    if (at >= this.#values.length) {
      const before = this.#sizeBytes;
      this.#values = withRoom(this.#values);
      this.#changed(before);
    }
    this.#values[at] = isStale ? Number.NaN : value;
    if (this.#staleAt !== undefined || isStale) this.#mark(at, isStale);
  }

  /** Finds a column for the first sample. */
  #begin(timestampMs: number): void {
    const { last } = this.#pool;
    const isShared = last !== undefined && last.at(last.end - 1) === timestampMs;
    const found = isShared ? { column: last, from: last.end - 1 } : this.#pool.of(Float64Array.of(timestampMs));
    this.#column = found.column;
    this.#column.take(found.from);
    this.#start = found.from;
    this.#end = found.from;
    this.#base = found.from;
  }

  /** Goes on with another column, since this series was sampled when the others were not: with that of the series before, which may have left for the same reason. */
  #leaveColumn(timestampMs: number): void {
    const before = this.#column;
    const times = new Float64Array(this.length + 1);
    times.set(before?.view({ from: this.#start, to: this.#end }) ?? none);
    times[times.length - 1] = timestampMs;
    const { column, from } = this.#pool.of(times);
    column.take(from);
    before?.leave();
    this.#column = column;
    this.#base += from - this.#start;
    this.#end += from - this.#start;
    this.#start = from;
    this.#handed = undefined;
  }

  #mark(at: number, isStale: boolean): void {
    if (this.#staleAt === undefined || at >= this.#staleAt.length) {
      const before = this.#sizeBytes;
      this.#staleAt = markersWithRoom(this.#staleAt ?? new Uint8Array(0), Math.max(this.#values.length, at + 1));
      this.#changed(before);
    }
    this.#staleAt[at] = isStale ? 1 : 0;
  }

  /** What is sent twice needs no place. The rest waits: each by itself would cost a copy of the whole series. */
  #addLate(sample: Sample): void {
    const own = this.#all();
    if (own === undefined || this.#column === undefined) return;
    const at = this.#column.after(sample.timestampMs, { from: this.#start, to: this.#end }) - 1;
    const isThere = at >= this.#start && this.#column.at(at) === sample.timestampMs;
    if (isThere && keepsPlace(own, at - this.#start, sample)) return;
    this.#late ??= [];
    this.#late.push(sample);
    this.#pool.memory.bytes += lateBytes;
    if (this.#late.length >= minLate && this.#late.length * lateShare >= this.length) this.#settle();
  }

  /** Puts what came too late in its place, by way of new arrays. */
  #settle(): void {
    const late = this.#late;
    if (late === undefined) return;
    const own = this.#all();
    const points = pointsOf(late);
    this.#late = undefined;
    this.#pool.memory.bytes -= late.length * lateBytes;
    this.#replace(own === undefined ? roomy(points) : mergePoints(own, points));
  }

  #replace({ timestampsMs, values, staleAt, count }: RoomyPoints): void {
    const before = this.#sizeBytes;
    const { column, from } = this.#pool.of(timestampsMs);
    column.take(from);
    this.#column?.leave();
    this.#column = column;
    this.#start = from;
    this.#base = from;
    this.#end = from + count;
    this.#values = values;
    this.#staleAt = staleAt;
    this.#changed(before);
  }

  /** Its arrays are others than before. */
  #changed(sizeBefore: number): void {
    this.#handed = undefined;
    this.#pool.memory.bytes += this.#sizeBytes - sizeBefore;
  }
}

export interface BufferOptions {
  readonly pool: ColumnPool;
  /** All samples after this time come to the buffer. */
  readonly fromMs: number;
}

function withRoom(values: Float64Array): Float64Array {
  const larger = new Float64Array(roomFor(values.length));
  larger.set(values);
  return larger;
}

function markersWithRoom(staleAt: Uint8Array, room: number): Uint8Array {
  const larger = new Uint8Array(room);
  larger.set(staleAt);
  return larger;
}
