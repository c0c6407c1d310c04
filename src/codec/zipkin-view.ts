/** What Zipkin sees of an OpenTelemetry span: what OpenTelemetry's own Zipkin exporters make of it, and the collector's. */
import { type AttributeValue, attributeText } from '../model/attribute.ts';
import type { Span, SpanEvent } from '../model/span.ts';
import type { SpanDetails, SpanEventDetails } from '../model/span-details.ts';
import { sortEvents } from './zipkin-v2-json/span-fields.ts';

/**
 * A span with nothing but Zipkin's fields. One that came as Zipkin's is given back as it is. For another, the resource's, the scope's and the
 * span's attributes are tags, the nearest wins; an error has a tag `error`; an event is an annotation of its name, with its attributes.
 */
export function toZipkinSpan(span: Span): Span {
  const { details } = span;
  if (details === undefined) return span;
  return {
    ...span,
    kind: span.kind === 'INTERNAL' ? undefined : span.kind,
    // To Zipkin a duration of zero is none: what took less than a microsecond took one.
    durationUs: span.durationUs ?? (details.durationRestNs > 0 ? 1 : undefined),
    ...lateRests(span, details),
    events: sortEvents(span.events.map((event, i) => annotationOf(event, details.events[i]))),
    attributes: {
      ...span.resource.attributes,
      ...scopeTags(details),
      ...statusTags(span, details),
      ...span.attributes,
    },
    details: undefined,
  };
}

/** An event with attributes as OpenTelemetry's specification of Zipkin exporters writes it: `"exception": {"exception.type":"Timeout"}`. */
function annotationOf(event: SpanEvent, details: SpanEventDetails | undefined): SpanEvent {
  if (details === undefined || details.attributes.length === 0) return event;
  const texts = [...new Map(details.attributes)].map(([key, value]) => `${JSON.stringify(key)}:${valueText(value)}`);
  return { ...event, value: `${startOfAnnotation(event.value)}${texts.join()}}` };
}

/** What the annotation of an event with attributes begins with. */
export const startOfAnnotation = (name: string): string => `${JSON.stringify(name)}: {`;

/** The list is for its JSON, which a text of its own has with escapes that no reader asked for. */
const valueText = (value: AttributeValue): string =>
  typeof value === 'string' ? JSON.stringify(value) : attributeText([value]).slice(1, -1);

/** An event as its annotation tells of it; the values are texts, or JSON where they are none. */
export interface AnnotatedEvent {
  readonly name: string;
  readonly attributes: readonly (readonly [key: string, text: string])[];
}

const withAttributes = /^("(?:[^"\\]|\\.)*"): (\{.*\})$/s;

/** Reads an annotation that `toZipkinSpan` or an exporter of OpenTelemetry's made of an event with attributes; any other is a name. */
export function eventOfAnnotation(value: string): AnnotatedEvent {
  const [, name = '', attributes = ''] = withAttributes.exec(value) ?? [];
  if (name === '') return { name: value, attributes: [] };
  try {
    const entries = Object.entries<unknown>(JSON.parse(attributes));
    return {
      name: String(JSON.parse(name)),
      attributes: entries.map(([key, item]) => [key, typeof item === 'string' ? item : JSON.stringify(item)]),
    };
  } catch {
    // Some other text that begins like one: nothing is lost, it is shown as it stands.
    return { name: value, attributes: [] };
  }
}

/** Beyond 2^53 the rest of a time in nanoseconds has microseconds of its own. */
function lateRests({ startUs = 0 }: Span, { startRestNs }: SpanDetails): Pick<Span, 'startRestUs'> {
  return Number.isSafeInteger(startUs) ? {} : { startRestUs: Math.floor(startRestNs / 1000) };
}

type Tags = Record<string, string>;

function scopeTags({ scope, traceState }: SpanDetails): Tags {
  const tags: Tags = {};
  for (const [key, value] of scope.attributes) tags[key] = attributeText(value);
  if (scope.name !== '') tags['otel.scope.name'] = scope.name;
  if (scope.version !== '') tags['otel.scope.version'] = scope.version;
  if (traceState !== '') tags['w3c.tracestate'] = traceState;
  return tags;
}

function statusTags({ status }: Span, { statusMessage }: SpanDetails): Tags {
  const tags: Tags = {};
  if (status !== 'unset') tags['otel.status_code'] = status.toUpperCase();
  if (status === 'error') tags['error'] = statusMessage === '' ? 'true' : statusMessage;
  return tags;
}
