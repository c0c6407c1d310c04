/** The newest samples of one series, in memory. What was handed out is never written to again: evaluations go on while samples arrive. */
import type { Label, Sample } from '../../model/sample.ts';
import { type SeriesPoints, takesPlaceOf } from '../readers/samples.ts';

/** What a series takes beside its samples: its object, two arrays and their places in tables and lists. */
const seriesBytes = 500;
const sampleBytes = 16;
/** Arrays grow by a quarter: most series are loaded with hours of samples and get one every few seconds. */
const growth = 1.25;
const leastRoom = 16;

/** Counts the timestamps in [from, to) that are not after `timeMs`. */
function countUntil(timestampsMs: Float64Array, timeMs: number, { from, to }: { from: number; to: number }): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timestampsMs[middle] ?? 0) <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Samples in order of time, no stamp twice. */
export class SeriesBuffer {
  readonly labels: readonly Label[];
  /** All samples after this time are here. */
  fromMs: number;
  #timestampsMs: Float64Array = new Float64Array(0);
  #values: Float64Array = new Float64Array(0);
  /** Undefined, which is usual, while no sample is a staleness marker. */
  #staleAt: Uint8Array | undefined;
  #start = 0;
  #end = 0;

  constructor(labels: readonly Label[], fromMs: number) {
    this.labels = labels;
    this.fromMs = fromMs;
  }

  /** How many samples there are. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** About what it takes of memory. */
  get sizeBytes(): number {
    return seriesBytes + this.#values.length * sampleBytes;
  }

  /** Takes a sample, in whatever order they come. */
  add({ timestampMs, value, isStale }: Sample): void {
    const end = this.#end;
    if (end > this.#start && timestampMs <= (this.#timestampsMs[end - 1] ?? 0)) {
      this.#insert({ timestampMs, value, isStale });
      return;
    }
    if (end === this.#values.length) this.#move(this.#start, this.length + 1);
    this.#put(this.#end++, timestampMs, isStale ? Number.NaN : value);
    if (isStale) this.#markStale(this.#end - 1);
  }

  /** Adds samples that were read from the store; those that are here already are taken once. */
  merge(points: SeriesPoints): void {
    if (this.length === 0) {
      this.#timestampsMs = points.timestampsMs;
      this.#values = points.values;
      this.#staleAt = points.staleAt;
      this.#start = 0;
      this.#end = points.values.length;
      return;
    }
    const own = this.view(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    this.#timestampsMs = new Float64Array(0);
    this.#values = new Float64Array(0);
    this.#staleAt = undefined;
    this.#start = 0;
    this.#end = 0;
    if (own === undefined) return;
    this.#move(0, own.values.length + points.values.length);
    this.#fillFrom(own, points);
  }

  /** Forgets the samples until `timeMs`, once they are enough to make it worth while. */
  forgetUntil(timeMs: number): void {
    const start = countUntil(this.#timestampsMs, timeMs, { from: this.#start, to: this.#end });
    if ((start - this.#start) * 4 <= this.length) return;
    this.#start = start;
    this.#move(start, this.length);
  }

  /** The samples after `afterMs` until `untilMs`; undefined where there are none. */
  view(afterMs: number, untilMs: number): SeriesPoints | undefined {
    const timestampsMs = this.#timestampsMs;
    const from = countUntil(timestampsMs, afterMs, { from: this.#start, to: this.#end });
    const last = timestampsMs[this.#end - 1] ?? 0;
    const to = last <= untilMs ? this.#end : countUntil(timestampsMs, untilMs, { from, to: this.#end });
    if (from >= to) return undefined;
    const staleAt = this.#staleAt?.subarray(from, to);
    return {
      labels: this.labels,
      timestampsMs: timestampsMs.subarray(from, to),
      values: this.#values.subarray(from, to),
      staleAt: staleAt?.includes(1) === true ? staleAt : undefined,
    };
  }

  #put(at: number, timestampMs: number, value: number): void {
    this.#timestampsMs[at] = timestampMs;
    this.#values[at] = value;
    if (this.#staleAt !== undefined) this.#staleAt[at] = 0;
  }

  #markStale(at: number): void {
    this.#staleAt ??= new Uint8Array(this.#values.length);
    this.#staleAt[at] = 1;
  }

  /** Copies the samples from `start` on into arrays of their own, with room for `least`. */
  #move(start: number, least: number): void {
    const room = Math.max(leastRoom, Math.ceil(least * growth));
    const timestampsMs = new Float64Array(room);
    const values = new Float64Array(room);
    timestampsMs.set(this.#timestampsMs.subarray(start, this.#end));
    values.set(this.#values.subarray(start, this.#end));
    if (this.#staleAt !== undefined) {
      const staleAt = new Uint8Array(room);
      staleAt.set(this.#staleAt.subarray(start, this.#end));
      this.#staleAt = staleAt;
    }
    this.#timestampsMs = timestampsMs;
    this.#values = values;
    this.#end -= start;
    this.#start = 0;
  }

  /** Puts a sample among those that are here, in arrays of their own. */
  #insert({ timestampMs, value, isStale }: Sample): void {
    const range = { from: this.#start, to: this.#end };
    const before = countUntil(this.#timestampsMs, timestampMs, range) - 1;
    if (before >= this.#start && this.#timestampsMs[before] === timestampMs) {
      const kept = { value: this.#values[before] ?? Number.NaN, isMarker: this.#staleAt?.[before] === 1 };
      if (!takesPlaceOf({ value, isMarker: isStale }, kept)) return;
      const at = before - this.#start;
      this.#move(this.#start, this.length);
      this.#put(at, timestampMs, value);
      return;
    }
    const at = before + 1 - this.#start;
    this.#move(this.#start, this.length + 1);
    this.#timestampsMs.copyWithin(at + 1, at, this.#end);
    this.#values.copyWithin(at + 1, at, this.#end);
    this.#staleAt?.copyWithin(at + 1, at, this.#end);
    this.#end++;
    this.#put(at, timestampMs, isStale ? Number.NaN : value);
    if (isStale) this.#markStale(at);
  }

  /** Fills the arrays, which are empty and have the room, with what is in either. */
  #fillFrom(a: SeriesPoints, b: SeriesPoints): void {
    let i = 0;
    let j = 0;
    while (i < a.values.length || j < b.values.length) {
      const timeA = a.timestampsMs[i] ?? Number.POSITIVE_INFINITY;
      const timeB = b.timestampsMs[j] ?? Number.POSITIVE_INFINITY;
      const isOfA = timeA < timeB || (timeA === timeB && !takesPlaceOf(rivalAt(b, j), rivalAt(a, i)));
      const { value, isMarker } = isOfA ? rivalAt(a, i) : rivalAt(b, j);
      this.#put(this.#end++, Math.min(timeA, timeB), value);
      if (isMarker) this.#markStale(this.#end - 1);
      if (timeA <= timeB) i++;
      if (timeB <= timeA) j++;
    }
  }
}

const rivalAt = ({ values, staleAt }: SeriesPoints, at: number) => ({
  value: values[at] ?? Number.NaN,
  isMarker: staleAt?.[at] === 1,
});
