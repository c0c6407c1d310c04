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
  /** Lines from one tick to the next. */
  readonly rowsPerTick: number;
}

/** Larger values are drawn as this: ten times the difference of two is still a number. */
const largest = 1e300;

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

/** Each with how much less pleasant it is. */
const roundFactors = [
  [1, 0],
  [2, 0],
  [2.5, 0.08],
  [4, 0.05],
  [5, 0],
] as const;
const powers = [0, 1, 2, 3] as const;
/** Lines from one tick to the next that are pleasant to read. */
const idealLines = 4;

interface Division {
  readonly step: number;
  readonly first: number;
  readonly intervals: number;
  readonly rowsPerTick: number;
}

/** The division into round steps that shows the values largest on so many rows, with neither too many ticks nor too few. */
function divide(least: number, most: number, rows: number): Division {
  const span = most - least;
  const power = 10 ** Math.floor(Math.log10(span / Math.max(1, rows - 1)));
  let best: Division = {
    step: span,
    first: Math.floor(least / span),
    intervals: 2,
    rowsPerTick: Math.max(1, Math.floor((rows - 1) / 2)),
  };
  let bestScore = Number.NEGATIVE_INFINITY;
  // Numbers so small that no power of ten is left below them.
  if (power === 0) return best;
  const steps = powers.flatMap((each) =>
    roundFactors.map(([factor, cost]) => ({ step: factor * 10 ** each * power, cost })),
  );
  for (const { step, cost } of steps) {
    const first = Math.floor(least / step + 1e-9);
    const intervals = Math.max(1, Math.ceil(most / step - 1e-9) - first);
    const rowsPerTick = Math.floor((rows - 1) / intervals);
    if (rowsPerTick < 1) continue;
    const shown = span / (intervals * step);
    const used = (intervals * rowsPerTick) / (rows - 1);
    const crowded = (rowsPerTick < 2 ? 0.3 : 0) + (intervals < 2 ? 0.15 : 0);
    const score = 0.6 * shown + 0.4 * used - 0.04 * Math.abs(rowsPerTick - idealLines) - crowded - cost;
    if (score <= bestScore) continue;
    bestScore = score;
    best = { step, first, intervals, rowsPerTick };
  }
  return best;
}

/** An axis for these values on at most `rows` lines, of which there are 3 or more; numbers that are not finite have no place on it. */
export function valueAxis(values: Iterable<number>, rows: number): ValueAxis {
  const { step, first, intervals, rowsPerTick } = divide(...extentOf(values), rows);
  const high = (first + intervals) * step;
  const text = tickText(step, Math.max(Math.abs(first * step), Math.abs(high)));
  const ticks = Array.from({ length: intervals + 1 }, (_, i) => ({
    at: (first + i) * step,
    text: text((first + i) * step),
  }));
  return { low: first * step, high, ticks, rowsPerTick };
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
  const [scale, unit] = (size >= 1e4 &&
    scales.find(([each]) => size >= each && size < each * 1e4 && step >= each / 100)) || [1, ''];
  const isWhole = (decimals: number) => Math.abs((((step / scale) * 10 ** decimals + 0.5) % 1) - 0.5) < 1e-6;
  const decimals = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].find(isWhole) ?? 12;
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
