/** Text as Java, and so Zipkin, reads it from bytes. */
import { isAscii, isUtf8, transcode } from 'node:buffer';

/** So long a text is three times as fast by way of UTF-16, which costs memory where all of it is Latin. */
const longText = 4 * 1024 * 1024;

/** Bytes that are no UTF-8 become U+FFFD. ASCII is copied, which is several times as fast. */
export function decodeUtf8(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (isUtf8(bytes)) {
    return bytes.length > longText ? transcode(bytes, 'utf8', 'ucs2').toString('ucs2') : bytes.toString('utf8');
  }
  // Java makes one replacement of a surrogate in three bytes, where WHATWG's decoder makes three.
  const repaired = bytes.toString('latin1').replace(/\xed[\xa0-\xbf][\x80-\xbf]/g, '\xef\xbf\xbd');
  return Buffer.from(repaired, 'latin1').toString('utf8');
}

/** What other scripts take 15 ms to decode in; ASCII is ten times as fast. */
const pieceLength = 2 * 1024 * 1024;

/** Decodes as `decodeUtf8` does, in steps of a few milliseconds. */
export function* decodeUtf8InSteps(bytes: Buffer): Generator<number, string> {
  if (bytes.length <= 2 * pieceLength || isAscii(bytes)) return decodeUtf8(bytes);
  const isBetween = isUtf8(bytes) ? isStart : isAsciiByte;
  let text = '';
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(start + pieceLength, bytes.length);
    while (end < bytes.length && !isBetween(bytes[end] ?? 0)) end++;
    text += decodeUtf8(bytes.subarray(start, end));
    start = end;
    yield 0;
  }
  return text;
}

/** Whether a character begins with the byte, where all of the text is UTF-8. */
const isStart = (byte: number): boolean => (byte & 0xc0) !== 0x80;
/** What is no UTF-8 ends before ASCII at the latest. */
const isAsciiByte = (byte: number): boolean => byte < 0x80;
