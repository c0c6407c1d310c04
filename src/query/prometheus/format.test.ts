import { describe, expect, it } from 'vitest';
import type { GridSeries } from '../promql/value.ts';
import { formatChunks } from './format.ts';
import { formatTimestamp, formatValue } from './value-text.ts';

const seed = 11;
let state = seed;
const random = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

const odd = [
  Number.NaN,
  -0,
  0,
  9,
  10,
  99,
  100,
  2 ** 32 - 1,
  2 ** 32,
  -1,
  1e21,
  1e-7,
  -2.2250738585072014e-308,
  Infinity,
];
const randomValue = (): number =>
  [odd[random(odd.length)] ?? 0, random(10 ** random(10)), random(2 ** 31) / 10 ** random(12), -random(1000)][
    random(4)
  ] ?? 0;

function randomSeries(index: number, count: number): GridSeries {
  const often = random(3);
  return {
    labels: [['i"', `${index}\u00e4\ud83d\ude00`]],
    values: Float64Array.from({ length: count }, randomValue),
    isPresent: Uint8Array.from({ length: count }, () => (random(often + 1) > 0 || often === 2 ? 1 : 0)),
  };
}

/** One point after the other, as plainly as can be. */
function plainly(series: readonly GridSeries[], startMs: number, stepMs: number): string {
  const items = series.map(({ labels, values, isPresent }) => {
    const points = [...values].flatMap((value, i) =>
      isPresent[i] === 1 ? [`[${formatTimestamp(startMs + i * stepMs)},"${formatValue(value)}"]`] : [],
    );
    return `{"metric":${JSON.stringify(Object.fromEntries(labels))},"values":[${points.join(',')}]}`;
  });
  return `{"resultType":"matrix","result":[${items.join(',')}]}`;
}

describe('an answer in chunks', () => {
  it.each([
    [0, 1000],
    [-8_640_000_000_000_000, 1_728_000_000_000],
    [-5_000_500, 250],
    [1_435_781_451_781, 15_000],
  ])('is what would be written point by point, from %d ms in steps of %d', (startMs, stepMs) => {
    const count = 10_000;
    const series = Array.from({ length: 5 }, (_, i) => randomSeries(i, count));
    const grid = { startMs, stepMs, count };
    const chunks = [...formatChunks({ value: { kind: 'vector', series }, grid, before: '', more: '', after: '' })];
    const text = Buffer.concat(chunks).toString();
    expect(text === plainly(series, startMs, stepMs), `seed ${seed}`).toBe(true);
    expect(chunks.length).toBeGreaterThan(1);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(1024 * 1024);
  });

  it('is one chunk where it is small, with what stands around its data', () => {
    const value = { kind: 'scalar' as const, values: Float64Array.of(1) };
    const grid = { startMs: 0, stepMs: 0, count: 1 };
    const chunks = [...formatChunks({ value, grid, before: '{"data":', more: ',"stats":{}', after: '}' })];
    expect(chunks.map(String)).toEqual(['{"data":{"resultType":"scalar","result":[0,"1"],"stats":{}}}']);
  });
});
