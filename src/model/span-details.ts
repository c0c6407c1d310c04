/**
 * What an OpenTelemetry span says beyond what a Zipkin span can. With `Span` and `Resource` it is the whole of what came: nothing rounded,
 * nothing lost but the order of attributes and those that were repeated.
 */
import type { Attribute } from './attribute.ts';

/** What is said once for all spans of an emitter. The same object for all of them as they arrive, so that what is derived from it is derived once. */
export interface ResourceDetails {
  /** Those of `Resource.attributes` that are no text. */
  readonly typedAttributes: readonly Attribute[];
  readonly droppedAttributes: number;
  readonly schemaUrl: string;
  readonly entities: readonly EntityReference[];
}

/** Says which attributes of the resource name an entity, e.g. a pod. */
export interface EntityReference {
  readonly schemaUrl: string;
  readonly type: string;
  readonly idKeys: readonly string[];
  readonly descriptionKeys: readonly string[];
}

/** The library that made the spans. The same object for all spans of one scope as they arrive. */
export interface SpanScope {
  readonly name: string;
  readonly version: string;
  readonly attributes: readonly Attribute[];
  readonly droppedAttributes: number;
  readonly schemaUrl: string;
}

export interface SpanLink {
  /** 32 lower-case hex digits, or '' where the sender gave none. */
  readonly traceId: string;
  /** 16 lower-case hex digits, or ''. */
  readonly spanId: string;
  readonly traceState: string;
  readonly flags: number;
  readonly attributes: readonly Attribute[];
  readonly droppedAttributes: number;
}

export interface SpanEventDetails {
  /** What to add to the event's microseconds: 0 to 999 but for times that no double holds. */
  readonly restNs: number;
  readonly attributes: readonly Attribute[];
  readonly droppedAttributes: number;
}

export interface SpanDetails {
  readonly resource: ResourceDetails;
  readonly scope: SpanScope;
  /** What to add to `startUs`: 0 to 999 but for times that no double holds. */
  readonly startRestNs: number;
  /** What to add to `durationUs`, 0 to 999. */
  readonly durationRestNs: number;
  /** The end, where it is before the start or start and duration do not lead to it. */
  readonly endNs: bigint | undefined;
  readonly traceState: string;
  readonly flags: number;
  readonly statusMessage: string;
  /** Those of `Span.attributes` that are no text. */
  readonly typedAttributes: readonly Attribute[];
  readonly droppedAttributes: number;
  /** One for each of `Span.events`; none at all where all would be empty. */
  readonly events: readonly SpanEventDetails[];
  readonly droppedEvents: number;
  readonly links: readonly SpanLink[];
  readonly droppedLinks: number;
}
