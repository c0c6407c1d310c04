/** One target's loop: a scrape at each tick, and what becomes of it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CodecError } from '../../codec/codec-error.ts';
import { createExpositionParser } from '../../codec/exposition/parser.ts';
import type { Accept } from '../../model/batch.ts';
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { Host } from '../../pipeline/component.ts';
import type { LossReason } from '../../pipeline/meter.ts';
import { reasonOf } from '../../pipeline/refusal.ts';
import type { TargetStatus } from '../../pipeline/target-status.ts';
import type { Connections } from './connections.ts';
import { createMetadataWatch } from './metadata-watch.ts';
import { batchesOf, type Findings, offerOnce } from './offer.ts';
import { countSampleLines } from './page-size.ts';
import { createReports } from './reports.ts';
import { BodyTooLarge, fetchPage, type Page } from './request.ts';
import { createSchedule, delayToFirstTick, delayToNextTick, snapToTick } from './schedule.ts';
import { TooManySamples } from './scrape-error.ts';
import type { MemoryClaim, ScrapeMemory } from './scrape-memory.ts';
import { createSeriesBudget } from './series-budget.ts';
import { createSeriesTable, type ScrapedPage } from './series-table.ts';
import type { Target } from './target.ts';
import type { Turns } from './turns.ts';

export interface Scraper {
  /** Scrapes at each tick until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends all series of the target at this moment: it will not be scraped again. */
  markEnded(atMs: number): Promise<void>;
  status(): TargetStatus;
  /** What its last page said of its metrics. */
  metadata(): readonly MetricMetadata[];
}

export interface ScraperOptions {
  readonly target: Target;
  readonly host: Host;
  readonly accept: Accept;
  /** Ends waiting for the intake. */
  readonly acceptSignal: AbortSignal;
  readonly connections: Connections;
  readonly agentNumber: string;
  /** What all targets of the set may hold together. */
  readonly memory: ScrapeMemory;
  /** Large pages are read one after the other. */
  readonly turns: Turns;
}

interface ScrapeResult {
  readonly page: ScrapedPage;
  readonly findings: Findings;
  readonly durationMs: number;
  /** Samples of the body, also where they were too many. */
  readonly scraped: number;
  readonly bodyBytes: number;
  readonly error: Error | undefined;
}

/** Reading less than this takes a few milliseconds, and waits for nobody. */
const largePageBytes = 256 * 1024;
/** How long a page is read before others have their turn, and how many lines without a look at the clock. */
const sliceMs = 10;
const linesAtOnce = 500;
/** Where filters may leave most of a page out, it may have so many times more samples than are kept. */
const filteredShare = 4;
/** A target that comes and goes is logged once in so long. */
const logIntervalMs = 5 * 60_000;
/** Nothing follows the markers of a target that goes, so that they are offered again. */
const markerAttempts = 5;
const markerRetryMs = 1000;

const toError = (cause: unknown) => (cause instanceof Error ? cause : new Error(String(cause)));

/** Makes the scraper of one target; it does nothing until `run`. */
export function createScraper(options: ScraperOptions): Scraper {
  const { target, host, accept, acceptSignal } = options;
  const { clock, meter } = host;
  const identity = JSON.stringify([target.url.href, [...target.labels].sort(([a], [b]) => (a < b ? -1 : 1))]);
  const schedule = createSchedule(target.intervalMs, identity, options.agentNumber);
  const nowMs = () => clock.monotonicMs();
  const budget = createSeriesBudget(target.seriesLimit);
  const table = createSeriesTable({ rules: target.rules, budget, nowMs });
  const parser = createExpositionParser({ remember: table.remember });
  const metadata = createMetadataWatch(target.rules.keepsFamily);
  const reports = createReports(target.labels, { ...target, hasExtraReports: target.hasExtraReports });
  /** Bodies up to this size are known to have few enough samples. */
  let countedBytes = 0;
  let expectedBytes = 0;
  let loggedMs = Number.NEGATIVE_INFINITY;
  let status = initialStatus(target);

  const checkSize = (body: Buffer) => {
    if (body.length <= countedBytes) return;
    const most = target.sampleLimit * (target.rules.leavesOut ? filteredShare : 1);
    const lines = countSampleLines(body, most);
    if (lines > most) throw new TooManySamples(lines, target.sampleLimit, false);
    countedBytes = body.length * 1.25;
  };

  /** A large page is read with turns for everything else in between. */
  const parse = async ({ body, format }: Page, signal: AbortSignal) => {
    try {
      const reading = parser.open(body, format);
      let startedMs = nowMs();
      while (!reading.advance(linesAtOnce)) {
        if (nowMs() - startedMs < sliceMs) continue;
        await nextTurn();
        signal.throwIfAborted();
        startedMs = nowMs();
      }
      return reading.finish();
    } catch (cause) {
      if (!(cause instanceof CodecError)) throw cause;
      const kind = format === 'text' ? 'text' : 'OpenMetrics';
      throw new Error(`the page cannot be read as ${kind}: ${cause.message}`, { cause });
    }
  };

  const readPage = async (fetched: Page, scrapeMs: number, signal: AbortSignal) => {
    const { body } = fetched;
    const endTurn = body.length >= largePageBytes ? await options.turns.take() : undefined;
    try {
      checkSize(body);
      const page = await parse(fetched, signal);
      const startedMs = nowMs();
      for (let at = table.resolve(page, 0); at < page.length; at = table.resolve(page, at)) {
        await nextTurn();
        signal.throwIfAborted();
        if (nowMs() - startedMs > target.timeoutMs) throw new Error(slowRules(target));
      }
      if (page.length > target.sampleLimit && table.countKept(page) > target.sampleLimit) {
        throw new TooManySamples(page.length, target.sampleLimit, true);
      }
      const taken = table.take(page, scrapeMs);
      const told = metadata.take(page.metadata, nowMs());
      return { page: taken, findings: { items: taken.items, exemplars: taken.exemplars, metadata: told } };
    } finally {
      endTurn?.();
    }
  };

  const scrape = async (scrapeMs: number, signal: AbortSignal, memory: MemoryClaim): Promise<ScrapeResult> => {
    const startedMs = nowMs();
    let bodyBytes = 0;
    try {
      const fetched = await fetchWithin(options, { memory, expectedBytes }, signal);
      bodyBytes = fetched.body.length;
      expectedBytes = bodyBytes;
      const read = await readPage(fetched, scrapeMs, signal);
      return { ...read, durationMs: nowMs() - startedMs, scraped: read.page.scraped, bodyBytes, error: undefined };
    } catch (cause) {
      signal.throwIfAborted();
      const scraped = cause instanceof TooManySamples ? cause.scraped : 0;
      if (cause instanceof BodyTooLarge) bodyBytes = -1;
      const page = table.endAll(scrapeMs);
      const findings = { items: page.items, exemplars: [], metadata: [] };
      return { page, findings, durationMs: nowMs() - startedMs, scraped, bodyBytes, error: toError(cause) };
    }
  };

  const drop = (reason: LossReason, count: number, why: string) => {
    if (count > 0) meter.dropped(host.name, 'samples', reason, count, `${target.url.href}: ${why}`);
  };

  const noteLosses = ({ duplicates, tooFarAhead, overBudget, longExemplars }: ScrapedPage): string | undefined => {
    const lost = duplicates + tooFarAhead + overBudget;
    if (lost > 0) meter.received(host.name, 'samples', lost);
    const over = `the target has shown ${budget.limit} different series within a day, the limit of series_limit; new ones are left out`;
    drop('duplicate', duplicates, 'a series was there twice in one page');
    drop('too_far_ahead', tooFarAhead, 'samples carry times more than ten minutes ahead');
    drop('over_limit', overBudget, over);
    if (longExemplars > 0)
      meter.failed(host.name, `${target.url.href}: exemplars with more than 128 characters of labels`);
    if (overBudget > 0) return over;
    if (tooFarAhead > 0) return `samples with times more than ten minutes ahead are left out: ${tooFarAhead}`;
    if (duplicates > 0)
      return `samples of series that were there already are left out, the first is kept: ${duplicates}`;
    return undefined;
  };

  const note = (result: ScrapeResult, scrapeMs: number) => {
    const wasDown = status.health === 'down';
    const message = result.error === undefined ? undefined : `${target.url.href}: ${result.error.message}`;
    status = {
      ...status,
      health: message === undefined ? 'up' : 'down',
      lastScrapeMs: scrapeMs,
      lastDurationMs: result.durationMs,
      lastSamples: result.scraped,
      lastBodyBytes: result.bodyBytes,
      lastError: message,
      lastWarning: noteLosses(result.page),
    };
    if (message !== undefined) meter.failed(host.name, message);
    const hasChanged = wasDown !== (message !== undefined);
    if (!hasChanged || target.ignoresRequestErrors || nowMs() - loggedMs < logIntervalMs) return;
    if (message === undefined) {
      host.log.info({ target: target.url.href }, `${target.url.href} can be scraped again`);
    } else {
      loggedMs = nowMs();
      host.log.warn({ target: target.url.href }, `scrape failed: ${message}`);
    }
  };

  /** Offers once: a scrape is never delayed, so that what the intake cannot take now is lost. */
  const offer = async (findings: Findings): Promise<boolean> => {
    let isWhole = true;
    for (const batch of batchesOf(findings)) {
      const outcome = await offerOnce(accept, batch, acceptSignal);
      // The intake has counted what it kept and refused; that a refused scrape is not repeated, only the scraper knows.
      if (outcome.kind !== 'retry') continue;
      isWhole = false;
      const reason = acceptSignal.aborted ? 'shutting_down' : reasonOf(outcome.cause);
      const count = batch.items.reduce((sum, { samples }) => sum + samples.length, 0);
      drop(reason, count, `the intake could not take a scrape: ${outcome.cause.message}`);
    }
    return isWhole;
  };

  const tick = async (wallMs: number, signal: AbortSignal) => {
    const scrapeMs = snapToTick(schedule, wallMs);
    const memory = options.memory.open();
    try {
      const result = await scrape(scrapeMs, signal, memory);
      note(result, scrapeMs);
      const { page, findings, error } = result;
      const told = reports.items(
        {
          ...result,
          isUp: error === undefined,
          kept: page.kept,
          added: page.added,
          currentSeries: budget.current(),
          overBudget: page.overBudget,
        },
        scrapeMs,
      );
      if (await offer({ ...findings, items: [...findings.items, ...told] })) return;
      table.owe(page.ended);
      if (findings.metadata.length > 0) metadata.repeat();
    } finally {
      memory.release();
    }
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
      const items = [...table.endAll(atMs).items, ...reports.end(atMs)];
      for (const batch of batchesOf({ items, exemplars: [], metadata: [] })) {
        for (let attempt = 1; ; attempt++) {
          const outcome = await offerOnce(accept, batch, acceptSignal);
          if (outcome.kind !== 'retry') break;
          if (attempt < markerAttempts && !acceptSignal.aborted) {
            await clock.sleep(outcome.afterMs ?? markerRetryMs, acceptSignal).catch(() => undefined);
            continue;
          }
          const reason = acceptSignal.aborted ? 'shutting_down' : reasonOf(outcome.cause);
          drop(reason, batch.items.length, `the end of its series could not be kept: ${outcome.cause.message}`);
          break;
        }
      }
    },
    status: () => status,
    metadata: metadata.current,
  };
}

const slowRules = ({ timeoutMs }: Target) =>
  `filters and metric_relabel_configs take more than ${timeoutMs / 1000} s, the limit of timeout, for the new series of a page`;

function initialStatus(target: Target): TargetStatus {
  return {
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
    lastBodyBytes: 0,
    lastError: undefined,
    lastWarning: undefined,
  };
}

/** One fetch that ends with the scrape's timeout, in the host's time, with the input, or when it has to give way to others. */
async function fetchWithin(
  options: ScraperOptions,
  { memory, expectedBytes }: { readonly memory: MemoryClaim; readonly expectedBytes: number },
  signal: AbortSignal,
): Promise<Page> {
  const { target, host, connections } = options;
  const ending = new AbortController();
  const timeout = new Error(
    `no whole answer within ${target.timeoutMs / 1000} s, the limit of timeout: the target is too slow, or says too much`,
  );
  // Linked by hand: AbortSignal.any would leave something behind on the long-lived signal at each scrape.
  const stop = () => ending.abort(signal.reason);
  const giveWay = () => ending.abort(memory.evicted.reason);
  signal.addEventListener('abort', stop, { once: true });
  memory.evicted.addEventListener('abort', giveWay, { once: true });
  const timer = host.clock.sleep(target.timeoutMs, ending.signal).then(
    () => ending.abort(timeout),
    // The fetch ended first, or the input stops.
    () => undefined,
  );
  try {
    signal.throwIfAborted();
    const connector = await connections.open(target.connection);
    return await fetchPage({ ...target.request, url: target.url, connector, memory, expectedBytes }, ending.signal);
  } catch (cause) {
    throw ending.signal.aborted ? ending.signal.reason : cause;
  } finally {
    signal.removeEventListener('abort', stop);
    memory.evicted.removeEventListener('abort', giveWay);
    ending.abort();
    await timer;
  }
}
