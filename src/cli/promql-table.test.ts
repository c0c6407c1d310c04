import { describe, expect, it } from 'vitest';
import { alignNumbers, drawData } from './promql-table.ts';
import { screenOf } from './screen.ts';

const screen = screenOf({ environment: { LANG: 'C.UTF-8' }, out: () => undefined, error: () => undefined }, 200);

describe('numbers one below the other', () => {
  it('have their points in a column', () => {
    expect(alignNumbers(['1', '12.25', '1e+21', 'NaN', '+Inf', '-0.5'])).toEqual([
      '   1    ',
      '  12.25 ',
      '   1e+21',
      ' NaN    ',
      '+Inf    ',
      '  -0.5  ',
    ]);
  });

  it('are merely right-aligned where the column would be mostly blanks', () => {
    expect(alignNumbers(['123456789012345', '0.1234567890123456'])).toEqual([
      '   123456789012345',
      '0.1234567890123456',
    ]);
  });
});

describe('a table of series', () => {
  it('may have more lines than a call may have arguments', () => {
    const sample = { timeMs: 0, text: '0.5' };
    const series = Array.from({ length: 150_000 }, (_, i) => ({ metric: { i: String(i) }, samples: [sample] }));
    const lines = drawData({ kind: 'vector', series }, screen);
    expect(lines).toHaveLength(150_001);
    expect(lines.at(-1)).toBe('149999    0.5');
  });
});
