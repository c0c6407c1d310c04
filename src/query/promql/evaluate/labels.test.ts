import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../../model/sample.ts';
import { rangeQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';

/** Two series, the second of which has a sample at the given time. */
async function overTenMinutes(query: string, secondMs: number): Promise<unknown> {
  const stored = [
    { id: '1', timestampMs: 0, value: 2 },
    { id: '2', timestampMs: secondMs, value: 4 },
  ].map(({ id, ...sample }) => ({
    series: createSeries([
      ['__name__', 'x'],
      ['id', id],
    ]),
    samples: [{ ...sample, isStale: false }],
  }));
  const { value } = await rangeQuery(
    parsePromql(query),
    { startMs: 0, stepMs: 600_000, count: 2 },
    {
      source: createMemorySource(stored),
      signal: new AbortController().signal,
      lookbackMs: 300_000,
      maxPoints: 1000,
    },
  );
  if (value.kind !== 'vector') return undefined;
  return value.series.map(({ labels, values, isPresent }) => [
    labels.map(([, text]) => text).join(),
    ...[...values].map((one, i) => (isPresent[i] === 1 ? one : undefined)),
  ]);
}

describe.each(['label_replace(x, "id", "all", "id", ".*")', 'label_join(x, "id", "al", "none", "id2") + 0'])(
  '%s',
  (query) => {
    it('makes one series of those that are alike now, where they never meet', async () => {
      expect(await overTenMinutes(query, 600_000)).toHaveLength(1);
    });

    it('is refused where they meet', async () => {
      await expect(overTenMinutes(query, 0)).rejects.toThrow('vector cannot contain metrics with the same labelset');
    });
  },
);
