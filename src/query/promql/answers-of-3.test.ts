/** What Prometheus 3.16 answered where Trawl had answered otherwise (found by differential.test.ts). */
import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type SeriesSamples } from '../../model/sample.ts';
import { instantQuery, type QueryAnswer, rangeQuery } from './engine.ts';
import { formatRounded } from './go-number.ts';
import { parsePromql } from './parse/parse.ts';

const gauge = (labels: Record<string, string>, values: readonly number[]): SeriesSamples => ({
  series: createSeries(Object.entries(labels)),
  samples: values.map((value, i) => ({ timestampMs: i * 15_000, value, isStale: false })),
});

const bucket = (le: string, values: readonly number[]) => gauge({ __name__: 'b', le }, values);

const stored: readonly SeriesSamples[] = [
  gauge({ __name__: 'low' }, [Number.NEGATIVE_INFINITY]),
  gauge({ __name__: 'g', a: 'p' }, [1, 2]),
  gauge({ __name__: 'g', a: 'q' }, [-0, Number.POSITIVE_INFINITY]),
  gauge({ __name__: 'i' }, [Number.POSITIVE_INFINITY, 1, 1]),
  gauge({ __name__: 'n' }, [1, Number.NaN, 3]),
  bucket('0', [2, 10]),
  bucket('1', [1, 5]),
  bucket('+Inf', [3, 585 * 2]),
];

const options = () => ({
  source: createMemorySource(stored),
  signal: new AbortController().signal,
  lookbackMs: 300_000,
  maxPoints: 1_000_000,
});

const at = (query: string, timeMs: number): Promise<QueryAnswer> => instantQuery(parsePromql(query), timeMs, options());

async function valuesAt(query: string, timeMs: number): Promise<unknown> {
  const { value } = await at(query, timeMs);
  if (value.kind !== 'vector') return value;
  return value.series.map(({ labels, values }) => [labels.map(([, text]) => text).join(), values[0]]);
}

describe('where infinity meets NaN', () => {
  it.each([
    ['clamp(low, 300, NaN)', 300],
    ['clamp_max(low, NaN)', Number.NEGATIVE_INFINITY],
    ['max_of(Inf, NaN) + low * 0 + 1 or vector(7)', Number.NaN],
    ['vector(max_of(Inf, NaN))', Number.POSITIVE_INFINITY],
    ['vector(min_of(NaN, -Inf))', Number.NEGATIVE_INFINITY],
    ['quantile_over_time(1, i[1m] @ 30)', Number.POSITIVE_INFINITY],
    ['quantile_over_time(0.5, i[1m] @ 30)', 1],
    ['mad_over_time(n[1m] @ 30)', Number.NaN],
    ['rad(vector(1e308))', 1e308 * (Math.PI / 180)],
  ])('%s is %s', async (query, expected) => {
    expect(await valuesAt(query, 1000)).toEqual([['', expected]]);
  });
});

describe('a number of elements to keep', () => {
  it('has no errors where none is kept', async () => {
    expect(await valuesAt('topk(-Inf, g)', 0)).toEqual([]);
    expect(await valuesAt('limitk(0.5, g)', 0)).toEqual([]);
  });

  it.each([
    ['topk(NaN, g)', 'Parameter value is NaN'],
    ['bottomk(1e20, g)', 'Scalar value 1e+20 overflows int64'],
    ['limitk(Inf, g)', 'Scalar value +Inf overflows int64'],
  ])('%s is refused with "%s"', async (query, message) => {
    await expect(at(query, 0)).rejects.toThrow(message);
  });
});

describe('count_values', () => {
  it('tells zeros of either sign apart', async () => {
    expect(await valuesAt('count_values("v", g * 0 or low * 0)', 0)).toEqual([
      ['-0', 1],
      ['0', 1],
      ['NaN', 1],
    ]);
  });

  it('leaves its own label out where the aggregation is without it', async () => {
    expect(await valuesAt('count_values without (a) ("a", g)', 0)).toEqual([['', 2]]);
  });
});

describe('annotations', () => {
  it('say once, over all points and histograms, which buckets had to be raised', async () => {
    const query = parsePromql('histogram_quantile(0.5, b) + histogram_quantile(0.9, b)');
    const { infos } = await rangeQuery(query, { startMs: 0, stepMs: 15_000, count: 2 }, options());
    expect(infos).toEqual([
      'PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see ' +
        'https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 1 to 1, with a ' +
        'max diff of 5, over 4 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:00:15Z (1:25)',
    ]);
  });

  it('stand once, at the place where they were said last', async () => {
    const { warnings } = await at('quantile(2, g) + quantile(2, g)', 0);
    expect(warnings).toEqual(['PromQL warning: quantile value should be between 0 and 1, got 2 (1:27)']);
  });

  it('name every extreme of what is no quantile', async () => {
    const query = parsePromql('quantile(time() / 10 - 1, g)');
    const { warnings } = await rangeQuery(query, { startMs: 0, stepMs: 15_000, count: 3 }, options());
    expect(warnings).toEqual([
      'PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)',
      'PromQL warning: quantile value should be between 0 and 1, got -1 (1:10)',
    ]);
  });

  it('warn of sorting where it means nothing: in a range, not where one value serves all steps', async () => {
    const grid = { startMs: 0, stepMs: 15_000, count: 3 };
    const warned = async (query: string) => (await rangeQuery(parsePromql(query), grid, options())).warnings;
    expect(await warned('sort_by_label(g, "a")')).toEqual([
      'PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)',
    ]);
    expect(await warned('sort(g @ 0)')).toEqual([]);
  });
});

describe('elements that are put together', () => {
  const pods = [
    gauge({ __name__: 'm', pod: 'a', x: '1' }, [1, 1]),
    gauge({ __name__: 'm', pod: 'a', x: '2' }, [1, 1]),
    gauge({ __name__: 'o', pod: 'a' }, [5, 5]),
    {
      ...gauge({ __name__: 'o', pod: 'a', y: '1' }, [5, 5]),
      samples: [{ timestampMs: 15_000, value: 5, isStale: false }],
    },
  ];
  const grid = { startMs: 0, stepMs: 15_000, count: 2 };
  const ask = (query: string) =>
    rangeQuery(parsePromql(query), grid, { ...options(), source: createMemorySource(pods) });

  it('are refused with the error of the first point that has one', async () => {
    await expect(ask('m + on(pod) o')).rejects.toThrow('many-to-one matching must be explicit');
    await expect(ask('m{x="1"} + on(pod) o')).rejects.toThrow('found duplicate series for the match group');
  });

  it('are refused even where a comparison drops them', async () => {
    await expect(ask('m > on(pod) o{y=""}')).rejects.toThrow('many-to-one matching must be explicit');
    await expect(ask('label_replace(m, "x", "", "", "") > on(pod) group_left() o{y=""}')).rejects.toThrow(
      'same labelset',
    );
    await expect(ask('m > on(pod) group_left(x) o{y=""}')).rejects.toThrow(
      'grouping labels must ensure unique matches',
    );
  });
});

describe('%.2g', () => {
  it.each([
    [585, '5.8e+02'],
    [595, '6e+02'],
    [586, '5.9e+02'],
    [0.00001234, '1.2e-05'],
    [12, '12'],
    [5, '5'],
    [-2.25, '-2.2'],
    [Number.POSITIVE_INFINITY, '+Inf'],
  ])('of %s is %s', (value, expected) => {
    expect(formatRounded(value, 2)).toBe(expected);
  });
});
