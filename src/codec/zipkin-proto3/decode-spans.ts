/** Zipkin proto3 in: takes and refuses what Zipkin 3.6.1 does on `POST /api/v2/spans` with application/x-protobuf. */
import type { Span } from '../../model/span.ts';
import { ByteReader } from '../byte-reader.ts';
import { CodecError } from '../codec-error.ts';
import { type ReadUntil, readInSlices } from '../read-in-slices.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { SpanReader } from './span-reader.ts';

/** Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body is a list without spans. */
export function decodeSpans(body: Buffer): Span[] {
  const spans: Span[] = [];
  const readUntil = startReading(body, Number.POSITIVE_INFINITY);
  readUntil(body.length, spans);
  return spans;
}

/**
 * Decodes what `decodeSpans` does, with the same results and errors, in steps of a few milliseconds, each of which tells how many spans there
 * are so far. A span of more than `maxParts` tags or annotations ends it with a WideSpanError.
 */
export function* decodeSpansInSteps(body: Buffer, maxParts: number): Generator<number, Span[]> {
  return yield* readInSlices(startReading(body, maxParts));
}

/** Answers a function that reads spans up to an end, or a little beyond, and tells where it is then; undefined when there are no more. */
function startReading(body: Buffer, maxParts: number): ReadUntil {
  if (body.length === 0) return () => undefined;
  checkListFormat(body, 'PROTO3');
  const bytes = new ByteReader(body);
  const reader = new SpanReader(bytes, maxParts);
  return (end, spans) => {
    try {
      const stop = Math.min(end, body.length);
      while (bytes.position < stop) {
        // A list has one field, and Zipkin takes any other for it.
        bytes.varint32();
        const length = bytes.varint32();
        bytes.require(length);
        // Zipkin drops the whole list for a span without a byte; what it says of the others is kept here.
        if (length > 0) spans.push(reader.readSpan(length));
      }
    } catch (error) {
      // Zipkin ends its message with these words.
      if (error instanceof CodecError) throw new CodecError(`${error.message} reading List<Span> from proto3`);
      throw error;
    }
    return bytes.position < body.length ? bytes.position : undefined;
  };
}
