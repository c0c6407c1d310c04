/** Text as Java, and so Zipkin, reads it from bytes. */
import { isAscii, isUtf8 } from 'node:buffer';

/** Bytes that are no UTF-8 become U+FFFD. ASCII is copied, which is several times as fast. */
export function decodeUtf8(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  // Java makes one replacement of a surrogate in three bytes, where WHATWG's decoder makes three.
  const repaired = bytes.toString('latin1').replace(/\xed[\xa0-\xbf][\x80-\xbf]/g, '\xef\xbf\xbd');
  return Buffer.from(repaired, 'latin1').toString('utf8');
}
