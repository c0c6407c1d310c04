/**
 * Jaeger's rule of what a search finds: a trace of which one span meets everything (the memory store's validSpan; other stores of Jaeger's
 * know less). The store is asked with a predicate that no such span fails; the messages of what it finds decide.
 */
import type { AnyValue, KeyValue } from '../../codec/otlp/otlp.generated.ts';
import { bigOf } from '../../codec/protobuf/wire-writer.ts';
import { spanKinds } from '../../model/span.ts';
import type { AttributeHolder, SpanCondition, SpanPredicate } from '../../store/readers/trace-search.ts';
import { parseGoBool } from './go-text.ts';
import {
  attributeOf,
  emptySpanName,
  missingServiceName,
  type OtlpTrace,
  otlpKinds,
  otlpStatuses,
  type PlacedSpan,
  serviceNameOf,
  spansOf,
} from './otlp-trace.ts';
import type { SpanQuery } from './search-parameters.ts';
import { kindText, textOfAny } from './ui-trace.ts';

const resourcePrefix = 'resource.';

/** Whether one of the trace's spans is what is asked for. */
export function hasMatch(trace: OtlpTrace, query: SpanQuery): boolean {
  for (const placed of spansOf(trace)) if (isMatch(placed, query)) return true;
  return false;
}

function isMatch(placed: PlacedSpan, query: SpanQuery): boolean {
  const { span, resourceSpans } = placed;
  if (query.service !== '' && query.service !== serviceNameOf(resourceSpans.resource)) return false;
  if (query.operation !== '' && query.operation !== span.name) return false;
  const start = bigOf(span.startTimeUnixNano);
  if (start < query.startNs || start > query.endNs) return false;
  const duration = bigOf(span.endTimeUnixNano) - start;
  if (query.minDurationNs !== 0n && duration < query.minDurationNs) return false;
  if (query.maxDurationNs !== 0n && duration > query.maxDurationNs) return false;
  for (const [key, value] of query.tags) if (!hasTag(placed, key, value)) return false;
  return true;
}

function hasTag(placed: PlacedSpan, key: string, value: string): boolean {
  const { span, scopeSpans, resourceSpans } = placed;
  const status = span.status?.code ?? otlpStatuses.unset;
  switch (key) {
    case 'error': {
      // `false` is anything but an error, as it was meant (2.20.0 took it for OK alone).
      const isError = parseGoBool(value);
      return isError.kind === 'value' && isError.value === (status === otlpStatuses.error);
    }
    case 'span.status':
      return status === statusOf(value);
    case 'span.kind':
      return span.kind === kindOf(value);
    case 'scope.name':
      return (scopeSpans.scope?.name ?? '') === value;
    case 'scope.version':
      return (scopeSpans.scope?.version ?? '') === value;
  }
  const resource = resourceSpans.resource?.attributes ?? [];
  if (key.startsWith(resourcePrefix)) return isAmong(resource, key.slice(resourcePrefix.length), value);
  return (
    isAmong(span.attributes, key, value) ||
    isAmong(scopeSpans.scope?.attributes ?? [], key, value) ||
    isAmong(resource, key, value) ||
    span.events.some(({ attributes }) => isAmong(attributes, key, value)) ||
    span.links.some(({ attributes }) => isAmong(attributes, key, value))
  );
}

const isAmong = (attributes: readonly KeyValue[], key: string, value: string): boolean => {
  const found: AnyValue | undefined = attributeOf(attributes, key);
  return found !== undefined && textOfAny(found) === value;
};

function statusOf(text: string): number {
  const upper = text.toUpperCase();
  return upper === 'OK' ? otlpStatuses.ok : upper === 'ERROR' ? otlpStatuses.error : otlpStatuses.unset;
}

function kindOf(text: string): number {
  const lower = text.toLowerCase();
  return Object.entries(otlpKinds).find(([name]) => name === lower)?.[1] ?? otlpKinds.unspecified;
}

/** Asks the store for no less than what `hasMatch` takes; undefined where nothing can be found. */
export function predicateOf(query: SpanQuery): SpanPredicate | undefined {
  if (query.startNs > query.endNs) return undefined;
  const conditions: SpanCondition[] = [];
  if (query.service !== '') conditions.push(orEmpty('localService', query.service, missingServiceName));
  if (query.operation !== '') conditions.push(orEmpty('name', query.operation, emptySpanName));
  if (query.minDurationNs > 0n || query.maxDurationNs !== 0n) {
    if (query.maxDurationNs < 0n) return undefined;
    const maxUs = query.maxDurationNs === 0n ? undefined : wholeUs(query.maxDurationNs);
    conditions.push({ kind: 'duration', minUs: wholeUs(query.minDurationNs), maxUs });
  }
  for (const [key, value] of query.tags) {
    const condition = tagCondition(key, value);
    if (condition === 'never') return undefined;
    if (condition !== undefined) conditions.push(condition);
  }
  return conditions;
}

const wholeUs = (ns: bigint): number => Number(ns < 0n ? 0n : ns / 1000n);

/** What Jaeger gives a name of its own lies in the store without one. */
function orEmpty(kind: 'localService' | 'name', text: string, nameOfNone: string): SpanCondition {
  const asked: SpanCondition = { kind, text, isFolded: false };
  return text === nameOfNone ? { kind: 'any', of: [asked, { ...asked, text: '' }] } : asked;
}

const isZipkin: SpanCondition = { kind: 'not', of: { kind: 'hasDetails' } };
const attribute = (key: string, value: string, of: readonly AttributeHolder[]): SpanCondition => ({
  kind: 'attribute',
  key,
  value,
  of,
});

/** Attributes that Zipkin's spans have only after their translation. */
const translatedKeys: ReadonlySet<string> = new Set([
  'network.local.address',
  'network.peer.address',
  'net.host.port',
  'net.peer.port',
  'otel.zipkin.absentField.startTime',
]);

/** Undefined where the store has nothing to narrow the search by. */
function tagCondition(key: string, value: string): SpanCondition | 'never' | undefined {
  switch (key) {
    case 'error': {
      const isError = parseGoBool(value);
      if (isError.kind === 'malformed') return 'never';
      return statusCondition(isError.value ? 'ERROR' : 'not an error');
    }
    case 'span.status':
      return statusCondition(value.toUpperCase());
    case 'span.kind': {
      const upper = kindText(kindOf(value)).toUpperCase();
      return { kind: 'spanKind', spanKind: spanKinds.find((kind) => kind === upper) };
    }
    case 'scope.name':
    case 'scope.version':
      return value === '' ? undefined : attribute(`otel.${key}`, value, ['detail']);
  }
  const of: readonly AttributeHolder[] = key.startsWith(resourcePrefix) ? ['resource'] : ['span', 'resource', 'detail'];
  const name = key.startsWith(resourcePrefix) ? key.slice(resourcePrefix.length) : key;
  const asked = attribute(name, value, of);
  if (name === 'service.name') return { kind: 'any', of: [asked, orEmpty('localService', value, missingServiceName)] };
  if (name === 'peer.service') {
    return { kind: 'any', of: [asked, { kind: 'remoteService', text: value, isFolded: false }] };
  }
  return translatedKeys.has(name) ? { kind: 'any', of: [asked, isZipkin] } : asked;
}

/** The status of a Zipkin span is derived in the model by other rules than in its translation. */
function statusCondition(text: string): SpanCondition {
  switch (text) {
    case 'ERROR':
      return {
        kind: 'any',
        of: [{ kind: 'status', statuses: ['error'] }, attribute('otel.status_code', 'ERROR', ['span'])],
      };
    case 'OK':
      return { kind: 'any', of: [{ kind: 'status', statuses: ['ok'] }, isZipkin] };
    case 'not an error':
      return { kind: 'any', of: [{ kind: 'status', statuses: ['unset', 'ok'] }, isZipkin] };
    default:
      return { kind: 'any', of: [{ kind: 'status', statuses: ['unset'] }, isZipkin] };
  }
}
