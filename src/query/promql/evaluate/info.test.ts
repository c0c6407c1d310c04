import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries, type SeriesSamples } from '../../../model/sample.ts';
import { instantQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';

const every = (labels: Record<string, string>, values: readonly (number | 'stale' | undefined)[]): SeriesSamples => ({
  series: createSeries(Object.entries(labels)),
  samples: values.flatMap((value, minute) =>
    value === undefined
      ? []
      : [
          {
            timestampMs: minute * 60_000,
            value: value === 'stale' ? Number.NaN : value,
            isStale: value === 'stale',
          },
        ],
  ),
});

const target = { instance: 'a', job: 'j' };
const stored = [
  every({ __name__: 'x', ...target }, [0, 1, 2, 3, 4, 5, 6]),
  every({ __name__: 'target_info', ...target, version: '1' }, [1, 1, 1, 'stale']),
  every({ __name__: 'target_info', ...target, version: '2' }, [undefined, undefined, undefined, 1, 1, 1, 1]),
];

/** The version that is added to each series, or that there is none. */
async function versionsOf(query: string, minute: number): Promise<readonly (string | undefined)[]> {
  const { value } = await instantQuery(parsePromql(query), minute * 60_000, {
    source: createMemorySource(stored),
    signal: new AbortController().signal,
    lookbackMs: 300_000,
    maxPoints: 1_000_000,
  });
  if (value.kind !== 'vector') return [];
  return value.series.map(({ labels }) => labels.find(([name]) => name === 'version')?.[1]);
}

describe('the labels that info adds', () => {
  it.each([
    ['info(x)', 2, ['1']],
    ['info(x)', 4, ['2']],
    ['info(x offset 2m)', 4, ['1']],
    ['info(x @ 120)', 40, ['1']],
    ['info(rate(x[2m] @ 120))', 40, ['1']],
    ['info(max_over_time(x[2m:1m] @ 300))', 40, ['2']],
    ['info(max_over_time((x offset 3m)[2m:1m] @ 300))', 40, ['1']],
    ['info(max_over_time((x @ 60)[2m:1m] @ 300))', 40, ['1']],
    ['info(0 + (x offset 2m))', 4, ['1']],
    ['info(x, {version="1"})', 4, []],
  ])('%s at minute %i are those of the time that the series are looked at', async (query, minute, versions) => {
    expect(await versionsOf(query, minute)).toEqual(versions);
  });
});
