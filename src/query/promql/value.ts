/** What expressions evaluate to. Every expression is evaluated over a whole grid of timestamps at once; an instant query's grid has one point. */
import type { Label } from '../../model/sample.ts';
import { unmarked } from './name-mark.ts';

/** Timestamps `startMs`, `startMs + stepMs`, …: `count` of them. That of an instant query has one, and the step 0. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
  /** The end that a range query was given, where its last point is before it; `end()` is this. */
  readonly givenEndMs?: number;
}

export const isInstant = ({ stepMs }: Grid): boolean => stepMs === 0;

/** The timestamp of the grid's last point. */
export const endOf = (grid: Grid): number => grid.startMs + (grid.count - 1) * grid.stepMs;

/** What `end()` stands for. */
export const givenEndOf = (grid: Grid): number => grid.givenEndMs ?? endOf(grid);

/** One series of an instant vector over the grid. NaN is a value like any other, so presence is kept apart. */
export interface GridSeries {
  readonly labels: readonly Label[];
  readonly values: Float64Array;
  /** 1 where the series has a value. */
  readonly isPresent: Uint8Array;
}

/** Samples of one series at their own timestamps, in order, without staleness markers. */
export interface RawSeries {
  readonly labels: readonly Label[];
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
}

export interface ScalarValue {
  readonly kind: 'scalar';
  readonly values: Float64Array;
}

export interface VectorValue {
  readonly kind: 'vector';
  readonly series: readonly GridSeries[];
  /** Whether the order of the series is part of the answer, as after `sort` and `topk`. */
  readonly isOrdered?: boolean;
}

export interface MatrixValue {
  readonly kind: 'matrix';
  readonly series: readonly RawSeries[];
}

export type Value = ScalarValue | { readonly kind: 'string'; readonly text: string } | VectorValue | MatrixValue;

/** The name of a label set's metric, '' where it has none. */
export function labelOf(labels: readonly Label[], name: string): string {
  for (const label of labels) if (label[0] === name) return label[1];
  return '';
}

/**
 * One text a label set, the same for equal ones. Names and values cannot hold what stands between them: text that came in as UTF-8 has no half
 * of a surrogate pair.
 */
export function labelKey(labels: readonly Label[]): string {
  let key = '';
  for (const [name, value] of labels) key += `${name}\ud800${value}\udc00 `;
  return key;
}

/** What says which metric a series is of, and no longer holds once its values were changed: Prometheus drops type and unit with the name. */
const metricLabels: ReadonlySet<string> = new Set(['__name__', '__type__', '__unit__']);

const isMetricLabel = (name: string): boolean => name.startsWith('__') && metricLabels.has(name);

function takeName(labels: readonly Label[]): readonly Label[] {
  let first = 0;
  while (first < labels.length && !isMetricLabel(labels[first]?.[0] ?? '')) first++;
  if (first === labels.length) return labels;
  // Nearly all series have the name alone, as their first label.
  let end = first + 1;
  while (end < labels.length && isMetricLabel(labels[end]?.[0] ?? '')) end++;
  // They are sorted, and nothing stands between these names but names that begin as they do.
  const rest = labels.slice(end);
  if (rest[0]?.[0].startsWith('__') === true) return labels.filter(([name]) => !isMetricLabel(name));
  return first === 0 ? rest : [...labels.slice(0, first), ...rest];
}

const nameless = new WeakMap<readonly Label[], readonly Label[]>();

/** The labels without the metric's name, which is what most functions give: the same array for the same labels, so that others can know it again. */
export function withoutName(labels: readonly Label[]): readonly Label[] {
  let found = nameless.get(labels);
  if (found === undefined) {
    found = takeName(labels);
    nameless.set(labels, found);
  }
  return found;
}

/** Labels are sorted: behind a name that begins with more than `_` none is the metric's. */
const mayBeMetricLabel = (label: Label | undefined): label is Label => label !== undefined && !(label[0] > '_~');

/** Whether `withoutName` takes the same away from both. */
export function haveSameName(a: readonly Label[], b: readonly Label[]): boolean {
  let i = 0;
  let j = 0;
  for (;;) {
    while (mayBeMetricLabel(a[i]) && !isMetricLabel(a[i]?.[0] ?? '')) i++;
    while (mayBeMetricLabel(b[j]) && !isMetricLabel(b[j]?.[0] ?? '')) j++;
    const labelA = a[i++];
    const labelB = b[j++];
    if (!mayBeMetricLabel(labelA) || !mayBeMetricLabel(labelB))
      return mayBeMetricLabel(labelA) === mayBeMetricLabel(labelB);
    if (labelA !== labelB && (labelA[0] !== labelB[0] || labelA[1] !== labelB[1])) return false;
  }
}

/** A label set as Prometheus's messages show it: `{__name__="up", job="a"}`. */
export const showLabels = (labels: readonly Label[]): string =>
  `{${unmarked(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(', ')}}`;
