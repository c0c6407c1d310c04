/**
 * The duration sketch of the roll-ups: counts in buckets whose bounds grow by a sixteenth of an octave. Counts add up exactly in any order,
 * so that a window says the same whether it was rolled up or counted afresh; a quantile is within 2.2 % (`docs/decisions/duration-sketch.md`).
 */

const bucketsPerOctave = 16;

/** Beyond 2^63 µs nothing is told apart. */
const lastBucket = 63 * bucketsPerOctave;

/** SQL for the bucket of a duration: 0 for 0 µs, else 1 + the sixteenths of an octave above 1 µs. */
export const bucketOf = (durationUs: string) =>
  `toUInt16(if(${durationUs} = 0, 0, 1 + least(${lastBucket}, floor(log2(${durationUs}) * ${bucketsPerOctave}))))`;

/** Counts by bucket. */
export type Histogram = Map<number, number>;

/** Adds `counts[i]` to bucket `buckets[i]`. */
export function addBuckets(
  histogram: Histogram,
  buckets: readonly number[],
  counts: readonly (number | string)[],
): void {
  buckets.forEach((bucket, i) => {
    histogram.set(bucket, (histogram.get(bucket) ?? 0) + Number(counts[i] ?? 0));
  });
}

/** The duration below which the share `quantile` of the counted lies, in µs; undefined when nothing was counted. */
export function quantileUs(histogram: Histogram, quantile: number): number | undefined {
  let total = 0;
  for (const count of histogram.values()) total += count;
  if (total === 0) return undefined;
  const rank = quantile * (total - 1);
  let below = 0;
  for (const bucket of [...histogram.keys()].sort((a, b) => a - b)) {
    below += histogram.get(bucket) ?? 0;
    if (rank < below) return middleUs(bucket);
  }
  return undefined;
}

/** Rounded to what the sketch can tell, so that no digit pretends to more. */
function middleUs(bucket: number): number {
  if (bucket === 0) return 0;
  const value = 2 ** ((bucket - 0.5) / bucketsPerOctave);
  return Number(value.toPrecision(3));
}
