import type { Span } from '../model/span.ts';
import type { ZipkinFormat } from './zipkin-format.ts';
import { decodeSpans as decodeProto3 } from './zipkin-proto3/decode-spans.ts';
import { decodeSpans as decodeThrift } from './zipkin-thrift/decode-spans.ts';
import { decodeSpans as decodeJsonV1 } from './zipkin-v1-json/decode-spans.ts';
import { decodeSpans as decodeJsonV2 } from './zipkin-v2-json/decode-spans.ts';

/** The decoder of each of Zipkin's formats. Each checks that the body is a list in that format first, as `checkListFormat` does. */
export const zipkinDecoders: Readonly<Record<ZipkinFormat, (body: Buffer) => Span[]>> = {
  JSON_V1: decodeJsonV1,
  JSON_V2: decodeJsonV2,
  THRIFT: decodeThrift,
  PROTO3: decodeProto3,
};
