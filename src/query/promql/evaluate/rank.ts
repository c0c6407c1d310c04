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

interface Ranked {
  readonly member: GridSeries;
  readonly value: number;
  readonly position: number;
}

/** NaN is the last choice of both. */
const compareRanked = (sign: 1 | -1) => (a: Ranked, b: Ranked) => {
  if (Number.isNaN(a.value) || Number.isNaN(b.value)) {
    if (Number.isNaN(a.value) !== Number.isNaN(b.value)) return Number.isNaN(a.value) ? 1 : -1;
    return a.position - b.position;
  }
  return sign * (a.value - b.value) || a.position - b.position;
};

/** What of each member is kept, and the order at the last point, which is an instant query's only one. */
function* rankGroup(
  { members }: Group,
  counts: Float64Array,
  options: { readonly sign: 1 | -1; readonly evaluation: Evaluation },
): Steps<readonly GridSeries[]> {
  const { sign, evaluation } = options;
  const kept = new Map<GridSeries, GridSeries>();
  const compare = compareRanked(sign);
  let order: readonly Ranked[] = [];
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? 0;
    if (evaluation.meter.spend(100 * members.length + 50)) yield;
    if (count < 1) continue;
    const ranked: Ranked[] = [];
    members.forEach((member, position) => {
      if (member.isPresent[i] === 1) ranked.push({ member, value: member.values[i] ?? Number.NaN, position });
    });
    order = ranked.sort(compare).slice(0, count);
    for (const { member, value } of order) {
      let into = kept.get(member);
      if (into === undefined) {
        into = newSeries(member.labels, evaluation);
        kept.set(member, into);
      }
      into.values[i] = value;
      into.isPresent[i] = 1;
    }
  }
  return counts.length === 1 ? order.flatMap(({ member }) => kept.get(member) ?? []) : [...kept.values()];
}

export function* evaluateRanks(aggregation: Aggregation, evaluation: Evaluation): Steps<VectorValue> {
  const given = yield* evaluateScalar(aggregation.parameter ?? aggregation.inner, evaluation);
  const { series } = yield* evaluateVector(aggregation.inner, evaluation);
  const counts = wholeCounts(given);
  const sign = aggregation.op === 'topk' ? -1 : 1;
  const found: GridSeries[] = [];
  for (const group of yield* groupSeries(series, aggregation, evaluation.meter)) {
    found.push(...(yield* rankGroup(group, counts, { sign, evaluation })));
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
