import { describe, expect, it } from 'vitest';
import { ask, nowMs, refused } from '../../../test/fixtures/jaeger-routes.ts';
import type { JaegerSource } from './index.ts';
import type { OperationStatsQuery } from './source.ts';

describe('GET /api/dependencies', () => {
  const windows: unknown[] = [];
  const source: Partial<JaegerSource> = {
    dependencies(window) {
      windows.push(window);
      return Promise.resolve([
        { parent: 'b', child: 'c', callCount: 2 },
        { parent: 'a', child: '', callCount: 1 },
      ]);
    },
  };

  it('looks a day back from now unless told otherwise', async () => {
    windows.length = 0;
    expect(await ask('/api/dependencies', { source })).toMatchObject({
      json: {
        data: [
          { parent: 'a', child: 'missing-service-name', callCount: 1 },
          { parent: 'b', child: 'c', callCount: 2 },
        ],
      },
    });
    await ask('/api/dependencies', { source, query: 'endTs=1000&lookback=9223372036854775807' });
    await ask('/api/dependencies', { source, query: 'endTs=9223372036854775807&lookback=1' });
    expect(windows).toEqual([
      { startMs: nowMs - 86_400_000, endMs: nowMs },
      { startMs: 0, endMs: 1000 },
      { startMs: 4_294_967_000_000, endMs: 4_294_967_000_000 },
    ]);
  });

  it('gives the calls of one service', async () => {
    expect(await ask('/api/dependencies', { source, query: 'service=c' })).toMatchObject({
      json: { data: [{ parent: 'b', child: 'c', callCount: 2 }] },
    });
  });

  it('finds nothing in a window that ends before it starts', async () => {
    windows.length = 0;
    expect(await ask('/api/dependencies', { source, query: 'lookback=-1' })).toMatchObject({ json: { data: [] } });
    expect(windows).toEqual([]);
  });
});

describe('GET /api/metrics', () => {
  const asked: OperationStatsQuery[] = [];
  const point = { timeMs: nowMs, calls: 30, errors: 3, coveredMs: 60_000, quantileUs: 1500 };
  const source: Partial<JaegerSource> = {
    operationStats(query) {
      asked.push(query);
      const operation = query.byOperation ? 'GET /' : undefined;
      const empty = { ...point, timeMs: nowMs + 1, calls: 0, errors: 0, quantileUs: undefined };
      return Promise.resolve([{ service: 'a', operation, points: [point, empty] }]);
    },
  };
  const family = (name: string, help: string, first: number, second: number | string, byOperation = false) => ({
    name,
    type: 'GAUGE',
    help,
    metrics: [
      {
        labels: [{ name: 'service_name', value: 'a' }, ...(byOperation ? [{ name: 'operation', value: 'GET /' }] : [])],
        metricPoints: [
          { gaugeValue: { doubleValue: first }, timestamp: '2026-11-21T12:00:00Z' },
          { gaugeValue: { doubleValue: second }, timestamp: '2026-11-21T12:00:00.001Z' },
        ],
      },
    ],
  });

  it('draws rates a second, shares of errors and milliseconds', async () => {
    expect((await ask('/api/metrics/calls', { source, query: 'service=a' })).json).toEqual(
      family('service_call_rate', 'calls/sec, grouped by service', 0.5, 0),
    );
    expect((await ask('/api/metrics/errors', { source, query: 'service=a' })).json).toEqual(
      family(
        'service_error_rate',
        'error rate, computed as a fraction of errors/sec over calls/sec, grouped by service',
        0.1,
        'NaN',
      ),
    );
    expect(
      (await ask('/api/metrics/latencies', { source, query: 'service=a&quantile=.95&groupByOperation=true' })).json,
    ).toEqual(
      family(
        'service_operation_latencies',
        '0.95th quantile latency, grouped by service & operation',
        1.5,
        'NaN',
        true,
      ),
    );
  });

  it('looks back an hour in steps of 5 s over 10 minutes each, at servers, unless told otherwise', async () => {
    asked.length = 0;
    await ask('/api/metrics/calls', { source, query: 'service=a&service=b' });
    await ask('/api/metrics/latencies', {
      source,
      query:
        'service=a&quantile=0.5&endTs=1000000&lookback=60000&step=10000&ratePer=120000&spanKind=client&spanKind=unspecified',
    });
    expect(asked).toEqual([
      {
        services: ['a', 'b'],
        kinds: ['SERVER'],
        byOperation: false,
        startMs: nowMs - 3_600_000,
        endMs: nowMs,
        stepMs: 5000,
        ratePerMs: 600_000,
      },
      {
        services: ['a'],
        kinds: ['CLIENT', undefined],
        byOperation: false,
        startMs: 940_000,
        endMs: 1_000_000,
        stepMs: 10_000,
        ratePerMs: 120_000,
        quantile: 0.5,
      },
    ]);
  });

  it.each([
    ['latencies', 'service=a', `unable to parse param 'quantile': strconv.ParseFloat: parsing "": invalid syntax`],
    ['latencies', 'service=a&quantile=2', "unable to parse param 'quantile': 2 is not between 0 and 1"],
    ['calls', '', "unable to parse param 'service': please provide at least one service name"],
    ['calls', 'service=a&spanKind=zzz', "unable to parse param 'spanKind': unsupported span kind: 'zzz'"],
    ['calls', 'service=a&step=0', "unable to parse param 'step': it must be greater than 0"],
    [
      'errors',
      'service=a&lookback=9999999999&step=1',
      "unable to parse param 'step': 9999999999 points are more than 11000; choose a longer step",
    ],
  ])('refuses %s of %s', async (metric, query, msg) => {
    expect(await ask(`/api/metrics/${metric}`, { source, query })).toMatchObject(refused(400, msg));
  });

  it('says how fine its points can be', async () => {
    expect(await ask('/api/metrics/minstep')).toMatchObject({ status: 200, json: { data: 60_000 } });
  });
});
