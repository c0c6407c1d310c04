/**
 * Traces as Jaeger's v1 API writes them (internal/uimodel; the collector's translator from OTLP, traces_to_jaegerproto.go). Objects have
 * their keys in Jaeger's order, so that JSON.stringify writes them.
 */
import { toValue } from '../../codec/otlp/attributes.ts';
import type {
  AnyValue,
  Event,
  InstrumentationScope,
  KeyValue,
  Link,
  Resource,
  Span,
} from '../../codec/otlp/otlp.generated.ts';
import { attributeText } from '../../model/attribute.ts';
import { type Long, longOf } from '../../model/long.ts';
import {
  attributeOf,
  goNanoseconds,
  type OtlpTrace,
  otlpKinds,
  otlpStatuses,
  serviceNameOf,
  spansOf,
} from './otlp-trace.ts';
import { isWarnings, warningsOf } from './warnings.ts';

export interface UiKeyValue {
  readonly key: string;
  readonly type: 'string' | 'bool' | 'int64' | 'float64' | 'binary';
  readonly value: string | number | boolean;
}

export interface UiReference {
  readonly refType: 'CHILD_OF' | 'FOLLOWS_FROM';
  readonly traceID: string;
  readonly spanID: string;
}

export interface UiLog {
  readonly timestamp: Long;
  readonly fields: readonly UiKeyValue[];
}

export interface UiSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly UiReference[];
  /** Microseconds since 1970. */
  readonly startTime: Long;
  /** Microseconds. */
  readonly duration: number;
  readonly tags: readonly UiKeyValue[];
  readonly logs: readonly UiLog[];
  readonly processID: string;
  readonly warnings: readonly string[] | null;
}

export interface UiProcess {
  readonly serviceName: string;
  readonly tags: readonly UiKeyValue[];
}

export interface UiTrace {
  readonly traceID: string;
  readonly spans: readonly UiSpan[];
  /** By `p1`, `p2` and so on, in the order in which the spans name them. */
  readonly processes: Readonly<Record<string, UiProcess>>;
  readonly warnings: null;
}

/** What the collector's translator calls the service of a resource that says nothing at all. */
const resourceWithoutServiceName = 'OTLPResourceNoServiceName';
const refTypeKey = 'opentracing.ref_type';

/** Jaeger's spelling of an id: without a high half of zeros. */
export function jaegerTraceId(traceId: string): string {
  const padded = traceId.padStart(32, '0');
  return padded.startsWith('0000000000000000') ? padded.slice(16) : padded;
}

export interface UiWriter {
  readonly traceID: string;
  spans(): Generator<UiSpan>;
  /** Those that the spans named which were written so far, by `p1`, `p2` and so on in the order in which they were named. */
  processes(): Readonly<Record<string, UiProcess>>;
}

/** Writes a trace one span at a time, the processes last. */
export function createUiWriter(trace: OtlpTrace): UiWriter {
  const processes = new Map<string, { readonly id: string; readonly process: UiProcess }>();
  const idsOfResources = new Map<Resource | undefined, string>();
  const processIdOf = (resource: Resource | undefined): string => {
    const known = idsOfResources.get(resource);
    if (known !== undefined) return known;
    const process = toProcess(resource);
    const key = JSON.stringify(process);
    const { id } = processes.get(key) ?? { id: `p${processes.size + 1}` };
    processes.set(key, { id, process });
    idsOfResources.set(resource, id);
    return id;
  };
  return {
    traceID: jaegerTraceId(firstSpanOf(trace)?.traceId ?? ''),
    *spans() {
      for (const { resourceSpans, scopeSpans, span } of spansOf(trace)) {
        yield toUiSpan(span, scopeSpans.scope, processIdOf(resourceSpans.resource));
      }
    },
    processes: () => Object.fromEntries([...processes.values()].map(({ id, process }) => [id, process])),
  };
}

/** A span as JSON; times that no double holds keep their digits. */
export function encodeUiSpan(span: UiSpan): string {
  const isPlain =
    typeof span.startTime === 'number' && span.logs.every(({ timestamp }) => typeof timestamp === 'number');
  if (isPlain) return JSON.stringify(span);
  const { traceID, spanID, operationName, references, startTime, duration, tags, logs, processID, warnings } = span;
  const before = JSON.stringify({ traceID, spanID, operationName, references }).slice(0, -1);
  const between = JSON.stringify({ duration, tags }).slice(1, -1);
  const after = JSON.stringify({ processID, warnings }).slice(1);
  return `${before},"startTime":${startTime},${between},"logs":[${logs.map(encodeUiLog).join(',')}],${after}`;
}

const encodeUiLog = ({ timestamp, fields }: UiLog): string =>
  `{"timestamp":${timestamp},"fields":${JSON.stringify(fields)}}`;

function firstSpanOf(trace: OtlpTrace): Span | undefined {
  for (const { span } of spansOf(trace)) return span;
  return undefined;
}

/** A whole trace. */
export function toUiTrace(trace: OtlpTrace): UiTrace {
  const writer = createUiWriter(trace);
  const spans = [...writer.spans()];
  return { traceID: writer.traceID, spans, processes: writer.processes(), warnings: null };
}

function toProcess(resource: Resource | undefined): UiProcess {
  const attributes = resource?.attributes ?? [];
  if (attributes.length === 0) return { serviceName: resourceWithoutServiceName, tags: [] };
  const tags = attributes.filter(({ key }) => key !== 'service.name').map(toKeyValue);
  return { serviceName: serviceNameOf(resource), tags };
}

function toUiSpan(span: Span, scope: InstrumentationScope | undefined, processID: string): UiSpan {
  const startNs = goNanoseconds(span.startTimeUnixNano);
  const durationNs = goNanoseconds(span.endTimeUnixNano) - startNs;
  const warnings = warningsOf(span);
  return {
    traceID: jaegerTraceId(span.traceId),
    spanID: span.spanId.padStart(16, '0'),
    operationName: span.name,
    references: toReferences(span),
    startTime: toUiTime(startNs),
    duration: durationNs < 0n ? 0 : Number(durationNs / 1000n),
    tags: toTags(span, scope),
    logs: span.events.map(toLog),
    processID,
    warnings: warnings.length === 0 ? null : warnings,
  };
}

/** Microseconds without a sign, as Jaeger writes what is before 1970: as the last numbers of 64 bits. */
const toUiTime = (ns: bigint): Long => longOf(BigInt.asUintN(64, ns / 1000n));

/** The parent comes first: viewers take the first one that is CHILD_OF. */
function toReferences({ traceId, parentSpanId, links }: Span): UiReference[] {
  const references = links.map(toReference);
  if (parentSpanId === '') return references;
  return [
    { refType: 'CHILD_OF', traceID: jaegerTraceId(traceId), spanID: parentSpanId.padStart(16, '0') },
    ...references,
  ];
}

function toReference({ traceId, spanId, attributes }: Link): UiReference {
  const refType = attributeOf(attributes, refTypeKey);
  const isChild = refType?.case === 'stringValue' && refType.value === 'child_of';
  return {
    refType: isChild ? 'CHILD_OF' : 'FOLLOWS_FROM',
    traceID: jaegerTraceId(traceId),
    spanID: spanId.padStart(16, '0'),
  };
}

const kindTexts = new Map<number, string>(
  Object.entries(otlpKinds).flatMap(([text, number]) => (number === otlpKinds.unspecified ? [] : [[number, text]])),
);

/** What Jaeger calls a kind; '' for none. */
export const kindText = (kind: number): string => kindTexts.get(kind) ?? '';

function toTags(span: Span, scope: InstrumentationScope | undefined): UiKeyValue[] {
  const tags: UiKeyValue[] = [];
  const addText = (key: string, value: string): void => {
    if (value !== '') tags.push({ key, type: 'string', value });
  };
  addText('otel.scope.name', scope?.name ?? '');
  addText('otel.scope.version', scope?.version ?? '');
  for (const attribute of span.attributes) if (!isWarnings(attribute)) tags.push(toKeyValue(attribute));
  addText('span.kind', kindText(span.kind));
  const code = span.status?.code ?? otlpStatuses.unset;
  addText('otel.status_code', code === otlpStatuses.error ? 'ERROR' : code === otlpStatuses.ok ? 'OK' : '');
  if (code === otlpStatuses.error) tags.push({ key: 'error', type: 'bool', value: true });
  addText('otel.status_description', span.status?.message ?? '');
  addText('w3c.tracestate', span.traceState);
  return tags;
}

function toLog({ timeUnixNano, name, attributes }: Event): UiLog {
  const fields = attributes.map(toKeyValue);
  const isNamed = name !== '' && attributeOf(attributes, 'event') === undefined;
  if (isNamed) fields.unshift({ key: 'event', type: 'string', value: name });
  return { timestamp: toUiTime(goNanoseconds(timeUnixNano)), fields };
}

function toKeyValue({ key, value }: KeyValue): UiKeyValue {
  switch (value?.case) {
    case 'boolValue':
      return { key, type: 'bool', value: value.value };
    case 'intValue': {
      const number = Number(value.value);
      return { key, type: 'int64', value: Number.isSafeInteger(number) ? number : String(value.value) };
    }
    case 'doubleValue':
      // JSON has no NaN and no infinity; Jaeger fails on them.
      return { key, type: 'float64', value: Number.isFinite(value.value) ? value.value : String(value.value) };
    case 'bytesValue':
      return { key, type: 'binary', value: textOfAny(value) };
    default:
      return { key, type: 'string', value: textOfAny(value) };
  }
}

/** A value as Jaeger and its searches see it in text. */
export const textOfAny = (value: AnyValue | undefined): string => attributeText(toValue(value));
