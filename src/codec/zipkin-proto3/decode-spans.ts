/** Zipkin proto3 in: takes and refuses what Zipkin 3.6.1 does on `POST /api/v2/spans` with application/x-protobuf. */
import type { Span } from '../../model/span.ts';
import { ByteReader } from '../byte-reader.ts';
import { CodecError } from '../codec-error.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { SpanReader } from './span-reader.ts';

/**
 * Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body is a list without spans.
 */
export function decodeSpans(body: Buffer): Span[] {
  if (body.length === 0) return [];
  checkListFormat(body, 'PROTO3');
  const bytes = new ByteReader(body);
  const reader = new SpanReader(bytes);
  const spans: Span[] = [];
  try {
    while (bytes.remaining > 0) {
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
  return spans;
}
