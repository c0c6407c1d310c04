/**
 * What Jaeger does to a trace before it shows it, unless raw traces are asked for (jaegerquery's internal/adjuster, in the order of its
 * standard.go). Each changes the trace in place; it is complete, and its own copy.
 */
import {
  type AnyValue,
  type Event,
  type KeyValue,
  newResource,
  type Span,
  writeInstrumentationScope,
  writeResource,
  writeSpan,
} from '../../codec/otlp/otlp.generated.ts';
import { warnOfClockSkew } from './clock-skew.ts';
import { attributeOf, type OtlpTrace, otlpKinds, type PlacedSpan, runToEnd, spansOf } from './otlp-trace.ts';
import { addWarning } from './warnings.ts';

/** Applies all of them. */
export function adjustTrace(trace: OtlpTrace): void {
  runToEnd(adjustInSteps(trace));
}

/** Applies all of them, in steps between which others are served. */
export function* adjustInSteps(trace: OtlpTrace): Generator<void, void> {
  splitSharedIds(trace);
  yield;
  sortCollections(trace);
  yield;
  dropIdenticalSpans(trace);
  yield;
  yield* warnOfClockSkew(trace);
  yield;
  for (const placed of spansOf(trace)) {
    writeOutIpAddresses(placed.span);
    moveLibraryAttributes(placed);
    dropEmptyLinks(placed.span);
  }
}

/** A server's span that has its client's id, as B3 allows, gets one of its own; the spans below the server stay below it. */
function splitSharedIds(trace: OtlpTrace): void {
  const used = new Set<string>();
  const clients = new Set<string>();
  for (const { span } of spansOf(trace)) {
    used.add(span.spanId);
    if (span.kind === otlpKinds.client) clients.add(span.spanId);
  }
  const newIds = new Map<string, string>();
  const split = new Set<Span>();
  let last = 0;
  for (const { span } of spansOf(trace)) {
    if (span.kind !== otlpKinds.server || !clients.has(span.spanId)) continue;
    let id: string;
    do id = (++last).toString(16).padStart(16, '0');
    while (used.has(id));
    newIds.set(span.spanId, id);
    split.add(span);
    span.parentSpanId = span.spanId;
    span.spanId = id;
  }
  if (newIds.size === 0) return;
  for (const { span } of spansOf(trace)) {
    // Where several servers share an id, Jaeger puts all but the last below the last; here all of them stay below the client.
    if (!split.has(span)) span.parentSpanId = newIds.get(span.parentSpanId) ?? span.parentSpanId;
  }
}

/** So that copies of one span, whose attributes came in another order, are the same. */
function sortCollections(trace: OtlpTrace): void {
  for (const { resource, scopeSpans } of trace) {
    sortByKey(resource?.attributes ?? []);
    for (const { scope, spans } of scopeSpans) {
      sortByKey(scope?.attributes ?? []);
      for (const span of spans) {
        sortByKey(span.attributes);
        if (span.events.length > 1) span.events.sort(byTime);
        for (const event of span.events) sortByKey(event.attributes);
        for (const link of span.links) sortByKey(link.attributes);
      }
    }
  }
}

/** They nearly always are: the store sorts them. */
function sortByKey(attributes: KeyValue[]): void {
  for (let i = 1; i < attributes.length; i++) {
    if ((attributes[i - 1]?.key ?? '') > (attributes[i]?.key ?? '')) {
      attributes.sort(byKey);
      return;
    }
  }
}

const byKey = (a: KeyValue, b: KeyValue): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

const byTime = (a: Event, b: Event): number =>
  a.timeUnixNano.high - b.timeUnixNano.high || a.timeUnixNano.low - b.timeUnixNano.low;

/** Only spans of one id are compared as a whole: to write all of them would cost as much as the answer. */
function dropIdenticalSpans(trace: OtlpTrace): void {
  const count = new Map<string, number>();
  for (const { span } of spansOf(trace)) count.set(span.spanId, (count.get(span.spanId) ?? 0) + 1);
  const seen = new Set<string>();
  for (const { resource, schemaUrl, scopeSpans } of trace) {
    for (const group of scopeSpans) {
      if (!group.spans.some(({ spanId }) => (count.get(spanId) ?? 0) > 1)) continue;
      const scope = group.scope === undefined ? '' : writeInstrumentationScope(group.scope);
      const place = [writeResource(resource ?? newResource()), schemaUrl, scope, group.schemaUrl].join('\n');
      group.spans = group.spans.filter((span) => {
        if (count.get(span.spanId) === 1) return true;
        const whole = `${place}\n${writeSpan(span)}`;
        if (seen.has(whole)) return false;
        seen.add(whole);
        return true;
      });
    }
  }
}

const ipKeys: ReadonlySet<string> = new Set(['ip', 'peer.ipv4']);

/** Old clients send an IPv4 address as a number. */
function writeOutIpAddresses({ attributes }: Span): void {
  for (const attribute of attributes) {
    if (!ipKeys.has(attribute.key)) continue;
    const { value } = attribute;
    if (value?.case !== 'intValue' && value?.case !== 'doubleValue') continue;
    const number =
      value.case === 'intValue' ? value.value : BigInt(Math.trunc(Number.isFinite(value.value) ? value.value : 0));
    const bits = BigInt.asUintN(32, number);
    attribute.value = {
      case: 'stringValue',
      value: [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.'),
    };
  }
}

const libraryKeys: ReadonlySet<string> = new Set([
  'telemetry.sdk.language',
  'telemetry.sdk.name',
  'telemetry.sdk.version',
  'telemetry.distro.name',
  'telemetry.distro.version',
]);

/** What a span says of the library that made it belongs to its process. */
function moveLibraryAttributes({ resourceSpans, span }: PlacedSpan): void {
  if (!span.attributes.some(({ key }) => libraryKeys.has(key))) return;
  resourceSpans.resource ??= newResource();
  const { resource } = resourceSpans;
  const kept: KeyValue[] = [];
  const conflicts: string[] = [];
  for (const attribute of span.attributes) {
    if (!libraryKeys.has(attribute.key)) kept.push(attribute);
    else {
      const existing = attributeOf(resource.attributes, attribute.key);
      if (existing === undefined) resource.attributes.push(attribute);
      else if (!isSameText(existing, attribute.value)) {
        kept.push(attribute);
        conflicts.push(attribute.key);
      }
    }
  }
  span.attributes = kept;
  for (const key of conflicts) addWarning(span, `conflicting values between Span and Resource for attribute ${key}`);
}

const isSameText = (a: AnyValue, b: AnyValue | undefined): boolean =>
  a.case === 'stringValue' && b?.case === 'stringValue' && a.value === b.value;

function dropEmptyLinks(span: Span): void {
  const links = span.links.filter(({ traceId }) => !/^0*$/.test(traceId));
  for (let dropped = span.links.length - links.length; dropped > 0; dropped--)
    addWarning(span, 'Invalid span link removed');
  span.links = links;
}
