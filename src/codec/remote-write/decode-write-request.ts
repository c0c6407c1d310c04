/**
 * Prometheus' remote write 1.0 (https://prometheus.io/docs/specs/prw/remote_write_spec/): the bytes of a WriteRequest as a batch. What
 * cannot be taken is left out and told by its reason; only bytes that are no WriteRequest are an error.
 */
import type { Exemplar } from '../../model/exemplar.ts';
import type { MetricMetadata, MetricType } from '../../model/metric-metadata.ts';
import type { Label, Sample, Series, SeriesSamples } from '../../model/sample.ts';
import { CodecError } from '../codec-error.ts';
import { createLabelReader, exemplarLabels, readLabel } from './labels.ts';
import { type ByteRange, createSeriesCache, type KnownSeries } from './series-cache.ts';
import { WireCursor } from './wire-cursor.ts';

/** Something that was left out, with its reason and how many samples, or exemplars, or histograms there were of it. */
export interface LeftOut {
  readonly what: 'samples' | 'exemplars' | 'histograms';
  readonly reason: string;
  count: number;
}

export interface DecodedWrite {
  readonly items: readonly SeriesSamples[];
  readonly metadata: readonly MetricMetadata[];
  readonly exemplars: readonly Exemplar[];
  /** In `items`. */
  readonly samples: number;
  /** At most `maxReasons` different reasons; the last one then stands for all further ones. */
  readonly leftOut: readonly LeftOut[];
}

/** A body has more samples, exemplars and families together than are taken. */
export class TooManySamplesError extends CodecError {}

export interface WriteDecoderOptions {
  /** Exemplars, what is said of families and series without anything count too: each of them can be two bytes on the wire. */
  readonly maxSamples: number;
  /** Added to each series that lacks them. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Bytes of labels of series that are known without reading them again. */
  readonly maxKnownBytes: number;
}

const maxReasons = 20;
const maxHelpChars = 4096;
/** So many labels are not even read, whatever series may have: an empty one is two bytes on the wire and a hundred in memory. */
const readLabelsAtMost = 1000;

/** 1900: the store's times begin there. */
const earliestMs = -2_208_988_800_000;

const staleLow = 2;
const staleHigh = 0x7ff0_0000;

/** By their numbers in protobuf. */
const types: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

/** What one request comes to while it is read. */
class Collected {
  readonly items: SeriesSamples[] = [];
  readonly metadata: MetricMetadata[] = [];
  readonly exemplars: Exemplar[] = [];
  readonly #leftOut = new Map<string, LeftOut>();
  /** In `items`. */
  samples = 0;
  /** With those that were left out. */
  seen = 0;
  /** The series before the one that is read. */
  before: KnownSeries | undefined;

  leaveOut(what: LeftOut['what'], reason: string, count: number): void {
    if (count === 0) return;
    const isFull = this.#leftOut.size >= maxReasons;
    const key = `${what} ${reason}`;
    const known = this.#leftOut.get(key) ?? (isFull ? [...this.#leftOut.values()].at(-1) : undefined);
    if (known !== undefined) known.count += count;
    else this.#leftOut.set(key, { what, reason, count });
  }

  result(): DecodedWrite {
    const { items, metadata, exemplars, samples } = this;
    return { items, metadata, exemplars, samples, leftOut: [...this.#leftOut.values()] };
  }
}

/** Sample { double value = 1; int64 timestamp = 2 }. Neither is on the wire where it is 0. */
function readSample(cursor: WireCursor, end: number): Sample {
  let value = 0;
  let timestampMs = 0;
  let isStale = false;
  while (cursor.at < end) {
    const tag = cursor.uint32();
    if (tag === 0x09) {
      const at = cursor.at;
      value = cursor.double();
      // A marker is told by its bits before anything is done with the number.
      isStale =
        Number.isNaN(value) &&
        cursor.view.getUint32(at, true) === staleLow &&
        cursor.view.getUint32(at + 4, true) === staleHigh;
    } else if (tag === 0x10) timestampMs = cursor.int64();
    else cursor.skip(tag, end);
  }
  cursor.leave(end);
  return { timestampMs, value, isStale };
}

/** MetricMetadata { type = 1; metric_family_name = 2; help = 4; unit = 5 }. */
function readMetadata(cursor: WireCursor, end: number): MetricMetadata {
  let type: MetricType = 'unknown';
  const texts: Record<number, string> = {};
  while (cursor.at < end) {
    const tag = cursor.uint32();
    if (tag === 0x08) type = types[cursor.uint32()] ?? 'unknown';
    else if (tag === 0x12 || tag === 0x22 || tag === 0x2a) {
      const stop = cursor.part(end);
      texts[tag >>> 3] = cursor.bytes.toString('utf8', cursor.at, stop);
      cursor.at = stop;
    } else cursor.skip(tag, end);
  }
  cursor.leave(end);
  return { family: texts[2] ?? '', type, help: (texts[4] ?? '').slice(0, maxHelpChars), unit: texts[5] ?? '' };
}

/** Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3 }. One with more labels than there can be has none. */
function readExemplar(cursor: WireCursor, end: number) {
  let labels: Label[] | undefined = [];
  let value = 0;
  let timestampMs = 0;
  while (cursor.at < end) {
    const tag = cursor.uint32();
    if (tag === 0x0a) {
      const stop = cursor.part(end);
      if (labels === undefined || labels.length === readLabelsAtMost) {
        labels = undefined;
        cursor.at = stop;
      } else labels.push(readLabel(cursor, stop));
    } else if (tag === 0x11) value = cursor.double();
    else if (tag === 0x18) timestampMs = cursor.int64();
    else cursor.skip(tag, end);
  }
  cursor.leave(end);
  return { labels, value, timestampMs };
}

const byTime = (a: Sample, b: Sample): number => a.timestampMs - b.timestampMs;

function isSorted(samples: readonly Sample[]): boolean {
  for (let i = 1; i < samples.length; i++) {
    if ((samples[i - 1]?.timestampMs ?? 0) > (samples[i]?.timestampMs ?? 0)) return false;
  }
  return true;
}

/** The fields of a TimeSeries; of labels and exemplars, where they lie. */
interface Fields {
  readonly samples: Sample[];
  readonly labels: { start: number; end: number };
  labelCount: number;
  exemplars: ByteRange[] | undefined;
  histograms: number;
}

interface SampleSink {
  readonly samples: Sample[];
  readonly into: Collected;
}

const refusedUnread = (count: number) => ({
  series: undefined,
  refusal: `a series has ${count} labels, more than ${readLabelsAtMost}`,
});

/** Each step tells how many samples there are so far. The body must stay as it is until the last one. */
export type WriteDecoder = (body: Buffer) => Generator<number, DecodedWrite>;

/** A body no longer than this is read in one step: a millisecond where its series are known, ten where they are new. */
export const stepBytes = 256 * 1024;

/** Makes a decoder of inflated bodies, which remembers the series that it has seen. Hot: bench/remote-write.ts. */
export function createWriteDecoder(options: WriteDecoderOptions): WriteDecoder {
  const cache = createSeriesCache({ maxBytes: options.maxKnownBytes });
  const readLabels = createLabelReader(options.tags ?? {});

  /** The labels are the fields from `start` to `end`. */
  const seriesAt = (cursor: WireCursor, labels: ByteRange, into: Collected): KnownSeries => {
    const { start, end } = labels;
    let known = cache.find(cursor.bytes, labels, into.before);
    if (known === undefined) {
      const goOnAt = cursor.at;
      cursor.at = start;
      known = cache.add(cursor.bytes, labels, readLabels(cursor, end));
      cursor.at = goOnAt;
      if (into.before !== undefined) into.before.next = known;
    }
    into.before = known;
    return known;
  };

  const takeExemplars = (cursor: WireCursor, ranges: readonly ByteRange[], series: Series, into: Collected) => {
    for (const { start, end } of ranges) {
      cursor.at = start;
      const { labels, value, timestampMs } = readExemplar(cursor, end);
      const kept = labels === undefined ? undefined : exemplarLabels(labels);
      if (kept === undefined)
        into.leaveOut('exemplars', 'labels of an exemplar are invalid or longer than 128 characters', 1);
      else into.exemplars.push({ series, labels: kept, value, timestampMs });
    }
  };

  const count = (into: Collected): void => {
    if (++into.seen > options.maxSamples) {
      throw new TooManySamplesError(`the body holds more than ${options.maxSamples} samples; send smaller batches`);
    }
  };

  const takeSample = (cursor: WireCursor, end: number, { samples, into }: SampleSink): void => {
    count(into);
    const sample = readSample(cursor, end);
    if (sample.timestampMs >= earliestMs) samples.push(sample);
    else into.leaveOut('samples', 'out of bounds: a time before 1900', 1);
  };

  /** TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4 }. */
  const readFields = (cursor: WireCursor, end: number, into: Collected): Fields => {
    const samples: Sample[] = [];
    const fields: Fields = {
      samples,
      exemplars: undefined,
      histograms: 0,
      labels: { start: cursor.at, end: cursor.at },
      labelCount: 0,
    };
    const sink = { samples, into };
    let isPastLabels = false;
    while (cursor.at < end) {
      const tag = cursor.uint32();
      if (tag === 0x0a) {
        cursor.at = cursor.part(end);
        fields.labelCount++;
        // Labels after other fields: nobody sends them so, and then all fields are looked through for labels.
        fields.labels.end = isPastLabels ? end : cursor.at;
        continue;
      }
      isPastLabels = true;
      if (tag === 0x12) takeSample(cursor, cursor.part(end), sink);
      else if (tag === 0x1a) {
        count(into);
        const stop = cursor.part(end);
        fields.exemplars ??= [];
        fields.exemplars.push({ start: cursor.at, end: stop });
        cursor.at = stop;
      } else if (tag === 0x22) {
        cursor.at = cursor.part(end);
        fields.histograms++;
      } else cursor.skip(tag, end);
    }
    cursor.leave(end);
    return fields;
  };

  const takeSeries = (cursor: WireCursor, end: number, into: Collected): void => {
    const { samples, exemplars, histograms, labels, labelCount } = readFields(cursor, end, into);
    if (samples.length === 0 && exemplars === undefined) count(into);
    const known = labelCount > readLabelsAtMost ? refusedUnread(labelCount) : seriesAt(cursor, labels, into);
    if (histograms > 0) into.leaveOut('histograms', 'native histograms are not stored; send classic ones', histograms);
    if (known.series === undefined) {
      into.leaveOut('samples', known.refusal, samples.length);
      into.leaveOut('exemplars', known.refusal, exemplars?.length ?? 0);
      return;
    }
    if (samples.length > 0) {
      if (samples.length > 1 && !isSorted(samples)) samples.sort(byTime);
      into.items.push({ series: known.series, samples });
      into.samples += samples.length;
    }
    if (exemplars !== undefined) {
      takeExemplars(cursor, exemplars, known.series, into);
      cursor.at = end;
    }
  };

  return function* decode(body) {
    const cursor = new WireCursor(body);
    const into = new Collected();
    const end = body.length;
    let stepEnd = stepBytes;
    while (cursor.at < end) {
      const tag = cursor.uint32();
      if (tag === 0x0a) {
        takeSeries(cursor, cursor.part(end), into);
      } else if (tag === 0x1a) {
        count(into);
        const metadata = readMetadata(cursor, cursor.part(end));
        if (metadata.family !== '') into.metadata.push(metadata);
      } else cursor.skip(tag, end);
      if (cursor.at > stepEnd) {
        stepEnd = cursor.at + stepBytes;
        yield into.seen;
      }
    }
    cursor.leave(end);
    return into.result();
  };
}
