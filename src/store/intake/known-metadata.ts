/** What the store has been told of metric families already: senders repeat it every minute, and it is written once a day. */
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import { dayOf } from '../writers/samples.ts';

/** When full the memory begins anew, and what is said is written once more. */
const maxKnown = 100_000;

export interface KnownMetadata {
  /** What is new of this, or was not said yet on the day of `nowMs`. */
  missing(metadata: readonly MetricMetadata[], nowMs: number): readonly MetricMetadata[];
  /** To be called once the rows are kept. */
  add(metadata: readonly MetricMetadata[], nowMs: number): void;
  clear(): void;
}

/** Two versions of a program may say different things of a family at the same time: each of them is said once a day, not in turn for ever. */
const keyOf = ({ family, type, help, unit }: MetricMetadata): string =>
  `${family.length} ${unit.length} ${type} ${family}${unit}${help}`;

export function createKnownMetadata(): KnownMetadata {
  const days = new Map<string, number>();
  return {
    missing(metadata, nowMs) {
      if (metadata.length === 0) return metadata;
      const today = dayOf(nowMs);
      const rows = new Map<string, MetricMetadata>();
      for (const entry of metadata) {
        const key = keyOf(entry);
        if (days.get(key) !== today) rows.set(key, entry);
      }
      return [...rows.values()];
    },
    add(metadata, nowMs) {
      if (days.size + metadata.length > maxKnown) days.clear();
      for (const entry of metadata) days.set(keyOf(entry), dayOf(nowMs));
    },
    clear: () => days.clear(),
  };
}
