import { describe, expect, it } from 'vitest';
import { createPageReader, findFamily } from './page.ts';

describe('page', () => {
  it("finds a sample's family by the TYPE lines", () => {
    const metadata = new Map([
      ['h', { type: 'histogram', help: undefined } as const],
      ['s', { type: 'summary', help: undefined } as const],
      ['c_count', { type: 'counter', help: undefined } as const],
    ]);
    expect(findFamily('h_bucket', metadata)).toEqual({ family: 'h', type: 'histogram' });
    expect(findFamily('s_sum', metadata)).toEqual({ family: 's', type: 'summary' });
    expect(findFamily('s_bucket', metadata)).toEqual({ family: 's_bucket', type: 'untyped' });
    expect(findFamily('c_count', metadata)).toEqual({ family: 'c_count', type: 'counter' });
    expect(findFamily('x_count', metadata)).toEqual({ family: 'x_count', type: 'untyped' });
  });

  it('hands out the same object for the same text, and another once the types change', () => {
    const read = createPageReader();
    const page = Buffer.from('# TYPE a counter\na{x="1"} 1\nb 2\n');
    const [first] = read(page);
    const [second] = read(page);
    expect(second?.series).toBe(first?.series);
    expect(first?.series).toMatchObject({ name: 'a', family: 'a', type: 'counter' });
    const [third] = read(Buffer.from('# TYPE a gauge\na{x="1"} 1\nb 2\n'));
    expect(third?.series.type).toBe('gauge');
  });
});
