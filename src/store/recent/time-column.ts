/**
 * The stamps of series, one column for all that were sampled together: a target's series have the same ones, scrape by scrape, so that they
 * take half the memory. Places are counted from the column's very beginning and stay the same when that is forgotten.
 */

/** What is in memory, counted as it comes and goes. */
export interface Memory {
  bytes: number;
}

/** Grows by the golden section, so that its fractions lie everywhere between 0 and 1. */
let arrays = 0;

/**
 * The room of an array for so many numbers, which get one more every few seconds: by a tenth to two fifths more. Arrays of series that are sampled together
 * would otherwise all be full at once, and growing ten thousand of them held everything up for 50 ms.
 */
export function roomFor(count: number): number {
  arrays = (arrays + 0.618) % 1;
  return Math.max(8, Math.ceil(count * (1.1 + 0.3 * arrays))) + 2;
}

export const numberBytes = 8;
/** What a column takes beside its stamps. */
const columnBytes = 300;

/** Stamps in order, no one twice. Those that are there never change, so that what was handed out may be kept. */
export class TimeColumn {
  readonly #memory: Memory;
  /** How many series have it; it counts as memory while any does. */
  #users = 0;
  /** The first place that any of them needs, and as of which round of tidying. */
  #neededFrom = Number.POSITIVE_INFINITY;
  #round = 0;
  #times: Float64Array;
  /** The place of the first stamp that is kept, and the one behind the last. */
  #base = 0;
  #end: number;
  /** What was handed out last, which the next series of the same query asks for as well. */
  #view: Float64Array = new Float64Array(0);
  #viewFrom = -1;
  #viewTo = -1;

  constructor(times: Float64Array, memory: Memory) {
    this.#memory = memory;
    this.#times = new Float64Array(roomFor(times.length));
    this.#times.set(times);
    this.#end = times.length;
  }

  get end(): number {
    return this.#end;
  }

  get #sizeBytes(): number {
    return columnBytes + this.#times.length * numberBytes;
  }

  /** One more series has it, from a place on. */
  take(from: number): void {
    this.#neededFrom = Math.min(this.#neededFrom, from);
    if (this.#users++ === 0) this.#memory.bytes += this.#sizeBytes;
  }

  /** A series has it no more. */
  leave(): void {
    if (--this.#users === 0) this.#memory.bytes -= this.#sizeBytes;
  }

  at(place: number): number {
    return this.#times[place - this.#base] ?? Number.NaN;
  }

  append(timeMs: number): void {
    const count = this.#end - this.#base;
    if (count === this.#times.length) this.#move(this.#base);
    this.#times[count] = timeMs;
    this.#end++;
  }

  /** The first place in [from, to) whose stamp is after `timeMs`; `to` where none is. */
  after(timeMs: number, { from, to }: Places): number {
    const [times, base] = [this.#times, this.#base];
    let low = from - base;
    let high = to - base;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] ?? 0) <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low + base;
  }

  /** The stamps in [from, to), as a view: one for all that ask for the same places one after another. */
  view({ from, to }: Places): Float64Array {
    if (from !== this.#viewFrom || to !== this.#viewTo) {
      this.#view = this.#times.subarray(from - this.#base, to - this.#base);
      this.#viewFrom = from;
      this.#viewTo = to;
    }
    return this.#view;
  }

  /** The place where a run of stamps begins; undefined where the column does not have it. */
  placeOf(run: Float64Array): number | undefined {
    const first = this.after(run[0] ?? 0, { from: this.#base, to: this.#end }) - 1;
    const from = first - this.#base;
    if (from < 0 || first + run.length > this.#end) return undefined;
    for (let i = 0; i < run.length; i++) if (this.#times[from + i] !== run[i]) return undefined;
    return first;
  }

  /** A series needs it from a place on. In each round all that have it say so; true for the first of them. */
  need(from: number, round: number): boolean {
    const isFirst = this.#round !== round;
    this.#neededFrom = isFirst ? from : Math.min(this.#neededFrom, from);
    this.#round = round;
    return isFirst;
  }

  /** Forgets what no series needs, once that is enough to make it worth while. */
  forget(): void {
    const place = this.#neededFrom;
    if (Number.isFinite(place) && (place - this.#base) * 4 > this.#end - this.#base) this.#move(place);
  }

  /** Copies the stamps from `place` on into an array of their own, with room for more. */
  #move(place: number): void {
    const before = this.#sizeBytes;
    const kept = this.#times.subarray(place - this.#base, this.#end - this.#base);
    this.#times = new Float64Array(roomFor(kept.length + 1));
    this.#times.set(kept);
    this.#base = place;
    // A view of the old array would keep it.
    this.#viewFrom = -1;
    this.#view = this.#times.subarray(0, 0);
    if (this.#users > 0) this.#memory.bytes += this.#sizeBytes - before;
  }
}

/** The places [from, to). */
export interface Places {
  readonly from: number;
  readonly to: number;
}

/** Where a series finds a column that has its stamps already. */
export interface ColumnPool {
  readonly memory: Memory;
  /** The column that was added to last, which the next series of a batch has as well. */
  last: TimeColumn | undefined;
  /** A column with such a run of stamps, and where that begins in it. */
  of(run: Float64Array): { readonly column: TimeColumn; readonly from: number };
  /** No longer offers the columns that are there: nobody may have them any more. */
  restart(): void;
}

/** Targets whose last stamps are the same are few; more are not tried. */
const maxTried = 8;
/** Columns that series have left are offered until then. */
const maxOffered = 2000;

export function createColumnPool(): ColumnPool {
  const memory: Memory = { bytes: 0 };
  const byLast = new Map<number, TimeColumn[]>();
  return {
    memory,
    last: undefined,
    of(run) {
      const lastMs = run.at(-1) ?? 0;
      const candidates = byLast.get(lastMs) ?? [];
      for (const column of this.last === undefined ? candidates : [this.last, ...candidates]) {
        const from = column.placeOf(run);
        if (from !== undefined) return { column, from };
      }
      const column = new TimeColumn(run, memory);
      if (byLast.size >= maxOffered) byLast.clear();
      if (candidates.length < maxTried) byLast.set(lastMs, [...candidates, column]);
      return { column, from: 0 };
    },
    restart() {
      byLast.clear();
      this.last = undefined;
    },
  };
}
