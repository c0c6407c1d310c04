import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries } from '../../model/sample.ts';
import type { SampleSource } from '../promql/engine.ts';
import { createExplainRoute } from './explain.ts';

const nowMs = 1_736_938_800_000;
const series = ['200', '500'].map((code) => ({
  series: createSeries([
    ['__name__', 'x_total'],
    ['code', code],
  ]),
  samples: Array.from({ length: 10 }, (_, i) => ({
    timestampMs: nowMs - i * 15_000,
    value: 100 - i,
    isStale: false,
  })).reverse(),
}));
const memory = createMemorySource(series);

/** Computes what it is asked as the engine would: here, one for every series. */
const pushing: SampleSource = {
  ...memory,
  grid: (selection) =>
    Promise.resolve(
      selection.function === 'Rate'
        ? {
            rows: series.map(({ series: { labels } }) => ({
              labels,
              values: new Float64Array(selection.count).fill(1),
              isPresent: new Uint8Array(selection.count).fill(1),
            })),
            unusual: [],
          }
        : undefined,
    ),
  estimate: () => Promise.resolve(2048),
};

async function ask(parameters: Record<string, string>, samples: SampleSource = pushing) {
  const route = createExplainRoute({ samples, now: () => nowMs });
  const { status, body } = await route.handle({
    params: {},
    query: new URLSearchParams(parameters),
    form: undefined,
    signal: AbortSignal.timeout(10_000),
  });
  return { status, body: JSON.parse(body.toString()) };
}

describe('the plan of a query', () => {
  it('tells which parts the engine computes, and what came from it', async () => {
    const { status, body } = await ask({ query: 'sum by (code) (rate(x_total[5m]))' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ query: 'sum by (code) (rate(x_total[5m]))', points: 1, series: 2 });
    expect(body.plan).toMatchObject({ by: 'agent', how: 'the aggregation sum', series: null });
    expect(body.plan.parts).toMatchObject([
      {
        expression: 'rate(x_total[5m])',
        by: 'engine',
        series: 2,
        leftToAgent: 0,
        values: 2,
        rowsRead: 2048,
        parts: [],
      },
    ]);
    expect(body.plan.parts[0].how).toMatch(/^timeSeriesRateToGrid: /);
  });

  it('tells where samples are read, and leaves literals out', async () => {
    const { body } = await ask({ query: 'histogram_quantile(0.9, max_over_time(x_total[1m])) / 2' });
    expect(body.plan.parts).toHaveLength(1);
    const [call] = body.plan.parts;
    expect(call.parts[0]).toMatchObject({
      expression: 'max_over_time(x_total[1m])',
      parts: [{ expression: 'x_total[1m]', by: 'agent', series: 2, values: 8, rowsRead: 2048 }],
    });
  });

  it('plans a range where there is a start', async () => {
    const { body } = await ask({
      query: 'rate(x_total[5m])',
      start: String(nowMs / 1000 - 60),
      end: String(nowMs / 1000),
      step: '15',
    });
    expect(body).toMatchObject({ points: 5, plan: { by: 'engine', values: 10 } });
  });

  it('works where the store computes nothing', async () => {
    const { body } = await ask({ query: '-x_total' }, memory);
    expect(body.plan).toMatchObject({ by: 'agent', parts: [{ expression: 'x_total', series: 2, rowsRead: null }] });
  });

  it('refuses as the query itself is refused', async () => {
    const { status, body } = await ask({ query: 'rate(x_total)' });
    expect(status).toBe(400);
    expect(body).toMatchObject({ status: 'error', errorType: 'bad_data' });
  });
});
