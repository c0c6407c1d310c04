/** The series in memory by their ids, and what they take of it. */
import type { Label } from '../../model/sample.ts';
import { SeriesIdTable, type SeriesKey } from '../intake/series-id-table.ts';
import { SeriesBuffer } from './series-buffer.ts';
import { type ColumnPool, createColumnPool } from './time-column.ts';

/** In the table: where a series is among those that are or were here, from `firstPlace` on; and from `unwanted` on, how many selections do not take it. */
const firstPlace = 1;
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
  all(): readonly SeriesBuffer[];
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
  /** In place of one that was let go, how many selections do not take it. */
  let buffers: (SeriesBuffer | number)[] = [];
  let count = 0;
  const all = () => buffers.filter((buffer) => typeof buffer !== 'number');
  const put = (buffer: SeriesBuffer): void => {
    buffer.place = buffers.length;
    placeOf.set(buffer.id, buffers.length + firstPlace);
    buffers.push(buffer);
  };
  const rebuild = (): void => {
    const kept = all();
    buffers = [];
    placeOf.clear();
    for (const buffer of kept) put(buffer);
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
    columns,
    all,
    get(id) {
      const found = buffers[placeOf.get(id) - firstPlace];
      return typeof found === 'number' ? undefined : found;
    },
    unwantedBy(id) {
      const number = placeOf.get(id);
      if (number >= unwanted) return number - unwanted;
      const found = buffers[number - firstPlace];
      return typeof found === 'number' ? found : 0;
    },
    setUnwanted(id, begun) {
      forgetAbsent();
      placeOf.set(id, unwanted + begun);
    },
    add(id, labels, fromMs) {
      const buffer = new SeriesBuffer(id, labels, { pool: columns, fromMs });
      put(buffer);
      count++;
      return buffer;
    },
    remove(buffer, unwantedBy = 0) {
      if (buffers[buffer.place] !== buffer) return;
      buffers[buffer.place] = unwantedBy;
      count--;
      buffer.drop();
      if (count === 0) rebuild();
      else forgetAbsent();
    },
  };
}
