/** Which of a Jaeger span's tags have places of their own in an OpenTelemetry span. */
import type { AnyValue, KeyValue } from '../otlp/otlp.generated.ts';

export interface SpanTags {
  readonly attributes: KeyValue[];
  /** OTLP's numbers; 0 for none. */
  readonly kind: number;
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly traceState: string;
  readonly scopeName: string;
  readonly scopeVersion: string;
}

const kinds: Readonly<Record<string, number>> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const statusCodes: Readonly<Record<string, number>> = { ok: 1, error: 2 };
const errorStatus = 2;

/** Tags that are taken out whole, with the older spellings of two of them. */
const places: Readonly<
  Record<string, 'kind' | 'statusCode' | 'statusMessage' | 'traceState' | 'scopeName' | 'scopeVersion'>
> = {
  'span.kind': 'kind',
  'otel.status_code': 'statusCode',
  'otel.status_description': 'statusMessage',
  'w3c.tracestate': 'traceState',
  'otel.scope.name': 'scopeName',
  'otel.scope.version': 'scopeVersion',
  'otel.library.name': 'scopeName',
  'otel.library.version': 'scopeVersion',
};

/** Takes out what has a place; a tag whose text has no meaning there stays a tag. */
export function takeTags(tags: readonly KeyValue[]): SpanTags {
  const taken = { kind: '', statusCode: '', statusMessage: '', traceState: '', scopeName: '', scopeVersion: '' };
  const attributes: KeyValue[] = [];
  let isError = false;
  for (const tag of tags) {
    const place = Object.hasOwn(places, tag.key) ? places[tag.key] : undefined;
    if (tag.key === 'error' && meansError(tag.value)) {
      isError = true;
      // Any other text says more than that, e.g. Zipkin's reason.
      if (!saysTrue(tag.value)) attributes.push(tag);
    } else if (place !== undefined && tag.value?.case === 'stringValue' && canPlace(place, tag.value.value)) {
      taken[place] ||= tag.value.value;
    } else attributes.push(tag);
  }
  return {
    ...taken,
    attributes,
    kind: numberIn(kinds, taken.kind) ?? 0,
    statusCode: numberIn(statusCodes, taken.statusCode) ?? (isError ? errorStatus : 0),
  };
}

function canPlace(place: string, text: string): boolean {
  if (place === 'kind') return numberIn(kinds, text) !== undefined;
  if (place === 'statusCode') return numberIn(statusCodes, text) !== undefined;
  return true;
}

function numberIn(numbers: Readonly<Record<string, number>>, text: string): number | undefined {
  const key = text.toLowerCase();
  return Object.hasOwn(numbers, key) ? numbers[key] : undefined;
}

const saysTrue = (value: AnyValue | undefined): boolean =>
  (value?.case === 'boolValue' && value.value) ||
  (value?.case === 'stringValue' && value.value.toLowerCase() === 'true');

const meansError = (value: AnyValue | undefined): boolean =>
  saysTrue(value) || (value?.case === 'stringValue' && value.value !== '' && value.value.toLowerCase() !== 'false');
