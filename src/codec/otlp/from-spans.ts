/** The model's spans as OTLP's messages: an OpenTelemetry span as it came in, a Zipkin span as the collector's Zipkin receiver translates it. */
import { type Attribute, typedAttributes } from '../../model/attribute.ts';
import type { Resource } from '../../model/resource.ts';
import type { Endpoint, Span, SpanEvent } from '../../model/span.ts';
import type { ResourceDetails, SpanDetails, SpanLink, SpanScope } from '../../model/span-details.ts';
import { bitsOf } from '../protobuf/wire-writer.ts';
import { fromAttributes } from './attributes.ts';
import {
  type Event,
  type InstrumentationScope,
  type Link,
  newInstrumentationScope,
  newSpan,
  numbersOfSpanKind,
  numbersOfStatusCode,
  type ResourceSpans,
  type ScopeSpans,
  type Resource as WireResource,
  type Span as WireSpan,
  writeInstrumentationScope,
  writeResource,
} from './otlp.generated.ts';
import { joinTime } from './times.ts';

const noBits = { low: 0, high: 0 };
/** Zipkin's tags that OpenTelemetry has fields for, as its Zipkin exporters write them. */
const statusCodeTag = 'otel.status_code';
const statusDescriptionTag = 'otel.status_description';
const traceStateTag = 'w3c.tracestate';

/** Spans by emitter and scope, in the order in which these appear. */
export function fromSpans(spans: readonly Span[]): ResourceSpans[] {
  const groups = new Map<string, ResourceGroup>();
  let last: { readonly span: Span; readonly group: ResourceGroup } | undefined;
  for (const span of spans) {
    const group = last !== undefined && isSameEmitter(last.span, span) ? last.group : findGroup(groups, span);
    last = { span, group };
    group.add(span);
  }
  return [...groups.values()].map(({ message }) => message);
}

/** Spans of one request share these objects; those from the store may not, and are compared by what they say. */
function isSameEmitter(a: Span, b: Span): boolean {
  return (
    a.resource === b.resource &&
    a.details?.resource === b.details?.resource &&
    (a.details !== undefined || a.localEndpoint?.serviceName === b.localEndpoint?.serviceName)
  );
}

function findGroup(groups: Map<string, ResourceGroup>, span: Span): ResourceGroup {
  const resource = resourceOf(span);
  const schemaUrl = span.details?.resource.schemaUrl ?? '';
  const key = `${schemaUrl}\n${writeResource(resource)}`;
  let group = groups.get(key);
  if (group === undefined) {
    group = createGroup(resource, schemaUrl);
    groups.set(key, group);
  }
  return group;
}

interface ResourceGroup {
  readonly message: ResourceSpans;
  add(span: Span): void;
}

function createGroup(resource: WireResource, schemaUrl: string): ResourceGroup {
  const message: ResourceSpans = { resource, schemaUrl, scopeSpans: [] };
  const byScope = new Map<SpanScope | undefined, ScopeSpans>();
  const byText = new Map<string, ScopeSpans>();
  const scopeSpansOf = (scope: SpanScope | undefined): ScopeSpans => {
    const known = byScope.get(scope);
    if (known !== undefined) return known;
    const wire = fromScope(scope);
    const url = scope?.schemaUrl ?? '';
    const text = `${url}\n${writeInstrumentationScope(wire)}`;
    let scopeSpans = byText.get(text);
    if (scopeSpans === undefined) {
      scopeSpans = { scope: wire, schemaUrl: url, spans: [] };
      byText.set(text, scopeSpans);
      message.scopeSpans.push(scopeSpans);
    }
    byScope.set(scope, scopeSpans);
    return scopeSpans;
  };
  return {
    message,
    add: (span) => scopeSpansOf(span.details?.scope).spans.push(fromSpan(span)),
  };
}

function resourceOf({ resource, details, localEndpoint }: Span): WireResource {
  if (details !== undefined) return fromResource(resource, details.resource);
  const attributes: Attribute[] = Object.entries(resource.attributes);
  const serviceName = localEndpoint?.serviceName;
  if (serviceName !== undefined) attributes.unshift(['service.name', serviceName]);
  return { attributes: fromAttributes(attributes), droppedAttributesCount: 0, entityRefs: [] };
}

function fromResource(resource: Resource, details: ResourceDetails): WireResource {
  return {
    attributes: fromAttributes(typedAttributes(resource.attributes, details.typedAttributes)),
    droppedAttributesCount: details.droppedAttributes,
    entityRefs: details.entities.map((entity) => ({
      schemaUrl: entity.schemaUrl,
      type: entity.type,
      idKeys: [...entity.idKeys],
      descriptionKeys: [...entity.descriptionKeys],
    })),
  };
}

function fromScope(scope: SpanScope | undefined): InstrumentationScope {
  if (scope === undefined) return newInstrumentationScope();
  return {
    name: scope.name,
    version: scope.version,
    attributes: fromAttributes(scope.attributes),
    droppedAttributesCount: scope.droppedAttributes,
  };
}

const nsOf = (us = 0): number => us * 1000;

/** One span as OTLP has it. */
export function fromSpan(span: Span): WireSpan {
  const { startUs = 0, durationUs = 0, details } = span;
  const start = joinTime(startUs, details?.startRestNs ?? nsOf(span.startRestUs));
  const end = details?.endNs ?? start + joinTime(durationUs, details?.durationRestNs ?? nsOf(span.durationRestUs));
  const message: WireSpan = {
    ...newSpan(),
    traceId: span.traceId,
    spanId: span.id,
    parentSpanId: span.parentId ?? '',
    name: span.name,
    kind: span.kind === undefined ? 0 : (numbersOfSpanKind.get(`SPAN_KIND_${span.kind}`) ?? 0),
    startTimeUnixNano: start === 0n ? noBits : bitsOf(BigInt.asUintN(64, start)),
    endTimeUnixNano: end === 0n ? noBits : bitsOf(BigInt.asUintN(64, end)),
    events: span.events.map((event, i) => fromEvent(event, details, i)),
  };
  return details === undefined ? addZipkinFields(message, span) : addDetails(message, span, details);
}

function fromEvent({ timestampUs, value, restUs }: SpanEvent, details: SpanDetails | undefined, index: number): Event {
  const event = details?.events[index];
  return {
    timeUnixNano: bitsOf(BigInt.asUintN(64, joinTime(timestampUs, event?.restNs ?? nsOf(restUs)))),
    name: value,
    attributes: event === undefined ? [] : fromAttributes(event.attributes),
    droppedAttributesCount: event?.droppedAttributes ?? 0,
  };
}

const fromLink = (link: SpanLink): Link => ({
  traceId: link.traceId,
  spanId: link.spanId,
  traceState: link.traceState,
  flags: link.flags,
  attributes: fromAttributes(link.attributes),
  droppedAttributesCount: link.droppedAttributes,
});

const statusCodeOf = (name: string): number => numbersOfStatusCode.get(`STATUS_CODE_${name.toUpperCase()}`) ?? 0;

function addDetails(message: WireSpan, span: Span, details: SpanDetails): WireSpan {
  message.traceState = details.traceState;
  message.flags = details.flags;
  message.attributes = fromAttributes(typedAttributes(span.attributes, details.typedAttributes));
  message.droppedAttributesCount = details.droppedAttributes;
  message.droppedEventsCount = details.droppedEvents;
  message.links = details.links.map(fromLink);
  message.droppedLinksCount = details.droppedLinks;
  message.status = { code: statusCodeOf(span.status), message: details.statusMessage };
  return message;
}

/**
 * A tag `error` makes the status an error, and `true` says no more than that; other texts stay. HTTP 5xx alone makes none, as there.
 * `peer.service` has a newer name, which viewers do not know yet.
 */
function addZipkinFields(message: WireSpan, span: Span): WireSpan {
  const {
    [statusCodeTag]: code,
    [statusDescriptionTag]: description,
    [traceStateTag]: traceState,
    ...tags
  } = span.attributes;
  const { error } = tags;
  const attributes: Attribute[] = Object.entries(tags).filter(([key, value]) => key !== 'error' || value !== 'true');
  attributes.push(...endpointAttributes(span.localEndpoint, 'local', 'host'));
  attributes.push(...endpointAttributes(span.remoteEndpoint, 'peer', 'peer'));
  if (span.startUs === undefined) attributes.push(['otel.zipkin.absentField.startTime', true]);
  message.traceState = traceState ?? '';
  message.attributes = fromAttributes(attributes);
  message.status = { code: statusCodeOf(error === undefined ? (code ?? '') : 'error'), message: description ?? '' };
  return message;
}

function endpointAttributes(
  endpoint: Endpoint | undefined,
  side: 'local' | 'peer',
  portSide: 'host' | 'peer',
): Attribute[] {
  if (endpoint === undefined) return [];
  const { serviceName, ipv4, ipv6, port } = endpoint;
  const attributes: Attribute[] = [];
  const address = ipv4 ?? ipv6;
  if (side === 'peer' && serviceName !== undefined) attributes.push(['peer.service', serviceName]);
  if (address !== undefined) attributes.push([`network.${side}.address`, address]);
  if (port !== undefined) attributes.push([`net.${portSide}.port`, BigInt(port)]);
  return attributes;
}
