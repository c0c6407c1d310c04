import { describe, expect, it } from 'vitest';
import { canReadGrid, decodeGrids, type GridSelection } from './grids.ts';

/** A row as the engine writes it. */
function row(id: bigint, isUnusual: boolean, cells: readonly (number | undefined)[]): Buffer {
  const head = Buffer.alloc(9);
  head.writeBigUInt64LE(id);
  head[8] = isUnusual ? 1 : 0;
  const size = cells.length < 128 ? [cells.length] : [(cells.length & 127) | 128, cells.length >> 7];
  const parts = cells.map((cell) => {
    const bytes = Buffer.alloc(cell === undefined ? 1 : 9, cell === undefined ? 1 : 0);
    if (cell !== undefined) bytes.writeDoubleLE(cell, 1);
    return bytes;
  });
  return Buffer.concat([head, Buffer.from(size), ...parts]);
}

function decoded(bytes: Buffer, count: number) {
  const steps = decodeGrids(bytes, count);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

describe('rows of a grid', () => {
  it('are cut into values and gaps; what is empty or unusual is told apart', () => {
    const bytes = Buffer.concat([
      row(1n, false, [1, undefined, 3]),
      row(2n, false, [undefined, undefined, undefined]),
      row(0xffff_ffff_0000_0003n, true, [4, 5, 6]),
      row(4n, false, [undefined, -0.5, undefined]),
    ]);
    const { ids, cells, unusual } = decoded(bytes, 3);
    expect(ids).toEqual([
      { low: 1, high: 0 },
      { low: 4, high: 0 },
    ]);
    expect(unusual).toEqual([{ low: 3, high: -1 }]);
    expect(cells.map(({ values, isPresent }) => [[...values], [...isPresent]])).toEqual([
      [
        [1, 0, 3],
        [1, 0, 1],
      ],
      [
        [0, -0.5, 0],
        [0, 1, 0],
      ],
    ]);
  });

  it('may be longer than one piece of memory', () => {
    const long = Array.from({ length: 11_000 }, (_, i) => (i % 3 === 0 ? undefined : i));
    const { cells } = decoded(Buffer.concat([row(1n, false, long), row(2n, false, long)]), 11_000);
    for (const { values, isPresent } of cells) {
      expect(
        long.findIndex((cell, i) => (cell ?? 0) !== values[i] || (cell === undefined ? 0 : 1) !== isPresent[i]),
      ).toBe(-1);
    }
    expect(cells).toHaveLength(2);
  });
});

describe('a grid that the engine can hold', () => {
  const grid: GridSelection = {
    matchers: [],
    function: 'Rate',
    startMs: 1_736_938_800_001,
    stepMs: 15_000,
    count: 241,
    rangeMs: 300_000,
    takesMarkers: false,
  };

  it.each<[string, Partial<GridSelection>, boolean]>([
    ['of an hour', {}, true],
    ['before 1970', { startMs: 200_000 }, false],
    ['beyond the year 2096', { stepMs: 86_400_000_000 }, false],
    ['whose range is longer than time', { rangeMs: 86_400_000_000_000 }, false],
    ['of a fraction of a millisecond', { rangeMs: 0.5 }, false],
  ])('is one %s: %j', (_what, other, isHeld) => {
    expect(canReadGrid({ ...grid, ...other })).toBe(isHeld);
  });
});
