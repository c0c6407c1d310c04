/**
 * Where every batch goes through: global tags are added, what is too old or too far ahead is taken out, and the rest is handed to every
 * destination. A batch is kept once all of them have it on disk.
 */
import type { Accept, Batch, Outcome, Signal } from '../model/batch.ts';
import type { Resource } from '../model/resource.ts';
import { createSeries, type Sample, type Series, type SeriesSamples } from '../model/sample.ts';
import type { Span } from '../model/span.ts';
import type { Meter } from './meter.ts';
import { RefusedError, reasonOf } from './refusal.ts';

/** Something that keeps batches on disk until they are where they belong: the store, or an output. */
export interface Destination {
  readonly name: string;
  /** Resolves once the batch is synced, or refused. `kept` is also the answer for a signal that the destination does not take. */
  append(batch: Batch, signal: AbortSignal): Promise<Outcome>;
}

export interface IntakeOptions {
  /** The store comes last: a batch that an output refuses will be sent again, and must not be in the store by then. */
  readonly outputs: () => readonly Destination[];
  readonly store: Destination | undefined;
  readonly globalTags: Readonly<Record<string, string>>;
  /** Rows before this would be gone at once; undefined when everything is kept for ever. */
  readonly oldestMs: (signal: Signal) => number | undefined;
  /**
   * Rows before this may be gone at once, for what the store keeps is not known yet; undefined when it is. A batch of spans or lines with
   * such a row is refused until then. Samples are refused one by one, as those that are too old are: a scrape is not repeated.
   */
  readonly unsureMs?: (signal: Signal) => number | undefined;
  readonly nowMs: () => number;
  readonly meter: Meter;
}

export interface Intake {
  /** The Accept that belongs to a component, by whose name everything is counted. */
  acceptFor(component: string): Accept;
  /** From now on every batch is refused with 503: the agent is going down. */
  close(): void;
}

/** A sample further ahead than this is refused, as Prometheus refuses it. */
const maxSampleAheadMs = 10 * 60_000;

/** 1900: the store's times begin there, and what is before would be kept as another time. A page may say any time at all. */
const earliestSampleMs = -2_208_988_800_000;

/** What is left of a batch, and what was taken out of it. */
interface Sifted {
  readonly batch: Batch;
  readonly tooOld: number;
  readonly tooFarAhead: number;
  /** Exemplars of such times; as with Prometheus no request fails for them. */
  readonly exemplars?: number;
  /** The times that are taken, both included. */
  readonly takenMs: { readonly from: number; readonly to: number };
}

function countOf(batch: Batch): number {
  if (batch.signal !== 'samples') return batch.items.length;
  let count = 0;
  for (const { samples } of batch.items) count += samples.length;
  return count;
}

function siftSpans(items: readonly Span[], oldestMs: number): readonly Span[] {
  const oldestUs = oldestMs * 1000;
  const isKept = (span: Span) => span.startUs === undefined || span.startUs >= oldestUs;
  return items.every(isKept) ? items : items.filter(isKept);
}

function siftSamples(items: readonly SeriesSamples[], oldestMs: number, newestMs: number) {
  let tooOld = 0;
  let tooFarAhead = 0;
  const isKept = ({ timestampMs }: Sample): boolean => timestampMs >= oldestMs && timestampMs <= newestMs;
  if (items.every(({ samples }) => samples.every(isKept))) return { items, tooOld, tooFarAhead };
  const kept: SeriesSamples[] = [];
  for (const item of items) {
    if (item.samples.every(isKept)) {
      kept.push(item);
      continue;
    }
    for (const { timestampMs } of item.samples) {
      if (timestampMs < oldestMs) tooOld++;
      else if (timestampMs > newestMs) tooFarAhead++;
    }
    const samples = item.samples.filter(isKept);
    if (samples.length > 0) kept.push({ series: item.series, samples });
  }
  return { items: kept, tooOld, tooFarAhead };
}

function sift(batch: Batch, oldestMs: number, nowMs: number): Sifted {
  const takenMs = { from: oldestMs, to: nowMs + maxSampleAheadMs };
  switch (batch.signal) {
    case 'spans': {
      const items = siftSpans(batch.items, oldestMs);
      return {
        batch: items === batch.items ? batch : { ...batch, items },
        tooOld: batch.items.length - items.length,
        tooFarAhead: 0,
        takenMs,
      };
    }
    case 'samples': {
      const { items, tooOld, tooFarAhead } = siftSamples(batch.items, oldestMs, takenMs.to);
      const kept = batch.exemplars?.filter(({ timestampMs }) => timestampMs >= oldestMs && timestampMs <= takenMs.to);
      const exemplars = (batch.exemplars?.length ?? 0) - (kept?.length ?? 0);
      if (tooOld + tooFarAhead + exemplars === 0) return { batch, tooOld, tooFarAhead, takenMs };
      const sifted = { ...batch, items, ...(kept === undefined ? {} : { exemplars: kept }) };
      return { batch: sifted, tooOld, tooFarAhead, exemplars, takenMs };
    }
    case 'logs': {
      const oldestNs = BigInt(Math.ceil(Math.max(oldestMs, 0))) * 1_000_000n;
      const items = batch.items.filter((record) => record.timeNs >= oldestNs);
      // Positions go on even when no line does: the lines were read.
      return { batch: { ...batch, items }, tooOld: batch.items.length - items.length, tooFarAhead: 0, takenMs };
    }
  }
}

/** Adds tags to every item; what an item says itself wins. Derived objects are remembered, so that ids cached on them stay cached. */
function createTagger(tags: Readonly<Record<string, string>>): (batch: Batch) => Batch {
  if (Object.keys(tags).length === 0) return (batch) => batch;
  const resources = new WeakMap<Resource, Resource>();
  const series = new WeakMap<Series, Series>();
  const tagResource = (resource: Resource): Resource => {
    let tagged = resources.get(resource);
    if (tagged === undefined) {
      tagged = { ...resource, attributes: { ...tags, ...resource.attributes } };
      resources.set(resource, tagged);
    }
    return tagged;
  };
  const tagSeries = (plain: Series): Series => {
    let tagged = series.get(plain);
    if (tagged === undefined) {
      const own = new Set(plain.labels.map(([name]) => name));
      const added = Object.entries(tags).filter(([name]) => !own.has(name));
      tagged = createSeries([...plain.labels, ...added], plain.datakit);
      series.set(plain, tagged);
    }
    return tagged;
  };
  return (batch) => {
    switch (batch.signal) {
      case 'spans':
        return { ...batch, items: batch.items.map((span) => ({ ...span, resource: tagResource(span.resource) })) };
      case 'logs':
        return {
          ...batch,
          items: batch.items.map((record) => ({ ...record, resource: tagResource(record.resource) })),
        };
      case 'samples':
        return {
          ...batch,
          items: batch.items.map(({ series: plain, samples }) => ({ series: tagSeries(plain), samples })),
          ...(batch.exemplars === undefined
            ? {}
            : { exemplars: batch.exemplars.map((each) => ({ ...each, series: tagSeries(each.series) })) }),
        };
    }
  };
}

/** Makes the intake. */
export function createIntake(options: IntakeOptions): Intake {
  const { meter, outputs, store } = options;
  const tag = createTagger(options.globalTags);
  let isClosed = false;

  const keep = async (batch: Batch, signal: AbortSignal): Promise<Outcome> => {
    const outcomes = await Promise.all(outputs().map((output) => output.append(batch, signal)));
    const refused = outcomes.find((outcome) => outcome.kind !== 'kept');
    if (refused !== undefined) return refused;
    return store === undefined ? { kind: 'kept' } : store.append(batch, signal);
  };

  /** Spans cannot be refused one by one, since Zipkin's answer is 202 or nothing: the old ones among them are dropped and counted. */
  const tellOfSifted = (component: string, sifted: Sifted): Outcome => {
    const { batch, tooOld, tooFarAhead, takenMs } = sifted;
    const sentence = `${tooOld} older than is taken (store.retention, store.out_of_order_window), ${tooFarAhead} more than 10 minutes ahead of the clock`;
    if (batch.signal === 'spans') {
      meter.dropped(component, batch.signal, 'older_than_retention', tooOld, sentence);
      return { kind: 'kept' };
    }
    if (tooOld > 0) meter.refused(component, batch.signal, 'older_than_retention', tooOld, sentence);
    if (tooFarAhead > 0) meter.refused(component, batch.signal, 'too_far_ahead', tooFarAhead, sentence);
    const reason = tooOld > 0 ? 'older_than_retention' : 'too_far_ahead';
    const cause = new RefusedError(reason, sentence);
    return batch.signal === 'samples'
      ? { kind: 'rejected', count: tooOld + tooFarAhead, cause, takenMs }
      : { kind: 'rejected', count: tooOld, cause };
  };

  const oldestOf = (signal: Signal): number =>
    Math.max(
      options.oldestMs(signal) ?? Number.NEGATIVE_INFINITY,
      signal === 'samples' ? earliestSampleMs : Number.NEGATIVE_INFINITY,
      (signal === 'samples' ? options.unsureMs?.(signal) : undefined) ?? Number.NEGATIVE_INFINITY,
    );

  /** Why nothing of a batch can be kept now; undefined where it can. */
  const refusalOf = (batch: Batch): RefusedError | undefined => {
    const unsureMs = options.unsureMs?.(batch.signal);
    if (unsureMs === undefined || batch.signal === 'samples') return undefined;
    const { tooOld } = sift(batch, unsureMs, options.nowMs());
    if (tooOld === 0) return undefined;
    return new RefusedError(
      'retention_unknown',
      `${tooOld} of these may be older than the store keeps, which the store could not be asked yet; send this again later`,
    );
  };

  const acceptFor =
    (component: string): Accept =>
    async (batch, signal) => {
      const count = countOf(batch);
      meter.received(component, batch.signal, count);
      if (isClosed) {
        const cause = new RefusedError('shutting_down', 'the agent is shutting down; send this again in a few seconds');
        meter.refused(component, batch.signal, cause.reason, count, cause.message);
        return { kind: 'retry', cause };
      }
      const sifted = sift(batch, oldestOf(batch.signal), options.nowMs());
      const refusal = refusalOf(sifted.batch);
      if (refusal !== undefined) {
        meter.refused(component, batch.signal, refusal.reason, count, refusal.message);
        return { kind: 'retry', cause: refusal };
      }
      const isWhole = sifted.tooOld + sifted.tooFarAhead === 0;
      const keptCount = count - sifted.tooOld - sifted.tooFarAhead;
      const outcome = await keep(tag(sifted.batch), signal);
      if (outcome.kind !== 'kept') {
        meter.refused(component, batch.signal, reasonOf(outcome.cause), count, outcome.cause.message);
        return outcome;
      }
      meter.kept(component, batch.signal, keptCount);
      if (sifted.exemplars !== undefined && sifted.exemplars > 0) {
        const why = 'exemplars older than is taken, or more than 10 minutes ahead of the clock';
        meter.dropped(component, batch.signal, 'older_than_retention', sifted.exemplars, why);
      }
      return isWhole ? outcome : tellOfSifted(component, sifted);
    };

  return {
    acceptFor,
    close() {
      isClosed = true;
    },
  };
}
