/** Hands what a scrape found to the intake. */
import type { Accept, Batch, Outcome } from '../../model/batch.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { SeriesSamples } from '../../model/sample.ts';

/** What one scrape has to say. */
export interface Findings {
  readonly items: readonly SeriesSamples[];
  readonly metadata: readonly MetricMetadata[];
  readonly exemplars: readonly Exemplar[];
}

/** Samples a batch may have; a page of more goes in several. */
const maxBatchItems = 10_000;

/** The batches of a scrape: metadata and exemplars go with the first. */
export function* batchesOf({ items, metadata, exemplars }: Findings): Iterable<Extract<Batch, { signal: 'samples' }>> {
  for (let at = 0; at < items.length; at += maxBatchItems) {
    const isWhole = items.length <= maxBatchItems;
    yield {
      signal: 'samples',
      items: isWhole ? items : items.slice(at, at + maxBatchItems),
      ...(at === 0 && metadata.length > 0 ? { metadata } : {}),
      ...(at === 0 && exemplars.length > 0 ? { exemplars } : {}),
    };
  }
}

/** Offers a batch once; what the intake throws is "not now". */
export async function offerOnce(accept: Accept, batch: Batch, signal: AbortSignal): Promise<Outcome> {
  try {
    return await accept(batch, signal);
  } catch (cause) {
    return { kind: 'retry', cause: cause instanceof Error ? cause : new Error(String(cause)) };
  }
}
