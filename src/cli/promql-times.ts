/** When a query is asked for: at a moment, or over a range, as options say it. */
import { harmless } from './cells.ts';
import { type Arguments, UsageError } from './command.ts';
import { parseDurationUs, parseMomentMs } from './time-text.ts';

export type QueryTimes =
  | { readonly kind: 'instant'; readonly timeMs: number }
  | { readonly kind: 'range'; readonly startMs: number; readonly endMs: number; readonly stepMs: number };

/** Prometheus and agents refuse more. */
const mostPoints = 11_000;
const leastStepMs = 1_000;

const roundStepsMs: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800].map((seconds) => seconds * 1_000),
  ...[1, 2, 3, 6, 12, 24, 48, 120, 240].map((hours) => hours * 3_600_000),
];

/** Reads the times of a query; a range has about `points` of them unless a step is given. Throws a UsageError. */
export function readTimes(args: Arguments, nowMs: number, points: number): QueryTimes {
  const given = (name: string) => args.text(name) !== undefined;
  const ofRange = ['range', 'start', 'end', 'step'].find(given);
  if (ofRange === undefined) return { kind: 'instant', timeMs: momentOf(args, 'time', nowMs) ?? nowMs };
  if (given('range') && given('start'))
    throw new UsageError('--range and --start both say where a range begins; one of them is enough');
  if (given('time') && given('end'))
    throw new UsageError('--time and --end both say where a range ends; one of them is enough');
  const endMs = momentOf(args, 'end', nowMs) ?? momentOf(args, 'time', nowMs) ?? nowMs;
  if (!given('range') && !given('start'))
    throw new UsageError(`--${ofRange} is of a range; say where it begins with --range 1h or --start TIME`);
  const startMs = momentOf(args, 'start', nowMs) ?? endMs - (durationOf(args, 'range') ?? 0);
  if (startMs > endMs) throw new UsageError('--start is after --end, or after now');
  const stepMs = durationOf(args, 'step') ?? stepFor(endMs - startMs, points);
  if ((endMs - startMs) / stepMs > mostPoints) {
    const least = stepFor(endMs - startMs, mostPoints);
    throw new UsageError(
      `--step ${harmless(args.text('step') ?? '')} makes more than ${mostPoints} points of this range; try --step ${least / 1000}s or more`,
    );
  }
  return { kind: 'range', startMs, endMs, stepMs };
}

/** A round step that makes no more than `points` points. */
export function stepFor(spanMs: number, points: number): number {
  const needed = Math.max(leastStepMs, spanMs / Math.max(1, points));
  return roundStepsMs.find((stepMs) => stepMs >= needed) ?? Math.ceil(needed / 86_400_000) * 86_400_000;
}

function momentOf(args: Arguments, name: string, nowMs: number): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  // What answers of the API have, to be copied: seconds since 1970.
  const seconds = /^\d{9,11}(?:\.\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : undefined;
  const ms = seconds ?? (text === 'now' ? nowMs : parseMomentMs(text, nowMs));
  if (ms === undefined)
    throw new UsageError(
      `--${name} ${harmless(text)} is no time; write it as 2026-11-21T14:00 (UTC), or as 1h for an hour ago`,
    );
  return ms;
}

function durationOf(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  // Grafana and the API say seconds as a bare number.
  const us = parseDurationUs(/^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text);
  if (us === undefined || us < 1_000)
    throw new UsageError(`--${name} ${harmless(text)} is no duration; write it as 15s, 5m or 1h`);
  return Math.round(us / 1_000);
}
