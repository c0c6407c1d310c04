/** Calls: which family computes which function. */
import { type Call, unwrap } from '../ast.ts';
import { unsupported } from '../error.ts';
import { givenEndOf, type Value, type VectorValue } from '../value.ts';
import { evaluateAbsent, evaluateAbsentOverTime } from './absent.ts';
import { dateFunctions, evaluateDate } from './dates.ts';
import {
  type Evaluation,
  evaluateScalar,
  evaluateVector,
  hasAny,
  mapValues,
  newSeries,
  type Steps,
} from './evaluation.ts';
import { evaluateHistogramFraction, evaluateHistogramQuantile, evaluateHistogramQuantiles } from './histogram.ts';
import { evaluateInfo } from './info.ts';
import { evaluateLabelJoin, evaluateLabelReplace } from './labels.ts';
import { evaluateHeld, evaluateMath, heldFunctions, larger, mathFunctions, smaller } from './math.ts';
import { evaluateRangeFunction, isRangeFunction } from './range-functions.ts';
import { evaluateSelector } from './selector.ts';
import { evaluateSort, isSort } from './sort.ts';

/** When each sample was taken; of what is no selector, the time of evaluation. */
function* evaluateTimestamp(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const [argument = call] = call.arguments;
  const inner = unwrap(argument);
  if (inner.kind === 'vector_selector') {
    const series = yield* evaluateSelector(inner, evaluation, 'timestamp');
    return yield* mapValues({ kind: 'vector', series }, evaluation, (from, into) => {
      into.values.set(from.values);
      into.isPresent.set(from.isPresent);
    });
  }
  const { grid } = evaluation;
  const vector = yield* evaluateVector(argument, evaluation);
  return yield* mapValues(vector, evaluation, (from, into) => {
    for (let i = 0; i < grid.count; i++) into.values[i] = (grid.startMs + i * grid.stepMs) / 1000;
    into.isPresent.set(from.isPresent);
  });
}

/** The only element at each point, NaN where there are none or several. */
function* evaluateToScalar(call: Call, evaluation: Evaluation): Steps<Value> {
  const { series } = yield* evaluateVector(call.arguments[0] ?? call, evaluation);
  const values = new Float64Array(evaluation.grid.count).fill(Number.NaN);
  const counts = new Uint32Array(values.length);
  for (const one of series) {
    for (let i = 0; i < values.length; i++) {
      if (one.isPresent[i] !== 1) continue;
      counts[i] = (counts[i] ?? 0) + 1;
      values[i] = counts[i] === 1 ? (one.values[i] ?? Number.NaN) : Number.NaN;
    }
    if (evaluation.meter.spend(3 * values.length)) yield;
  }
  return { kind: 'scalar', values };
}

function* evaluateToVector(call: Call, evaluation: Evaluation): Steps<VectorValue> {
  const into = newSeries([], evaluation);
  into.values.set(yield* evaluateScalar(call.arguments[0] ?? call, evaluation));
  into.isPresent.fill(1);
  return { kind: 'vector', series: [into] };
}

/** Functions of nothing but the query's times. */
const clockFunctions: ReadonlyMap<string, (evaluation: Evaluation, index: number) => number> = new Map<
  string,
  (evaluation: Evaluation, index: number) => number
>([
  ['pi', () => Math.PI],
  ['time', ({ grid }, index) => (grid.startMs + index * grid.stepMs) / 1000],
  ['start', ({ whole }) => whole.startMs / 1000],
  ['end', ({ whole }) => givenEndOf(whole) / 1000],
  ['range', ({ whole }) => (givenEndOf(whole) - whole.startMs) / 1000],
  ['step', ({ whole }) => whole.stepMs / 1000],
]);

function* evaluateOf(call: Call, evaluation: Evaluation): Steps<Value> {
  const [first = call, second = call] = call.arguments;
  const a = yield* evaluateScalar(first, evaluation);
  const b = yield* evaluateScalar(second, evaluation);
  const choose = call.function === 'min_of' ? smaller : larger;
  return { kind: 'scalar', values: a.map((value, i) => choose(value, b[i] ?? Number.NaN)) };
}

/** Of native histograms, of which there are none: floats have no answer. */
const nativeOnly: ReadonlySet<string> = new Set([
  'histogram_avg',
  'histogram_count',
  'histogram_stddev',
  'histogram_stdvar',
  'histogram_sum',
]);

function* evaluateNamed(call: Call, evaluation: Evaluation): Steps<Value> {
  switch (call.function) {
    case 'absent':
      return yield* evaluateAbsent(call, evaluation);
    case 'absent_over_time':
      return yield* evaluateAbsentOverTime(call, evaluation);
    case 'histogram_fraction':
      return yield* evaluateHistogramFraction(call, evaluation);
    case 'histogram_quantile':
      return yield* evaluateHistogramQuantile(call, evaluation);
    case 'histogram_quantiles':
      return yield* evaluateHistogramQuantiles(call, evaluation);
    case 'info':
      return yield* evaluateInfo(call, evaluation);
    case 'label_join':
      return yield* evaluateLabelJoin(call, evaluation);
    case 'label_replace':
      return yield* evaluateLabelReplace(call, evaluation);
    case 'min_of':
    case 'max_of':
      return yield* evaluateOf(call, evaluation);
    case 'scalar':
      return yield* evaluateToScalar(call, evaluation);
    case 'timestamp':
      return yield* evaluateTimestamp(call, evaluation);
    case 'vector':
      return yield* evaluateToVector(call, evaluation);
    default:
      throw unsupported(`function "${call.function}"`);
  }
}

export function* evaluateCall(call: Call, evaluation: Evaluation): Steps<Value> {
  const name = call.function;
  const math = mathFunctions.get(name);
  if (math !== undefined) return yield* evaluateMath(call, math, evaluation);
  if (isRangeFunction(name)) return yield* evaluateRangeFunction(call, evaluation);
  const held = heldFunctions.get(name);
  if (held !== undefined) return yield* evaluateHeld(call, held, evaluation);
  const date = dateFunctions.get(name);
  if (date !== undefined) return yield* evaluateDate(call, date, evaluation);
  const clock = clockFunctions.get(name);
  if (clock !== undefined) {
    const values = Float64Array.from({ length: evaluation.grid.count }, (_, i) => clock(evaluation, i));
    return { kind: 'scalar', values };
  }
  if (isSort(name)) return yield* evaluateSort(call, evaluation);
  if (nativeOnly.has(name)) {
    const { series } = yield* evaluateVector(call.arguments[0] ?? call, evaluation);
    return { kind: 'vector', series: series.filter((one) => !hasAny(one)) };
  }
  return yield* evaluateNamed(call, evaluation);
}
