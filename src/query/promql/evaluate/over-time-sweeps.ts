/** Functions over time for which a window need not be looked at anew where it overlaps the one before. */
import { average, sum } from './over-time.ts';
import type { Sweep } from './windows.ts';

/**
 * `max_over_time` and `min_over_time`: those samples of the window wait in a queue that no later one is more than, so that the first of them is
 * what is looked for. NaN counts only where there is nothing else; of equal ones the first counts, as in a look at each.
 */
export function createExtreme(isMax: boolean): Sweep {
  let queue = new Uint32Array(64);
  return ({ values }, { begin, end, from: froms, to: tos }, into) => {
    const most = (tos[end - begin - 1] ?? 0) - (froms[0] ?? 0);
    if (queue.length < most) queue = new Uint32Array(most);
    let seen = 0;
    let head = 0;
    let tail = 0;
    let present = 0;
    for (let i = begin; i < end; i++) {
      const from = froms[i - begin] ?? 0;
      const to = tos[i - begin] ?? 0;
      if (from === to) continue;
      for (let next = seen > from ? seen : from; next < to; next++) {
        const value = values[next] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        while (tail > head) {
          const last = values[queue[tail - 1] ?? 0] ?? Number.NaN;
          if (isMax ? value <= last : value >= last) break;
          tail--;
        }
        queue[tail++] = next;
      }
      seen = to;
      while (head < tail && (queue[head] ?? 0) < from) head++;
      into.values[i] = head < tail ? (values[queue[head] ?? 0] ?? Number.NaN) : Number.NaN;
      into.isPresent[i] = 1;
      present++;
    }
    return present;
  };
}

/** So many numbers of this size have a sum that is exact, in whatever order they come and go. */
const maxWhole = 2 ** 36;
const maxWholeCount = 2 ** 16;

const isWhole = (value: number): boolean => Number.isInteger(value) && Math.abs(value) <= maxWhole;

/** `sum_over_time` and `avg_over_time`: sums of whole numbers, which most series have, go along with the window; others are made anew. */
export function createTotal(isAverage: boolean): Sweep {
  return ({ values }, { begin, end, from: froms, to: tos }, into) => {
    let present = 0;
    /** The window before, the sum of its whole numbers, and how many others it has. */
    let first = 0;
    let last = 0;
    let whole = 0;
    let others = 0;
    for (let i = begin; i < end; i++) {
      const from = froms[i - begin] ?? 0;
      const to = tos[i - begin] ?? 0;
      if (from >= last) {
        first = from;
        last = from;
        whole = 0;
        others = 0;
      }
      for (; first < from; first++) {
        const value = values[first] ?? Number.NaN;
        if (isWhole(value)) whole -= value;
        else others--;
      }
      for (; last < to; last++) {
        const value = values[last] ?? Number.NaN;
        if (isWhole(value)) whole += value;
        else others++;
      }
      if (from === to) continue;
      // More numbers may have been rounded, until a window begins anew.
      if (to - from > maxWholeCount) others = Number.POSITIVE_INFINITY;
      if (others === 0) into.values[i] = isAverage ? whole / (to - from) : whole;
      else into.values[i] = isAverage ? average({ values, from, to }) : sum({ values, from, to });
      into.isPresent[i] = 1;
      present++;
    }
    return present;
  };
}
