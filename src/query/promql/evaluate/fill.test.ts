import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../../model/sample.ts';
import { instantQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';

const stored = (
  [
    [{ __name__: 'a', x: '1' }, 10],
    [{ __name__: 'a', x: '2' }, 20],
    [{ __name__: 'b', x: '2' }, 2],
    [{ __name__: 'b', x: '3' }, 3],
    [{ __name__: 'many', x: '1', y: '1' }, 1],
    [{ __name__: 'many', x: '1', y: '2' }, 2],
  ] as const
).map(([labels, value]) => ({
  series: createSeries(Object.entries(labels)),
  samples: [{ timestampMs: 0, value, isStale: false }],
}));

async function valuesOf(query: string): Promise<unknown> {
  const { value } = await instantQuery(parsePromql(query), 0, {
    source: createMemorySource(stored),
    signal: new AbortController().signal,
    lookbackMs: 300_000,
    maxPoints: 1000,
  });
  if (value.kind !== 'vector') return value;
  return Object.fromEntries(
    value.series.map(({ labels, values }) => [labels.map(([, text]) => text).join(), values[0]]),
  );
}

describe('an element that is missing on a side', () => {
  it.each([
    ['a + fill(0) b', { 1: 10, 2: 22, 3: 3 }],
    ['a - fill_right(1) b', { 1: 9, 2: 18 }],
    ['a - fill_left(1) b', { 2: 18, 3: -2 }],
    ['a - fill_left(1) fill_right(5) b', { 1: 5, 2: 18, 3: -2 }],
    ['a > fill(-Inf) b', { '1': 10, '2': 20 }],
    ['nothing + fill(1) b', { 2: 3, 3: 4 }],
    ['many * on (x) group_left fill(7) b', { '1,1': 7, '1,2': 14, 2: 14, 3: 21 }],
  ])('%s', async (query, values) => {
    const shown = (await valuesOf(query)) as Record<string, number>;
    expect(Object.fromEntries(Object.entries(shown).map(([key, value]) => [key.replace(/^a,/, ''), value]))).toEqual(
      values,
    );
  });

  it('does not let two of the one side stand for it', async () => {
    await expect(valuesOf('nothing + on (x) fill(1) many')).rejects.toThrow(
      'found duplicate series for the match group {x="1"} on the right hand-side of the operation',
    );
    expect(await valuesOf('nothing + on (x) many')).toEqual({});
  });
});
