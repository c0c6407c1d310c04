/** Where the axes of a chart have their ticks, and what is written there: round numbers and round times. */

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface ValueAxis {
  readonly low: number;
  readonly high: number;
  /** From the lowest to the highest, equally far from each other; the first is `low`, the last `high`. */
  readonly ticks: readonly Tick[];
}

/** Beyond these the difference of two numbers overflows. */
const largest = Number.MAX_VALUE / 8;
const mostIntervals = 60;

/** The least of 1, 2 and 5 times a power of ten that is no smaller than `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  // A power below the least number that there is, or above the greatest.
  if (power === 0 || !Number.isFinite(power)) return least;
  const factor = [1, 2, 5, 10].find((each) => each * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** What the axis must reach: around a value that does not change, and down to zero where that is not far. */
function extentOf(values: Iterable<number>): readonly [low: number, high: number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, Math.max(value, -largest));
    high = Math.max(high, Math.min(value, largest));
  }
  if (low > high) return [-1, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  // Closer than numbers of this size can be told apart on an axis.
  if (high - low <= size * 1e-12) return size === 0 ? [-1, 1] : [Math.min(0, 2 * low), Math.max(0, 2 * high)];
  if (low > 0 && low <= high / 2) return [0, high];
  if (high < 0 && high >= low / 2) return [low, 0];
  return [low, high];
}

/** An axis for these values with about so many intervals between its ticks; numbers that are not finite have no place on it. */
export function valueAxis(values: Iterable<number>, intervals: number): ValueAxis {
  const [least, most] = extentOf(values);
  const step = roundStep((most - least) / Math.max(1, intervals));
  const first = Math.floor(least / step + 1e-9);
  const last = Math.ceil(most / step - 1e-9);
  const count = Math.min(Math.max(1, last - first), mostIntervals);
  const high = (first + count) * step;
  const text = tickText(step, Math.max(Math.abs(first * step), Math.abs(high)));
  const ticks = Array.from({ length: count + 1 }, (_, i) => ({
    at: (first + i) * step,
    text: text((first + i) * step),
  }));
  return { low: first * step, high, ticks };
}

const scales = [
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** How the ticks of one axis are written: all with the same unit and as many decimals. */
function tickText(step: number, size: number): (value: number) => string {
  if (size >= 1e18 || size < 1e-4) return (value) => (value === 0 ? '0' : exponentText(value, 3));
  const [scale, unit] = (size >= 1e4 && scales.find(([each]) => size >= each && step >= each / 1000)) || [1, ''];
  const decimals = Math.min(12, Math.max(0, -Math.floor(Math.log10(step / scale) + 1e-9)));
  return (value) => (Math.abs(value) < step / 2 ? '0' : `${(value / scale).toFixed(decimals)}${unit}`);
}

/** In Go's spelling, as Prometheus has it: two digits of exponent. */
const exponentText = (value: number, digits: number): string =>
  Number(value.toPrecision(digits))
    .toExponential()
    .replace(/e([+-])(\d)$/, 'e$10$2');

/** A value in four digits for a person: `0.03333`, `1234`, `12.35k`, `997.9M`, `1.2e-07`. */
export function shortNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 9.9995e17 || size < 1e-4) return exponentText(value, 4);
  if (size < 9999.5) return String(Number(value.toPrecision(4)));
  const [scale, unit] = scales.find(([each]) => size >= each * 0.99995) ?? [1, ''];
  return `${Number((value / scale).toPrecision(4))}${unit}`;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const timeSteps: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 5, 10, 30, 90, 365, 3_650, 36_500, 365_000].map((n) => n * day),
];

/** A time as precisely as ticks so far from each other need it, in UTC. */
function timeText(timeMs: number, stepMs: number): string {
  const text = new Date(timeMs).toISOString();
  const [date = '', clock = ''] = text.split('T');
  if (stepMs >= 365 * day) return date.slice(0, -6);
  if (stepMs >= 90 * day) return date.slice(0, -3);
  if (stepMs >= day || timeMs % day === 0) return date.slice(-5);
  if (stepMs >= minute) return clock.slice(0, 5);
  return stepMs >= second ? clock.slice(0, 8) : clock.slice(0, 12);
}

/** Ticks at round times, at least `gap` cells between their texts where `columns` cells stand for all of the time. */
export function timeTicks(startMs: number, endMs: number, columns: number, gap = 3): readonly Tick[] {
  const spanMs = endMs - startMs;
  if (spanMs <= 0) return [{ at: startMs, text: timeText(startMs, startMs % minute === 0 ? minute : second) }];
  const ticksAt = (stepMs: number): Tick[] => {
    const first = Math.ceil(startMs / stepMs);
    const count = Math.floor(endMs / stepMs) - first + 1;
    return Array.from({ length: count }, (_, i) => ({
      at: (first + i) * stepMs,
      text: timeText((first + i) * stepMs, stepMs),
    }));
  };
  const fits = (stepMs: number): boolean => {
    const width = timeText(Math.ceil(startMs / stepMs) * stepMs, stepMs).length + gap;
    return (stepMs / spanMs) * columns >= width;
  };
  const stepMs = timeSteps.find(fits);
  const ticks = stepMs === undefined ? [] : ticksAt(stepMs);
  // A step that no round time of the range meets: the beginning is better than nothing.
  return ticks.length > 0 ? ticks : [{ at: startMs, text: timeText(startMs, spanMs < 2 * minute ? second : minute) }];
}
