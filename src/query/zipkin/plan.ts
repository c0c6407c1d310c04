/** What the store is asked for a search of Zipkin's: predicates that every trace meets which `matchesTrace` takes. */
import { eventOfAnnotation } from '../../codec/zipkin-view.ts';
import type { SpanCondition, SpanPredicate, TraceSearch } from '../../store/readers/trace-search.ts';
import type { TraceQuery } from './trace-query.ts';

/**
 * A trace counts by the time of its first span, so that the span which meets a condition may lie after the window; this far it is looked for,
 * and before the window too, for clocks differ.
 */
const reachUs = 60_000_000;

/** Plans a search. The conditions may be met by different spans, so each is a predicate of its own, with the service they all need. */
export function planSearch(query: TraceQuery): TraceSearch {
  const { serviceName, fromUs, toUs } = query;
  const service: SpanPredicate = serviceName === undefined ? [] : [folded('localService', serviceName)];
  const someSpan = conditionsOf(query).map((condition) => [...service, condition]);
  return { fromUs, toUs, reachUs, someSpan: someSpan.length === 0 ? [service] : someSpan };
}

const folded = (kind: 'localService' | 'remoteService' | 'name', text: string): SpanCondition => ({
  kind,
  text,
  isFolded: true,
});

function conditionsOf(query: TraceQuery): SpanCondition[] {
  const { remoteServiceName, spanName, minDurationUs, maxDurationUs, annotations } = query;
  const conditions: SpanCondition[] = [];
  if (spanName !== undefined) conditions.push(folded('name', spanName));
  if (remoteServiceName !== undefined) conditions.push(folded('remoteService', remoteServiceName));
  // What took less than a microsecond is stored as 0 and shown as 1.
  if (minDurationUs !== undefined && minDurationUs > 1) {
    conditions.push({ kind: 'duration', minUs: minDurationUs, maxUs: maxDurationUs });
  }
  for (const [key, value] of annotations) conditions.push(annotationCondition(key, value));
  return conditions;
}

/** Zipkin's view adds tags to what came over OpenTelemetry's protocol (`toZipkinSpan`). */
function annotationCondition(key: string, value: string): SpanCondition {
  const tag = { kind: 'attribute', key, value: value === '' ? undefined : value } as const;
  const added: SpanCondition[] = [{ ...tag, of: ['resource', 'detail'] }];
  if (key === 'error') added.push({ kind: 'status', statuses: ['error'] });
  if (key === 'otel.status_code') added.push({ kind: 'status', statuses: ['ok', 'error'] });
  // The trace's state is in no column of its own: whatever has details may have it.
  if (key === 'w3c.tracestate') added.push({ kind: 'all', of: [] });
  const ways: SpanCondition[] = [{ ...tag, of: ['span'] }];
  if (value === '') {
    ways.push({ kind: 'event', value: key });
    const { name, attributes } = eventOfAnnotation(key);
    if (attributes.length > 0) ways.push({ kind: 'event', value: name });
  }
  ways.push({ kind: 'all', of: [{ kind: 'hasDetails' }, { kind: 'any', of: added }] });
  return { kind: 'any', of: ways };
}
