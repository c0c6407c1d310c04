import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import {
  compress,
  encodeWriteRequest,
  type WriteMetadata,
  type WriteSeries,
} from '../../../test/fixtures/write-request.ts';
import { CodecError } from '../codec-error.ts';
import {
  createWriteDecoder,
  type DecodedWrite,
  TooManySamplesError,
  type WriteDecoder,
} from './decode-write-request.ts';
import { createSnappyDecoder } from './snappy-block.ts';

const decoder = (options: Partial<Parameters<typeof createWriteDecoder>[0]> = {}) =>
  createWriteDecoder({ maxSamples: 1000, maxKnownBytes: 1024 * 1024, ...options });

function run(decode: WriteDecoder, body: Buffer): DecodedWrite {
  const steps = decode(body);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

const decodeOnce = (series: readonly WriteSeries[], metadata: readonly WriteMetadata[] = []) =>
  run(decoder(), encodeWriteRequest(series, metadata));
const up = (...more: (readonly [string, string])[]): WriteSeries['labels'] => [['__name__', 'up'], ...more];

describe('a write request', () => {
  it('gives series with samples in order of time, stale markers and signed zeros among them', () => {
    const labels = up(['job', 'é']);
    const { items, samples, leftOut } = decodeOnce([
      {
        labels,
        samples: [
          [2000, 1.5],
          [1000, -0],
          [-5, Number.POSITIVE_INFINITY],
          [3000, 0x7ff0000000000002n],
          [4000, 0x7ff8000000000001n],
          [0, 0],
        ],
      },
    ]);
    expect(samples).toBe(6);
    expect(leftOut).toEqual([]);
    expect(items).toHaveLength(1);
    expect(items[0]?.series).toEqual({ labels, datakit: { measurement: 'up', field: 'up' } });
    expect(items[0]?.samples).toEqual([
      { timestampMs: -5, value: Number.POSITIVE_INFINITY, isStale: false },
      { timestampMs: 0, value: 0, isStale: false },
      { timestampMs: 1000, value: -0, isStale: false },
      { timestampMs: 2000, value: 1.5, isStale: false },
      { timestampMs: 3000, value: Number.NaN, isStale: true },
      { timestampMs: 4000, value: Number.NaN, isStale: false },
    ]);
  });

  it('leaves out labels without a value, which are no labels', () => {
    const { items } = decodeOnce([{ labels: up(['a', ''], ['b', '1']), samples: [[1, 1]] }]);
    expect(items[0]?.series.labels).toEqual(up(['b', '1']));
  });

  it('brings metadata and exemplars', () => {
    const { items, metadata, exemplars } = decodeOnce(
      [
        {
          labels: up(),
          exemplars: [
            {
              labels: [
                ['trace_id', 'abc'],
                ['a', 'b'],
              ],
              value: 0.5,
              timestampMs: 7,
            },
            { labels: [['long', 'x'.repeat(200)]], value: 1, timestampMs: 8 },
          ],
        },
      ],
      [
        { type: 1, family: 'up', help: 'Whether "it" is up', unit: 'bool' },
        { type: 99, family: 'x', help: '', unit: '' },
        { type: 3, family: '', help: 'of nothing', unit: '' },
      ],
    );
    expect(items).toEqual([]);
    expect(metadata).toEqual([
      { family: 'up', type: 'counter', help: 'Whether "it" is up', unit: 'bool' },
      { family: 'x', type: 'unknown', help: '', unit: '' },
    ]);
    expect(exemplars).toEqual([
      {
        series: { labels: up(), datakit: expect.anything() },
        labels: [
          ['a', 'b'],
          ['trace_id', 'abc'],
        ],
        value: 0.5,
        timestampMs: 7,
      },
    ]);
  });

  it.each([
    ['a series without labels', []],
    ['a series without a metric name', [['a', 'b']]],
    ['invalid label name ""', up(['', 'c'])],
    // Half of a character, which the writer writes as three bytes that are none.
    ['label a is not valid UTF-8: "\ufffd\ufffd\ufffd"', up(['a', '\udfff'])],
    ['duplicate label name "a"', up(['a', '1'], ['a', '2'])],
  ] as const)('leaves out %s and keeps its neighbours', (reason, labels) => {
    const { items, samples, leftOut } = decodeOnce([
      { labels: up(['n', '1']), samples: [[1, 1]] },
      {
        labels,
        samples: [
          [1, 1],
          [2, 2],
        ],
      },
      { labels: up(['n', '2']), samples: [[1, 1]] },
    ]);
    expect(leftOut).toEqual([{ what: 'samples', reason, count: 2 }]);
    expect([items.length, samples]).toEqual([2, 2]);
  });

  it('leaves out native histograms and times that the store has not, and says how many', () => {
    const { items, leftOut, samples } = decodeOnce([
      {
        labels: up(['n', '1']),
        samples: [
          [-3e12, 1],
          [5, 1],
        ],
        histograms: 3,
      },
    ]);
    expect(samples).toBe(1);
    expect(items[0]?.samples).toHaveLength(1);
    expect(leftOut).toEqual([
      { what: 'samples', reason: 'out of bounds: a time before 1900', count: 1 },
      { what: 'histograms', reason: 'native histograms are not stored; send classic ones', count: 3 },
    ]);
  });

  it('tells at most twenty reasons, the rest under the last of them', () => {
    const series = Array.from(
      { length: 50 },
      (_, i): WriteSeries => ({
        labels: [
          ['__name__', 'x'],
          ['a', `\udfff${i}`],
        ],
        samples: [[1, 1]],
      }),
    );
    const { leftOut } = decodeOnce(series);
    expect([leftOut.length, leftOut.reduce((sum, { count }) => sum + count, 0)]).toEqual([20, 50]);
  });

  it('passes over fields that are not known, wherever they stand', () => {
    const good = encodeWriteRequest([{ labels: up(), samples: [[1, 1]] }]);
    const unknown = Buffer.from([0x98, 0x06, 0x05, 0x9a, 0x06, 0x02, 1, 2, 0x9d, 0x06, 1, 2, 3, 4]);
    expect(run(decoder(), Buffer.concat([unknown, good, unknown])).samples).toBe(1);
  });

  it('keeps the character that stands for what was no text: the sender wrote it, as many exporters do', () => {
    const labels = up(['a', 'caf\ufffd']);
    expect(decodeOnce([{ labels, samples: [[1, 1]] }]).items[0]?.series.labels).toEqual(labels);
  });

  it('takes names of any characters, as Prometheus 3 does', () => {
    const labels = [
      ['__name__', 'http.server.duration'],
      ['žluťoučký kůň', '1'],
    ] as const;
    expect(decodeOnce([{ labels, samples: [[1, 1]] }]).items[0]?.series.labels).toEqual(labels);
  });

  it('takes labels in any order, as Prometheus does: not every sender sorts them', () => {
    const { items } = decodeOnce([
      {
        labels: [
          ['b', '1'],
          ['__name__', 'up'],
          ['a', '2'],
        ],
        samples: [[1, 1]],
      },
    ]);
    expect(items[0]?.series.labels).toEqual(up(['a', '2'], ['b', '1']));
  });

  it('adds tags to the series that lack them', () => {
    const body = encodeWriteRequest([
      { labels: up(['b', '1']), samples: [[1, 1]] },
      { labels: up(['z', '1']), samples: [[1, 1]] },
    ]);
    const { items } = run(decoder({ tags: { b: 'tag' } }), body);
    expect(items.map(({ series }) => series.labels)).toEqual([up(['b', '1']), up(['b', 'tag'], ['z', '1'])]);
  });

  it('is refused where it has more samples than may be', () => {
    const samples = Array.from({ length: 1001 }, (_, i): [number, number] => [i, i]);
    const body = encodeWriteRequest([{ labels: up(), samples }]);
    expect(() => run(decoder(), body)).toThrow(TooManySamplesError);
  });

  it('comes in steps where it is large', () => {
    const series = Array.from(
      { length: 3000 },
      (_, i): WriteSeries => ({ labels: up(['pod', `${i}`.padStart(300, 'x')]) }),
    );
    const steps = decoder({ maxSamples: 3000 })(encodeWriteRequest(series));
    let count = 0;
    while (steps.next().done !== true) count++;
    expect(count).toBeGreaterThan(2);
  });
});

describe('series that are known', () => {
  const labelsOf = (i: number) => up(['pod', `pod-${i}`]);
  const bodyOf = (order: readonly number[]) =>
    encodeWriteRequest(order.map((i) => ({ labels: labelsOf(i), samples: [[i, i]] })));

  it('are the same object again, in whatever order they come', () => {
    const decode = decoder();
    const first = run(decode, bodyOf([1, 2, 3, 4])).items.map(({ series }) => series);
    expect(run(decode, bodyOf([1, 2, 3, 4])).items.map(({ series }) => series)).toEqual(first);
    const again = run(decode, bodyOf([4, 2, 1, 3, 1])).items.map(({ series }) => series);
    expect(again[0]).toBe(first[3]);
    expect(again[2]).toBe(first[0]);
    expect(again[4]).toBe(first[0]);
  });

  it('are never taken for others, however many are forgotten in between', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const decode = decoder({ maxKnownBytes: 4000 });
    for (let round = 0; round < 300; round++) {
      const start = Math.floor(random() * 500);
      const order = Array.from({ length: 30 }, (_, i) => (random() < 0.8 ? start + i : Math.floor(random() * 500)));
      const { items } = run(decode, bodyOf(order));
      expect(
        items.map(({ series, samples }) => [series.labels, samples[0]?.value]),
        `seed ${seed}`,
      ).toEqual(order.map((i) => [labelsOf(i), i]));
    }
  });

  it('are not taken for known ones where a byte is no UTF-8 but has the number of their letter', () => {
    const decode = decoder();
    const body = (value: string) => encodeWriteRequest([{ labels: up(['a', value]), samples: [[1, 1]] }]);
    expect(run(decode, body('é')).items).toHaveLength(1);
    const latin = body('x');
    latin[latin.lastIndexOf('x')] = 0xe9;
    for (let i = 0; i < 2; i++) {
      const { items, leftOut } = run(decode, latin);
      expect([items.length, leftOut[0]?.reason]).toEqual([0, 'label a is not valid UTF-8: "\ufffd"']);
    }
  });

  it('share their labels', () => {
    const decode = decoder();
    const [a, b] = run(decode, bodyOf([1, 2])).items;
    expect(a?.series.labels[0]).toBe(b?.series.labels[0]);
    const long = 'é'.repeat(100);
    const bodyOfLong = (i: number) =>
      encodeWriteRequest([
        {
          labels: [
            ['n', `${i}`],
            ['long', long],
            ['__name__', 'up'],
          ],
          samples: [[1, 1]],
        },
      ]);
    const [c, d] = [1, 2].map((i) => run(decode, bodyOfLong(i)).items[0]?.series.labels);
    expect(c?.[1]).toEqual(['long', long]);
    expect(c?.[1]).toBe(d?.[1]);
  });
});

describe('mutants of a write request', () => {
  const count = process.env['CI'] === undefined ? 3000 : 10_000;

  it(`throw nothing but the codec's own error (${count})`, () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const body = encodeWriteRequest(
      Array.from({ length: 5 }, (_, i) => ({
        labels: up(['pod', `pod-${i}`]),
        samples: [
          [1, 1],
          [2, 2],
        ],
        exemplars: [{ labels: [['trace_id', 'x']], value: 1, timestampMs: 1 }],
        histograms: 1,
      })),
      [{ type: 1, family: 'up', help: 'help', unit: '' }],
    );
    const packed = compress(body);
    const inflate = createSnappyDecoder();
    const decode = decoder();
    for (let i = 0; i < count; i++) {
      const isPacked = random() < 0.3;
      let bytes = Buffer.from(isPacked ? packed : body);
      for (let n = 0; n < 1 + random() * 4; n++)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      if (random() < 0.2) bytes = bytes.subarray(0, Math.floor(random() * bytes.length));
      try {
        run(decode, isPacked ? inflate(bytes, 1_000_000) : bytes);
      } catch (error) {
        if (!(error instanceof CodecError)) throw new Error(`seed ${seed}, mutant ${i}`, { cause: error });
      }
    }
  });
});
