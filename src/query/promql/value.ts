/** What expressions evaluate to. Every expression is evaluated over a whole grid of timestamps at once; an instant query's grid has one point. */
import type { Label } from '../../model/sample.ts';

/** Timestamps `startMs`, `startMs + stepMs`, …: `count` of them. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** One series of an instant vector over the grid. NaN is a value like any other, so presence is kept apart. */
export interface GridSeries {
  readonly labels: readonly Label[];
  readonly values: Float64Array;
  /** 1 where the series has a value. */
  readonly isPresent: Uint8Array;
}

/** A range vector, which only a selector at the top of an instant query gives: samples at their own timestamps. */
export interface RawSeries {
  readonly labels: readonly Label[];
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
}

export type Value =
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'vector'; readonly series: readonly GridSeries[] }
  | { readonly kind: 'matrix'; readonly series: readonly RawSeries[] };

/** One text a label set, the same for equal ones: names and values cannot be confused whatever they hold. */
export const labelKey = (labels: readonly Label[]): string => JSON.stringify(labels);

/** The labels without the metric's name, which is what most functions give. */
export const withoutName = (labels: readonly Label[]): readonly Label[] =>
  labels.filter(([name]) => name !== '__name__');
