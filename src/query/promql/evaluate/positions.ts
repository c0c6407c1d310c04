/** Where among timestamps, which are in order, a time is. */

function countBetween(
  timestampsMs: Float64Array,
  untilMs: number,
  { low, high }: { readonly low: number; readonly high: number },
): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((timestampsMs[middle] ?? 0) <= untilMs) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** How many of the timestamps are not after `untilMs`. */
export const countUntil = (timestampsMs: Float64Array, untilMs: number): number =>
  countBetween(timestampsMs, untilMs, { low: 0, high: timestampsMs.length });

/** The same where the answer is about `guess`, as it is for series that were scraped alike: two looks, mostly, at memory that is needed anyway. */
export function countUntilNear(timestampsMs: Float64Array, untilMs: number, guess: number): number {
  const length = timestampsMs.length;
  const start = Math.max(0, Math.min(guess, length));
  let reach = 1;
  if (start === 0 || (timestampsMs[start - 1] ?? 0) <= untilMs) {
    let low = start;
    while (low + reach <= length && (timestampsMs[low + reach - 1] ?? 0) <= untilMs) {
      low += reach;
      reach *= 2;
    }
    if (reach === 1) return low;
    return countBetween(timestampsMs, untilMs, { low, high: Math.min(length, low + reach - 1) });
  }
  let high = start - 1;
  while (high >= reach && (timestampsMs[high - reach] ?? 0) > untilMs) {
    high -= reach;
    reach *= 2;
  }
  return countBetween(timestampsMs, untilMs, { low: Math.max(0, high - reach + 1), high });
}
