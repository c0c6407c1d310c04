/** `rate` and its family: how fast a counter grows, extrapolated to the edges of the window (Prometheus, promql/functions.go `extrapolatedRate`). */
import type { RangeWindow } from './range-window.ts';

/** The growth between the first and the last sample; where a counter was reset, what it had before is added. */
function counterIncrease(values: Float64Array, from: number, to: number): number {
  const first = values[from] ?? Number.NaN;
  let increase = (values[to - 1] ?? Number.NaN) - first;
  let previous = first;
  for (let i = from + 1; i < to; i++) {
    const value = values[i] ?? Number.NaN;
    if (value < previous) increase += previous;
    previous = value;
  }
  return increase;
}

/** The per-second rate of a counter within the window; undefined with fewer than two samples. */
export function rate(window: RangeWindow): number | undefined {
  const { timestampsMs, values, from, to } = window;
  if (to - from < 2) return undefined;
  const firstMs = timestampsMs[from] ?? 0;
  const lastMs = timestampsMs[to - 1] ?? 0;
  const firstValue = values[from] ?? Number.NaN;
  const increase = counterIncrease(values, from, to);

  let toStartS = (firstMs - window.afterMs) / 1000;
  let toEndS = (window.untilMs - lastMs) / 1000;
  const sampledS = (lastMs - firstMs) / 1000;
  const averageS = sampledS / (to - from - 1);
  // A sample that is about one interval from the edge says that the series goes on beyond it; one that is farther says that it began or ended here.
  const thresholdS = averageS * 1.1;
  if (toStartS >= thresholdS) toStartS = averageS / 2;
  if (increase > 0 && firstValue >= 0) {
    // A counter cannot have been below zero: do not extrapolate beyond where it would have been zero.
    const toZeroS = sampledS * (firstValue / increase);
    if (toZeroS < toStartS) toStartS = toZeroS;
  }
  if (toEndS >= thresholdS) toEndS = averageS / 2;
  const factor = (sampledS + toStartS + toEndS) / sampledS / ((window.untilMs - window.afterMs) / 1000);
  return increase * factor;
}
