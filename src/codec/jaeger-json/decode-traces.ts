/**
 * Traces as Jaeger's UI saves them and its v1 API answers them, in: `{"data":[{traceID, spans, processes}]}`. What Jaeger writes as tags and
 * OpenTelemetry has places for goes to its place, as the collector's translator puts it (jaegerproto_to_traces.go).
 */
import type { Span } from '../../model/span.ts';
import type { SpanScope } from '../../model/span-details.ts';
import { CodecError } from '../codec-error.ts';
import { parseJson } from '../otlp/json-text.ts';
import { type KeyValue, type Link, newResource, newSpan, type Span as WireSpan } from '../otlp/otlp.generated.ts';
import { createSpanCollector, type Emitter, type SpanCollector, toEmitter, toScope } from '../otlp/to-spans.ts';
import { bitsOf } from '../protobuf/wire-writer.ts';
import {
  asList,
  asRecord,
  type JsonRecord,
  readId,
  readKeyValues,
  readMicrosAsNs,
  readText,
  textValue,
} from './json-values.ts';
import { takeTags } from './span-tags.ts';

/** What the translator calls the service of a resource that says nothing. */
const resourceWithoutServiceName = 'OTLPResourceNoServiceName';
const warningsKey = '@jaeger@warnings';
const refTypeKey = 'opentracing.ref_type';
const sampledFlag = 1;

/** Decodes a file or an answer of one or more traces, or throws a CodecError that says where it is wrong: `$.data[0].spans[3].spanID: …`. */
export function decodeTraces(body: Buffer): Span[] {
  return readTraces(parseJson(body));
}

/** Decodes what `decodeTraces` does of a JSON that was parsed by `parseJson`. A single trace and a list of traces are taken as well. */
export function readTraces(json: unknown): Span[] {
  const collector = createSpanCollector();
  if (Array.isArray(json)) addTraces(collector, json, '$');
  else {
    const record = asRecord(json, '$');
    if (record['spans'] !== undefined) addTrace(collector, record, '$');
    else addTraces(collector, asList(record['data'], '$.data'), '$.data');
  }
  return [...collector.finish().spans];
}

function addTraces(collector: SpanCollector, traces: readonly unknown[], path: string): void {
  for (const [i, trace] of traces.entries()) addTrace(collector, asRecord(trace, `${path}[${i}]`), `${path}[${i}]`);
}

function addTrace(collector: SpanCollector, trace: JsonRecord, path: string): void {
  const processes = trace['processes'] == null ? {} : asRecord(trace['processes'], `${path}.processes`);
  const emitters = new Map<string, Emitter>();
  const emitterOf = (span: JsonRecord, spanPath: string): Emitter => {
    // What Elasticsearch keeps has the process in each span.
    if (span['process'] != null) return toProcessEmitter(span['process'], `${spanPath}.process`);
    const id = readText(span['processID'], `${spanPath}.processID`);
    const process = Object.hasOwn(processes, id) ? processes[id] : {};
    const emitter = emitters.get(id) ?? toProcessEmitter(process, `${path}.processes.${id}`);
    emitters.set(id, emitter);
    return emitter;
  };
  const scopes = new Map<string, SpanScope>();
  const scopeOf = (name: string, version: string): SpanScope => {
    const key = `${name}\n${version}`;
    const scope = scopes.get(key) ?? toScope({ name, version, attributes: [], droppedAttributesCount: 0 }, '');
    scopes.set(key, scope);
    return scope;
  };
  const traceId = trace['traceID'];
  for (const [i, item] of asList(trace['spans'], `${path}.spans`).entries()) {
    const spanPath = `${path}.spans[${i}]`;
    const span = asRecord(item, spanPath);
    const { message, scopeName, scopeVersion } = toMessage({ traceID: traceId, ...span }, spanPath);
    collector.add(message, emitterOf(span, spanPath), scopeOf(scopeName, scopeVersion));
  }
}

function toProcessEmitter(json: unknown, path: string): Emitter {
  const process = asRecord(json, path);
  const service = readText(process['serviceName'], `${path}.serviceName`);
  const attributes = readKeyValues(process['tags'], `${path}.tags`);
  const isNamed = service !== '' && !(service === resourceWithoutServiceName && attributes.length === 0);
  if (isNamed) attributes.unshift(textValue('service.name', service));
  return toEmitter({ ...newResource(), attributes }, '');
}

interface DecodedMessage {
  readonly message: WireSpan;
  readonly scopeName: string;
  readonly scopeVersion: string;
}

function toMessage(span: JsonRecord, path: string): DecodedMessage {
  const traceId = readId(span['traceID'], 32, `${path}.traceID`);
  const spanId = readId(span['spanID'], 16, `${path}.spanID`);
  if (/^0*$/.test(traceId)) throw new CodecError(`${path}.traceID: an id must not be all zeros`);
  if (/^0*$/.test(spanId)) throw new CodecError(`${path}.spanID: an id must not be all zeros`);
  const start = readMicrosAsNs(span['startTime'], `${path}.startTime`);
  const duration = readMicrosAsNs(span['duration'] ?? 0, `${path}.duration`);
  const tags = takeTags(readKeyValues(span['tags'], `${path}.tags`));
  const { parentSpanId, links } = toReferences(span, traceId, path);
  const warnings = span['warnings'] == null ? [] : asList(span['warnings'], `${path}.warnings`);
  return {
    scopeName: tags.scopeName,
    scopeVersion: tags.scopeVersion,
    message: {
      ...newSpan(),
      traceId,
      spanId,
      parentSpanId,
      links,
      name: readText(span['operationName'], `${path}.operationName`),
      kind: tags.kind,
      traceState: tags.traceState,
      flags: Number(span['flags'] ?? 0) & sampledFlag,
      startTimeUnixNano: bitsOf(start),
      endTimeUnixNano: bitsOf(start + duration),
      attributes: warnings.length === 0 ? tags.attributes : [...tags.attributes, toWarnings(warnings)],
      events: toEvents(span['logs'], `${path}.logs`),
      status: { code: tags.statusCode, message: tags.statusMessage },
    },
  };
}

const toWarnings = (warnings: readonly unknown[]): KeyValue => ({
  key: warningsKey,
  value: {
    case: 'arrayValue',
    value: { values: warnings.map((text) => ({ case: 'stringValue', value: String(text) })) },
  },
});

/**
 * The parent is the first CHILD_OF within the trace, else the first FOLLOWS_FROM, as Jaeger's own model has it; every other reference is a
 * link, and that FOLLOWS_FROM as well, or else nobody would know that the parent did not wait.
 */
function toReferences(span: JsonRecord, traceId: string, path: string): { parentSpanId: string; links: Link[] } {
  const list = span['references'] == null ? [] : asList(span['references'], `${path}.references`);
  const references = list.map((item, i) => {
    const at = `${path}.references[${i}]`;
    const reference = asRecord(item, at);
    return {
      isChild: readText(reference['refType'], `${at}.refType`).toUpperCase() !== 'FOLLOWS_FROM',
      traceId: readId(reference['traceID'] ?? traceId, 32, `${at}.traceID`),
      spanId: readId(reference['spanID'], 16, `${at}.spanID`),
    };
  });
  const within = references.filter((reference) => reference.traceId === traceId);
  const parent = within.find(({ isChild }) => isChild) ?? within[0];
  // Old versions write only this.
  const given = span['parentSpanID'] == null ? '' : readId(span['parentSpanID'], 16, `${path}.parentSpanID`);
  const links = references.filter((reference) => reference !== parent || !reference.isChild);
  return {
    parentSpanId: parent?.spanId ?? given,
    links: links.map(({ isChild, ...ids }) => ({
      ...ids,
      traceState: '',
      attributes: isChild ? [textValue(refTypeKey, 'child_of')] : [],
      droppedAttributesCount: 0,
      flags: 0,
    })),
  };
}

/** A log's field `event` is the name of OpenTelemetry's event. */
function toEvents(json: unknown, path: string): WireSpan['events'] {
  if (json == null) return [];
  return asList(json, path).map((item, i) => {
    const log = asRecord(item, `${path}[${i}]`);
    const fields = readKeyValues(log['fields'], `${path}[${i}].fields`);
    const named = fields.findIndex(({ key, value }) => key === 'event' && value?.case === 'stringValue');
    const name = fields[named]?.value;
    if (named !== -1) fields.splice(named, 1);
    return {
      timeUnixNano: bitsOf(readMicrosAsNs(log['timestamp'], `${path}[${i}].timestamp`)),
      name: name?.case === 'stringValue' ? name.value : '',
      attributes: fields,
      droppedAttributesCount: 0,
    };
  });
}
