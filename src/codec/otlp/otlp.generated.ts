// biome-ignore-all lint: generated
// biome-ignore-all format: generated
// biome-ignore-all assist: generated
/** Generated from otlp.proto by scripts/generate-codecs.ts: npm run codecs. */
import { readBool, readBytes, readDouble, readEnum, placed, readHex, readInt32, readInt64, readList, readObject, readText, readUint32, readUint64, writeBytes, writeDouble, writeInt64, writeList, writeText, writeUint64 } from '../protobuf/json-fields.ts';
import type { Bits64, WireReader } from '../protobuf/wire-reader.ts';
import type { WireWriter } from '../protobuf/wire-writer.ts';

export interface ExportTraceServiceRequest {
  resourceSpans: ResourceSpans[];
}

export function newExportTraceServiceRequest(): ExportTraceServiceRequest {
  return { resourceSpans: [] };
}

const fieldsOfExportTraceServiceRequest = [1];

export function decodeExportTraceServiceRequest(reader: WireReader, end: number): ExportTraceServiceRequest {
  const message = newExportTraceServiceRequest();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.resourceSpans.push(decodeResourceSpans(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfExportTraceServiceRequest);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExportTraceServiceRequest(message: ExportTraceServiceRequest, writer: WireWriter): void {
  for (const item of message.resourceSpans) { writer.uint32(10).fork(); encodeResourceSpans(item, writer); writer.ldelim(); }
}

export function readExportTraceServiceRequest(value: unknown): ExportTraceServiceRequest {
  const message = newExportTraceServiceRequest();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'resourceSpans':
        case 'resource_spans':
          message.resourceSpans = readList(field, readResourceSpans);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExportTraceServiceRequest(message: ExportTraceServiceRequest): string {
  let text = '';
  if (message.resourceSpans.length > 0) text += `,"resourceSpans":${writeList(message.resourceSpans, writeResourceSpans)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ExportTraceServiceResponse {
  partialSuccess: ExportTracePartialSuccess | undefined;
}

export function newExportTraceServiceResponse(): ExportTraceServiceResponse {
  return { partialSuccess: undefined };
}

const fieldsOfExportTraceServiceResponse = [1];

export function decodeExportTraceServiceResponse(reader: WireReader, end: number): ExportTraceServiceResponse {
  const message = newExportTraceServiceResponse();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.partialSuccess = decodeExportTracePartialSuccess(reader, reader.enter());
        break;
      default:
        reader.unknown(tag, fieldsOfExportTraceServiceResponse);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExportTraceServiceResponse(message: ExportTraceServiceResponse, writer: WireWriter): void {
  if (!(message.partialSuccess === undefined)) { writer.uint32(10).fork(); encodeExportTracePartialSuccess(message.partialSuccess, writer); writer.ldelim(); }
}

export function readExportTraceServiceResponse(value: unknown): ExportTraceServiceResponse {
  const message = newExportTraceServiceResponse();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'partialSuccess':
        case 'partial_success':
          message.partialSuccess = readExportTracePartialSuccess(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExportTraceServiceResponse(message: ExportTraceServiceResponse): string {
  let text = '';
  if (!(message.partialSuccess === undefined)) text += `,"partialSuccess":${writeExportTracePartialSuccess(message.partialSuccess)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ExportTracePartialSuccess {
  rejectedSpans: bigint;
  errorMessage: string;
}

export function newExportTracePartialSuccess(): ExportTracePartialSuccess {
  return { rejectedSpans: 0n, errorMessage: '' };
}

const fieldsOfExportTracePartialSuccess = [1, 2];

export function decodeExportTracePartialSuccess(reader: WireReader, end: number): ExportTracePartialSuccess {
  const message = newExportTracePartialSuccess();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        message.rejectedSpans = reader.bigInt64();
        break;
      case 18:
        message.errorMessage = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfExportTracePartialSuccess);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExportTracePartialSuccess(message: ExportTracePartialSuccess, writer: WireWriter): void {
  if (!(message.rejectedSpans === 0n)) { writer.uint32(8); writer.bigInt64(message.rejectedSpans); }
  if (!(message.errorMessage === '')) { writer.uint32(18); writer.string(message.errorMessage); }
}

export function readExportTracePartialSuccess(value: unknown): ExportTracePartialSuccess {
  const message = newExportTracePartialSuccess();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'rejectedSpans':
        case 'rejected_spans':
          message.rejectedSpans = readInt64(field);
          break;
        case 'errorMessage':
        case 'error_message':
          message.errorMessage = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExportTracePartialSuccess(message: ExportTracePartialSuccess): string {
  let text = '';
  if (!(message.rejectedSpans === 0n)) text += `,"rejectedSpans":${writeInt64(message.rejectedSpans)}`;
  if (!(message.errorMessage === '')) text += `,"errorMessage":${writeText(message.errorMessage)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ResourceSpans {
  resource: Resource | undefined;
  scopeSpans: ScopeSpans[];
  schemaUrl: string;
}

export function newResourceSpans(): ResourceSpans {
  return { resource: undefined, scopeSpans: [], schemaUrl: '' };
}

const fieldsOfResourceSpans = [1, 2, 3];

export function decodeResourceSpans(reader: WireReader, end: number): ResourceSpans {
  const message = newResourceSpans();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.resource = decodeResource(reader, reader.enter());
        break;
      case 18:
        message.scopeSpans.push(decodeScopeSpans(reader, reader.enter()));
        break;
      case 26:
        message.schemaUrl = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfResourceSpans);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeResourceSpans(message: ResourceSpans, writer: WireWriter): void {
  if (!(message.resource === undefined)) { writer.uint32(10).fork(); encodeResource(message.resource, writer); writer.ldelim(); }
  for (const item of message.scopeSpans) { writer.uint32(18).fork(); encodeScopeSpans(item, writer); writer.ldelim(); }
  if (!(message.schemaUrl === '')) { writer.uint32(26); writer.string(message.schemaUrl); }
}

export function readResourceSpans(value: unknown): ResourceSpans {
  const message = newResourceSpans();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'resource':
          message.resource = readResource(field);
          break;
        case 'scopeSpans':
        case 'scope_spans':
          message.scopeSpans = readList(field, readScopeSpans);
          break;
        case 'schemaUrl':
        case 'schema_url':
          message.schemaUrl = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeResourceSpans(message: ResourceSpans): string {
  let text = '';
  if (!(message.resource === undefined)) text += `,"resource":${writeResource(message.resource)}`;
  if (message.scopeSpans.length > 0) text += `,"scopeSpans":${writeList(message.scopeSpans, writeScopeSpans)}`;
  if (!(message.schemaUrl === '')) text += `,"schemaUrl":${writeText(message.schemaUrl)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ScopeSpans {
  scope: InstrumentationScope | undefined;
  spans: Span[];
  schemaUrl: string;
}

export function newScopeSpans(): ScopeSpans {
  return { scope: undefined, spans: [], schemaUrl: '' };
}

const fieldsOfScopeSpans = [1, 2, 3];

export function decodeScopeSpans(reader: WireReader, end: number): ScopeSpans {
  const message = newScopeSpans();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.scope = decodeInstrumentationScope(reader, reader.enter());
        break;
      case 18:
        message.spans.push(decodeSpan(reader, reader.enter()));
        break;
      case 26:
        message.schemaUrl = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfScopeSpans);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeScopeSpans(message: ScopeSpans, writer: WireWriter): void {
  if (!(message.scope === undefined)) { writer.uint32(10).fork(); encodeInstrumentationScope(message.scope, writer); writer.ldelim(); }
  for (const item of message.spans) { writer.uint32(18).fork(); encodeSpan(item, writer); writer.ldelim(); }
  if (!(message.schemaUrl === '')) { writer.uint32(26); writer.string(message.schemaUrl); }
}

export function readScopeSpans(value: unknown): ScopeSpans {
  const message = newScopeSpans();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'scope':
          message.scope = readInstrumentationScope(field);
          break;
        case 'spans':
          message.spans = readList(field, readSpan);
          break;
        case 'schemaUrl':
        case 'schema_url':
          message.schemaUrl = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeScopeSpans(message: ScopeSpans): string {
  let text = '';
  if (!(message.scope === undefined)) text += `,"scope":${writeInstrumentationScope(message.scope)}`;
  if (message.spans.length > 0) text += `,"spans":${writeList(message.spans, writeSpan)}`;
  if (!(message.schemaUrl === '')) text += `,"schemaUrl":${writeText(message.schemaUrl)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Resource {
  attributes: KeyValue[];
  droppedAttributesCount: number;
  entityRefs: EntityRef[];
}

export function newResource(): Resource {
  return { attributes: [], droppedAttributesCount: 0, entityRefs: [] };
}

const fieldsOfResource = [1, 2, 3];

export function decodeResource(reader: WireReader, end: number): Resource {
  const message = newResource();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 16:
        message.droppedAttributesCount = reader.uint32();
        break;
      case 26:
        message.entityRefs.push(decodeEntityRef(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfResource);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeResource(message: Resource, writer: WireWriter): void {
  for (const item of message.attributes) { writer.uint32(10).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.droppedAttributesCount === 0)) { writer.uint32(16); writer.uint32(message.droppedAttributesCount); }
  for (const item of message.entityRefs) { writer.uint32(26).fork(); encodeEntityRef(item, writer); writer.ldelim(); }
}

export function readResource(value: unknown): Resource {
  const message = newResource();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'droppedAttributesCount':
        case 'dropped_attributes_count':
          message.droppedAttributesCount = readUint32(field);
          break;
        case 'entityRefs':
        case 'entity_refs':
          message.entityRefs = readList(field, readEntityRef);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeResource(message: Resource): string {
  let text = '';
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.droppedAttributesCount === 0)) text += `,"droppedAttributesCount":${String(message.droppedAttributesCount)}`;
  if (message.entityRefs.length > 0) text += `,"entityRefs":${writeList(message.entityRefs, writeEntityRef)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface EntityRef {
  schemaUrl: string;
  type: string;
  idKeys: string[];
  descriptionKeys: string[];
}

export function newEntityRef(): EntityRef {
  return { schemaUrl: '', type: '', idKeys: [], descriptionKeys: [] };
}

const fieldsOfEntityRef = [1, 2, 3, 4];

export function decodeEntityRef(reader: WireReader, end: number): EntityRef {
  const message = newEntityRef();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.schemaUrl = reader.text();
        break;
      case 18:
        message.type = reader.text();
        break;
      case 26:
        message.idKeys.push(reader.text());
        break;
      case 34:
        message.descriptionKeys.push(reader.text());
        break;
      default:
        reader.unknown(tag, fieldsOfEntityRef);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeEntityRef(message: EntityRef, writer: WireWriter): void {
  if (!(message.schemaUrl === '')) { writer.uint32(10); writer.string(message.schemaUrl); }
  if (!(message.type === '')) { writer.uint32(18); writer.string(message.type); }
  for (const item of message.idKeys) { writer.uint32(26); writer.string(item); }
  for (const item of message.descriptionKeys) { writer.uint32(34); writer.string(item); }
}

export function readEntityRef(value: unknown): EntityRef {
  const message = newEntityRef();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'schemaUrl':
        case 'schema_url':
          message.schemaUrl = readText(field);
          break;
        case 'type':
          message.type = readText(field);
          break;
        case 'idKeys':
        case 'id_keys':
          message.idKeys = readList(field, readText);
          break;
        case 'descriptionKeys':
        case 'description_keys':
          message.descriptionKeys = readList(field, readText);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeEntityRef(message: EntityRef): string {
  let text = '';
  if (!(message.schemaUrl === '')) text += `,"schemaUrl":${writeText(message.schemaUrl)}`;
  if (!(message.type === '')) text += `,"type":${writeText(message.type)}`;
  if (message.idKeys.length > 0) text += `,"idKeys":${writeList(message.idKeys, writeText)}`;
  if (message.descriptionKeys.length > 0) text += `,"descriptionKeys":${writeList(message.descriptionKeys, writeText)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface InstrumentationScope {
  name: string;
  version: string;
  attributes: KeyValue[];
  droppedAttributesCount: number;
}

export function newInstrumentationScope(): InstrumentationScope {
  return { name: '', version: '', attributes: [], droppedAttributesCount: 0 };
}

const fieldsOfInstrumentationScope = [1, 2, 3, 4];

export function decodeInstrumentationScope(reader: WireReader, end: number): InstrumentationScope {
  const message = newInstrumentationScope();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.name = reader.text();
        break;
      case 18:
        message.version = reader.text();
        break;
      case 26:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 32:
        message.droppedAttributesCount = reader.uint32();
        break;
      default:
        reader.unknown(tag, fieldsOfInstrumentationScope);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeInstrumentationScope(message: InstrumentationScope, writer: WireWriter): void {
  if (!(message.name === '')) { writer.uint32(10); writer.string(message.name); }
  if (!(message.version === '')) { writer.uint32(18); writer.string(message.version); }
  for (const item of message.attributes) { writer.uint32(26).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.droppedAttributesCount === 0)) { writer.uint32(32); writer.uint32(message.droppedAttributesCount); }
}

export function readInstrumentationScope(value: unknown): InstrumentationScope {
  const message = newInstrumentationScope();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'name':
          message.name = readText(field);
          break;
        case 'version':
          message.version = readText(field);
          break;
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'droppedAttributesCount':
        case 'dropped_attributes_count':
          message.droppedAttributesCount = readUint32(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeInstrumentationScope(message: InstrumentationScope): string {
  let text = '';
  if (!(message.name === '')) text += `,"name":${writeText(message.name)}`;
  if (!(message.version === '')) text += `,"version":${writeText(message.version)}`;
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.droppedAttributesCount === 0)) text += `,"droppedAttributesCount":${String(message.droppedAttributesCount)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Span {
  traceId: string;
  spanId: string;
  traceState: string;
  parentSpanId: string;
  flags: number;
  name: string;
  kind: number;
  startTimeUnixNano: Bits64;
  endTimeUnixNano: Bits64;
  attributes: KeyValue[];
  droppedAttributesCount: number;
  events: Event[];
  droppedEventsCount: number;
  links: Link[];
  droppedLinksCount: number;
  status: Status | undefined;
}

export function newSpan(): Span {
  return { traceId: '', spanId: '', traceState: '', parentSpanId: '', flags: 0, name: '', kind: 0, startTimeUnixNano: { low: 0, high: 0 }, endTimeUnixNano: { low: 0, high: 0 }, attributes: [], droppedAttributesCount: 0, events: [], droppedEventsCount: 0, links: [], droppedLinksCount: 0, status: undefined };
}

const fieldsOfSpan = [1, 2, 3, 4, 16, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

export function decodeSpan(reader: WireReader, end: number): Span {
  const message = newSpan();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.traceId = reader.hex();
        break;
      case 18:
        message.spanId = reader.hex();
        break;
      case 26:
        message.traceState = reader.text();
        break;
      case 34:
        message.parentSpanId = reader.hex();
        break;
      case 133:
        message.flags = reader.fixed32();
        break;
      case 42:
        message.name = reader.repeatedText();
        break;
      case 48:
        message.kind = reader.int32();
        break;
      case 57:
        message.startTimeUnixNano = reader.fixed64Bits();
        break;
      case 65:
        message.endTimeUnixNano = reader.fixed64Bits();
        break;
      case 74:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 80:
        message.droppedAttributesCount = reader.uint32();
        break;
      case 90:
        message.events.push(decodeEvent(reader, reader.enter()));
        break;
      case 96:
        message.droppedEventsCount = reader.uint32();
        break;
      case 106:
        message.links.push(decodeLink(reader, reader.enter()));
        break;
      case 112:
        message.droppedLinksCount = reader.uint32();
        break;
      case 122:
        message.status = decodeStatus(reader, reader.enter());
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
  if (!(message.spanId === '')) { writer.uint32(18); writer.hex(message.spanId); }
  if (!(message.traceState === '')) { writer.uint32(26); writer.string(message.traceState); }
  if (!(message.parentSpanId === '')) { writer.uint32(34); writer.hex(message.parentSpanId); }
  if (!(message.flags === 0)) { writer.uint32(133); writer.fixed32(message.flags); }
  if (!(message.name === '')) { writer.uint32(42); writer.string(message.name); }
  if (!(message.kind === 0)) { writer.uint32(48); writer.int32(message.kind); }
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) { writer.uint32(57); writer.fixed64Bits(message.startTimeUnixNano); }
  if (!(message.endTimeUnixNano.low === 0 && message.endTimeUnixNano.high === 0)) { writer.uint32(65); writer.fixed64Bits(message.endTimeUnixNano); }
  for (const item of message.attributes) { writer.uint32(74).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.droppedAttributesCount === 0)) { writer.uint32(80); writer.uint32(message.droppedAttributesCount); }
  for (const item of message.events) { writer.uint32(90).fork(); encodeEvent(item, writer); writer.ldelim(); }
  if (!(message.droppedEventsCount === 0)) { writer.uint32(96); writer.uint32(message.droppedEventsCount); }
  for (const item of message.links) { writer.uint32(106).fork(); encodeLink(item, writer); writer.ldelim(); }
  if (!(message.droppedLinksCount === 0)) { writer.uint32(112); writer.uint32(message.droppedLinksCount); }
  if (!(message.status === undefined)) { writer.uint32(122).fork(); encodeStatus(message.status, writer); writer.ldelim(); }
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
        case 'spanId':
        case 'span_id':
          message.spanId = readHex(field);
          break;
        case 'traceState':
        case 'trace_state':
          message.traceState = readText(field);
          break;
        case 'parentSpanId':
        case 'parent_span_id':
          message.parentSpanId = readHex(field);
          break;
        case 'flags':
          message.flags = readUint32(field);
          break;
        case 'name':
          message.name = readText(field);
          break;
        case 'kind':
          message.kind = readSpanKind(field);
          break;
        case 'startTimeUnixNano':
        case 'start_time_unix_nano':
          message.startTimeUnixNano = readUint64(field);
          break;
        case 'endTimeUnixNano':
        case 'end_time_unix_nano':
          message.endTimeUnixNano = readUint64(field);
          break;
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'droppedAttributesCount':
        case 'dropped_attributes_count':
          message.droppedAttributesCount = readUint32(field);
          break;
        case 'events':
          message.events = readList(field, readEvent);
          break;
        case 'droppedEventsCount':
        case 'dropped_events_count':
          message.droppedEventsCount = readUint32(field);
          break;
        case 'links':
          message.links = readList(field, readLink);
          break;
        case 'droppedLinksCount':
        case 'dropped_links_count':
          message.droppedLinksCount = readUint32(field);
          break;
        case 'status':
          message.status = readStatus(field);
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
  if (!(message.spanId === '')) text += `,"spanId":${writeText(message.spanId)}`;
  if (!(message.traceState === '')) text += `,"traceState":${writeText(message.traceState)}`;
  if (!(message.parentSpanId === '')) text += `,"parentSpanId":${writeText(message.parentSpanId)}`;
  if (!(message.flags === 0)) text += `,"flags":${String(message.flags)}`;
  if (!(message.name === '')) text += `,"name":${writeText(message.name)}`;
  if (!(message.kind === 0)) text += `,"kind":${String(message.kind)}`;
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) text += `,"startTimeUnixNano":${writeUint64(message.startTimeUnixNano)}`;
  if (!(message.endTimeUnixNano.low === 0 && message.endTimeUnixNano.high === 0)) text += `,"endTimeUnixNano":${writeUint64(message.endTimeUnixNano)}`;
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.droppedAttributesCount === 0)) text += `,"droppedAttributesCount":${String(message.droppedAttributesCount)}`;
  if (message.events.length > 0) text += `,"events":${writeList(message.events, writeEvent)}`;
  if (!(message.droppedEventsCount === 0)) text += `,"droppedEventsCount":${String(message.droppedEventsCount)}`;
  if (message.links.length > 0) text += `,"links":${writeList(message.links, writeLink)}`;
  if (!(message.droppedLinksCount === 0)) text += `,"droppedLinksCount":${String(message.droppedLinksCount)}`;
  if (!(message.status === undefined)) text += `,"status":${writeStatus(message.status)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export const numbersOfSpanKind: ReadonlyMap<string, number> = new Map([
  ['SPAN_KIND_UNSPECIFIED', 0],
  ['SPAN_KIND_INTERNAL', 1],
  ['SPAN_KIND_SERVER', 2],
  ['SPAN_KIND_CLIENT', 3],
  ['SPAN_KIND_PRODUCER', 4],
  ['SPAN_KIND_CONSUMER', 5],
]);

const readSpanKind = (value: unknown): number => readEnum(value, numbersOfSpanKind);

export interface Event {
  timeUnixNano: Bits64;
  name: string;
  attributes: KeyValue[];
  droppedAttributesCount: number;
}

export function newEvent(): Event {
  return { timeUnixNano: { low: 0, high: 0 }, name: '', attributes: [], droppedAttributesCount: 0 };
}

const fieldsOfEvent = [1, 2, 3, 4];

export function decodeEvent(reader: WireReader, end: number): Event {
  const message = newEvent();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 9:
        message.timeUnixNano = reader.fixed64Bits();
        break;
      case 18:
        message.name = reader.repeatedText();
        break;
      case 26:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 32:
        message.droppedAttributesCount = reader.uint32();
        break;
      default:
        reader.unknown(tag, fieldsOfEvent);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeEvent(message: Event, writer: WireWriter): void {
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) { writer.uint32(9); writer.fixed64Bits(message.timeUnixNano); }
  if (!(message.name === '')) { writer.uint32(18); writer.string(message.name); }
  for (const item of message.attributes) { writer.uint32(26).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.droppedAttributesCount === 0)) { writer.uint32(32); writer.uint32(message.droppedAttributesCount); }
}

export function readEvent(value: unknown): Event {
  const message = newEvent();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'timeUnixNano':
        case 'time_unix_nano':
          message.timeUnixNano = readUint64(field);
          break;
        case 'name':
          message.name = readText(field);
          break;
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'droppedAttributesCount':
        case 'dropped_attributes_count':
          message.droppedAttributesCount = readUint32(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeEvent(message: Event): string {
  let text = '';
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) text += `,"timeUnixNano":${writeUint64(message.timeUnixNano)}`;
  if (!(message.name === '')) text += `,"name":${writeText(message.name)}`;
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.droppedAttributesCount === 0)) text += `,"droppedAttributesCount":${String(message.droppedAttributesCount)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Link {
  traceId: string;
  spanId: string;
  traceState: string;
  attributes: KeyValue[];
  droppedAttributesCount: number;
  flags: number;
}

export function newLink(): Link {
  return { traceId: '', spanId: '', traceState: '', attributes: [], droppedAttributesCount: 0, flags: 0 };
}

const fieldsOfLink = [1, 2, 3, 4, 5, 6];

export function decodeLink(reader: WireReader, end: number): Link {
  const message = newLink();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.traceId = reader.hex();
        break;
      case 18:
        message.spanId = reader.hex();
        break;
      case 26:
        message.traceState = reader.text();
        break;
      case 34:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 40:
        message.droppedAttributesCount = reader.uint32();
        break;
      case 53:
        message.flags = reader.fixed32();
        break;
      default:
        reader.unknown(tag, fieldsOfLink);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeLink(message: Link, writer: WireWriter): void {
  if (!(message.traceId === '')) { writer.uint32(10); writer.hex(message.traceId); }
  if (!(message.spanId === '')) { writer.uint32(18); writer.hex(message.spanId); }
  if (!(message.traceState === '')) { writer.uint32(26); writer.string(message.traceState); }
  for (const item of message.attributes) { writer.uint32(34).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.droppedAttributesCount === 0)) { writer.uint32(40); writer.uint32(message.droppedAttributesCount); }
  if (!(message.flags === 0)) { writer.uint32(53); writer.fixed32(message.flags); }
}

export function readLink(value: unknown): Link {
  const message = newLink();
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
        case 'spanId':
        case 'span_id':
          message.spanId = readHex(field);
          break;
        case 'traceState':
        case 'trace_state':
          message.traceState = readText(field);
          break;
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'droppedAttributesCount':
        case 'dropped_attributes_count':
          message.droppedAttributesCount = readUint32(field);
          break;
        case 'flags':
          message.flags = readUint32(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeLink(message: Link): string {
  let text = '';
  if (!(message.traceId === '')) text += `,"traceId":${writeText(message.traceId)}`;
  if (!(message.spanId === '')) text += `,"spanId":${writeText(message.spanId)}`;
  if (!(message.traceState === '')) text += `,"traceState":${writeText(message.traceState)}`;
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.droppedAttributesCount === 0)) text += `,"droppedAttributesCount":${String(message.droppedAttributesCount)}`;
  if (!(message.flags === 0)) text += `,"flags":${String(message.flags)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Status {
  message: string;
  code: number;
}

export function newStatus(): Status {
  return { message: '', code: 0 };
}

const fieldsOfStatus = [2, 3];

export function decodeStatus(reader: WireReader, end: number): Status {
  const message = newStatus();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 18:
        message.message = reader.text();
        break;
      case 24:
        message.code = reader.int32();
        break;
      default:
        reader.unknown(tag, fieldsOfStatus);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeStatus(message: Status, writer: WireWriter): void {
  if (!(message.message === '')) { writer.uint32(18); writer.string(message.message); }
  if (!(message.code === 0)) { writer.uint32(24); writer.int32(message.code); }
}

export function readStatus(value: unknown): Status {
  const message = newStatus();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'message':
          message.message = readText(field);
          break;
        case 'code':
          message.code = readStatusCode(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeStatus(message: Status): string {
  let text = '';
  if (!(message.message === '')) text += `,"message":${writeText(message.message)}`;
  if (!(message.code === 0)) text += `,"code":${String(message.code)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export const numbersOfStatusCode: ReadonlyMap<string, number> = new Map([
  ['STATUS_CODE_UNSET', 0],
  ['STATUS_CODE_OK', 1],
  ['STATUS_CODE_ERROR', 2],
]);

const readStatusCode = (value: unknown): number => readEnum(value, numbersOfStatusCode);

export interface KeyValue {
  key: string;
  value: AnyValue | undefined;
}

export function newKeyValue(): KeyValue {
  return { key: '', value: undefined };
}

const fieldsOfKeyValue = [1, 2];

export function decodeKeyValue(reader: WireReader, end: number): KeyValue {
  const message = newKeyValue();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.key = reader.repeatedText();
        break;
      case 18:
        message.value = decodeAnyValue(reader, reader.enter());
        break;
      default:
        reader.unknown(tag, fieldsOfKeyValue);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeKeyValue(message: KeyValue, writer: WireWriter): void {
  if (!(message.key === '')) { writer.uint32(10); writer.string(message.key); }
  if (!(message.value === undefined)) { writer.uint32(18).fork(); encodeAnyValue(message.value, writer); writer.ldelim(); }
}

export function readKeyValue(value: unknown): KeyValue {
  const message = newKeyValue();
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
          message.value = readAnyValue(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeKeyValue(message: KeyValue): string {
  let text = '';
  if (!(message.key === '')) text += `,"key":${writeText(message.key)}`;
  if (!(message.value === undefined)) text += `,"value":${writeAnyValue(message.value)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export type AnyValue =
  | { readonly case: 'stringValue'; readonly value: string }
  | { readonly case: 'boolValue'; readonly value: boolean }
  | { readonly case: 'intValue'; readonly value: bigint }
  | { readonly case: 'doubleValue'; readonly value: number }
  | { readonly case: 'arrayValue'; readonly value: ArrayValue }
  | { readonly case: 'kvlistValue'; readonly value: KeyValueList }
  | { readonly case: 'bytesValue'; readonly value: Uint8Array }
  | { readonly case: 'none'; readonly value: undefined };

const noAnyValue: AnyValue = { case: 'none', value: undefined };
const fieldsOfAnyValue = [1, 2, 3, 4, 5, 6, 7];

export function decodeAnyValue(reader: WireReader, end: number): AnyValue {
  let message = noAnyValue;
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message = { case: 'stringValue', value: reader.text() };
        break;
      case 16:
        message = { case: 'boolValue', value: reader.bool() };
        break;
      case 24:
        message = { case: 'intValue', value: reader.bigInt64() };
        break;
      case 33:
        message = { case: 'doubleValue', value: reader.double() };
        break;
      case 42:
        message = { case: 'arrayValue', value: decodeArrayValue(reader, reader.enter()) };
        break;
      case 50:
        message = { case: 'kvlistValue', value: decodeKeyValueList(reader, reader.enter()) };
        break;
      case 58:
        message = { case: 'bytesValue', value: reader.copiedBytes() };
        break;
      default:
        reader.unknown(tag, fieldsOfAnyValue);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeAnyValue(message: AnyValue, writer: WireWriter): void {
  switch (message.case) {
    case 'stringValue':
      writer.uint32(10); writer.string(message.value);
      break;
    case 'boolValue':
      writer.uint32(16); writer.bool(message.value);
      break;
    case 'intValue':
      writer.uint32(24); writer.bigInt64(message.value);
      break;
    case 'doubleValue':
      writer.uint32(33); writer.double(message.value);
      break;
    case 'arrayValue':
      writer.uint32(42).fork(); encodeArrayValue(message.value, writer); writer.ldelim();
      break;
    case 'kvlistValue':
      writer.uint32(50).fork(); encodeKeyValueList(message.value, writer); writer.ldelim();
      break;
    case 'bytesValue':
      writer.uint32(58); writer.bytes(message.value);
      break;
  }
}

export function readAnyValue(value: unknown): AnyValue {
  let message = noAnyValue;
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'stringValue':
        case 'string_value':
          message = { case: 'stringValue', value: readText(field) };
          break;
        case 'boolValue':
        case 'bool_value':
          message = { case: 'boolValue', value: readBool(field) };
          break;
        case 'intValue':
        case 'int_value':
          message = { case: 'intValue', value: readInt64(field) };
          break;
        case 'doubleValue':
        case 'double_value':
          message = { case: 'doubleValue', value: readDouble(field) };
          break;
        case 'arrayValue':
        case 'array_value':
          message = { case: 'arrayValue', value: readArrayValue(field) };
          break;
        case 'kvlistValue':
        case 'kvlist_value':
          message = { case: 'kvlistValue', value: readKeyValueList(field) };
          break;
        case 'bytesValue':
        case 'bytes_value':
          message = { case: 'bytesValue', value: readBytes(field) };
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeAnyValue(message: AnyValue): string {
  switch (message.case) {
    case 'stringValue':
      return `{"stringValue":${writeText(message.value)}}`;
    case 'boolValue':
      return `{"boolValue":${String(message.value)}}`;
    case 'intValue':
      return `{"intValue":${writeInt64(message.value)}}`;
    case 'doubleValue':
      return `{"doubleValue":${writeDouble(message.value)}}`;
    case 'arrayValue':
      return `{"arrayValue":${writeArrayValue(message.value)}}`;
    case 'kvlistValue':
      return `{"kvlistValue":${writeKeyValueList(message.value)}}`;
    case 'bytesValue':
      return `{"bytesValue":${writeBytes(message.value)}}`;
    default:
      return '{}';
  }
}

export interface ArrayValue {
  values: AnyValue[];
}

export function newArrayValue(): ArrayValue {
  return { values: [] };
}

const fieldsOfArrayValue = [1];

export function decodeArrayValue(reader: WireReader, end: number): ArrayValue {
  const message = newArrayValue();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.values.push(decodeAnyValue(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfArrayValue);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeArrayValue(message: ArrayValue, writer: WireWriter): void {
  for (const item of message.values) { writer.uint32(10).fork(); encodeAnyValue(item, writer); writer.ldelim(); }
}

export function readArrayValue(value: unknown): ArrayValue {
  const message = newArrayValue();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'values':
          message.values = readList(field, readAnyValue);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeArrayValue(message: ArrayValue): string {
  let text = '';
  if (message.values.length > 0) text += `,"values":${writeList(message.values, writeAnyValue)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface KeyValueList {
  values: KeyValue[];
}

export function newKeyValueList(): KeyValueList {
  return { values: [] };
}

const fieldsOfKeyValueList = [1];

export function decodeKeyValueList(reader: WireReader, end: number): KeyValueList {
  const message = newKeyValueList();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.values.push(decodeKeyValue(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfKeyValueList);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeKeyValueList(message: KeyValueList, writer: WireWriter): void {
  for (const item of message.values) { writer.uint32(10).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
}

export function readKeyValueList(value: unknown): KeyValueList {
  const message = newKeyValueList();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'values':
          message.values = readList(field, readKeyValue);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeKeyValueList(message: KeyValueList): string {
  let text = '';
  if (message.values.length > 0) text += `,"values":${writeList(message.values, writeKeyValue)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface RpcStatus {
  code: number;
  message: string;
}

export function newRpcStatus(): RpcStatus {
  return { code: 0, message: '' };
}

const fieldsOfRpcStatus = [1, 2];

export function decodeRpcStatus(reader: WireReader, end: number): RpcStatus {
  const message = newRpcStatus();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        message.code = reader.int32();
        break;
      case 18:
        message.message = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfRpcStatus);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeRpcStatus(message: RpcStatus, writer: WireWriter): void {
  if (!(message.code === 0)) { writer.uint32(8); writer.int32(message.code); }
  if (!(message.message === '')) { writer.uint32(18); writer.string(message.message); }
}

export function readRpcStatus(value: unknown): RpcStatus {
  const message = newRpcStatus();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'code':
          message.code = readInt32(field);
          break;
        case 'message':
          message.message = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeRpcStatus(message: RpcStatus): string {
  let text = '';
  if (!(message.code === 0)) text += `,"code":${String(message.code)}`;
  if (!(message.message === '')) text += `,"message":${writeText(message.message)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ExportMetricsServiceRequest {
  resourceMetrics: ResourceMetrics[];
}

export function newExportMetricsServiceRequest(): ExportMetricsServiceRequest {
  return { resourceMetrics: [] };
}

const fieldsOfExportMetricsServiceRequest = [1];

export function decodeExportMetricsServiceRequest(reader: WireReader, end: number): ExportMetricsServiceRequest {
  const message = newExportMetricsServiceRequest();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.resourceMetrics.push(decodeResourceMetrics(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfExportMetricsServiceRequest);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExportMetricsServiceRequest(message: ExportMetricsServiceRequest, writer: WireWriter): void {
  for (const item of message.resourceMetrics) { writer.uint32(10).fork(); encodeResourceMetrics(item, writer); writer.ldelim(); }
}

export function readExportMetricsServiceRequest(value: unknown): ExportMetricsServiceRequest {
  const message = newExportMetricsServiceRequest();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'resourceMetrics':
        case 'resource_metrics':
          message.resourceMetrics = readList(field, readResourceMetrics);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExportMetricsServiceRequest(message: ExportMetricsServiceRequest): string {
  let text = '';
  if (message.resourceMetrics.length > 0) text += `,"resourceMetrics":${writeList(message.resourceMetrics, writeResourceMetrics)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ExportMetricsServiceResponse {
  partialSuccess: ExportMetricsPartialSuccess | undefined;
}

export function newExportMetricsServiceResponse(): ExportMetricsServiceResponse {
  return { partialSuccess: undefined };
}

const fieldsOfExportMetricsServiceResponse = [1];

export function decodeExportMetricsServiceResponse(reader: WireReader, end: number): ExportMetricsServiceResponse {
  const message = newExportMetricsServiceResponse();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.partialSuccess = decodeExportMetricsPartialSuccess(reader, reader.enter());
        break;
      default:
        reader.unknown(tag, fieldsOfExportMetricsServiceResponse);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExportMetricsServiceResponse(message: ExportMetricsServiceResponse, writer: WireWriter): void {
  if (!(message.partialSuccess === undefined)) { writer.uint32(10).fork(); encodeExportMetricsPartialSuccess(message.partialSuccess, writer); writer.ldelim(); }
}

export function readExportMetricsServiceResponse(value: unknown): ExportMetricsServiceResponse {
  const message = newExportMetricsServiceResponse();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'partialSuccess':
        case 'partial_success':
          message.partialSuccess = readExportMetricsPartialSuccess(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExportMetricsServiceResponse(message: ExportMetricsServiceResponse): string {
  let text = '';
  if (!(message.partialSuccess === undefined)) text += `,"partialSuccess":${writeExportMetricsPartialSuccess(message.partialSuccess)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ExportMetricsPartialSuccess {
  rejectedDataPoints: bigint;
  errorMessage: string;
}

export function newExportMetricsPartialSuccess(): ExportMetricsPartialSuccess {
  return { rejectedDataPoints: 0n, errorMessage: '' };
}

const fieldsOfExportMetricsPartialSuccess = [1, 2];

export function decodeExportMetricsPartialSuccess(reader: WireReader, end: number): ExportMetricsPartialSuccess {
  const message = newExportMetricsPartialSuccess();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        message.rejectedDataPoints = reader.bigInt64();
        break;
      case 18:
        message.errorMessage = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfExportMetricsPartialSuccess);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExportMetricsPartialSuccess(message: ExportMetricsPartialSuccess, writer: WireWriter): void {
  if (!(message.rejectedDataPoints === 0n)) { writer.uint32(8); writer.bigInt64(message.rejectedDataPoints); }
  if (!(message.errorMessage === '')) { writer.uint32(18); writer.string(message.errorMessage); }
}

export function readExportMetricsPartialSuccess(value: unknown): ExportMetricsPartialSuccess {
  const message = newExportMetricsPartialSuccess();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'rejectedDataPoints':
        case 'rejected_data_points':
          message.rejectedDataPoints = readInt64(field);
          break;
        case 'errorMessage':
        case 'error_message':
          message.errorMessage = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExportMetricsPartialSuccess(message: ExportMetricsPartialSuccess): string {
  let text = '';
  if (!(message.rejectedDataPoints === 0n)) text += `,"rejectedDataPoints":${writeInt64(message.rejectedDataPoints)}`;
  if (!(message.errorMessage === '')) text += `,"errorMessage":${writeText(message.errorMessage)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ResourceMetrics {
  resource: Resource | undefined;
  scopeMetrics: ScopeMetrics[];
  schemaUrl: string;
}

export function newResourceMetrics(): ResourceMetrics {
  return { resource: undefined, scopeMetrics: [], schemaUrl: '' };
}

const fieldsOfResourceMetrics = [1, 2, 3];

export function decodeResourceMetrics(reader: WireReader, end: number): ResourceMetrics {
  const message = newResourceMetrics();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.resource = decodeResource(reader, reader.enter());
        break;
      case 18:
        message.scopeMetrics.push(decodeScopeMetrics(reader, reader.enter()));
        break;
      case 26:
        message.schemaUrl = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfResourceMetrics);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeResourceMetrics(message: ResourceMetrics, writer: WireWriter): void {
  if (!(message.resource === undefined)) { writer.uint32(10).fork(); encodeResource(message.resource, writer); writer.ldelim(); }
  for (const item of message.scopeMetrics) { writer.uint32(18).fork(); encodeScopeMetrics(item, writer); writer.ldelim(); }
  if (!(message.schemaUrl === '')) { writer.uint32(26); writer.string(message.schemaUrl); }
}

export function readResourceMetrics(value: unknown): ResourceMetrics {
  const message = newResourceMetrics();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'resource':
          message.resource = readResource(field);
          break;
        case 'scopeMetrics':
        case 'scope_metrics':
          message.scopeMetrics = readList(field, readScopeMetrics);
          break;
        case 'schemaUrl':
        case 'schema_url':
          message.schemaUrl = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeResourceMetrics(message: ResourceMetrics): string {
  let text = '';
  if (!(message.resource === undefined)) text += `,"resource":${writeResource(message.resource)}`;
  if (message.scopeMetrics.length > 0) text += `,"scopeMetrics":${writeList(message.scopeMetrics, writeScopeMetrics)}`;
  if (!(message.schemaUrl === '')) text += `,"schemaUrl":${writeText(message.schemaUrl)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ScopeMetrics {
  scope: InstrumentationScope | undefined;
  metrics: Metric[];
  schemaUrl: string;
}

export function newScopeMetrics(): ScopeMetrics {
  return { scope: undefined, metrics: [], schemaUrl: '' };
}

const fieldsOfScopeMetrics = [1, 2, 3];

export function decodeScopeMetrics(reader: WireReader, end: number): ScopeMetrics {
  const message = newScopeMetrics();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.scope = decodeInstrumentationScope(reader, reader.enter());
        break;
      case 18:
        message.metrics.push(decodeMetric(reader, reader.enter()));
        break;
      case 26:
        message.schemaUrl = reader.text();
        break;
      default:
        reader.unknown(tag, fieldsOfScopeMetrics);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeScopeMetrics(message: ScopeMetrics, writer: WireWriter): void {
  if (!(message.scope === undefined)) { writer.uint32(10).fork(); encodeInstrumentationScope(message.scope, writer); writer.ldelim(); }
  for (const item of message.metrics) { writer.uint32(18).fork(); encodeMetric(item, writer); writer.ldelim(); }
  if (!(message.schemaUrl === '')) { writer.uint32(26); writer.string(message.schemaUrl); }
}

export function readScopeMetrics(value: unknown): ScopeMetrics {
  const message = newScopeMetrics();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'scope':
          message.scope = readInstrumentationScope(field);
          break;
        case 'metrics':
          message.metrics = readList(field, readMetric);
          break;
        case 'schemaUrl':
        case 'schema_url':
          message.schemaUrl = readText(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeScopeMetrics(message: ScopeMetrics): string {
  let text = '';
  if (!(message.scope === undefined)) text += `,"scope":${writeInstrumentationScope(message.scope)}`;
  if (message.metrics.length > 0) text += `,"metrics":${writeList(message.metrics, writeMetric)}`;
  if (!(message.schemaUrl === '')) text += `,"schemaUrl":${writeText(message.schemaUrl)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Metric {
  name: string;
  description: string;
  unit: string;
  gauge: Gauge | undefined;
  sum: Sum | undefined;
  histogram: Histogram | undefined;
  exponentialHistogram: ExponentialHistogram | undefined;
  summary: Summary | undefined;
}

export function newMetric(): Metric {
  return { name: '', description: '', unit: '', gauge: undefined, sum: undefined, histogram: undefined, exponentialHistogram: undefined, summary: undefined };
}

const fieldsOfMetric = [1, 2, 3, 5, 7, 9, 10, 11];

export function decodeMetric(reader: WireReader, end: number): Metric {
  const message = newMetric();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.name = reader.text();
        break;
      case 18:
        message.description = reader.text();
        break;
      case 26:
        message.unit = reader.text();
        break;
      case 42:
        message.gauge = decodeGauge(reader, reader.enter());
        break;
      case 58:
        message.sum = decodeSum(reader, reader.enter());
        break;
      case 74:
        message.histogram = decodeHistogram(reader, reader.enter());
        break;
      case 82:
        message.exponentialHistogram = decodeExponentialHistogram(reader, reader.enter());
        break;
      case 90:
        message.summary = decodeSummary(reader, reader.enter());
        break;
      default:
        reader.unknown(tag, fieldsOfMetric);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeMetric(message: Metric, writer: WireWriter): void {
  if (!(message.name === '')) { writer.uint32(10); writer.string(message.name); }
  if (!(message.description === '')) { writer.uint32(18); writer.string(message.description); }
  if (!(message.unit === '')) { writer.uint32(26); writer.string(message.unit); }
  if (!(message.gauge === undefined)) { writer.uint32(42).fork(); encodeGauge(message.gauge, writer); writer.ldelim(); }
  if (!(message.sum === undefined)) { writer.uint32(58).fork(); encodeSum(message.sum, writer); writer.ldelim(); }
  if (!(message.histogram === undefined)) { writer.uint32(74).fork(); encodeHistogram(message.histogram, writer); writer.ldelim(); }
  if (!(message.exponentialHistogram === undefined)) { writer.uint32(82).fork(); encodeExponentialHistogram(message.exponentialHistogram, writer); writer.ldelim(); }
  if (!(message.summary === undefined)) { writer.uint32(90).fork(); encodeSummary(message.summary, writer); writer.ldelim(); }
}

export function readMetric(value: unknown): Metric {
  const message = newMetric();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'name':
          message.name = readText(field);
          break;
        case 'description':
          message.description = readText(field);
          break;
        case 'unit':
          message.unit = readText(field);
          break;
        case 'gauge':
          message.gauge = readGauge(field);
          break;
        case 'sum':
          message.sum = readSum(field);
          break;
        case 'histogram':
          message.histogram = readHistogram(field);
          break;
        case 'exponentialHistogram':
        case 'exponential_histogram':
          message.exponentialHistogram = readExponentialHistogram(field);
          break;
        case 'summary':
          message.summary = readSummary(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeMetric(message: Metric): string {
  let text = '';
  if (!(message.name === '')) text += `,"name":${writeText(message.name)}`;
  if (!(message.description === '')) text += `,"description":${writeText(message.description)}`;
  if (!(message.unit === '')) text += `,"unit":${writeText(message.unit)}`;
  if (!(message.gauge === undefined)) text += `,"gauge":${writeGauge(message.gauge)}`;
  if (!(message.sum === undefined)) text += `,"sum":${writeSum(message.sum)}`;
  if (!(message.histogram === undefined)) text += `,"histogram":${writeHistogram(message.histogram)}`;
  if (!(message.exponentialHistogram === undefined)) text += `,"exponentialHistogram":${writeExponentialHistogram(message.exponentialHistogram)}`;
  if (!(message.summary === undefined)) text += `,"summary":${writeSummary(message.summary)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Gauge {
  dataPoints: NumberDataPoint[];
}

export function newGauge(): Gauge {
  return { dataPoints: [] };
}

const fieldsOfGauge = [1];

export function decodeGauge(reader: WireReader, end: number): Gauge {
  const message = newGauge();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.dataPoints.push(decodeNumberDataPoint(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfGauge);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeGauge(message: Gauge, writer: WireWriter): void {
  for (const item of message.dataPoints) { writer.uint32(10).fork(); encodeNumberDataPoint(item, writer); writer.ldelim(); }
}

export function readGauge(value: unknown): Gauge {
  const message = newGauge();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'dataPoints':
        case 'data_points':
          message.dataPoints = readList(field, readNumberDataPoint);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeGauge(message: Gauge): string {
  let text = '';
  if (message.dataPoints.length > 0) text += `,"dataPoints":${writeList(message.dataPoints, writeNumberDataPoint)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Sum {
  dataPoints: NumberDataPoint[];
  aggregationTemporality: number;
  isMonotonic: boolean;
}

export function newSum(): Sum {
  return { dataPoints: [], aggregationTemporality: 0, isMonotonic: false };
}

const fieldsOfSum = [1, 2, 3];

export function decodeSum(reader: WireReader, end: number): Sum {
  const message = newSum();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.dataPoints.push(decodeNumberDataPoint(reader, reader.enter()));
        break;
      case 16:
        message.aggregationTemporality = reader.int32();
        break;
      case 24:
        message.isMonotonic = reader.bool();
        break;
      default:
        reader.unknown(tag, fieldsOfSum);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeSum(message: Sum, writer: WireWriter): void {
  for (const item of message.dataPoints) { writer.uint32(10).fork(); encodeNumberDataPoint(item, writer); writer.ldelim(); }
  if (!(message.aggregationTemporality === 0)) { writer.uint32(16); writer.int32(message.aggregationTemporality); }
  if (!(!message.isMonotonic)) { writer.uint32(24); writer.bool(message.isMonotonic); }
}

export function readSum(value: unknown): Sum {
  const message = newSum();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'dataPoints':
        case 'data_points':
          message.dataPoints = readList(field, readNumberDataPoint);
          break;
        case 'aggregationTemporality':
        case 'aggregation_temporality':
          message.aggregationTemporality = readAggregationTemporality(field);
          break;
        case 'isMonotonic':
        case 'is_monotonic':
          message.isMonotonic = readBool(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeSum(message: Sum): string {
  let text = '';
  if (message.dataPoints.length > 0) text += `,"dataPoints":${writeList(message.dataPoints, writeNumberDataPoint)}`;
  if (!(message.aggregationTemporality === 0)) text += `,"aggregationTemporality":${String(message.aggregationTemporality)}`;
  if (!(!message.isMonotonic)) text += `,"isMonotonic":${String(message.isMonotonic)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Histogram {
  dataPoints: HistogramDataPoint[];
  aggregationTemporality: number;
}

export function newHistogram(): Histogram {
  return { dataPoints: [], aggregationTemporality: 0 };
}

const fieldsOfHistogram = [1, 2];

export function decodeHistogram(reader: WireReader, end: number): Histogram {
  const message = newHistogram();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.dataPoints.push(decodeHistogramDataPoint(reader, reader.enter()));
        break;
      case 16:
        message.aggregationTemporality = reader.int32();
        break;
      default:
        reader.unknown(tag, fieldsOfHistogram);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeHistogram(message: Histogram, writer: WireWriter): void {
  for (const item of message.dataPoints) { writer.uint32(10).fork(); encodeHistogramDataPoint(item, writer); writer.ldelim(); }
  if (!(message.aggregationTemporality === 0)) { writer.uint32(16); writer.int32(message.aggregationTemporality); }
}

export function readHistogram(value: unknown): Histogram {
  const message = newHistogram();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'dataPoints':
        case 'data_points':
          message.dataPoints = readList(field, readHistogramDataPoint);
          break;
        case 'aggregationTemporality':
        case 'aggregation_temporality':
          message.aggregationTemporality = readAggregationTemporality(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeHistogram(message: Histogram): string {
  let text = '';
  if (message.dataPoints.length > 0) text += `,"dataPoints":${writeList(message.dataPoints, writeHistogramDataPoint)}`;
  if (!(message.aggregationTemporality === 0)) text += `,"aggregationTemporality":${String(message.aggregationTemporality)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ExponentialHistogram {
  dataPoints: ExponentialHistogramDataPoint[];
  aggregationTemporality: number;
}

export function newExponentialHistogram(): ExponentialHistogram {
  return { dataPoints: [], aggregationTemporality: 0 };
}

const fieldsOfExponentialHistogram = [1, 2];

export function decodeExponentialHistogram(reader: WireReader, end: number): ExponentialHistogram {
  const message = newExponentialHistogram();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.dataPoints.push(decodeExponentialHistogramDataPoint(reader, reader.enter()));
        break;
      case 16:
        message.aggregationTemporality = reader.int32();
        break;
      default:
        reader.unknown(tag, fieldsOfExponentialHistogram);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExponentialHistogram(message: ExponentialHistogram, writer: WireWriter): void {
  for (const item of message.dataPoints) { writer.uint32(10).fork(); encodeExponentialHistogramDataPoint(item, writer); writer.ldelim(); }
  if (!(message.aggregationTemporality === 0)) { writer.uint32(16); writer.int32(message.aggregationTemporality); }
}

export function readExponentialHistogram(value: unknown): ExponentialHistogram {
  const message = newExponentialHistogram();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'dataPoints':
        case 'data_points':
          message.dataPoints = readList(field, readExponentialHistogramDataPoint);
          break;
        case 'aggregationTemporality':
        case 'aggregation_temporality':
          message.aggregationTemporality = readAggregationTemporality(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExponentialHistogram(message: ExponentialHistogram): string {
  let text = '';
  if (message.dataPoints.length > 0) text += `,"dataPoints":${writeList(message.dataPoints, writeExponentialHistogramDataPoint)}`;
  if (!(message.aggregationTemporality === 0)) text += `,"aggregationTemporality":${String(message.aggregationTemporality)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Summary {
  dataPoints: SummaryDataPoint[];
}

export function newSummary(): Summary {
  return { dataPoints: [] };
}

const fieldsOfSummary = [1];

export function decodeSummary(reader: WireReader, end: number): Summary {
  const message = newSummary();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        message.dataPoints.push(decodeSummaryDataPoint(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfSummary);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeSummary(message: Summary, writer: WireWriter): void {
  for (const item of message.dataPoints) { writer.uint32(10).fork(); encodeSummaryDataPoint(item, writer); writer.ldelim(); }
}

export function readSummary(value: unknown): Summary {
  const message = newSummary();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'dataPoints':
        case 'data_points':
          message.dataPoints = readList(field, readSummaryDataPoint);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeSummary(message: Summary): string {
  let text = '';
  if (message.dataPoints.length > 0) text += `,"dataPoints":${writeList(message.dataPoints, writeSummaryDataPoint)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export const numbersOfAggregationTemporality: ReadonlyMap<string, number> = new Map([
  ['AGGREGATION_TEMPORALITY_UNSPECIFIED', 0],
  ['AGGREGATION_TEMPORALITY_DELTA', 1],
  ['AGGREGATION_TEMPORALITY_CUMULATIVE', 2],
]);

const readAggregationTemporality = (value: unknown): number => readEnum(value, numbersOfAggregationTemporality);

export interface NumberDataPoint {
  startTimeUnixNano: Bits64;
  timeUnixNano: Bits64;
  asDouble: number | undefined;
  asInt: bigint | undefined;
  exemplars: Exemplar[];
  attributes: KeyValue[];
  flags: number;
}

export function newNumberDataPoint(): NumberDataPoint {
  return { startTimeUnixNano: { low: 0, high: 0 }, timeUnixNano: { low: 0, high: 0 }, asDouble: undefined, asInt: undefined, exemplars: [], attributes: [], flags: 0 };
}

const fieldsOfNumberDataPoint = [2, 3, 4, 6, 5, 7, 8];

export function decodeNumberDataPoint(reader: WireReader, end: number): NumberDataPoint {
  const message = newNumberDataPoint();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 17:
        message.startTimeUnixNano = reader.fixed64Bits();
        break;
      case 25:
        message.timeUnixNano = reader.fixed64Bits();
        break;
      case 33:
        message.asDouble = reader.double();
        break;
      case 49:
        message.asInt = reader.bigFixed64();
        break;
      case 42:
        message.exemplars.push(decodeExemplar(reader, reader.enter()));
        break;
      case 58:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 64:
        message.flags = reader.uint32();
        break;
      default:
        reader.unknown(tag, fieldsOfNumberDataPoint);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeNumberDataPoint(message: NumberDataPoint, writer: WireWriter): void {
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) { writer.uint32(17); writer.fixed64Bits(message.startTimeUnixNano); }
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) { writer.uint32(25); writer.fixed64Bits(message.timeUnixNano); }
  if (!(message.asDouble === undefined)) { writer.uint32(33); writer.double(message.asDouble); }
  if (!(message.asInt === undefined)) { writer.uint32(49); writer.bigFixed64(message.asInt); }
  for (const item of message.exemplars) { writer.uint32(42).fork(); encodeExemplar(item, writer); writer.ldelim(); }
  for (const item of message.attributes) { writer.uint32(58).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.flags === 0)) { writer.uint32(64); writer.uint32(message.flags); }
}

export function readNumberDataPoint(value: unknown): NumberDataPoint {
  const message = newNumberDataPoint();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'startTimeUnixNano':
        case 'start_time_unix_nano':
          message.startTimeUnixNano = readUint64(field);
          break;
        case 'timeUnixNano':
        case 'time_unix_nano':
          message.timeUnixNano = readUint64(field);
          break;
        case 'asDouble':
        case 'as_double':
          message.asDouble = readDouble(field);
          break;
        case 'asInt':
        case 'as_int':
          message.asInt = readInt64(field);
          break;
        case 'exemplars':
          message.exemplars = readList(field, readExemplar);
          break;
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'flags':
          message.flags = readUint32(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeNumberDataPoint(message: NumberDataPoint): string {
  let text = '';
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) text += `,"startTimeUnixNano":${writeUint64(message.startTimeUnixNano)}`;
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) text += `,"timeUnixNano":${writeUint64(message.timeUnixNano)}`;
  if (!(message.asDouble === undefined)) text += `,"asDouble":${writeDouble(message.asDouble)}`;
  if (!(message.asInt === undefined)) text += `,"asInt":${writeInt64(message.asInt)}`;
  if (message.exemplars.length > 0) text += `,"exemplars":${writeList(message.exemplars, writeExemplar)}`;
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.flags === 0)) text += `,"flags":${String(message.flags)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface HistogramDataPoint {
  startTimeUnixNano: Bits64;
  timeUnixNano: Bits64;
  count: Bits64;
  sum: number | undefined;
  bucketCounts: Bits64[];
  explicitBounds: number[];
  exemplars: Exemplar[];
  attributes: KeyValue[];
  flags: number;
}

export function newHistogramDataPoint(): HistogramDataPoint {
  return { startTimeUnixNano: { low: 0, high: 0 }, timeUnixNano: { low: 0, high: 0 }, count: { low: 0, high: 0 }, sum: undefined, bucketCounts: [], explicitBounds: [], exemplars: [], attributes: [], flags: 0 };
}

const fieldsOfHistogramDataPoint = [2, 3, 4, 5, 6, 7, 8, 9, 10];

export function decodeHistogramDataPoint(reader: WireReader, end: number): HistogramDataPoint {
  const message = newHistogramDataPoint();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 17:
        message.startTimeUnixNano = reader.fixed64Bits();
        break;
      case 25:
        message.timeUnixNano = reader.fixed64Bits();
        break;
      case 33:
        message.count = reader.fixed64Bits();
        break;
      case 41:
        message.sum = reader.double();
        break;
      case 50:
        for (const stop = reader.enterPacked(); reader.goesOn(stop); ) message.bucketCounts.push(reader.fixed64Bits());
        break;
      case 49:
        message.bucketCounts.push(reader.fixed64Bits());
        break;
      case 58:
        for (const stop = reader.enterPacked(); reader.goesOn(stop); ) message.explicitBounds.push(reader.double());
        break;
      case 57:
        message.explicitBounds.push(reader.double());
        break;
      case 66:
        message.exemplars.push(decodeExemplar(reader, reader.enter()));
        break;
      case 74:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 80:
        message.flags = reader.uint32();
        break;
      default:
        reader.unknown(tag, fieldsOfHistogramDataPoint);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeHistogramDataPoint(message: HistogramDataPoint, writer: WireWriter): void {
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) { writer.uint32(17); writer.fixed64Bits(message.startTimeUnixNano); }
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) { writer.uint32(25); writer.fixed64Bits(message.timeUnixNano); }
  if (!(message.count.low === 0 && message.count.high === 0)) { writer.uint32(33); writer.fixed64Bits(message.count); }
  if (!(message.sum === undefined)) { writer.uint32(41); writer.double(message.sum); }
  if (message.bucketCounts.length > 0) {
    writer.uint32(50).fork();
    for (const item of message.bucketCounts) writer.fixed64Bits(item);
    writer.ldelim();
  }
  if (message.explicitBounds.length > 0) {
    writer.uint32(58).fork();
    for (const item of message.explicitBounds) writer.double(item);
    writer.ldelim();
  }
  for (const item of message.exemplars) { writer.uint32(66).fork(); encodeExemplar(item, writer); writer.ldelim(); }
  for (const item of message.attributes) { writer.uint32(74).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.flags === 0)) { writer.uint32(80); writer.uint32(message.flags); }
}

export function readHistogramDataPoint(value: unknown): HistogramDataPoint {
  const message = newHistogramDataPoint();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'startTimeUnixNano':
        case 'start_time_unix_nano':
          message.startTimeUnixNano = readUint64(field);
          break;
        case 'timeUnixNano':
        case 'time_unix_nano':
          message.timeUnixNano = readUint64(field);
          break;
        case 'count':
          message.count = readUint64(field);
          break;
        case 'sum':
          message.sum = readDouble(field);
          break;
        case 'bucketCounts':
        case 'bucket_counts':
          message.bucketCounts = readList(field, readUint64);
          break;
        case 'explicitBounds':
        case 'explicit_bounds':
          message.explicitBounds = readList(field, readDouble);
          break;
        case 'exemplars':
          message.exemplars = readList(field, readExemplar);
          break;
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'flags':
          message.flags = readUint32(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeHistogramDataPoint(message: HistogramDataPoint): string {
  let text = '';
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) text += `,"startTimeUnixNano":${writeUint64(message.startTimeUnixNano)}`;
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) text += `,"timeUnixNano":${writeUint64(message.timeUnixNano)}`;
  if (!(message.count.low === 0 && message.count.high === 0)) text += `,"count":${writeUint64(message.count)}`;
  if (!(message.sum === undefined)) text += `,"sum":${writeDouble(message.sum)}`;
  if (message.bucketCounts.length > 0) text += `,"bucketCounts":${writeList(message.bucketCounts, writeUint64)}`;
  if (message.explicitBounds.length > 0) text += `,"explicitBounds":${writeList(message.explicitBounds, writeDouble)}`;
  if (message.exemplars.length > 0) text += `,"exemplars":${writeList(message.exemplars, writeExemplar)}`;
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.flags === 0)) text += `,"flags":${String(message.flags)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ExponentialHistogramDataPoint {
  timeUnixNano: Bits64;
}

export function newExponentialHistogramDataPoint(): ExponentialHistogramDataPoint {
  return { timeUnixNano: { low: 0, high: 0 } };
}

const fieldsOfExponentialHistogramDataPoint = [3];

export function decodeExponentialHistogramDataPoint(reader: WireReader, end: number): ExponentialHistogramDataPoint {
  const message = newExponentialHistogramDataPoint();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 25:
        message.timeUnixNano = reader.fixed64Bits();
        break;
      default:
        reader.unknown(tag, fieldsOfExponentialHistogramDataPoint);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExponentialHistogramDataPoint(message: ExponentialHistogramDataPoint, writer: WireWriter): void {
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) { writer.uint32(25); writer.fixed64Bits(message.timeUnixNano); }
}

export function readExponentialHistogramDataPoint(value: unknown): ExponentialHistogramDataPoint {
  const message = newExponentialHistogramDataPoint();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'timeUnixNano':
        case 'time_unix_nano':
          message.timeUnixNano = readUint64(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExponentialHistogramDataPoint(message: ExponentialHistogramDataPoint): string {
  let text = '';
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) text += `,"timeUnixNano":${writeUint64(message.timeUnixNano)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface SummaryDataPoint {
  startTimeUnixNano: Bits64;
  timeUnixNano: Bits64;
  count: Bits64;
  sum: number;
  quantileValues: ValueAtQuantile[];
  attributes: KeyValue[];
  flags: number;
}

export function newSummaryDataPoint(): SummaryDataPoint {
  return { startTimeUnixNano: { low: 0, high: 0 }, timeUnixNano: { low: 0, high: 0 }, count: { low: 0, high: 0 }, sum: 0, quantileValues: [], attributes: [], flags: 0 };
}

const fieldsOfSummaryDataPoint = [2, 3, 4, 5, 6, 7, 8];

export function decodeSummaryDataPoint(reader: WireReader, end: number): SummaryDataPoint {
  const message = newSummaryDataPoint();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 17:
        message.startTimeUnixNano = reader.fixed64Bits();
        break;
      case 25:
        message.timeUnixNano = reader.fixed64Bits();
        break;
      case 33:
        message.count = reader.fixed64Bits();
        break;
      case 41:
        message.sum = reader.double();
        break;
      case 50:
        message.quantileValues.push(decodeValueAtQuantile(reader, reader.enter()));
        break;
      case 58:
        message.attributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      case 64:
        message.flags = reader.uint32();
        break;
      default:
        reader.unknown(tag, fieldsOfSummaryDataPoint);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeSummaryDataPoint(message: SummaryDataPoint, writer: WireWriter): void {
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) { writer.uint32(17); writer.fixed64Bits(message.startTimeUnixNano); }
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) { writer.uint32(25); writer.fixed64Bits(message.timeUnixNano); }
  if (!(message.count.low === 0 && message.count.high === 0)) { writer.uint32(33); writer.fixed64Bits(message.count); }
  if (!(Object.is(message.sum, 0))) { writer.uint32(41); writer.double(message.sum); }
  for (const item of message.quantileValues) { writer.uint32(50).fork(); encodeValueAtQuantile(item, writer); writer.ldelim(); }
  for (const item of message.attributes) { writer.uint32(58).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
  if (!(message.flags === 0)) { writer.uint32(64); writer.uint32(message.flags); }
}

export function readSummaryDataPoint(value: unknown): SummaryDataPoint {
  const message = newSummaryDataPoint();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'startTimeUnixNano':
        case 'start_time_unix_nano':
          message.startTimeUnixNano = readUint64(field);
          break;
        case 'timeUnixNano':
        case 'time_unix_nano':
          message.timeUnixNano = readUint64(field);
          break;
        case 'count':
          message.count = readUint64(field);
          break;
        case 'sum':
          message.sum = readDouble(field);
          break;
        case 'quantileValues':
        case 'quantile_values':
          message.quantileValues = readList(field, readValueAtQuantile);
          break;
        case 'attributes':
          message.attributes = readList(field, readKeyValue);
          break;
        case 'flags':
          message.flags = readUint32(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeSummaryDataPoint(message: SummaryDataPoint): string {
  let text = '';
  if (!(message.startTimeUnixNano.low === 0 && message.startTimeUnixNano.high === 0)) text += `,"startTimeUnixNano":${writeUint64(message.startTimeUnixNano)}`;
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) text += `,"timeUnixNano":${writeUint64(message.timeUnixNano)}`;
  if (!(message.count.low === 0 && message.count.high === 0)) text += `,"count":${writeUint64(message.count)}`;
  if (!(Object.is(message.sum, 0))) text += `,"sum":${writeDouble(message.sum)}`;
  if (message.quantileValues.length > 0) text += `,"quantileValues":${writeList(message.quantileValues, writeValueAtQuantile)}`;
  if (message.attributes.length > 0) text += `,"attributes":${writeList(message.attributes, writeKeyValue)}`;
  if (!(message.flags === 0)) text += `,"flags":${String(message.flags)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface ValueAtQuantile {
  quantile: number;
  value: number;
}

export function newValueAtQuantile(): ValueAtQuantile {
  return { quantile: 0, value: 0 };
}

const fieldsOfValueAtQuantile = [1, 2];

export function decodeValueAtQuantile(reader: WireReader, end: number): ValueAtQuantile {
  const message = newValueAtQuantile();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 9:
        message.quantile = reader.double();
        break;
      case 17:
        message.value = reader.double();
        break;
      default:
        reader.unknown(tag, fieldsOfValueAtQuantile);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeValueAtQuantile(message: ValueAtQuantile, writer: WireWriter): void {
  if (!(Object.is(message.quantile, 0))) { writer.uint32(9); writer.double(message.quantile); }
  if (!(Object.is(message.value, 0))) { writer.uint32(17); writer.double(message.value); }
}

export function readValueAtQuantile(value: unknown): ValueAtQuantile {
  const message = newValueAtQuantile();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'quantile':
          message.quantile = readDouble(field);
          break;
        case 'value':
          message.value = readDouble(field);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeValueAtQuantile(message: ValueAtQuantile): string {
  let text = '';
  if (!(Object.is(message.quantile, 0))) text += `,"quantile":${writeDouble(message.quantile)}`;
  if (!(Object.is(message.value, 0))) text += `,"value":${writeDouble(message.value)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}

export interface Exemplar {
  timeUnixNano: Bits64;
  asDouble: number | undefined;
  asInt: bigint | undefined;
  spanId: string;
  traceId: string;
  filteredAttributes: KeyValue[];
}

export function newExemplar(): Exemplar {
  return { timeUnixNano: { low: 0, high: 0 }, asDouble: undefined, asInt: undefined, spanId: '', traceId: '', filteredAttributes: [] };
}

const fieldsOfExemplar = [2, 3, 6, 4, 5, 7];

export function decodeExemplar(reader: WireReader, end: number): Exemplar {
  const message = newExemplar();
  while (reader.pos < end) {
    const tag = reader.tag();
    switch (tag) {
      case 17:
        message.timeUnixNano = reader.fixed64Bits();
        break;
      case 25:
        message.asDouble = reader.double();
        break;
      case 49:
        message.asInt = reader.bigFixed64();
        break;
      case 34:
        message.spanId = reader.hex();
        break;
      case 42:
        message.traceId = reader.hex();
        break;
      case 58:
        message.filteredAttributes.push(decodeKeyValue(reader, reader.enter()));
        break;
      default:
        reader.unknown(tag, fieldsOfExemplar);
    }
  }
  reader.leave(end);
  return message;
}

export function encodeExemplar(message: Exemplar, writer: WireWriter): void {
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) { writer.uint32(17); writer.fixed64Bits(message.timeUnixNano); }
  if (!(message.asDouble === undefined)) { writer.uint32(25); writer.double(message.asDouble); }
  if (!(message.asInt === undefined)) { writer.uint32(49); writer.bigFixed64(message.asInt); }
  if (!(message.spanId === '')) { writer.uint32(34); writer.hex(message.spanId); }
  if (!(message.traceId === '')) { writer.uint32(42); writer.hex(message.traceId); }
  for (const item of message.filteredAttributes) { writer.uint32(58).fork(); encodeKeyValue(item, writer); writer.ldelim(); }
}

export function readExemplar(value: unknown): Exemplar {
  const message = newExemplar();
  const object = readObject(value);
  let key = '';
  try {
    for (key in object) {
      const field = object[key];
      if (field === null) continue;
      switch (key) {
        case 'timeUnixNano':
        case 'time_unix_nano':
          message.timeUnixNano = readUint64(field);
          break;
        case 'asDouble':
        case 'as_double':
          message.asDouble = readDouble(field);
          break;
        case 'asInt':
        case 'as_int':
          message.asInt = readInt64(field);
          break;
        case 'spanId':
        case 'span_id':
          message.spanId = readHex(field);
          break;
        case 'traceId':
        case 'trace_id':
          message.traceId = readHex(field);
          break;
        case 'filteredAttributes':
        case 'filtered_attributes':
          message.filteredAttributes = readList(field, readKeyValue);
          break;
      }
    }
  } catch (error) {
    throw placed(`.${key}`, error);
  }
  return message;
}

export function writeExemplar(message: Exemplar): string {
  let text = '';
  if (!(message.timeUnixNano.low === 0 && message.timeUnixNano.high === 0)) text += `,"timeUnixNano":${writeUint64(message.timeUnixNano)}`;
  if (!(message.asDouble === undefined)) text += `,"asDouble":${writeDouble(message.asDouble)}`;
  if (!(message.asInt === undefined)) text += `,"asInt":${writeInt64(message.asInt)}`;
  if (!(message.spanId === '')) text += `,"spanId":${writeText(message.spanId)}`;
  if (!(message.traceId === '')) text += `,"traceId":${writeText(message.traceId)}`;
  if (message.filteredAttributes.length > 0) text += `,"filteredAttributes":${writeList(message.filteredAttributes, writeKeyValue)}`;
  return text === '' ? '{}' : `{${text.slice(1)}}`;
}
