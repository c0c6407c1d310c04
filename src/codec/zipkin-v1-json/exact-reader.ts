/** Reads v1 spans as Zipkin's server does, field by field in the order they come; slower than the fast reader and never in doubt. */
import type { Long } from '../../model/long.ts';
import type { Endpoint } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { JsonReader } from '../json-reader.ts';
import { WideSpanError } from '../wide-span-error.ts';
import { isAddressKey, type V1Annotation, type V1BinaryAnnotation, type V1Span } from '../zipkin-v1/v1-span.ts';
import { readEndpoint } from '../zipkin-v2-json/exact-reader.ts';
import { isZeroId, readSpanId, readTraceId } from './span-ids.ts';

const shownIdLength = 64;
/** A span has its fields once, unless it means harm. */
const otherFields = 64;

interface Draft {
  traceId: string | undefined;
  id: string | undefined;
  parentId: string | undefined;
  name: string;
  timestampUs: Long;
  durationUs: Long;
  debug: boolean;
  readonly annotations: V1Annotation[];
  readonly binaryAnnotations: V1BinaryAnnotation[];
}

/** Reads a list of spans; text after the list is not looked at. */
export function readSpansExactly(text: string): V1Span[] {
  return [...readSlicesExactly(text)].flat();
}

/** As much as takes a few milliseconds. */
const sliceLength = 64 * 1024;

/** Reads the list a slice at a time; more tags or annotations than `maxParts` in a span are a WideSpanError. */
export function* readSlicesExactly(text: string, maxParts = Number.POSITIVE_INFINITY): Generator<V1Span[]> {
  const reader = new JsonReader(text, maxParts);
  try {
    let spans: V1Span[] = [];
    reader.beginArray();
    if (!reader.hasNext()) return;
    let sliceStart = reader.position;
    while (reader.hasNext()) {
      spans.push(readSpan(reader, maxParts));
      if (reader.position - sliceStart < sliceLength) continue;
      yield spans;
      spans = [];
      sliceStart = reader.position;
    }
    reader.endArray();
    yield spans;
  } catch (error) {
    // Zipkin ends its message with these words.
    if (error instanceof CodecError) throw new CodecError(`${error.message} reading List<Span> from json`);
    throw error;
  }
}

function readSpan(reader: JsonReader, maxParts: number): V1Span {
  const draft: Draft = {
    traceId: undefined,
    id: undefined,
    parentId: undefined,
    name: '',
    timestampUs: 0,
    durationUs: 0,
    debug: false,
    annotations: [],
    binaryAnnotations: [],
  };
  reader.skipped = 0;
  reader.beginObject();
  for (let fields = 1; reader.hasNext(); fields++) {
    if (fields > maxParts + otherFields) throw new WideSpanError('fields', maxParts);
    readField(reader, draft, maxParts);
  }
  const { traceId, id } = draft;
  if (traceId === undefined || isZeroId(traceId)) throw reader.error('traceId == 0');
  if (id === undefined || isZeroId(id)) throw reader.error('id == 0');
  reader.endObject();
  return { ...draft, traceId, id };
}

function readField(reader: JsonReader, draft: Draft, maxParts: number): void {
  const field = reader.nextName();
  if (field === 'traceId') draft.traceId = readTraceIdField(reader, draft.traceId);
  else if (field === 'id') draft.id = toId(reader, readSpanId);
  else if (reader.isNull()) reader.skipValue();
  else if (field === 'annotations') readAnnotations(reader, draft.annotations, maxParts);
  else if (field === 'binaryAnnotations') readBinaryAnnotations(reader, draft.binaryAnnotations, maxParts);
  else readOptionalField(reader, draft, field);
}

/** A repeated trace id without a high half leaves the high half of the one before, as in Zipkin. */
function readTraceIdField(reader: JsonReader, before: string | undefined): string {
  let length = 0;
  const traceId = toId(reader, (text) => {
    length = text.length;
    return readTraceId(text);
  });
  return before === undefined || length === 32 ? traceId : before.slice(0, 16) + traceId.slice(16);
}

function readOptionalField(reader: JsonReader, draft: Draft, field: string): void {
  switch (field) {
    case 'parentId': {
      const parentId = toId(reader, readSpanId);
      draft.parentId = isZeroId(parentId) ? undefined : parentId;
      break;
    }
    case 'name':
      draft.name = reader.nextString();
      break;
    case 'timestamp':
      draft.timestampUs = reader.nextLong();
      break;
    case 'duration':
      draft.durationUs = reader.nextLong();
      break;
    case 'debug':
      if (reader.nextBoolean()) draft.debug = true;
      break;
    default:
      reader.skipValue();
  }
}

function toId(reader: JsonReader, read: (text: string) => string | undefined): string {
  const text = reader.nextString();
  const id = read(text);
  if (id !== undefined) return id;
  const shown = text.slice(0, shownIdLength);
  throw reader.error(`${shown} should be a 1 to 32 character lower-hex string with no prefix`);
}

function readAnnotations(reader: JsonReader, annotations: V1Annotation[], maxParts: number): void {
  reader.beginArray();
  while (reader.hasNext()) {
    if (annotations.length >= maxParts) throw new WideSpanError('annotations', maxParts);
    annotations.push(readAnnotation(reader));
  }
  reader.endArray();
}

function readBinaryAnnotations(reader: JsonReader, annotations: V1BinaryAnnotation[], maxParts: number): void {
  reader.beginArray();
  for (let count = 1; reader.hasNext(); count++) {
    if (count > maxParts) throw new WideSpanError('tags', maxParts);
    readBinaryAnnotation(reader, annotations);
  }
  reader.endArray();
}

function readAnnotation(reader: JsonReader): V1Annotation {
  let timestampUs: Long | undefined;
  let value: string | undefined;
  let endpoint: Endpoint | undefined;
  reader.beginObject();
  while (reader.hasNext()) {
    const field = reader.nextName();
    if (field === 'timestamp') timestampUs = reader.nextLong();
    else if (field === 'value') value = reader.nextString();
    else if (field === 'endpoint' && !reader.isNull()) endpoint = readEndpoint(reader);
    else reader.skipValue();
  }
  if (timestampUs === undefined || value === undefined) {
    throw new CodecError(`Incomplete annotation at ${reader.path()}`);
  }
  reader.endObject();
  return { timestampUs, value, endpoint };
}

function readBinaryAnnotation(reader: JsonReader, annotations: V1BinaryAnnotation[]): void {
  let key: string | undefined;
  let value: string | undefined;
  let isTrue = false;
  let endpoint: Endpoint | undefined;
  reader.beginObject();
  while (reader.hasNext()) {
    const field = reader.nextName();
    if (reader.isNull()) reader.skipValue();
    else if (field === 'key') key = reader.nextString();
    else if (field === 'endpoint') endpoint = readEndpoint(reader);
    else if (field === 'value' && reader.isString()) value = reader.nextString();
    else if (field === 'value' && reader.isBoolean()) isTrue = reader.nextBoolean();
    else reader.skipValue();
  }
  if (key === undefined) throw new CodecError(`No key at ${reader.path()}`);
  reader.endObject();
  if (value !== undefined) annotations.push({ key, value, endpoint });
  else if (isTrue && endpoint !== undefined && isAddressKey(key)) annotations.push({ key, value: undefined, endpoint });
}
