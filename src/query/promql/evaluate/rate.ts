/** `rate`, `increase` and `delta`: extrapolated to the edges of the window (Prometheus, promql/functions.go `extrapolatedRate`). */
import type { RangeWindow } from './range-vector.ts';
import type { Placed, Sweep, Windows } from './windows.ts';

export interface RateKind {
  readonly isCounter: boolean;
  readonly perSecond: boolean;
}

/** What is known of each window: five numbers. */
const spanSize = 5;

interface SpanOptions {
  readonly perSecond: boolean;
  readonly into: Float64Array;
}

/** As much as rounding could make of a comparison, and more. */
const certainly = 1 + 1e-9;

/**
 * What follows from when the samples were taken, whatever they are: for each window the seconds from its first sample to its last, how far before and
 * behind them the series is taken to go on, what to multiply with what it grew by between them, and from how many times that on the first value is so
 * large that the series cannot have begun at zero within what is added before it.
 */
function writeSpans(placed: Placed, { firstMs, stepMs, rangeMs }: Windows, { perSecond, into }: SpanOptions): void {
  const { timestampsMs, begin, end, from, to } = placed;
  for (let i = 0; i < end - begin; i++) {
    const count = (to[i] ?? 0) - (from[i] ?? 0);
    if (count < 2) continue;
    const untilMs = firstMs + (begin + i) * stepMs;
    const first = timestampsMs[from[i] ?? 0] ?? 0;
    const last = timestampsMs[(to[i] ?? 0) - 1] ?? 0;
    const sampledS = (last - first) / 1000;
    const averageS = sampledS / (count - 1);
    // A sample that is about one interval from the edge says that the series goes on beyond it; one that is farther says that it began or ended here.
    const thresholdS = averageS * 1.1;
    let toStartS = (first - (untilMs - rangeMs)) / 1000;
    if (toStartS >= thresholdS) toStartS = averageS / 2;
    let toEndS = (untilMs - last) / 1000;
    if (toEndS >= thresholdS) toEndS = averageS / 2;
    into[i * spanSize] = sampledS;
    into[i * spanSize + 1] = toStartS;
    into[i * spanSize + 2] = toEndS;
    const factor = (sampledS + toStartS + toEndS) / sampledS;
    into[i * spanSize + 3] = perSecond ? factor / ((untilMs - (untilMs - rangeMs)) / 1000) : factor;
    into[i * spanSize + 4] = (toStartS / sampledS) * certainly;
  }
}

/** Gives the spans of placed windows, once for all series that they are shared by. */
function createSpans(windows: Windows, perSecond: boolean): (placed: Placed) => Float64Array {
  const known = new Map<Placed, Float64Array>();
  let scratch: Float64Array = new Float64Array(0);
  return (placed) => {
    let spans = placed.isShared ? known.get(placed) : scratch;
    const size = spanSize * (placed.end - placed.begin);
    if (spans === undefined || spans.length < size) {
      spans = new Float64Array(size);
      if (placed.isShared) known.set(placed, spans);
      else scratch = spans;
    } else if (placed.isShared) return spans;
    writeSpans(placed, windows, { perSecond, into: spans });
    return spans;
  };
}

/**
 * Two samples make a rate. However many a window has, it costs what its edges and the resets in it do. All in one loop without an object or a call
 * a window: 10 ns each where series were sampled together, where a closure given a window takes 60 (`bench/experiments/evaluate.ts`).
 */
export function createRate({ isCounter, perSecond }: RateKind, windows: Windows): Sweep {
  const { firstMs, stepMs, rangeMs } = windows;
  const spansOf = createSpans(windows, perSecond);
  /** Where the counter fell, which is where it was reset; those before `nextReset` are behind the window. */
  const resets: number[] = [];
  return ({ values }, placed, { values: into, isPresent }) => {
    const { begin, end, from: froms, to: tos } = placed;
    const spans = spansOf(placed);
    let present = 0;
    let seen = 0;
    let nextReset = 0;
    if (resets.length > 0) resets.length = 0;
    for (let i = begin; i < end; i++) {
      const from = froms[i - begin] ?? 0;
      const to = tos[i - begin] ?? 0;
      if (to - from < 2) continue;
      const firstValue = values[from] ?? 0;
      let increase = (values[to - 1] ?? 0) - firstValue;
      if (isCounter) {
        let previous = 0;
        if (seen <= from) seen = from + 1;
        if (seen < to) previous = values[seen - 1] ?? 0;
        for (; seen < to; seen++) {
          const value = values[seen] ?? 0;
          if (value < previous) resets.push(seen);
          previous = value;
        }
        while (nextReset < resets.length && (resets[nextReset] ?? 0) <= from) nextReset++;
        // What the counter had before each reset is added to what it grew.
        for (let next = nextReset; next < resets.length; next++) increase += values[(resets[next] ?? 0) - 1] ?? 0;
      }
      const at = (i - begin) * spanSize;
      let scale = spans[at + 3] ?? 0;
      if (isCounter && firstValue >= 0 && increase > 0 && firstValue <= increase * (spans[at + 4] ?? 0)) {
        // A counter cannot have been below zero: do not extrapolate beyond where it would have been zero.
        const sampledS = spans[at] ?? 0;
        const toZeroS = sampledS * (firstValue / increase);
        if (toZeroS < (spans[at + 1] ?? 0)) {
          const factor = (sampledS + toZeroS + (spans[at + 2] ?? 0)) / sampledS;
          const untilMs = firstMs + i * stepMs;
          scale = perSecond ? factor / ((untilMs - (untilMs - rangeMs)) / 1000) : factor;
        }
      }
      into[i] = increase * scale;
      isPresent[i] = 1;
      present++;
    }
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
