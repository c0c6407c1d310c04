import { describe, expect, it } from 'vitest';
import { createSchedule, delayToFirstTick, delayToNextTick, nearestTick, snapToTick } from './schedule.ts';

const schedule = { intervalMs: 10_000, phaseMs: 3_000 };

describe('schedule', () => {
  it('keeps its phase for the same agent and target, and differs between agents', () => {
    expect(createSchedule(10_000, 'a', '1')).toEqual(createSchedule(10_000, 'a', '1'));
    const phases = new Set(Array.from({ length: 50 }, (_, n) => createSchedule(10_000, 'a', String(n)).phaseMs));
    expect(phases.size).toBeGreaterThan(40);
    for (const phase of phases) expect(phase >= 0 && phase < 10_000).toBe(true);
  });

  it('waits for the next moment of its phase in absolute time', () => {
    expect(delayToFirstTick(schedule, 100_000)).toBe(3_000);
    expect(delayToFirstTick(schedule, 103_000)).toBe(10_000);
    expect(delayToFirstTick(schedule, 104_000)).toBe(9_000);
  });

  it('comes back to the tick after a late start', () => {
    expect(delayToNextTick(schedule, 103_000, 500)).toBe(9_500);
    expect(delayToNextTick(schedule, 103_004, 500)).toBe(9_496);
    expect(delayToNextTick(schedule, 102_999, 500)).toBe(9_501);
  });

  it('skips ticks that passed while a scrape ran', () => {
    expect(delayToNextTick(schedule, 103_000, 10_000)).toBe(10_000);
    expect(delayToNextTick(schedule, 103_000, 25_000)).toBe(5_000);
  });

  it('shifts by at most half an interval when the clock jumps by any amount', () => {
    for (const jumpMs of [-3_600_000, 3_600_000, 315_360_000_000 + 1_234, -315_360_000_000 - 4_999, 5_000]) {
      const delayMs = delayToNextTick(schedule, 1_700_000_003_000 + jumpMs, 100);
      expect(delayMs).toBeGreaterThan(4_800);
      expect(delayMs).toBeLessThan(15_000);
      expect((1_700_000_003_000 + jumpMs + 100 + delayMs) % 10_000).toBe(3_000);
    }
  });

  it('snaps to the tick within 2 ms or 1 % of the interval and leaves other times alone', () => {
    expect(snapToTick(schedule, 103_002)).toBe(103_000);
    expect(snapToTick(schedule, 102_998)).toBe(103_000);
    expect(snapToTick(schedule, 103_003)).toBe(103_003);
    expect(snapToTick({ intervalMs: 100, phaseMs: 0 }, 1_002)).toBe(1_002);
    expect(snapToTick({ intervalMs: 100, phaseMs: 0 }, 1_001)).toBe(1_000);
    expect(nearestTick(schedule, 107_000)).toBe(103_000);
  });
});
