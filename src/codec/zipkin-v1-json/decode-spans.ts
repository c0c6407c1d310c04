/** Zipkin v1 JSON in: takes and refuses exactly what Zipkin 3.6.1 does on `POST /api/v1/spans`. */
import type { Span } from '../../model/span.ts';
import { decodeUtf8 } from '../java-text.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { convertSpan } from '../zipkin-v1/convert-span.ts';
import { readSpansExactly } from './exact-reader.ts';
import { readSpansFast } from './fast-reader.ts';

/**
 * Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body and `[]` are lists without spans.
 */
export function decodeSpans(body: Buffer): Span[] {
  if (body.length === 0) return [];
  checkListFormat(body, 'JSON_V1');
  const spans: Span[] = [];
  for (const span of readSpansFast(body) ?? readSpansExactly(decodeUtf8(body))) convertSpan(span, spans);
  return spans;
}
