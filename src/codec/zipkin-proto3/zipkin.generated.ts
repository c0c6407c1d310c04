// biome-ignore-all lint: generated
// biome-ignore-all format: generated
// biome-ignore-all assist: generated
/** Generated from zipkin.proto by scripts/generate-codecs.ts: npm run codecs. */
import { readBool, readBytes, readEnum, placed, readHex, readInt32, readList, readObject, readText, readUint64, writeBytes, writeList, writeText, writeUint64 } from '../protobuf/json-fields.ts';
import type { Bits64, WireReader } from '../protobuf/wire-reader.ts';
import type { WireWriter } from '../protobuf/wire-writer.ts';

const noBytes = new Uint8Array(0);

export interface ListOfSpans {
  spans: Span[];
}

export function newListOfSpans(): ListOfSpans {
  return { spans: [] };
}

const fieldsOfListOfSpans = [1];

export function decodeListOfSpans(reader: WireReader, end: number): ListOfSpans {
  const message = newListOfSpans();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.spans.push(decodeSpan(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfListOfSpans);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeListOfSpans(message: ListOfSpans, writer: WireWriter): void {
  for (const item of message.spans) { writer.uint32(10).fork(); encodeSpan(item, writer); writer.ldelim(); }
}

export function readListOfSpans(value: unknown): ListOfSpans {
  const message = newListOfSpans();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'spans':
          message.spans = readList(field, readSpan);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeListOfSpans(message: ListOfSpans): string {
  let text = '';
  if (message.spans.length > 0) text += `,"spans":${writeList(message.spans, writeSpan)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface TagsEntry {
  key: string;
  value: string;
}

export function newTagsEntry(): TagsEntry {
  return { key: '', value: '' };
}

const fieldsOfTagsEntry = [1, 2];

export function decodeTagsEntry(reader: WireReader, end: number): TagsEntry {
  const message = newTagsEntry();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.key = reader.text();
        break;
      case 18:
        message.value = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfTagsEntry);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeTagsEntry(message: TagsEntry, writer: WireWriter): void {
  if (!(message.key === '')) { writer.uint32(10); writer.string(message.key); }
  if (!(message.value === '')) { writer.uint32(18); writer.string(message.value); }
}

export function readTagsEntry(value: unknown): TagsEntry {
  const message = newTagsEntry();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'key':
          message.key = readText(field);
          break;
        case 'value':
          message.value = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeTagsEntry(message: TagsEntry): string {
  let text = '';
  if (!(message.key === '')) text += `,"key":${writeText(message.key)}`;
  if (!(message.value === '')) text += `,"value":${writeText(message.value)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Span {
  traceId: string;
  parentId: string;
  id: string;
  kind: number;
  name: string;
  timestamp: Bits64;
  duration: Bits64;
  localEndpoint: Endpoint | undefined;
  remoteEndpoint: Endpoint | undefined;
  annotations: Annotation[];
  tags: TagsEntry[];
  debug: boolean;
  shared: boolean;
}

export function newSpan(): Span {
  return { traceId: '', parentId: '', id: '', kind: 0, name: '', timestamp: { low: 0, high: 0 }, duration: { low: 0, high: 0 }, localEndpoint: undefined, remoteEndpoint: undefined, annotations: [], tags: [], debug: false, shared: false };
}

const fieldsOfSpan = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

export function decodeSpan(reader: WireReader, end: number): Span {
  const message = newSpan();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.traceId = reader.hex();
        break;
      case 18:
        message.parentId = reader.hex();
        break;
      case 26:
        message.id = reader.hex();
        break;
      case 32:
        message.kind = reader.int32();
        break;
      case 42:
        message.name = reader.text();
        break;
      case 49:
        message.timestamp = reader.fixed64Bits();
        break;
      case 56:
        message.duration = reader.uint64Bits();
        break;
      case 66:
        message.localEndpoint = decodeEndpoint(reader, reader.enter());
        break;
      case 74:
        message.remoteEndpoint = decodeEndpoint(reader, reader.enter());
        break;
      case 82:
        message.annotations.push(decodeAnnotation(reader, reader.enter()));
        break;
      case 90:
        message.tags.push(decodeTagsEntry(reader, reader.enter()));
        break;
      case 96:
        message.debug = reader.bool();
        break;
      case 104:
        message.shared = reader.bool();
        break;
      default:
        reader.unknown(tag, fieldsOfSpan);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeSpan(message: Span, writer: WireWriter): void {
  if (!(message.traceId === '')) { writer.uint32(10); writer.hex(message.traceId); }
  if (!(message.parentId === '')) { writer.uint32(18); writer.hex(message.parentId); }
  if (!(message.id === '')) { writer.uint32(26); writer.hex(message.id); }
  if (!(message.kind === 0)) { writer.uint32(32); writer.int32(message.kind); }
  if (!(message.name === '')) { writer.uint32(42); writer.string(message.name); }
  if (!(message.timestamp.low === 0 && message.timestamp.high === 0)) { writer.uint32(49); writer.fixed64Bits(message.timestamp); }
  if (!(message.duration.low === 0 && message.duration.high === 0)) { writer.uint32(56); writer.uint64Bits(message.duration); }
  if (!(message.localEndpoint === undefined)) { writer.uint32(66).fork(); encodeEndpoint(message.localEndpoint, writer); writer.ldelim(); }
  if (!(message.remoteEndpoint === undefined)) { writer.uint32(74).fork(); encodeEndpoint(message.remoteEndpoint, writer); writer.ldelim(); }
  for (const item of message.annotations) { writer.uint32(82).fork(); encodeAnnotation(item, writer); writer.ldelim(); }
  for (const item of message.tags) { writer.uint32(90).fork(); encodeTagsEntry(item, writer); writer.ldelim(); }
  if (!(!message.debug)) { writer.uint32(96); writer.bool(message.debug); }
  if (!(!message.shared)) { writer.uint32(104); writer.bool(message.shared); }
}

export function readSpan(value: unknown): Span {
  const message = newSpan();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'traceId':
        case 'trace_id':
          message.traceId = readHex(field);
          break;
        case 'parentId':
        case 'parent_id':
          message.parentId = readHex(field);
          break;
        case 'id':
          message.id = readHex(field);
          break;
        case 'kind':
          message.kind = readKind(field);
          break;
        case 'name':
          message.name = readText(field);
          break;
        case 'timestamp':
          message.timestamp = readUint64(field);
          break;
        case 'duration':
          message.duration = readUint64(field);
          break;
        case 'localEndpoint':
        case 'local_endpoint':
          message.localEndpoint = readEndpoint(field);
          break;
        case 'remoteEndpoint':
        case 'remote_endpoint':
          message.remoteEndpoint = readEndpoint(field);
          break;
        case 'annotations':
          message.annotations = readList(field, readAnnotation);
          break;
        case 'tags':
          message.tags = readList(field, readTagsEntry);
          break;
        case 'debug':
          message.debug = readBool(field);
          break;
        case 'shared':
          message.shared = readBool(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeSpan(message: Span): string {
  let text = '';
  if (!(message.traceId === '')) text += `,"traceId":${writeText(message.traceId)}`;
  if (!(message.parentId === '')) text += `,"parentId":${writeText(message.parentId)}`;
  if (!(message.id === '')) text += `,"id":${writeText(message.id)}`;
  if (!(message.kind === 0)) text += `,"kind":${String(message.kind)}`;
  if (!(message.name === '')) text += `,"name":${writeText(message.name)}`;
  if (!(message.timestamp.low === 0 && message.timestamp.high === 0)) text += `,"timestamp":${writeUint64(message.timestamp)}`;
  if (!(message.duration.low === 0 && message.duration.high === 0)) text += `,"duration":${writeUint64(message.duration)}`;
  if (!(message.localEndpoint === undefined)) text += `,"localEndpoint":${writeEndpoint(message.localEndpoint)}`;
  if (!(message.remoteEndpoint === undefined)) text += `,"remoteEndpoint":${writeEndpoint(message.remoteEndpoint)}`;
  if (message.annotations.length > 0) text += `,"annotations":${writeList(message.annotations, writeAnnotation)}`;
  if (message.tags.length > 0) text += `,"tags":${writeList(message.tags, writeTagsEntry)}`;
  if (!(!message.debug)) text += `,"debug":${String(message.debug)}`;
  if (!(!message.shared)) text += `,"shared":${String(message.shared)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export const numbersOfKind: ReadonlyMap<string, number> = new Map([
  ['SPAN_KIND_UNSPECIFIED', 0],
  ['CLIENT', 1],
  ['SERVER', 2],
  ['PRODUCER', 3],
  ['CONSUMER', 4],
]);

const readKind = (value: unknown): number => readEnum(value, numbersOfKind);

export interface Endpoint {
  serviceName: string;
  ipv4: Uint8Array;
  ipv6: Uint8Array;
  port: number;
}

export function newEndpoint(): Endpoint {
  return { serviceName: '', ipv4: noBytes, ipv6: noBytes, port: 0 };
}

const fieldsOfEndpoint = [1, 2, 3, 4];

export function decodeEndpoint(reader: WireReader, end: number): Endpoint {
  const message = newEndpoint();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.serviceName = reader.text();
        break;
      case 18:
        message.ipv4 = reader.copiedBytes();
        break;
      case 26:
        message.ipv6 = reader.copiedBytes();
        break;
      case 32:
        message.port = reader.int32();
        break;
      default:
        reader.unknown(tag, fieldsOfEndpoint);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeEndpoint(message: Endpoint, writer: WireWriter): void {
  if (!(message.serviceName === '')) { writer.uint32(10); writer.string(message.serviceName); }
  if (!(message.ipv4.length === 0)) { writer.uint32(18); writer.bytes(message.ipv4); }
  if (!(message.ipv6.length === 0)) { writer.uint32(26); writer.bytes(message.ipv6); }
  if (!(message.port === 0)) { writer.uint32(32); writer.int32(message.port); }
}

export function readEndpoint(value: unknown): Endpoint {
  const message = newEndpoint();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'serviceName':
        case 'service_name':
          message.serviceName = readText(field);
          break;
        case 'ipv4':
          message.ipv4 = readBytes(field);
          break;
        case 'ipv6':
          message.ipv6 = readBytes(field);
          break;
        case 'port':
          message.port = readInt32(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeEndpoint(message: Endpoint): string {
  let text = '';
  if (!(message.serviceName === '')) text += `,"serviceName":${writeText(message.serviceName)}`;
  if (!(message.ipv4.length === 0)) text += `,"ipv4":${writeBytes(message.ipv4)}`;
  if (!(message.ipv6.length === 0)) text += `,"ipv6":${writeBytes(message.ipv6)}`;
  if (!(message.port === 0)) text += `,"port":${String(message.port)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Annotation {
  timestamp: Bits64;
  value: string;
}

export function newAnnotation(): Annotation {
  return { timestamp: { low: 0, high: 0 }, value: '' };
}

const fieldsOfAnnotation = [1, 2];

export function decodeAnnotation(reader: WireReader, end: number): Annotation {
  const message = newAnnotation();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 9:
        message.timestamp = reader.fixed64Bits();
        break;
      case 18:
        message.value = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfAnnotation);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeAnnotation(message: Annotation, writer: WireWriter): void {
  if (!(message.timestamp.low === 0 && message.timestamp.high === 0)) { writer.uint32(9); writer.fixed64Bits(message.timestamp); }
  if (!(message.value === '')) { writer.uint32(18); writer.string(message.value); }
}

export function readAnnotation(value: unknown): Annotation {
  const message = newAnnotation();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'timestamp':
          message.timestamp = readUint64(field);
          break;
        case 'value':
          message.value = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeAnnotation(message: Annotation): string {
  let text = '';
  if (!(message.timestamp.low === 0 && message.timestamp.high === 0)) text += `,"timestamp":${writeUint64(message.timestamp)}`;
  if (!(message.value === '')) text += `,"value":${writeText(message.value)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}
