/** Rows of an answer as a list, read and sorted in slices: a hundred thousand of them take a second. */
import { sortSteps } from '../../model/sort-steps.ts';
import { inSlices, startSlices } from '../../model/turns.ts';
import { type RowBinary, readRowBinary } from './row-binary.ts';

/** Reads all rows, a slice of them a turn. */
export async function readRows<Item>(
  bytes: Buffer,
  read: (row: RowBinary) => Item,
  signal: AbortSignal,
): Promise<Item[]> {
  const row = readRowBinary(bytes);
  const items: Item[] = [];
  const slices = startSlices(signal);
  while (!row.isAtEnd()) {
    items.push(read(row));
    if (slices.isOver()) await slices.next();
  }
  return items;
}

/** Comparisons between two looks at the clock. */
const comparedAtOnce = 32;

/** The items in order, sorted a slice a turn. */
export function sortInSlices<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  let compared = 0;
  const isDue = (comparisons: number): boolean => {
    compared += comparisons;
    if (compared < comparedAtOnce) return false;
    compared = 0;
    return true;
  };
  return inSlices(sortSteps(items, { compare, isDue }), signal);
}
