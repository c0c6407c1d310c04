/** Sorting of many, in steps between which others have their turn. */
import type { Meter, Steps } from './evaluation.ts';

/** So many are sorted at once. */
const runLength = 512;
/** What a comparison takes, in the meter's units. */
const compareUnits = 200;

function* isSorted<T>(items: readonly T[], compare: (a: T, b: T) => number, meter: Meter): Steps<boolean> {
  for (let i = 1; i < items.length; i++) {
    const before = items[i - 1];
    const item = items[i];
    if (before !== undefined && item !== undefined && compare(before, item) > 0) return false;
    if (meter.spend(compareUnits)) yield;
  }
  return true;
}

/** Merges the runs [from, middle) and [middle, to); of equal ones those of the first run go first. */
function* mergeRuns<T>(
  items: readonly T[],
  { from, middle, to }: { readonly from: number; readonly middle: number; readonly to: number },
  { compare, meter, into }: { compare: (a: T, b: T) => number; readonly meter: Meter; readonly into: T[] },
): Steps<void> {
  let left = from;
  let right = middle;
  while (left < middle || right < to) {
    const a = items[left];
    const b = items[right];
    const takesLeft = right >= to || (left < middle && a !== undefined && b !== undefined && compare(a, b) <= 0);
    const taken = takesLeft ? a : b;
    if (taken !== undefined) into.push(taken);
    if (takesLeft) left++;
    else right++;
    if (meter.spend(compareUnits)) yield;
  }
}

/** The items in order, equal ones as they were. What is in order already is given back itself. */
export function* sortInSteps<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  meter: Meter,
): Steps<readonly T[]> {
  if (yield* isSorted(items, compare, meter)) return items;
  let sorted: T[] = [];
  for (let from = 0; from < items.length; from += runLength) {
    for (const item of items.slice(from, from + runLength).sort(compare)) sorted.push(item);
    if (meter.spend(runLength * 9 * compareUnits)) yield;
  }
  for (let width = runLength; width < sorted.length; width *= 2) {
    const into: T[] = [];
    for (let from = 0; from < sorted.length; from += 2 * width) {
      const middle = Math.min(from + width, sorted.length);
      const to = Math.min(middle + width, sorted.length);
      yield* mergeRuns(sorted, { from, middle, to }, { compare, meter, into });
    }
    sorted = into;
  }
  return sorted;
}
