import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { createSeries, type Sample } from '../../model/sample.ts';
import { createKnownSeries } from '../intake/known-series.ts';
import { createSampleEncoder, dayOf, sampleColumns } from './samples.ts';

const signal = () => AbortSignal.timeout(20_000);
const staleBits = 0x7ff0000000000002n;
const nanBits = 0x7ff8000000000001n;
const dayMs = 86_400_000;

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
}, 60_000);
afterAll(() => store.stop());

const scratch = Buffer.alloc(8);
function bitsOf({ value, isStale }: Sample): bigint {
  if (isStale) return staleBits;
  if (Number.isNaN(value)) return nanBits;
  scratch.writeDoubleLE(value);
  return scratch.readBigUInt64LE();
}

/** Numbers as they come: counters, decimals, measured doubles, extremes; and any pattern of bits. */
function randomValue(random: () => number): number {
  const kind = Math.floor(random() * 8);
  if (kind === 0) return Math.floor(random() * 1e6);
  if (kind === 1) return Number((random() * 1000 - 500).toFixed(Math.floor(random() * 8)));
  if (kind === 2) return random() * 10 ** Math.floor(random() * 40 - 20);
  if (kind === 3) return Math.floor(random() * 2 ** 60) * (random() < 0.5 ? -1 : 1);
  if (kind === 4)
    return (
      [0, -0, 5e-324, -5e-324, 1.7976931348623157e308, 2 ** 53, -(2 ** 53), 0.1 + 0.2][Math.floor(random() * 8)] ?? 0
    );
  if (kind === 5)
    return [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][Math.floor(random() * 3)] ?? 0;
  scratch.writeUInt32LE(Math.floor(random() * 2 ** 32), 0);
  scratch.writeUInt32LE(Math.floor(random() * 2 ** 32), 4);
  return kind === 6 ? scratch.readDoubleLE() : Number((random() * 1e9).toPrecision(15));
}

describe('samples as rows', () => {
  it('come back from the store with every bit of their values, whatever came before them in their series', async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const items = Array.from({ length: 40 }, (_, i) => ({
      series: createSeries([
        ['__name__', i % 3 === 0 ? '' : `bits_${i % 7}`],
        ['i', String(i)],
      ]),
      samples: Array.from({ length: 500 }, (_, at): Sample => {
        const isStale = random() < 0.02;
        return { timestampMs: at * 15_000, value: isStale ? Number.NaN : randomValue(random), isStale };
      }),
    }));
    const names = sampleColumns.map(([name]) => name).join(', ');
    const structure = sampleColumns.map(([name, type]) => `${name} ${type.replaceAll("'", "\\'")}`).join(', ');
    await store.client.insert({
      sql: `INSERT INTO samples (${names}, seg) SELECT ${names}, 1 FROM input('${structure}')`,
      body: createSampleEncoder().samples(items),
      deduplicationToken: 'bits',
      signal: signal(),
    });
    await store.client.command({ sql: 'OPTIMIZE TABLE samples FINAL', signal: signal() });
    const bytes = await store.client.bytes({
      sql: 'SELECT v FROM samples ORDER BY id, ts',
      format: 'RowBinary',
      signal: signal(),
    });
    expect(bytes.length, `seed ${seed}`).toBe(40 * 500 * 8);
    const stored = new Set<string>();
    for (let i = 0; i < 40; i++) stored.add(bytes.subarray(i * 4000, (i + 1) * 4000).toString('hex'));
    const sent = items.map(({ samples }) => {
      const all = Buffer.alloc(4000);
      samples.forEach((sample, i) => {
        all.writeBigUInt64LE(bitsOf(sample), 8 * i);
      });
      return all.toString('hex');
    });
    expect(stored, `seed ${seed}`).toEqual(new Set(sent));
  });
});

describe('series that have been written', () => {
  const item = (labels: Record<string, string>, ...days: number[]) => ({
    series: createSeries(Object.entries(labels)),
    samples: days.map((day): Sample => ({ timestampMs: day * dayMs + 5, value: 1, isStale: false })),
  });
  const daysOf = (rows: readonly { firstDay?: number; lastDay: number }[]) =>
    rows.map(({ firstDay, lastDay }) => [firstDay, lastDay]);

  it('are written again on a new day and for an older one, with all of their days, and not with each batch', () => {
    const known = createKnownSeries();
    const first = known.missing([item({ a: '1' }, 10), item({ a: '2' }, 10, 11), item({ a: '1' }, 10)]);
    expect(daysOf(first)).toEqual([
      [10, 10],
      [10, 11],
    ]);
    known.add(first);
    const again = item({ a: '1' }, 10);
    expect(known.missing([again, item({ a: '2' }, 11)])).toEqual([]);
    expect(known.missing([again])).toEqual([]);
    const next = known.missing([item({ a: '1' }, 12)]);
    expect(daysOf(next)).toEqual([[10, 12]]);
    known.add(next);
    expect(known.missing([item({ a: '1' }, 11)])).toEqual([]);
    expect(daysOf(known.missing([item({ a: '1' }, 3)]))).toEqual([[3, 12]]);
  });

  it('are written until their rows are kept, and all of them once the store may have lost them', () => {
    const known = createKnownSeries();
    const one = item({ a: '1' }, 10);
    expect(known.missing([one])).toHaveLength(1);
    known.add(known.missing([one]));
    expect(known.missing([one])).toEqual([]);
    known.clear();
    expect(known.missing([one])).toHaveLength(1);
  });

  it('of another memory are not taken for written, though their objects are the same', () => {
    const one = item({ a: '1' }, 10);
    const known = createKnownSeries();
    known.add(known.missing([one]));
    expect(createKnownSeries().missing([one])).toHaveLength(1);
  });

  it('lie within the days that the store can tell', () => {
    expect([dayOf(-1), dayOf(0), dayOf(dayMs), dayOf(1e16)]).toEqual([0, 0, 1, 65_535]);
  });
});
