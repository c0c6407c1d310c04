/** Durations and moments as a person writes and reads them. */

const unitsUs: ReadonlyMap<string, number> = new Map([
  ['us', 1],
  ['µs', 1], // The micro sign.
  ['μs', 1], // The Greek letter.
  ['ms', 1e3],
  ['s', 1e6],
  ['m', 60e6],
  ['h', 3_600e6],
  ['d', 86_400e6],
  ['w', 604_800e6],
]);
const wholeDuration = /^(?:\d+(?:\.\d+)?(?:us|µs|μs|ms|s|m|h|d|w))+$/;
const durationPart = /(\d+(?:\.\d+)?)(us|µs|μs|ms|s|m|h|d|w)/g;

/** Microseconds of `200ms`, `1.5s`, `1h30m` or `7d`; undefined for anything else. */
export function parseDurationUs(text: string): number | undefined {
  const compact = text.trim().toLowerCase();
  if (!wholeDuration.test(compact)) return undefined;
  let us = 0;
  for (const [, amount, unit] of compact.matchAll(durationPart)) us += Number(amount) * (unitsUs.get(unit ?? '') ?? 0);
  return Number.isSafeInteger(Math.round(us)) ? Math.round(us) : undefined;
}

/** A duration in three or four digits: `850 µs`, `12.3 ms`, `1.24 s`, `3 m 07 s`. */
export function durationText(us: number | undefined): string {
  if (us === undefined) return '-';
  if (us < 0) return `-${durationText(-us)}`;
  if (us < 1_000) return `${Math.round(us)} µs`;
  // What rounds up to the next unit is written in it.
  if (us < 999_950) return `${(us / 1e3).toFixed(us < 9_995 ? 2 : 1)} ms`;
  if (us < 59_995_000) return `${(us / 1e6).toFixed(us < 9_995_000 ? 2 : 1)} s`;
  const seconds = Math.round(us / 1e6);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2_880) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  return `${Math.round(minutes / 1_440)} d`;
}

/** A duration as an option has it, for a command to copy: `200ms`, `1.5s`, `24h`. */
export function shortDuration(us: number): string {
  for (const [unit, perUnit] of [
    ['d', 86_400e6],
    ['h', 3_600e6],
    ['m', 60e6],
    ['s', 1e6],
    ['ms', 1e3],
  ] as const) {
    if (us >= (unit === 'd' ? 2 * perUnit : perUnit) && us % (perUnit / (unit === 'ms' || unit === 's' ? 10 : 1)) === 0)
      return `${us / perUnit}${unit}`;
  }
  return `${us}us`;
}

/** `2026-11-21 14:03:07.123`, in UTC; `-` for a time that no calendar has. */
export function momentText(us: number | undefined): string {
  const date = new Date((us ?? Number.NaN) / 1e3);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString().replace('T', ' ').replace('Z', '');
}

/** Milliseconds since 1970 of `2026-11-21T14:00`, UTC unless it says otherwise, or of `1h`, an hour before `nowMs`. */
export function parseMomentMs(text: string, nowMs: number): number | undefined {
  const ago = parseDurationUs(text);
  if (ago !== undefined) return Math.floor(nowMs - ago / 1e3);
  const parts = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(
    text.trim(),
  );
  if (parts === null) return undefined;
  const ms = Date.parse(`${parts[1]}T${parts[2] ?? '00:00'}${parts[3] ?? 'Z'}`);
  return Number.isNaN(ms) ? undefined : ms;
}

const two = (n: number): string => String(n).padStart(2, '0');
