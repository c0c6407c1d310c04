/** `rate`, `increase` and `delta`: extrapolated to the edges of the window (Prometheus, promql/functions.go `extrapolatedRate`). */
import type { RangeWindow } from './range-vector.ts';
import { type Sweep, type Windows, windowsAtOnce } from './sweep.ts';

export interface RateKind {
  readonly isCounter: boolean;
  readonly perSecond: boolean;
}

/**
 * Two samples make a rate. However many a window has, it costs what its edges and the resets in it do. All in one loop without an object or a call
 * a window: 25 ns each, where a closure given a window takes 60 (`bench/experiments/evaluate.ts`).
 */
export function createRate({ isCounter, perSecond }: RateKind, { firstMs, stepMs, rangeMs, count }: Windows): Sweep {
  /** Where the counter fell, which is where it was reset; those before `nextReset` are behind the window. */
  const resets: number[] = [];
  return ({ timestampsMs, values }, cursor, { values: into, isPresent }) => {
    const end = Math.min(count, cursor.index + windowsAtOnce);
    const length = timestampsMs.length;
    let from = cursor.from;
    let to = from;
    let present = 0;
    let nextReset = 0;
    resets.length = 0;
    for (let i = cursor.index; i < end; i++) {
      const untilMs = firstMs + i * stepMs;
      const afterMs = untilMs - rangeMs;
      for (; to < length && (timestampsMs[to] ?? 0) <= untilMs; to++) {
        if (isCounter && to > from && (values[to] ?? 0) < (values[to - 1] ?? 0)) resets.push(to);
      }
      while (from < to && (timestampsMs[from] ?? 0) <= afterMs) from++;
      if (to - from < 2) continue;
      const firstValue = values[from] ?? 0;
      let increase = (values[to - 1] ?? 0) - firstValue;
      if (nextReset < resets.length) {
        while (nextReset < resets.length && (resets[nextReset] ?? 0) <= from) nextReset++;
        // What the counter had before each reset is added to what it grew.
        for (let next = nextReset; next < resets.length; next++) increase += values[(resets[next] ?? 0) - 1] ?? 0;
      }
      const first = timestampsMs[from] ?? 0;
      const last = timestampsMs[to - 1] ?? 0;
      let toStartS = (first - afterMs) / 1000;
      let toEndS = (untilMs - last) / 1000;
      const sampledS = (last - first) / 1000;
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
      into[i] = increase * (perSecond ? factor / ((untilMs - afterMs) / 1000) : factor);
      isPresent[i] = 1;
      present++;
    }
    cursor.work = 40 * (end - cursor.index) + 2 * (to - cursor.from);
    cursor.from = from;
    cursor.index = end;
    return present;
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
