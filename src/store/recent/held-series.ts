/** The series in memory by their ids, and what they take of it. */
import type { Label } from '../../model/sample.ts';
import { SeriesIdTable, type SeriesKey } from '../intake/series-id-table.ts';
import { SeriesBuffer } from './series-buffer.ts';
import { type ColumnPool, createColumnPool } from './time-column.ts';

/**
 * In the table: a series that was let go; the place of a buffer, from `firstPlace` on; and from `unwanted` on, how many selections had been
 * begun when none of them took the series, so that only later ones need be asked.
 */
const gone = 1;
const firstPlace = 2;
const unwanted = 0x8000_0000;
/** So many series that are not here are remembered, and so much of the bound they may take. */
const maxAbsent = 200_000;
const largestShare = 0.1;
/** What a series takes in the table. */
const entryBytes = 32;

export interface HeldSeries {
  readonly count: number;
  readonly bytes: number;
  readonly columns: ColumnPool;
  /** Those that are here; undefined where one was let go. */
  readonly buffers: readonly (SeriesBuffer | undefined)[];
  get(id: SeriesKey): SeriesBuffer | undefined;
  /** Of how many selections, in the order in which they were begun, it is known that they do not take the series. */
  unwantedBy(id: SeriesKey): number;
  setUnwanted(id: SeriesKey, begun: number): void;
  /** Makes the buffer of a series, to which all samples after `fromMs` will come. */
  add(id: SeriesKey, labels: readonly Label[], fromMs: number): SeriesBuffer;
  /** Lets go of a series, which so many selections do not take. */
  remove(buffer: SeriesBuffer, unwantedBy?: number): void;
}

export function createHeldSeries(maxBytes: number): HeldSeries {
  const placeOf = new SeriesIdTable();
  const columns = createColumnPool();
  const atMost = Math.min(maxAbsent, (maxBytes * largestShare) / entryBytes);
  let buffers: (SeriesBuffer | undefined)[] = [];
  let count = 0;
  const rebuild = (): void => {
    placeOf.clear();
    buffers = buffers.filter((buffer) => buffer !== undefined);
    for (const [i, buffer] of buffers.entries()) if (buffer !== undefined) placeOf.set(buffer.id, i + firstPlace);
  };
  const forgetAbsent = (): void => {
    if (placeOf.size - count > atMost) rebuild();
  };
  return {
    get count() {
      return count;
    },
    get bytes() {
      return columns.memory.bytes + (placeOf.size - count) * entryBytes;
    },
    get buffers() {
      return buffers;
    },
    columns,
    get: (id) => buffers[placeOf.get(id) - firstPlace],
    unwantedBy: (id) => Math.max(placeOf.get(id) - unwanted, 0),
    setUnwanted(id, begun) {
      forgetAbsent();
      placeOf.set(id, unwanted + begun);
    },
    add(id, labels, fromMs) {
      const buffer = new SeriesBuffer(id, labels, { pool: columns, fromMs });
      placeOf.set(id, buffers.length + firstPlace);
      buffers.push(buffer);
      count++;
      return buffer;
    },
    remove(buffer, unwantedBy) {
      if (buffer.isGone) return;
      buffers[placeOf.get(buffer.id) - firstPlace] = undefined;
      placeOf.set(buffer.id, unwantedBy === undefined ? gone : unwanted + unwantedBy);
      count--;
      buffer.drop();
      if (count === 0) rebuild();
      else forgetAbsent();
    },
  };
}
