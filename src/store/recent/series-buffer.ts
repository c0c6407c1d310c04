/** The newest samples of one series, in memory. What was handed out is never written to again: evaluations go on while samples arrive. */
import type { Label, Sample } from '../../model/sample.ts';
import { type SeriesPoints, takesPlaceOf } from '../readers/samples.ts';
import { type ColumnPool, numberBytes, roomFor, TimeColumn } from './time-column.ts';

/** What a series takes beside its samples: its object, its array, and its places in tables and lists. */
const seriesBytes = 400;

const none = new Float64Array(0);

/** Samples in order of time, no stamp twice. */
export class SeriesBuffer {
  readonly labels: readonly Label[];
  /** All samples after this time are here. */
  fromMs: number;
  #column: TimeColumn | undefined;
  /** The places in the column of the first sample and behind the last. */
  #start = 0;
  #end = 0;
  #values: Float64Array = none;
  /** Undefined, which is usual, while no sample is a staleness marker. */
  #staleAt: Uint8Array | undefined;
  /** The place of what is at 0 among the values. */
  #base = 0;

  constructor(labels: readonly Label[], fromMs: number) {
    this.labels = labels;
    this.fromMs = fromMs;
  }

  /** How many samples there are. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** The stamp of its last sample. */
  get newestMs(): number {
    return this.#column?.at(this.#end - 1) ?? Number.NEGATIVE_INFINITY;
  }

  /** The column that it shares with others, and the first place that it needs of it. */
  get column(): TimeColumn | undefined {
    return this.#column;
  }
  get start(): number {
    return this.#start;
  }

  /** About what it takes of memory beside its column. */
  get sizeBytes(): number {
    return seriesBytes + this.#values.length * numberBytes;
  }

  /** Takes a sample, in whatever order they come. */
  add(sample: Sample, pool: ColumnPool): void {
    if (sample.timestampMs <= this.newestMs) this.#insert(sample, pool);
    else this.#append(sample, pool);
  }

  /** Adds samples that were read from the store; those that are here already are taken once. */
  merge(points: SeriesPoints, pool: ColumnPool): void {
    const own = this.view(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    this.#replace(own === undefined ? points : mergePoints(own, points), pool);
  }

  /** Forgets the samples until `timeMs`, once they are enough to make it worth while. */
  forgetUntil(timeMs: number): void {
    const column = this.#column;
    if (column === undefined) return;
    const start = column.after(timeMs, { from: this.#start, to: this.#end });
    if ((start - this.#start) * 4 <= this.length) return;
    this.#start = Math.min(start, this.#end - 1);
    this.fromMs = Math.max(this.fromMs, timeMs);
    const { values, staleAt } = this.#kept();
    this.#base = this.#start;
    this.#values = withRoom(values);
    this.#staleAt = staleAt === undefined ? undefined : markersWithRoom(staleAt, this.#values.length);
  }

  /** The samples after `afterMs` until `untilMs`; undefined where there are none. */
  view(afterMs: number, untilMs: number): SeriesPoints | undefined {
    const column = this.#column;
    if (column === undefined) return undefined;
    const from = column.after(afterMs, { from: this.#start, to: this.#end });
    const isToEnd = column.at(this.#end - 1) <= untilMs;
    const to = isToEnd ? this.#end : column.after(untilMs, { from, to: this.#end });
    if (from >= to) return undefined;
    const staleAt = this.#staleAt?.subarray(from - this.#base, to - this.#base);
    return {
      labels: this.labels,
      timestampsMs: column.view({ from, to }),
      values: this.#values.subarray(from - this.#base, to - this.#base),
      staleAt: staleAt?.includes(1) === true ? staleAt : undefined,
    };
  }

  #append({ timestampMs, value, isStale }: Sample, pool: ColumnPool): void {
    const column = this.#column;
    if (column === undefined) this.#begin(timestampMs, pool);
    else if (this.#end === column.end) column.append(timestampMs);
    else if (column.at(this.#end) !== timestampMs) this.#leaveColumn(timestampMs, pool);
    pool.last = this.#column;
    const at = this.#end++ - this.#base;
    if (at >= this.#values.length) this.#grow(pool);
    this.#values[at] = isStale ? Number.NaN : value;
    if (this.#staleAt !== undefined || isStale) this.#mark(at, isStale);
  }

  /** Finds a column for the first sample. */
  #begin(timestampMs: number, pool: ColumnPool): void {
    const { last, memory } = pool;
    const isShared = last !== undefined && last.at(last.end - 1) === timestampMs;
    const column = isShared ? last : new TimeColumn(Float64Array.of(timestampMs), memory);
    this.#column = column;
    this.#start = column.end - 1;
    this.#end = this.#start;
    this.#base = this.#start;
  }

  /** Goes on with a column of its own, since this series was sampled when the others were not. */
  #leaveColumn(timestampMs: number, { memory }: ColumnPool): void {
    const own = this.#column?.view({ from: this.#start, to: this.#end }) ?? none;
    const column = new TimeColumn(own, memory);
    column.append(timestampMs);
    this.#base -= this.#start;
    this.#end -= this.#start;
    this.#start = 0;
    this.#column = column;
  }

  #grow({ memory }: ColumnPool): void {
    const before = this.sizeBytes;
    this.#values = withRoom(this.#values);
    memory.bytes += this.sizeBytes - before;
  }

  #mark(at: number, isStale: boolean): void {
    if (this.#staleAt === undefined || at >= this.#staleAt.length) {
      this.#staleAt = markersWithRoom(this.#staleAt ?? new Uint8Array(0), Math.max(this.#values.length, at + 1));
    }
    this.#staleAt[at] = isStale ? 1 : 0;
  }

  /** The values and markers that are in use. */
  #kept() {
    const [from, to] = [this.#start - this.#base, this.#end - this.#base];
    return { values: this.#values.subarray(from, to), staleAt: this.#staleAt?.subarray(from, to) };
  }

  /** Puts a sample among those that are here. Rare, and so by way of arrays of its own. */
  #insert({ timestampMs, value, isStale }: Sample, pool: ColumnPool): void {
    const own = this.view(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    const added = {
      labels: this.labels,
      timestampsMs: Float64Array.of(timestampMs),
      values: Float64Array.of(isStale ? Number.NaN : value),
      staleAt: isStale ? Uint8Array.of(1) : undefined,
    };
    this.#replace(own === undefined ? added : mergePoints(own, added), pool);
  }

  #replace(points: SeriesPoints, pool: ColumnPool): void {
    const before = this.sizeBytes;
    const { column, from } = pool.of(points.timestampsMs);
    this.#column = column;
    this.#start = from;
    this.#base = from;
    this.#end = from + points.values.length;
    this.#values = withRoom(points.values);
    this.#staleAt = points.staleAt === undefined ? undefined : markersWithRoom(points.staleAt, this.#values.length);
    pool.memory.bytes += this.sizeBytes - before;
  }
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

const rivalAt = ({ values, staleAt }: SeriesPoints, at: number) => ({
  value: values[at] ?? Number.NaN,
  isMarker: staleAt?.[at] === 1,
});

/** What is in either, a stamp that is in both once. */
function mergePoints(a: SeriesPoints, b: SeriesPoints): SeriesPoints {
  const room = a.values.length + b.values.length;
  const timestampsMs = new Float64Array(room);
  const values = new Float64Array(room);
  const staleAt = new Uint8Array(room);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.values.length || j < b.values.length) {
    const timeA = a.timestampsMs[i] ?? Number.POSITIVE_INFINITY;
    const timeB = b.timestampsMs[j] ?? Number.POSITIVE_INFINITY;
    const isOfA = timeA < timeB || (timeA === timeB && !takesPlaceOf(rivalAt(b, j), rivalAt(a, i)));
    const { value, isMarker } = isOfA ? rivalAt(a, i) : rivalAt(b, j);
    timestampsMs[count] = Math.min(timeA, timeB);
    values[count] = value;
    staleAt[count] = isMarker ? 1 : 0;
    count++;
    if (timeA <= timeB) i++;
    if (timeB <= timeA) j++;
  }
  return {
    labels: a.labels,
    timestampsMs: timestampsMs.slice(0, count),
    values: values.slice(0, count),
    staleAt: staleAt.includes(1) ? staleAt.slice(0, count) : undefined,
  };
}
