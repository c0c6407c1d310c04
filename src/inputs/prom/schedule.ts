/** When a target is scraped: at one fixed place within each interval of absolute time, so that restarts keep it and replicas differ. */
import { createHash } from 'node:crypto';

export interface Schedule {
  readonly intervalMs: number;
  /** 0 to `intervalMs` - 1; ticks are the moments t with t mod interval = phase. */
  readonly phaseMs: number;
}

/** Prometheus snaps within 2 ms, because constant deltas compress much better; but never by more than 1 % of the interval. */
const snapToleranceMs = 2;

/** The schedule of the target that `identity` names, for the agent whose own number is `agentNumber`. */
export function createSchedule(intervalMs: number, identity: string, agentNumber: string): Schedule {
  const digest = createHash('sha256').update(agentNumber).update('\n').update(identity).digest();
  return { intervalMs, phaseMs: digest.readUIntBE(0, 6) % intervalMs };
}

/** The tick nearest to a moment. */
export function nearestTick(schedule: Schedule, wallMs: number): number {
  const { intervalMs, phaseMs } = schedule;
  return Math.round((wallMs - phaseMs) / intervalMs) * intervalMs + phaseMs;
}

/** How long from `wallMs` to the first tick after it. */
export function delayToFirstTick(schedule: Schedule, wallMs: number): number {
  const { intervalMs, phaseMs } = schedule;
  return (Math.floor((wallMs - phaseMs) / intervalMs) + 1) * intervalMs + phaseMs - wallMs;
}

/**
 * How long from a scrape that began at `startedWallMs`, `elapsedMs` ago, to the next. Ticks that passed meanwhile are skipped. Only the
 * wall time of the start is looked at, so that a clock that jumps shifts the next scrape by half an interval at most.
 */
export function delayToNextTick(schedule: Schedule, startedWallMs: number, elapsedMs: number): number {
  const { intervalMs } = schedule;
  const untilNextMs = nearestTick(schedule, startedWallMs + intervalMs) - startedWallMs - elapsedMs;
  if (untilNextMs > 0) return untilNextMs;
  return untilNextMs + (Math.floor(-untilNextMs / intervalMs) + 1) * intervalMs;
}

/** The timestamp of a scrape that began at `wallMs`: the tick's own, if it is near enough. */
export function snapToTick(schedule: Schedule, wallMs: number): number {
  const tickMs = nearestTick(schedule, wallMs);
  const toleranceMs = Math.min(snapToleranceMs, schedule.intervalMs / 100);
  return Math.abs(tickMs - wallMs) <= toleranceMs ? tickMs : wallMs;
}
