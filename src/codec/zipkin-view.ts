/** What Zipkin sees of an OpenTelemetry span: what OpenTelemetry's own Zipkin exporters make of it, and the collector's. */
import { attributeText } from '../model/attribute.ts';
import type { Span } from '../model/span.ts';
import type { SpanDetails } from '../model/span-details.ts';
import { sortEvents } from './zipkin-v2-json/span-fields.ts';

/**
 * A span with nothing but Zipkin's fields. One that came as Zipkin's is given back as it is. For another, the resource's, the scope's and the
 * span's attributes are tags, the nearest wins; an error has a tag `error`; an event is an annotation of its name.
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
    events: sortEvents([...span.events]),
    attributes: {
      ...span.resource.attributes,
      ...scopeTags(details),
      ...statusTags(span, details),
      ...span.attributes,
    },
    details: undefined,
  };
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
