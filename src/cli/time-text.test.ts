import { describe, expect, it } from 'vitest';
import { durationText, momentText, parseDurationUs, parseMomentMs, shortDuration } from './time-text.ts';

describe('durations', () => {
  it.each([
    ['200ms', 200_000],
    ['1.5s', 1_500_000],
    ['250us', 250],
    ['250µs', 250],
    ['1h30m', 5_400_000_000],
    ['7d', 604_800_000_000],
    [' 2S ', 2_000_000],
    ['0s', 0],
  ])('are read: %s', (text, us) => {
    expect(parseDurationUs(text)).toBe(us);
  });

  it.each(['', '5', 'ms', '-1s', '1 s', '1h ago', '1e3ms', '99999999999999999w', '1..5s'])(
    'are refused: "%s"',
    (text) => {
      expect(parseDurationUs(text)).toBeUndefined();
    },
  );

  it.each([
    [undefined, '-'],
    [0, '0 µs'],
    [850, '850 µs'],
    [1_234, '1.23 ms'],
    [12_345, '12.3 ms'],
    [999_949, '999.9 ms'],
    [999_950, '1.00 s'],
    [9_995_000, '10.0 s'],
    [59_994_999, '60.0 s'],
    [187_000_000, '3 m 07 s'],
    [3_599_700_000, '1 h 00 m'],
    [90_000_000_000, '25 h 00 m'],
    [864_000_000_000, '10 d'],
    [-5_000, '-5.00 ms'],
  ])('are written: %s', (us, text) => {
    expect(durationText(us)).toBe(text);
  });

  it.each([200_000, 1_500_000, 250, 90_000_000, 3_600_000_000, 172_800_000_000, 1_234_567])(
    'are written as an option that means the same: %s',
    (us) => {
      expect(parseDurationUs(shortDuration(us)), shortDuration(us)).toBe(us);
    },
  );
});

describe('moments', () => {
  const nowMs = Date.UTC(2026, 10, 21, 15);

  it.each([
    ['2026-11-21T14:00', Date.UTC(2026, 10, 21, 14)],
    ['2026-11-21 14:00:30.5', Date.UTC(2026, 10, 21, 14, 0, 30, 500)],
    ['2026-11-21T14:00:00+02:00', Date.UTC(2026, 10, 21, 12)],
    ['2026-11-21', Date.UTC(2026, 10, 21)],
    ['1h', Date.UTC(2026, 10, 21, 14)],
  ])('are read: %s', (text, ms) => {
    expect(parseMomentMs(text, nowMs)).toBe(ms);
  });

  it.each(['yesterday', '14:00', '2026-13-01', '2026-11-21T25:00'])('are refused: %s', (text) => {
    expect(parseMomentMs(text, nowMs)).toBeUndefined();
  });

  it('are written in UTC, and one that no calendar has is none', () => {
    expect(momentText(1_795_270_987_123_456)).toBe('2026-11-21 14:23:07.123');
    expect(momentText(9e18)).toBe('-');
    expect(momentText(undefined)).toBe('-');
  });
});
