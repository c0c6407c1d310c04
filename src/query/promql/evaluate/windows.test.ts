import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../../test/fixtures/random.ts';
import type { RawSeries } from '../value.ts';
import { average, sum, windowFunctions } from './over-time.ts';
import { createExtreme, createTotal } from './over-time-sweeps.ts';
import { createRate } from './rate.ts';
import { type Compute, createPlacer, type Sweep, type Windows, windowByWindow } from './windows.ts';

const odd = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -0,
  0,
  1e308,
  -1e308,
  5e-324,
  2 ** 60,
  0.1,
];

interface Made {
  readonly series: readonly RawSeries[];
  readonly windows: Windows;
}

/** Series, of which some share their timestamps. */
function make(seed: number): Made {
  const random = createRandom(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const columns = Array.from({ length: 3 }, () => {
    let timeMs = below(5000);
    return Float64Array.from({ length: below(90) }, () => {
      timeMs += below(8) === 0 ? 1 + below(300_000) : 1 + below(20_000);
      return timeMs;
    });
  });
  const oddness = below(3) === 0 ? 4 : 1e9;
  const series = Array.from({ length: 8 }, (): RawSeries => {
    const timestampsMs = columns[below(3)] ?? new Float64Array(0);
    let value = below(50);
    const values = timestampsMs.map(() => {
      value = below(12) === 0 ? below(5) : value + below(40) + (seed % 2 === 0 ? random() : 0);
      return below(oddness) === 0 ? (odd[below(odd.length)] ?? 0) : value;
    });
    // Views of one memory are one column as well.
    return { labels: [], timestampsMs: below(2) === 0 ? timestampsMs : timestampsMs.subarray(0), values };
  });
  const timesMs = { startMs: below(400_000), stepMs: below(5) === 0 ? 0 : 1 + below(60_000) };
  const windows: Windows = {
    firstMs: timesMs.startMs,
    stepMs: timesMs.stepMs,
    rangeMs: 1 + below(300_000),
    count: 1 + below(60),
    timesMs,
    beyondMs: { before: 0, behind: 0 },
  };
  return { series, windows };
}

/** What a sweep says of each series at each point. */
function sweepAll(sweep: Sweep, { series, windows }: Made): (number | undefined)[][] {
  const placeAt = createPlacer(windows, 2);
  return series.map((one) => {
    const into = { values: new Float64Array(windows.count), isPresent: new Uint8Array(windows.count) };
    let present = 0;
    for (let begin = 0; begin < windows.count; ) {
      const placed = placeAt(one, begin);
      present += sweep(one, placed, into);
      begin = placed.end;
    }
    expect(into.isPresent.filter((each) => each === 1)).toHaveLength(present);
    return Array.from(into.values, (value, i) => (into.isPresent[i] === 1 ? value : undefined));
  });
}

/** Prometheus's extrapolation as it is written there, of one window. */
const plainRate =
  (isCounter: boolean, perSecond: boolean): Compute =>
  ({ timestampsMs, values, from, to, afterMs, untilMs }) => {
    if (to - from < 2) return undefined;
    const first = values[from] ?? 0;
    let increase = (values[to - 1] ?? 0) - first;
    for (let i = from + 1; isCounter && i < to; i++) {
      if ((values[i] ?? 0) < (values[i - 1] ?? 0)) increase += values[i - 1] ?? 0;
    }
    const firstMs = timestampsMs[from] ?? 0;
    const lastMs = timestampsMs[to - 1] ?? 0;
    let toStartS = (firstMs - afterMs) / 1000;
    let toEndS = (untilMs - lastMs) / 1000;
    const sampledS = (lastMs - firstMs) / 1000;
    const averageS = sampledS / (to - from - 1);
    if (toStartS >= averageS * 1.1) toStartS = averageS / 2;
    if (isCounter && increase > 0 && first >= 0) toStartS = Math.min(toStartS, sampledS * (first / increase));
    if (toEndS >= averageS * 1.1) toEndS = averageS / 2;
    const factor = (sampledS + toStartS + toEndS) / sampledS;
    return increase * (perSecond ? factor / ((untilMs - afterMs) / 1000) : factor);
  };

const named = (name: string): Compute => windowFunctions.get(name) ?? (() => undefined);

const pairs: readonly (readonly [string, (windows: Windows) => Sweep, Compute])[] = [
  ['rate', (windows) => createRate({ isCounter: true, perSecond: true }, windows), plainRate(true, true)],
  ['increase', (windows) => createRate({ isCounter: true, perSecond: false }, windows), plainRate(true, false)],
  ['delta', (windows) => createRate({ isCounter: false, perSecond: false }, windows), plainRate(false, false)],
  ['max_over_time', () => createExtreme(true), named('max_over_time')],
  ['min_over_time', () => createExtreme(false), named('min_over_time')],
  ['sum_over_time', () => createTotal(false), sum],
  ['avg_over_time', () => createTotal(true), average],
];

describe('going over windows in one loop', () => {
  it.each(pairs)('%s is to the last bit what each window says by itself', (_, create, compute) => {
    for (let seed = 1; seed <= 120; seed++) {
      const made = make(seed);
      const expected = sweepAll(windowByWindow(compute, made.windows), made);
      expect(sweepAll(create(made.windows), made), `seed ${seed}`).toEqual(expected);
    }
  });

  it('goes on where there was work enough for one turn', () => {
    const timestampsMs = Float64Array.from({ length: 30_000 }, (_, i) => i * 10);
    const one: RawSeries = { labels: [], timestampsMs, values: timestampsMs.map((timeMs) => timeMs % 7) };
    const timesMs = { startMs: 0, stepMs: 10 };
    const beyondMs = { before: 0, behind: 0 };
    const windows: Windows = { firstMs: 0, stepMs: 10, rangeMs: 1000, count: 30_000, timesMs, beyondMs };
    const made = { series: [one, one], windows };
    const expected = sweepAll(windowByWindow(sum, windows), made);
    expect(sweepAll(createTotal(false), made)).toEqual(expected);
    expect(createPlacer(windows, 2)(one, 0).end).toBeLessThan(5000);
  });

  it('remembers no more windows where series have views of one memory, each another', () => {
    const memory = Float64Array.from({ length: 400 }, (_, i) => i * 1000);
    const timesMs = { startMs: 0, stepMs: 1000 };
    const beyondMs = { before: 0, behind: 0 };
    const windows: Windows = { firstMs: 0, stepMs: 1000, rangeMs: 5000, count: 1000, timesMs, beyondMs };
    const placeAt = createPlacer(windows, 1);
    const placed = Array.from(memory, (_, i) => placeAt({ timestampsMs: memory.subarray(0, i) }, 0));
    expect(placed.filter(({ isShared }) => isShared)).toHaveLength(65);
  });
});
