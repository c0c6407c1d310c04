import { describe, expect, it } from 'vitest';
import { type ChartOptions, type ChartSeries, drawChart } from './chart.ts';

const startMs = Date.UTC(2026, 10, 21, 14);
const stepMs = 60_000;

/** A point a minute from 14:00. */
const minutes = (values: readonly number[]): ChartSeries =>
  values.map((value, i) => ({ timeMs: startMs + i * stepMs, value }));
const wave = (count: number, valueAt: (i: number) => number): ChartSeries =>
  minutes(Array.from({ length: count }, (_, i) => valueAt(i)));

const draw = (series: readonly ChartSeries[], more: Partial<ChartOptions> = {}): string[] =>
  drawChart(series, {
    startMs,
    endMs: startMs + 60 * stepMs,
    stepMs,
    width: 44,
    height: 11,
    isUnicode: true,
    paint: (text) => text,
    paintAxis: (text) => text,
    ...more,
  });

describe('a chart', () => {
  it('draws a series in braille, with round values and round times at its axes', () => {
    expect(draw([wave(61, (i) => 50 + 45 * Math.sin(i / 6))])).toEqual([
      '100 ┤      ⣀                      ⢀⣀⡀',
      '    │   ⡠⠊⠉ ⠉⠢⡀                 ⢠⠒⠁ ⠈⠢⡀',
      '    │  ⡰⠁     ⠘⢄               ⡠⠃     ⠈⢆',
      '    │⢀⠔⠁        ⢣             ⡜        ⠈⠢⡀',
      ' 50 ┤⠎          ⠈⢆          ⢀⠜           ⢣',
      '    │             ⢣         ⡎             ⠣⡀',
      '    │              ⠣⡀     ⢀⠜               ⠘',
      '    │               ⠈⢆  ⢀⠔⠁',
      '  0 ┤                 ⠉⠉⠁',
      '    └┬─────────┬────────┬─────────┬────────┬',
      '   14:00     14:15    14:30     14:45  15:00',
    ]);
  });

  it('draws in ASCII where there is nothing else, each series with its own sign', () => {
    const series = [wave(61, (i) => i / 10), wave(61, (i) => 6 - i / 10)];
    expect(draw(series, { isUnicode: false })).toEqual([
      '6 +++++                                 ****',
      '  |   +++++++                     *******',
      '4 +          +++++++       *******',
      '  |                 *+*****',
      '2 +           *******     +++++++',
      '  |    *******                   +++++++',
      '0 +****                                 ++++',
      '  ++---------+---------+---------+---------+',
      ' 14:00     14:15     14:30     14:45   15:00',
    ]);
  });

  it('marks several series with symbols, also where they lie upon each other', () => {
    expect(draw([wave(61, () => 4), wave(61, () => 4), wave(61, (i) => i / 20)])).toEqual([
      '4 ┤⠤⠤⠤⠤●⠤⠤⠤⠤⠤⠤⠤■⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤●⠤⠤⠤⠤⠤⠤⠤■⠤⠤⠤⠤',
      '  │',
      '  │                                      ⣀⠤⠤',
      '  │                               ⣀⡠⠤⠔⠒⠉⠉',
      '2 ┤                        ⢀⡠⠤⠔⠒⠉⠉',
      '  │                 ⢀⣀⠤▲⠒⠊⠉⠁',
      '  │           ⣀⠤⠤⠒⠊⠉⠁',
      '  │    ⣀⡠⠤⠔⠒⠉⠉',
      '0 ┤⠔⠒⠉⠉',
      '  └┬─────────┬─────────┬─────────┬─────────┬',
      ' 14:00     14:15     14:30     14:45   15:00',
    ]);
  });

  it('leaves a gap where there is no sample, and where a value is NaN', () => {
    const values = Array.from({ length: 61 }, (_, i) => (i > 40 && i < 50 ? Number.NaN : 3));
    expect(draw([minutes(values).filter((_, i) => i < 15 || i > 25)], { height: 7 })).toEqual([
      '8 ┤',
      '  │',
      '4 ┤',
      '  │⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉       ⠈⠉⠉⠉⠉⠉⠉⠉⠉⠉⠁      ⠉⠉⠉⠉⠉⠉⠉',
      '0 ┤',
      '  └┬─────────┬─────────┬─────────┬─────────┬',
      ' 14:00     14:15     14:30     14:45   15:00',
    ]);
  });

  it('points with an arrow to where an infinite value is', () => {
    const values = Array.from({ length: 61 }, (_, i) =>
      i === 20 ? Number.POSITIVE_INFINITY : i === 40 ? Number.NEGATIVE_INFINITY : i,
    );
    expect(draw([minutes(values)], { height: 7 })).toEqual([
      '80 ┤             ↑',
      '   │                                 ⢀⣀⣀⣀⠤⠤⠤',
      '40 ┤                    ⢀⣀⣀⡠⠤⠤ ⠒⠒⠒⠊⠉⠉⠁',
      '   │       ⣀⣀⣀⡠⠤⠤ ⠒⠒⠒⠉⠉⠉⠁',
      ' 0 ┤⠔⠒⠒⠒⠉⠉⠉                   ↓',
      '   └┬─────────┬─────────┬────────┬─────────┬',
      '  14:00     14:15     14:30    14:45   15:00',
    ]);
  });

  it('draws a value that does not change in the middle, above zero', () => {
    expect(draw([wave(61, () => 1)], { height: 7 })).toEqual([
      '2 ┤',
      '  │',
      '1 ┤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤',
      '  │',
      '0 ┤',
      '  └┬─────────┬─────────┬─────────┬─────────┬',
      ' 14:00     14:15     14:30     14:45   15:00',
    ]);
    expect(draw([wave(61, () => 0)], { height: 7 })[2]).toMatch(/^ 0 ┤⠤+$/);
  });

  it('draws one point as a symbol, which a dot would not be seen as', () => {
    expect(draw([minutes([5])], { height: 7 })).toEqual([
      '10 ┤',
      '   │',
      ' 5 ┤●',
      '   │',
      ' 0 ┤',
      '   └┬─────────┬─────────┬────────┬─────────┬',
      '  14:00     14:15     14:30    14:45   15:00',
    ]);
    expect(draw([minutes([5])], { height: 7, endMs: startMs })).toEqual([
      '10 ┤',
      '   │',
      ' 5 ┤                    ●',
      '   │',
      ' 0 ┤',
      '   └────────────────────┬───────────────────',
      '                      14:00',
    ]);
  });

  it('draws more points than there are dots, down to the least and up to the largest of a column', () => {
    const points = Array.from({ length: 6_000 }, (_, i) => ({
      timeMs: startMs + i * 600,
      value: i % 2 === 0 ? 0 : 10,
    }));
    const lines = draw([points], { stepMs: 600, height: 7 });
    for (const line of lines.slice(1, 4)) expect(line).toMatch(/┤?│?⣿+$/);
  });

  it('has an empty field, and axes, for no finite value at all', () => {
    const lines = draw([wave(61, () => Number.NaN)], { height: 7 });
    expect(lines.map((line) => line.trim()).slice(0, 5)).toEqual(['1 ┤', '│', '0 ┤', '│', '-1 ┤']);
    expect(draw([], { height: 7 })).toEqual(lines);
  });

  it('stays within its width and height whatever the values are', () => {
    const extremes = [1.7e308, -1.7e308, 5e-324, -5e-324, 1e21, 1e-300, 0, -0, 123456789.123, 1 + 1e-15, 1e300];
    for (const a of extremes) {
      for (const b of extremes) {
        for (const [width, height] of [
          [80, 20],
          [30, 3],
          [12, 60],
        ] as const) {
          const lines = draw([minutes([a, b, (a + b) / 2])], { width, height });
          const title = `${a} and ${b} on ${width} by ${height}`;
          expect(lines.length, title).toBeLessThanOrEqual(Math.max(5, height));
          for (const line of lines) expect(line.length, `${title}: ${line}`).toBeLessThanOrEqual(Math.max(24, width));
          expect(lines.join(''), title).not.toMatch(/NaN|Infinity|undefined/);
          expect(lines.join(''), title).toMatch(/[⠁-⣿●↑↓]/);
        }
      }
    }
  });

  it('colours each run of a series once, and the axes', () => {
    const lines = draw([wave(61, () => 4), wave(61, (i) => i / 20)], {
      height: 7,
      paint: (text, series) => `<${series}:${text}>`,
      paintAxis: (text) => `[${text}]`,
    });
    expect(lines).toEqual([
      '[4 ┤]<0:⠤⠤⠤⠤⠤⠤●⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤●⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤>',
      '[  │]                                  <1:⢀⣀⣀⣀⠤⠤⠤>',
      '[2 ┤]                     <1:⣀⣀⣀⡠⠤⠤⠔⠒⠒⠒⠉⠉⠉⠁>',
      '[  │]       <1:⢀⣀⣀⣀⠤⠤⠤⠒⠒⠒⠊■⠉⠉>',
      '[0 ┤]<1:⠔⠒⠒⠒⠉⠉⠉⠁>',
      '[  └┬─────────┬─────────┬─────────┬─────────┬]',
      '[ 14:00     14:15     14:30     14:45   15:00]',
    ]);
  });
});
