/** Targets that come and go while the input runs: each is scraped from the moment it is put until it is removed. */
import type { Accept } from '../../model/batch.ts';
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { Label } from '../../model/sample.ts';
import type { Host, StopReason } from '../../pipeline/component.ts';
import type { TargetStatus } from '../../pipeline/target-status.ts';
import type { Connections } from './connections.ts';
import { createScrapeMemory } from './scrape-memory.ts';
import { createScraper, type Scraper } from './scraper.ts';
import type { Target } from './target.ts';
import { createTurns } from './turns.ts';

/** A target's status, by the key that it was put under. */
export interface KeyedTargetStatus extends TargetStatus {
  readonly key: string;
}

/** A target's labels, and what it says of its metrics. */
export interface TargetMetadata {
  readonly labels: readonly Label[];
  readonly metadata: readonly MetricMetadata[];
}

export interface ScraperSet {
  /**
   * Scrapes this target from now on, at its own place in the interval. One that was put under the key before goes on undisturbed where it
   * is the same (by its fingerprint); otherwise it is removed first.
   */
  put(key: string, target: Target): void;
  /** Ends a target for good: the scrape under way is cut off and its series are marked stale at this moment, at once. An unknown key is nothing. */
  remove(key: string): void;
  /** Every target, in the order in which they were put. */
  status(): readonly KeyedTargetStatus[];
  /** What the last page of each said of its metrics. */
  metadata(): readonly TargetMetadata[];
  /** Ends all. Because of 'removed' their series are marked stale; because of 'shutdown' they are not. Resolves when the scrapers are done, or `deadline` aborts. */
  stop(deadline: AbortSignal, because: StopReason): Promise<void>;
}

export interface ScraperSetOptions {
  readonly host: Host;
  readonly accept: Accept;
  readonly connections: Connections;
  /** What `readAgentNumber` gave. */
  readonly agentNumber: string;
  /** What the pages of all targets may hold at one moment; 128 MiB unless told. */
  readonly totalBodyLimitBytes?: number;
}

const defaultTotalBodyBytes = 128 * 1024 * 1024;

interface Entry {
  readonly target: Target;
  readonly scraper: Scraper;
  readonly stopping: AbortController;
  readonly ended: Promise<void>;
}

/** Waits for `work`, but no longer than `deadline`. */
async function within(work: Promise<unknown>, deadline: AbortSignal): Promise<void> {
  if (deadline.aborted) return;
  await new Promise<void>((resolve, reject) => {
    const giveUp = () => resolve();
    deadline.addEventListener('abort', giveUp, { once: true });
    work.then(() => resolve(), reject).finally(() => deadline.removeEventListener('abort', giveUp));
  });
}

/** Makes an empty set. */
export function createScraperSet(options: ScraperSetOptions): ScraperSet {
  const { host } = options;
  const entries = new Map<string, Entry>();
  /** Removed targets whose markers are still on their way. */
  const ending = new Set<Promise<void>>();
  const giving = new AbortController();
  const memory = createScrapeMemory(options.totalBodyLimitBytes ?? defaultTotalBodyBytes);
  const turns = createTurns();
  let stopped: Promise<void> | undefined;

  const end = (entry: Entry, marks: boolean) => {
    const atMs = host.clock.nowMs();
    entry.stopping.abort(new Error('the target is no longer scraped'));
    const ended = entry.ended
      .then(async () => {
        if (marks) await entry.scraper.markEnded(atMs);
      })
      .catch((cause: unknown) => {
        const why = `${entry.target.url.href}: its end could not be marked: ${cause instanceof Error ? cause.message : String(cause)}`;
        host.meter.failed(host.name, why);
        host.log.error({ err: cause }, why);
      })
      .finally(() => ending.delete(ended));
    ending.add(ended);
  };

  const stop = async (deadline: AbortSignal, because: StopReason) => {
    for (const entry of entries.values()) end(entry, because === 'removed');
    const giveUp = () => giving.abort(new Error('the deadline of the stop has passed'));
    if (deadline.aborted) giveUp();
    else deadline.addEventListener('abort', giveUp, { once: true });
    await within(Promise.all(ending), deadline);
    deadline.removeEventListener('abort', giveUp);
  };

  const set: ScraperSet = {
    put(key, target) {
      if (stopped !== undefined) return;
      const before = entries.get(key);
      if (before?.target.fingerprint === target.fingerprint) return;
      set.remove(key);
      const { accept, connections, agentNumber } = options;
      const stopping = new AbortController();
      const scraper = createScraper({
        target,
        host,
        accept,
        acceptSignal: giving.signal,
        connections,
        agentNumber,
        memory,
        turns,
      });
      entries.set(key, { target, scraper, stopping, ended: scraper.run(stopping.signal) });
    },
    remove(key) {
      const entry = entries.get(key);
      if (entry === undefined) return;
      entries.delete(key);
      end(entry, true);
    },
    metadata: () =>
      [...entries.values()].map(({ target, scraper }) => ({
        labels: [...target.labels],
        metadata: scraper.metadata(),
      })),
    status: () => [...entries].map(([key, { scraper }]) => ({ key, ...scraper.status() })),
    stop(deadline, because) {
      stopped ??= stop(deadline, because);
      return stopped;
    },
  };
  return set;
}
