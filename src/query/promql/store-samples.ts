/** The store as the source of PromQL's samples. */
import { type StoreClient, StoreError } from '../../store/client.ts';
import { estimateRows } from '../../store/readers/estimate.ts';
import { canReadGrid, readGrids } from '../../store/readers/grids.ts';
import { createLabelCache } from '../../store/readers/label-cache.ts';
import { readSamples, type SampleReadLimits } from '../../store/readers/samples.ts';
import type { SampleSource } from './engine.ts';

/** ClickHouse's error number. */
const memoryLimitExceeded = 241;

/** Reads through one cache of labels for all queries. */
export function createStoreSamples(client: StoreClient, limits: SampleReadLimits): SampleSource {
  const labels = createLabelCache();
  return {
    select: (selection, signal) => readSamples(client, selection, { signal, limits, labels }),
    estimate: (selection, signal) => estimateRows(client, selection, { signal, limits, labels }),
    async grid(selection, { signal, maxPoints }) {
      if (!canReadGrid(selection)) return undefined;
      try {
        return await readGrids(client, selection, { signal, limits, labels, maxPoints });
      } catch (error) {
        // The engine holds more of a sample than the agent does; the agent's own limit decides.
        if (error instanceof StoreError && error.code === memoryLimitExceeded) return undefined;
        throw error;
      }
    },
  };
}
