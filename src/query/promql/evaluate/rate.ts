/** `rate`, `increase` and `delta`: extrapolated to the edges of the window (Prometheus, promql/functions.go `extrapolatedRate`). */
import type { RawSeries } from '../value.ts';
import type { RangeWindow } from './range-vector.ts';

export interface RateKind {
  readonly isCounter: boolean;
  readonly perSecond: boolean;
}

/** Where a counter fell, which is where it was reset: found once a series, since windows overlap. */
function resetsOf(values: Float64Array): readonly number[] {
  const found: number[] = [];
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) < (values[i - 1] ?? 0)) found.push(i);
  return found;
}

const noResets: readonly number[] = [];

/** The function for the windows of one series, which come in order of time; undefined where a window has fewer than two samples. */
export function createRate(
  { values, timestampsMs }: RawSeries,
  { isCounter, perSecond }: RateKind,
): (window: RangeWindow) => number | undefined {
  const resets = isCounter ? resetsOf(values) : noResets;
  let firstReset = 0;
  return ({ from, to, afterMs, untilMs }) => {
    if (to - from < 2) return undefined;
    const firstValue = values[from] ?? Number.NaN;
    let increase = (values[to - 1] ?? Number.NaN) - firstValue;
    while (firstReset < resets.length && (resets[firstReset] ?? 0) <= from) firstReset++;
    // What the counter had before each reset is added to what it grew.
    for (let i = firstReset; i < resets.length; i++) {
      const reset = resets[i] ?? 0;
      if (reset >= to) break;
      increase += values[reset - 1] ?? Number.NaN;
    }
    const firstMs = timestampsMs[from] ?? 0;
    const lastMs = timestampsMs[to - 1] ?? 0;
    let toStartS = (firstMs - afterMs) / 1000;
    let toEndS = (untilMs - lastMs) / 1000;
    const sampledS = (lastMs - firstMs) / 1000;
    const averageS = sampledS / (to - from - 1);
    // A sample that is about one interval from the edge says that the series goes on beyond it; one that is farther says that it began or ended here.
    const thresholdS = averageS * 1.1;
    if (toStartS >= thresholdS) toStartS = averageS / 2;
    if (isCounter && increase > 0 && firstValue >= 0) {
      // A counter cannot have been below zero: do not extrapolate beyond where it would have been zero.
      const toZeroS = sampledS * (firstValue / increase);
      if (toZeroS < toStartS) toStartS = toZeroS;
    }
    if (toEndS >= thresholdS) toEndS = averageS / 2;
    const factor = (sampledS + toStartS + toEndS) / sampledS;
    return increase * (perSecond ? factor / ((untilMs - afterMs) / 1000) : factor);
  };
}

/** `irate` and `idelta`: the last two samples alone. */
export function instantChange({ timestampsMs, values, from, to }: RangeWindow, isRate: boolean): number | undefined {
  if (to - from < 2) return undefined;
  const last = values[to - 1] ?? Number.NaN;
  const previous = values[to - 2] ?? Number.NaN;
  // After a reset a counter has grown by what it has now.
  const change = isRate && last < previous ? last : last - previous;
  const intervalMs = (timestampsMs[to - 1] ?? 0) - (timestampsMs[to - 2] ?? 0);
  if (intervalMs === 0) return undefined;
  return isRate ? change / (intervalMs / 1000) : change;
}
