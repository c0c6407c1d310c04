/** The clean-up of a span's fields as Zipkin's `Span.Builder` and `Endpoint.Builder` do it, shared by the readers of all its formats. */
import { withExactTimes } from '../../model/exact-times.ts';
import { type Long, nearestOf } from '../../model/long.ts';
import type { Endpoint, Span, SpanEvent, SpanKind, SpanStatus } from '../../model/span.ts';
import type { ByteReader } from '../byte-reader.ts';
import { resourceOfSpan } from '../mesh-resource.ts';
import { type IpAddress, isIpv4, parseIpAddress, readIpAddress } from './ip-address.ts';

const zeros = '00000000000000000000000000000000';

/** Whether a text is 1 to `max` lower-case hex digits. Hot: a loop over the codes beats a regular expression (bench/codec.ts). */
export function isLowerHex(text: string, max: number): boolean {
  const length = text.length;
  if (length === 0 || length > max) return false;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x66 || (code > 0x39 && code < 0x61)) return false;
  }
  return true;
}

export function isAllZeros(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== 0x30) return false;
  return true;
}

/** Pads an id with zeros in front. */
export function padId(id: string, length: 16 | 32): string {
  return id.length === length ? id : zeros.slice(0, length - id.length) + id;
}

/** The kind of that name, or undefined; names are exact. */
export function parseKind(text: string): SpanKind | undefined {
  switch (text) {
    case 'CLIENT':
    case 'SERVER':
    case 'PRODUCER':
    case 'CONSUMER':
      return text;
    default:
      return undefined;
  }
}

/** What an endpoint's fields said; a port that is not positive counts as none. */
export interface RawEndpoint {
  serviceName: string | undefined;
  ipv4: string | undefined;
  ipv6: string | undefined;
  port: number;
}

/** Takes an address for whichever family it is; what is no address is left out, and a later address of a family replaces an earlier one. */
export function addIpAddress(endpoint: RawEndpoint, text: string): void {
  if (isIpv4(text, 0)) {
    endpoint.ipv4 = text;
    return;
  }
  setIpAddress(endpoint, parseIpAddress(text));
}

/** The same for an address of 4 or 16 bytes that end where the reader is. */
export function addIpBytes(endpoint: RawEndpoint, { bytes, position }: ByteReader, length: number): void {
  setIpAddress(endpoint, readIpAddress(bytes, position - length, length));
}

function setIpAddress(endpoint: RawEndpoint, address: IpAddress | undefined): void {
  if (address === undefined) return;
  if ('ipv4' in address) endpoint.ipv4 = address.ipv4;
  else endpoint.ipv6 = address.ipv6;
}

/** The endpoint, or undefined when nothing is left of it. */
export function toEndpoint(raw: RawEndpoint): Endpoint | undefined {
  const serviceName = raw.serviceName === '' ? undefined : raw.serviceName;
  const port = raw.port > 0 ? raw.port : undefined;
  if (serviceName === undefined && raw.ipv4 === undefined && raw.ipv6 === undefined && port === undefined)
    return undefined;
  return { serviceName, ipv4: raw.ipv4, ipv6: raw.ipv6, port };
}

/** Events sorted by time, then value (UTF-16 order, as Java has it), each once. */
export function sortEvents(events: SpanEvent[]): SpanEvent[] {
  if (events.length < 2) return events;
  events.sort(compareEvents);
  return events.filter((event, i) => {
    const previous = events[i - 1];
    return previous === undefined || compareEvents(previous, event) !== 0;
  });
}

function compareEvents(a: SpanEvent, b: SpanEvent): number {
  if (a.timestampUs !== b.timestampUs) return a.timestampUs - b.timestampUs;
  if (a.restUs !== b.restUs) return (a.restUs ?? 0) - (b.restUs ?? 0);
  if (a.value === b.value) return 0;
  return a.value < b.value ? -1 : 1;
}

/** An `error` tag, whatever its value, or HTTP 5xx on a server span. */
export function statusOf(kind: SpanKind | undefined, tags: Readonly<Record<string, string>>): SpanStatus {
  if (tags['error'] !== undefined) return 'error';
  if (kind !== 'SERVER') return 'unset';
  const code = tags['http.status_code'];
  return code !== undefined && code.length === 3 && code.charCodeAt(0) === 0x35 ? 'error' : 'unset';
}

/** Everything a span may say besides its ids, before the clean-up that needs all of it. */
export interface SpanDraft {
  /** Padded; never all zeros. */
  parentId: string | undefined;
  kind: SpanKind | undefined;
  name: string;
  /** A time that is not positive counts as none, like the duration. */
  startUs: Long;
  durationUs: Long;
  localEndpoint: Endpoint | undefined;
  remoteEndpoint: Endpoint | undefined;
  events: SpanEvent[];
  tags: Record<string, string>;
  debug: boolean;
  shared: boolean;
}

/** A draft that says nothing yet. */
export function emptyDraft(): SpanDraft {
  return {
    parentId: undefined,
    kind: undefined,
    name: '',
    startUs: 0,
    durationUs: 0,
    localEndpoint: undefined,
    remoteEndpoint: undefined,
    events: [],
    tags: {},
    debug: false,
    shared: false,
  };
}

/** The span of a draft; both ids are padded. */
export function buildSpan(traceId: string, id: string, draft: SpanDraft): Span {
  const { kind, tags, localEndpoint, startUs, durationUs } = draft;
  const span: Span = {
    traceId,
    id,
    parentId: draft.parentId === id ? undefined : draft.parentId,
    kind,
    shared: draft.shared && kind !== 'CLIENT',
    debug: draft.debug,
    name: draft.name,
    startUs: startUs > 0 ? nearestOf(startUs) : undefined,
    durationUs: durationUs > 0 ? nearestOf(durationUs) : undefined,
    status: statusOf(kind, tags),
    localEndpoint,
    remoteEndpoint: draft.remoteEndpoint,
    events: sortEvents(draft.events),
    attributes: tags,
    resource: resourceOfSpan(localEndpoint?.serviceName, tags),
  };
  return withExactTimes(span, startUs, durationUs);
}

/** Sets a tag; a repeated one keeps the last value. */
export function putTag(tags: Record<string, string>, key: string, value: string): void {
  if (key === '__proto__') {
    // A plain assignment would set the prototype.
    Object.defineProperty(tags, key, { value, enumerable: true, configurable: true, writable: true });
  } else tags[key] = value;
}
