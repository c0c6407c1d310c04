/** Reads spans as Zipkin's server does, field by field in the order they come; slower than the fast reader and never in doubt. */
import { eventAt } from '../../model/exact-times.ts';
import type { Long } from '../../model/long.ts';
import type { Endpoint, Span, SpanEvent, SpanKind } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { JsonReader } from '../json-reader.ts';
import { WideSpanError } from '../wide-span-error.ts';
import {
  addIpAddress,
  buildSpan,
  emptyDraft,
  isAllZeros,
  isLowerHex,
  padId,
  parseKind,
  putTag,
  type RawEndpoint,
  type SpanDraft,
  toEndpoint,
} from './span-fields.ts';

const shownTextLength = 64;
/** A span has its fields once, unless it means harm. */
const otherFields = 64;

/** A span's fields as they come; the ids are padded. */
interface Draft extends SpanDraft {
  traceId: string | undefined;
  id: string | undefined;
}

/** Reads a list of spans; text after the list is not looked at. */
export function readSpansExactly(text: string): Span[] {
  return [...readSlicesExactly(text)].flat();
}

/** As much as takes a few milliseconds, be it in many spans or in few. */
const maxSliceSpans = 1000;
const maxSliceLength = 128 * 1024;

/** Reads the list a slice at a time; ends with true. More tags or annotations than `maxParts` in a span are a WideSpanError. */
export function* readSlicesExactly(text: string, maxParts = Number.POSITIVE_INFINITY): Generator<Span[], boolean> {
  const reader = new JsonReader(text, maxParts);
  try {
    let spans: Span[] = [];
    reader.beginArray();
    if (!reader.hasNext()) return true;
    let sliceStart = reader.position;
    while (reader.hasNext()) {
      spans.push(readSpan(reader, maxParts));
      if (spans.length < maxSliceSpans && reader.position - sliceStart < maxSliceLength) continue;
      yield spans;
      spans = [];
      sliceStart = reader.position;
    }
    reader.endArray();
    yield spans;
    return true;
  } catch (error) {
    // Zipkin ends its message with these words.
    if (error instanceof CodecError) throw new CodecError(`${error.message} reading List<Span> from json`);
    throw error;
  }
}

function readSpan(reader: JsonReader, maxParts: number): Span {
  const draft: Draft = { traceId: undefined, id: undefined, ...emptyDraft() };
  reader.skipped = 0;
  reader.beginObject();
  for (let fields = 1; reader.hasNext(); fields++) {
    if (fields > maxParts + otherFields) throw new WideSpanError('fields', maxParts);
    readField(reader, draft, maxParts);
  }
  reader.endObject();
  return finish(draft, reader);
}

function readField(reader: JsonReader, draft: Draft, maxParts: number): void {
  const field = reader.nextName();
  if (field === 'traceId') draft.traceId = readTraceId(reader);
  else if (field === 'id') draft.id = readId(reader);
  else if (reader.isNull()) reader.skipValue();
  else if (field === 'annotations') readAnnotations(reader, draft.events, maxParts);
  else if (field === 'tags') readTags(reader, draft.tags, maxParts);
  else readOptionalField(reader, draft, field);
}

function readOptionalField(reader: JsonReader, draft: Draft, field: string): void {
  switch (field) {
    case 'parentId':
      draft.parentId = readParentId(reader);
      break;
    case 'kind':
      draft.kind = readKind(reader);
      break;
    case 'name':
      draft.name = reader.nextString();
      break;
    case 'timestamp':
      draft.startUs = reader.nextLong();
      break;
    case 'duration':
      draft.durationUs = reader.nextLong();
      break;
    case 'localEndpoint':
      draft.localEndpoint = readEndpoint(reader);
      break;
    case 'remoteEndpoint':
      draft.remoteEndpoint = readEndpoint(reader);
      break;
    case 'debug':
      if (reader.nextBoolean()) draft.debug = true;
      break;
    case 'shared':
      if (reader.nextBoolean()) draft.shared = true;
      break;
    default:
      reader.skipValue();
  }
}

function finish(draft: Draft, reader: JsonReader): Span {
  const { traceId, id } = draft;
  if (traceId === undefined || id === undefined) {
    const missing = [traceId === undefined ? 'traceId' : '', id === undefined ? 'id' : ''].filter(
      (field) => field !== '',
    );
    throw reader.error(`Missing : ${missing.join(' ')}`);
  }
  return buildSpan(traceId, id, draft);
}

function readTraceId(reader: JsonReader): string {
  const text = readHex(reader, 'traceId', 32);
  if (isAllZeros(text)) throw reader.error('traceId is all zeros');
  return padId(text, 32);
}

function readId(reader: JsonReader): string {
  const text = readHex(reader, 'id', 16);
  // Zipkin looks at sixteen zeros only and pads fewer to what it refuses here.
  if (text.length === 16 && isAllZeros(text)) throw reader.error('id is all zeros');
  return padId(text, 16);
}

function readParentId(reader: JsonReader): string | undefined {
  const text = readHex(reader, 'parentId', 16);
  return isAllZeros(text) ? undefined : padId(text, 16);
}

function readHex(reader: JsonReader, field: string, max: 16 | 32): string {
  const text = reader.nextString();
  if (text === '') throw reader.error(`${field} is empty`);
  if (text.length > max) throw reader.error(`${field}.length > ${max}`);
  if (!isLowerHex(text, max)) throw reader.error(`${text} should be lower-hex encoded with no prefix`);
  return text;
}

function readKind(reader: JsonReader): SpanKind {
  const text = reader.nextString();
  const kind = parseKind(text);
  if (kind === undefined) throw reader.error(`No enum constant zipkin2.Span.Kind.${text.slice(0, shownTextLength)}`);
  return kind;
}

/** Reads an endpoint, which is the same in both versions of Zipkin's JSON. */
export function readEndpoint(reader: JsonReader): Endpoint | undefined {
  const raw: RawEndpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: 0 };
  reader.beginObject();
  while (reader.hasNext()) {
    const field = reader.nextName();
    if (reader.isNull()) reader.skipValue();
    else if (field === 'serviceName') raw.serviceName = reader.nextString();
    else if (field === 'ipv4' || field === 'ipv6') addIpAddress(raw, reader.nextString());
    else if (field === 'port') {
      raw.port = reader.nextInt();
      if (raw.port > 0xffff) throw reader.error(`invalid port ${raw.port}`);
    } else reader.skipValue();
  }
  reader.endObject();
  return toEndpoint(raw);
}

function readAnnotations(reader: JsonReader, events: SpanEvent[], maxParts: number): void {
  reader.beginArray();
  while (reader.hasNext()) {
    if (events.length >= maxParts) throw new WideSpanError('annotations', maxParts);
    let timestampUs: Long | undefined;
    let value: string | undefined;
    reader.beginObject();
    while (reader.hasNext()) {
      const field = reader.nextName();
      if (field === 'timestamp') timestampUs = reader.nextLong();
      else if (field === 'value') value = reader.nextString();
      else reader.skipValue();
    }
    if (timestampUs === undefined || value === undefined) {
      throw new CodecError(`Incomplete annotation at ${reader.path()}`);
    }
    reader.endObject();
    events.push(eventAt(timestampUs, value));
  }
  reader.endArray();
}

function readTags(reader: JsonReader, tags: Record<string, string>, maxParts: number): void {
  reader.beginObject();
  for (let count = 1; reader.hasNext(); count++) {
    if (count > maxParts) throw new WideSpanError('tags', maxParts);
    const key = reader.nextName();
    if (reader.isNull()) throw new CodecError(`No value at ${reader.path()}`);
    const value = reader.nextString();
    putTag(tags, key, value);
  }
  reader.endObject();
}
