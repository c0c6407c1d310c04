import { describe, expect, it } from 'vitest';
import { instantQuery } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';

describe('the largest of a vector', () => {
  it('may be more than a call can have arguments', async () => {
    const count = 150_000;
    const timestampsMs = Float64Array.of(0);
    const series = Array.from({ length: count }, (_, i) => ({
      labels: [
        ['__name__', 'x'],
        ['i', String(i).padStart(6, '0')],
      ] as const,
      timestampsMs,
      values: Float64Array.of(i),
      staleAt: undefined,
    }));
    const { value } = await instantQuery(parsePromql(`topk(${count}, x)`), 0, {
      source: { select: () => Promise.resolve(series) },
      signal: new AbortController().signal,
      lookbackMs: 300_000,
      maxPoints: 1_000_000,
    });
    if (value.kind !== 'vector') throw new Error(`topk gave a ${value.kind}`);
    expect([value.series.length, value.series[0]?.values[0]]).toEqual([count, count - 1]);
  });
});
