/** Functions of a range vector: one value a series and point of the grid. */
import { invalidQuantile, possibleNonCounter } from '../annotations.ts';
import { type Call, type Expression, type MatrixSelector, type Subquery, unwrap } from '../ast.ts';
import { type LabelList, listOf } from '../label-lists.ts';
import { type GridSeries, labelOf, type RawSeries, type VectorValue, withoutName } from '../value.ts';
import {
  checkUnique,
  createRows,
  type Evaluation,
  evaluateScalar,
  executionError,
  haveOneName,
  type Steps,
} from './evaluation.ts';
import { extendedRate, fromAnchor } from './extended.ts';
import { predict, smooth, windowFunctions } from './over-time.ts';
import { createExtreme, createTotal } from './over-time-sweeps.ts';
import { isQuantile, quantileOf } from './quantile.ts';
import { evaluateRange, type RangeVector, type RangeWindow } from './range-vector.ts';
import { createRate, instantChange, type RateKind } from './rate.ts';
import { type Compute, createPlacer, type Sweep, type Windows, windowByWindow } from './windows.ts';

const rateKinds: Readonly<Record<string, RateKind>> = {
  rate: { isCounter: true, perSecond: true },
  increase: { isCounter: true, perSecond: false },
  delta: { isCounter: false, perSecond: false },
};

const instantKinds: Readonly<Record<string, Compute>> = {
  irate: (window) => instantChange(window, true),
  idelta: (window) => instantChange(window, false),
};

/** Those whose result is a sample as it was stored. */
const keepsName: ReadonlySet<string> = new Set(['last_over_time', 'first_over_time']);

const withScalars: ReadonlySet<string> = new Set([
  'quantile_over_time',
  'predict_linear',
  'double_exponential_smoothing',
]);

export const isRangeFunction = (name: string): boolean =>
  windowFunctions.has(name) || name in rateKinds || name in instantKinds || withScalars.has(name);

function isRange(expression: Expression): expression is MatrixSelector | Subquery {
  return expression.kind === 'matrix_selector' || expression.kind === 'subquery';
}

/** The argument that is a range vector. */
export function rangeArgument(call: Call): MatrixSelector | Subquery {
  const found = call.arguments.map(unwrap).find(isRange);
  if (found === undefined) throw new Error(`${call.function} was checked without its range`);
  return found;
}

function* prepareWithScalars(call: Call, evaluation: Evaluation): Steps<Compute> {
  const scalars: Float64Array[] = [];
  for (const argument of call.arguments) {
    if (!isRange(unwrap(argument))) scalars.push(yield* evaluateScalar(argument, evaluation));
  }
  const scalar = (which: number, { index }: RangeWindow): number => scalars[which]?.[index] ?? Number.NaN;
  switch (call.function) {
    case 'quantile_over_time': {
      const [place = call] = call.arguments;
      return (window) => {
        const quantile = scalar(0, window);
        if (!isQuantile(quantile)) evaluation.annotations.warn(place, invalidQuantile(quantile));
        return quantileOf(quantile, window.values.slice(window.from, window.to));
      };
    }
    case 'predict_linear':
      return (window) => predict(window, scalar(0, window));
    default:
      return (window) => {
        const smoothing = { factor: scalar(0, window), trend: scalar(1, window) };
        for (const [name, value, letters] of [
          ['smoothing', smoothing.factor, 'sf'],
          ['trend', smoothing.trend, 'tf'],
        ] as const) {
          if (value > 0 && value < 1) continue;
          throw executionError(`invalid ${name} factor. Expected: 0 < ${letters} < 1, got: ${value.toFixed(6)}`);
        }
        return smooth(window, smoothing);
      };
  }
}

interface Prepared {
  readonly windows: Windows;
  readonly sweep: Sweep;
  /** What each sample in a window costs. */
  readonly workOfSample: number;
}

function windowOf(call: Call): Compute {
  const compute = windowFunctions.get(call.function);
  if (compute === undefined)
    throw new Error(`${call.function} was checked and has a selector that looks beyond its window`);
  return compute;
}

/** Functions whose windows are not computed one by one. */
const sweeps: ReadonlyMap<string, (windows: Windows) => Sweep> = new Map<string, (windows: Windows) => Sweep>([
  ...Object.entries(rateKinds).map(([name, kind]) => [name, (windows: Windows) => createRate(kind, windows)] as const),
  ['avg_over_time', () => createTotal(true)],
  ['max_over_time', () => createExtreme(true)],
  ['min_over_time', () => createExtreme(false)],
  ['sum_over_time', () => createTotal(false)],
]);

/** What each sample in a window costs, in the meter's units; those that are not here cost as much as `usualWork`. */
const workOfSamples: Readonly<Record<string, number>> = {
  // Whatever the window has, its edges are looked at.
  ...Object.fromEntries([...Object.keys(rateKinds), ...Object.keys(instantKinds)].map((name) => [name, 0.1])),
  count_over_time: 0.1,
  first_over_time: 0.1,
  last_over_time: 0.1,
  present_over_time: 0.1,
  ts_of_first_over_time: 0.1,
  ts_of_last_over_time: 0.1,
  max_over_time: 0.1,
  min_over_time: 0.1,
  // Next to nothing of whole numbers, and of others what it costs to add them anew.
  avg_over_time: 1,
  sum_over_time: 1,
  deriv: 15,
  predict_linear: 15,
  stddev_over_time: 10,
  stdvar_over_time: 10,
  quantile_over_time: 25,
  mad_over_time: 50,
};
const usualWork = 4;

function* prepareSweep(call: Call, range: RangeVector, evaluation: Evaluation): Steps<Prepared> {
  const { rangeMs, firstMs, stepMs, edges } = range;
  const { grid, lookbackMs } = evaluation;
  const beyondMs = { before: edges === undefined ? 0 : lookbackMs, behind: edges === 'smoothed' ? lookbackMs : 0 };
  const windows: Windows = { firstMs, stepMs, rangeMs, count: grid.count, timesMs: grid, beyondMs };
  const kind = rateKinds[call.function];
  if (edges !== undefined) {
    const compute = kind === undefined ? fromAnchor(windowOf(call)) : extendedRate(edges, kind);
    return { windows, sweep: windowByWindow(compute, windows), workOfSample: usualWork };
  }
  const workOfSample = workOfSamples[call.function] ?? usualWork;
  const create = sweeps.get(call.function);
  if (create !== undefined) return { windows, sweep: create(windows), workOfSample };
  const known = instantKinds[call.function] ?? windowFunctions.get(call.function);
  const compute = known ?? (yield* prepareWithScalars(call, evaluation));
  return { windows, sweep: windowByWindow(compute, windows), workOfSample };
}

const counterSuffix = /_(?:total|sum|count|bucket)$/;

/** Says so where a counter's function was given what has no counter's name. */
function checkCounter(call: Call, labels: RawSeries['labels'], { annotations }: Evaluation): void {
  if (call.function !== 'rate' && call.function !== 'increase') return;
  const name = labelOf(labels, '__name__');
  if (name === '' || counterSuffix.test(name)) return;
  const [argument = call] = call.arguments;
  // Of a subquery Prometheus has forgotten the place by then.
  annotations.inform(unwrap(argument).kind === 'subquery' ? { from: 0 } : argument, possibleNonCounter(name));
}

/** The series of all that have a value in a window, and where among the samples' series they are. */
function* sweepAll(
  range: RangeVector,
  { windows, sweep, workOfSample }: Prepared,
  { evaluation, labels }: { readonly evaluation: Evaluation; readonly labels: LabelList['labels'] },
): Steps<{ readonly found: GridSeries[]; readonly contributing: RawSeries[] }> {
  const { meter } = evaluation;
  const found: GridSeries[] = [];
  const contributing: RawSeries[] = [];
  const rows = createRows(evaluation);
  const placeAt = createPlacer(windows, workOfSample);
  for (let i = 0; i < range.series.length; i++) {
    const one = range.series[i];
    if (one === undefined) continue;
    let present = 0;
    for (let begin = 0; begin < windows.count; ) {
      const placed = placeAt(one, begin);
      present += sweep(one, placed, rows.cells());
      begin = placed.end;
      if (meter.spend(placed.work)) yield;
    }
    const series = rows.finish(labels[i] ?? one.labels, present);
    if (series === undefined) continue;
    found.push(series);
    contributing.push(one);
  }
  return { found, contributing };
}

/** Applies a function to each window (t - range, t] of each series. */
export function* evaluateRangeFunction(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const { meter, grid, pushed } = evaluation;
  const range = yield* evaluateRange(rangeArgument(call), evaluation);
  const isNamed = keepsName.has(call.function);
  const list = listOf(range.series);
  const isPlain = evaluation.nameless === withoutName;
  const derived = isPlain ? yield* list.nameless(meter) : list.labels.map(evaluation.nameless);
  const labels = isNamed ? list.labels : derived;
  const prepared = yield* prepareSweep(call, range, evaluation);
  const { found, contributing } = yield* sweepAll(range, prepared, { evaluation, labels });
  const isOneName = yield* list.hasOneName(meter);
  for (const one of isOneName ? contributing.slice(0, 1) : contributing) {
    checkCounter(call, one.labels, evaluation);
  }
  const added = pushed.get(call) ?? [];
  for (const one of added) {
    meter.claim(grid.count);
    checkCounter(call, one.labels, evaluation);
    found.push(isNamed ? one : { ...one, labels: evaluation.nameless(one.labels) });
    if (meter.spend(1000)) yield;
  }
  const isApart =
    isNamed || (isOneName && added.length === 0) || (yield* haveOneName([...contributing, ...added], meter));
  return { kind: 'vector', series: isApart ? found : yield* checkUnique(found, meter) };
}
