/** Durations and sizes as people write them: `"1m30s"`, `"64MiB"`. */

/** A value, or a sentence's end that fits after the key's name: `must be …`. */
export type Parsed = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tib: 1024 ** 4,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
};

const refuse = (message: string): Parsed => ({ ok: false, message });

/** Parses `10s`, `1m30s`, `1.5h`, `500ms`, `7d`, `2w`, `1y`; `0s` only where `minMs` is not above it. */
export function parseDurationMs(
  value: unknown,
  limits: { readonly minMs?: number; readonly maxMs?: number } = {},
): Parsed {
  if (typeof value === 'number') {
    return refuse(
      `must say its unit: a bare ${value} could be seconds or milliseconds; write "${value}s" or "${value}ms"`,
    );
  }
  if (typeof value !== 'string') return refuse('must be a duration, e.g. "10s" or "1m30s"');
  const text = value.trim();
  if (!/^(?:\d{1,15}(?:\.\d{1,9})?(?:ms|[smhdwy]))+$/.test(text)) {
    return refuse('must be a duration such as "10s", "1m30s" or "7d" (units ms, s, m, h, d, w, y)');
  }
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)) {
    totalMs += Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN);
  }
  totalMs = Math.round(totalMs);
  if (!Number.isSafeInteger(totalMs)) return refuse('is too long');
  if (limits.minMs !== undefined && totalMs < limits.minMs)
    return refuse(`must be at least ${formatDuration(limits.minMs)}`);
  if (limits.maxMs !== undefined && totalMs > limits.maxMs)
    return refuse(`must be at most ${formatDuration(limits.maxMs)}`);
  return { ok: true, value: totalMs };
}

/** Parses `64MiB`, `1.5GiB`, `10MB`, or a number of bytes. `K`, `M`, `G`, `T` alone are powers of 1024. */
export function parseSizeBytes(
  value: unknown,
  limits: { readonly minBytes?: number; readonly maxBytes?: number } = {},
): Parsed {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') return refuse('must be a size, e.g. "64MiB"');
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s?([a-zA-Z]{0,3})$/.exec(text.trim());
  const factor = unitBytes[(match?.[2] ?? '?').toLowerCase()];
  if (match === null || factor === undefined) {
    return refuse(
      'must be a size such as "64MiB", "1GB" or a number of bytes (units KiB, MiB, GiB, TiB, KB, MB, GB, TB)',
    );
  }
  const bytes = Math.round(Number(match[1]) * factor);
  if (!Number.isSafeInteger(bytes)) return refuse('is too large');
  if (limits.minBytes !== undefined && bytes < limits.minBytes)
    return refuse(`must be at least ${formatSize(limits.minBytes)}`);
  if (limits.maxBytes !== undefined && bytes > limits.maxBytes)
    return refuse(`must be at most ${formatSize(limits.maxBytes)}`);
  return { ok: true, value: bytes };
}

const durationUnits: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

/** Writes 90000 as `1m30s`. */
export function formatDuration(durationMs: number): string {
  let rest = durationMs;
  let text = '';
  for (const [unit, factor] of durationUnits) {
    const amount = Math.floor(rest / factor);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * factor;
  }
  return text === '' ? '0s' : text;
}

const sizeUnits: readonly (readonly [string, number])[] = [
  ['TiB', 1024 ** 4],
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
];

/** Writes 67108864 as `64MiB`; what is no whole number of KiB stays a number of bytes. */
export function formatSize(sizeBytes: number): string {
  for (const [unit, factor] of sizeUnits) {
    if (sizeBytes >= factor && sizeBytes % factor === 0) return `${sizeBytes / factor}${unit}`;
  }
  return `${sizeBytes}B`;
}
