/** Samples of one series from two places as one, a stamp that is in both once. */
import type { Sample } from '../../model/sample.ts';
import { type SeriesPoints, takesPlaceOf } from '../readers/samples.ts';
import { roomFor } from './time-column.ts';

/** Samples without the labels that they belong to. */
export type Points = Omit<SeriesPoints, 'labels'>;

const rivalAt = ({ values, staleAt }: Points, at: number) => ({
  value: values[at] ?? Number.NaN,
  isMarker: staleAt?.[at] === 1,
});

/** Whether the sample at a place counts where another of the same stamp comes. */
export const keepsPlace = (points: Points, at: number, { value, isStale }: Sample): boolean =>
  !takesPlaceOf({ value, isMarker: isStale }, rivalAt(points, at));

/** Samples in any order as arrays in order of time. */
export function pointsOf(samples: readonly Sample[]): Points {
  const ordered = [...samples].sort((a, b) => a.timestampMs - b.timestampMs);
  const timestampsMs = new Float64Array(ordered.length);
  const values = new Float64Array(ordered.length);
  const staleAt = new Uint8Array(ordered.length);
  let count = 0;
  for (const sample of ordered) {
    const isSame = count > 0 && timestampsMs[count - 1] === sample.timestampMs;
    if (isSame && keepsPlace({ timestampsMs, values, staleAt }, count - 1, sample)) continue;
    const at = isSame ? count - 1 : count++;
    timestampsMs[at] = sample.timestampMs;
    values[at] = sample.isStale ? Number.NaN : sample.value;
    staleAt[at] = sample.isStale ? 1 : 0;
  }
  return cut({ timestampsMs, values, staleAt }, count);
}

function cut({ timestampsMs, values, staleAt }: Points, count: number): Points {
  return {
    timestampsMs: timestampsMs.subarray(0, count),
    values: values.subarray(0, count),
    staleAt: staleAt?.includes(1) === true ? staleAt.subarray(0, count) : undefined,
  };
}

/** Stamps of what is merged at the moment: they are looked for among those of other series, and copied only where none has them. */
let scratch = new Float64Array(0);

function scratchOf(room: number): Float64Array {
  if (scratch.length < room) scratch = new Float64Array(2 * room);
  return scratch;
}

/** Arrays that are filled from others, a run or a sample at a time. */
class Merged {
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly staleAt: Uint8Array | undefined;
  count = 0;

  constructor(a: Points, b: Points) {
    const most = a.values.length + b.values.length;
    this.timestampsMs = scratchOf(most);
    this.values = new Float64Array(roomFor(most));
    this.staleAt = a.staleAt === undefined && b.staleAt === undefined ? undefined : new Uint8Array(this.values.length);
  }

  run(points: Points, from: number, to: number): void {
    if (from >= to) return;
    this.timestampsMs.set(points.timestampsMs.subarray(from, to), this.count);
    this.values.set(points.values.subarray(from, to), this.count);
    if (points.staleAt !== undefined) this.staleAt?.set(points.staleAt.subarray(from, to), this.count);
    this.count += to - from;
  }

  one(points: Points, at: number): void {
    this.timestampsMs[this.count] = points.timestampsMs[at] ?? 0;
    this.values[this.count] = points.values[at] ?? 0;
    if (this.staleAt !== undefined) this.staleAt[this.count] = points.staleAt?.[at] ?? 0;
    this.count++;
  }
}

/** Samples in arrays of their own that have room for more. The stamps are valid until the next ones are made. */
export interface RoomyPoints {
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly staleAt: Uint8Array | undefined;
  readonly count: number;
}

/** The same samples in arrays with room. */
export function roomy({ timestampsMs, values, staleAt }: Points): RoomyPoints {
  const larger = new Float64Array(roomFor(values.length));
  larger.set(values);
  const markers = staleAt === undefined ? undefined : new Uint8Array(larger.length);
  if (staleAt !== undefined) markers?.set(staleAt);
  return { timestampsMs, values: larger, staleAt: markers, count: values.length };
}

/** The first place whose stamp is not before `timeMs`. */
function placeAt(times: Float64Array, timeMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is in either, in order of time. What lies before and behind the other's samples is copied as a whole. */
export function mergePoints(a: Points, b: Points): RoomyPoints {
  const merged = new Merged(a, b);
  let i = placeAt(a.timestampsMs, b.timestampsMs[0] ?? Number.POSITIVE_INFINITY);
  let j = placeAt(b.timestampsMs, a.timestampsMs[0] ?? Number.POSITIVE_INFINITY);
  merged.run(a, 0, i);
  merged.run(b, 0, j);
  while (i < a.values.length && j < b.values.length) {
    const timeA = a.timestampsMs[i] ?? 0;
    const timeB = b.timestampsMs[j] ?? 0;
    const isOfA = timeA < timeB || (timeA === timeB && !takesPlaceOf(rivalAt(b, j), rivalAt(a, i)));
    if (isOfA) merged.one(a, i);
    else merged.one(b, j);
    if (timeA <= timeB) i++;
    if (timeB <= timeA) j++;
  }
  merged.run(a, i, a.values.length);
  merged.run(b, j, b.values.length);
  const { values, staleAt, count } = merged;
  return { timestampsMs: merged.timestampsMs.subarray(0, count), values, staleAt, count };
}
