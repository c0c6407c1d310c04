/** Vector matching: which elements of two vectors an operator puts together (promql/engine.go `VectorBinop`). */
import { compareBytes, type Label } from '../../../model/sample.ts';
import type { Binary, Matching } from '../ast.ts';
import { createClasses, derivedOnce } from '../derived-labels.ts';
import { isMark, unmarked } from '../name-mark.ts';
import { type GridSeries, labelKey, labelOf, showLabels, type VectorValue, withoutName } from '../value.ts';
import {
  type Evaluation,
  executionError,
  hasAny,
  type Meter,
  mergeEqual,
  newSeries,
  type Steps,
  sameLabelset,
} from './evaluation.ts';
import { type Operation, operationOf } from './operators.ts';

/** The labels by which two elements belong together. */
export function matchingLabels(labels: readonly Label[], { isOn, labels: named }: Matching): readonly Label[] {
  if (isOn) return labels.filter(([name]) => named.includes(name));
  return labels.filter(([name]) => name !== '__name__' && !isMark(name) && !named.includes(name));
}

/** Tells which elements of both sides belong together: those for which it gives the same array. */
export const createMatcher = (matching: Matching): ((labels: readonly Label[]) => readonly Label[]) =>
  createClasses({
    key: JSON.stringify(['match', matching.isOn, ...matching.labels]),
    derive: (labels) => matchingLabels(labels, matching),
  });

/** Elements of one vector by what they are matched by. */
export function* groupByMatching(
  series: readonly GridSeries[],
  matcher: (labels: readonly Label[]) => readonly Label[],
  meter: Meter,
): Steps<Map<readonly Label[], GridSeries[]>> {
  const groups = new Map<readonly Label[], GridSeries[]>();
  for (const one of series) {
    const key = matcher(one.labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
    if (meter.spend(500)) yield;
  }
  return groups;
}

/** 1 at each point where any of the series has a value. */
export function presenceOf(series: readonly GridSeries[], count: number): Uint8Array {
  const presence = new Uint8Array(count);
  for (const { isPresent } of series)
    for (let i = 0; i < count; i++) presence[i] = (presence[i] ?? 0) | (isPresent[i] ?? 0);
  return presence;
}

/** Arithmetic between vectors takes the name off at once, however others do it. What a comparison keeps has its name again, as in Prometheus. */
const withoutMarkedName = (labels: readonly Label[]): readonly Label[] => withoutName(unmarked(labels));

/** The labels of what came of an element of the many side and one of the one side. */
function resultLabels(
  many: readonly Label[],
  one: readonly Label[],
  { matching, nameless }: { readonly matching: Matching; readonly nameless: Evaluation['nameless'] },
): readonly Label[] {
  let labels = nameless(many);
  if (matching.cardinality === 'one-to-one') {
    if (matching.isOn) return labels.filter(([name]) => matching.labels.includes(name));
    return matching.labels.length === 0 ? labels : labels.filter(([name]) => !matching.labels.includes(name));
  }
  for (const name of matching.include) {
    const value = labelOf(one, name);
    labels = labels.filter((label) => label[0] !== name);
    if (value !== '') labels = [...labels, [name, value] as const].sort((a, b) => compareBytes(a[0], b[0]));
  }
  return labels;
}

interface Sides {
  readonly left: VectorValue;
  readonly right: VectorValue;
  readonly dropsName: boolean;
}

/** What is wrong at a point. Of several the first point's is told, as by Prometheus, which goes from point to point. */
interface Fault {
  readonly index: number;
  readonly message: string;
}

const earlier = (known: Fault | undefined, other: Fault | undefined): Fault | undefined =>
  known === undefined || (other !== undefined && other.index < known.index) ? other : known;

/** Two elements of the one side may not belong to one group at any point where the other side has anything. */
function checkOneSide(
  group: readonly GridSeries[],
  others: Uint8Array,
  { matching, side }: { readonly matching: Matching; readonly side: 'left' | 'right' },
): Fault | undefined {
  const holder: (GridSeries | undefined)[] = [];
  let fault: Fault | undefined;
  for (const series of group) {
    const end = fault?.index ?? others.length;
    for (let index = 0; index < end; index++) {
      if (series.isPresent[index] !== 1 || others[index] !== 1) continue;
      const other = holder[index];
      holder[index] = series;
      if (other === undefined) continue;
      const shown = [showLabels(other.labels), showLabels(series.labels)].sort(compareBytes);
      const message =
        `found duplicate series for the match group ${showLabels(matchingLabels(series.labels, matching))} on the ${side} hand-side of the operation: ` +
        `[${shown.join(', ')}];many-to-many matching not allowed: matching labels must be unique on one side`;
      fault = { index, message };
      break;
    }
  }
  return fault;
}

/** Puts two elements together wherever both have a value. */
function combine(into: GridSeries, pair: Pair, { compute, keeps }: Operation): void {
  const { left, right } = pair;
  for (let i = 0; i < into.values.length; i++) {
    if (left.isPresent[i] !== 1 || right.isPresent[i] !== 1) continue;
    const a = left.values[i] ?? Number.NaN;
    const b = right.values[i] ?? Number.NaN;
    if (keeps !== undefined && !keeps(a, b)) continue;
    into.values[i] = compute(a, b);
    into.isPresent[i] = 1;
  }
}

interface Pair {
  readonly left: GridSeries;
  readonly right: GridSeries;
}

/** Elements of both sides that were put together, and where. */
interface Met {
  readonly result: GridSeries;
  /** 1 where both have a value, be it that a comparison then dropped it. */
  readonly isPresent: Uint8Array;
}

/** Where two of these are at one point. */
function overlap(all: readonly Met[], message: string): Fault | undefined {
  const [first] = all;
  if (first === undefined || all.length === 1) return undefined;
  const taken = new Uint8Array(first.isPresent.length);
  let end = taken.length;
  for (const { isPresent } of all) {
    for (let i = 0; i < end; i++) {
      if (isPresent[i] !== 1) continue;
      if (taken[i] === 1) end = i;
      taken[i] = 1;
    }
  }
  return end < taken.length ? { index: end, message } : undefined;
}

const ambiguous = 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)';
const alike = 'multiple matches for labels: grouping labels must ensure unique matches';

/** An element meets one only, or, where several may meet it, the results are told apart by their labels, dropped ones as well. */
function checkMet(all: readonly Met[], { cardinality }: Matching): Fault | undefined {
  if (all.length < 2) return undefined;
  if (cardinality === 'one-to-one') return overlap(all, ambiguous);
  const byLabels = new Map<string, Met[]>();
  for (const met of all) {
    const key = labelKey(met.result.labels);
    const known = byLabels.get(key);
    if (known === undefined) byLabels.set(key, [met]);
    else known.push(met);
  }
  let fault: Fault | undefined;
  for (const same of byLabels.values()) fault = earlier(fault, overlap(same, alike));
  return fault;
}

/** Where both elements have a value. */
const meeting = ({ left, right }: Pair): Uint8Array =>
  left.isPresent.map((present, i) => (present === 1 && right.isPresent[i] === 1 ? 1 : 0));

/** A series of one value at the points where the side that is there has something and the other has nothing. */
function standIn(
  labels: readonly Label[],
  value: number,
  { there, missing }: { readonly there: Uint8Array; readonly missing: Uint8Array },
): GridSeries {
  const isPresent = there.map((present, i) => (present === 1 && missing[i] === 0 ? 1 : 0));
  return { labels, values: new Float64Array(there.length).fill(value), isPresent };
}

interface Group {
  readonly many: readonly GridSeries[];
  readonly ones: readonly GridSeries[];
}

/** What is put together in one group: elements of both sides, and those of one side with what is filled in for the other. */
function* pairsOf(
  { many, ones }: Group,
  { matching, count, fill }: PairOptions,
): Generator<MatchedPair, void, undefined> {
  for (const member of many) for (const partner of ones) yield { many: member, one: partner };
  if (fill.one !== undefined) {
    const missing = presenceOf(ones, count);
    for (const member of many) {
      const labels = matchingLabels(member.labels, matching);
      yield { many: member, one: standIn(labels, fill.one, { there: member.isPresent, missing }) };
    }
  }
  if (fill.many !== undefined) {
    const missing = presenceOf(many, count);
    for (const partner of ones) {
      const labels = matchingLabels(partner.labels, matching);
      yield { many: standIn(labels, fill.many, { there: partner.isPresent, missing }), one: partner };
    }
  }
}

interface PairOptions {
  readonly matching: Matching;
  readonly count: number;
  readonly fill: { readonly many: number | undefined; readonly one: number | undefined };
}

interface MatchedPair {
  readonly many: GridSeries;
  readonly one: GridSeries;
}

/** The groups of both sides; those that one side has alone are of use only where something is filled in. */
function groupsOf(
  many: ReadonlyMap<readonly Label[], readonly GridSeries[]>,
  ones: ReadonlyMap<readonly Label[], readonly GridSeries[]>,
  { fill }: PairOptions,
): ReadonlyMap<readonly Label[], Group> {
  const groups = new Map<readonly Label[], Group>();
  for (const [key, members] of many) groups.set(key, { many: members, ones: ones.get(key) ?? [] });
  if (fill.many === undefined) return groups;
  for (const [key, partners] of ones) if (!groups.has(key)) groups.set(key, { many: [], ones: partners });
  return groups;
}

interface OneSide {
  readonly many: VectorValue;
  readonly isFilled: boolean;
  readonly matching: Matching;
  readonly side: 'left' | 'right';
}

/** Finds the first point at which a group has two elements of the one side. */
function* checkOnes(
  ones: ReadonlyMap<readonly Label[], readonly GridSeries[]>,
  { many, isFilled, matching, side }: OneSide,
  { grid, meter }: Evaluation,
): Steps<Fault | undefined> {
  let fault: Fault | undefined;
  let others: Uint8Array | undefined;
  for (const group of ones.values()) {
    if (group.length < 2) continue;
    // What is filled in meets the one side even where the other has nothing.
    others ??= isFilled ? new Uint8Array(grid.count).fill(1) : presenceOf(many.series, grid.count);
    fault = earlier(fault, checkOneSide(group, others, { matching, side }));
    if (meter.spend(500 + 2 * group.length * grid.count)) yield;
  }
  return fault;
}

/** Puts elements of two vectors together and computes what comes of each pair. */
export function* matchVectors(binary: Binary, sides: Sides, evaluation: Evaluation): Steps<VectorValue> {
  const { matching, op, returnsBool } = binary;
  const { left, right, dropsName } = sides;
  const { grid, meter } = evaluation;
  const isFilled = matching.fill.left !== undefined || matching.fill.right !== undefined;
  if (!isFilled && (left.series.length === 0 || right.series.length === 0)) return { kind: 'vector', series: [] };
  // `group_right` has its many side on the right; the operator's sides stay as they are written.
  const isSwapped = matching.cardinality === 'one-to-many';
  const many = isSwapped ? right : left;
  const one = isSwapped ? left : right;
  // As in Prometheus, `fill_left` is for the many side even where `group_right` has put that on the right.
  const { left: fillMany, right: fillOne } = matching.fill;
  const options: PairOptions = { matching, count: grid.count, fill: { many: fillMany, one: fillOne } };
  const matcher = createMatcher(matching);
  const ones = yield* groupByMatching(one.series, matcher, meter);
  const side = isSwapped ? 'left' : 'right';
  let fault = yield* checkOnes(ones, { many, isFilled, matching, side }, evaluation);
  const operation = operationOf(op, returnsBool);
  const nameless = dropsName ? (returnsBool ? evaluation.nameless : withoutMarkedName) : unmarked;
  // What comes of one element each has labels that follow from those of one side.
  const derived = derivedOnce({
    key: JSON.stringify([
      'result',
      dropsName,
      returnsBool,
      evaluation.nameless === withoutName,
      matching.isOn,
      ...matching.labels,
    ]),
    derive: (labels) => resultLabels(labels, [], { matching, nameless }),
  });
  const found: GridSeries[] = [];
  const groupOf = new Map<GridSeries, readonly Label[]>();
  for (const [key, group] of groupsOf(yield* groupByMatching(many.series, matcher, meter), ones, options)) {
    const met: Met[] = [];
    for (const { many: member, one: partner } of pairsOf(group, options)) {
      const labels =
        matching.cardinality === 'one-to-one'
          ? derived(member.labels)
          : resultLabels(member.labels, partner.labels, { matching, nameless });
      const result = newSeries(labels, evaluation);
      const pair = isSwapped ? { left: partner, right: member } : { left: member, right: partner };
      combine(result, pair, operation);
      met.push({ result, isPresent: operation.keeps === undefined ? result.isPresent : meeting(pair) });
      if (meter.spend(1000 + 8 * grid.count)) yield;
    }
    fault = earlier(fault, checkMet(met, matching));
    for (const { result } of met) {
      if (!hasAny(result)) continue;
      groupOf.set(result, key);
      found.push(result);
    }
  }
  if (fault !== undefined) throw executionError(fault.message);
  const messageFor = (a: GridSeries, b: GridSeries): string =>
    matching.cardinality !== 'one-to-one' && groupOf.get(a) === groupOf.get(b) ? alike : sameLabelset;
  return { kind: 'vector', series: yield* mergeEqual(found, meter, messageFor), isOrdered: many.isOrdered ?? false };
}
