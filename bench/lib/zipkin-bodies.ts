/** The spans of v2 JSON bodies in Zipkin's other formats, as a tracer of that format would have sent them. */
import { encodeSpans as encodeProto3 } from '../../src/codec/zipkin-proto3/encode-spans.ts';
import { decodeSpans } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import type { Span } from '../../src/model/span.ts';
import { toV1Json, toV1Thrift, type V1SpanJson } from '../../test/fixtures/v1-spans.ts';

export interface ZipkinBodies {
  readonly v1Json: readonly Buffer[];
  readonly thrift: readonly Buffer[];
  readonly proto3: readonly Buffer[];
}

/** A span in v1 as tracers wrote it: begin and end as annotations, and the endpoint with each of them and with each tag. */
export function toV1(span: Span): V1SpanJson {
  const { serviceName = '', ipv4, port } = span.localEndpoint ?? {};
  const endpoint = {
    serviceName,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(port === undefined ? {} : { port }),
  };
  const startUs = span.startUs ?? 0;
  const durationUs = span.durationUs ?? 0;
  const [begin, end] = span.kind === 'CLIENT' ? ['cs', 'cr'] : ['sr', 'ss'];
  return {
    traceId: span.traceId,
    id: span.id,
    parentId: span.parentId,
    name: span.name,
    timestamp: startUs,
    duration: durationUs,
    annotations: [
      { timestamp: startUs, value: begin ?? '', endpoint },
      { timestamp: startUs + durationUs, value: end ?? '', endpoint },
    ],
    binaryAnnotations: Object.entries(span.attributes).map(([key, value]) => ({ key, value, endpoint })),
  };
}

/** Makes the bodies. */
export function zipkinBodies(v2Json: readonly Buffer[]): ZipkinBodies {
  const bodies = (encode: (spans: readonly Span[]) => Uint8Array) =>
    v2Json.map((body) => Buffer.from(encode(decodeSpans(body))));
  return {
    v1Json: bodies((spans) => toV1Json(spans.map(toV1))),
    thrift: bodies((spans) => toV1Thrift(spans.map(toV1))),
    proto3: bodies(encodeProto3),
  };
}
