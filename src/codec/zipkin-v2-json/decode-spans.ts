/** Zipkin v2 JSON in: takes and refuses exactly what Zipkin 3.6.1 does on `POST /api/v2/spans`. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Span } from '../../model/span.ts';
import { CodecError } from '../codec-error.ts';
import { readSpansExactly } from './exact-reader.ts';
import { readSpansFast } from './fast-reader.ts';

const openBracket = 0x5b;
const lineFeed = 0x0a;
/** Of `binaryAnnotations`, which only v1 spans have; Zipkin searches the raw bytes for it. */
const versionOneField = Buffer.from('yAnnotations"');

/**
 * Decodes a list of spans, or throws a CodecError whose message is for the sender. An empty body and `[]` are lists without spans.
 * What the model cannot hold differs: whole numbers beyond 2^53 are the nearest double, and a trace id of 17 to 31 digits that starts with
 * zeros is written back with 16 digits instead of 32.
 */
export function decodeSpans(body: Buffer): Span[] {
  if (body.length === 0) return [];
  checkFormat(body);
  const text = toText(body);
  return readSpansFast(text) ?? readSpansExactly(text);
}

/** Zipkin's order of checks: the first byte, then the field of the other version, then the JSON. */
function checkFormat(body: Buffer): void {
  const first = body[0];
  // A list in protobuf or Thrift passes Zipkin's first look too and is refused as JSON afterwards; so a line feed may stand before the list.
  const isProto3 = first === lineFeed && body.length > 1 && body[1] !== 0;
  if (first !== openBracket && !isProto3) throw new CodecError('Expected a JSON_V2 encoded list\n');
  if (body.includes(versionOneField)) throw new CodecError('Expected a JSON_V2 encoded list, but received: JSON_V1\n');
}

/** Bytes that are no UTF-8 become U+FFFD. ASCII is copied, which is several times as fast. */
function toText(body: Buffer): string {
  if (isAscii(body)) return body.toString('latin1');
  if (isUtf8(body)) return body.toString('utf8');
  // Java, and so Zipkin, makes one replacement of a surrogate in three bytes, where WHATWG's decoder makes three.
  const bytes = body.toString('latin1').replace(/\xed[\xa0-\xbf][\x80-\xbf]/g, '\xef\xbf\xbd');
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
