import { describe, expect, it } from 'vitest';
import { StoreError } from '../../store/client.ts';
import { createSearchGate } from '../search-gate.ts';
import { answerDependencies, parseDependencyWindow } from './dependencies.ts';
import { createTopologyRoute } from './index.ts';
import { parseWindow } from './window.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const request = (query: string) => ({
  params: {},
  query: new URLSearchParams(query),
  form: undefined,
  signal: AbortSignal.timeout(1000),
});

const metrics = {
  samples: { select: () => Promise.reject(new Error('metrics were not asked for')) },
  gate: createSearchGate({ atOnce: 1, waiting: 0 }),
  timeoutMs: 1000,
  maxPoints: 1000,
};

describe('GET /api/trawl/topology', () => {
  const calls = { requests: 90, errors: 9, p50Us: 1000, p95Us: 2000, p99Us: undefined };
  const route = createTopologyRoute({
    nowMs: () => nowMs,
    metrics,
    source: {
      topology: async ({ startMs, endMs }) => ({
        startMs,
        endMs,
        nodes: [{ service: 'reviews', spans: 100, ...calls }],
        edges: [{ caller: 'productpage', callee: 'reviews', ...calls, requests: 0, errors: 0 }],
      }),
    },
  });

  it('answers rates and shares of a window', async () => {
    const response = await route.handle(request('start=2026-11-21T11:59:00Z&end=1795262400'));
    expect(response.status).toBe(200);
    expect(JSON.parse(String(response.body))).toEqual({
      start: '2026-11-21T11:59:00.000Z',
      end: '2026-11-21T12:00:00.000Z',
      nodes: [
        {
          service: 'reviews',
          spans: 100,
          requests: 90,
          requestsPerSecond: 1.5,
          errors: 9,
          errorShare: 0.1,
          p50Us: 1000,
          p95Us: 2000,
          p99Us: null,
        },
      ],
      edges: [
        {
          caller: 'productpage',
          callee: 'reviews',
          requests: 0,
          requestsPerSecond: 0,
          errors: 0,
          errorShare: 0,
          p50Us: 1000,
          p95Us: 2000,
          p99Us: null,
        },
      ],
    });
  });

  it('refuses what is no window, naming the parameter', async () => {
    const response = await route.handle(request('start=yesterday'));
    expect(response.status).toBe(400);
    expect(String(response.body)).toContain('start=yesterday');
    expect((await route.handle(request('start=1795262400&end=1795262000'))).status).toBe(400);
    expect((await route.handle(request('start=0'))).status).toBe(400);
  });

  it('says that the store is away', async () => {
    const away = createTopologyRoute({
      nowMs: () => nowMs,
      metrics,
      source: { topology: () => Promise.reject(new StoreError('The store is away.', { isRetryable: true })) },
    });
    expect((await away.handle(request(''))).status).toBe(503);
  });
});

describe('parseWindow', () => {
  it('takes seconds, milliseconds, microseconds and nanoseconds', () => {
    for (const start of [
      '1795260000',
      '1795260000000',
      '1795260000000000',
      '1795260000000000000',
      '2026-11-21T11:20:00Z',
    ]) {
      expect(parseWindow(new URLSearchParams({ start }), nowMs)).toEqual({
        kind: 'window',
        startMs: 1_795_260_000_000,
        endMs: nowMs,
      });
    }
  });

  it('means the last hour when nothing is said', () => {
    expect(parseWindow(new URLSearchParams(), nowMs)).toEqual({
      kind: 'window',
      startMs: nowMs - 3_600_000,
      endMs: nowMs,
    });
  });
});

describe('GET /api/v2/dependencies', () => {
  const source = {
    dependencies: async ({ startMs, endMs }: { startMs: number; endMs: number }) => [
      { parent: 'web', child: 'app', callCount: endMs - startMs, errorCount: 0 },
      { parent: 'web', child: 'db', callCount: 2, errorCount: 1 },
    ],
  };
  const ask = (query: string) => answerDependencies(source, request(query));

  it('answers links, and errors only where there are any', async () => {
    const response = await ask('endTs=1795262400000&lookback=1000');
    expect(response).toMatchObject({ status: 200, contentType: 'application/json' });
    expect(JSON.parse(String(response.body))).toEqual([
      { parent: 'web', child: 'app', callCount: 1000 },
      { parent: 'web', child: 'db', callCount: 2, errorCount: 1 },
    ]);
  });

  it('looks back a day unless told, and no further than 1970', () => {
    expect(parseDependencyWindow(new URLSearchParams('endTs=1795262400000'))).toEqual({
      kind: 'window',
      startMs: 1_795_176_000_000,
      endMs: 1_795_262_400_000,
    });
    expect(parseDependencyWindow(new URLSearchParams('endTs=5&lookback=9223372036854775807'))).toEqual({
      kind: 'window',
      startMs: 0,
      endMs: 5,
    });
  });

  it.each([
    ['lookback=1000', 'endTs is missing'],
    ['endTs=', 'endTs='],
    ['endTs=', 'endTs='],
    ['endTs=yesterday', 'endTs=yesterday'],
    ['endTs=1.5', 'endTs=1.5'],
    ['endTs=9223372036854775808', 'endTs=9223372036854775808'],
    ['endTs=1&lookback=x', 'lookback=x'],
    ['endTs=0', 'endTs <= 0'],
    ['endTs=5&lookback=0', 'lookback <= 0'],
    ['endTs=-5&lookback=0', 'endTs <= 0'],
  ])('refuses %s as Zipkin does', async (query, message) => {
    const response = await ask(query);
    expect(response).toMatchObject({ status: 400, contentType: 'text/plain; charset=utf-8' });
    expect(String(response.body)).toContain(message);
  });
});
