/** Sorting of many, in steps between which others may have their turn. */

/** So many are sorted at once. */
const runLength = 256;

export interface SortOptions<T> {
  readonly compare: (a: T, b: T) => number;
  /** Told of comparisons that were made; whether others are to have their turn. */
  readonly isDue: (comparisons: number) => boolean;
}

type Steps<Result> = Generator<undefined, Result, undefined>;

function* isSorted<T>(items: readonly T[], { compare, isDue }: SortOptions<T>): Steps<boolean> {
  for (let i = 1; i < items.length; i++) {
    const before = items[i - 1];
    const item = items[i];
    if (before !== undefined && item !== undefined && compare(before, item) > 0) return false;
    if (isDue(1)) yield;
  }
  return true;
}

interface Merge<T> extends SortOptions<T> {
  readonly items: readonly T[];
  readonly into: T[];
}

/** Merges the runs [from, middle) and [middle, to); of equal ones those of the first run go first. */
function* mergeRuns<T>(
  { items, into, compare, isDue }: Merge<T>,
  { from, middle, to }: { readonly from: number; readonly middle: number; readonly to: number },
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
    if (isDue(1)) yield;
  }
}

/** The items in order, equal ones as they were. What is in order already is given back itself. */
export function* sortSteps<T>(items: readonly T[], options: SortOptions<T>): Steps<readonly T[]> {
  const { compare, isDue } = options;
  if (yield* isSorted(items, options)) return items;
  let sorted: T[] = [];
  for (let from = 0; from < items.length; from += runLength) {
    for (const item of items.slice(from, from + runLength).sort(compare)) sorted.push(item);
    if (isDue(8 * runLength)) yield;
  }
  for (let width = runLength; width < sorted.length; width *= 2) {
    const into: T[] = [];
    for (let from = 0; from < sorted.length; from += 2 * width) {
      const middle = Math.min(from + width, sorted.length);
      const to = Math.min(middle + width, sorted.length);
      yield* mergeRuns({ items: sorted, into, ...options }, { from, middle, to });
    }
    sorted = into;
  }
  return sorted;
}
