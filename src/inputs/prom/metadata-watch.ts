/** What a target says of its metric families, handed on only where it has changed, and all of it again from time to time. */
import type { MetricMetadata } from '../../model/metric-metadata.ts';

export interface MetadataWatch {
  /** What of a page's metadata is to be handed on; none where nothing is new. */
  take(metadata: ReadonlyMap<string, MetricMetadata>, nowMs: number): readonly MetricMetadata[];
  /** What was handed on last was not kept: all of it goes again with the next page. */
  repeat(): void;
  /** What the last page said of the families that are stored. */
  current(): readonly MetricMetadata[];
}

/** A store that lost what it knew, or another one, learns it anew within this time. */
const repeatMs = 10 * 60_000;
/** Beyond these a page's metadata is left out: whoever changes it at each scrape would fill the store with texts. */
const maxFamilies = 10_000;
const maxHelpLength = 4096;

const same = (a: MetricMetadata | undefined, b: MetricMetadata): boolean =>
  a !== undefined && a.type === b.type && a.help === b.help && a.unit === b.unit;

/** Makes the watch of one target, which leaves out families that `keeps` says are not stored. */
export function createMetadataWatch(keeps: (metadata: MetricMetadata) => boolean): MetadataWatch {
  let told: ReadonlyMap<string, MetricMetadata> = new Map();
  let toldAllMs = Number.NEGATIVE_INFINITY;
  return {
    take(metadata, nowMs) {
      const isDue = nowMs - toldAllMs >= repeatMs;
      if (metadata === told && !isDue) return [];
      const changed: MetricMetadata[] = [];
      for (const one of metadata.values()) {
        if (!isDue && same(told.get(one.family), one)) continue;
        if (changed.length === maxFamilies) break;
        if (one.help.length <= maxHelpLength && keeps(one)) changed.push(one);
      }
      told = metadata;
      if (isDue) toldAllMs = nowMs;
      return changed;
    },
    repeat() {
      toldAllMs = Number.NEGATIVE_INFINITY;
    },
    current: () =>
      [...told.values()].slice(0, maxFamilies).filter((one) => one.help.length <= maxHelpLength && keeps(one)),
  };
}
