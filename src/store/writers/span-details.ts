/**
 * The column `spans.details`: what an OpenTelemetry span says beyond Zipkin's, as bytes that only `../readers/span-details.ts` reads; empty
 * for a span that came as Zipkin's. Byte 0 is the version, 1. Then, with lengths, counts and small numbers as LEB128 (z: zigzag) and text as
 * length and UTF-8:
 *
 *   size, resource and scope (the same bytes for all spans of a scope, which compresses to nothing)
 *   start rest z, duration rest z, has end (0 or 1, then 8 bytes), trace state, flags, status message,
 *   attributes, dropped attributes, events, dropped events, links, dropped links
 *
 * A value is a type's number (`valueTypes`) and what belongs to it.
 */
import { type Attribute, type AttributeValue, attributeText, isAttributeMap } from '../../model/attribute.ts';
import type { ResourceDetails, SpanDetails, SpanEventDetails, SpanLink, SpanScope } from '../../model/span-details.ts';
import { detailsVersion, valueTypes } from '../schema/span-details.ts';
import { ByteWriter } from './byte-writer.ts';

const noTags: readonly string[] = Object.freeze([]);

function writeSigned(out: ByteWriter, value: number): void {
  // Within 2^52, so that twice the value is exact.
  out.varUint(value < 0 ? -2 * value - 1 : 2 * value);
}

function writeValue(out: ByteWriter, value: AttributeValue): void {
  if (typeof value === 'string') {
    out.u8(valueTypes.text);
    out.string(value);
  } else if (typeof value === 'boolean') out.u8(value ? valueTypes.true : valueTypes.false);
  else if (typeof value === 'bigint') writeInteger(out, value);
  else if (typeof value === 'number') {
    out.u8(valueTypes.double);
    out.f64(value);
  } else if (value === null) out.u8(valueTypes.nothing);
  else if (value instanceof Uint8Array) {
    out.u8(valueTypes.bytes);
    out.varUint(value.length);
    out.bytes(value);
  } else if (isAttributeMap(value)) {
    out.u8(valueTypes.map);
    writeAttributes(out, value.entries);
  } else {
    out.u8(valueTypes.list);
    out.varUint(value.length);
    for (const item of value) writeValue(out, item);
  }
}

function writeInteger(out: ByteWriter, value: bigint): void {
  const number = Number(value);
  if (number >= -0x8000_0000 && number <= 0x7fff_ffff) {
    out.u8(valueTypes.integer);
    writeSigned(out, number);
  } else {
    out.u8(valueTypes.longInteger);
    out.bigI64(value);
  }
}

function writeAttributes(out: ByteWriter, attributes: readonly Attribute[]): void {
  out.varUint(attributes.length);
  for (const [key, value] of attributes) {
    out.string(key);
    writeValue(out, value);
  }
}

function writeTexts(out: ByteWriter, texts: readonly string[]): void {
  out.varUint(texts.length);
  for (const text of texts) out.string(text);
}

function writeResource(out: ByteWriter, resource: ResourceDetails): void {
  writeAttributes(out, resource.typedAttributes);
  out.varUint(resource.droppedAttributes);
  out.string(resource.schemaUrl);
  out.varUint(resource.entities.length);
  for (const entity of resource.entities) {
    out.string(entity.schemaUrl);
    out.string(entity.type);
    writeTexts(out, entity.idKeys);
    writeTexts(out, entity.descriptionKeys);
  }
}

function writeScope(out: ByteWriter, scope: SpanScope): void {
  out.string(scope.name);
  out.string(scope.version);
  writeAttributes(out, scope.attributes);
  out.varUint(scope.droppedAttributes);
  out.string(scope.schemaUrl);
}

function writeEvents(out: ByteWriter, events: readonly SpanEventDetails[]): void {
  out.varUint(events.length);
  for (const event of events) {
    writeSigned(out, event.restNs);
    writeAttributes(out, event.attributes);
    out.varUint(event.droppedAttributes);
  }
}

function writeLinks(out: ByteWriter, links: readonly SpanLink[]): void {
  out.varUint(links.length);
  for (const link of links) {
    out.string(link.traceId);
    out.string(link.spanId);
    out.string(link.traceState);
    out.varUint(link.flags);
    writeAttributes(out, link.attributes);
    out.varUint(link.droppedAttributes);
  }
}

function writeSpan(out: ByteWriter, details: SpanDetails): void {
  writeSigned(out, details.startRestNs);
  writeSigned(out, details.durationRestNs);
  out.u8(details.endNs === undefined ? 0 : 1);
  if (details.endNs !== undefined) out.bigU64(details.endNs);
  out.string(details.traceState);
  out.varUint(details.flags);
  out.string(details.statusMessage);
  writeAttributes(out, details.typedAttributes);
  out.varUint(details.droppedAttributes);
  writeEvents(out, details.events);
  out.varUint(details.droppedEvents);
  writeLinks(out, details.links);
  out.varUint(details.droppedLinks);
}

/** Makes a writer of the column's values, each with its length before it. It keeps the bytes of the scope it wrote last. */
export function createDetailsWriter(): (out: ByteWriter, details: SpanDetails | undefined) => void {
  const head = new ByteWriter(1024);
  const body = new ByteWriter(4096);
  let headBytes: Uint8Array = new Uint8Array(0);
  let lastResource: ResourceDetails | undefined;
  let lastScope: SpanScope | undefined;
  return (out, details) => {
    if (details === undefined) {
      out.u8(0);
      return;
    }
    const { resource, scope } = details;
    if (resource !== lastResource || scope !== lastScope) {
      // Until it is written whole, the bytes belong to nobody: what cannot be written throws, and others come after it.
      lastResource = undefined;
      head.clear();
      writeResource(head, resource);
      writeScope(head, scope);
      headBytes = head.view();
      lastResource = resource;
      lastScope = scope;
    }
    body.clear();
    body.u8(detailsVersion);
    body.varUint(headBytes.length);
    body.bytes(headBytes);
    writeSpan(body, details);
    out.varUint(body.length);
    out.bytes(body.view());
  };
}

const addTags = (tags: string[], attributes: readonly Attribute[]) => {
  for (const [key, value] of attributes) tags.push(`${key}=${attributeText(value)}`);
};

function scopeTags(scope: SpanScope): readonly string[] {
  if (scope.name === '' && scope.version === '' && scope.attributes.length === 0) return noTags;
  const tags: string[] = [];
  if (scope.name !== '') tags.push(`otel.scope.name=${scope.name}`);
  if (scope.version !== '') tags.push(`otel.scope.version=${scope.version}`);
  addTags(tags, scope.attributes);
  return tags;
}

/**
 * Makes a reader of what a span can be searched by beyond its own attributes and its resource's, as `key=value`: the attributes of its
 * scope, events and links. It keeps the scope it saw last.
 */
export function createDetailTags(): (details: SpanDetails | undefined) => readonly string[] {
  let lastScope: SpanScope | undefined;
  let lastTags = noTags;
  return (details) => {
    if (details === undefined) return noTags;
    const { scope, events, links } = details;
    if (scope !== lastScope) {
      lastScope = scope;
      lastTags = scopeTags(scope);
    }
    if (events.length === 0 && links.length === 0) return lastTags;
    const tags = [...lastTags];
    for (const event of events) addTags(tags, event.attributes);
    for (const link of links) addTags(tags, link.attributes);
    return tags;
  };
}
