/** Which series the store has been given already, so that they are not written with every sample. */
import type { SeriesSamples } from '../../model/sample.ts';
import { dayOf, type SeriesRow } from '../writers/samples.ts';
import { seriesId } from '../writers/series-id.ts';

/** About 100 bytes each; when full the memory begins anew, and series are written once more. */
const maxKnown = 1_000_000;

export interface KnownSeries {
  /** The series of these samples that have to be written: new ones, and those seen on a new day, since a series is kept as long as its newest day. */
  missing(items: readonly SeriesSamples[]): readonly SeriesRow[];
  /** To be called once the rows are kept. */
  add(rows: readonly SeriesRow[]): void;
  clear(): void;
}

export function createKnownSeries(): KnownSeries {
  let lastDays = new Map<bigint, number>();
  return {
    missing(items) {
      const rows = new Map<bigint, SeriesRow>();
      for (const { series, samples } of items) {
        const newest = samples.at(-1);
        if (newest === undefined) continue;
        const id = seriesId(series);
        const lastDay = dayOf(newest.timestampMs);
        if ((rows.get(id)?.lastDay ?? lastDays.get(id) ?? -1) >= lastDay) continue;
        rows.set(id, { series, lastDay });
      }
      return [...rows.values()];
    },
    add(rows) {
      if (lastDays.size + rows.length > maxKnown) lastDays = new Map();
      for (const { series, lastDay } of rows) lastDays.set(seriesId(series), lastDay);
    },
    clear() {
      lastDays = new Map();
    },
  };
}
