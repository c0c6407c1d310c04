/**
 * The agent's side of the store: the spool in front of it, the process or server behind it, and what is done to it from here. The spool
 * is open at once, so that the intake acknowledges while the store still starts, restarts or is away.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { Counter, Histogram } from 'prom-client';
import type { MainConfig } from '../../config/main-config.ts';
import type { Signal } from '../../model/batch.ts';
import { within } from '../../model/deadline.ts';
import type { Clock, Health } from '../../pipeline/component.ts';
import { realFileSystem } from '../../pipeline/file-system.ts';
import type { Meter } from '../../pipeline/meter.ts';
import { openSpool } from '../../pipeline/spool/open-spool.ts';
import type { Spool, SpoolLoss } from '../../pipeline/spool/spool.ts';
import { type StoreClient, StoreError } from '../../store/client.ts';
import { type HorizonMemory, openHorizonMemory } from '../../store/housekeeping/horizon-memory.ts';
import { createHousekeeping, type Housekeeping } from '../../store/housekeeping/housekeeping.ts';
import { createStoreClient } from '../../store/http-client.ts';
import { createFreshness, type Freshness } from '../../store/intake/freshness.ts';
import { watchReturn } from '../../store/intake/return-watch.ts';
import { signalOfSection } from '../../store/intake/sections.ts';
import { createSegmentSender } from '../../store/intake/segment-sender.ts';
import { createStoreDestination, type StoreDestination } from '../../store/intake/store-destination.ts';
import { createLabelCache, type LabelCache } from '../../store/readers/label-cache.ts';
import { readSamplePieces } from '../../store/readers/sample-pieces.ts';
import { createRecentSamples, type RecentSamples } from '../../store/recent/recent-samples.ts';
import { migrate } from '../../store/schema/migrate.ts';
import { createSupervisor, type Supervisor } from '../../store/supervisor.ts';
import { retentionLimitsOf } from '../retention-limits.ts';
import { observeRecentSamples } from './recent-metrics.ts';
import { observeSpool } from './spool-metrics.ts';

export interface StoreLinkOptions {
  readonly config: MainConfig;
  readonly dataDirectory: string;
  readonly writer: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
}

export interface StoreLink {
  readonly destination: StoreDestination;
  readonly spool: Spool;
  /** For queries: they fail at once, and in words, while the store is away. */
  readonly client: StoreClient;
  readonly freshness: Freshness;
  /** Of every series that queries read lately. */
  readonly labels: LabelCache;
  /** Samples in memory; undefined where others may write to the store too. */
  readonly recent: RecentSamples | undefined;
  /** Rows before this would be dropped at once; undefined when any age is kept. */
  oldestAllowedMs(signal: Signal): number | undefined;
  /** Rows before this may be dropped at once, for the store could not be asked yet what it keeps; undefined once it was. */
  unsureBeforeMs(signal: Signal): number | undefined;
  health(): Health;
  /** Why queries would fail now, in plain words; undefined when they would not. */
  whyNotReady(): string | undefined;
  /** Why an answer of the store may lack what was acknowledged more than a moment ago; undefined when it does not. */
  whyBehind(): string | undefined;
  /** Brings what is kept into the store until the deadline aborts, then lets go of it; the rest stays in the spool. */
  stop(deadline: AbortSignal): Promise<void>;
}

const component = 'store';
const mainFile = fileURLToPath(new URL('../../main.js', import.meta.url));
const retryMs = 1000;
const migrationTimeoutMs = 300_000;
const storeStopMs = 5_000;

/** The command that starts a store process: this program, whether it runs from its build or its sources. */
const storeCommand = (): [string, ...string[]] =>
  import.meta.url.endsWith('.ts')
    ? [process.execPath, '--import', 'tsx', mainFile.replace(/\.js$/, '.ts'), 'store']
    : [process.execPath, mainFile, 'store'];

function countLoss(meter: Meter, { items, reason, why }: SpoolLoss): void {
  for (const [kind, count] of items) {
    const signal = signalOfSection(kind);
    if (signal !== undefined) meter.dropped(component, signal, reason, count, why);
  }
  if (items.size === 0) meter.failed(component, why);
}

/** Opens the spool and begins to bring it into the store. */
export async function openStoreLink(options: StoreLinkOptions): Promise<StoreLink> {
  const { config, dataDirectory, clock, log, meter } = options;
  let forgetSeries = () => {};
  let recent: RecentSamples | undefined;
  const { url } = config.store;
  const memory =
    url === ''
      ? undefined
      : await openHorizonMemory({ file: join(dataDirectory, 'store-horizons.json'), store: url, log });
  const spool = await openSpool({
    directory: join(dataDirectory, 'spool', 'store'),
    fileSystem: realFileSystem,
    clock,
    log,
    limits: {
      maxBytes: config.spool.max_bytes,
      segmentBytes: config.spool.max_segment_bytes,
      segmentAgeMs: config.spool.max_segment_age,
    },
    whenFull: 'refuse',
    writer: options.writer,
    keepsPositions: true,
    onLoss(loss) {
      countLoss(meter, loss);
      // Series may have been among what was lost.
      forgetSeries();
    },
  });
  const removeSpoolMetrics = observeSpool(meter.registry, component, spool);
  const destination = createStoreDestination({
    spool,
    nowMs: clock.nowMs,
    onSamples: (items) => recent?.keep(items),
  });
  const backlog = watchBacklog(spool);
  forgetSeries = () => {
    destination.forgetSeries();
    recent?.clear();
    backlog.catchUp();
  };
  backlog.catchUp();
  const behind = createBehind(options, forgetSeries);
  const { client } = behind;
  const freshness = createFreshness(spool, clock);
  const labels = createLabelCache();
  const queryClient = failingFast(client, behind.whyNotReady);
  const stopping = new AbortController();
  const insertSeconds = new Histogram({
    name: 'trawl_store_insert_seconds',
    help: 'How long an INSERT of one segment into one table took.',
    labelNames: ['table'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [meter.registry],
  });
  const sender = createSegmentSender({
    spool,
    client,
    clock,
    log,
    insertSeconds,
    onFailure: (why) => meter.failed(component, why),
  });

  const housekeeping = keepInOrder(options, { client, memory, onDropped: () => recent?.clear() });
  if (url === '') {
    recent = keepRecent(options, {
      client: queryClient,
      freshness,
      labels,
      oldestMs: () => housekeeping.oldestAllowedMs('samples'),
    });
  }

  /** Until the tables are there nothing can be sent: the store may be away for as long as it likes. */
  const prepare = async (): Promise<void> => {
    for (;;) {
      try {
        await behind.start(stopping.signal);
        await within(stopping.signal, migrationTimeoutMs, (signal) => migrate(client, { signal }));
        return;
      } catch (error) {
        stopping.signal.throwIfAborted();
        behind.failed(error);
        await clock.sleep(retryMs, stopping.signal);
      }
    }
  };
  const work = async (): Promise<void> => {
    try {
      await prepare();
      // Before that older rows are refused: who waits until the agent is ready need not meet with it.
      void housekeeping.start().then(behind.prepared);
      await sender.run(stopping.signal);
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    }
  };
  const working = work();
  working.catch((error) => log.fatal({ err: error }, 'Nothing is brought into the store any more; restart the agent.'));

  return {
    destination,
    spool,
    client: queryClient,
    freshness,
    labels,
    recent,
    oldestAllowedMs: housekeeping.oldestAllowedMs,
    unsureBeforeMs: housekeeping.unsureBeforeMs,
    health() {
      const { isHealthy, line } = behind.health();
      return { isHealthy, line: isHealthy && config.store.url !== '' ? `${line}; ${housekeeping.describe()}` : line };
    },
    whyNotReady: behind.whyNotReady,
    whyBehind: backlog.whyBehind,
    async stop(deadline) {
      backlog.stop();
      const last = await spool.rotate();
      if (behind.isReady()) await spool.released(last, deadline).catch(() => undefined);
      stopping.abort(new Error('the agent is stopping'));
      await recent?.stop();
      await working;
      await housekeeping.stop();
      await spool.close();
      await client.close();
      await behind.stop();
      removeSpoolMetrics();
    },
  };
}

/** A segment is closed after a second and in the store soon after; what is older waits for it. */
const behindAfterMs = 5000;

/** Tells whether the store lacks what it should have by now. */
function watchBacklog(spool: Spool) {
  const stopping = new AbortController();
  let catchingUp: object | undefined;
  const bringAll = async (): Promise<void> => {
    await spool.released(await spool.rotate(), stopping.signal);
  };
  return {
    /** From now on the store is behind until it has everything that is kept at this moment: it was away, or the agent was. */
    catchUp() {
      const mine = {};
      catchingUp = mine;
      const isOver = () => {
        if (catchingUp === mine) catchingUp = undefined;
      };
      bringAll().then(isOver, isOver);
    },
    whyBehind() {
      const isBehind = catchingUp !== undefined || spool.stats().oldestAgeMs > behindAfterMs;
      return isBehind
        ? 'the store is still being given what was acknowledged before: samples may be missing in this answer; ask again in a moment'
        : undefined;
    },
    stop() {
      stopping.abort(new Error('the agent is stopping'));
    },
  };
}

/** Samples in memory for the queries that come again and again. */
function keepRecent(
  { config, clock, log, meter }: StoreLinkOptions,
  {
    client,
    freshness,
    labels,
    oldestMs,
  }: Pick<StoreLink, 'client' | 'freshness' | 'labels'> & { readonly oldestMs: () => number | undefined },
): RecentSamples {
  const recent = createRecentSamples({
    nowMs: clock.nowMs,
    monotonicMs: clock.monotonicMs,
    maxBytes: config.query.recent_samples,
    oldestMs,
    intern: (id, own) => labels.get(id) ?? labels.keep(id, own),
    freshen: freshness.freshen,
    read: (selection, signal) => readSamplePieces(client, selection, { signal, labels }),
    onFailure(error) {
      log.debug(
        { err: error },
        'Samples of a query that comes again and again could not be read ahead; it is answered by the store.',
      );
    },
  });
  observeRecentSamples(meter.registry, recent);
  return recent;
}

/** Only what brings data into the store has the time to wait until it is back. */
function failingFast(client: StoreClient, whyNotReady: () => string | undefined): StoreClient {
  const check = () => {
    const why = whyNotReady();
    if (why !== undefined) throw new StoreError(why, { isRetryable: true });
  };
  return {
    ...client,
    async rows<Row>(query: Parameters<StoreClient['rows']>[0]) {
      check();
      return client.rows<Row>(query);
    },
    async bytes(query) {
      check();
      return client.bytes(query);
    },
  };
}

interface HousekeepingLink {
  readonly client: StoreClient;
  readonly memory: HorizonMemory | undefined;
  /** Told that samples were dropped. */
  readonly onDropped: () => void;
}

/** Retention and the roll-ups of spans: done here for the embedded store, by one of all who share a store by URL. */
function keepInOrder(
  { config, clock, log, meter, writer }: StoreLinkOptions,
  { client, memory, onDropped }: HousekeepingLink,
): Housekeeping {
  const dropped = new Counter({
    name: 'trawl_store_retention_dropped_rows_total',
    help: 'Rows dropped because they were older than store.retention or above store.max_bytes.',
    labelNames: ['signal', 'reason'] as const,
    registers: [meter.registry],
  });
  const rollupSeconds = new Histogram({
    name: 'trawl_store_rollup_seconds',
    help: 'How long a pass of the roll-ups took.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [meter.registry],
  });
  return createHousekeeping({
    client,
    clock,
    log,
    limits: retentionLimitsOf(config.store),
    as: config.store.url === '' ? { kind: 'alone' } : { kind: 'elected', writer },
    ...(memory === undefined ? {} : { memory }),
    dropped({ signal, reason, rows }) {
      dropped.inc({ signal, reason }, rows);
      if (signal === 'samples') onDropped();
    },
    rolledUp: (tookMs) => rollupSeconds.observe(tookMs / 1000),
    failed: (why) => meter.failed(component, why),
  });
}

/** What answers the client: our own process, or a server by URL. */
interface Behind {
  readonly client: StoreClient;
  /** Resolves when it answers. */
  start(signal: AbortSignal): Promise<void>;
  prepared(): void;
  failed(error: unknown): void;
  isReady(): boolean;
  health(): Health;
  whyNotReady(): string | undefined;
  stop(): Promise<void>;
}

function createBehind(options: StoreLinkOptions, forgetSeries: () => void): Behind {
  const { config, dataDirectory, log, meter } = options;
  const { url, token } = config.store;
  const querySettings = {
    max_memory_usage: config.query.max_memory,
    max_rows_to_read: config.query.max_rows_to_read,
    max_result_bytes: config.query.max_result_bytes,
  };
  let isPrepared = false;
  let failure = 'it has not answered yet';
  const state = {
    prepared() {
      isPrepared = true;
    },
    failed(error: unknown) {
      failure = error instanceof Error ? error.message : String(error);
      meter.failed(component, failure);
      log.warn({ err: error }, 'The store is not ready; data is kept in the spool meanwhile.');
    },
  };
  if (url !== '') {
    const reached = createStoreClient({
      url,
      ...(token === undefined ? {} : { token: token.reveal() }),
      querySettings,
    });
    const client = watchReturn(reached, forgetSeries);
    const whyNotReady = () => (isPrepared ? undefined : `the store at ${new URL(url).host} is not ready: ${failure}`);
    return {
      ...state,
      client,
      start: async () => undefined,
      isReady: () => isPrepared,
      whyNotReady,
      health: () => ({ isHealthy: isPrepared, line: whyNotReady() ?? `writes to the store at ${new URL(url).host}` }),
      stop: async () => undefined,
    };
  }
  const restarts = new Counter({
    name: 'trawl_store_restarts_total',
    help: 'How often the store process ended by itself and was started anew.',
    registers: [meter.registry],
  });
  const supervisor: Supervisor = createSupervisor({
    command: [
      ...storeCommand(),
      '--max-queries',
      String(config.query.max_concurrent),
      '--max-waiting',
      String(config.query.max_waiting),
    ],
    directory: join(dataDirectory, 'store'),
    log,
    maxRssBytes: config.store.memory_limit,
    onDown() {
      restarts.inc();
      forgetSeries();
    },
  });
  const isReady = () => isPrepared && supervisor.health().state === 'ready';
  return {
    ...state,
    client: createStoreClient({ socketPath: supervisor.socketPath, querySettings }),
    async start(signal) {
      if (supervisor.health().state === 'stopped') await supervisor.start(signal);
    },
    isReady,
    health: () => ({ isHealthy: isReady(), line: supervisor.health().text }),
    whyNotReady() {
      const { state, text } = supervisor.health();
      if (state !== 'ready') return text;
      return isPrepared ? undefined : `the store is being prepared: ${failure}`;
    },
    stop: () => supervisor.stop(storeStopMs),
  };
}
