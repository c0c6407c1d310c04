/**
 * Reads the spans that real senders write: JSON.parse, then one pass over each span that checks and normalises it, keeping the parsed
 * tags as they are. Hot: bench/codec.ts. Whatever is unusual makes it give up, and the exact reader decides.
 */
import type { Endpoint, Span, SpanEvent, SpanKind } from '../../model/span.ts';
import { resourceOfSpan } from '../mesh-resource.ts';
import {
  addIpAddress,
  isAllZeros,
  isLowerHex,
  padId,
  parseKind,
  type RawEndpoint,
  sortEvents,
  statusOf,
  toEndpoint,
} from './span-fields.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const noEvents: readonly SpanEvent[] = Object.freeze([]);
const noTags: Readonly<Record<string, string>> = Object.freeze({});

/** Thrown away at once: says that the exact reader has to look. */
const unusual = Symbol('unusual');
type Unusual = typeof unusual;

/** The spans, or undefined when anything about the text is unusual (which includes all that is wrong). */
export function readSpansFast(text: string): Span[] | undefined {
  // Half surrogate pairs have to become question marks.
  if (text.includes('\\ud') || text.includes('\\uD')) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // The exact reader says what is wrong, or that nothing is.
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  const spans: Span[] = new Array(list.length);
  for (let i = 0; i < list.length; i++) {
    const span = toSpan(list[i]);
    if (span === undefined) return undefined;
    spans[i] = span;
  }
  return spans;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toSpan(raw: unknown): Span | undefined {
  if (!isObject(raw)) return undefined;
  const traceId = raw['traceId'];
  const id = raw['id'];
  if (typeof traceId !== 'string' || !isLowerHex(traceId, 32) || isAllZeros(traceId)) return undefined;
  if (typeof id !== 'string' || !isLowerHex(id, 16) || isAllZeros(id)) return undefined;
  const parentId = toParentId(raw['parentId']);
  const kind = toKind(raw['kind']);
  const name = toText(raw['name']);
  const startUs = toMicroseconds(raw['timestamp']);
  const durationUs = toMicroseconds(raw['duration']);
  const localEndpoint = readEndpoint(raw['localEndpoint']);
  const remoteEndpoint = readEndpoint(raw['remoteEndpoint']);
  const events = readEvents(raw['annotations']);
  const tags = readTags(raw['tags']);
  const debug = toFlag(raw['debug']);
  const shared = toFlag(raw['shared']);
  if (parentId === unusual || kind === unusual || name === unusual || startUs === unusual || durationUs === unusual)
    return undefined;
  if (localEndpoint === unusual || remoteEndpoint === unusual || events === unusual || tags === unusual)
    return undefined;
  if (debug === unusual || shared === unusual || hasOtherFields(raw)) return undefined;
  const paddedId = padId(id, 16);
  return {
    traceId: padId(traceId, 32),
    id: paddedId,
    parentId: parentId === paddedId ? undefined : parentId,
    kind,
    shared: shared && kind !== 'CLIENT',
    debug,
    name: name ?? '',
    startUs,
    durationUs,
    status: statusOf(kind, tags),
    localEndpoint,
    remoteEndpoint,
    events,
    attributes: tags,
    resource: resourceOfSpan(localEndpoint?.serviceName, tags),
  };
}

/** A field that is not Zipkin's may hold what Gson refuses and JSON.parse takes, such as deep nesting. */
function hasOtherFields(raw: JsonObject): boolean {
  for (const field in raw) {
    switch (field) {
      case 'traceId':
      case 'id':
      case 'parentId':
      case 'kind':
      case 'name':
      case 'timestamp':
      case 'duration':
      case 'localEndpoint':
      case 'remoteEndpoint':
      case 'annotations':
      case 'tags':
      case 'debug':
      case 'shared':
        break;
      default:
        return true;
    }
  }
  return false;
}

function toParentId(value: unknown): string | undefined | Unusual {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || !isLowerHex(value, 16)) return unusual;
  return isAllZeros(value) ? undefined : padId(value, 16);
}

function toKind(value: unknown): SpanKind | undefined | Unusual {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') return unusual;
  return parseKind(value) ?? unusual;
}

function toText(value: unknown): string | undefined | Unusual {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? undefined : unusual;
}

function toMicroseconds(value: unknown): number | undefined | Unusual {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) return unusual;
    return value > 0 ? value : undefined;
  }
  return value === undefined || value === null ? undefined : unusual;
}

function toFlag(value: unknown): boolean | Unusual {
  if (typeof value === 'boolean') return value;
  return value === undefined || value === null ? false : unusual;
}

function readEndpoint(value: unknown): Endpoint | undefined | Unusual {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) return unusual;
  const raw: RawEndpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: 0 };
  for (const field in value) {
    const item = value[field];
    if (item === null) {
      if (field === 'serviceName' || field === 'ipv4' || field === 'ipv6' || field === 'port') continue;
      return unusual;
    }
    if (field === 'port') {
      if (typeof item !== 'number' || !Number.isSafeInteger(item) || item > 0xffff || item < -0x80000000)
        return unusual;
      raw.port = item;
    } else if (typeof item !== 'string') return unusual;
    else if (field === 'serviceName') raw.serviceName = item;
    else if (field === 'ipv4' || field === 'ipv6') addIpAddress(raw, item);
    else return unusual;
  }
  return toEndpoint(raw);
}

function readEvents(value: unknown): readonly SpanEvent[] | Unusual {
  if (value === undefined || value === null) return noEvents;
  if (!Array.isArray(value)) return unusual;
  if (value.length === 0) return noEvents;
  const events: SpanEvent[] = [];
  for (const item of value) {
    if (!isObject(item)) return unusual;
    const timestampUs = item['timestamp'];
    const text = item['value'];
    if (typeof timestampUs !== 'number' || !Number.isSafeInteger(timestampUs) || typeof text !== 'string')
      return unusual;
    for (const field in item) if (field !== 'timestamp' && field !== 'value') return unusual;
    events.push({ timestampUs: timestampUs + 0, value: text });
  }
  return sortEvents(events);
}

function isTags(value: JsonObject): value is Readonly<Record<string, string>> {
  for (const key in value) if (typeof value[key] !== 'string') return false;
  return true;
}

function readTags(value: unknown): Readonly<Record<string, string>> | Unusual {
  if (value === undefined || value === null) return noTags;
  return isObject(value) && isTags(value) ? value : unusual;
}
