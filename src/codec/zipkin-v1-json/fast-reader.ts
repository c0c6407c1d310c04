/**
 * Reads the v1 spans that real senders write, as the fast reader of v2 does: JSON.parse, then one pass that checks each field and adds up
 * how long its text must be, so that nothing is hidden. Hot: bench/codec.ts. Whatever is unusual makes it give up, and the exact reader decides.
 */
import type { Endpoint } from '../../model/span.ts';
import { isAddressKey, type V1Annotation, type V1BinaryAnnotation, type V1Span } from '../zipkin-v1/v1-span.ts';
import {
  decimalLength,
  isAbsent,
  isAllSeen,
  isObject,
  type JsonObject,
  nameOverhead,
  parseList,
  readEndpoint,
  type Seen,
  toFlag,
  toText,
  type Unusual,
  unusual,
} from '../zipkin-v2-json/parsed-fields.ts';
import { isZeroId, readSpanId, readTraceId } from './span-ids.ts';

/** The endpoint of the annotation before, which most often is this one's too. */
interface LastEndpoint {
  raw: JsonObject | undefined;
  endpoint: Endpoint | undefined;
  length: number;
}

/** The spans, or undefined when anything about the text is unusual (which includes all that is wrong). */
export function readSpansFast(text: string): V1Span[] | undefined {
  const parsed = parseList(text);
  if (parsed === undefined) return undefined;
  const { list, seen } = parsed;
  const last: LastEndpoint = { raw: undefined, endpoint: undefined, length: 0 };
  const spans: V1Span[] = [];
  for (const raw of list) {
    const span = toSpan(raw, seen, last);
    if (span === undefined) return undefined;
    spans.push(span);
  }
  return isAllSeen(text, seen) ? spans : undefined;
}

function toSpan(raw: unknown, seen: Seen, last: LastEndpoint): V1Span | undefined {
  if (!isObject(raw) || !seeFieldNames(raw, seen)) return undefined;
  const traceId = toId(raw['traceId'], seen, readTraceId);
  const id = toId(raw['id'], seen, readSpanId);
  if (traceId === unusual || isZeroId(traceId) || id === unusual || isZeroId(id)) return undefined;
  const parentId = isAbsent(raw['parentId'], seen) ? undefined : toId(raw['parentId'], seen, readSpanId);
  const name = toText(raw['name'], seen);
  const timestampUs = toTime(raw['timestamp'], seen);
  const durationUs = toTime(raw['duration'], seen);
  const debug = toFlag(raw['debug'], seen);
  if (parentId === unusual || name === unusual || debug === unusual) return undefined;
  if (timestampUs === unusual || durationUs === unusual) return undefined;
  const annotations: V1Annotation[] = [];
  const binaryAnnotations: V1BinaryAnnotation[] = [];
  if (!readAnnotations(raw['annotations'], annotations, seen, last)) return undefined;
  if (!readBinaryAnnotations(raw['binaryAnnotations'], binaryAnnotations, seen, last)) return undefined;
  return {
    traceId,
    id,
    parentId: parentId === undefined || isZeroId(parentId) ? undefined : parentId,
    name: name ?? '',
    timestampUs,
    durationUs,
    annotations,
    binaryAnnotations,
    debug,
  };
}

/** False when there is a field that is not Zipkin's: it may hold what Gson refuses and JSON.parse takes, such as deep nesting. */
function seeFieldNames(raw: JsonObject, seen: Seen): boolean {
  let length = 1;
  for (const field in raw) {
    switch (field) {
      case 'traceId':
      case 'id':
      case 'parentId':
      case 'name':
      case 'timestamp':
      case 'duration':
      case 'annotations':
      case 'binaryAnnotations':
      case 'debug':
        length += field.length + nameOverhead;
        break;
      default:
        return false;
    }
  }
  seen.length += length;
  return true;
}

function toId(value: unknown, seen: Seen, read: (text: string) => string | undefined): string | Unusual {
  if (typeof value !== 'string') return unusual;
  seen.length += value.length + 2;
  return read(value) ?? unusual;
}

/** A time as it was written, 0 for none: what is not positive still counts in the conversion. */
function toTime(value: unknown, seen: Seen): number | Unusual {
  if (isAbsent(value, seen)) return 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return unusual;
  seen.length += decimalLength(value);
  return value + 0;
}

function readAnnotations(value: unknown, annotations: V1Annotation[], seen: Seen, last: LastEndpoint): boolean {
  if (isAbsent(value, seen)) return true;
  if (!Array.isArray(value)) return false;
  let length = value.length === 0 ? 2 : 1 + value.length;
  for (const item of value) {
    if (!isObject(item)) return false;
    length += 1;
    for (const field in item) {
      if (field !== 'timestamp' && field !== 'value' && field !== 'endpoint') return false;
      length += field.length + nameOverhead;
    }
    const timestampUs = item['timestamp'];
    const text = item['value'];
    if (typeof timestampUs !== 'number' || !Number.isSafeInteger(timestampUs) || typeof text !== 'string') return false;
    length += decimalLength(timestampUs) + text.length + 2;
    const endpoint = toEndpoint(item['endpoint'], seen, last);
    if (endpoint === unusual) return false;
    annotations.push({ timestampUs: timestampUs + 0, value: text, endpoint });
  }
  seen.length += length;
  return true;
}

function readBinaryAnnotations(
  value: unknown,
  annotations: V1BinaryAnnotation[],
  seen: Seen,
  last: LastEndpoint,
): boolean {
  if (isAbsent(value, seen)) return true;
  if (!Array.isArray(value)) return false;
  let length = value.length === 0 ? 2 : 1 + value.length;
  for (const item of value) {
    if (!isObject(item)) return false;
    length += 1;
    for (const field in item) {
      if (field !== 'key' && field !== 'value' && field !== 'endpoint') return false;
      length += field.length + nameOverhead;
    }
    const key = item['key'];
    const text = item['value'];
    if (typeof key !== 'string') return false;
    length += key.length + 2;
    const endpoint = toEndpoint(item['endpoint'], seen, last);
    if (endpoint === unusual) return false;
    if (typeof text === 'string') {
      length += text.length + 2;
      annotations.push({ key, value: text, endpoint });
    } else if (typeof text === 'boolean') {
      length += text ? 4 : 5;
      if (text && endpoint !== undefined && isAddressKey(key)) annotations.push({ key, value: undefined, endpoint });
    } else return false;
  }
  seen.length += length;
  return true;
}

function toEndpoint(value: unknown, seen: Seen, last: LastEndpoint): Endpoint | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (!isObject(value)) return unusual;
  if (last.raw !== undefined && isSame(value, last.raw)) {
    seen.length += last.length;
    return last.endpoint;
  }
  const before = seen.length;
  const endpoint = readEndpoint(value, seen);
  if (endpoint === unusual) return unusual;
  last.raw = value;
  last.endpoint = endpoint;
  last.length = seen.length - before;
  return endpoint;
}

/** Whether two objects have the same fields with the same plain values. */
function isSame(a: JsonObject, b: JsonObject): boolean {
  let fields = 0;
  for (const field in a) {
    if (a[field] !== b[field]) return false;
    fields++;
  }
  for (const _ in b) fields--;
  return fields === 0;
}
