/**
 * OTLP's trace messages from JSON as senders write it, without JSON.parse, whose objects cost more than all the rest of a span. What is
 * unusual (a field that is not known here, a name in snake_case, null, a number that is no plain integer) and all that is wrong is left to
 * the generated readers, which take more and say what is wrong. Hot: bench/codec.ts.
 */
import { CodecError } from '../codec-error.ts';
import { readBytes, readDouble, readEnum, readUint32 } from '../protobuf/json-fields.ts';
import { fieldsOf, JsonCursor, oneOf, unusual } from './json-cursor.ts';
import {
  type AnyValue,
  type EntityRef,
  type Event,
  type ExportTraceServiceRequest,
  type InstrumentationScope,
  type KeyValue,
  type Link,
  newEntityRef,
  newEvent,
  newExportTraceServiceRequest,
  newInstrumentationScope,
  newLink,
  newResource,
  newResourceSpans,
  newScopeSpans,
  newSpan,
  newStatus,
  numbersOfSpanKind,
  numbersOfStatusCode,
  type Resource,
  type ResourceSpans,
  type ScopeSpans,
  type Span,
  type Status,
} from './otlp.generated.ts';

/** Each step takes a few milliseconds; what it tells says nothing, because no span is the model's yet. */
type Steps<Result> = Generator<0, Result>;

/** The request, or undefined when anything about its text is unusual (which includes all that is wrong). */
export function* readRequestFast(body: Buffer): Steps<ExportTraceServiceRequest | undefined> {
  try {
    const json = new JsonCursor(body);
    const request = yield* readRequest(json);
    json.end();
    return request;
  } catch (error) {
    // A SyntaxError is JSON.parse's, about a text with backslashes.
    if (error === unusual || error instanceof CodecError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const requestFields = fieldsOf('resourceSpans');

function* readRequest(json: JsonCursor): Steps<ExportTraceServiceRequest> {
  const request = newExportTraceServiceRequest();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    json.key(requestFields);
    request.resourceSpans = yield* readListInSteps(json, readResourceSpans);
  }
  return request;
}

function* readListInSteps<Item>(json: JsonCursor, read: (json: JsonCursor) => Steps<Item>): Steps<Item[]> {
  const items: Item[] = [];
  for (let goesOn = json.entersList(); goesOn; goesOn = json.hasItem()) {
    items.push(yield* read(json));
    if (json.isStepOver()) yield 0;
  }
  return items;
}

function* readSpans(json: JsonCursor): Steps<Span[]> {
  const spans: Span[] = [];
  for (let goesOn = json.entersList(); goesOn; ) {
    goesOn = readSomeSpans(json, spans);
    if (goesOn) yield 0;
  }
  return spans;
}

/** Reads on until the step is over, or the list: then it says false. A loop of its own, because V8 does less for one in a generator. */
function readSomeSpans(json: JsonCursor, spans: Span[]): boolean {
  for (;;) {
    spans.push(readSpan(json));
    if (!json.hasItem()) return false;
    if (json.isStepOver()) return true;
  }
}

function readList<Item>(json: JsonCursor, read: (json: JsonCursor) => Item): Item[] {
  const items: Item[] = [];
  for (let goesOn = json.entersList(); goesOn; goesOn = json.hasItem()) items.push(read(json));
  return items;
}

const readTextItem = (json: JsonCursor): string => json.text();
const readCount = (json: JsonCursor): number => readUint32(json.integer());
const readNumberOf = (json: JsonCursor, numbers: ReadonlyMap<string, number>): number =>
  readEnum(json.isText() ? json.text() : json.integer(), numbers);

const resourceSpansFields = fieldsOf('resource', 'scopeSpans', 'schemaUrl');

function* readResourceSpans(json: JsonCursor): Steps<ResourceSpans> {
  const message = newResourceSpans();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(resourceSpansFields);
    if (key === 'resource') message.resource = readResource(json);
    else if (key === 'scopeSpans') message.scopeSpans = yield* readListInSteps(json, readScopeSpans);
    else if (key === 'schemaUrl') message.schemaUrl = json.text();
    else throw unusual;
  }
  return message;
}

const resourceFields = fieldsOf('attributes', 'droppedAttributesCount', 'entityRefs');

function readResource(json: JsonCursor): Resource {
  const message = newResource();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(resourceFields);
    if (key === 'attributes') message.attributes = readAttributes(json);
    else if (key === 'droppedAttributesCount') message.droppedAttributesCount = readCount(json);
    else if (key === 'entityRefs') message.entityRefs = readList(json, readEntityRef);
    else throw unusual;
  }
  return message;
}

const entityRefFields = fieldsOf('schemaUrl', 'type', 'idKeys', 'descriptionKeys');

function readEntityRef(json: JsonCursor): EntityRef {
  const message = newEntityRef();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(entityRefFields);
    if (key === 'schemaUrl') message.schemaUrl = json.text();
    else if (key === 'type') message.type = json.text();
    else if (key === 'idKeys') message.idKeys = readList(json, readTextItem);
    else if (key === 'descriptionKeys') message.descriptionKeys = readList(json, readTextItem);
    else throw unusual;
  }
  return message;
}

const scopeSpansFields = fieldsOf('scope', 'spans', 'schemaUrl');

function* readScopeSpans(json: JsonCursor): Steps<ScopeSpans> {
  const message = newScopeSpans();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(scopeSpansFields);
    if (key === 'scope') message.scope = readScope(json);
    else if (key === 'spans') message.spans = yield* readSpans(json);
    else if (key === 'schemaUrl') message.schemaUrl = json.text();
    else throw unusual;
  }
  return message;
}

const scopeFields = fieldsOf('name', 'version', 'attributes', 'droppedAttributesCount');

function readScope(json: JsonCursor): InstrumentationScope {
  const message = newInstrumentationScope();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(scopeFields);
    if (key === 'name') message.name = json.text();
    else if (key === 'version') message.version = json.text();
    else if (key === 'attributes') message.attributes = readAttributes(json);
    else if (key === 'droppedAttributesCount') message.droppedAttributesCount = readCount(json);
    else throw unusual;
  }
  return message;
}

const spanFields = fieldsOf(
  'traceId',
  'spanId',
  'traceState',
  'parentSpanId',
  'flags',
  'name',
  'kind',
  'startTimeUnixNano',
  'endTimeUnixNano',
  'attributes',
  'droppedAttributesCount',
  'events',
  'droppedEventsCount',
  'links',
  'droppedLinksCount',
  'status',
);

function readSpan(json: JsonCursor): Span {
  const message = newSpan();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    switch (json.key(spanFields)) {
      case 'traceId':
        message.traceId = json.hex();
        break;
      case 'spanId':
        message.spanId = json.hex();
        break;
      case 'parentSpanId':
        message.parentSpanId = json.hex();
        break;
      case 'flags':
        message.flags = readCount(json);
        break;
      case 'name':
        message.name = json.repeatedText(0);
        break;
      case 'kind':
        message.kind = readNumberOf(json, numbersOfSpanKind);
        break;
      case 'startTimeUnixNano':
        message.startTimeUnixNano = json.bits64();
        break;
      case 'endTimeUnixNano':
        message.endTimeUnixNano = json.bits64();
        break;
      case 'attributes':
        message.attributes = readAttributes(json);
        break;
      case 'status':
        message.status = readStatus(json);
        break;
      case 'traceState':
        message.traceState = json.text();
        break;
      case 'events':
        message.events = readList(json, readEvent);
        break;
      case 'links':
        message.links = readList(json, readLink);
        break;
      case 'droppedAttributesCount':
        message.droppedAttributesCount = readCount(json);
        break;
      case 'droppedEventsCount':
        message.droppedEventsCount = readCount(json);
        break;
      case 'droppedLinksCount':
        message.droppedLinksCount = readCount(json);
        break;
      default:
        throw unusual;
    }
  }
  return message;
}

const eventFields = fieldsOf('timeUnixNano', 'name', 'attributes', 'droppedAttributesCount');

function readEvent(json: JsonCursor): Event {
  const message = newEvent();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(eventFields);
    if (key === 'timeUnixNano') message.timeUnixNano = json.bits64();
    else if (key === 'name') message.name = json.repeatedText(0);
    else if (key === 'attributes') message.attributes = readAttributes(json);
    else if (key === 'droppedAttributesCount') message.droppedAttributesCount = readCount(json);
    else throw unusual;
  }
  return message;
}

const linkFields = fieldsOf('traceId', 'spanId', 'traceState', 'attributes', 'droppedAttributesCount', 'flags');

function readLink(json: JsonCursor): Link {
  const message = newLink();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(linkFields);
    if (key === 'traceId') message.traceId = json.hex();
    else if (key === 'spanId') message.spanId = json.hex();
    else if (key === 'traceState') message.traceState = json.text();
    else if (key === 'attributes') message.attributes = readAttributes(json);
    else if (key === 'droppedAttributesCount') message.droppedAttributesCount = readCount(json);
    else if (key === 'flags') message.flags = readCount(json);
    else throw unusual;
  }
  return message;
}

const statusFields = fieldsOf('message', 'code');

function readStatus(json: JsonCursor): Status {
  const message = newStatus();
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    const key = json.key(statusFields);
    if (key === 'message') message.message = json.text();
    else if (key === 'code') message.code = readNumberOf(json, numbersOfStatusCode);
    else throw unusual;
  }
  return message;
}

/** Lists and maps within one another; deeper ones are left to the generated readers, which know where to stop. */
const nestingLimit = 16;

const readAttributes = (json: JsonCursor): KeyValue[] => readKeyValues(json, 0);

function readKeyValues(json: JsonCursor, depth: number): KeyValue[] {
  const list: KeyValue[] = [];
  for (let goesOn = json.entersList(); goesOn; goesOn = json.hasItem())
    list.push(readKeyValue(json, depth, list.length));
  return list;
}

const keyValueFields = fieldsOf('key', 'value');

/** Nearly all of a request's text are attributes that are texts, in just this spelling: three comparisons pass over all but key and value. */
function readKeyValue(json: JsonCursor, depth: number, place = 0): KeyValue {
  if (!json.passes('{"key":"')) return readAnyKeyValue(json, depth);
  // The first place is that of a span's name.
  const key = json.restOfRepeatedText(place + 1);
  if (!json.passes(',"value":{"stringValue":"')) return readOtherFields(json, { key, value: undefined }, depth);
  const value = json.restOfText();
  if (!json.passes('}}')) throw unusual;
  return { key, value: { case: 'stringValue', value } };
}

function readOtherFields(json: JsonCursor, message: KeyValue, depth: number): KeyValue {
  while (json.hasField()) readField(json, message, depth);
  return message;
}

function readAnyKeyValue(json: JsonCursor, depth: number): KeyValue {
  const message: KeyValue = { key: '', value: undefined };
  if (!json.entersObject()) return message;
  readField(json, message, depth);
  return readOtherFields(json, message, depth);
}

function readField(json: JsonCursor, message: KeyValue, depth: number): void {
  if (json.key(keyValueFields) === 'key') message.key = json.repeatedText(0);
  else message.value = readAnyValue(json, depth);
}

const noValue: AnyValue = { case: 'none', value: undefined };

/** Of several values in one the last field counts, which JSON.parse and the generated readers see to. */
function readAnyValue(json: JsonCursor, depth: number): AnyValue {
  if (!json.entersObject()) return noValue;
  const value = readChoice(json, depth);
  if (json.hasField()) throw unusual;
  return value;
}

const values = oneOf('stringValue', 'intValue', 'boolValue', 'doubleValue', 'arrayValue', 'kvlistValue', 'bytesValue');

function readChoice(json: JsonCursor, depth: number): AnyValue {
  switch (json.key(values)) {
    case 'stringValue':
      return { case: 'stringValue', value: json.text() };
    case 'intValue':
      return { case: 'intValue', value: json.bigInteger() };
    case 'boolValue':
      return { case: 'boolValue', value: json.bool() };
    case 'doubleValue':
      return { case: 'doubleValue', value: readDouble(json.double()) };
    case 'bytesValue':
      return { case: 'bytesValue', value: readBytes(json.text()) };
    case 'arrayValue':
      return { case: 'arrayValue', value: { values: readValues(json, depth + 1, readAnyValue) } };
    case 'kvlistValue':
      return { case: 'kvlistValue', value: { values: readValues(json, depth + 1, readKeyValue) } };
    default:
      throw unusual;
  }
}

const valuesFields = fieldsOf('values');

/** The message around a list of values. */
function readValues<Item>(json: JsonCursor, depth: number, read: (json: JsonCursor, depth: number) => Item): Item[] {
  if (depth > nestingLimit) throw unusual;
  let items: Item[] = [];
  for (let goesOn = json.entersObject(); goesOn; goesOn = json.hasField()) {
    json.key(valuesFields);
    items = [];
    for (let hasItem = json.entersList(); hasItem; hasItem = json.hasItem()) items.push(read(json, depth));
  }
  return items;
}
