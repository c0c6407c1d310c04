/**
 * Reads the spans that real senders write: JSON.parse, then one pass over each span that checks and normalises it, keeping the parsed
 * tags as they are. Hot: bench/codec.ts. Whatever is unusual makes it give up, and the exact reader decides.
 *
 * JSON.parse hides what Zipkin would see: repeated fields, and literals such as 1.0. So the pass also adds up how long the text of what it
 * saw must be without blanks; only when that is the length of the text was nothing hidden.
 */
import type { Span, SpanEvent, SpanKind } from '../../model/span.ts';
import { resourceOfSpan } from '../mesh-resource.ts';
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
  toMicroseconds,
  toText,
  type Unusual,
  unusual,
} from './parsed-fields.ts';
import { isAllZeros, isLowerHex, padId, parseKind, sortEvents, statusOf } from './span-fields.ts';

const noEvents: readonly SpanEvent[] = Object.freeze([]);
const noTags: Readonly<Record<string, string>> = Object.freeze({});

/** The spans, or undefined when anything about the text is unusual (which includes all that is wrong). */
export function readSpansFast(text: string): Span[] | undefined {
  const parsed = parseList(text);
  if (parsed === undefined) return undefined;
  const { list, seen } = parsed;
  const spans: Span[] = new Array(list.length);
  for (let i = 0; i < list.length; i++) {
    const span = toSpan(list[i], seen);
    if (span === undefined) return undefined;
    spans[i] = span;
  }
  return isAllSeen(text, seen) ? spans : undefined;
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
