/**
 * The store as a destination of the intake: batches are encoded as blocks of their tables and synced in the store's spool. While one
 * group is being synced the next gathers, and each group becomes one block a table, since blocks cost the engine as much as rows do.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Batch, Outcome } from '../../model/batch.ts';
import type { LogRecord } from '../../model/log-record.ts';
import type { SeriesSamples } from '../../model/sample.ts';
import type { Span } from '../../model/span.ts';
import type { Destination } from '../../pipeline/intake.ts';
import { RefusedError } from '../../pipeline/refusal.ts';
import { outcomeOf } from '../../pipeline/spool/outcome.ts';
import { type AppendResult, positionsSection, type Section, type Spool } from '../../pipeline/spool/spool.ts';
import { createLogEncoder } from '../writers/logs.ts';
import { countSamples, createSampleEncoder } from '../writers/samples.ts';
import { createSpanEncoder } from '../writers/spans.ts';
import { createKnownSeries, type KnownSeries } from './known-series.ts';
import { storeSectionKinds } from './sections.ts';

export interface StoreDestinationOptions {
  readonly spool: Spool;
  readonly nowMs: () => number;
  /** Items that may wait for their turn; beyond it a batch is refused at once. */
  readonly maxWaitingItems?: number;
}

export interface StoreDestination extends Destination {
  /** The store may have lost its series, or is another one: they are written anew. */
  forgetSeries(): void;
}

interface Waiting {
  readonly batch: Batch;
  readonly signal: AbortSignal;
  readonly resolve: (outcome: Outcome) => void;
}

const defaultMaxWaitingItems = 200_000;
/** A block of this many rows is large enough for the engine; larger ones only take memory. */
const maxGroupItems = 8192;
/** A body may bring more spans than a group; beyond this they are encoded a slice at a time, so that nobody waits for all of them. */
const maxBlockItems = 2 * maxGroupItems;
const sliceItems = 4096;

/** Makes the function that turns batches into sections. */
function createSectionEncoder(known: KnownSeries, nowMs: () => number) {
  const encodeSpans = createSpanEncoder();
  const encoder = createSampleEncoder();
  const encodeLogs = createLogEncoder();
  /** A block for each slice of many spans. Blocks are valid until the next one, so all but a single one are copied. */
  const encodeSlices = async (spans: readonly Span[]): Promise<Section[]> => {
    const kind = storeSectionKinds.spans;
    if (spans.length <= maxBlockItems) return [{ kind, items: spans.length, bytes: encodeSpans(spans, nowMs()) }];
    const sections: Section[] = [];
    const arrivalMs = nowMs();
    for (let start = 0; start < spans.length; start += sliceItems) {
      const slice = spans.slice(start, start + sliceItems);
      sections.push({ kind, items: slice.length, bytes: Buffer.from(encodeSpans(slice, arrivalMs)) });
      await nextTurn();
    }
    return sections;
  };
  return async (batches: readonly Batch[]) => {
    const spans: Span[] = [];
    const samples: SeriesSamples[] = [];
    const logs: LogRecord[] = [];
    const positions = batches.flatMap((batch) => (batch.signal === 'logs' ? (batch.positions ?? []) : []));
    for (const batch of batches) {
      if (batch.signal === 'spans') for (const span of batch.items) spans.push(span);
      else if (batch.signal === 'samples') for (const item of batch.items) samples.push(item);
      else for (const record of batch.items) logs.push(record);
    }
    const sections: Section[] = [];
    const series = known.missing(samples);
    if (series.length > 0) {
      sections.push({ kind: storeSectionKinds.series, items: series.length, bytes: encoder.series(series) });
    }
    if (samples.length > 0) {
      sections.push({ kind: storeSectionKinds.samples, items: countSamples(samples), bytes: encoder.samples(samples) });
    }
    if (spans.length > 0) {
      for (const section of await encodeSlices(spans)) sections.push(section);
    }
    if (logs.length > 0) {
      sections.push({ kind: storeSectionKinds.logs, items: logs.length, bytes: encodeLogs(logs) });
    }
    if (positions.length > 0) sections.push(positionsSection(positions));
    return { sections, series };
  };
}

const leftError = new RefusedError('overloaded', 'the sender left before its batch was written');

/** Makes the store's destination over its spool. */
export function createStoreDestination(options: StoreDestinationOptions): StoreDestination {
  const { spool, maxWaitingItems = defaultMaxWaitingItems } = options;
  const known = createKnownSeries();
  const encode = createSectionEncoder(known, options.nowMs);
  const waiting: Waiting[] = [];
  /** The group's record outlives any one sender: nobody's leaving may take back what others wait for. */
  const unabortable = new AbortController().signal;
  let waitingItems = 0;
  let isRunning = false;

  const takeGroup = (): Waiting[] => {
    const group: Waiting[] = [];
    let items = 0;
    for (let next = waiting[0]; next !== undefined && items < maxGroupItems; next = waiting[0]) {
      waiting.shift();
      waitingItems -= next.batch.items.length;
      if (next.signal.aborted) next.resolve({ kind: 'retry', cause: leftError });
      else {
        group.push(next);
        items += next.batch.items.length;
      }
    }
    return group;
  };

  const answer = ({ batch, resolve }: Waiting, result: AppendResult) => resolve(outcomeOf(result, batch.items.length));

  const keepGroup = async (group: readonly Waiting[]): Promise<void> => {
    try {
      const { sections, series } = await encode(group.map(({ batch }) => batch));
      const result = sections.length === 0 ? ({ kind: 'kept' } as const) : await spool.append(sections, unabortable);
      if (result.kind === 'kept') known.add(series);
      if (result.kind === 'too_large' && group.length > 1) await keepOneByOne(group);
      else for (const waiting of group) answer(waiting, result);
    } catch (cause) {
      if (group.length > 1) return keepOneByOne(group);
      const error = new RefusedError('internal', 'the batch could not be encoded for the store', { cause });
      for (const { resolve } of group) resolve({ kind: 'retry', cause: error });
    }
  };

  /** What is wrong with one batch must not be said to those that happened to wait beside it. */
  const keepOneByOne = async (group: readonly Waiting[]): Promise<void> => {
    for (const waiting of group) await keepGroup([waiting]);
  };

  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      while (waiting.length > 0) {
        const group = takeGroup();
        if (group.length > 0) await keepGroup(group);
      }
    } finally {
      isRunning = false;
    }
  };

  return {
    name: 'store',
    append(batch, signal) {
      const items = batch.items.length;
      if (waitingItems + items > maxWaitingItems && waitingItems > 0) {
        const cause = new RefusedError(
          'overloaded',
          'more arrives than can be written to disk; send again in a moment',
        );
        return Promise.resolve({ kind: 'retry', afterMs: 1000, cause });
      }
      return new Promise((resolve) => {
        waiting.push({ batch, signal, resolve });
        waitingItems += items;
        // The promise is watched through the outcomes it resolves; `run` itself never rejects.
        void run();
      });
    },
    forgetSeries: () => known.clear(),
  };
}
