/**
 * Reads the v1 spans that real senders write, straight from the bytes. Hot: bench/codec.ts (9 µs a span, 14 through JSON.parse, which makes an
 * object of each tag and another of its endpoint). Whatever is unusual makes it give up, and the exact reader decides.
 */
import type { Endpoint } from '../../model/span.ts';
import { createRepeatedPartReader } from '../repeated-part.ts';
import { isAddressKey, type V1Annotation, type V1BinaryAnnotation, type V1Span } from '../zipkin-v1/v1-span.ts';
import { addIpAddress, type RawEndpoint, toEndpoint } from '../zipkin-v2-json/span-fields.ts';
import { JsonScanner, unusual } from './json-scanner.ts';
import { isZeroId, readSpanId, readTraceId } from './span-ids.ts';

const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const quote = 0x22;

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

interface Reading {
  readonly json: JsonScanner;
  readonly readEndpoint: (length: number) => Endpoint | undefined;
}

/** The spans, or undefined when anything about the body is unusual (which includes all that is wrong). */
export function readSpansFast(body: Buffer): V1Span[] | undefined {
  const json = new JsonScanner(body);
  const reading: Reading = { json, readEndpoint: createRepeatedPartReader(json.bytes, () => readEndpoint(json)) };
  try {
    const spans: V1Span[] = [];
    json.expect(openBracket);
    while (json.hasNext(spans.length === 0, closeBracket)) spans.push(readSpan(reading));
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
  for (let isFirst = true; json.hasNext(isFirst, closeBrace); isFirst = false) {
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

function readAnnotations({ json, readEndpoint }: Reading, annotations: V1Annotation[]): void {
  json.expect(openBracket);
  for (let isFirst = true; json.hasNext(isFirst, closeBracket); isFirst = false) {
    let timestampUs: number | undefined;
    let value: string | undefined;
    let endpoint: Endpoint | undefined;
    json.expect(openBrace);
    for (let isFirstField = true; json.hasNext(isFirstField, closeBrace); isFirstField = false) {
      const field = json.name();
      if (field === 'timestamp') timestampUs = json.integer();
      else if (field === 'value') value = json.text(true);
      else if (field !== 'endpoint') throw unusual;
      else if (!json.isNull()) endpoint = readEndpoint(0);
    }
    if (timestampUs === undefined || value === undefined) throw unusual;
    annotations.push({ timestampUs, value, endpoint });
  }
}

function readBinaryAnnotations({ json, readEndpoint }: Reading, annotations: V1BinaryAnnotation[]): void {
  json.expect(openBracket);
  for (let isFirst = true; json.hasNext(isFirst, closeBracket); isFirst = false) {
    let key: string | undefined;
    let value: string | undefined;
    let isTrue = false;
    let endpoint: Endpoint | undefined;
    json.expect(openBrace);
    for (let isFirstField = true; json.hasNext(isFirstField, closeBrace); isFirstField = false) {
      const field = json.name();
      if (json.isNull()) continue;
      if (field === 'key') key = json.text(true);
      else if (field === 'endpoint') endpoint = readEndpoint(0);
      else if (field !== 'value') throw unusual;
      else if (json.peek() === quote) value = json.text(false);
      else isTrue = json.boolean();
    }
    if (key === undefined) throw unusual;
    if (value !== undefined) annotations.push({ key, value, endpoint });
    else if (isTrue && endpoint !== undefined && isAddressKey(key))
      annotations.push({ key, value: undefined, endpoint });
  }
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
