/** Strings as Go spells them, which PromQL and LogQL share. */

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  "'": 39,
  '"': 34,
};

const escapePattern = /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\'"]))/y;

/** The bytes of one escape, undefined when it stands for nothing. */
function escapedBytes(found: RegExpExecArray, quote: string): Buffer | undefined {
  const [, hex, octal, short, long, simple] = found;
  if (simple !== undefined) {
    // As in Go, the other kind of quote needs no escape and may not have one.
    if ((simple === "'" || simple === '"') && simple !== quote) return undefined;
    return Buffer.of(simpleEscapes[simple] ?? 0);
  }
  if (hex !== undefined) return Buffer.of(Number.parseInt(hex, 16));
  if (octal !== undefined) {
    const byte = Number.parseInt(octal, 8);
    return byte > 255 ? undefined : Buffer.of(byte);
  }
  const point = Number.parseInt(short ?? long ?? '', 16);
  if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
  return Buffer.from(String.fromCodePoint(point));
}

/** Takes the quotes off a string and resolves Go's escapes; undefined when one of them is wrong. Between backticks nothing is escaped. */
export function unquote(quoted: string): string | undefined {
  const quote = quoted.charAt(0);
  const inner = quoted.slice(1, -1);
  if (quote === '`') return inner;
  if (inner.includes('\n')) return undefined;
  if (!inner.includes('\\')) return inner;
  const pieces: Buffer[] = [];
  for (let position = 0; position < inner.length; ) {
    const next = inner.indexOf('\\', position);
    if (next === -1) {
      pieces.push(Buffer.from(inner.slice(position)));
      break;
    }
    if (next > position) pieces.push(Buffer.from(inner.slice(position, next)));
    escapePattern.lastIndex = next;
    const found = escapePattern.exec(inner);
    const bytes = found === null ? undefined : escapedBytes(found, quote);
    if (found === null || bytes === undefined) return undefined;
    pieces.push(bytes);
    position = next + found[0].length;
  }
  return Buffer.concat(pieces).toString('utf8');
}
