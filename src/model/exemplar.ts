import type { Label, Series } from './sample.ts';

/** One observation behind a sample, mostly with a `trace_id` among its labels. */
export interface Exemplar {
  /** The series of the sample that it came with. */
  readonly series: Series;
  /** Its own labels, sorted by name; 128 characters at most, names and values together. */
  readonly labels: readonly Label[];
  readonly value: number;
  /** Milliseconds since 1970; the sample's time where the sender gave none. */
  readonly timestampMs: number;
}
