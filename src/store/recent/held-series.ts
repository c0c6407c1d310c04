/** The series in memory by their ids, and what they take of it. */
import { SeriesIdTable, type SeriesKey } from '../intake/series-id-table.ts';
import type { SeriesBuffer } from './series-buffer.ts';
import { type ColumnPool, createColumnPool, type TimeColumn } from './time-column.ts';

/** In the table: a series that nobody wants. Others have the places of their buffers, from `firstPlace` on. */
const unwanted = 1;
const firstPlace = 2;
/** So many unwanted series are remembered. */
const maxUnwanted = 200_000;

export interface HeldSeries {
  readonly count: number;
  readonly bytes: number;
  readonly columns: ColumnPool;
  get(id: SeriesKey): SeriesBuffer | undefined;
  /** Whether it is known that nobody wants the series. */
  isUnwanted(id: SeriesKey): boolean;
  setUnwanted(id: SeriesKey): void;
  add(id: SeriesKey, buffer: SeriesBuffer): void;
  /** Keeps only the series that the test takes, and no longer knows which ones are unwanted. */
  retain(isKept: (buffer: SeriesBuffer) => boolean): void;
}

/** Forgets the stamps that no series needs any more, and counts those that are left. */
function forgetTimes(buffers: readonly SeriesBuffer[], { memory }: ColumnPool): void {
  const neededFrom = new Map<TimeColumn, number>();
  for (const { column, start } of buffers) {
    if (column !== undefined) neededFrom.set(column, Math.min(neededFrom.get(column) ?? start, start));
  }
  for (const [column, start] of neededFrom) column.forgetBefore(start);
  for (const column of neededFrom.keys()) memory.bytes += column.sizeBytes;
}

export function createHeldSeries(): HeldSeries {
  const placeOf = new SeriesIdTable();
  let buffers: SeriesBuffer[] = [];
  let ids: SeriesKey[] = [];
  let unwantedCount = 0;
  const columns = createColumnPool();
  const retain = (isKept: (buffer: SeriesBuffer) => boolean): void => {
    const [allBuffers, allIds] = [buffers, ids];
    buffers = [];
    ids = [];
    unwantedCount = 0;
    placeOf.clear();
    columns.restart();
    for (const [i, buffer] of allBuffers.entries()) {
      const id = allIds[i];
      if (id !== undefined && isKept(buffer)) add(id, buffer);
    }
    forgetTimes(buffers, columns);
  };
  const add = ({ low, high }: SeriesKey, buffer: SeriesBuffer): void => {
    placeOf.set({ low, high }, buffers.length + firstPlace);
    buffers.push(buffer);
    ids.push({ low, high });
    columns.memory.bytes += buffer.sizeBytes;
  };
  return {
    get count() {
      return buffers.length;
    },
    get bytes() {
      return columns.memory.bytes;
    },
    columns,
    get: (id) => buffers[placeOf.get(id) - firstPlace],
    isUnwanted: (id) => placeOf.get(id) === unwanted,
    setUnwanted(id) {
      if (unwantedCount >= maxUnwanted) retain(() => true);
      placeOf.set(id, unwanted);
      unwantedCount++;
    },
    add,
    retain,
  };
}
