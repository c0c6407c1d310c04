/** Zipkin v1 JSON in: takes and refuses exactly what Zipkin 3.6.1 does on `POST /api/v1/spans`. */
import type { Span } from '../../model/span.ts';
import { decodeUtf8, decodeUtf8InSteps } from '../java-text.ts';
import { checkListFormat } from '../zipkin-format.ts';
import { convertSpan } from '../zipkin-v1/convert-span.ts';
import { readSlicesExactly, readSpansExactly } from './exact-reader.ts';
import { createFastReader } from './fast-reader.ts';
import { unusual } from './json-scanner.ts';

/** What the smallest spans take 10 ms to decode in. */
const sliceLength = 128 * 1024;

/** Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body and `[]` are lists without spans. */
export function decodeSpans(body: Buffer): Span[] {
  if (body.length === 0) return [];
  const spans: Span[] = [];
  try {
    const reader = createFastReader(body);
    for (let span = reader.next(); span !== undefined; span = reader.next()) convertSpan(span, spans);
    return spans;
  } catch (error) {
    if (error !== unusual) throw error;
  }
  checkListFormat(body, 'JSON_V1');
  const exact: Span[] = [];
  for (const span of readSpansExactly(decodeUtf8(body))) convertSpan(span, exact);
  return exact;
}

/**
 * Decodes what `decodeSpans` does, with the same results and errors, in steps of a few milliseconds, each of which tells how many spans there
 * are so far. A span of more than `maxParts` tags or annotations ends it with a WideSpanError.
 */
export function* decodeSpansInSteps(body: Buffer, maxParts: number): Generator<number, Span[]> {
  if (body.length === 0) return [];
  const spans: Span[] = [];
  try {
    const reader = createFastReader(body, maxParts);
    let sliceEnd = sliceLength;
    for (let span = reader.next(); span !== undefined; span = reader.next()) {
      convertSpan(span, spans, maxParts);
      if (reader.position() < sliceEnd) continue;
      yield spans.length;
      sliceEnd = reader.position() + sliceLength;
    }
    return spans;
  } catch (error) {
    if (error !== unusual) throw error;
  }
  checkListFormat(body, 'JSON_V1');
  const exact: Span[] = [];
  const text = yield* decodeUtf8InSteps(body);
  for (const slice of readSlicesExactly(text, maxParts)) {
    for (const span of slice) convertSpan(span, exact, maxParts);
    yield exact.length;
  }
  return exact;
}
