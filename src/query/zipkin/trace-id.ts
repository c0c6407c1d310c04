/** Trace ids as Zipkin's query API takes them (Span.normalizeTraceId of its server). */

export type ParsedTraceId =
  /** `text` is Zipkin's spelling, 16 or 32 digits, the one its messages use. */
  { readonly kind: 'id'; readonly text: string } | { readonly kind: 'malformed'; readonly message: string };

/** Reads an id out of a path: blanks around it do not matter, nor do leading zeros; upper case does. */
export function parseTraceId(raw: string): ParsedTraceId {
  const text = raw.trim();
  if (text === '') return { kind: 'malformed', message: 'traceId is empty' };
  if (text.length > 32) return { kind: 'malformed', message: 'traceId.length > 32' };
  if (!/^[0-9a-f]+$/.test(text)) {
    return { kind: 'malformed', message: `${text} should be lower-hex encoded with no prefix` };
  }
  const digits = text.replace(/^0+/, '');
  if (digits === '') return { kind: 'malformed', message: 'traceId is all zeros' };
  return { kind: 'id', text: digits.padStart(digits.length > 16 ? 32 : 16, '0') };
}
