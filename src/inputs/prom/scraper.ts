/** One target's loop: a scrape at each tick, and what becomes of it. */

import type { Accept, Outcome } from '../../model/batch.ts';
import { createSeries, type Series, type SeriesSamples } from '../../model/sample.ts';
import type { Host } from '../../pipeline/component.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { reasonOf } from '../../pipeline/refusal.ts';
import type { Connections } from './connections.ts';
import { fetchPage } from './request.ts';
import { createSchedule, delayToFirstTick, delayToNextTick, snapToTick } from './schedule.ts';
import { createSeriesTable, type ExposedSample, type ScrapedPage } from './series-table.ts';
import type { Target } from './target.ts';

/** What a target's last scrape came to. */
export interface TargetStatus {
  readonly url: string;
  /** Where it was named: a block of the configuration, or a pod and its annotation. */
  readonly origin: string;
  /** What was known of it before relabelling. */
  readonly discoveredLabels: Readonly<Record<string, string>>;
  /** The labels that each of its series gets. */
  readonly labels: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly health: 'unknown' | 'up' | 'down';
  readonly lastScrapeMs: number | undefined;
  readonly lastDurationMs: number | undefined;
  readonly lastSamples: number;
  readonly lastError: string | undefined;
}

export interface Scraper {
  /** Scrapes at each tick until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends all series of the target at this moment: it will not be scraped again. */
  markEnded(atMs: number): Promise<void>;
  status(): TargetStatus;
}

export interface ScraperOptions {
  readonly target: Target;
  readonly host: Host;
  readonly accept: Accept;
  /** Ends waiting for the intake. */
  readonly acceptSignal: AbortSignal;
  readonly connections: Connections;
  readonly agentNumber: string;
  /** Reads a body, all or nothing. */
  readonly parse: (body: Buffer) => readonly ExposedSample[];
}

/** Samples a batch may have; a page of more goes in several. */
const maxBatchItems = 10_000;

const reportNames = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
] as const;

interface ScrapeResult {
  readonly page: ScrapedPage;
  readonly durationMs: number;
  /** Samples of the body, also where they were too many. */
  readonly scraped: number;
  readonly error: Error | undefined;
}

class TooManySamples extends Error {
  readonly scraped: number;
  constructor(scraped: number, limit: number) {
    super(`the exposition has more than ${limit} samples, the limit of sample_limit`);
    this.scraped = scraped;
  }
}

const toError = (cause: unknown) => (cause instanceof Error ? cause : new Error(String(cause)));

/** Makes the scraper of one target; it does nothing until `run`. */
export function createScraper(options: ScraperOptions): Scraper {
  const { target, host, accept, acceptSignal } = options;
  const { clock, meter } = host;
  const identity = JSON.stringify([target.url.href, [...target.labels].sort(([a], [b]) => (a < b ? -1 : 1))]);
  const schedule = createSchedule(target.intervalMs, identity, options.agentNumber);
  const table = createSeriesTable(target.rules);
  const reports = reportNames.map((name): Series => {
    return createSeries([['__name__', name], ...target.labels], { measurement: 'collector', field: name });
  });
  let hasReported = false;
  let status: TargetStatus = {
    url: target.url.href,
    origin: target.origin,
    discoveredLabels: Object.fromEntries(target.discoveredLabels),
    labels: Object.fromEntries(target.labels),
    intervalMs: target.intervalMs,
    timeoutMs: target.timeoutMs,
    health: 'unknown',
    lastScrapeMs: undefined,
    lastDurationMs: undefined,
    lastSamples: 0,
    lastError: undefined,
  };

  const readTarget = async (signal: AbortSignal): Promise<readonly ExposedSample[]> => {
    const body = await fetchWithin(options, signal);
    const samples = options.parse(body);
    if (samples.length <= target.sampleLimit) return samples;
    const kept = samples.reduce((sum, { series }) => (target.rules.keeps(series) ? sum + 1 : sum), 0);
    if (kept > target.sampleLimit) throw new TooManySamples(samples.length, target.sampleLimit);
    return samples;
  };

  const scrape = async (scrapeMs: number, signal: AbortSignal): Promise<ScrapeResult> => {
    const startedMs = clock.monotonicMs();
    const durationMs = () => clock.monotonicMs() - startedMs;
    try {
      const samples = await readTarget(signal);
      const page = table.take(samples, scrapeMs);
      return { page, durationMs: durationMs(), scraped: page.scraped, error: undefined };
    } catch (cause) {
      signal.throwIfAborted();
      const scraped = cause instanceof TooManySamples ? cause.scraped : 0;
      return { page: table.endAll(scrapeMs), durationMs: durationMs(), scraped, error: toError(cause) };
    }
  };

  const reportItems = (result: ScrapeResult, scrapeMs: number): readonly SeriesSamples[] => {
    const values = [
      result.error === undefined ? 1 : 0,
      result.durationMs / 1000,
      result.scraped,
      result.page.kept,
      result.page.added,
    ];
    hasReported = true;
    return reports.map((series, n) => ({
      series,
      samples: [{ timestampMs: scrapeMs, value: values[n] ?? 0, isStale: false }],
    }));
  };

  const note = ({ page, durationMs, scraped, error }: ScrapeResult, scrapeMs: number) => {
    const wasDown = status.health === 'down';
    const message = error === undefined ? undefined : `${target.url.href}: ${error.message}`;
    status = {
      ...status,
      health: error === undefined ? 'up' : 'down',
      lastScrapeMs: scrapeMs,
      lastDurationMs: durationMs,
      lastSamples: scraped,
      lastError: message,
    };
    if (message !== undefined) {
      meter.failed(host.name, message);
      if (!wasDown && !target.ignoresRequestErrors)
        host.log.warn({ target: target.url.href }, `scrape failed: ${message}`);
    } else if (wasDown) {
      host.log.info({ target: target.url.href }, `${target.url.href} can be scraped again`);
    }
    const { duplicates, tooFarAhead } = page;
    if (duplicates + tooFarAhead > 0) meter.received(host.name, 'samples', duplicates + tooFarAhead);
    if (duplicates > 0) drop('duplicate', duplicates, 'a series was there twice in one exposition');
    if (tooFarAhead > 0) drop('too_far_ahead', tooFarAhead, 'samples carry times more than ten minutes ahead');
  };

  const drop = (reason: LossReason, count: number, why: string) =>
    meter.dropped(host.name, 'samples', reason, count, `${target.url.href}: ${why}`);

  /** Offers items once: a scrape is never delayed, so that what the intake cannot take now is lost. */
  const offer = async (items: readonly SeriesSamples[]): Promise<boolean> => {
    let isWhole = true;
    for (let at = 0; at < items.length; at += maxBatchItems) {
      const part = items.slice(at, at + maxBatchItems);
      const outcome = await offerPart(part);
      // The intake has counted what it kept and refused; that a refused scrape is not repeated, only the scraper knows.
      if (outcome.kind !== 'retry') continue;
      isWhole = false;
      const reason = acceptSignal.aborted ? 'shutting_down' : reasonOf(outcome.cause);
      const count = part.reduce((sum, { samples }) => sum + samples.length, 0);
      drop(reason, count, `the intake could not take a scrape: ${outcome.cause.message}`);
    }
    return isWhole;
  };

  const offerPart = async (items: readonly SeriesSamples[]): Promise<Outcome> => {
    try {
      return await accept({ signal: 'samples', items }, acceptSignal);
    } catch (cause) {
      return { kind: 'retry', cause: toError(cause) };
    }
  };

  const tick = async (wallMs: number, signal: AbortSignal) => {
    const scrapeMs = snapToTick(schedule, wallMs);
    const result = await scrape(scrapeMs, signal);
    note(result, scrapeMs);
    const items = [...result.page.items, ...reportItems(result, scrapeMs)];
    if (!(await offer(items))) table.owe(result.page.ended);
  };

  /** An error of our own costs one scrape, not the target. */
  const tickAndGoOn = async (wallMs: number, signal: AbortSignal) => {
    try {
      await tick(wallMs, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const why = `${target.url.href}: a scrape ended by an error of Trawl's own: ${toError(cause).message}`;
      status = { ...status, health: 'down', lastError: why };
      meter.failed(host.name, why);
      host.log.error({ err: cause, target: target.url.href }, why);
    }
  };

  return {
    async run(signal) {
      try {
        await clock.sleep(delayToFirstTick(schedule, clock.nowMs()), signal);
        for (;;) {
          const startedMs = clock.monotonicMs();
          const wallMs = clock.nowMs();
          await tickAndGoOn(wallMs, signal);
          await clock.sleep(delayToNextTick(schedule, wallMs, clock.monotonicMs() - startedMs), signal);
        }
      } catch (cause) {
        if (!signal.aborted) throw cause;
      }
    },
    async markEnded(atMs) {
      const { items } = table.endAll(atMs);
      const stale = { timestampMs: atMs, value: Number.NaN, isStale: true };
      const ofReports = hasReported ? reports.map((series) => ({ series, samples: [stale] })) : [];
      await offer([...items, ...ofReports]);
    },
    status: () => status,
  };
}

/** One fetch that ends with the scrape's timeout, in the host's time, or with the input. */
async function fetchWithin({ target, host, connections }: ScraperOptions, signal: AbortSignal): Promise<Buffer> {
  const ending = new AbortController();
  const timeout = new Error(`no whole answer within ${target.timeoutMs / 1000} s`);
  // Linked by hand: AbortSignal.any would leave something behind on the long-lived signal at each scrape.
  const stop = () => ending.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const timer = host.clock.sleep(target.timeoutMs, ending.signal).then(
    () => ending.abort(timeout),
    // The fetch ended first, or the input stops.
    () => undefined,
  );
  try {
    signal.throwIfAborted();
    const dispatcher = await connections.open(target.connection);
    const { url, headers, tokenFile, timeoutMs, bodyLimitBytes: limitBytes } = target;
    return await fetchPage({ url, headers, tokenFile, timeoutMs, limitBytes, dispatcher }, ending.signal);
  } catch (cause) {
    throw ending.signal.reason === timeout ? timeout : cause;
  } finally {
    signal.removeEventListener('abort', stop);
    ending.abort();
    await timer;
  }
}
