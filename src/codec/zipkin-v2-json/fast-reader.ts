/**
 * Reads the spans that real senders write: JSON.parse, then one pass over each span that checks and normalises it, keeping the parsed
 * tags as they are. Hot: bench/codec.ts. Whatever is unusual makes it give up, and the exact reader decides.
 *
 * JSON.parse hides what Zipkin would see: repeated fields, and literals such as 1.0. So the pass also adds up how long the text of what it
 * saw must be without blanks; only when that is the length of the text was nothing hidden.
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

/** How many characters what was seen takes as JSON without blanks and escapes. */
interface Seen {
  length: number;
}

const noEvents: readonly SpanEvent[] = Object.freeze([]);
const noTags: Readonly<Record<string, string>> = Object.freeze({});

/** Says that the exact reader has to look. */
const unusual = Symbol('unusual');
type Unusual = typeof unusual;

/** Quotes, colon and comma around a field's name. */
const nameOverhead = 4;

/** The spans, or undefined when anything about the text is unusual (which includes all that is wrong). */
export function readSpansFast(text: string): Span[] | undefined {
  // Half surrogate pairs have to become question marks.
  if (text.includes('\\ud') || text.includes('\\uD') || hasManyBrackets(text)) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // The exact reader says what is wrong, or that nothing is.
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  const spans: Span[] = new Array(list.length);
  const seen: Seen = { length: list.length === 0 ? 2 : 1 + list.length };
  for (let i = 0; i < list.length; i++) {
    const span = toSpan(list[i], seen);
    if (span === undefined) return undefined;
    spans[i] = span;
  }
  return seen.length === text.length - countEscapes(text) ? spans : undefined;
}

/** JSON.parse takes 0.2 µs for each array in an array: 3 s for 20 MB of brackets. The exact reader stops at its nesting limit. */
function hasManyBrackets(text: string): boolean {
  let left = 64 + text.length / 64;
  for (let at = text.indexOf('['); at !== -1; at = text.indexOf('[', at + 1)) if (--left < 0) return true;
  return false;
}

/** How many characters the escapes of a text take more than what they stand for. */
function countEscapes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\\'); at !== -1; at = text.indexOf('\\', at + 2)) {
    count += text.charCodeAt(at + 1) === 0x75 ? 5 : 1;
  }
  return count;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toSpan(raw: unknown, seen: Seen): Span | undefined {
  if (!isObject(raw) || !seeFieldNames(raw, seen)) return undefined;
  const traceId = raw['traceId'];
  const id = raw['id'];
  if (typeof traceId !== 'string' || !isLowerHex(traceId, 32) || isAllZeros(traceId)) return undefined;
  if (typeof id !== 'string' || !isLowerHex(id, 16) || isAllZeros(id)) return undefined;
  seen.length += traceId.length + id.length + 4;
  const parentId = toParentId(raw['parentId'], seen);
  const kind = toKind(raw['kind'], seen);
  const name = toText(raw['name'], seen);
  const startUs = toMicroseconds(raw['timestamp'], seen);
  const durationUs = toMicroseconds(raw['duration'], seen);
  const localEndpoint = readEndpoint(raw['localEndpoint'], seen);
  const remoteEndpoint = readEndpoint(raw['remoteEndpoint'], seen);
  const events = readEvents(raw['annotations'], seen);
  const tags = readTags(raw['tags'], seen);
  const debug = toFlag(raw['debug'], seen);
  const shared = toFlag(raw['shared'], seen);
  if (parentId === unusual || kind === unusual || name === unusual || startUs === unusual) return undefined;
  if (durationUs === unusual || localEndpoint === unusual || remoteEndpoint === unusual) return undefined;
  if (events === unusual || tags === unusual || debug === unusual || shared === unusual) return undefined;
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

/** False when there is a field that is not Zipkin's: it may hold what Gson refuses and JSON.parse takes, such as deep nesting. */
function seeFieldNames(raw: JsonObject, seen: Seen): boolean {
  let length = 1;
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
        length += field.length + nameOverhead;
        break;
      default:
        return false;
    }
  }
  seen.length += length;
  return true;
}

/** A field that is missing, or null as good as missing. */
function isAbsent(value: unknown, seen: Seen): value is undefined | null {
  if (value === null) seen.length += 4;
  return value === undefined || value === null;
}

function toParentId(value: unknown, seen: Seen): string | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (typeof value !== 'string' || !isLowerHex(value, 16)) return unusual;
  seen.length += value.length + 2;
  return isAllZeros(value) ? undefined : padId(value, 16);
}

function toKind(value: unknown, seen: Seen): SpanKind | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (typeof value !== 'string') return unusual;
  seen.length += value.length + 2;
  return parseKind(value) ?? unusual;
}

function toText(value: unknown, seen: Seen): string | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (typeof value !== 'string') return unusual;
  seen.length += value.length + 2;
  return value;
}

function toMicroseconds(value: unknown, seen: Seen): number | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return unusual;
  seen.length += decimalLength(value);
  return value > 0 ? value : undefined;
}

/** How many characters a whole number takes. */
function decimalLength(value: number): number {
  let rest = value < 0 ? -value : value;
  let length = value < 0 ? 2 : 1;
  if (rest >= 1e15) {
    rest /= 1e15;
    length += 15;
  }
  for (let limit = 10; rest >= limit; limit *= 10) length++;
  return length;
}

function toFlag(value: unknown, seen: Seen): boolean | Unusual {
  if (isAbsent(value, seen)) return false;
  if (typeof value !== 'boolean') return unusual;
  seen.length += value ? 4 : 5;
  return value;
}

function readEndpoint(value: unknown, seen: Seen): Endpoint | undefined | Unusual {
  if (isAbsent(value, seen)) return undefined;
  if (!isObject(value)) return unusual;
  const raw: RawEndpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: 0 };
  let length = 1;
  for (const field in value) {
    if (field !== 'serviceName' && field !== 'ipv4' && field !== 'ipv6' && field !== 'port') return unusual;
    length += field.length + nameOverhead;
    const item = value[field];
    if (isAbsent(item, seen)) continue;
    if (field === 'port') {
      if (typeof item !== 'number' || !Number.isSafeInteger(item) || item > 0xffff || item < -0x80000000)
        return unusual;
      length += decimalLength(item);
      raw.port = item;
      continue;
    }
    if (typeof item !== 'string') return unusual;
    length += item.length + 2;
    if (field === 'serviceName') raw.serviceName = item;
    else addIpAddress(raw, item);
  }
  seen.length += length === 1 ? 2 : length;
  return toEndpoint(raw);
}

function readEvents(value: unknown, seen: Seen): readonly SpanEvent[] | Unusual {
  if (isAbsent(value, seen)) return noEvents;
  if (!Array.isArray(value)) return unusual;
  if (value.length === 0) {
    seen.length += 2;
    return noEvents;
  }
  const events: SpanEvent[] = [];
  for (const item of value) {
    if (!isObject(item)) return unusual;
    const timestampUs = item['timestamp'];
    const text = item['value'];
    if (typeof timestampUs !== 'number' || !Number.isSafeInteger(timestampUs) || typeof text !== 'string')
      return unusual;
    for (const field in item) if (field !== 'timestamp' && field !== 'value') return unusual;
    // {"timestamp":…,"value":"…"} and a comma or the bracket.
    seen.length += 26 + decimalLength(timestampUs) + text.length;
    events.push({ timestampUs: timestampUs + 0, value: text });
  }
  seen.length += 1;
  return sortEvents(events);
}

function readTags(value: unknown, seen: Seen): Readonly<Record<string, string>> | Unusual {
  if (isAbsent(value, seen)) return noTags;
  return isObject(value) && seeTags(value, seen) ? value : unusual;
}

function seeTags(value: JsonObject, seen: Seen): value is Readonly<Record<string, string>> {
  let length = 1;
  for (const key in value) {
    const item = value[key];
    if (typeof item !== 'string') return false;
    length += key.length + item.length + nameOverhead + 2;
  }
  seen.length += length === 1 ? 2 : length;
  return true;
}
