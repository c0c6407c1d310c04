/**
 * OTLP metrics in: a request's body, in protobuf or JSON, as samples with metadata and exemplars, translated as Prometheus 3's OTLP receiver
 * does by default. What cannot be taken is left out and told by its reason; only bytes that are no request are an error (CodecError). The
 * steps of a large body take milliseconds each. Hot: bench/experiments/otlp-metrics.ts.
 */
import { CodecError } from '../codec-error.ts';
import { type ByteRange, malformed, WireReader } from '../protobuf/wire-reader.ts';
import type { MetricKind } from './metric-names.ts';
import {
  type PointContext,
  type ReadPoint,
  readHistogramPoint,
  readNumberPoint,
  readSummaryPoint,
  shownName,
} from './metric-points.ts';
import { createSeriesMemory, type KnownMetric, type KnownResource, type SeriesMemory } from './metric-series.ts';
import { type DecodedMetrics, MetricsCollector } from './metrics-collector.ts';
import { jsonToProtobuf } from './metrics-json.ts';
import { numbersOfAggregationTemporality } from './otlp.generated.ts';

export interface MetricsDecoderOptions {
  /** A body with more is refused. */
  readonly maxSamples: number;
  /** What may be remembered of the series that were seen. */
  readonly maxKnownBytes: number;
}

/** Each step tells how many samples there are so far. The body must stay as it is until the last one. */
export type MetricsDecoder = (body: Buffer, format: 'protobuf' | 'json') => Generator<number, DecodedMetrics>;

/** Where reading stands. */
interface Reading {
  readonly reader: WireReader;
  readonly memory: SeriesMemory;
  readonly collector: MetricsCollector;
}

/** Makes a decoder, which remembers the series that it has seen. */
export function createMetricsDecoder({ maxSamples, maxKnownBytes }: MetricsDecoderOptions): MetricsDecoder {
  const memory = createSeriesMemory({ maxBytes: maxKnownBytes });
  return function* decode(body, format) {
    const bytes = format === 'json' ? jsonToProtobuf(body, maxSamples) : body;
    const reading = {
      reader: new WireReader(bytes),
      memory,
      collector: new MetricsCollector(maxSamples, memory.created),
    };
    const { reader, collector } = reading;
    try {
      while (reader.pos < bytes.length) {
        const tag = reader.tag();
        if (tag === 0x0a) yield* readResourceMetrics(reading);
        else reader.unknown(tag, [1]);
      }
    } catch (error) {
      throw error instanceof CodecError ? error : malformed(reader, error);
    }
    return collector;
  };
}

/** Runs all steps at once. */
export function decodeMetrics(decode: MetricsDecoder, body: Buffer, format: 'protobuf' | 'json'): DecodedMetrics {
  const steps = decode(body, format);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const outerFields = [1, 2, 3];

function* readResourceMetrics(reading: Reading): Generator<number, void> {
  const { reader, memory, collector } = reading;
  const end = reader.enter();
  const scopes: ByteRange[] = [];
  let resource: ByteRange = { start: 0, end: 0 };
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x0a) resource = reader.passOver();
    else if (tag === 0x12) {
      collector.see(1);
      scopes.push(reader.passOver());
    } else if (tag === 0x1a) reader.passOver();
    else reader.unknown(tag, outerFields);
  }
  reader.leave(end);
  collector.see(1);
  const known = memory.resource(reader.rawText(resource.start, resource.end));
  for (const range of scopes) yield* readScopeMetrics(reading, range, known);
  collector.endResource(known);
  reader.pos = end;
}

function* readScopeMetrics(reading: Reading, range: ByteRange, resource: KnownResource): Generator<number, void> {
  const { reader } = reading;
  const end = reader.enterAt(range);
  let before: KnownMetric | undefined;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x12) before = yield* readMetric(reading, resource, before);
    // The scope makes no labels, as with Prometheus by default.
    else if (tag === 0x0a || tag === 0x1a) reader.passOver();
    else reader.unknown(tag, outerFields);
  }
  reader.leave(end);
}

const metricFields = [1, 2, 3, 5, 7, 9, 10, 11];

/** What a Metric message says; of its data, where they lie. */
interface MetricParts {
  name: string;
  description: string;
  unit: string;
  /** The tag of the data that came last. */
  dataTag: number;
  data: ByteRange;
}

function readParts(reader: WireReader): MetricParts {
  const end = reader.enter();
  const parts: MetricParts = { name: '', description: '', unit: '', dataTag: 0, data: { start: 0, end: 0 } };
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x0a) parts.name = reader.text();
    else if (tag === 0x12) parts.description = reader.text();
    else if (tag === 0x1a) parts.unit = reader.text();
    else if (tag === 0x2a || tag === 0x3a || tag === 0x4a || tag === 0x52 || tag === 0x5a) {
      parts.dataTag = tag;
      parts.data = reader.passOver();
    } else reader.unknown(tag, metricFields);
  }
  reader.leave(end);
  return parts;
}

/** The messages with data points, which all are alike. */
interface Data {
  readonly points: ByteRange[];
  temporality: number;
  isMonotonic: boolean;
}

function readData({ reader, collector }: Reading, range: ByteRange): Data {
  const end = reader.enterAt(range);
  const data: Data = { points: [], temporality: 0, isMonotonic: false };
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      collector.see(1);
      data.points.push(reader.passOver());
    } else if (tag === 0x10) data.temporality = reader.int32();
    else if (tag === 0x18) data.isMonotonic = reader.bool();
    else reader.unknown(tag, outerFields);
  }
  reader.leave(end);
  return data;
}

const dataTags: Readonly<Record<number, { readonly kind: MetricKind; readonly read: ReadPoint | undefined }>> = {
  42: { kind: 'gauge', read: readNumberPoint },
  58: { kind: 'updown', read: readNumberPoint },
  74: { kind: 'histogram', read: readHistogramPoint },
  82: { kind: 'exponential_histogram', read: undefined },
  90: { kind: 'summary', read: readSummaryPoint },
};

const cumulative = numbersOfAggregationTemporality.get('AGGREGATION_TEMPORALITY_CUMULATIVE');
const delta = numbersOfAggregationTemporality.get('AGGREGATION_TEMPORALITY_DELTA');

/** Why none of a metric's data points can be taken; '' where they can. */
function refusalOf({ kind, name }: KnownMetric, { temporality }: Data): string {
  if (name === '') return 'nothing of its name can be a name in Prometheus';
  if (kind === 'exponential_histogram')
    return 'exponential histograms are not stored; send histograms with explicit bounds (OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=explicit_bucket_histogram)';
  if (kind === 'gauge' || kind === 'summary' || temporality === cumulative) return '';
  if (temporality === delta)
    return 'delta temporality is not taken; send cumulative (OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative)';
  return 'its temporality is not said; send cumulative';
}

/** A histogram's points make some ten samples each. */
const pointsAtOnce = 64;

function* readMetric(
  reading: Reading,
  resource: KnownResource,
  before: KnownMetric | undefined,
): Generator<number, KnownMetric | undefined> {
  const { reader, memory, collector } = reading;
  collector.see(1);
  const { name, unit, description, dataTag, data: range } = readParts(reader);
  const end = reader.pos;
  const sort = dataTags[dataTag];
  if (sort === undefined) return before;
  const data = readData(reading, range);
  const kind = dataTag === 0x3a && data.isMonotonic ? 'counter' : sort.kind;
  const metric = memory.metric(resource, { name, unit, description, kind }, before);
  const refusal = refusalOf(metric, data);
  if (refusal !== '' || sort.read === undefined) {
    collector.leaveOut('data points', `metric ${shownName(metric)}: ${refusal}`, data.points.length);
  } else {
    const context: PointContext = { resource, metric, memory, collector, before: undefined };
    for (let i = 0; i < data.points.length; i += pointsAtOnce) {
      readPoints(reader, { ranges: data.points, from: i, read: sort.read }, context);
      if (collector.isStepOver(memory.created)) yield collector.seen;
    }
  }
  reader.pos = end;
  return metric;
}

/** A loop of its own, because V8 does less for one in a generator. */
function readPoints(
  reader: WireReader,
  { ranges, from, read }: { readonly ranges: readonly ByteRange[]; readonly from: number; readonly read: ReadPoint },
  context: PointContext,
): void {
  const to = Math.min(from + pointsAtOnce, ranges.length);
  for (let i = from; i < to; i++) {
    const range = ranges[i];
    if (range !== undefined) read(reader, reader.enterAt(range), context);
  }
}
