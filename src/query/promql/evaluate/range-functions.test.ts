import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../../model/sample.ts';
import { createAnnotations } from '../annotations.ts';
import { drive } from '../engine.ts';
import { parsePromql } from '../parse/parse.ts';
import { planReads } from '../plan.ts';
import { withoutName } from '../value.ts';
import { createMeter } from './evaluation.ts';
import { evaluate } from './expression.ts';

const never = new AbortController().signal;
const grid = { startMs: 3_600_000, stepMs: 15_000, count: 240 };
const source = createMemorySource(
  Array.from({ length: 10 }, (_, i) => ({
    series: createSeries([
      ['__name__', 'x'],
      ['i', String(i)],
    ]),
    samples: Array.from({ length: 480 }, (__, k) => ({
      timestampMs: k * 15_000,
      value: Math.sin(i + k * 7),
      isStale: false,
    })),
  })),
);

/** How often a query offers to let others have their turn. */
async function turnsOf(text: string): Promise<number> {
  const query = parsePromql(text);
  const samples = new Map();
  for (const { selection, selectors } of planReads(query.expression, { grid, lookbackMs: 300_000 })) {
    const series = await source.select(selection, never);
    for (const selector of selectors) samples.set(selector, series);
  }
  let turns = 0;
  const steps = evaluate(query.expression, {
    grid,
    whole: grid,
    lookbackMs: 300_000,
    defaultStepMs: 60_000,
    samples,
    pushed: new Map(),
    annotations: createAnnotations(text),
    meter: createMeter(1_000_000),
    evaluate,
    nameless: withoutName,
  });
  function* counted() {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      turns++;
      yield;
    }
  }
  await drive(counted(), { signal: never });
  return turns;
}

describe('a function over long windows', () => {
  // Ten series have 240 windows of 240 samples each: 576,000 looks, and a turn is a million nanoseconds.
  it.each([
    ['quantile_over_time(0.5, x[1h])', 12],
    ['mad_over_time(x[1h])', 24],
    ['deriv(x[1h])', 6],
    ['stddev_over_time(x[1h])', 5],
  ])('lets others have their turn as often as it takes: %s', async (text, turns) => {
    expect(await turnsOf(text)).toBeGreaterThanOrEqual(turns);
  });
});
