/**
 * Numbers of 32 bits by the ids of series, in typed memory: a Map of a million bigints takes ten times as much, and V8 goes through all of
 * it whenever it collects garbage.
 */
import type { SeriesIdentity } from '../writers/series-id.ts';

export type SeriesKey = Pick<SeriesIdentity, 'low' | 'high'>;

const leastSlots = 64;
/** A table that was larger gives its memory back when it is cleared. */
const keptSlots = 65_536;

/** An open-addressing table: its memory is its state. Ids are digests, so that their bits are as good as any hash of them. */
export class SeriesIdTable {
  size = 0;
  /** The halves of each slot's id. */
  #ids = new Int32Array(2 * leastSlots);
  /** 0 where the slot is free. */
  #values = new Uint32Array(leastSlots);

  /** The series' number; 0 where it has none. */
  get(key: SeriesKey): number {
    return this.#values[this.#slotOf(key.low, key.high)] ?? 0;
  }

  /** Sets a number other than 0. */
  set(key: SeriesKey, value: number): void {
    let slot = this.#slotOf(key.low, key.high);
    if (this.#values[slot] === 0) {
      if ((this.size + 1) * 4 > this.#values.length * 3) {
        this.#grow();
        slot = this.#slotOf(key.low, key.high);
      }
      this.size++;
    }
    this.#put(slot, key, value);
  }

  clear(): void {
    if (this.size === 0) return;
    this.size = 0;
    if (this.#values.length <= keptSlots) this.#values.fill(0);
    else {
      this.#ids = new Int32Array(2 * leastSlots);
      this.#values = new Uint32Array(leastSlots);
    }
  }

  #slotOf(low: number, high: number): number {
    const mask = this.#values.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      if (this.#values[slot] === 0 || (this.#ids[2 * slot] === low && this.#ids[2 * slot + 1] === high)) return slot;
    }
  }

  #put(slot: number, { low, high }: SeriesKey, value: number): void {
    this.#ids[2 * slot] = low;
    this.#ids[2 * slot + 1] = high;
    this.#values[slot] = value;
  }

  #grow(): void {
    const [ids, values] = [this.#ids, this.#values];
    this.#ids = new Int32Array(2 * ids.length);
    this.#values = new Uint32Array(2 * values.length);
    for (const [slot, value] of values.entries()) {
      if (value === 0) continue;
      const key = { low: ids[2 * slot] ?? 0, high: ids[2 * slot + 1] ?? 0 };
      this.#put(this.#slotOf(key.low, key.high), key, value);
    }
  }
}
