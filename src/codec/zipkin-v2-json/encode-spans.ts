/** Zipkin v2 JSON out: byte for byte what Zipkin's own writer makes of the same spans. */
import { joinLong } from '../../model/long.ts';
import type { Endpoint, Span, SpanEvent } from '../../model/span.ts';
import { toZipkinSpan } from '../zipkin-view.ts';

const highZeros = '0000000000000000';
/** Printable ASCII without quote and backslash: may stand between quotes as it is. */
const plain = /^[ !#-[\]-~]*$/;
const upperCase = /[^\0-@[-\x7f]/;

/** Tag names are few; each is quoted once. */
const quotedNameLimit = 2048;
const quotedNameLength = 128;
const quotedNames = new Map<string, string>();

/** Encodes a list of spans in Zipkin's order of fields, tags sorted, names in lower case, without blanks. */
export function encodeSpans(spans: readonly Span[]): string {
  let text = '[';
  for (let i = 0; i < spans.length; i++) {
    const span = spans[i];
    if (span === undefined) continue;
    text += i === 0 ? encodeFields(span) : `,${encodeFields(span)}`;
  }
  return finish(`${text}]`);
}

/** Encodes one span without the list around it. */
export function encodeSpan(span: Span): string {
  return finish(encodeFields(span));
}

function encodeFields(given: Span): string {
  const span = given.details === undefined ? given : toZipkinSpan(given);
  let text = `{"traceId":"${encodeTraceId(span.traceId)}"`;
  if (span.parentId !== undefined) text += `,"parentId":"${span.parentId}"`;
  text += `,"id":"${span.id}"`;
  if (span.kind !== undefined) text += `,"kind":"${span.kind}"`;
  if (span.name !== '') text += `,"name":${quote(toLowerCase(span.name))}`;
  if (span.startUs !== undefined) text += `,"timestamp":${joinLong(span.startUs, span.startRestUs)}`;
  if (span.durationUs !== undefined) text += `,"duration":${joinLong(span.durationUs, span.durationRestUs)}`;
  if (span.localEndpoint !== undefined) text += `,"localEndpoint":${encodeEndpoint(span.localEndpoint)}`;
  if (span.remoteEndpoint !== undefined) text += `,"remoteEndpoint":${encodeEndpoint(span.remoteEndpoint)}`;
  if (span.events.length > 0) text += `,"annotations":${encodeEvents(span.events)}`;
  const tags = encodeTags(span.attributes);
  if (tags !== '') text += `,"tags":{${tags}}`;
  if (span.debug) text += ',"debug":true';
  if (span.shared) text += ',"shared":true';
  return `${text}}`;
}

/** Zipkin writes 64-bit trace ids with 16 digits. */
function encodeTraceId(traceId: string): string {
  return traceId.startsWith(highZeros) ? traceId.slice(16) : traceId;
}

function encodeEndpoint(endpoint: Endpoint): string {
  let text = '';
  if (endpoint.serviceName !== undefined) text = `"serviceName":${quote(toLowerCase(endpoint.serviceName))}`;
  if (endpoint.ipv4 !== undefined) text += `${text === '' ? '' : ','}"ipv4":"${endpoint.ipv4}"`;
  if (endpoint.ipv6 !== undefined) text += `${text === '' ? '' : ','}"ipv6":"${endpoint.ipv6}"`;
  if (endpoint.port !== undefined) text += `${text === '' ? '' : ','}"port":${endpoint.port}`;
  return `{${text}}`;
}

function encodeEvents(events: readonly SpanEvent[]): string {
  let text = '';
  for (const { timestampUs, value, restUs } of events) {
    text += `${text === '' ? '[' : ','}{"timestamp":${joinLong(timestampUs, restUs)},"value":${quote(value)}}`;
  }
  return `${text}]`;
}

function encodeTags(tags: Readonly<Record<string, string>>): string {
  let text = '';
  for (const name of sortedNames(tags)) {
    const value = tags[name];
    if (value === undefined) continue;
    text += `${text === '' ? '' : ','}${quoteName(name)}:${quote(value)}`;
  }
  return text;
}

/** In the order of Java's strings, which is JavaScript's. Stored spans come back sorted, so that is looked at first. */
function sortedNames(tags: Readonly<Record<string, string>>): readonly string[] {
  const names = Object.keys(tags);
  for (let i = 1; i < names.length; i++) {
    if ((names[i - 1] ?? '') > (names[i] ?? '')) return names.sort();
  }
  return names;
}

function toLowerCase(text: string): string {
  return upperCase.test(text) ? text.toLowerCase() : text;
}

function quote(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

function quoteName(name: string): string {
  const known = quotedNames.get(name);
  if (known !== undefined) return known;
  const quoted = quote(name);
  if (name.length <= quotedNameLength) {
    if (quotedNames.size >= quotedNameLimit) quotedNames.clear();
    quotedNames.set(name, quoted);
  }
  return quoted;
}

/** Where Zipkin's writer differs from JSON.stringify: line and paragraph separators are escaped, half surrogate pairs are question marks. */
function finish(text: string): string {
  let finished = text;
  if (finished.includes('\u2028')) finished = finished.replaceAll('\u2028', '\\u2028');
  if (finished.includes('\u2029')) finished = finished.replaceAll('\u2029', '\\u2029');
  if (finished.includes('\\ud')) {
    finished = finished.replace(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (found) => (found.startsWith('\\ud') ? '?' : found));
  }
  return finished;
}
