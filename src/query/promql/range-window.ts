/** What a range function sees of a series at one point of the grid. */

/** Samples [from, to) of a series are those with `afterMs` < timestamp <= `untilMs`; staleness markers are not among them. */
export interface RangeWindow {
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly from: number;
  readonly to: number;
  readonly afterMs: number;
  readonly untilMs: number;
}
