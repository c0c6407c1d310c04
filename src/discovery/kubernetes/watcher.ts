/** List, watch, resume, and list again where it must be: the loop that never gives up. */
import type { Pod } from '../../model/pod.ts';
import type { PodSet } from '../pod-set.ts';
import type { PodSourceOptions } from '../pod-source-options.ts';
import type { ApiClient } from './api-client.ts';
import { ApiFailure } from './failure.ts';
import { listPods } from './list-pods.ts';
import { createPace } from './pace.ts';
import type { PodEvent } from './pod-event.ts';
import { watchPods } from './watch-pods.ts';

export interface WatcherOptions extends PodSourceOptions {
  readonly client: ApiClient;
  readonly set: PodSet;
  /** The server, for sentences. */
  readonly server: string;
  readonly fieldSelector: string;
  readonly random: () => number;
}

export interface Trouble {
  readonly text: string;
  readonly sinceMs: number;
  /** A person has to do something: it does not pass by waiting. */
  readonly isFinal: boolean;
}

export interface Watcher {
  /** Until the signal aborts; rejects with its reason. */
  run(signal: AbortSignal): Promise<never>;
  /** Undefined while all is well. */
  trouble(): Trouble | undefined;
}

export const watcherLimits = {
  pods: 50_000,
  listDeadlineMs: 30_000,
  /** A list that takes longer than its deadline gets more time at the next attempt, up to this. */
  longestListMs: 240_000,
  timeoutSeconds: { from: 240, to: 480 },
  /** A watch that has ended sooner counts as a failure. */
  wellAfterMs: 1_000,
  settledAfterMs: 60_000,
  /** Silent for as many watches in a row: the version may be of a future that a restored backup has undone. */
  silentWatches: 2,
  /** Refused by 5xx or not to be read, as many in a row: pods are listed anew. */
  brokenWatches: 4,
} as const;

/** Of one trouble, which may take turns between a few. */
const maxSaid = 20;
/** So that a storm of the same refusal with other versions is said once. */
const withoutNumbers = (text: string): string => text.replaceAll(/\d+/g, '#');

/** Of what is known, what the next attempt needs. */
interface Progress {
  /** Undefined: a list is due. */
  version: string | undefined;
  /** Pods of a list that is not complete yet. */
  listing: Map<string, Pod> | undefined;
  openedMs: number | undefined;
  heard: boolean;
  silentWatches: number;
  /** In a row: what cannot be read once cannot be read again from the same version. */
  brokenWatches: number;
  listDeadlineMs: number;
  /** `page` once: the last list by watch was not complete in time. */
  listBy: 'watch' | 'page' | 'pages for good';
}

/** Makes a watcher; it does nothing before `run`. */
export function createWatcher(options: WatcherOptions): Watcher {
  const { client, clock, log, meter, name, random, set, server } = options;
  const pace = createPace(random);
  const progress: Progress = {
    version: undefined,
    listing: undefined,
    openedMs: undefined,
    heard: false,
    silentWatches: 0,
    brokenWatches: 0,
    listDeadlineMs: watcherLimits.listDeadlineMs,
    listBy: 'watch',
  };
  let trouble: Trouble | undefined;
  /** Since the trouble began: a server that goes away fails in several ways by turns. */
  const said = new Set<string>();
  let tooManySaid = false;

  const complain = (failure: ApiFailure): void => {
    meter.failed(name, failure.message);
    const isFinal = ['forbidden', 'not_found', 'unauthorized', 'credentials'].includes(failure.kind);
    const sentence = withoutNumbers(failure.message);
    if (!said.has(sentence) && said.size < maxSaid) {
      said.add(sentence);
      log.warn({ server, kind: failure.kind }, failure.message);
    }
    trouble = { text: failure.message, sinceMs: trouble?.sinceMs ?? clock.monotonicMs(), isFinal };
  };
  const openForMs = (): number => (progress.openedMs === undefined ? 0 : clock.monotonicMs() - progress.openedMs);
  const isWell = (): boolean => openForMs() >= watcherLimits.wellAfterMs;
  const recover = (): void => {
    pace.succeeded();
    if (openForMs() >= watcherLimits.settledAfterMs) pace.settled();
    if (trouble === undefined) return;
    log.info({ server }, `${server} tells of pods again; ${set.pods()?.size ?? 0} are known.`);
    trouble = undefined;
    said.clear();
  };
  const replace = (pods: ReadonlyMap<string, Pod>, version: string): void => {
    set.replace(pods);
    progress.version = version;
    progress.listing = undefined;
    progress.listDeadlineMs = watcherLimits.listDeadlineMs;
  };
  const isFull = (pods: ReadonlyMap<string, Pod>, uid: string): boolean => {
    if (pods.size < watcherLimits.pods || pods.has(uid)) return false;
    const why = `There are more than ${watcherLimits.pods} pods; the others are passed over. Watch one node's alone.`;
    if (!tooManySaid) meter.failed(name, why);
    tooManySaid = true;
    return true;
  };
  const onEvent = (event: PodEvent): void => {
    progress.heard = true;
    if (isWell()) recover();
    const { listing } = progress;
    if (listing !== undefined) {
      if (event.kind === 'put' && !isFull(listing, event.pod.uid)) listing.set(event.pod.uid, event.pod);
      else if (event.kind === 'gone') listing.delete(event.uid);
      else if (event.kind === 'bookmark' && event.isInitialEnd) replace(listing, event.version);
      return;
    }
    progress.version = event.version;
    if (event.kind === 'put' && !isFull(set.pods() ?? new Map(), event.pod.uid)) set.put(event.pod);
    else if (event.kind === 'gone') set.remove(event.uid);
  };

  const shared = { client, clock, keptAnnotations: options.keptAnnotations, fieldSelector: options.fieldSelector };
  const follow = async (signal: AbortSignal): Promise<void> => {
    const { from, to } = watcherLimits.timeoutSeconds;
    const isListing = progress.version === undefined;
    progress.listing = isListing ? new Map() : undefined;
    progress.heard = false;
    await watchPods({
      ...shared,
      signal,
      name: server,
      version: progress.version,
      timeoutSeconds: Math.round(from + random() * (to - from)),
      listDeadlineMs: progress.listDeadlineMs,
      onOpen: () => {
        progress.openedMs = clock.monotonicMs();
      },
      onEvent,
      onLineTooLong(sizeBytes) {
        const why = `${server} sent an object of ${sizeBytes} bytes, which is passed over; what it says is not known.`;
        log.warn({ server }, why);
        meter.failed(name, why);
      },
    });
    if (!isWell()) throw new ApiFailure('server', `${server} ended a watch as soon as it had begun`);
  };
  const listInPages = async (signal: AbortSignal): Promise<void> => {
    const { listDeadlineMs: deadlineMs } = progress;
    const list = await listPods({ ...shared, signal, deadlineMs, maxPods: watcherLimits.pods });
    replace(list.pods, list.version);
    if (progress.listBy === 'page') progress.listBy = 'watch';
  };

  /** What a failure means for the next attempt. */
  const learn = (failure: ApiFailure): void => {
    const wasListing = progress.version === undefined;
    const wasOpen = progress.openedMs !== undefined;
    const isSilent = failure.kind === 'timeout' && wasOpen && !wasListing && !progress.heard;
    progress.silentWatches = isSilent ? progress.silentWatches + 1 : 0;
    const isBroken = (failure.kind === 'server' || failure.kind === 'protocol') && !wasListing;
    progress.brokenWatches = isBroken ? progress.brokenWatches + 1 : 0;
    if (
      failure.kind === 'expired' ||
      failure.kind === 'options' ||
      progress.silentWatches >= watcherLimits.silentWatches ||
      progress.brokenWatches >= watcherLimits.brokenWatches
    ) {
      progress.version = undefined;
      progress.silentWatches = 0;
      progress.brokenWatches = 0;
    }
    if (!wasListing) return;
    if (failure.kind === 'options') progress.listBy = 'pages for good';
    if (failure.kind === 'protocol' && progress.listBy === 'watch') progress.listBy = 'page';
    if (failure.kind === 'timeout') {
      progress.listDeadlineMs = Math.min(2 * progress.listDeadlineMs, watcherLimits.longestListMs);
      if (progress.listBy === 'watch') progress.listBy = 'page';
    }
  };
  const attempt = async (signal: AbortSignal): Promise<number> => {
    progress.openedMs = undefined;
    const isOlderServer = progress.version === undefined && progress.listBy !== 'watch';
    try {
      if (isOlderServer) await listInPages(signal);
      await follow(signal);
      recover();
      progress.silentWatches = 0;
      return 0;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const failure = client.failureOf(error);
      if (isWell()) recover();
      const isNewToOptions =
        failure.kind === 'options' && progress.version === undefined && progress.listBy === 'watch';
      learn(failure);
      if (isNewToOptions) {
        log.info({ server }, `${server} cannot list by watch; lists come in pages.`);
        return 0;
      }
      complain(failure);
      return pace.afterFailure(failure);
    } finally {
      progress.openedMs = undefined;
      progress.listing = undefined;
    }
  };

  return {
    async run(signal) {
      for (;;) {
        const delayMs = await attempt(signal);
        signal.throwIfAborted();
        if (delayMs > 0) await clock.sleep(delayMs, signal);
      }
    },
    trouble: () => (isWell() ? undefined : trouble),
  };
}
