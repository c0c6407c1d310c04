/** The store as the source of PromQL's samples. */
import { type StoreClient, StoreError } from '../../store/client.ts';
import { estimateRows } from '../../store/readers/estimate.ts';
import { canReadGrid, readGrids } from '../../store/readers/grids.ts';
import type { LabelCache } from '../../store/readers/label-cache.ts';
import { readSamples, type SampleReadLimits } from '../../store/readers/samples.ts';
import type { RecentSamples } from '../../store/recent/recent-samples.ts';
import { isOfAll } from '../failure.ts';
import type { SampleSource } from './engine.ts';

/** ClickHouse's error number. */
const memoryLimitExceeded = 241;

export interface StoreSamplesOptions {
  readonly limits: SampleReadLimits;
  /** One cache for all queries. */
  readonly labels: LabelCache;
  /** Asked before the store is. */
  readonly recent?: RecentSamples;
}

/** Reads through memory, where samples are there. */
export function createStoreSamples(client: StoreClient, { limits, labels, recent }: StoreSamplesOptions): SampleSource {
  return {
    ...(recent === undefined ? {} : { recent: recent.find }),
    select: (selection, signal, isLarge = false) =>
      readSamples(client, selection, { signal, limits: { ...limits, isLarge }, labels }),
    estimate: (selection, signal) => estimateRows(client, selection, { signal, limits, labels }),
    async grid(selection, { signal, maxPoints, isLarge = false }) {
      if (!canReadGrid(selection)) return undefined;
      try {
        return await readGrids(client, selection, { signal, limits: { ...limits, isLarge }, labels, maxPoints });
      } catch (error) {
        // The engine holds more of a sample than the agent does; the agent's own limit decides.
        if (error instanceof StoreError && error.code === memoryLimitExceeded && !isOfAll(error)) return undefined;
        throw error;
      }
    },
  };
}
