/** How many different series a target has shown within a day: what keeps a target whose labels churn from filling the store's index. */

export interface SeriesBudget {
  readonly limit: number;
  /** Counts a series by its hash; false where it is new and the day's budget is used up. */
  admit(hash: number, nowMs: number): boolean;
  /** How many were admitted since the day began. */
  current(): number;
  /** Changes when a new day begins: what was not admitted may be by now. */
  day(nowMs: number): number;
}

const dayMs = 24 * 3_600_000;
const leastSlots = 64;

/** An open-addressing table of hashes; NaN marks a free slot. 16 bytes a series at most, where a Set takes 40. */
function createHashSet() {
  let slots = new Float64Array(leastSlots).fill(Number.NaN);
  let size = 0;
  const slotOf = (hash: number): number => {
    let slot = hash % slots.length;
    for (;;) {
      const taken = slots[slot];
      if (taken === undefined || Number.isNaN(taken) || taken === hash) return slot;
      slot = (slot + 1) % slots.length;
    }
  };
  const grow = () => {
    const before = slots;
    slots = new Float64Array(before.length * 2).fill(Number.NaN);
    for (const hash of before) if (!Number.isNaN(hash)) slots[slotOf(hash)] = hash;
  };
  return {
    size: () => size,
    has: (hash: number) => slots[slotOf(hash)] === hash,
    add(hash: number) {
      if (size * 4 >= slots.length * 3) grow();
      slots[slotOf(hash)] = hash;
      size++;
    },
    clear() {
      slots = new Float64Array(leastSlots).fill(Number.NaN);
      size = 0;
    },
  };
}

/** Makes the budget of one target; its day begins with the first series. `nowMs` is of a clock that never goes back. */
export function createSeriesBudget(limit: number): SeriesBudget {
  const hashes = createHashSet();
  let beganMs: number | undefined;
  let days = 0;
  const turn = (nowMs: number) => {
    beganMs ??= nowMs;
    if (nowMs - beganMs < dayMs) return;
    beganMs = nowMs;
    days++;
    hashes.clear();
  };
  return {
    limit,
    admit(hash, nowMs) {
      turn(nowMs);
      if (hashes.has(hash)) return true;
      if (hashes.size() >= limit) return false;
      hashes.add(hash);
      return true;
    },
    current: () => hashes.size(),
    day(nowMs) {
      turn(nowMs);
      return days;
    },
  };
}
