import { describe, expect, it } from 'vitest';
import { emptyResource } from '../../model/resource.ts';
import type { Span } from '../../model/span.ts';
import { StoreError } from '../../store/client.ts';
import type { QueryResponse } from '../query-route.ts';
import { createZipkinApi, type ZipkinSource } from './index.ts';

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

const holding = (ids: readonly string[], names: readonly string[] = []): ZipkinSource => ({
  traceById: (id) => Promise.resolve(ids.includes(id) ? [span(id)] : []),
  tracesByIds: (asked) => Promise.resolve(asked.filter((id) => ids.includes(id)).map((id) => [span(id)])),
  search: async (_search, { take, limit }) => {
    for (const id of ids.slice(0, limit)) await take([span(id)]);
    return { incomplete: undefined };
  },
  serviceNames: () => Promise.resolve(names),
  operationNames: () => Promise.resolve(names),
  remoteServiceNames: () => Promise.resolve(names),
  tagValues: () => Promise.resolve(names),
  dependencies: () => Promise.resolve([]),
});

interface GetOptions {
  readonly id?: string;
  readonly query?: string;
  readonly freshen?: () => Promise<void>;
  readonly isCurrent?: boolean;
  readonly whyNotReady?: string;
}

async function get(traces: ZipkinSource, path: string, options: GetOptions = {}): Promise<QueryResponse> {
  const routes = createZipkinApi({
    traces,
    freshen: options.freshen ?? (() => Promise.resolve()),
    isCurrent: () => options.isCurrent ?? false,
    nowMs: () => 1_795_262_400_000,
    autocompleteKeys: ['environment'],
    state: { whyNotReady: () => options.whyNotReady, version: '0.1.0' },
  });
  const route = routes.find((candidate) => candidate.path === path);
  if (route === undefined) throw new Error(`no route ${path}`);
  return route.handle({
    params: { id: options.id ?? '' },
    query: new URLSearchParams(options.query),
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

  it('is no route without an id', async () => {
    expect(await get(holding([]), '/api/v2/trace/:id', { id: '' })).toMatchObject({ status: 404 });
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
    const traces: ZipkinSource = {
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
    const failing = (error: Error): ZipkinSource => ({
      ...holding([]),
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

describe('GET /api/v2/traces', () => {
  it.each([
    ['limit=0', 'limit <= 0'],
    ['limit=-1', 'limit <= 0'],
    ['limit=abc', 'limit=abc is not a whole number up to 2147483647'],
    ['limit=2147483648', 'limit=2147483648 is not a whole number up to 2147483647'],
    ['limit=', 'limit= is not a whole number up to 2147483647'],
    ['limit=1e3', 'limit=1e3 is not a whole number up to 2147483647'],
    ['lookback=0', 'lookback <= 0'],
    ['endTs=0', 'endTs <= 0'],
    ['endTs=-5', 'endTs <= 0'],
    ['endTs=now', 'endTs=now is not a whole number up to 9223372036854775807'],
    ['minDuration=0', 'minDuration <= 0'],
    ['maxDuration=5', 'maxDuration is only valid with minDuration'],
    ['minDuration=10&maxDuration=5', 'maxDuration < minDuration'],
    ['minDuration=1.5', 'minDuration=1.5 is not a whole number up to 9223372036854775807'],
  ])('refuses %s', async (query, message) => {
    expect(await get(holding([]), '/api/v2/traces', { query })).toMatchObject({ status: 400, body: message });
  });

  it('takes empty parameters for absent ones, but not an empty limit, as Zipkin does', async () => {
    const empty =
      'endTs=&lookback=&minDuration=&maxDuration=&serviceName=&spanName=&remoteServiceName=&annotationQuery=';
    expect(await get(holding(['a'.padStart(32, '0')]), '/api/v2/traces', { query: empty })).toMatchObject({
      status: 200,
    });
    expect(await get(holding([]), '/api/v2/traces', { query: 'limit=' })).toMatchObject({ status: 400 });
  });

  it('answers traces whole, and an empty list when there is none', async () => {
    expect(await get(holding([]), '/api/v2/traces')).toMatchObject({ status: 200, contentType: 'application/json' });
    expect(String((await get(holding([]), '/api/v2/traces')).body)).toBe('[]');
    const response = await get(holding(['a', 'b', 'c']), '/api/v2/traces', { query: 'endTs=1&limit=2' });
    expect(JSON.parse(String(response.body))).toMatchObject([[{ traceId: '000000000000000a' }], [{}]]);
    expect(response.headers).toBeUndefined();
  });

  it('says in a header that traces may be missing', async () => {
    const source = {
      ...holding([]),
      search: () => Promise.resolve({ incomplete: 'the search reached a bound: žluť\n' }),
    };
    const response = await get(source, '/api/v2/traces');
    expect(response.headers).toEqual({ 'x-trawl-incomplete': 'the search reached a bound:  lu ' });
  });

  it('tells those who come while the store is busy when to come again', async () => {
    const busy = new StoreError('4 searches are at work', { isRetryable: true });
    const source: ZipkinSource = { ...holding([]), search: () => Promise.reject(busy) };
    expect(await get(source, '/api/v2/traces')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });
});

describe('GET /api/v2/traceMany', () => {
  it.each([
    ['', 'traceIds is missing: give it as ?traceIds=a,b'],
    ['traceIds=', 'traceIds parameter is empty'],
    ['traceIds=a', 'Use /api/v2/trace/{traceId} endpoint to retrieve a single trace'],
    ['traceIds=a,a', 'redundant traceId: a'],
    ['traceIds=a,0a', 'redundant traceId: 0a'],
    ['traceIds=a,xyz', 'xyz should be lower-hex encoded with no prefix'],
    ['traceIds=a,', 'traceId is empty'],
    ['traceIds=a,%20b', ' b should be lower-hex encoded with no prefix'],
    [
      `traceIds=${Array.from({ length: 501 }, (_, i) => (i + 1).toString(16)).join()}`,
      '501 traceIds are more than 500; ask in parts',
    ],
  ])('refuses %j', async (query, message) => {
    expect(await get(holding([]), '/api/v2/traceMany', { query })).toMatchObject({ status: 400, body: message });
  });

  it('leaves unknown traces out', async () => {
    const known = 'a'.padStart(32, '0');
    const response = await get(holding([known]), '/api/v2/traceMany', { query: 'traceIds=a,b' });
    expect(JSON.parse(String(response.body))).toMatchObject([[{ traceId: '000000000000000a' }]]);
    expect(String((await get(holding([]), '/api/v2/traceMany', { query: 'traceIds=a,b' })).body)).toBe('[]');
  });
});

describe('names', () => {
  it.each(['spans', 'remoteServices'])('of %s are those of a service, which must be named', async (path) => {
    const source = holding([], ['Load', 'load', 'GET /']);
    expect(await get(source, `/api/v2/${path}`)).toMatchObject({ status: 400 });
    expect(await get(source, `/api/v2/${path}`, { query: 'serviceName=Web' })).toMatchObject({
      body: '["get /","load"]',
    });
    expect(await get(source, `/api/v2/${path}`, { query: 'serviceName=' })).toMatchObject({ body: '[]' });
  });

  it('are suggested for configured tags alone', async () => {
    const source = holding([], ['prod', 'Test']);
    expect(await get(source, '/api/v2/autocompleteKeys')).toMatchObject({
      body: '["environment"]',
      headers: { 'cache-control': 'max-age=300, must-revalidate' },
    });
    expect(await get(source, '/api/v2/autocompleteValues')).toMatchObject({ status: 400 });
    expect(await get(source, '/api/v2/autocompleteValues', { query: 'key=' })).toMatchObject({ status: 400 });
    const values = await get(source, '/api/v2/autocompleteValues', { query: 'key=environment' });
    expect(values).toMatchObject({ status: 200, body: '["Test","prod"]' });
    expect(await get(source, '/api/v2/autocompleteValues', { query: 'key=other' })).toMatchObject({ body: '[]' });
  });
});

describe('what Zipkin’s page and its watchers ask', () => {
  it('is answered as Zipkin does', async () => {
    const config = await get(holding([]), '/zipkin/config.json');
    // Word for word what zipkin-server 3.6.1 answers.
    expect(String(config.body)).toBe(
      '{"environment":"","queryLimit":10,"defaultLookback":900000,"searchEnabled":true,"logsUrl":null,"supportUrl":null,"archivePostUrl":null,"archiveUrl":null,"dependency":{"enabled":true,"lowErrorRate":0.5,"highErrorRate":0.75}}',
    );
    expect(JSON.parse(String((await get(holding([]), '/info')).body))).toMatchObject({ trawl: { version: '0.1.0' } });
    const up = await get(holding([]), '/health');
    expect(up).toMatchObject({ status: 200, body: '{"status":"UP","zipkin":{"status":"UP"}}' });
    const down = await get(holding([]), '/health', { whyNotReady: 'the store starts' });
    expect(down.status).toBe(503);
    expect(JSON.parse(String(down.body))).toMatchObject({
      status: 'DOWN',
      zipkin: { details: { error: 'the store starts' } },
    });
  });
});
