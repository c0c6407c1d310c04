import type { Span } from '../model/span.ts';
import type { ZipkinFormat } from './zipkin-format.ts';
import {
  decodeSpans as decodeProto3,
  decodeSpansInSteps as decodeProto3InSteps,
} from './zipkin-proto3/decode-spans.ts';
import {
  decodeSpans as decodeThrift,
  decodeSpansInSteps as decodeThriftInSteps,
} from './zipkin-thrift/decode-spans.ts';
import {
  decodeSpans as decodeJsonV1,
  decodeSpansInSteps as decodeJsonV1InSteps,
} from './zipkin-v1-json/decode-spans.ts';
import { decodeSpansInSteps as decodeJsonV2InSteps } from './zipkin-v2-json/decode-slices.ts';
import { decodeSpans as decodeJsonV2 } from './zipkin-v2-json/decode-spans.ts';

/** The decoder of each of Zipkin's formats. Each checks that the body is a list in that format first, as `checkListFormat` does. */
export const zipkinDecoders: Readonly<Record<ZipkinFormat, (body: Buffer) => Span[]>> = {
  JSON_V1: decodeJsonV1,
  JSON_V2: decodeJsonV2,
  THRIFT: decodeThrift,
  PROTO3: decodeProto3,
};

type DecodeInSteps = (body: Buffer, maxParts: number) => Generator<number, Span[]>;

const decodersInSteps: Readonly<Record<ZipkinFormat, DecodeInSteps>> = {
  JSON_V1: decodeJsonV1InSteps,
  JSON_V2: decodeJsonV2InSteps,
  THRIFT: decodeThriftInSteps,
  PROTO3: decodeProto3InSteps,
};

/** What may be in one body. */
export interface DecodeLimits {
  /** The caller refuses more; how many there are is counted no further. */
  readonly maxSpans: number;
  /** Tags, and annotations, of one span; more are a WideSpanError. */
  readonly maxParts: number;
}

/** Where a list in Thrift says how many spans it has: behind the type of its elements. */
const thriftCountOffset = 1;
const lengthContinues = 0x80;
/** What is this small takes milliseconds, whatever it holds. */
const oneStepBytes = 256 * 1024;
/** No format takes fewer bytes for a tag, so that what is smaller than as many of them need has not too many. */
const leastBytesPerPart = 4;

/** How many spans a list in protobuf has: each lies behind one byte of field and its length. Stops beyond `limit`. */
function countProto3Spans(body: Buffer, limit: number): number {
  let count = 0;
  for (let at = 0; at < body.length && count <= limit; count++) {
    at++;
    let length = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = body[at++] ?? 0;
      length += (byte % lengthContinues) * shift;
      if (byte < lengthContinues) break;
    }
    at += length;
  }
  return count;
}

/**
 * Decodes a body in steps, each of which tells how many spans there are so far; the result is the list. The binary formats say beforehand
 * how many they hold, so that too many cost nothing.
 */
export function* decodeInSteps(
  format: ZipkinFormat,
  body: Buffer,
  { maxSpans, maxParts }: DecodeLimits,
): Generator<number, readonly Span[]> {
  if (body.length <= oneStepBytes && body.length < maxParts * leastBytesPerPart) return zipkinDecoders[format](body);
  if (format === 'PROTO3') yield countProto3Spans(body, maxSpans);
  if (format === 'THRIFT' && body.length > thriftCountOffset + 4) yield body.readInt32BE(thriftCountOffset);
  return yield* decodersInSteps[format](body, maxParts);
}
