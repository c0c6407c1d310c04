/** What the bodies of all scrapes under way hold together, and who has to give way when that is too much. */

/** What one scrape holds. */
export interface MemoryClaim {
  /** Aborts when the scrape has to give way to others. */
  readonly evicted: AbortSignal;
  /** Counts bytes that are now held; throws when this scrape has to give way itself. */
  hold(sizeBytes: number): void;
  release(): void;
}

export interface ScrapeMemory {
  open(): MemoryClaim;
  heldBytes(): number;
}

interface Holder {
  heldBytes: number;
  readonly eviction: AbortController;
}

/**
 * Makes the budget of one set of targets. When it is used up, the scrape that holds most fails: waiting would let a few slow and large
 * ones hold up the rest for their whole timeout, and whoever holds less than its equal share is never the largest.
 */
export function createScrapeMemory(limitBytes: number): ScrapeMemory {
  const holders = new Set<Holder>();
  let totalBytes = 0;
  const drop = (holder: Holder) => {
    if (holders.delete(holder)) totalBytes -= holder.heldBytes;
  };
  const evictLargest = () => {
    let largest: Holder | undefined;
    for (const holder of holders) if (largest === undefined || holder.heldBytes > largest.heldBytes) largest = holder;
    if (largest === undefined) return;
    drop(largest);
    const reason = `the pages that are being scraped hold more than ${limitBytes} bytes together, the limit of total_body_size_limit, and this one is the largest of them`;
    largest.eviction.abort(new Error(reason));
  };
  return {
    heldBytes: () => totalBytes,
    open() {
      const holder: Holder = { heldBytes: 0, eviction: new AbortController() };
      holders.add(holder);
      return {
        evicted: holder.eviction.signal,
        hold(sizeBytes) {
          holder.eviction.signal.throwIfAborted();
          holder.heldBytes += sizeBytes;
          totalBytes += sizeBytes;
          while (totalBytes > limitBytes) evictLargest();
          holder.eviction.signal.throwIfAborted();
        },
        release: () => drop(holder),
      };
    },
  };
}
