/** Numbers and durations as PromQL spells them. */

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

/** What is wrong with a duration, in Prometheus's words (common/model, `ParseDuration`). */
export function durationFault(text: string): string {
  const quoted = JSON.stringify(text);
  let last = -1;
  for (const [part, digits = '', unit = ''] of text.matchAll(/(\d*)(\D*)/g)) {
    if (part === '') break;
    const place = Object.keys(unitMs).indexOf(unit);
    if (digits !== '' && unit !== '' && place === -1) return `unknown unit "${unit}" in duration ${quoted}`;
    if (digits === '' || unit === '' || place <= last) return `not a valid duration string: ${quoted}`;
    last = place;
  }
  return 'duration out of range';
}

const decimalPattern = /^[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?$/;

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
