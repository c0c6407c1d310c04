/** Which of Zipkin's four formats a body is in, as far as its first bytes and a few words tell (reference: Zipkin's SpanBytesDecoderDetector). */
import { CodecError } from './codec-error.ts';

export const zipkinFormats = ['JSON_V1', 'JSON_V2', 'THRIFT', 'PROTO3'] as const;
export type ZipkinFormat = (typeof zipkinFormats)[number];

const openBracket = 0x5b;
const openBrace = 0x7b;
/** The key of `ListOfSpans.spans`; in Thrift, and as a line feed in JSON, a zero or anything follows. */
const proto3Key = 0x0a;
const thriftStruct = 12;
/** An old zipkin-reporter wrote this element type by mistake. */
const thriftString = 11;
const lastThriftType = 16;

/** Of `localEndpoint` and `remoteEndpoint`, which only v2 spans have. */
const endpointField = Buffer.from('Endpoint"');
const tagsField = Buffer.from('"tags"');
/** Searched for in its stead: a quote, with which the field begins, is everywhere, and each costs a look. */
const tagsFieldEnd = Buffer.from('tags"');
const quote = 0x22;
const looksLimit = 100;
/** Of `binaryAnnotations`, which only v1 spans have. */
const binaryAnnotationsField = Buffer.from('yAnnotations"');

/**
 * The format of a list of spans of which nothing else is known, as on a queue. JSON of spans that have neither endpoints nor tags counts as
 * version 1, which reads them alike.
 */
export function detectListFormat(body: Buffer): ZipkinFormat {
  const first = body[0] ?? 0xff;
  // Java's bytes are signed: 0x80 and above pass for small numbers and are refused as no list.
  if (first > lastThriftType && first < 0x80 && first !== openBracket && first !== openBrace) {
    throw new CodecError('Could not detect the span format');
  }
  if (!isList(body)) throw new CodecError('Expected json, proto3 or thrift list encoding');
  if (first !== openBracket) return isProto3(body) ? 'PROTO3' : 'THRIFT';
  return hasVersionTwoField(body) ? 'JSON_V2' : 'JSON_V1';
}

/**
 * Refuses a body that cannot be a list of spans in the format that its route and Content-Type promise, in Zipkin's order and words. A list
 * in another binary format passes, as it does there, and is refused when it is read.
 */
export function checkListFormat(body: Buffer, expected: ZipkinFormat): void {
  if (!isList(body)) throw new CodecError(`Expected a ${expected} encoded list\n`);
  const received = findOtherVersion(body, expected);
  if (received !== undefined) {
    throw new CodecError(`Expected a ${expected} encoded list, but received: ${received}\n`);
  }
}

function isList(body: Buffer): boolean {
  const first = body[0];
  return first === openBracket || first === thriftStruct || first === thriftString || isProto3(body);
}

function isProto3(body: Buffer): boolean {
  return body[0] === proto3Key && body.length > 1 && body[1] !== 0;
}

function findOtherVersion(body: Buffer, expected: ZipkinFormat): ZipkinFormat | undefined {
  if (expected === 'JSON_V2') return body.includes(binaryAnnotationsField) ? 'JSON_V1' : undefined;
  if (expected !== 'JSON_V1') return undefined;
  return hasVersionTwoField(body) ? 'JSON_V2' : undefined;
}

/** Hot: bench/codec.ts. */
function hasVersionTwoField(body: Buffer): boolean {
  if (body.includes(endpointField)) return true;
  let looks = 0;
  for (let at = body.indexOf(tagsFieldEnd); at !== -1; at = body.indexOf(tagsFieldEnd, at + 1)) {
    if (body[at - 1] === quote) return true;
    if (++looks === looksLimit) return body.includes(tagsField, at);
  }
  return false;
}
