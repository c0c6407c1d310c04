/** Aggregations that keep elements or count them by value: `topk`, `bottomk`, `limitk`, `count_values`. */
import { compareBytes } from '../../../model/sample.ts';
import type { Aggregation } from '../ast.ts';
import { formatG, formatPlain } from '../go-number.ts';
import { type GridSeries, labelKey, type VectorValue } from '../value.ts';
import {
  type Evaluation,
  evaluateScalar,
  evaluateString,
  evaluateVector,
  executionError,
  hasAny,
  newSeries,
  type Steps,
} from './evaluation.ts';
import { type Group, groupLabels, groupSeries } from './grouping.ts';
import { larger, smaller } from './math.ts';

/** How many elements are kept at each point. What keeps none has no errors either (promql/engine.go, `rangeEvalAgg`). */
function wholeCounts(counts: Float64Array): Float64Array {
  const least = counts.reduce(smaller, Number.MAX_VALUE);
  const most = counts.reduce(larger, -Number.MAX_VALUE);
  if (most < 1) return counts.map(() => 0);
  if (counts.some(Number.isNaN)) throw executionError('Parameter value is NaN');
  if (least <= -(2 ** 63)) throw executionError(`Scalar value ${formatG(least)} underflows int64`);
  if (most >= 2 ** 63) throw executionError(`Scalar value ${formatG(most)} overflows int64`);
  return counts.map(Math.trunc);
}

/** The elements that have a value at a point: their values, and which members they are of. */
interface Column {
  readonly values: Float64Array;
  readonly positions: Uint32Array;
  count: number;
}

function readColumn(members: readonly GridSeries[], index: number, into: Column): void {
  into.count = 0;
  for (let position = 0; position < members.length; position++) {
    const member = members[position];
    if (member === undefined || member.isPresent[index] !== 1) continue;
    into.values[into.count] = member.values[index] ?? Number.NaN;
    into.positions[into.count++] = position;
  }
}

/** Whether `a` goes before `b`. NaN is the last choice of both; of equal ones the one that comes first. */
const goesBefore = (sign: 1 | -1, a: number, b: number): boolean =>
  Number.isNaN(b) ? !Number.isNaN(a) : sign < 0 ? a > b : a < b;

/** More than this, and sorting all is less work than finding the place of each. */
const maxInserted = 64;

/** The first `wanted` of the column in order, as places in it. */
function firstOf({ values, count }: Column, wanted: number, sign: 1 | -1): number[] {
  if (wanted > maxInserted) {
    const all = Array.from({ length: count }, (_, i) => i);
    const [at, before] = [(i: number) => values[i] ?? Number.NaN, goesBefore];
    all.sort((a, b) => (before(sign, at(a), at(b)) ? -1 : before(sign, at(b), at(a)) ? 1 : a - b));
    return all.slice(0, wanted);
  }
  // Few of many: nearly all go no further than the last of those that are kept. Measured: a tenth of what sorting takes for 10 of 10,000.
  const order: number[] = [];
  for (let i = 0; i < count; i++) {
    const value = values[i] ?? Number.NaN;
    let place = order.length;
    if (place === wanted && !goesBefore(sign, value, values[order[place - 1] ?? 0] ?? Number.NaN)) continue;
    while (place > 0 && goesBefore(sign, value, values[order[place - 1] ?? 0] ?? Number.NaN)) place--;
    order.splice(place, 0, i);
    if (order.length > wanted) order.pop();
  }
  return order;
}

/** What of each member is kept, and the order at the last point, which is an instant query's only one. */
function* rankGroup(
  { members }: Group,
  counts: Float64Array,
  { sign, evaluation }: { readonly sign: 1 | -1; readonly evaluation: Evaluation },
): Steps<readonly GridSeries[]> {
  const kept = new Map<number, GridSeries>();
  const column: Column = {
    values: new Float64Array(members.length),
    positions: new Uint32Array(members.length),
    count: 0,
  };
  let order: readonly number[] = [];
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? 0;
    if (evaluation.meter.spend((count > maxInserted ? 300 : 15) * members.length + 50)) yield;
    if (count < 1) continue;
    readColumn(members, i, column);
    order = firstOf(column, count, sign).map((place) => column.positions[place] ?? 0);
    for (const position of order) {
      const member = members[position];
      if (member === undefined) continue;
      let into = kept.get(position);
      if (into === undefined) {
        into = newSeries(member.labels, evaluation);
        kept.set(position, into);
      }
      into.values[i] = member.values[i] ?? Number.NaN;
      into.isPresent[i] = 1;
    }
  }
  return counts.length === 1 ? order.flatMap((position) => kept.get(position) ?? []) : [...kept.values()];
}

export function* evaluateRanks(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const given = yield* evaluateScalar(aggregation.parameter ?? aggregation.inner, evaluation);
  const { series } = yield* evaluateVector(aggregation.inner, evaluation);
  const counts = wholeCounts(given);
  const sign = aggregation.op === 'topk' ? -1 : 1;
  const found: GridSeries[] = [];
  for (const group of yield* groupSeries(series, aggregation, evaluation.meter)) {
    for (const one of yield* rankGroup(group, counts, { sign, evaluation })) found.push(one);
  }
  return { kind: 'vector', series: found, isOrdered: true };
}

/** `limitk`: any so many elements; here the first. */
export function* evaluateLimits(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const given = yield* evaluateScalar(aggregation.parameter ?? aggregation.inner, evaluation);
  const { series } = yield* evaluateVector(aggregation.inner, evaluation);
  const counts = wholeCounts(given);
  const found: GridSeries[] = [];
  for (const group of yield* groupSeries(series, aggregation, evaluation.meter)) {
    const taken = new Float64Array(evaluation.grid.count);
    for (const member of group.members) {
      const isPresent = member.isPresent.map((present, i) => {
        if (present !== 1 || (taken[i] ?? 0) >= (counts[i] ?? 0)) return 0;
        taken[i] = (taken[i] ?? 0) + 1;
        return 1;
      });
      if (isPresent.includes(1)) found.push({ ...member, isPresent });
      if (evaluation.meter.spend(5 * isPresent.length)) yield;
    }
  }
  return { kind: 'vector', series: found, isOrdered: true };
}

/** Counts how often each value occurs in each group; the value becomes a label. */
export function* evaluateCountValues(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const { parameter, inner, labels, isWithout } = aggregation;
  const label = yield* evaluateString(parameter ?? inner, evaluation);
  if (label === '') throw executionError('invalid label name ""');
  const { series } = yield* evaluateVector(inner, evaluation);
  const counted = new Map<string, GridSeries>();
  // The label itself belongs to what groups are told apart by, unless it is left out by name.
  const grouping = { labels: isWithout ? labels : [...labels, label], isWithout };
  for (const { labels: from, values, isPresent } of series) {
    const others = from.filter(([name]) => name !== label);
    const keys = new Map<number | '-0', GridSeries>();
    for (let i = 0; i < values.length; i++) {
      if (isPresent[i] !== 1) continue;
      const value = values[i] ?? Number.NaN;
      // Zeros of either sign are one key to a Map, and two labels.
      const found = Object.is(value, -0) ? '-0' : value;
      let into = keys.get(found);
      if (into === undefined) {
        const named = [...others, [label, formatPlain(value)] as const].sort((a, b) => compareBytes(a[0], b[0]));
        const group = groupLabels(named, grouping);
        const key = labelKey(group);
        into = counted.get(key) ?? newSeries(group, evaluation);
        counted.set(key, into);
        keys.set(found, into);
      }
      into.values[i] = (into.values[i] ?? 0) + 1;
      into.isPresent[i] = 1;
    }
    if (evaluation.meter.spend(1000 + 20 * values.length)) yield;
  }
  return { kind: 'vector', series: [...counted.values()].filter(hasAny) };
}
