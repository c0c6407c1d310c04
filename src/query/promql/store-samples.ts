/** The store as the source of PromQL's samples. */
import type { StoreClient } from '../../store/client.ts';
import { createLabelCache } from '../../store/readers/label-cache.ts';
import { readSamples, type SampleReadLimits } from '../../store/readers/samples.ts';
import type { SampleSource } from './engine.ts';

/** Reads through one cache of labels for all queries. */
export function createStoreSamples(client: StoreClient, limits: SampleReadLimits): SampleSource {
  const labels = createLabelCache();
  return {
    select: (selection, signal) => readSamples(client, selection, { signal, limits, labels }),
  };
}
