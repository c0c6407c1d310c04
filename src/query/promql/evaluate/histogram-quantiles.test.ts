import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../../model/sample.ts';
import { rangeQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';

/** Ten observations below 1 and ten below 2. */
const stored = [
  ['1', 10],
  ['2', 20],
  ['+Inf', 20],
].map(([le, value]) => ({
  series: createSeries([
    ['__name__', 'x_bucket'],
    ['le', String(le)],
  ]),
  samples: [{ timestampMs: 0, value: Number(value), isStale: false }],
}));

async function overThreeSeconds(query: string): Promise<Record<string, readonly (number | undefined)[]>> {
  const { value } = await rangeQuery(
    parsePromql(query),
    { startMs: 0, stepMs: 1000, count: 3 },
    {
      source: createMemorySource(stored),
      signal: new AbortController().signal,
      lookbackMs: 300_000,
      maxPoints: 1000,
    },
  );
  if (value.kind !== 'vector') return {};
  return Object.fromEntries(
    value.series.map(({ labels, values, isPresent }) => [
      labels.map((label) => label.join('=')).join(),
      [...values].map((one, i) => (isPresent[i] === 1 ? one : undefined)),
    ]),
  );
}

describe('histogram_quantiles', () => {
  it('gives a series for each quantile', async () => {
    expect(await overThreeSeconds('histogram_quantiles(x_bucket, "q", 0.25, 0.75)')).toEqual({
      'q=0.25': [0.5, 0.5, 0.5],
      'q=0.75': [1.5, 1.5, 1.5],
    });
  });

  it('gives a series for each value of a quantile that changes', async () => {
    expect(
      await overThreeSeconds('histogram_quantiles(x_bucket, "q", 0.25 + scalar(vector(time()) > bool 0) / 2)'),
    ).toEqual({
      'q=0.25': [0.5, undefined, undefined],
      'q=0.75': [undefined, 1.5, 1.5],
    });
  });
});
