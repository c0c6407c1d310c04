/** Functions of a range vector: one value a series and point of the grid. */
import { invalidQuantile, possibleNonCounter } from '../annotations.ts';
import { type Call, type Expression, type MatrixSelector, type Subquery, unwrap } from '../ast.ts';
import { type GridSeries, labelOf, type RawSeries, type VectorValue } from '../value.ts';
import {
  checkUnique,
  type Evaluation,
  evaluateScalar,
  executionError,
  haveOneName,
  newSeries,
  type Steps,
} from './evaluation.ts';
import { extendedRate, fromAnchor, visitExtended } from './extended.ts';
import { predict, smooth, windowFunctions } from './over-time.ts';
import { isQuantile, quantileOf } from './quantile.ts';
import { evaluateRange, type RangeWindow, visitWindows } from './range-vector.ts';
import { createRate, instantChange, type RateKind } from './rate.ts';

type Compute = (window: RangeWindow) => number | undefined;

/** Makes the function for one series. */
type Prepare = (series: RawSeries) => Compute;

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

function* prepareWithScalars(call: Call, evaluation: Evaluation): Steps<Prepare> {
  const scalars: Float64Array[] = [];
  for (const argument of call.arguments) {
    if (!isRange(unwrap(argument))) scalars.push(yield* evaluateScalar(argument, evaluation));
  }
  const scalar = (which: number, { index }: RangeWindow): number => scalars[which]?.[index] ?? Number.NaN;
  switch (call.function) {
    case 'quantile_over_time': {
      const [place = call] = call.arguments;
      return () => (window) => {
        const quantile = scalar(0, window);
        if (!isQuantile(quantile)) evaluation.annotations.warn(place, invalidQuantile(quantile));
        evaluation.meter.spend(50 * (window.to - window.from));
        return quantileOf(quantile, window.values.slice(window.from, window.to));
      };
    }
    case 'predict_linear':
      return () => (window) => predict(window, scalar(0, window));
    default:
      return () => (window) => {
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

function windowOf(call: Call): Compute {
  const compute = windowFunctions.get(call.function);
  if (compute === undefined)
    throw new Error(`${call.function} was checked and has a selector that looks beyond its window`);
  return compute;
}

function* prepareFunction(call: Call, evaluation: Evaluation): Steps<Prepare> {
  const kind = rateKinds[call.function];
  const range = rangeArgument(call);
  const edges = range.kind === 'matrix_selector' ? range.selector.edges : undefined;
  if (edges !== undefined) {
    const compute = kind === undefined ? fromAnchor(windowOf(call)) : extendedRate(edges, kind);
    return () => compute;
  }
  if (kind !== undefined) return (series) => createRate(series, kind);
  const compute = instantKinds[call.function] ?? windowFunctions.get(call.function);
  if (compute !== undefined) return () => compute;
  return yield* prepareWithScalars(call, evaluation);
}

const counterSuffix = /_(?:total|sum|count|bucket)$/;

/** Says so where a counter's function was given what has no counter's name. */
function checkCounter(call: Call, labels: RawSeries['labels'], { annotations }: Evaluation): void {
  if (call.function !== 'rate' && call.function !== 'increase') return;
  const name = labelOf(labels, '__name__');
  if (name === '' || counterSuffix.test(name)) return;
  annotations.inform(call.arguments[0] ?? call, possibleNonCounter(name));
}

/** Applies a function to each window (t - range, t] of each series. */
export function* evaluateRangeFunction(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const prepare = yield* prepareFunction(call, evaluation);
  const range = yield* evaluateRange(rangeArgument(call), evaluation);
  const isNamed = keepsName.has(call.function);
  const visitAll = range.edges === undefined ? visitWindows : visitExtended;
  const found: GridSeries[] = [];
  const contributing: Pick<RawSeries, 'labels'>[] = [];
  for (const one of range.series) {
    const into = newSeries(isNamed ? one.labels : evaluation.nameless(one.labels), evaluation);
    const compute = prepare(one);
    let any = false;
    yield* visitAll(one, range, evaluation, (window) => {
      const value = compute(window);
      if (value === undefined) return;
      into.values[window.index] = value;
      into.isPresent[window.index] = 1;
      any = true;
    });
    if (evaluation.meter.spend(1000)) yield;
    if (!any) {
      evaluation.meter.settle(evaluation.meter.claimed() - into.values.length);
      continue;
    }
    checkCounter(call, one.labels, evaluation);
    contributing.push(one);
    found.push(into);
  }
  for (const one of evaluation.pushed.get(call) ?? []) {
    evaluation.meter.claim(evaluation.grid.count);
    checkCounter(call, one.labels, evaluation);
    contributing.push(one);
    found.push(isNamed ? one : { ...one, labels: evaluation.nameless(one.labels) });
    if (evaluation.meter.spend(1000)) yield;
  }
  if (!isNamed && !haveOneName(contributing)) yield* checkUnique(found, evaluation.meter);
  return { kind: 'vector', series: found };
}
