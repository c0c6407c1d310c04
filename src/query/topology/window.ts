/** The window that a request for the topology names. */

export type Window =
  | { readonly kind: 'window'; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'malformed'; readonly message: string };

const defaultLengthMs = 3_600_000;

/** A day of roll-ups costs little, a year of them does not. */
const maxLengthMs = 31 * 86_400_000;

/** Reads `start` and `end`: unix time in s, ms, µs or ns (told apart by size) or RFC 3339. `end` is now unless said, `start` an hour before it. */
export function parseWindow(query: URLSearchParams, nowMs: number): Window {
  const end = parseTime(query.get('end'), nowMs);
  if (end === undefined) return malformed('end', query.get('end'));
  const start = parseTime(query.get('start'), end - defaultLengthMs);
  if (start === undefined) return malformed('start', query.get('start'));
  if (start > end) return { kind: 'malformed', message: 'start is after end; exchange them' };
  if (end - start > maxLengthMs) {
    return { kind: 'malformed', message: 'the window is longer than 31 days; choose a later start' };
  }
  return { kind: 'window', startMs: start, endMs: end };
}

const malformed = (name: string, value: string | null): Window => ({
  kind: 'malformed',
  message: `${name}=${value ?? ''} is no time; give unix seconds or milliseconds, or RFC 3339 as in 2026-11-21T10:00:00Z`,
});

/** The largest time that the store can hold a minute of: the year 2106. */
const lastMs = 0xffff_ffff * 1000;

function parseTime(text: string | null, fallbackMs: number): number | undefined {
  if (text === null || text === '') return fallbackMs;
  const ms = /^\d+(\.\d+)?$/.test(text)
    ? scaled(Number(text))
    : /^\d{4}-\d\d-\d\dT/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  return Number.isFinite(ms) && ms >= 0 && ms <= lastMs ? ms : undefined;
}

function scaled(value: number): number {
  if (value < 1e11) return value * 1000;
  if (value < 1e14) return value;
  return value < 1e17 ? value / 1000 : value / 1e6;
}
