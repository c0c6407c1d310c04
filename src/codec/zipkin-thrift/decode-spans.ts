/** Zipkin v1 Thrift in, as the binary protocol writes it: what `POST /api/v1/spans` takes as application/x-thrift. */
import type { Span } from '../../model/span.ts';
import { ByteReader } from '../byte-reader.ts';
import { CodecError } from '../codec-error.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { convertSpan } from '../zipkin-v1/convert-span.ts';
import { SpanReader } from './span-reader.ts';

/**
 * Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body is a list without spans, and so is one
 * whose count is not positive; what follows the list is not looked at.
 */
export function decodeSpans(body: Buffer): Span[] {
  if (body.length === 0) return [];
  checkListFormat(body, 'THRIFT');
  const bytes = new ByteReader(body);
  const reader = new SpanReader(bytes);
  const spans: Span[] = [];
  try {
    for (let left = reader.readListLength(); left > 0; left--) convertSpan(reader.readSpan(), spans);
  } catch (error) {
    // Zipkin ends its message with these words.
    if (error instanceof CodecError) throw new CodecError(`${error.message} reading List<Span> from TBinary`);
    throw error;
  }
  return spans;
}
