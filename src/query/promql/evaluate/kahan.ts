/** Sums that keep what rounding loses, as Prometheus computes them (promql/functions.go `kahanSumInc`, after Neumaier). */

export interface KahanSum {
  sum: number;
  /** What the sum lacks. */
  lost: number;
}

export function addTo(into: KahanSum, value: number): void {
  const { sum } = into;
  const total = sum + value;
  if (total === Number.POSITIVE_INFINITY || total === Number.NEGATIVE_INFINITY) into.lost = 0;
  else if (Math.abs(sum) >= Math.abs(value)) into.lost += sum - total + value;
  else into.lost += value - total + sum;
  into.sum = total;
}
