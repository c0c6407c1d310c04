/** Range vectors: the samples of a range selector, or the points of a subquery, and the windows of them that each point of the grid sees. */
import type { Edges, MatrixSelector, Subquery } from '../ast.ts';
import type { Grid, GridSeries, RawSeries } from '../value.ts';
import { type Evaluation, evaluateVector, type Steps, timesOf, tooManySamples } from './evaluation.ts';
import { countUntil } from './positions.ts';
import { samplesOf, withoutMarkers } from './selector.ts';

/** What a range function sees of a series at one point of the grid. The object is the same for every point. */
export interface RangeWindow {
  /** Samples [from, to) are those with `afterMs` < timestamp <= `untilMs`. */
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  from: number;
  to: number;
  afterMs: number;
  untilMs: number;
  /** The time of evaluation, which an offset or `@` does not move. */
  timeMs: number;
  /** The number of the point. */
  index: number;
}

export interface RangeVector {
  readonly series: readonly RawSeries[];
  readonly rangeMs: number;
  /** Whose samples beyond the window count: then `visitExtended` visits its windows. */
  readonly edges?: Edges | undefined;
  /** The end of the first point's window, and how far the next is. */
  readonly firstMs: number;
  readonly stepMs: number;
}

/** The grid of a subquery's points: multiples of its step, whatever the outer grid is. */
export function subqueryGrid(subquery: Subquery, evaluation: Evaluation): Grid {
  const stepMs = subquery.stepMs ?? evaluation.defaultStepMs;
  const times = timesOf(subquery, evaluation);
  const afterMs = times.firstMs - subquery.rangeMs;
  const startMs = (Math.floor(afterMs / stepMs) + 1) * stepMs;
  const endMs = times.firstMs + (evaluation.grid.count - 1) * times.stepMs;
  const count = endMs < startMs ? 0 : Math.floor((endMs - startMs) / stepMs) + 1;
  return { startMs, stepMs, count, givenEndMs: endMs };
}

/** Longer grids are refused before room is made for them. */
const maxSubqueryPoints = 10_000_000;

function toRaw({ labels, values, isPresent }: GridSeries, grid: Grid): RawSeries {
  let count = 0;
  for (const present of isPresent) count += present;
  const timestampsMs = new Float64Array(count);
  const kept = new Float64Array(count);
  let next = 0;
  for (let i = 0; i < grid.count; i++) {
    if (isPresent[i] !== 1) continue;
    timestampsMs[next] = grid.startMs + i * grid.stepMs;
    kept[next++] = values[i] ?? Number.NaN;
  }
  return { labels, timestampsMs, values: kept };
}

export function* evaluateRange(range: MatrixSelector | Subquery, evaluation: Evaluation): Steps<RangeVector> {
  const { rangeMs } = range;
  if (range.kind === 'matrix_selector') {
    const series: RawSeries[] = [];
    for (const points of samplesOf(range.selector, evaluation)) {
      series.push(withoutMarkers(points));
      if (evaluation.meter.spend(points.staleAt === undefined ? 5 : 100 + 3 * points.values.length)) yield;
    }
    return { series, rangeMs, edges: range.selector.edges, ...timesOf(range.selector, evaluation) };
  }
  const times = timesOf(range, evaluation);
  const grid = subqueryGrid(range, evaluation);
  if (grid.count === 0) return { series: [], rangeMs, ...times };
  if (grid.count > maxSubqueryPoints) throw tooManySamples();
  const { meter } = evaluation;
  const { series } = yield* evaluateVector(range.inner, { ...evaluation, grid });
  const raw: RawSeries[] = [];
  for (const one of series) {
    raw.push(toRaw(one, grid));
    meter.claim(grid.count);
    if (meter.spend(3 * grid.count)) yield;
  }
  return { series: raw, rangeMs, ...times };
}

/** Work between two looks at whether it is time to yield. */
const workAtOnce = 200_000;

/** Visits windows from the point `window.index` on until there was enough work; gives how much. */
function visitSome(
  window: RangeWindow,
  { grid, range }: { readonly grid: Grid; readonly range: RangeVector },
  visit: (window: RangeWindow) => void,
): number {
  const { timestampsMs } = window;
  const { rangeMs, firstMs, stepMs } = range;
  const length = timestampsMs.length;
  let work = 0;
  let { from, to, index } = window;
  for (; index < grid.count && work < workAtOnce; index++) {
    const untilMs = firstMs + index * stepMs;
    const afterMs = untilMs - rangeMs;
    while (to < length && (timestampsMs[to] ?? 0) <= untilMs) to++;
    while (from < to && (timestampsMs[from] ?? 0) <= afterMs) from++;
    work += 20 + 2 * (to - from);
    if (from === to) continue;
    window.from = from;
    window.to = to;
    window.afterMs = afterMs;
    window.untilMs = untilMs;
    window.timeMs = grid.startMs + index * grid.stepMs;
    window.index = index;
    visit(window);
  }
  window.from = from;
  window.to = to;
  window.index = index;
  return work;
}

/** Visits the windows of one series that hold a sample, in order of time. Measured with `rate`: 30 ns a window beside what the function costs. */
export function* visitWindows(
  { timestampsMs, values }: RawSeries,
  range: RangeVector,
  evaluation: Evaluation,
  visit: (window: RangeWindow) => void,
): Steps<void> {
  const { grid, meter } = evaluation;
  const from = countUntil(timestampsMs, range.firstMs - range.rangeMs);
  const window: RangeWindow = { timestampsMs, values, from, to: from, afterMs: 0, untilMs: 0, timeMs: 0, index: 0 };
  while (window.index < grid.count) {
    if (meter.spend(visitSome(window, { grid, range }, visit))) yield;
  }
}
