import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { repeatedBytes, writeRepeated } from './repeated-values.ts';
import { formatTimestamp, formatValue, timestampBytes, valueBytes, writeTimestamp, writeValue } from './value-text.ts';

const seed = 23;
const random = createRandom(seed);
const below = (bound: number): number => Math.floor(random() * bound);

const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);
const ofBits = (high: number, low: number): number => {
  words[1] = high;
  words[0] = low;
  return doubles[0] ?? 0;
};
const neighbour = (value: number, steps: number): number => {
  doubles[0] = value;
  return ofBits(words[1] ?? 0, ((words[0] ?? 0) + steps) >>> 0);
};

/** Kinds of doubles, each hard in a way of its own. */
const kinds: Readonly<Record<string, () => number>> = {
  'any bits': () => ofBits(below(2 ** 32), below(2 ** 32)),
  'any bits from 1e-7 to 1e17': () => ofBits(((1023 - 24 + below(82)) << 20) | below(2 ** 20), below(2 ** 32)),
  'few bits': () => ofBits(((1023 - 24 + below(82)) << 20) | (below(2 ** 8) << 12), below(16) << 28),
  'neighbours of round numbers': () => neighbour(10 ** (below(24) - 7) * (1 + below(9)), below(9) - 4),
  'neighbours of powers of two': () => neighbour(2 ** (below(76) - 22), below(5) - 2),
  decimals: () => below(10 ** (1 + below(15))) / 10 ** below(14),
  rates: () => (below(4000) * (300 / 285)) / 300,
  'whole numbers': () => Math.floor((below(2 ** 32) * 2 ** 21) / 2 ** below(40)),
};

const special = [0, -0, 1, 9, 10, 99, 100, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 1e15, 1e16, 1e21, 1e-6, 1e-7, 5e-324];
const infinite = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MAX_VALUE];
const smallAndLong = -0.0000012345678901234567;

describe('the bytes of a value', () => {
  const buffer = Buffer.alloc(valueBytes + 10, '#');
  const written = (value: number): string => buffer.toString('latin1', 3, writeValue(buffer, 3, value));

  it.each(Object.entries(kinds))('are its text: %s', (_, draw) => {
    for (let i = 0; i < 20_000; i++) {
      const value = below(2) === 0 ? draw() : -draw();
      const text = formatValue(value);
      if (written(value) !== text) expect(`${written(value)}, seed ${seed}`).toBe(text);
    }
  });

  it.each([...special, ...infinite, smallAndLong])('are its text: %d', (value) => {
    expect(written(value)).toBe(formatValue(value));
    expect(written(-value)).toBe(formatValue(-value));
  });

  it('are written within their bound', () => {
    expect(written(smallAndLong)).toHaveLength(valueBytes);
    expect(buffer.toString('latin1', 3 + valueBytes)).toBe('#######');
  });
});

describe('the bytes of a value that came before', () => {
  const buffer = Buffer.alloc(3 + repeatedBytes + valueBytes);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);

  it('are its text, however often others came in between', () => {
    const drawn = Object.values(kinds).flatMap((draw) => Array.from({ length: 300 }, draw));
    const values = [...drawn, ...special, ...infinite, smallAndLong];
    for (let i = 0; i < 100_000; i++) {
      // First many different ones, so that the memory pauses, then few.
      const value = values[below(i < 20_000 ? values.length : 40)] ?? 0;
      const text = buffer.toString('latin1', 3, writeRepeated(view, buffer, 3, value));
      if (text !== formatValue(value)) expect(`${text}, seed ${seed}`).toBe(formatValue(value));
    }
  });
});

describe('the bytes of a time', () => {
  const buffer = Buffer.alloc(timestampBytes);
  it.each([0, 1, 10, 999, 1000, 1050, 1_435_781_451_781, 1_435_781_451_700, 2 ** 32 * 1000, 8.64e15, -1, -8.64e15 + 1])(
    'are its text: %d ms',
    (timestampMs) => {
      const end = writeTimestamp(buffer, 0, timestampMs);
      expect(buffer.toString('latin1', 0, end)).toBe(formatTimestamp(timestampMs));
    },
  );
});
