/**
 * Reads the v1 spans that real senders write, straight from the bytes. Hot: bench/codec.ts (6 µs a span, 14 through JSON.parse, which makes an
 * object of each tag and another of its endpoint; 9 where nothing of the span before is looked for again). Whatever is unusual makes it give up, and the exact reader decides.
 */
import type { Endpoint } from '../../model/span.ts';
import { createRepeatedPartReader } from '../repeated-part.ts';
import { WideSpanError } from '../wide-span-error.ts';
import { isAddressKey, type V1Annotation, type V1BinaryAnnotation, type V1Span } from '../zipkin-v1/v1-span.ts';
import { addIpAddress, type RawEndpoint, toEndpoint } from '../zipkin-v2-json/span-fields.ts';
import { JsonScanner, unusual } from './json-scanner.ts';
import { isZeroId, readSpanId, readTraceId } from './span-ids.ts';

const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const quote = 0x22;
/** A span has its fields once, unless it means harm. */
const otherFields = 64;
/** Spans of more tags are no more alike. */
const rememberedTags = 256;

interface Draft {
  traceId: string;
  id: string;
  parentId: string | undefined;
  name: string;
  timestampUs: number;
  durationUs: number;
  debug: boolean;
  readonly annotations: V1Annotation[];
  readonly binaryAnnotations: V1BinaryAnnotation[];
}

/** A stretch of the body that a part most often begins or ends with, and what it says. */
interface Stretch<Said> {
  readonly start: number;
  readonly end: number;
  readonly said: Said;
}

interface Reading {
  readonly json: JsonScanner;
  readonly maxParts: number;
  readonly readEndpoint: (length: number) => Endpoint | undefined;
  /** `{"key":"http.method","value":"` of each place in the list: most spans have the tags of the one before, in its order. */
  readonly tagStarts: Stretch<string>[];
  /** `,"endpoint":{…}}` behind a value. */
  partEnd: Stretch<Endpoint | undefined> | undefined;
}

export interface FastReader {
  /** The next span, or undefined at the end. Throws `unusual` when anything about the body is unusual (which includes all that is wrong). */
  next(): V1Span | undefined;
  readonly position: () => number;
}

/** Makes a reader of a body's spans; more tags or annotations than `maxParts` in one of them are a WideSpanError. */
export function createFastReader(body: Buffer, maxParts = Number.POSITIVE_INFINITY): FastReader {
  const json = new JsonScanner(body);
  const reading: Reading = {
    json,
    maxParts,
    readEndpoint: createRepeatedPartReader(json.bytes, () => readEndpoint(json)),
    tagStarts: [],
    partEnd: undefined,
  };
  let isFirst = true;
  return {
    next() {
      if (isFirst) {
        if (body[0] !== openBracket) throw unusual;
        json.expect(openBracket);
      }
      if (json.hasNext(isFirst, closeBracket)) {
        isFirst = false;
        return readSpan(reading);
      }
      if (!json.isAtEnd()) throw unusual;
      return undefined;
    },
    position: () => json.bytes.position,
  };
}

/** The spans, or undefined when anything about the body is unusual. */
export function readSpansFast(body: Buffer): V1Span[] | undefined {
  const reader = createFastReader(body);
  const spans: V1Span[] = [];
  try {
    for (let span = reader.next(); span !== undefined; span = reader.next()) spans.push(span);
    return spans;
  } catch (error) {
    if (error === unusual) return undefined;
    throw error;
  }
}

function readSpan(reading: Reading): V1Span {
  const { json } = reading;
  const draft: Draft = {
    traceId: '',
    id: '',
    parentId: undefined,
    name: '',
    timestampUs: 0,
    durationUs: 0,
    debug: false,
    annotations: [],
    binaryAnnotations: [],
  };
  json.expect(openBrace);
  let fields = 0;
  for (let isFirst = true; json.hasNext(isFirst, closeBrace); isFirst = false) {
    if (++fields > reading.maxParts + otherFields) throw new WideSpanError('fields', reading.maxParts);
    const field = json.name();
    if (field === 'traceId' && draft.traceId === '') draft.traceId = readId(json, readTraceId);
    else if (field === 'id') draft.id = readId(json, readSpanId);
    else readField(reading, draft, field);
  }
  // Missing ones are zero too.
  if (isZeroId(draft.traceId) || isZeroId(draft.id)) throw unusual;
  return draft;
}

function readId(json: JsonScanner, read: (text: string) => string | undefined): string {
  const id = read(json.text(false));
  if (id === undefined) throw unusual;
  return id;
}

function readField(reading: Reading, draft: Draft, field: string): void {
  const { json } = reading;
  switch (field) {
    case 'parentId': {
      if (json.isNull()) break;
      const parentId = readId(json, readSpanId);
      draft.parentId = isZeroId(parentId) ? undefined : parentId;
      break;
    }
    case 'name':
      if (!json.isNull()) draft.name = json.text(true);
      break;
    case 'timestamp':
      if (!json.isNull()) draft.timestampUs = json.integer();
      break;
    case 'duration':
      if (!json.isNull()) draft.durationUs = json.integer();
      break;
    case 'debug':
      if (!json.isNull() && json.boolean()) draft.debug = true;
      break;
    case 'annotations':
      if (!json.isNull()) readAnnotations(reading, draft.annotations);
      break;
    case 'binaryAnnotations':
      if (!json.isNull()) readBinaryAnnotations(reading, draft.binaryAnnotations);
      break;
    default:
      throw unusual;
  }
}

function readAnnotations(reading: Reading, annotations: V1Annotation[]): void {
  const { json, maxParts } = reading;
  json.expect(openBracket);
  for (let isFirst = true; json.hasNext(isFirst, closeBracket); isFirst = false) {
    annotations.push(readAnnotation(reading));
    if (annotations.length > maxParts) throw new WideSpanError('annotations', maxParts);
  }
}

function readAnnotation(reading: Reading): V1Annotation {
  const { json } = reading;
  let timestampUs: number | undefined;
  let value: string | undefined;
  let endpoint: Endpoint | undefined;
  json.expect(openBrace);
  for (let isFirst = true; json.hasNext(isFirst, closeBrace); isFirst = false) {
    const field = json.name();
    if (field === 'timestamp') timestampUs = json.integer();
    else if (field === 'value') {
      value = json.text(true);
      const end = passPartEnd(reading);
      if (end !== undefined) {
        endpoint = end.said;
        break;
      }
    } else if (field !== 'endpoint') throw unusual;
    else if (!json.isNull()) endpoint = reading.readEndpoint(0);
  }
  if (timestampUs === undefined || value === undefined) throw unusual;
  return { timestampUs, value, endpoint };
}

function readBinaryAnnotations(reading: Reading, annotations: V1BinaryAnnotation[]): void {
  const { json, maxParts } = reading;
  json.expect(openBracket);
  for (let place = 0; json.hasNext(place === 0, closeBracket); place++) {
    if (place >= maxParts) throw new WideSpanError('tags', maxParts);
    const annotation = readBinaryAnnotation(reading, place);
    if (annotation !== undefined) annotations.push(annotation);
  }
}

interface BinaryDraft {
  key: string | undefined;
  value: string | undefined;
  isTrue: boolean;
  endpoint: Endpoint | undefined;
}

function readBinaryAnnotation(reading: Reading, place: number): V1BinaryAnnotation | undefined {
  const { json, tagStarts } = reading;
  const { bytes } = json;
  const draft: BinaryDraft = { key: undefined, value: undefined, isTrue: false, endpoint: undefined };
  const known = tagStarts[place];
  if (known !== undefined && bytes.repeats(known.start, known.end)) {
    // Up to the quote that the value begins with.
    bytes.position += known.end - known.start - 1;
    draft.key = known.said;
    readValue(reading, draft);
  } else {
    const start = bytes.position;
    json.expect(openBrace);
    if (json.hasNext(true, closeBrace)) readFirstFields(reading, draft, { place, start });
  }
  const { key, value, endpoint } = draft;
  if (key === undefined) throw unusual;
  if (value !== undefined) return { key, value, endpoint };
  return draft.isTrue && endpoint !== undefined && isAddressKey(key) ? { key, value: undefined, endpoint } : undefined;
}

/** The fields, and remembers how they began if key and value came first. */
function readFirstFields(
  reading: Reading,
  draft: BinaryDraft,
  { place, start }: { readonly place: number; readonly start: number },
): void {
  const { json, tagStarts } = reading;
  readTagField(reading, draft, json.name());
  const { key } = draft;
  if (!json.hasNext(false, closeBrace)) return;
  const field = json.name();
  if (key === undefined || field !== 'value' || json.peek() !== quote) {
    readTagField(reading, draft, field);
    readFields(reading, draft, undefined);
    return;
  }
  // Where the list has no end, neither has what is remembered.
  if (place < rememberedTags) tagStarts[place] = { start, end: json.bytes.position + 1, said: key };
  readValue(reading, draft);
}

/** A value, and the fields behind it. */
function readValue(reading: Reading, draft: BinaryDraft): void {
  const { json } = reading;
  draft.value = json.text(false);
  const end = passPartEnd(reading);
  if (end === undefined) readFields(reading, draft, json.bytes.position);
  else draft.endpoint = end.said;
}

/** The fields that are left, and remembers them where `start`, behind a value, says so and they are an endpoint alone. */
function readFields(reading: Reading, draft: BinaryDraft, start: number | undefined): void {
  const { json } = reading;
  let count = 0;
  let isEndpoint = true;
  while (json.hasNext(false, closeBrace)) {
    const field = json.name();
    isEndpoint = field === 'endpoint' && ++count === 1;
    readTagField(reading, draft, field);
  }
  if (start !== undefined && isEndpoint && count === 1) {
    reading.partEnd = { start, end: json.bytes.position, said: draft.endpoint };
  }
}

function readTagField({ json, readEndpoint }: Reading, draft: BinaryDraft, field: string): void {
  if (json.isNull()) return;
  if (field === 'key') draft.key = json.text(true);
  else if (field === 'endpoint') draft.endpoint = readEndpoint(0);
  else if (field !== 'value') throw unusual;
  else if (json.peek() === quote) draft.value = json.text(false);
  else draft.isTrue = json.boolean();
}

/** Passes over the end of a part if it is that of the last one. */
function passPartEnd({ json, partEnd }: Reading): Stretch<Endpoint | undefined> | undefined {
  if (partEnd === undefined || !json.bytes.repeats(partEnd.start, partEnd.end)) return undefined;
  json.bytes.position += partEnd.end - partEnd.start;
  return partEnd;
}

function readEndpoint(json: JsonScanner): Endpoint | undefined {
  const raw: RawEndpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: 0 };
  json.expect(openBrace);
  for (let isFirst = true; json.hasNext(isFirst, closeBrace); isFirst = false) {
    const field = json.name();
    if (json.isNull()) continue;
    if (field === 'serviceName') raw.serviceName = json.text(true);
    else if (field === 'ipv4' || field === 'ipv6') addIpAddress(raw, json.text(true));
    else if (field === 'port') raw.port = json.integer();
    else throw unusual;
  }
  if (raw.port > 0xffff || raw.port < -(2 ** 31)) throw unusual;
  return toEndpoint(raw);
}
