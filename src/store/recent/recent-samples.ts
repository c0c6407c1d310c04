/**
 * Recent samples in memory, of the series that queries ask for again and again: what a selection takes is read from the store once, and from
 * then on the intake adds every sample that it acknowledges. What is held answers without the engine (docs/decisions/recent-samples.md).
 * Only for a store that nobody else writes to.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { within } from '../../model/deadline.ts';
import type { SeriesSamples } from '../../model/sample.ts';
import type { SamplePiece } from '../readers/sample-pieces.ts';
import type { SampleSelection, SeriesPoints } from '../readers/samples.ts';
import { createAskMemory } from './ask-memory.ts';
import { RecentState, type RecentStateOptions, spanToKeep, type Wanted } from './recent-state.ts';
import { keyOf, metricOf, type RecentSelection } from './selection.ts';

export interface RecentSamplesOptions extends RecentStateOptions {
  /** Resolves once everything that was acknowledged before the call can be read. */
  readonly freshen: (signal: AbortSignal) => Promise<void>;
  readonly read: (
    selection: SampleSelection & { readonly metric: string },
    signal: AbortSignal,
  ) => AsyncIterable<SamplePiece>;
  /** What is older may be dropped from the store at any time; undefined where nothing is. Memory answers for nothing that reaches back to it. */
  readonly oldestMs?: () => number | undefined;
  /** Told why a selection could not be brought into memory; the store goes on answering for it. */
  readonly onFailure: (error: unknown) => void;
}

export interface RecentStatistics {
  readonly selections: number;
  readonly series: number;
  readonly bytes: number;
  /** How many selectors of queries were answered from memory, and how many were not. */
  readonly hits: number;
  readonly misses: number;
}

export interface RecentSamples {
  /** The samples of a selection in the order of labels, as views that nobody writes to; undefined where memory has not all of them. */
  find(selection: SampleSelection): readonly SeriesPoints[] | undefined;
  /** Takes samples that were acknowledged. */
  keep(items: readonly SeriesSamples[]): void;
  /** Forgets everything: the store may no longer have what is here. */
  clear(): void;
  statistics(): RecentStatistics;
  /** Ends what is being read. */
  stop(): Promise<void>;
}

const maxWaiting = 64;
const loadTimeoutMs = 60_000;
/** The last time that the tables' key knows. */
const lastMs = 4_294_967_294_000;

class NoRoomError extends Error {
  override readonly name = 'NoRoomError';
}

/** Nobody's fault, and soon tried again. */
class ForgottenError extends Error {
  override readonly name = 'ForgottenError';
}

/** What people and dashboards write is shorter; two thousand keys are remembered. */
const maxKeyLength = 10_000;

/** One selection may take so much of the memory. */
const largestShare = 0.9;

/** Holds nothing until something is asked for twice. */
export function createRecentSamples(options: RecentSamplesOptions): RecentSamples {
  const { maxBytes, nowMs } = options;
  const state = new RecentState(options);
  const asks = createAskMemory(options.monotonicMs);
  const waiting = new Map<string, Wanted>();
  const stopping = new AbortController();
  let loadingKey: string | undefined;
  let working: Promise<void> | undefined;
  let hits = 0;
  let misses = 0;

  const read = async (selection: RecentSelection, signal: AbortSignal): Promise<void> => {
    const before = state.size().bytes;
    await options.freshen(signal);
    const { metric, matchers, fromMs: afterMs } = selection;
    for await (const { series, share } of options.read({ metric, matchers, afterMs, untilMs: lastMs }, signal)) {
      if (!state.has(selection)) throw new ForgottenError('everything was forgotten meanwhile');
      state.take(selection, series);
      const expected = (state.size().bytes - before) / share;
      if (expected > maxBytes * largestShare || !state.makeRoom()) throw new NoRoomError('it does not fit into memory');
    }
  };

  const bring = async (wanted: Wanted, signal: AbortSignal): Promise<void> => {
    const selection = state.begin(wanted);
    try {
      const adopting = state.adopt(selection);
      let step = adopting.next();
      for (; step.done !== true; step = adopting.next()) {
        await nextTurn();
        signal.throwIfAborted();
      }
      if (!step.value) await read(selection, signal);
      if (!state.has(selection)) throw new ForgottenError('everything was forgotten meanwhile');
      state.finish(selection);
      if (!state.makeRoom()) throw new NoRoomError('it does not fit into memory');
    } catch (error) {
      state.giveUp(selection);
      throw error;
    }
  };

  const work = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const [next] = waiting;
      if (next === undefined) return;
      const [key, wanted] = next;
      waiting.delete(key);
      loadingKey = key;
      try {
        await within(stopping.signal, loadTimeoutMs, (signal) => bring(wanted, signal));
      } catch (error) {
        const isForLong = error instanceof NoRoomError;
        asks.refuse(key, { spanMs: wanted.spanMs, isForLong });
        const isExpected = isForLong || error instanceof ForgottenError;
        if (!isExpected && !stopping.signal.aborted) options.onFailure(error);
      } finally {
        loadingKey = undefined;
      }
    }
  };

  const want = (selection: SampleSelection, metric: string): void => {
    const key = keyOf(selection.matchers);
    if (key.length > maxKeyLength) return;
    const spanMs = spanToKeep(nowMs() - selection.afterMs);
    const isWanted = asks.isWanted(key, spanMs);
    if (!isWanted || key === loadingKey || waiting.size >= maxWaiting || stopping.signal.aborted) return;
    const before = waiting.get(key);
    waiting.set(key, before === undefined || before.spanMs < spanMs ? { selection, metric, spanMs } : before);
    working ??= work().finally(() => {
      working = undefined;
    });
  };

  return {
    find(selection) {
      const metric = metricOf(selection.matchers);
      if (metric === undefined || maxBytes === 0 || selection.untilMs > lastMs) return undefined;
      if (selection.afterMs < (options.oldestMs?.() ?? Number.NEGATIVE_INFINITY)) return undefined;
      const found = state.find(selection, metric);
      if (found === undefined) {
        misses++;
        want(selection, metric);
      } else hits++;
      return found;
    },
    keep: (items) => state.keep(items),
    clear: () => state.clear(),
    statistics: () => ({ ...state.size(), hits, misses }),
    async stop() {
      stopping.abort(new Error('recent samples are let go'));
      await working;
    },
  };
}
