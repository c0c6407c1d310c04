import { describe, expect, it } from 'vitest';
import { readArguments, UsageError } from './command.ts';
import { readTimes, stepFor } from './promql-times.ts';
import { queryPromql } from './query-promql.ts';

const nowMs = Date.UTC(2026, 10, 21, 15);
const at = (text: string) => Date.parse(`2026-11-21T${text}Z`);
const read = (...argv: string[]) => readTimes(readArguments(queryPromql, ['up', ...argv]), nowMs, 140);

describe('the times of a query', () => {
  it('are a moment unless something of a range is said', () => {
    expect(read()).toEqual({ kind: 'instant', timeMs: nowMs });
    expect(read('--time', '2026-11-21T14:00')).toEqual({ kind: 'instant', timeMs: at('14:00') });
    expect(read('--time', '1h')).toEqual({ kind: 'instant', timeMs: at('14:00') });
    expect(read('--time', '1795269600.5')).toEqual({ kind: 'instant', timeMs: 1_795_269_600_500 });
  });

  it('are a range that ends now, or then, with a round step that the chart has room for', () => {
    expect(read('--range', '1h')).toEqual({ kind: 'range', startMs: at('14:00'), endMs: nowMs, stepMs: 30_000 });
    const range = { kind: 'range', startMs: at('13:00'), endMs: at('13:30') };
    expect(read('--range', '30m', '--end', '2026-11-21T13:30')).toEqual({ ...range, stepMs: 15_000 });
    expect(read('--range', '30m', '--time', '2026-11-21T13:30')).toEqual({ ...range, stepMs: 15_000 });
    expect(read('--start', '2h', '--end', '90m', '--step', '1m')).toEqual({ ...range, stepMs: 60_000 });
    expect(read('--start', '2h', '--end', '90m', '--step', '7.5')).toEqual({ ...range, stepMs: 7_500 });
  });

  it('are refused where they make no sense, with what does', () => {
    const refused: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
      [['--step', '1m'], /--step is of a range; say where it begins with --range 1h or --start TIME/],
      [['--end', '1h'], /--end is of a range/],
      [['--range', '1h', '--start', '2h'], /one of them is enough/],
      [['--start', '1h', '--end', '2h'], /--start is after --end/],
      [['--range', 'long'], /--range long is no duration; write it as 15s, 5m or 1h/],
      [['--range', '1h', '--step', '0s'], /--step 0s is no duration/],
      [['--time', 'noon'], /--time noon is no time; write it as 2026-11-21T14:00/],
      [['--range', '1d', '--step', '1s'], /more than 11000 points of this range; try --step 10s or more/],
    ];
    for (const [argv, message] of refused) {
      expect(() => read(...argv), argv.join(' ')).toThrow(UsageError);
      expect(() => read(...argv), argv.join(' ')).toThrow(message);
    }
  });

  it('have a step for every length of a range', () => {
    expect([0, 60_000, 86_400_000, 30 * 86_400_000, 3_650 * 86_400_000].map((ms) => stepFor(ms, 140) / 1000)).toEqual([
      1, 1, 900, 21_600, 2_332_800,
    ]);
  });
});
