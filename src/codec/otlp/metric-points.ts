/** OTLP's data points on the wire as samples. Hot: bench/experiments/otlp-metrics.ts. */
import { attributeText } from '../../model/attribute.ts';
import { compareBytes, type Label, type Series } from '../../model/sample.ts';
import type { ByteRange, WireReader } from '../protobuf/wire-reader.ts';
import { toValue } from './attributes.ts';
import { plainNumber } from './metric-names.ts';
import {
  type KnownMetric,
  type KnownPoint,
  type KnownResource,
  maxRawBytes,
  type SeriesMemory,
} from './metric-series.ts';
import type { MetricsCollector, PointTime } from './metrics-collector.ts';
import { decodeExemplar } from './otlp.generated.ts';

/** What the data points of a metric have in common. */
export interface PointContext {
  readonly resource: KnownResource;
  readonly metric: KnownMetric;
  readonly memory: SeriesMemory;
  readonly collector: MetricsCollector;
  /** The attributes that came before these. */
  before: KnownPoint | undefined;
}

export type ReadPoint = (reader: WireReader, end: number, context: PointContext) => void;

const noRecordedValue = 1;
const two32 = 2 ** 32;
/** No histogram that is meant has so many; each is a series. */
const maxParts = 4096;
/** Nobody writes other fields between attributes. */
const maxRuns = 128;
/** A trace and a few attributes: 128 characters of labels are taken. */
const maxExemplarBytes = 4096;
const maxExemplars = 256;
const maxExemplarChars = 128;

const noTime = 'a data point without a time';

/** Milliseconds from nanoseconds in two halves: 2^32 is 4294 * 10^6 + 967296, so that no product here is beyond 2^53. */
function msOf(low: number, high: number): number {
  return high * 4294 + Math.floor((high * 967_296 + low) / 1_000_000);
}

/** An unsigned number of 64 bits, exact. */
type Count = number | bigint;

function readCount(reader: WireReader): Count {
  const low = reader.fixed32();
  const high = reader.fixed32();
  const number = high * two32 + low;
  return Number.isSafeInteger(number) ? number : (BigInt(high) << 32n) | BigInt(low);
}

function addCounts(a: Count, b: Count): Count {
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a + b)) return a + b;
  return BigInt.asUintN(64, BigInt(a) + BigInt(b));
}

/** What every data point has. */
class PointFields {
  timeLow = 0;
  timeHigh = 0;
  flags = 0;
  count: Count = 0;
  readonly attributes: { readonly start: number; end: number }[] = [];
  readonly exemplars: ByteRange[] = [];
  /** Why the point cannot be taken; '' where it can. What is left of it is then not read. */
  refusal = '';

  /** Takes the attribute whose tag begins at `start`; they stand side by side, as a rule. */
  passAttribute(reader: WireReader, start: number): void {
    const { end } = reader.passOver();
    const { attributes } = this;
    const last = attributes[attributes.length - 1];
    if (last?.end !== start) attributes.push({ start, end });
    else last.end = end;
    if (attributes.length > maxRuns) this.refusal = 'attributes that stand apart from one another';
    else if (last !== undefined && end - last.start > maxRawBytes)
      this.refusal = `attributes of more than ${maxRawBytes} bytes`;
  }

  readTime(reader: WireReader): void {
    this.timeLow = reader.fixed32();
    this.timeHigh = reader.fixed32();
  }

  get time(): PointTime {
    return { timestampMs: msOf(this.timeLow, this.timeHigh), isStale: (this.flags & noRecordedValue) !== 0 };
  }

  get hasTime(): boolean {
    return this.timeLow !== 0 || this.timeHigh !== 0;
  }
}

/** What was made of a data point's attributes; the one that came next the last time is compared first. */
function findPoint(reader: WireReader, ranges: readonly ByteRange[], context: PointContext): KnownPoint {
  const { before, metric, resource, memory } = context;
  const expected = before === undefined ? metric.first : before.next;
  const first = ranges[0];
  let found: KnownPoint;
  if (
    expected !== undefined &&
    ranges.length <= 1 &&
    expected.raw.length === (first === undefined ? 0 : first.end - first.start) &&
    reader.hasRawText(expected.raw, first?.start ?? 0)
  ) {
    found = expected;
  } else {
    const raw =
      ranges.length <= 1
        ? reader.rawText(first?.start ?? 0, first?.end ?? 0)
        : ranges.map(({ start, end }) => reader.rawText(start, end)).join('');
    found = memory.point(resource, metric, raw);
    if (before === undefined) metric.first = found;
    else before.next = found;
  }
  context.before = found;
  return found;
}

/** Ends a point, what is left of a refused one unread. */
function leavePoint(reader: WireReader, end: number, { refusal }: PointFields): void {
  if (refusal !== '') reader.pos = end;
  reader.leave(end);
}

/** Begins a packed list of numbers of 64 bits, one for each bucket; passes over one that no histogram has. */
function enterNumbers(reader: WireReader, fields: PointFields): number {
  const stop = reader.enterPacked();
  if ((stop - reader.pos) / 8 > maxParts + 1) {
    fields.refusal = `more than ${maxParts} buckets`;
    reader.pos = stop;
  }
  return stop;
}

function passExemplar(reader: WireReader, { exemplars }: PointFields, { collector }: PointContext): void {
  collector.see(1);
  const range = reader.passOver();
  if (exemplars.length < maxExemplars) exemplars.push(range);
  else collector.leaveOut('exemplars', `more than ${maxExemplars} of one data point`);
}

/** The series' attributes, where the data point can be taken. */
function beginPoint(reader: WireReader, fields: PointFields, context: PointContext): KnownPoint | undefined {
  const { metric, collector } = context;
  if (!fields.hasTime) {
    collector.leaveOut('data points', noTime);
    return undefined;
  }
  if (fields.refusal !== '') {
    collector.leaveOut('data points', `metric ${shownName(metric)}: ${fields.refusal}`);
    return undefined;
  }
  const point = findPoint(reader, fields.attributes, context);
  if (point.refusal !== '') {
    collector.leaveOut('data points', `metric ${shownName(metric)}: ${point.refusal}`);
    return undefined;
  }
  return point;
}

/** A metric's name for a person. */
export const shownName = ({ rawName }: Pick<KnownMetric, 'rawName'>): string =>
  JSON.stringify(rawName.length > 100 ? `${rawName.slice(0, 100)}…` : rawName);

const startTimeTag = 0x11;
const timeTag = 0x19;

const numberFields = [2, 3, 4, 5, 6, 7, 8];

/** A NumberDataPoint. */
export function readNumberPoint(reader: WireReader, end: number, context: PointContext): void {
  const fields = new PointFields();
  let value = 0;
  let isStale = false;
  while (reader.pos < end && fields.refusal === '') {
    const start = reader.pos;
    const tag = reader.tag();
    if (tag === timeTag) fields.readTime(reader);
    else if (tag === 0x3a) fields.passAttribute(reader, start);
    else if (tag === 0x21) {
      value = reader.double();
      // Prometheus' own mark, as a scraper that sends OTLP passes it on.
      isStale = Number.isNaN(value) && reader.hasRawText(staleBytes, start + 1);
    } else if (tag === 0x31) value = readInteger(reader);
    else if (tag === startTimeTag) reader.skip(8);
    else if (tag === 0x40) fields.flags = reader.uint32();
    else if (tag === 0x2a) passExemplar(reader, fields, context);
    else reader.unknown(tag, numberFields);
  }
  leavePoint(reader, end, fields);
  const point = beginPoint(reader, fields, context);
  if (point === undefined) return;
  const { metric, memory, collector } = context;
  const series = point.series ?? memory.series(point, metric.name);
  const { timestampMs, isStale: isFlagged } = fields.time;
  const time = { timestampMs, isStale: isStale || isFlagged };
  collector.takePoint(metric, timestampMs);
  collector.takeSample(series, value, time);
  if (fields.exemplars.length > 0) takeExemplars(reader, { fields, time, seriesOf: () => series }, context);
}

const staleBytes = '\x02\0\0\0\0\0\xf0\x7f';

/** A whole number of 64 bits with a sign as the nearest double. */
function readInteger(reader: WireReader): number {
  const low = reader.fixed32();
  const high = reader.sfixed32();
  // Each half is exact, so that the sum is rounded once.
  return high * two32 + low;
}

const histogramFields = [2, 3, 4, 5, 6, 7, 8, 9, 10];

/** A HistogramDataPoint, which becomes `_sum`, `_count` and `_bucket`. */
export function readHistogramPoint(reader: WireReader, end: number, context: PointContext): void {
  const fields = new PointFields();
  const counts: Count[] = [];
  const bounds: number[] = [];
  let sum: number | undefined;
  while (reader.pos < end && fields.refusal === '') {
    const start = reader.pos;
    const tag = reader.tag();
    if (tag === timeTag) fields.readTime(reader);
    else if (tag === 0x4a) fields.passAttribute(reader, start);
    else if (tag === 0x21) fields.count = readCount(reader);
    else if (tag === 0x29) sum = reader.double();
    else if (tag === 0x32)
      for (const stop = enterNumbers(reader, fields); reader.goesOn(stop); ) counts.push(readCount(reader));
    else if (tag === 0x31) counts.push(readCount(reader));
    else if (tag === 0x3a)
      for (const stop = enterNumbers(reader, fields); reader.goesOn(stop); ) bounds.push(reader.double());
    else if (tag === 0x39) bounds.push(reader.double());
    else if (tag === startTimeTag) reader.skip(8);
    else if (tag === 0x50) fields.flags = reader.uint32();
    else if (tag === 0x42) passExemplar(reader, fields, context);
    else reader.unknown(tag, histogramFields);
  }
  leavePoint(reader, end, fields);
  bounds.length = Math.min(bounds.length, counts.length);
  takeHistogram(reader, { fields, counts, bounds, sum }, context);
}

interface HistogramFields {
  readonly fields: PointFields;
  readonly counts: readonly Count[];
  readonly bounds: readonly number[];
  readonly sum: number | undefined;
}

function takeHistogram(reader: WireReader, histogram: HistogramFields, context: PointContext): void {
  const { metric, collector, memory } = context;
  const { fields, counts, bounds, sum } = histogram;
  collector.see(bounds.length + 2);
  if (bounds.length > maxParts) {
    collector.leaveOut('data points', `metric ${shownName(metric)}: ${bounds.length} buckets, more than ${maxParts}`);
    return;
  }
  const point = beginPoint(reader, fields, context);
  if (point === undefined) return;
  const { time } = fields;
  const { name } = metric;
  collector.takePoint(metric, time.timestampMs);
  if (sum !== undefined) collector.takeSample(memory.part(point, { name: `${name}_sum` }), sum, time);
  collector.takeSample(memory.part(point, { name: `${name}_count` }), Number(fields.count), time);
  const buckets = bucketsOf(point, bounds, context);
  let total: Count = 0;
  for (let i = 0; i < bounds.length; i++) {
    total = addCounts(total, counts[i] ?? 0);
    const series = buckets[i];
    if (series !== undefined) collector.takeSample(series, Number(total), time);
  }
  const last = infinite(point, context);
  collector.takeSample(last, Number(fields.count), time);
  if (fields.exemplars.length === 0) return;
  const seriesOf = (value: number): Series => buckets[bounds.findIndex((bound) => value <= bound)] ?? last;
  takeExemplars(reader, { fields, time, seriesOf }, context);
}

const infinite = (point: KnownPoint, { memory, metric }: PointContext): Series =>
  memory.part(point, { name: `${metric.name}_bucket`, label: ['le', '+Inf'] });

function bucketsOf(point: KnownPoint, bounds: readonly number[], { memory, metric }: PointContext): readonly Series[] {
  const known = point.bounds;
  let isSame = known.length === bounds.length;
  for (let i = 0; isSame && i < bounds.length; i++) isSame = Object.is(known[i], bounds[i]);
  if (isSame) return point.buckets;
  const name = `${metric.name}_bucket`;
  point.bounds = bounds;
  // The bucket without a bound is there in any case.
  point.buckets = bounds.map((bound) => memory.part(point, { name, label: ['le', plainNumber(bound)] }));
  return point.buckets;
}

const summaryFields = [2, 3, 4, 5, 6, 7, 8];

/** A SummaryDataPoint, which becomes `_sum`, `_count` and a series a quantile. */
export function readSummaryPoint(reader: WireReader, end: number, context: PointContext): void {
  const fields = new PointFields();
  const quantiles: (readonly [quantile: number, value: number])[] = [];
  let sum = 0;
  while (reader.pos < end && fields.refusal === '') {
    const start = reader.pos;
    const tag = reader.tag();
    if (tag === timeTag) fields.readTime(reader);
    else if (tag === 0x3a) fields.passAttribute(reader, start);
    else if (tag === 0x21) fields.count = readCount(reader);
    else if (tag === 0x29) sum = reader.double();
    else if (tag === 0x32) {
      context.collector.see(1);
      quantiles.push(readQuantile(reader, reader.enter()));
    } else if (tag === startTimeTag) reader.skip(8);
    else if (tag === 0x40) fields.flags = reader.uint32();
    else reader.unknown(tag, summaryFields);
  }
  leavePoint(reader, end, fields);
  const { metric, collector, memory } = context;
  if (quantiles.length > maxParts) {
    collector.leaveOut(
      'data points',
      `metric ${shownName(metric)}: ${quantiles.length} quantiles, more than ${maxParts}`,
    );
    return;
  }
  const point = beginPoint(reader, fields, context);
  if (point === undefined) return;
  const { time } = fields;
  const { name } = metric;
  collector.takePoint(metric, time.timestampMs);
  collector.takeSample(memory.part(point, { name: `${name}_sum` }), sum, time);
  collector.takeSample(memory.part(point, { name: `${name}_count` }), Number(fields.count), time);
  for (const [quantile, value] of quantiles) {
    const label: Label = ['quantile', plainNumber(quantile)];
    collector.takeSample(memory.part(point, { name, label }), value, time);
  }
}

function readQuantile(reader: WireReader, end: number): readonly [quantile: number, value: number] {
  let quantile = 0;
  let value = 0;
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag === 0x09) quantile = reader.double();
    else if (tag === 0x11) value = reader.double();
    else reader.unknown(tag, [1, 2]);
  }
  reader.leave(end);
  return [quantile, value];
}

interface PointExemplars {
  readonly fields: PointFields;
  readonly time: PointTime;
  /** The series that an exemplar of this value belongs to. */
  readonly seriesOf: (value: number) => Series;
}

/** What is wrong with an exemplar costs nothing but itself, as with Prometheus. */
function takeExemplars(reader: WireReader, { fields, time, seriesOf }: PointExemplars, { collector }: PointContext) {
  const end = reader.pos;
  const { exemplars } = fields;
  for (const range of exemplars) {
    if (range.end - range.start > maxExemplarBytes) {
      collector.leaveOut('exemplars', `an exemplar of more than ${maxExemplarBytes} bytes`);
      continue;
    }
    const exemplar = decodeExemplar(reader, reader.enterAt(range));
    const { asDouble, asInt, timeUnixNano } = exemplar;
    const value = asDouble ?? (asInt === undefined ? undefined : Number(asInt));
    if (value === undefined) {
      collector.leaveOut('exemplars', 'an exemplar without a value');
      continue;
    }
    // The sample's own time where it has none.
    const timestampMs = msOf(timeUnixNano.low, timeUnixNano.high) || time.timestampMs;
    collector.takeExemplar(seriesOf(value), { labels: exemplarLabels(exemplar), value, timestampMs });
  }
  reader.pos = end;
}

const isNoId = /^0*$/;
const copy = (text: string): string => Buffer.from(text, 'utf16le').toString('utf16le');

/** Trace and span, and the attributes where all together are no longer than may be; their names stay as they are, as with Prometheus. */
function exemplarLabels(exemplar: ReturnType<typeof decodeExemplar>): readonly Label[] {
  const { traceId, spanId } = exemplar;
  const labels = new Map<string, string>();
  for (const { key, value } of exemplar.filteredAttributes) labels.set(key, copy(attributeText(toValue(value))));
  const ids = new Map<string, string>();
  if (!isNoId.test(traceId)) ids.set('trace_id', traceId.slice(0, 32));
  if (!isNoId.test(spanId)) ids.set('span_id', spanId.slice(0, 16));
  const all = [...new Map([...labels, ...ids])];
  let chars = 0;
  for (const [key, value] of all) chars += [...key].length + [...value].length;
  const kept = chars <= maxExemplarChars ? all : [...ids];
  return kept.filter(([, value]) => value !== '').sort((a, b) => compareBytes(a[0], b[0]));
}
