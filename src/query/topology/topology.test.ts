import { describe, expect, it } from 'vitest';
import { emptyResource } from '../../model/resource.ts';
import type { Span } from '../../model/span.ts';
import { StoreError } from '../../store/client.ts';
import { countDependencies } from './dependencies.ts';
import { createTopologyRoute } from './index.ts';
import { parseWindow } from './window.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const request = (query: string) => ({
  params: {},
  query: new URLSearchParams(query),
  form: undefined,
  signal: AbortSignal.timeout(1000),
});

describe('GET /api/trawl/topology', () => {
  const calls = { requests: 90, errors: 9, p50Us: 1000, p95Us: 2000, p99Us: undefined };
  const route = createTopologyRoute({
    nowMs: () => nowMs,
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

describe('countDependencies', () => {
  it('counts calls by lower-cased names and takes the tag error for an error whatever it says', () => {
    const span = (fields: Partial<Span>): Span => ({
      traceId: '1'.padStart(32, '0'),
      id: '1'.padStart(16, '0'),
      parentId: undefined,
      kind: undefined,
      shared: false,
      debug: false,
      name: '',
      startUs: undefined,
      durationUs: undefined,
      status: 'unset',
      localEndpoint: undefined,
      remoteEndpoint: undefined,
      events: [],
      attributes: {},
      resource: emptyResource,
      ...fields,
    });
    const at = (serviceName: string) => ({ serviceName, ipv4: undefined, ipv6: undefined, port: undefined });
    const trace = [
      span({ kind: 'CLIENT', localEndpoint: at('Web') }),
      span({ kind: 'SERVER', shared: true, localEndpoint: at('App'), attributes: { error: '' } }),
      span({
        kind: 'CLIENT',
        id: '2'.padStart(16, '0'),
        parentId: '1'.padStart(16, '0'),
        localEndpoint: at('App'),
        remoteEndpoint: at('DB'),
        status: 'error',
      }),
    ];
    expect(countDependencies([trace, trace])).toEqual([
      { parent: 'app', child: 'db', callCount: 2, errorCount: 0 },
      { parent: 'web', child: 'app', callCount: 2, errorCount: 2 },
    ]);
  });
});
