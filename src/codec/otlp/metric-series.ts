/**
 * From what OTLP says of a data point (its resource, its metric, its attributes) to the series that it belongs to, as Prometheus 3's OTLP
 * receiver translates it by default. Senders repeat all of it with every export, mostly in the same order: what came after this one the
 * last time is compared first, byte by byte, and names and labels are made once only. Hot: bench/experiments/otlp-metrics.ts.
 */
import { attributeText } from '../../model/attribute.ts';
import type { MetricMetadata, MetricType } from '../../model/metric-metadata.ts';
import { createSeries, type Label, type Series } from '../../model/sample.ts';
import { CodecError } from '../codec-error.ts';
import { createLabelPool, type LabelPool } from '../exposition/label-pool.ts';
import { WireReader } from '../protobuf/wire-reader.ts';
import { measurementOf, refusalOf } from '../remote-write/labels.ts';
import { toValue } from './attributes.ts';
import { byKey, type MetricKind, prometheusLabel, prometheusName, prometheusUnit } from './metric-names.ts';
import { decodeKeyValue } from './otlp.generated.ts';

/** The attributes of one metric's data points, and what was made of them. */
export interface KnownPoint {
  /** The attributes as they stood on the wire, a character a byte. */
  readonly raw: string;
  /** Without `__name__`. */
  readonly labels: readonly Label[];
  /** Why no series can be made of them; '' where it can. */
  readonly refusal: string;
  /** The series of a number; a histogram's and a summary's are among `parts`. */
  series: Series | undefined;
  /** By suffix and bound. */
  parts: Map<string, Series> | undefined;
  /** Of a histogram, its upper bounds and their series, as they were the last time. */
  bounds: readonly number[];
  buckets: readonly Series[];
  /** What came after it the last time. */
  next: KnownPoint | undefined;
}

export interface KnownMetric {
  readonly rawName: string;
  readonly rawUnit: string;
  readonly kind: MetricKind;
  /** '' where nothing of its name can stand in Prometheus'. */
  readonly name: string;
  metadata: MetricMetadata;
  readonly points: Map<string, KnownPoint>;
  first: KnownPoint | undefined;
  next: KnownMetric | undefined;
}

export interface KnownResource {
  readonly raw: string;
  /** `job` and `instance`; '' is no label, and takes away an attribute of that name. */
  readonly identity: readonly Label[];
  /** The series `target_info`, which carries the resource's other attributes; undefined where there are none, or nothing to find it by. */
  readonly target: Series | undefined;
  readonly metrics: Map<string, KnownMetric>;
  first: KnownMetric | undefined;
}

export interface MetricHead {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly kind: MetricKind;
}

export interface SeriesMemory {
  /** How many series were made so far, each of which costs as much as many that are known. */
  readonly created: number;
  resource(raw: string): KnownResource;
  /** `before` is the metric that came before it. */
  metric(resource: KnownResource, head: MetricHead, before: KnownMetric | undefined): KnownMetric;
  point(resource: KnownResource, metric: KnownMetric, raw: string): KnownPoint;
  /** The series of a number. */
  series(point: KnownPoint, name: string): Series;
  /** One of the series of a histogram or a summary. */
  part(point: KnownPoint, part: SeriesName): Series;
}

export interface SeriesName {
  readonly name: string;
  /** `le` or `quantile`. */
  readonly label?: Label;
}

const types: Readonly<Record<MetricKind, MetricType>> = {
  gauge: 'gauge',
  counter: 'counter',
  updown: 'gauge',
  histogram: 'histogram',
  exponential_histogram: 'histogram',
  summary: 'summary',
};

/** Said of `target_info`. */
export const targetMetadata: MetricMetadata = {
  family: 'target_info',
  type: 'gauge',
  help: 'Target metadata',
  unit: '',
};

const maxHelpChars = 4096;
/** 128 labels have less in any case that is meant; to read megabytes of them would hold up everybody else. */
export const maxRawBytes = 256 * 1024;
/** What a known series takes besides its text. */
const overheadBytes = 500;

/** A copy of a text that is part of a body, which would keep the whole body in memory. */
const copy = (text: string): string => Buffer.from(text, 'utf16le').toString('utf16le');

/** Reads fields that are all attributes: their tag may be any. What is cut out of them keeps `raw` in memory and nothing else. */
function readAttributes(raw: string): (readonly [string, string])[] {
  const reader = new WireReader(Buffer.from(raw, 'latin1'));
  const attributes: (readonly [string, string])[] = [];
  while (reader.pos < reader.len) {
    reader.tag();
    const { key, value } = decodeKeyValue(reader, reader.enter());
    attributes.push([key, attributeText(toValue(value))]);
  }
  return attributes;
}

/** A Resource message's attributes. */
function readResource(raw: string): (readonly [string, string])[] {
  const reader = new WireReader(Buffer.from(raw, 'latin1'));
  const attributes: (readonly [string, string])[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      const { key, value } = decodeKeyValue(reader, reader.enter());
      attributes.push([key, attributeText(toValue(value))]);
    } else reader.unknown(tag, [1]);
  }
  return attributes;
}

/** Labels of attributes: values of names that become the same are joined. A name of which nothing is left is answered as the refusal. */
function labelsOf(attributes: readonly (readonly [string, string])[]): {
  labels: Map<string, string>;
  refusal: string;
} {
  const labels = new Map<string, string>();
  for (const [key, value] of [...attributes].sort(byKey)) {
    const name = prometheusLabel(key);
    if (name === undefined)
      return { labels, refusal: `an attribute named ${JSON.stringify(key.slice(0, 100))} can be no label` };
    const before = labels.get(name);
    labels.set(name, before === undefined || before === '' ? value : `${before};${value}`);
  }
  return { labels, refusal: '' };
}

const identifying: ReadonlySet<string> = new Set(['service.namespace', 'service.name', 'service.instance.id']);

function identityOf(attributes: readonly (readonly [string, string])[]): Label[] {
  // Of a repeated key the first value counts, as with Prometheus.
  const firstOf = (name: string) => attributes.find(([key]) => key === name)?.[1];
  const identity: Label[] = [];
  const service = firstOf('service.name');
  const namespace = firstOf('service.namespace');
  const instance = firstOf('service.instance.id');
  if (service !== undefined) identity.push(['job', namespace === undefined ? service : `${namespace}/${service}`]);
  if (instance !== undefined) identity.push(['instance', instance]);
  return identity;
}

function targetOf(attributes: readonly (readonly [string, string])[], identity: readonly Label[]): Series | undefined {
  const others = attributes.filter(([key]) => !identifying.has(key));
  const { labels, refusal } = labelsOf(others);
  for (const [name, value] of identity) labels.set(name, value);
  const hasIdentity = (labels.get('job') ?? '') !== '' || (labels.get('instance') ?? '') !== '';
  if (others.length === 0 || refusal !== '' || !hasIdentity) return undefined;
  labels.set('__name__', 'target_info');
  const series = createSeries(labels, measurementOf('target_info'));
  return refusalOf(series.labels) === '' ? series : undefined;
}

function createResource(raw: string): KnownResource {
  if (raw.length > maxRawBytes)
    throw new CodecError(`a resource of ${raw.length} bytes, more than ${maxRawBytes}; send fewer attributes`);
  const attributes = readResource(raw);
  const identity = identityOf(attributes);
  return {
    raw: copy(raw),
    identity,
    target: targetOf(attributes, identity),
    metrics: new Map(),
    first: undefined,
  };
}

function createMetric({ name, unit, description, kind }: MetricHead): KnownMetric {
  const family = prometheusName(name, unit, kind) ?? '';
  return {
    rawName: copy(name),
    rawUnit: copy(unit),
    kind,
    name: family,
    metadata: { family, type: types[kind], help: copy(description).slice(0, maxHelpChars), unit: prometheusUnit(unit) },
    points: new Map(),
    first: undefined,
    next: undefined,
  };
}

function createPoint(raw: string, { identity }: KnownResource, { name }: KnownMetric): KnownPoint {
  const common = { raw: copy(raw), series: undefined, parts: undefined, bounds: [], buckets: [], next: undefined };
  if (raw.length > maxRawBytes) {
    const refusal = `attributes of ${raw.length} bytes, more than ${maxRawBytes}`;
    return { ...common, raw: '', labels: [], refusal };
  }
  const { labels, refusal } = labelsOf(readAttributes(common.raw));
  for (const [key, value] of identity) labels.set(key, value);
  labels.delete('__name__');
  const all = createSeries(labels).labels;
  // The longest name that one of its series can have.
  const named = createSeries([...all, ['__name__', `${name}_bucket`]]);
  return { ...common, labels: all, refusal: refusal === '' ? refusalOf(named.labels) : refusal };
}

function createPointSeries(point: KnownPoint, { name, label }: SeriesName, pool: LabelPool): Series {
  const labels = point.labels.filter(([key]) => key !== label?.[0]).map(([key, value]) => pool.labelOf(key, value));
  labels.push(pool.labelOf('__name__', name));
  if (label !== undefined) labels.push(pool.labelOf(label[0], label[1]));
  return createSeries(labels, measurementOf(name));
}

/** Bounds that change all the time are not worth knowing. */
const maxParts = 10_000;

/** Makes an empty memory; when it holds more than `maxBytes`, it begins anew. */
export function createSeriesMemory({ maxBytes }: { readonly maxBytes: number }): SeriesMemory {
  const pool = createLabelPool();
  let resources = new Map<string, KnownResource>();
  let bytes = 0;
  let created = 0;
  const remember = (text: string) => {
    bytes += text.length + overheadBytes;
    created++;
  };
  return {
    get created() {
      return created;
    },
    resource(raw) {
      // Here and not later: those of a request that is being read hang together.
      if (bytes > maxBytes) {
        resources = new Map();
        bytes = 0;
      }
      let known = resources.get(raw);
      if (known === undefined) {
        known = createResource(raw);
        resources.set(known.raw, known);
        remember(known.raw);
      }
      return known;
    },
    metric(resource, head, before) {
      const next = before === undefined ? resource.first : before.next;
      let known = next;
      if (
        known === undefined ||
        known.rawName !== head.name ||
        known.rawUnit !== head.unit ||
        known.kind !== head.kind
      ) {
        const key = `${head.kind} ${head.unit} ${head.name}`;
        known = resource.metrics.get(key);
        if (known === undefined) {
          known = createMetric(head);
          resource.metrics.set(copy(key), known);
          remember(key);
        }
        if (before === undefined) resource.first = known;
        else before.next = known;
      }
      if (known.metadata.help !== head.description && head.description.length <= maxHelpChars)
        known.metadata = { ...known.metadata, help: copy(head.description) };
      return known;
    },
    point(resource, metric, raw) {
      let known = metric.points.get(raw);
      if (known === undefined) {
        known = createPoint(raw, resource, metric);
        if (raw.length <= maxRawBytes) metric.points.set(known.raw, known);
        remember(known.raw);
      }
      return known;
    },
    series(point, name) {
      point.series ??= createPointSeries(point, { name }, pool);
      return point.series;
    },
    part(point, part) {
      const key = part.label === undefined ? part.name : `${part.name} ${part.label[1]}`;
      point.parts ??= new Map();
      let series = point.parts.get(key);
      if (series === undefined) {
        series = createPointSeries(point, part, pool);
        if (point.parts.size >= maxParts) point.parts.clear();
        point.parts.set(key, series);
        remember(key);
      }
      return series;
    },
  };
}
