/** Functions over time for which a window need not be looked at anew where it overlaps the one before. */
import { average, sum } from './over-time.ts';
import { type Sweep, type Windows, windowsAtOnce, workAtOnce } from './sweep.ts';

/**
 * `max_over_time` and `min_over_time`: those samples of the window wait in a queue that no later one is more than, so that the first of them is
 * what is looked for. NaN counts only where there is nothing else; of equal ones the first counts, as in a look at each.
 */
export function createExtreme(isMax: boolean, { firstMs, stepMs, rangeMs, count }: Windows): Sweep {
  let queue = new Uint32Array(64);
  return ({ timestampsMs, values }, cursor, into) => {
    const end = Math.min(count, cursor.index + windowsAtOnce);
    const length = timestampsMs.length;
    if (queue.length < length - cursor.from) queue = new Uint32Array(length - cursor.from);
    let { from } = cursor;
    let to = from;
    let head = 0;
    let tail = 0;
    let present = 0;
    for (let i = cursor.index; i < end; i++) {
      const untilMs = firstMs + i * stepMs;
      const afterMs = untilMs - rangeMs;
      for (; to < length && (timestampsMs[to] ?? 0) <= untilMs; to++) {
        const value = values[to] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        while (tail > head) {
          const last = values[queue[tail - 1] ?? 0] ?? Number.NaN;
          if (isMax ? value <= last : value >= last) break;
          tail--;
        }
        queue[tail++] = to;
      }
      while (from < to && (timestampsMs[from] ?? 0) <= afterMs) from++;
      if (from === to) continue;
      while (head < tail && (queue[head] ?? 0) < from) head++;
      into.values[i] = head < tail ? (values[queue[head] ?? 0] ?? Number.NaN) : Number.NaN;
      into.isPresent[i] = 1;
      present++;
    }
    cursor.work = 20 * (end - cursor.index) + 5 * (to - cursor.from);
    cursor.from = from;
    cursor.index = end;
    return present;
  };
}

/** So many numbers of this size have a sum that is exact, in whatever order they come and go. */
const maxWhole = 2 ** 36;
const maxWholeCount = 2 ** 17;

const isWhole = (value: number): boolean => Number.isInteger(value) && Math.abs(value) <= maxWhole;

/** `sum_over_time` and `avg_over_time`: sums of whole numbers, which most series have, go along with the window; others are made anew. */
export function createTotal(isAverage: boolean, { firstMs, stepMs, rangeMs, count }: Windows): Sweep {
  return ({ timestampsMs, values }, cursor, into) => {
    const length = timestampsMs.length;
    let { from, index } = cursor;
    let to = from;
    let present = 0;
    let work = 0;
    let whole = 0;
    /** How many values in the window are not whole. */
    let others = 0;
    let isExact = true;
    for (; index < count && work < workAtOnce; index++) {
      const untilMs = firstMs + index * stepMs;
      const afterMs = untilMs - rangeMs;
      const before = to;
      for (; to < length && (timestampsMs[to] ?? 0) <= untilMs; to++) {
        const value = values[to] ?? Number.NaN;
        if (isWhole(value)) whole += value;
        else others++;
      }
      if (to - from > maxWholeCount) isExact = false;
      for (; from < to && (timestampsMs[from] ?? 0) <= afterMs; from++) {
        const value = values[from] ?? Number.NaN;
        if (isWhole(value)) whole -= value;
        else others--;
      }
      work += 20 + 2 * (to - before);
      if (from === to) continue;
      if (isExact && others === 0) into.values[index] = isAverage ? whole / (to - from) : whole;
      else {
        const window = { values, from, to };
        into.values[index] = isAverage ? average(window) : sum(window);
        work += 4 * (to - from);
      }
      into.isPresent[index] = 1;
      present++;
    }
    cursor.from = from;
    cursor.index = index;
    cursor.work = work;
    return present;
  };
}
