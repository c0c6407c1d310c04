/** Zipkin proto3 out: what Zipkin's own writer makes of the same spans. */
import { joinLong } from '../../model/long.ts';
import type { Endpoint, Span, SpanKind } from '../../model/span.ts';
import type { Bits64 } from '../protobuf/wire-reader.ts';
import { bitsOf, WireWriter } from '../protobuf/wire-writer.ts';
import { writeIpBytes } from '../zipkin-v2-json/ip-address.ts';
import { toZipkinSpan } from '../zipkin-view.ts';
import * as wire from './zipkin.generated.ts';

const highZeros = '0000000000000000';
const noBytes = new Uint8Array(0);

/** Zipkin has no INTERNAL, which it writes as no kind. */
const kindNumbers: Readonly<Record<SpanKind, number>> = { CLIENT: 1, SERVER: 2, PRODUCER: 3, CONSUMER: 4, INTERNAL: 0 };

/** Encodes a list of spans, names in lower case, 64-bit trace ids in 8 bytes. */
export function encodeSpans(spans: readonly Span[]): Uint8Array {
  const writer = new WireWriter();
  wire.encodeListOfSpans({ spans: spans.map(toMessage) }, writer);
  return writer.finish();
}

function toMessage(given: Span): wire.Span {
  const span = toZipkinSpan(given);
  return {
    traceId: span.traceId.startsWith(highZeros) ? span.traceId.slice(16) : span.traceId,
    parentId: span.parentId ?? '',
    id: span.id,
    kind: span.kind === undefined ? 0 : kindNumbers[span.kind],
    name: span.name.toLowerCase(),
    timestamp: toBits(span.startUs ?? 0, span.startRestUs),
    duration: toBits(span.durationUs ?? 0, span.durationRestUs),
    localEndpoint: toEndpoint(span.localEndpoint),
    remoteEndpoint: toEndpoint(span.remoteEndpoint),
    annotations: span.events.map(({ timestampUs, value, restUs }) => ({
      timestamp: toBits(timestampUs, restUs),
      value,
    })),
    tags: Object.entries(span.attributes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => ({ key, value })),
    debug: span.debug,
    shared: span.shared,
  };
}

function toEndpoint(endpoint: Endpoint | undefined): wire.Endpoint | undefined {
  if (endpoint === undefined) return undefined;
  const { serviceName, ipv4, ipv6, port } = endpoint;
  return {
    serviceName: serviceName?.toLowerCase() ?? '',
    ipv4: ipv4 === undefined ? noBytes : writeIpBytes(ipv4),
    ipv6: ipv6 === undefined ? noBytes : writeIpBytes(ipv6),
    port: port ?? 0,
  };
}

/** The halves of a whole number, two's complement below zero. */
function toBits(value: number, rest: number | undefined): Bits64 {
  const long = rest === undefined ? value : joinLong(value, rest);
  if (typeof long === 'bigint') return bitsOf(BigInt.asUintN(64, long));
  return { low: value >>> 0, high: Math.floor(value / 2 ** 32) >>> 0 };
}
