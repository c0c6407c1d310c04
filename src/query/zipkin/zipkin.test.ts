import { describe, expect, it } from 'vitest';
import { emptyResource } from '../../model/resource.ts';
import type { Span } from '../../model/span.ts';
import { StoreError } from '../../store/client.ts';
import type { QueryResponse } from '../query-route.ts';
import { createZipkinApi, type TraceSource } from './index.ts';

const span = (traceId: string): Span => ({
  traceId: traceId.padStart(32, '0'),
  id: '000000000000000b',
  parentId: undefined,
  kind: 'SERVER',
  shared: false,
  debug: false,
  name: 'Get',
  startUs: 1,
  durationUs: 2,
  status: 'unset',
  localEndpoint: { serviceName: 'Web', ipv4: undefined, ipv6: undefined, port: undefined },
  remoteEndpoint: undefined,
  events: [],
  attributes: { k: 'v' },
  resource: emptyResource,
});

const holding = (ids: readonly string[], names: readonly string[] = []): TraceSource => ({
  traceById: (id) => Promise.resolve(ids.includes(id) ? [span(id)] : []),
  serviceNames: () => Promise.resolve(names),
});

async function get(
  traces: TraceSource,
  path: '/api/v2/trace/:id' | '/api/v2/services',
  options: { readonly id?: string; readonly freshen?: () => Promise<void>; readonly isCurrent?: boolean } = {},
): Promise<QueryResponse> {
  const routes = createZipkinApi({
    traces,
    freshen: options.freshen ?? (() => Promise.resolve()),
    isCurrent: () => options.isCurrent ?? false,
  });
  const route = routes.find((candidate) => candidate.path === path);
  if (route === undefined) throw new Error(`no route ${path}`);
  return route.handle({
    params: { id: options.id ?? '' },
    query: new URLSearchParams(),
    form: undefined,
    signal: new AbortController().signal,
  });
}

describe('GET /api/v2/trace/:id', () => {
  it.each([
    ['463ac35c9f6413ad48485a3953bb6124', '463ac35c9f6413ad48485a3953bb6124'],
    ['48485a3953bb6124', '48485a3953bb6124'],
    ['000000000000000048485a3953bb6124', '48485a3953bb6124'],
    ['00000000000000000048485a3953bb61', '0048485a3953bb61'],
    [' a ', '000000000000000a'],
    ['1a2b3c4d5e6f7a8b9', '000000000000001a2b3c4d5e6f7a8b9'.padStart(32, '0')],
  ])('takes %j for %s', async (id, stored) => {
    const response = await get(holding([stored]), '/api/v2/trace/:id', { id });
    expect(response.status).toBe(200);
    expect(response.contentType).toBe('application/json');
    expect(JSON.parse(response.body.toString())).toMatchObject([
      { id: '000000000000000b', name: 'get', tags: { k: 'v' } },
    ]);
  });

  it('says that an unknown trace is not found, in the spelling that Zipkin gives its id', async () => {
    const response = await get(holding([]), '/api/v2/trace/:id', { id: '1' });
    expect(response).toMatchObject({ status: 404, body: '0000000000000001 not found' });
    expect(response.contentType).toMatch(/^text\/plain/);
  });

  it.each([
    ['not-hex', 'not-hex should be lower-hex encoded with no prefix'],
    ['ABCDEF0123456789', 'ABCDEF0123456789 should be lower-hex encoded with no prefix'],
    ['0'.repeat(16), 'traceId is all zeros'],
    ['1'.repeat(33), 'traceId.length > 32'],
    [' ', 'traceId is empty'],
  ])('refuses %j', async (id, message) => {
    expect(await get(holding([]), '/api/v2/trace/:id', { id })).toMatchObject({ status: 400, body: message });
  });

  it('waits for what was just acknowledged before it says that a trace is not there, and only then', async () => {
    let freshened = 0;
    const stored: string[] = [];
    const freshen = () => {
      freshened++;
      stored.push('000000000000000a');
      return Promise.resolve();
    };
    expect(await get(holding(stored), '/api/v2/trace/:id', { id: 'a', freshen })).toMatchObject({ status: 200 });
    expect(freshened).toBe(1);
    expect(await get(holding(stored), '/api/v2/trace/:id', { id: 'a', freshen })).toMatchObject({ status: 200 });
    expect(freshened).toBe(1);
  });

  it('looks up an unknown trace only once when all that was acknowledged could be found before', async () => {
    let asked = 0;
    const traces: TraceSource = {
      ...holding([]),
      traceById: () => {
        asked++;
        return Promise.resolve([]);
      },
    };
    expect(await get(traces, '/api/v2/trace/:id', { id: 'a', isCurrent: true })).toMatchObject({ status: 404 });
    expect(asked).toBe(1);
    expect(await get(traces, '/api/v2/trace/:id', { id: 'a' })).toMatchObject({ status: 404 });
    expect(asked).toBe(3);
  });

  it('does not say that a trace is not there when nobody can know', async () => {
    const freshen = () => Promise.reject(new DOMException('took too long', 'TimeoutError'));
    expect(await get(holding([]), '/api/v2/trace/:id', { id: 'a', freshen })).toMatchObject({
      status: 503,
      body: '000000000000000a not found yet: the store is behind (took too long)',
      headers: { 'retry-after': '1' },
    });
  });

  it('says what is the matter with the store, and throws what is a bug', async () => {
    const failing = (error: Error): TraceSource => ({
      traceById: () => Promise.reject(error),
      serviceNames: () => Promise.reject(error),
    });
    const down = new StoreError('connect ENOENT', { isRetryable: true });
    expect(await get(failing(down), '/api/v2/trace/:id', { id: 'a' })).toMatchObject({
      status: 503,
      body: 'the store cannot answer now: connect ENOENT',
    });
    await expect(get(failing(new RangeError('a bug')), '/api/v2/services')).rejects.toThrow('a bug');
  });
});

describe('GET /api/v2/services', () => {
  it('answers sorted lower-cased names, each once', async () => {
    const response = await get(holding([], ['Web', 'web', 'API']), '/api/v2/services');
    expect(response).toMatchObject({ status: 200, body: '["api","web"]' });
    expect(response.headers).toBeUndefined();
  });

  it('lets clients keep the list when it has more than three names', async () => {
    const response = await get(holding([], ['a', 'b', 'c', 'd']), '/api/v2/services');
    expect(response.headers).toEqual({ 'cache-control': 'max-age=300, must-revalidate' });
  });
});
