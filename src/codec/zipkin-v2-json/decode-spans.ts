/** Zipkin v2 JSON in: takes and refuses exactly what Zipkin 3.6.1 does on `POST /api/v2/spans`. */
import type { Span } from '../../model/span.ts';
import { decodeUtf8 } from '../java-text.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { readSpansExactly } from './exact-reader.ts';
import { readSpansFast } from './fast-reader.ts';

/**
 * Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body and `[]` are lists without spans.
 * What the model cannot hold differs: a trace id of 17 to 31 digits that starts with zeros is written back with 16 digits instead of 32.
 */
export function decodeSpans(body: Buffer): Span[] {
  if (body.length === 0) return [];
  checkListFormat(body, 'JSON_V2');
  const text = decodeUtf8(body);
  return readSpansFast(text) ?? readSpansExactly(text);
}
