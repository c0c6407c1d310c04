/**
 * What is known of the label sets of a vector, as a list. Dashboards ask for the same series again and again, and sources give the same arrays for
 * them: comparing 10,000 places with a list that is known takes 20 µs, where looking into the labels, all over the memory, takes 10 ms.
 */
import { compareLabels, type Label } from '../../model/sample.ts';
import { createClasses, type Derivation } from './derived-labels.ts';
import type { Meter, Steps } from './evaluate/evaluation.ts';
import { sortInSteps } from './evaluate/sort-steps.ts';
import { haveSameName, labelKey, withoutName } from './value.ts';

type Labels = readonly Label[];

/** Which group each of a list belongs to. */
export interface ListGroups {
  /** In the order in which their first members come. */
  readonly labels: readonly Labels[];
  /** The number of the group of each of the list. */
  readonly groupOf: Uint32Array;
}

/** A list of label sets; what follows from it is found out when it is first asked for. */
export interface LabelList {
  readonly labels: readonly Labels[];
  /** Whether it is in the order of labels and none comes twice. */
  readonly ascends: (meter: Meter) => Steps<boolean>;
  /** Whether none comes twice. */
  readonly isUnique: (meter: Meter) => Steps<boolean>;
  /** The places of all in the order of their labels, equal ones as they were. */
  readonly order: (meter: Meter) => Steps<readonly number[]>;
  /** Whether all have one metric's name, so that they stay apart without it. */
  readonly hasOneName: (meter: Meter) => Steps<boolean>;
  /** Each without its metric's name. */
  readonly nameless: (meter: Meter) => Steps<readonly Labels[]>;
  readonly groupsBy: (derivation: Derivation, meter: Meter) => Steps<ListGroups>;
}

/** What a look into labels that no cache of the processor holds takes, in the meter's units. */
const lookUnits = 300;

function* ascends(labels: readonly Labels[], meter: Meter): Steps<boolean> {
  for (let i = 1; i < labels.length; i++) {
    if (compareLabels(labels[i - 1] ?? [], labels[i] ?? []) >= 0) return false;
    if (meter.spend(lookUnits)) yield;
  }
  return true;
}

function* areUnique(labels: readonly Labels[], meter: Meter): Steps<boolean> {
  const seen = new Set<string>();
  for (const own of labels) {
    seen.add(labelKey(own));
    if (meter.spend(2000)) yield;
  }
  return seen.size === labels.length;
}

function* haveOneName(labels: readonly Labels[], meter: Meter): Steps<boolean> {
  const first = labels[0] ?? [];
  for (const own of labels) {
    if (!haveSameName(own, first)) return false;
    if (meter.spend(lookUnits)) yield;
  }
  return true;
}

function* withoutNames(labels: readonly Labels[], meter: Meter): Steps<readonly Labels[]> {
  const found: Labels[] = [];
  for (const own of labels) {
    found.push(withoutName(own));
    if (meter.spend(lookUnits)) yield;
  }
  return found;
}

function* groupsOf(labels: readonly Labels[], derivation: Derivation, meter: Meter): Steps<ListGroups> {
  const classOf = createClasses(derivation);
  const numbers = new Map<Labels, number>();
  const groupOf = new Uint32Array(labels.length);
  for (const [i, own] of labels.entries()) {
    const standing = classOf(own);
    const number = numbers.get(standing) ?? numbers.size;
    if (number === numbers.size) numbers.set(standing, number);
    groupOf[i] = number;
    if (meter.spend(2 * lookUnits)) yield;
  }
  return { labels: [...numbers.keys()], groupOf };
}

const maxGroupings = 8;

function createList(labels: readonly Labels[]): LabelList {
  let isAscending: boolean | undefined;
  let isUnique: boolean | undefined;
  let order: readonly number[] | undefined;
  let isOneName: boolean | undefined;
  let nameless: readonly Labels[] | undefined;
  const groupings = new Map<string, ListGroups>();
  return {
    labels,
    *ascends(meter) {
      isAscending ??= yield* ascends(labels, meter);
      return isAscending;
    },
    *isUnique(meter) {
      isUnique ??= (yield* this.ascends(meter)) || (yield* areUnique(labels, meter));
      return isUnique;
    },
    *order(meter) {
      if (order !== undefined) return order;
      const places = labels.map((_, i) => i);
      order = yield* sortInSteps(places, (a, b) => compareLabels(labels[a] ?? [], labels[b] ?? []), meter);
      return order;
    },
    *hasOneName(meter) {
      isOneName ??= yield* haveOneName(labels, meter);
      return isOneName;
    },
    *nameless(meter) {
      nameless ??= yield* withoutNames(labels, meter);
      return nameless;
    },
    *groupsBy(derivation, meter) {
      const known = groupings.get(derivation.key);
      if (known !== undefined) return known;
      const groups = yield* groupsOf(labels, derivation, meter);
      if (groupings.size >= maxGroupings) groupings.clear();
      groupings.set(derivation.key, groups);
      return groups;
    },
  };
}

/** Shorter lists are not worth keeping. */
const leastKept = 16;
/** How many label sets all kept lists may have together: about 10 MB, and whatever labels no source has any more. */
const maxKept = 200_000;
/** Selections overlap: several lists may begin with one series. */
const maxOfOneFirst = 8;

/** Lists by their first label set, those used last at the end; of one first, those used last at the beginning. */
const kept = new Map<Labels, LabelList[]>();
let keptCount = 0;

function keep(first: Labels, list: LabelList): void {
  const others = kept.get(first) ?? [];
  kept.delete(first);
  kept.set(first, others);
  others.unshift(list);
  keptCount += list.labels.length;
  if (others.length > maxOfOneFirst) keptCount -= others.pop()?.labels.length ?? 0;
  for (const [oldest, lists] of kept) {
    if (keptCount <= maxKept) break;
    kept.delete(oldest);
    for (const { labels } of lists) keptCount -= labels.length;
  }
}

/** The list of the series where it is known, which is then the one used last. */
function findKept(first: Labels, series: readonly { readonly labels: Labels }[]): LabelList | undefined {
  const lists = kept.get(first);
  const at = lists?.findIndex((list) => isOf(list, series)) ?? -1;
  const found = lists?.[at];
  if (lists === undefined || found === undefined) return undefined;
  if (at > 0) lists.unshift(...lists.splice(at, 1));
  kept.delete(first);
  kept.set(first, lists);
  return found;
}

function isOf({ labels }: LabelList, series: readonly { readonly labels: Labels }[]): boolean {
  if (labels.length !== series.length) return false;
  for (let i = 0; i < labels.length; i++) if (labels[i] !== series[i]?.labels) return false;
  return true;
}

/** The list of the series' labels. */
export function listOf(series: readonly { readonly labels: Labels }[]): LabelList {
  const first = series[0]?.labels;
  if (first === undefined || series.length < leastKept) return createList(series.map(({ labels }) => labels));
  const known = findKept(first, series);
  if (known !== undefined) return known;
  const list = createList(series.map(({ labels }) => labels));
  keep(first, list);
  return list;
}
