/** Which series the store has been given already, so that they are not written with every sample. */
import type { SeriesSamples } from '../../model/sample.ts';
import { dayOf, type SeriesRow } from '../writers/samples.ts';
import { identityOf, type SeriesIdentity } from '../writers/series-id.ts';

/** About 100 bytes each; when full the memory begins anew, and series are written once more. */
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

export function createKnownSeries(): KnownSeries {
  let daysOf = new Map<bigint, Days>();
  /** Series objects carry what is in the map, so that it is asked once for each; another memory than this one says nothing. */
  let memory = {};

  const remember = (identity: SeriesIdentity, { firstDay, lastDay }: Days) => {
    identity.writtenBy = memory;
    identity.firstDay = firstDay;
    identity.lastDay = lastDay;
  };
  const clear = () => {
    daysOf = new Map();
    memory = {};
  };

  return {
    missing(items) {
      const rows = new Map<bigint, SeriesRow & Days>();
      let fromMs = 0;
      let toMs = 0;
      let today = -1;
      const dayAt = (timestampMs: number): number => {
        if (timestampMs >= fromMs && timestampMs < toMs) return today;
        today = dayOf(timestampMs);
        fromMs = today * 86_400_000;
        toMs = fromMs + 86_400_000;
        return today;
      };
      for (const { series, samples } of items) {
        const oldest = samples[0];
        const newest = samples.at(-1);
        if (oldest === undefined || newest === undefined) continue;
        const firstDay = dayAt(oldest.timestampMs);
        const lastDay = dayAt(newest.timestampMs);
        const identity = identityOf(series);
        if (identity.writtenBy === memory && identity.firstDay <= firstDay && identity.lastDay >= lastDay) continue;
        const before = rows.get(identity.id) ?? daysOf.get(identity.id);
        if (before !== undefined && before.firstDay <= firstDay && before.lastDay >= lastDay) {
          if (!rows.has(identity.id)) remember(identity, before);
          continue;
        }
        rows.set(identity.id, {
          series,
          firstDay: Math.min(before?.firstDay ?? firstDay, firstDay),
          lastDay: Math.max(before?.lastDay ?? lastDay, lastDay),
        });
      }
      return [...rows.values()];
    },
    add(rows) {
      if (daysOf.size + rows.length > maxKnown) clear();
      for (const { series, firstDay, lastDay } of rows) {
        const identity = identityOf(series);
        const days = { firstDay: firstDay ?? lastDay, lastDay };
        daysOf.set(identity.id, days);
        remember(identity, days);
      }
    },
    clear,
  };
}
