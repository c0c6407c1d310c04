/** The clean-up of a span's fields as Zipkin's `Span.Builder` and `Endpoint.Builder` do it, shared by the fast and the exact reader. */
import type { Endpoint, SpanEvent, SpanKind, SpanStatus } from '../../model/span.ts';
import { isIpv4, parseIpAddress } from './ip-address.ts';

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
  const address = parseIpAddress(text);
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
