/**
 * The store as a destination of the intake: batches are encoded as blocks of their tables and synced in the store's spool. While one
 * group is being synced the next gathers, and each group becomes one block a table, since blocks cost the engine as much as rows do.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Batch, Outcome, Position } from '../../model/batch.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import type { LogRecord } from '../../model/log-record.ts';
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import type { SeriesSamples } from '../../model/sample.ts';
import type { Span } from '../../model/span.ts';
import type { Destination } from '../../pipeline/intake.ts';
import { RefusedError } from '../../pipeline/refusal.ts';
import { outcomeOf } from '../../pipeline/spool/outcome.ts';
import { type AppendResult, positionsSection, type Section, type Spool } from '../../pipeline/spool/spool.ts';
import { createLogEncoder } from '../writers/logs.ts';
import { countSamples, createSampleEncoder } from '../writers/samples.ts';
import { createExemplarEncoder } from '../writers/series-exemplars.ts';
import { createMetadataEncoder } from '../writers/series-metadata.ts';
import { createSpanEncoder } from '../writers/spans.ts';
import { createKnownMetadata } from './known-metadata.ts';
import { createKnownSeries } from './known-series.ts';
import { storeSectionKinds } from './sections.ts';

export interface StoreDestinationOptions {
  readonly spool: Spool;
  readonly nowMs: () => number;
  /** Told of samples once they are kept. */
  readonly onSamples?: (items: readonly SeriesSamples[]) => void;
  /** Items that may wait for their turn; beyond it a batch is refused at once. */
  readonly maxWaitingItems?: number;
}

export interface StoreDestination extends Destination {
  /** The store may have lost its series, or is another one: they are written anew. */
  forgetSeries(): void;
}

interface Waiting {
  readonly batch: Batch;
  /** Rows. */
  readonly weight: number;
  readonly signal: AbortSignal;
  readonly resolve: (outcome: Outcome) => void;
}

const defaultMaxWaitingItems = 200_000;
/** A block of this many rows is large enough for the engine; larger ones only take memory. */
const maxGroupItems = 8192;
/** A body may bring more spans than a group; beyond this they are encoded a slice at a time, so that nobody waits for all of them. */
const maxBlockItems = 2 * maxGroupItems;
const sliceItems = 4096;

/** What a group brings, by table. */
interface Gathered {
  readonly spans: Span[];
  readonly samples: SeriesSamples[];
  readonly metadata: MetricMetadata[];
  readonly exemplars: Exemplar[];
  readonly logs: LogRecord[];
  readonly positions: Position[];
}

function gather(batches: readonly Batch[]): Gathered {
  const all: Gathered = { spans: [], samples: [], metadata: [], exemplars: [], logs: [], positions: [] };
  for (const batch of batches) {
    if (batch.signal === 'spans') for (const span of batch.items) all.spans.push(span);
    else if (batch.signal === 'samples') {
      for (const item of batch.items) all.samples.push(item);
      for (const entry of batch.metadata ?? []) all.metadata.push(entry);
      for (const exemplar of batch.exemplars ?? []) all.exemplars.push(exemplar);
    } else {
      for (const record of batch.items) all.logs.push(record);
      for (const position of batch.positions ?? []) all.positions.push(position);
    }
  }
  return all;
}

/** What the store will know once the sections are kept. */
interface Encoded {
  readonly sections: readonly Section[];
  kept(): void;
}

/** Makes the function that turns batches into sections, and the one that forgets which series the store has. */
function createSectionEncoder({ nowMs, onSamples }: StoreDestinationOptions) {
  const encodeSpans = createSpanEncoder();
  const encoder = createSampleEncoder();
  const encodeExemplars = createExemplarEncoder();
  const encodeMetadata = createMetadataEncoder();
  const encodeLogs = createLogEncoder();
  const knownSeries = createKnownSeries();
  const knownMetadata = createKnownMetadata();
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
  const encode = async (batches: readonly Batch[]): Promise<Encoded> => {
    const { spans, samples, metadata, exemplars, logs, positions } = gather(batches);
    const sections: Section[] = [];
    const put = (kind: number, items: number, encodeAll: () => Uint8Array) => {
      if (items > 0) sections.push({ kind, items, bytes: encodeAll() });
    };
    const atMs = nowMs();
    // An exemplar may come without a sample of its series, and must find it all the same.
    const points = exemplars.map(({ series, timestampMs, value }): SeriesSamples => {
      return { series, samples: [{ timestampMs, value, isStale: false }] };
    });
    const series = knownSeries.missing(points.length === 0 ? samples : [...samples, ...points]);
    const said = knownMetadata.missing(metadata, atMs);
    put(storeSectionKinds.series, series.length, () => encoder.series(series));
    put(storeSectionKinds.metadata, said.length, () => encodeMetadata(said, atMs));
    put(storeSectionKinds.samples, countSamples(samples), () => encoder.samples(samples));
    put(storeSectionKinds.exemplars, exemplars.length, () => encodeExemplars(exemplars));
    if (spans.length > 0) {
      for (const section of await encodeSlices(spans)) sections.push(section);
    }
    put(storeSectionKinds.logs, logs.length, () => encodeLogs(logs));
    if (positions.length > 0) sections.push(positionsSection(positions));
    const kept = () => {
      knownSeries.add(series);
      knownMetadata.add(said, atMs);
      if (samples.length > 0) onSamples?.(samples);
    };
    return { sections, kept };
  };
  const forgetSeries = () => {
    knownSeries.clear();
    knownMetadata.clear();
  };
  return { encode, forgetSeries };
}

/** Spans, samples or lines. */
const countOf = (batch: Batch): number => (batch.signal === 'samples' ? countSamples(batch.items) : batch.items.length);

/** How much a batch weighs in a group, in rows. */
const weightOf = (batch: Batch): number =>
  batch.signal === 'samples'
    ? countOf(batch) + (batch.metadata?.length ?? 0) + (batch.exemplars?.length ?? 0)
    : countOf(batch);

const leftError = new RefusedError('overloaded', 'the sender left before its batch was written');

/** Makes the store's destination over its spool. */
export function createStoreDestination(options: StoreDestinationOptions): StoreDestination {
  const { spool, maxWaitingItems = defaultMaxWaitingItems } = options;
  const { encode, forgetSeries } = createSectionEncoder(options);
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
      waitingItems -= next.weight;
      if (next.signal.aborted) next.resolve({ kind: 'retry', cause: leftError });
      else {
        group.push(next);
        items += next.weight;
      }
    }
    return group;
  };

  const answer = ({ batch, resolve }: Waiting, result: AppendResult) => resolve(outcomeOf(result, countOf(batch)));

  const keepGroup = async (group: readonly Waiting[]): Promise<void> => {
    try {
      const { sections, kept } = await encode(group.map(({ batch }) => batch));
      const result = sections.length === 0 ? ({ kind: 'kept' } as const) : await spool.append(sections, unabortable);
      if (result.kind === 'kept') kept();
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
      const weight = weightOf(batch);
      if (waitingItems + weight > maxWaitingItems && waitingItems > 0) {
        const cause = new RefusedError(
          'overloaded',
          'more arrives than can be written to disk; send again in a moment',
        );
        return Promise.resolve({ kind: 'retry', afterMs: 1000, cause });
      }
      return new Promise((resolve) => {
        waiting.push({ batch, weight, signal, resolve });
        waitingItems += weight;
        // The promise is watched through the outcomes it resolves; `run` itself never rejects.
        void run();
      });
    },
    forgetSeries,
  };
}
