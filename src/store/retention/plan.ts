/** What has to go: decided from the list of parts, without touching anything. */
import type { Signal } from '../../model/batch.ts';

/** Tables that keep a signal, the one with the data first. What is derived goes with what it was derived from. */
export const tablesOf: Readonly<Record<Signal, readonly [string, ...string[]]>> = {
  spans: ['spans', 'rollup_minutes', 'rollup_operations', 'rollup_edges'],
  samples: ['samples', 'exemplars'],
  logs: ['logs'],
};

const signals: readonly Signal[] = ['spans', 'samples', 'logs'];

/** How long each signal is kept, in ms, and how many bytes all of them may take. */
export interface RetentionLimits {
  readonly ageMs: Readonly<Record<Signal, number | 'forever'>>;
  readonly maxBytes: number | 'none';
}

/** A part of a table as `system.parts` tells of it. */
export interface StoredPart {
  readonly table: string;
  readonly name: string;
  /** The UTC day of its rows, as in `2026-11-21`. */
  readonly day: string;
  readonly rows: number;
  readonly bytes: number;
  /** The newest row, ms since 1970. */
  readonly newestMs: number;
}

/** Something to drop: a signal's whole day, or one part of the current day. */
export interface Drop {
  readonly reason: 'age' | 'bytes';
  readonly signal: Signal;
  readonly day: string;
  /** Only this part of the signal's own table; undefined for the day in all of the signal's tables. */
  readonly part: string | undefined;
  readonly rows: number;
  readonly bytes: number;
}

const dayMs = 86_400_000;

/** Of the current day, the byte cap leaves what is younger. */
export const protectedMs = 3_600_000;

/** The drops that bring the store within its limits, in the order in which they are to be made, and the bytes above the cap that nothing can be done about. */
export function planDrops(
  parts: readonly StoredPart[],
  limits: RetentionLimits,
  nowMs: number,
): { readonly drops: readonly Drop[]; readonly excessBytes: number } {
  const days = collectDays(parts);
  const isOld = ({ signal, day }: Drop) => {
    const ageMs = limits.ageMs[signal];
    return ageMs !== 'forever' && Date.parse(day) + dayMs <= nowMs - ageMs;
  };
  const drops = days.filter(isOld);
  if (limits.maxBytes === 'none') return { drops, excessBytes: 0 };
  let excessBytes = days.reduce((sum, { bytes }) => sum + bytes, 0) - limits.maxBytes;
  for (const { bytes } of drops) excessBytes -= bytes;
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const candidates = [...days.filter((drop) => !isOld(drop) && drop.day < today), ...collectParts(parts, today, nowMs)];
  for (const drop of candidates) {
    if (excessBytes <= 0) break;
    drops.push({ ...drop, reason: 'bytes' });
    excessBytes -= drop.bytes;
  }
  return { drops, excessBytes: Math.max(0, excessBytes) };
}

/** Each signal's days, the oldest first; of one day the largest first. */
function collectDays(parts: readonly StoredPart[]): Drop[] {
  const days = new Map<string, { signal: Signal; day: string; rows: number; bytes: number }>();
  for (const { table, day, rows, bytes } of parts) {
    const signal = signals.find((candidate) => tablesOf[candidate].includes(table));
    if (signal === undefined) continue;
    const key = `${day} ${signal}`;
    const sum = days.get(key) ?? { signal, day, rows: 0, bytes: 0 };
    days.set(key, sum);
    sum.bytes += bytes;
    if (table === tablesOf[signal][0]) sum.rows += rows;
  }
  return [...days.values()]
    .map((day): Drop => ({ ...day, reason: 'age', part: undefined }))
    .sort((a, b) => (a.day === b.day ? b.bytes - a.bytes : a.day < b.day ? -1 : 1));
}

/** Parts of the current day whose rows are all older than an hour, the oldest first: at 50,000 spans a second a day is larger than any disk. */
function collectParts(parts: readonly StoredPart[], today: string, nowMs: number): Drop[] {
  return parts
    .filter(({ day, newestMs }) => day === today && newestMs < nowMs - protectedMs)
    .sort((a, b) => a.newestMs - b.newestMs)
    .flatMap(({ table, name, day, rows, bytes }): Drop[] => {
      const signal = signals.find((candidate) => tablesOf[candidate][0] === table);
      return signal === undefined ? [] : [{ reason: 'bytes', signal, day, part: name, rows, bytes }];
    });
}
