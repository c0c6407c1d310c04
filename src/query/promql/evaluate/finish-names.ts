/** The end of delayed names: where a mark says so they are taken off, and what is alike then is one series. */
import { isMarked, unmarked } from '../name-mark.ts';
import { type GridSeries, type Value, withoutName } from '../value.ts';
import { checkUnique, type Meter, mergeEqual, type Steps } from './evaluation.ts';

const finished = <Series extends Pick<GridSeries, 'labels'>>(series: readonly Series[]): readonly Series[] =>
  series.map((one) => (isMarked(one.labels) ? { ...one, labels: withoutName(unmarked(one.labels)) } : one));

/** The value without marks; two series that have one label set now may not meet. */
export function* finishNames(value: Value, meter: Meter): Steps<Value> {
  if (value.kind === 'vector') return { ...value, series: yield* mergeEqual(finished(value.series), meter) };
  if (value.kind === 'matrix') return { ...value, series: yield* checkUnique(finished(value.series), meter) };
  return value;
}
