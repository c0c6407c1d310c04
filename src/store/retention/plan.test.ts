import { describe, expect, it } from 'vitest';
import { planDrops, type RetentionLimits, type StoredPart } from './plan.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const dayMs = 86_400_000;
const week: RetentionLimits = {
  ageMs: { spans: 7 * dayMs, samples: 7 * dayMs, logs: 'forever' },
  maxBytes: 'none',
};
const part = (table: string, day: string, bytes = 10, newest = `${day}T23:59:00Z`): StoredPart => ({
  table,
  name: `${table}_${day}`,
  day,
  rows: 1,
  bytes,
  newestMs: Date.parse(newest),
});
const named = ({ drops }: ReturnType<typeof planDrops>) =>
  drops.map(({ reason, signal, day, part: one }) => `${reason} ${signal} ${one ?? day}`);

describe('planDrops', () => {
  it('drops a day once its last moment is older than the signal is kept', () => {
    const parts = [
      part('spans', '2026-11-13'),
      part('spans', '2026-11-14'),
      part('samples', '2026-11-13'),
      part('logs', '2020-01-01'),
    ];
    expect(named(planDrops(parts, week, nowMs))).toEqual(['age spans 2026-11-13', 'age samples 2026-11-13']);
    expect(named(planDrops(parts, week, nowMs + dayMs / 2))).toContain('age spans 2026-11-14');
  });

  it('drops the oldest days of whatever signal until the rest is within the cap', () => {
    const parts = [
      part('logs', '2026-11-18', 5),
      part('spans', '2026-11-19', 40),
      part('rollup_edges', '2026-11-19', 2),
      part('samples', '2026-11-20', 50),
      part('spans', '2026-11-21', 30),
    ];
    expect(named(planDrops(parts, { ...week, maxBytes: 127 }, nowMs))).toEqual([]);
    expect(named(planDrops(parts, { ...week, maxBytes: 125 }, nowMs))).toEqual(['bytes logs 2026-11-18']);
    expect(named(planDrops(parts, { ...week, maxBytes: 121 }, nowMs))).toEqual([
      'bytes logs 2026-11-18',
      'bytes spans 2026-11-19',
    ]);
  });

  it('counts what goes by age before it takes anything for its size', () => {
    const parts = [part('spans', '2026-11-01', 90), part('spans', '2026-11-20', 20)];
    expect(named(planDrops(parts, { ...week, maxBytes: 20 }, nowMs))).toEqual(['age spans 2026-11-01']);
  });

  it('takes of the current day only parts that are older than an hour, and says what is left above the cap', () => {
    const parts = [
      part('spans', '2026-11-21', 60, '2026-11-21T10:00:00Z'),
      part('spans', '2026-11-21', 70, '2026-11-21T11:30:00Z'),
    ];
    const plan = planDrops(parts, { ...week, maxBytes: 50 }, nowMs);
    expect(named(plan)).toEqual(['bytes spans spans_2026-11-21']);
    expect(plan.excessBytes).toBe(20);
  });
});
