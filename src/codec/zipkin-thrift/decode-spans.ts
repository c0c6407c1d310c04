/** Zipkin v1 Thrift in, as the binary protocol writes it: what `POST /api/v1/spans` takes as application/x-thrift. */
import type { Span } from '../../model/span.ts';
import { ByteReader } from '../byte-reader.ts';
import { CodecError } from '../codec-error.ts';
import { type ReadUntil, readInSlices } from '../read-in-slices.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { convertSpan } from '../zipkin-v1/convert-span.ts';
import { SpanReader } from './span-reader.ts';

/**
 * Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body is a list without spans, and so is one
 * whose count is not positive; what follows the list is not looked at.
 */
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
  checkListFormat(body, 'THRIFT');
  const bytes = new ByteReader(body);
  const reader = new SpanReader(bytes, maxParts);
  let left: number | undefined;
  return (end, spans) => {
    try {
      left ??= reader.readListLength();
      for (; left > 0; left--) {
        // The end of the body is no end of a slice: a list that says more spans than there are is refused.
        if (bytes.position >= end && end < body.length) return bytes.position;
        convertSpan(reader.readSpan(), spans, maxParts);
      }
    } catch (error) {
      // Zipkin ends its message with these words.
      if (error instanceof CodecError) throw new CodecError(`${error.message} reading List<Span> from TBinary`);
      throw error;
    }
    return undefined;
  };
}
