/**
 * Reads the messages of `zipkin.proto` field by field, and not with the generated decoder: a conforming reader of protobuf cuts varints off
 * at 32 bits, takes any varint for true, skips groups, adds up repeated endpoints, and wants each message to end where its length says; Zipkin
 * does none of that. Hot: bench/codec.ts.
 */
import { eventAt } from '../../model/exact-times.ts';
import type { Long } from '../../model/long.ts';
import type { Endpoint, Span, SpanKind } from '../../model/span.ts';
import type { ByteReader } from '../byte-reader.ts';
import { createRepeatedPartReader } from '../repeated-part.ts';
import { WideSpanError } from '../wide-span-error.ts';
import {
  addIpBytes,
  buildSpan,
  emptyDraft,
  isAllZeros,
  padId,
  putTag,
  type RawEndpoint,
  type SpanDraft,
  toEndpoint,
} from '../zipkin-v2-json/span-fields.ts';

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

/** A field's number and wire type in one number, as the wire has them. */
const key = (id: number, wireType: number): number => (id << 3) | wireType;
const spanTraceId = key(1, lengthDelimited);
const spanParentId = key(2, lengthDelimited);
const spanId = key(3, lengthDelimited);
const spanKind = key(4, varint);
const spanName = key(5, lengthDelimited);
const spanTimestamp = key(6, fixed64);
const spanDuration = key(7, varint);
const spanLocalEndpoint = key(8, lengthDelimited);
const spanRemoteEndpoint = key(9, lengthDelimited);
const spanAnnotation = key(10, lengthDelimited);
const spanTag = key(11, lengthDelimited);
const spanDebug = key(12, varint);
const spanShared = key(13, varint);
const annotationTimestamp = key(1, fixed64);
const annotationValue = key(2, lengthDelimited);
const tagKey = key(1, lengthDelimited);
const tagValue = key(2, lengthDelimited);
const endpointServiceName = key(1, lengthDelimited);
const endpointIpv4 = key(2, lengthDelimited);
const endpointIpv6 = key(3, lengthDelimited);
const endpointPort = key(4, varint);

/** A span has its other fields once, unless it means harm. */
const otherFields = 64;

/** By their number; 0 and what is beyond the list say nothing. */
const kinds: readonly (SpanKind | undefined)[] = [undefined, 'CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'];

interface Draft extends SpanDraft {
  traceId: string | undefined;
  id: string | undefined;
}

/** Reads one span after the other; a class for the endpoint that it remembers. More tags or annotations than `maxParts` are a WideSpanError. */
export class SpanReader {
  readonly #bytes: ByteReader;
  readonly #maxParts: number;
  readonly #maxFields: number;
  readonly #readEndpoint: (length: number) => Endpoint | undefined;

  constructor(bytes: ByteReader, maxParts: number) {
    this.#bytes = bytes;
    this.#maxParts = maxParts;
    this.#maxFields = 2 * maxParts + otherFields;
    bytes.maxSkipped = maxParts;
    this.#readEndpoint = createRepeatedPartReader(bytes, (length) => readEndpoint(bytes, length));
  }

  readSpan(length: number): Span {
    const bytes = this.#bytes;
    const end = bytes.position + length;
    bytes.skipped = 0;
    const draft: Draft = { traceId: undefined, id: undefined, ...emptyDraft() };
    let tags = 0;
    let fields = 0;
    while (bytes.position < end) {
      if (++fields > this.#maxFields) throw new WideSpanError('fields', this.#maxFields);
      const field = bytes.varint32();
      if (field === spanTag) {
        readTag(bytes, draft.tags);
        if (++tags > this.#maxParts) throw new WideSpanError('tags', this.#maxParts);
      } else if (!this.#readId(field, draft)) this.#readField(field, draft);
    }
    const { traceId, id } = draft;
    if (traceId === undefined || id === undefined) {
      const missing = [traceId === undefined ? 'traceId' : '', id === undefined ? 'id' : ''].filter(
        (name) => name !== '',
      );
      throw bytes.error(`Missing : ${missing.join(' ')}`);
    }
    return buildSpan(traceId, id, draft);
  }

  #readId(field: number, draft: Draft): boolean {
    switch (field) {
      case spanTraceId:
        draft.traceId = readTraceId(this.#bytes);
        return true;
      case spanId:
        draft.id = readId(this.#bytes);
        return true;
      case spanParentId:
        draft.parentId = readParentId(this.#bytes);
        return true;
      default:
        return false;
    }
  }

  #readField(field: number, draft: Draft): void {
    const bytes = this.#bytes;
    switch (field) {
      case spanKind:
        readKind(bytes, draft);
        break;
      case spanName:
        draft.name = bytes.knownText(bytes.varint32());
        break;
      case spanTimestamp:
        draft.startUs = bytes.fixed64();
        break;
      case spanDuration:
        draft.durationUs = bytes.varint64();
        break;
      case spanLocalEndpoint:
        draft.localEndpoint = this.#readEndpoint(readLength(bytes));
        break;
      case spanRemoteEndpoint:
        draft.remoteEndpoint = this.#readEndpoint(readLength(bytes));
        break;
      case spanAnnotation:
        readAnnotation(bytes, draft);
        if (draft.events.length > this.#maxParts) throw new WideSpanError('annotations', this.#maxParts);
        break;
      case spanDebug:
        if (readBoolean(bytes)) draft.debug = true;
        break;
      case spanShared:
        if (readBoolean(bytes)) draft.shared = true;
        break;
      default:
        skipField(bytes, field);
    }
  }
}

function readLength(bytes: ByteReader): number {
  const length = bytes.varint32();
  bytes.require(length);
  return length;
}

function readHex(bytes: ByteReader, name: string, max: 8 | 16): string {
  const length = bytes.varint32();
  if (length > max) throw bytes.error(`${name}.length > ${max * 2}`);
  return bytes.hex(length);
}

function readTraceId(bytes: ByteReader): string {
  const text = readHex(bytes, 'traceId', 16);
  if (text === '') throw bytes.error('traceId is empty');
  if (isAllZeros(text)) throw bytes.error('traceId is all zeros');
  return padId(text, 32);
}

function readId(bytes: ByteReader): string {
  const text = readHex(bytes, 'id', 8);
  if (text === '') throw bytes.error('id is empty');
  // As in JSON: fewer zeros than sixteen are not looked at.
  if (text.length === 16 && isAllZeros(text)) throw bytes.error('id is all zeros');
  return padId(text, 16);
}

function readParentId(bytes: ByteReader): string | undefined {
  const text = readHex(bytes, 'parentId', 8);
  return isAllZeros(text) ? undefined : padId(text, 16);
}

function readKind(bytes: ByteReader, draft: Draft): void {
  const number = bytes.varint32();
  if (number < 0) throw bytes.error(`Malformed: kind ${number}`);
  const kind = kinds[number];
  if (kind !== undefined) draft.kind = kind;
}

function readBoolean(bytes: ByteReader): boolean {
  const value = bytes.byte();
  if (value > 1) throw bytes.error('Malformed: invalid boolean value');
  return value === 1;
}

function readAnnotation(bytes: ByteReader, draft: Draft): void {
  const end = readLength(bytes) + bytes.position;
  let timestampUs: Long = 0;
  let value = '';
  while (bytes.position < end) {
    const field = bytes.varint32();
    if (field === annotationTimestamp) timestampUs = bytes.fixed64();
    else if (field === annotationValue) value = bytes.knownText(bytes.varint32());
    else skipField(bytes, field);
  }
  // Zipkin drops what is incomplete here, and refuses it in JSON.
  if (timestampUs !== 0 && value !== '') draft.events.push(eventAt(timestampUs, value));
}

function readTag(bytes: ByteReader, tags: Record<string, string>): void {
  const end = readLength(bytes) + bytes.position;
  let name = '';
  let value = '';
  while (bytes.position < end) {
    const field = bytes.varint32();
    if (field === tagKey) name = bytes.knownText(bytes.varint32());
    else if (field === tagValue) {
      const length = bytes.varint32();
      if (length !== 0) value = bytes.text(length);
    } else skipField(bytes, field);
  }
  if (name !== '') putTag(tags, name, value);
}

function readEndpoint(bytes: ByteReader, length: number): Endpoint | undefined {
  const end = bytes.position + length;
  const raw: RawEndpoint = { serviceName: undefined, ipv4: undefined, ipv6: undefined, port: 0 };
  while (bytes.position < end) {
    const field = bytes.varint32();
    switch (field) {
      case endpointServiceName:
        raw.serviceName = bytes.knownText(bytes.varint32());
        break;
      case endpointIpv4:
      case endpointIpv6:
        addIpBytes(raw, bytes, bytes.skip(bytes.varint32()));
        break;
      case endpointPort:
        raw.port = bytes.varint32();
        if (raw.port > 0xffff) throw bytes.error(`invalid port ${raw.port}`);
        break;
      default:
        skipField(bytes, field);
    }
  }
  return toEndpoint(raw);
}

/** Skips an unknown field, as the format says; Zipkin 3.6.1 skips all that is left of the message with it. */
function skipField(bytes: ByteReader, field: number): void {
  bytes.countSkipped();
  const wireType = field & 7;
  if (wireType === varint) bytes.varint64();
  else if (wireType === fixed64) bytes.skip(8);
  else if (wireType === lengthDelimited) bytes.skip(bytes.varint32());
  else if (wireType === fixed32) bytes.skip(4);
  else throw bytes.error(`Malformed: invalid wireType ${wireType}`);
}
