/** Numbers, durations and strings as PromQL spells them. */

const unitMs: Readonly<Record<string, number>> = {
  y: 365 * 86_400_000,
  w: 7 * 86_400_000,
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};

const durationPattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Go's durations end at 2^63 ns, and so do Prometheus's. */
const longestMs = 9_223_372_036_854;

/** Reads `1h30m`, units in falling order and each once; undefined when the text is none or is out of range. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const parts = text === '' ? null : durationPattern.exec(text);
  if (parts === null) return undefined;
  const totalMs = Object.values(unitMs).reduce((sum, ms, i) => sum + Number(parts[i + 1] ?? 0) * ms, 0);
  return totalMs <= longestMs ? totalMs : undefined;
}

const decimalPattern = /^[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?$/;

/** Reads a number: decimal with `_` between digits, hexadecimal, Inf or NaN in any case, or a duration, which counts seconds. */
export function parseNumber(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[+-]/, '');
  if (/^inf$/i.test(digits)) return sign * Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(digits)) return Number.NaN;
  if (/^0[xX][0-9a-fA-F_]+$/.test(digits)) return sign * Number(digits.replaceAll('_', ''));
  if (decimalPattern.test(digits)) {
    const plain = digits.replaceAll('_', '');
    // Go reads a leading zero as octal: 010 is 8.
    if (/^0[0-7]+$/.test(plain)) return sign * Number.parseInt(plain, 8);
    return sign * Number(plain);
  }
  const durationMs = parseDuration(digits);
  return durationMs === undefined ? undefined : (sign * durationMs) / 1000;
}

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
