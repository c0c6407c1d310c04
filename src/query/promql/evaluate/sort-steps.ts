/** Sorting of many within an evaluation, whose meter says when others have their turn. */
import { sortSteps } from '../../../model/sort-steps.ts';
import type { Meter, Steps } from './evaluation.ts';

/** What a comparison takes, in the meter's units. */
const compareUnits = 200;

/** The items in order, equal ones as they were. What is in order already is given back itself. */
export const sortInSteps = <T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  meter: Meter,
): Steps<readonly T[]> =>
  sortSteps(items, { compare, isDue: (comparisons) => meter.spend(compareUnits * comparisons) });
