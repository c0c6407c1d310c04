/** OTLP's messages as the model's spans. What a span is refused for does not touch its neighbours. Hot: bench/codec.ts. */
import { emptyResource, type Resource } from '../../model/resource.ts';
import type { Endpoint, Span, SpanEvent, SpanKind, SpanStatus } from '../../model/span.ts';
import type { ResourceDetails, SpanEventDetails, SpanLink, SpanScope } from '../../model/span-details.ts';
import { resourceOfSpan } from '../mesh-resource.ts';
import { bigOf } from '../protobuf/wire-writer.ts';
import { noAttributes, toAttributes, toSearchable } from './attributes.ts';
import type * as wire from './otlp.generated.ts';
import { remoteEndpointOf } from './remote-endpoint.ts';
import { type SplitTime, splitTime } from './times.ts';

/** What a request brought: the spans that are taken, and how many are not, with the reason for the first of these. */
export interface DecodedSpans {
  readonly spans: Span[];
  readonly rejected: number;
  readonly reason: string;
}

type Texts = Readonly<Record<string, string>>;

const kinds: readonly (SpanKind | undefined)[] = [undefined, 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const statuses: readonly SpanStatus[] = ['unset', 'ok', 'error'];
const noEvents: readonly SpanEvent[] = Object.freeze([]);
const noEventDetails: readonly SpanEventDetails[] = Object.freeze([]);
const noLinks: readonly SpanLink[] = Object.freeze([]);

/** Of one message ResourceSpans, said once for all of its spans. */
export interface Emitter {
  readonly resource: Resource;
  readonly details: ResourceDetails;
  readonly localEndpoint: Endpoint | undefined;
}

/** About so many spans take two milliseconds. */
export const spansPerStep = 500;

/** Takes a request's spans one by one. */
export interface SpanCollector {
  readonly spans: readonly Span[];
  add(span: wire.Span, emitter: Emitter, scope: SpanScope): void;
  /** Whether a step's spans were added since it last said so. */
  isStepOver(): boolean;
  finish(): DecodedSpans;
}

/** Makes a collector of one request's spans. */
export function createSpanCollector(): SpanCollector {
  const spans: Span[] = [];
  let rejected = 0;
  let added = 0;
  let reason = '';
  return {
    spans,
    add(span, emitter, scope) {
      added++;
      const wrong = findWrongId(span);
      if (wrong === undefined) spans.push(toSpan(span, emitter, scope));
      else if (rejected++ === 0) reason = `span ${spans.length + 1} of the request: ${wrong}`;
    },
    isStepOver() {
      if (added < spansPerStep) return false;
      added = 0;
      return true;
    },
    finish: () => ({ spans, rejected, reason }),
  };
}

/** Who emitted the spans of a message ResourceSpans. */
export function toEmitter(resource: wire.Resource | undefined, schemaUrl: string): Emitter {
  const { texts, typed } = toSearchable(resource?.attributes ?? []);
  const serviceName = texts['service.name'] ?? '';
  return {
    resource: {
      ...emptyResource,
      service: serviceName,
      namespace: texts['k8s.namespace.name'] || (texts['service.namespace'] ?? ''),
      pod: texts['k8s.pod.name'] ?? '',
      container: texts['k8s.container.name'] ?? '',
      node: texts['k8s.node.name'] ?? '',
      version: texts['service.version'] ?? '',
      attributes: texts,
    },
    details: {
      typedAttributes: typed,
      droppedAttributes: resource?.droppedAttributesCount ?? 0,
      schemaUrl,
      entities: (resource?.entityRefs ?? []).map((entity) => ({
        schemaUrl: entity.schemaUrl,
        type: entity.type,
        idKeys: entity.idKeys,
        descriptionKeys: entity.descriptionKeys,
      })),
    },
    localEndpoint: serviceName === '' ? undefined : { serviceName, ipv4: undefined, ipv6: undefined, port: undefined },
  };
}

/** The scope of a message ScopeSpans. */
export function toScope(scope: wire.InstrumentationScope | undefined, schemaUrl: string): SpanScope {
  return {
    name: scope?.name ?? '',
    version: scope?.version ?? '',
    attributes: toAttributes(scope?.attributes ?? []),
    droppedAttributes: scope?.droppedAttributesCount ?? 0,
    schemaUrl,
  };
}

function isZero(id: string): boolean {
  for (let i = 0; i < id.length; i++) if (id.charCodeAt(i) !== 0x30) return false;
  return true;
}

function findWrongId({ traceId, spanId, parentSpanId }: wire.Span): string | undefined {
  if (traceId.length !== 32) return `traceId has ${traceId.length / 2} bytes, not 16`;
  if (isZero(traceId)) return 'traceId is all zeros';
  if (spanId.length !== 16) return `spanId has ${spanId.length / 2} bytes, not 8`;
  if (isZero(spanId)) return 'spanId is all zeros';
  if (parentSpanId.length !== 16 && parentSpanId !== '')
    return `parentSpanId has ${parentSpanId.length / 2} bytes, not 8`;
  return undefined;
}

function toSpan(span: wire.Span, emitter: Emitter, scope: SpanScope): Span {
  const { texts, typed } = toSearchable(span.attributes);
  const kind = kinds[span.kind];
  const start = splitTime(span.startTimeUnixNano);
  const end = splitTime(span.endTimeUnixNano);
  const duration = durationOf(start, end);
  const { parentSpanId, spanId, status } = span;
  return {
    traceId: span.traceId,
    id: spanId,
    parentId: parentSpanId === '' || parentSpanId === spanId || isZero(parentSpanId) ? undefined : parentSpanId,
    kind,
    shared: false,
    debug: false,
    name: span.name,
    startUs: start.us === 0 ? undefined : start.us,
    durationUs: duration === undefined || duration.us === 0 ? undefined : duration.us,
    status: statuses[status?.code ?? 0] ?? 'unset',
    localEndpoint: emitter.localEndpoint,
    remoteEndpoint: kind === undefined || kind === 'INTERNAL' ? undefined : remoteEndpointOf(texts),
    events: span.events.length === 0 ? noEvents : span.events.map(toEvent),
    attributes: texts,
    resource: resourceOf(texts, emitter),
    details: {
      resource: emitter.details,
      scope,
      startRestNs: start.restNs,
      durationRestNs: duration?.restNs ?? 0,
      endNs: duration === undefined ? bigOf(span.endTimeUnixNano) : undefined,
      traceState: span.traceState,
      flags: span.flags,
      statusMessage: status?.message ?? '',
      typedAttributes: typed,
      droppedAttributes: span.droppedAttributesCount,
      events: span.events.length === 0 ? noEventDetails : toEventDetails(span.events),
      droppedEvents: span.droppedEventsCount,
      links: span.links.length === 0 ? noLinks : span.links.map(toLink),
      droppedLinks: span.droppedLinksCount,
    },
  };
}

/** Undefined where start and duration would not lead to the end: it is before the start, or one of them is not told or beyond 2^53. */
function durationOf(start: SplitTime, end: SplitTime): SplitTime | undefined {
  if (start.us === 0 && end.us !== 0) return undefined;
  if (!Number.isSafeInteger(end.us) || !Number.isSafeInteger(start.us)) return undefined;
  const restNs = end.restNs - start.restNs;
  const us = restNs < 0 ? end.us - start.us - 1 : end.us - start.us;
  return us < 0 ? undefined : { us, restNs: restNs < 0 ? restNs + 1000 : restNs };
}

/** A mesh's proxy says in each span who it is, as it does in Zipkin's; anybody else says it in the resource. */
function resourceOf(texts: Texts, { resource }: Emitter): Resource {
  if (texts['istio.namespace'] === undefined && texts['node_id'] === undefined) return resource;
  const mesh = resourceOfSpan(resource.service, texts);
  return meshResource(mesh, resource);
}

let lastMesh: { readonly mesh: Resource; readonly base: Resource; readonly resource: Resource } | undefined;

/** The same object for one emitter's spans, as far as they stand together. */
function meshResource(mesh: Resource, base: Resource): Resource {
  if (lastMesh?.mesh === mesh && lastMesh.base === base) return lastMesh.resource;
  const resource: Resource = {
    service: mesh.service || base.service,
    namespace: mesh.namespace || base.namespace,
    pod: mesh.pod || base.pod,
    container: base.container,
    node: base.node,
    version: mesh.version || base.version,
    attributes: base.attributes,
  };
  lastMesh = { mesh, base, resource };
  return resource;
}

const toEvent = ({ timeUnixNano, name }: wire.Event): SpanEvent => ({
  timestampUs: splitTime(timeUnixNano).us,
  value: name,
});

function toEventDetails(events: readonly wire.Event[]): readonly SpanEventDetails[] {
  const details = events.map((event) => ({
    restNs: splitTime(event.timeUnixNano).restNs,
    attributes: toAttributes(event.attributes),
    droppedAttributes: event.droppedAttributesCount,
  }));
  const isEmpty = details.every(
    (event) => event.restNs === 0 && event.attributes === noAttributes && event.droppedAttributes === 0,
  );
  return isEmpty ? noEventDetails : details;
}

const toLink = (link: wire.Link): SpanLink => ({
  traceId: link.traceId,
  spanId: link.spanId,
  traceState: link.traceState,
  flags: link.flags,
  attributes: toAttributes(link.attributes),
  droppedAttributes: link.droppedAttributesCount,
});
