/** Which series the store has been given already, so that they are not written with every sample. */
import type { SeriesSamples } from '../../model/sample.ts';
import { dayOf, lastDate, type SeriesRow } from '../writers/samples.ts';
import { identityOf, type SeriesIdentity } from '../writers/series-id.ts';
import { SeriesIdTable } from './series-id-table.ts';

/** 12 to 32 bytes each; when full the memory begins anew, and series are written once more. */
const maxKnown = 1_000_000;

export interface KnownSeries {
  /**
   * The series of these samples that have to be written: new ones, and those seen on a new day, since a series is kept as long as its
   * newest day and found from its first one on. A row has all of its series' days that are known: readers need not see several rows as one.
   */
  missing(items: readonly SeriesSamples[]): readonly SeriesRow[];
  /** To be called once the rows are kept. */
  add(rows: readonly SeriesRow[]): void;
  clear(): void;
}

interface Days {
  readonly firstDay: number;
  readonly lastDay: number;
}

/** Both days as one number, which is never 0: the distance of the first from the last Date in the upper half, the last in the lower. */
const packDays = ({ firstDay, lastDay }: Days): number => (((lastDate - firstDay) << 16) | lastDay) >>> 0;

const unpackDays = (packed: number): Days | undefined =>
  packed === 0 ? undefined : { firstDay: lastDate - (packed >>> 16), lastDay: packed & 0xffff };

/** The days of samples, most of which are of the same one. */
function createDayFinder(): (timestampMs: number) => number {
  let fromMs = 0;
  let toMs = 0;
  let day = -1;
  return (timestampMs) => {
    if (timestampMs >= fromMs && timestampMs < toMs) return day;
    day = dayOf(timestampMs);
    fromMs = day * 86_400_000;
    toMs = fromMs + 86_400_000;
    return day;
  };
}

export function createKnownSeries(): KnownSeries {
  const daysOf = new SeriesIdTable();
  /** The rows that are about to be written, by their places counted from 1. */
  const rowOf = new SeriesIdTable();
  /** Series objects carry what is in the table, so that it is asked once for each; another memory than this one says nothing. */
  let memory = {};

  const remember = (identity: SeriesIdentity, { firstDay, lastDay }: Days) => {
    identity.writtenBy = memory;
    identity.firstDay = firstDay;
    identity.lastDay = lastDay;
  };
  const clear = () => {
    daysOf.clear();
    memory = {};
  };

  return {
    missing(items) {
      const rows: (SeriesRow & Days)[] = [];
      const dayAt = createDayFinder();
      rowOf.clear();
      for (const { series, samples } of items) {
        const oldest = samples[0];
        const newest = samples.at(-1);
        if (oldest === undefined || newest === undefined) continue;
        const firstDay = dayAt(oldest.timestampMs);
        const lastDay = dayAt(newest.timestampMs);
        const identity = identityOf(series);
        if (identity.writtenBy === memory && identity.firstDay <= firstDay && identity.lastDay >= lastDay) continue;
        const place = rowOf.get(identity);
        const before = rows[place - 1] ?? unpackDays(daysOf.get(identity));
        if (before !== undefined && before.firstDay <= firstDay && before.lastDay >= lastDay) {
          if (place === 0) remember(identity, before);
          continue;
        }
        const row = {
          series,
          firstDay: Math.min(before?.firstDay ?? firstDay, firstDay),
          lastDay: Math.max(before?.lastDay ?? lastDay, lastDay),
        };
        if (place === 0) rowOf.set(identity, rows.push(row));
        else rows[place - 1] = row;
      }
      return rows;
    },
    add(rows) {
      if (daysOf.size + rows.length > maxKnown) clear();
      for (const { series, firstDay, lastDay } of rows) {
        const identity = identityOf(series);
        const days = { firstDay: firstDay ?? lastDay, lastDay };
        daysOf.set(identity, packDays(days));
        remember(identity, days);
      }
    },
    clear,
  };
}
