import { describe, expect, it } from 'vitest';
import { shortNumber, timeTicks, valueAxis } from './chart-axis.ts';

const ticks = (values: readonly number[], rows = 17) => valueAxis(values, rows).ticks.map(({ text }) => text);

describe('the axis of values', () => {
  it('has round numbers around the values', () => {
    expect(ticks([3, 9.4])).toEqual(['0', '2', '4', '6', '8', '10']);
    expect(ticks([12_000, 96_000])).toEqual(['0', '20k', '40k', '60k', '80k', '100k']);
    expect(ticks([997e6, 999e6])).toEqual(['997.0M', '997.5M', '998.0M', '998.5M', '999.0M']);
    expect(ticks([0.0012, 0.0031])).toEqual(['0', '0.001', '0.002', '0.003', '0.004']);
    expect(ticks([-3, 4])).toEqual(['-4', '-2', '0', '2', '4']);
    expect(ticks([1e-7, 3e-7])).toEqual(['0', '1e-07', '2e-07', '3e-07']);
  });

  it('begins at zero unless the values are far from it for their difference', () => {
    expect(ticks([4, 10])[0]).toBe('0');
    expect(ticks([95, 100])[0]).not.toBe('0');
    expect(ticks([-10, -4]).at(-1)).toBe('0');
  });

  it('writes large numbers in full where a unit would hide their difference', () => {
    expect(ticks([1_763_742_000, 1_763_745_600], 9)).toEqual(['1763742000', '1763744000', '1763746000']);
  });

  it('has fewer ticks on fewer lines', () => {
    expect(ticks([0, 100], 3)).toEqual(['0', '100']);
    expect(ticks([0, 100], 9)).toEqual(['0', '50', '100']);
    expect(ticks([0, 100], 30)).toEqual(['0', '20', '40', '60', '80', '100']);
  });
});

describe('the axis of time', () => {
  const at = (text: string) => Date.parse(`2026-11-${text}Z`);
  const texts = (start: string, end: string, columns = 72) =>
    timeTicks(at(start), at(end), columns).map(({ text }) => text);

  it('has round times, as precise as their distance', () => {
    expect(texts('21T14:03:07', '21T15:03:07')).toEqual(['14:10', '14:20', '14:30', '14:40', '14:50', '15:00']);
    expect(texts('21T14:03:07', '21T14:04:07')).toEqual([
      '14:03:10',
      '14:03:20',
      '14:03:30',
      '14:03:40',
      '14:03:50',
      '14:04:00',
    ]);
    expect(texts('21T14:03:07', '21T14:03:08')).toEqual(['14:03:07.000', '14:03:07.500', '14:03:08.000']);
    expect(texts('01T00:00', '29T00:00')).toEqual(['11-03', '11-08', '11-13', '11-18', '11-23', '11-28']);
  });

  it('shows the date where a day begins', () => {
    expect(texts('20T15:00', '21T14:00')).toEqual([
      '15:00',
      '18:00',
      '21:00',
      '11-21',
      '03:00',
      '06:00',
      '09:00',
      '12:00',
    ]);
  });

  it('has as many as there is room for, and one at least', () => {
    expect(texts('21T14:03:07', '21T15:03:07', 30)).toEqual(['14:30', '15:00']);
    expect(texts('21T14:03:07', '21T15:03:07', 4)).toHaveLength(1);
    expect(texts('21T14:03:07', '21T14:03:07')).toEqual(['14:03:07']);
    expect(timeTicks(0, 8.64e15, 72).length).toBeGreaterThan(0);
  });
});

describe('a number for a person', () => {
  it('has four digits and a unit', () => {
    const written = [0, 1, -12.5, 1 / 3, 1234, 9999, 12_345, 999_960, 997_899_158.136, 1e21, 1.23456e-7, -0].map(
      shortNumber,
    );
    expect(written).toEqual([
      '0',
      '1',
      '-12.5',
      '0.3333',
      '1234',
      '9999',
      '12.35k',
      '1M',
      '997.9M',
      '1e+21',
      '1.235e-07',
      '0',
    ]);
    expect([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(shortNumber)).toEqual([
      'NaN',
      '+Inf',
      '-Inf',
    ]);
  });
});
