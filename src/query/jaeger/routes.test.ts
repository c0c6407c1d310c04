import { describe, expect, it } from 'vitest';
import { type Ask, ask, nowMs, refused, spans, traceId } from '../../../test/fixtures/jaeger-routes.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import { StoreError } from '../../store/client.ts';
import type { JaegerApiOptions, JaegerSource } from './index.ts';

describe('GET /api/traces/:id', () => {
  const byId = (id: string, more: Ask = {}) => ask('/api/traces/:id', { params: { id }, ...more });

  it.each([traceId, traceId.toUpperCase(), Buffer.from(traceId, 'hex').toString('base64')])(
    'takes the id %s',
    async (id) => {
      expect(await byId(id)).toMatchObject({ status: 200, json: { data: [{ traceID: traceId, spans: [{}, {}] }] } });
    },
  );

  it.each([
    ['', 'strconv.ParseUint: parsing "": invalid syntax'],
    ['xyz', 'strconv.ParseUint: parsing "xyz": invalid syntax'],
    ['1'.repeat(33), `TraceID cannot be longer than 32 hex characters: ${'1'.repeat(33)}`],
  ])('refuses the id %j', async (id, msg) => {
    expect(await byId(id)).toMatchObject(refused(400, msg));
  });

  it('indents where it is asked to', async () => {
    const { body } = await byId(traceId, { query: 'prettyPrint=true' });
    expect(body.toString().startsWith('{\n    "data": [\n        {\n            "traceID": ')).toBe(true);
    expect((await byId(traceId, { query: 'prettyPrint=false' })).body.toString()).toMatch(/^\{"data":\[\{"traceID":/);
  });

  it('adjusts nothing of a raw trace', async () => {
    const orphan = (spans[0] && [{ ...spans[0], parentId: '00000000000000ff' }]) ?? [];
    const source = { traceById: () => Promise.resolve(orphan) };
    expect(await byId(traceId, { source })).toMatchObject({
      json: { data: [{ spans: [{ warnings: [expect.stringContaining('parent span')] }] }] },
    });
    expect(await byId(traceId, { source, query: 'raw=1' })).toMatchObject({
      json: { data: [{ spans: [{ warnings: null }] }] },
    });
    expect(await byId(traceId, { query: 'raw=maybe' })).toMatchObject(
      refused(400, `unable to parse param 'raw': strconv.ParseBool: parsing "maybe": invalid syntax`),
    );
  });

  it('waits for what was just acknowledged before it says that a trace is not there, and only then', async () => {
    let freshened = 0;
    let isThere = false;
    const freshen = () => {
      freshened++;
      isThere = true;
      return Promise.resolve();
    };
    const source = { traceById: () => Promise.resolve(isThere ? spans : []) };
    const options = { freshen, isCurrent: () => false };
    expect(await byId(traceId, { source, options })).toMatchObject({ status: 200 });
    expect(await byId(traceId, { source, options })).toMatchObject({ status: 200 });
    expect(freshened).toBe(1);
    isThere = false;
    expect(await byId(traceId, { source, options: { ...options, isCurrent: () => true } })).toMatchObject(
      refused(404, 'trace not found'),
    );
    expect(freshened).toBe(1);
  });

  it('does not say that a trace is not there when nobody can know', async () => {
    const options = {
      freshen: () => Promise.reject(new DOMException('took too long', 'TimeoutError')),
      isCurrent: () => false,
    };
    expect(await byId('beef', { options })).toMatchObject({
      ...refused(503, 'trace not found yet: the store is behind (took too long)'),
      headers: { 'retry-after': '1' },
    });
    expect(await ask('/api/v3/traces/:id', { params: { id: 'beef' }, options })).toMatchObject({
      status: 503,
      json: { error: { httpCode: 503 } },
      headers: { 'retry-after': '1' },
    });
  });

  it('lets a large trace wait for its turn among searches, and a small one not', async () => {
    const passed: number[] = [];
    const searches: JaegerApiOptions['searches'] = {
      pass(_signal, run) {
        passed.push(1);
        return run();
      },
    };
    const [first] = spans;
    const large = Array.from({ length: 5001 }, (_, i) => first && { ...first, id: i.toString(16).padStart(16, '0') });
    const source = { traceById: () => Promise.resolve(large.flatMap((span) => span ?? [])) };
    expect(await byId(traceId, { options: { searches } })).toMatchObject({ status: 200 });
    expect(passed).toHaveLength(0);
    expect(await byId(traceId, { source, options: { searches } })).toMatchObject({ status: 200 });
    expect(passed).toHaveLength(1);
  });

  it('says what is the matter with the store, and throws what is a bug', async () => {
    const failing = (error: Error): Partial<JaegerSource> => ({ traceById: () => Promise.reject(error) });
    const away = new StoreError('connect ENOENT', { isRetryable: true });
    expect(await byId('a', { source: failing(away) })).toMatchObject(
      refused(503, 'the store cannot answer now: connect ENOENT'),
    );
    await expect(byId('a', { source: failing(new RangeError('a bug')) })).rejects.toThrow('a bug');
    expect(await byId('a', { source: failing(away), signal: AbortSignal.abort() })).toMatchObject({ status: 499 });
  });
});

describe('GET /api/traces', () => {
  it('gives no more than 500 traces, the newest of the last two days unless told otherwise', async () => {
    const asked: unknown[] = [];
    const source: Partial<JaegerSource> = {
      searchTraces(search, { limit }) {
        asked.push({ ...search, limit });
        return Promise.resolve({ incomplete: undefined });
      },
    };
    await ask('/api/traces', { source, query: 'service=Shop' });
    await ask('/api/traces', { source, query: 'limit=1500&start=-5&end=9223372036854775807' });
    expect(asked).toEqual([
      {
        fromUs: (nowMs - 48 * 3_600_000) * 1000,
        toUs: nowMs * 1000,
        reachUs: 0,
        someSpan: [[{ kind: 'localService', text: 'Shop', isFolded: false }]],
        limit: 100,
      },
      { fromUs: 0, toUs: Number.MAX_SAFE_INTEGER, reachUs: 0, someSpan: [[]], limit: 500 },
    ]);
  });

  it('says in a header why traces may be missing', async () => {
    const source: Partial<JaegerSource> = {
      searchTraces: () => Promise.resolve({ incomplete: 'a bound\nwas reached' }),
    };
    for (const path of ['/api/traces', '/api/v3/trace-summaries']) {
      const query = 'service=a&query.startTimeMin=2026-11-21T00:00:00Z&query.startTimeMax=2026-11-21T01:00:00Z';
      expect(await ask(path, { source, query })).toMatchObject({
        status: 200,
        headers: { 'x-trawl-incomplete': 'a bound?was reached' },
      });
    }
  });

  it('says in a header that more than 500 were asked for, where there are as many', async () => {
    const source: Partial<JaegerSource> = {
      searchTraces(_search, { limit, take }) {
        for (let i = 0; i < limit; i++) take(spans);
        return Promise.resolve({ incomplete: undefined });
      },
    };
    const few = await ask('/api/traces', { source, query: 'limit=500' });
    expect(few.headers).toBeUndefined();
    const all = await ask('/api/traces', { source, query: 'limit=1000000000' });
    expect(all).toMatchObject({
      status: 200,
      headers: { 'x-trawl-incomplete': expect.stringContaining('no more than 500 traces') },
    });
  });

  it('fetches traces by their ids, each once, and names those that are not there', async () => {
    expect(await ask('/api/traces', { query: `traceID=${traceId}&traceID=${traceId}&traceID=BEEF` })).toMatchObject({
      status: 200,
      json: {
        data: [{ traceID: traceId }],
        errors: [{ msg: 'trace not found', traceID: '000000000000beef' }],
      },
    });
  });

  it.each([
    ['limit=0', 'invalid parameter: limit must be greater than 0'],
    ['limit=9999999999', 'strconv.ParseInt: parsing "9999999999": value out of range'],
    ['start=1.5', `unable to parse param 'start': strconv.ParseInt: parsing "1.5": invalid syntax`],
    ['maxDuration=5', `unable to parse param 'maxDuration': time: missing unit in duration "5"`],
    ['tags=[]', "malformed 'tags' parameter, cannot unmarshal JSON: expected an object, got array"],
    ['traceID=xyz', 'cannot parse traceID param: strconv.ParseUint: parsing "xyz": invalid syntax'],
  ])('refuses %s', async (query, msg) => {
    expect(await ask('/api/traces', { query })).toMatchObject(refused(400, msg));
  });
});

describe('names', () => {
  it('takes a plus in a path for itself where a service has one, and else for a space', async () => {
    const operations = (service: string, source: Partial<JaegerSource> = {}) =>
      ask('/api/services/:service/operations', { params: { service }, source });
    expect(await operations('a+b')).toMatchObject({ json: { data: ['op'], total: 1 } });
    const spaced: Partial<JaegerSource> = {
      operationsOf: (name) => Promise.resolve(name === 'a b' ? [{ name: 'spaced', kind: undefined }] : []),
    };
    expect(await operations('a+b', spaced)).toMatchObject({ json: { data: ['spaced'], total: 1 } });
    expect(await operations('nobody')).toMatchObject({ json: { data: null, total: 0 } });
  });

  it('calls spans that name no service as Jaeger does', async () => {
    const source: Partial<JaegerSource> = {
      serviceNames: () => Promise.resolve(['web', '', 'API']),
      operationsOf: (service) => Promise.resolve(service === '' ? [{ name: 'op', kind: 'SERVER' }] : []),
    };
    const services = ['API', 'missing-service-name', 'web'];
    expect(await ask('/api/services', { source })).toMatchObject({ json: { data: services, total: 3 } });
    expect(await ask('/api/v3/services', { source })).toMatchObject({ json: { services } });
    expect(await ask('/api/operations', { source, query: 'service=missing-service-name' })).toMatchObject({
      json: { data: [{ name: 'op', spanKind: 'server' }] },
    });
  });

  it('calls an operation without a name as Jaeger does', async () => {
    expect(await ask('/api/operations', { query: 'service=Shop' })).toMatchObject({
      json: { data: [{ name: 'empty-span-name', spanKind: '' }], total: 1 },
    });
    expect(await ask('/api/v3/operations', { query: 'service=Shop' })).toMatchObject({
      json: { operations: [{ name: 'empty-span-name', spanKind: 'internal' }] },
    });
    expect(await ask('/api/v3/operations', { query: 'service=Shop&span_kind=server' })).toMatchObject({
      json: { operations: [] },
    });
  });
});

describe('POST', () => {
  it('/api/archive/:id keeps nothing, and says so', async () => {
    expect(await ask('/api/archive/:id', { method: 'POST', params: { id: traceId } })).toMatchObject(
      refused(501, expect.stringContaining('archive')),
    );
    expect(await ask('/api/archive/:id', { method: 'POST', params: { id: 'x' } })).toMatchObject({ status: 400 });
  });

  it('/api/transform tells the traces of a file apart and adjusts none', async () => {
    const span = (trace: string, id: string) => ({
      traceId: trace.padStart(32, '0'),
      spanId: id.padStart(16, '0'),
      parentSpanId: 'ff'.padStart(16, '0'),
    });
    const body = JSON.stringify({
      resourceSpans: [
        { scopeSpans: [{ spans: [span('a', '1'), span('b', '2')] }, { spans: [span('a', '3')] }] },
        { resource: { attributes: [] }, scopeSpans: [{ spans: [span('b', '4')] }] },
      ],
    });
    const { json, status } = await ask('/api/transform', { method: 'POST', body });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      data: [
        {
          traceID: '000000000000000a',
          spans: [{ spanID: '0000000000000001', warnings: null }, { spanID: '0000000000000003' }],
        },
        {
          traceID: '000000000000000b',
          spans: [{ spanID: '0000000000000002' }, { spanID: '0000000000000004' }],
          processes: { p1: { serviceName: 'OTLPResourceNoServiceName', tags: [] } },
        },
      ],
    });
  });

  it('/api/transform refuses what is no such file', async () => {
    for (const body of [undefined, '', 'x', '[]', '{"resourceSpans":7}']) {
      const answer = await ask('/api/transform', { method: 'POST', ...(body === undefined ? {} : { body }) });
      expect([body, answer.status]).toEqual([body, 400]);
    }
  });
});

describe('/api/v3', () => {
  const times = 'query.startTimeMin=2026-11-21T11:00:00Z&query.startTimeMax=2026-11-21T13:00:00Z';
  const refusedByV3 = (httpCode: number, message: string) => ({
    status: httpCode,
    contentType: 'text/plain; charset=utf-8',
    json: { error: { httpCode, message } },
  });

  it("answers traces as OTLP's JSON", async () => {
    expect((await ask('/api/v3/traces/:id', { params: { id: traceId } })).json).toMatchObject({
      result: {
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'Shop' } }] },
            scopeSpans: [
              { scope: {}, spans: [{ traceId, spanId: '00000000000000a0', name: 'empty-span-name', status: {} }] },
            ],
          },
          { scopeSpans: [{ spans: [{ spanId: '00000000000000a1' }] }] },
        ],
      },
    });
  });

  it.each([
    [`${times}&query.searchDepth=-1`, 'query.searchDepth must be greater than 0'],
    [
      `${times}&query.num_traces=x`,
      'malformed parameter query.num_traces: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [`${times}&query.duration_min=x`, 'malformed parameter query.duration_min: time: invalid duration "x"'],
    [`${times}&query.durationMin=2s&query.durationMax=1s`, 'query.durationMax must be greater than query.durationMin'],
    [`${times}&query.filter={}`, 'parameter query.filter is not supported; leave it out'],
    ['query.serviceName=a', 'query.startTimeMin and query.startTimeMax are required'],
    [
      'query.startTimeMin=2026-11-21T13:00:00Z&query.startTimeMax=2026-11-21T11:00:00Z',
      'query.startTimeMin must be before query.startTimeMax',
    ],
  ])('refuses %s', async (query, message) => {
    expect(await ask('/api/v3/traces', { query })).toMatchObject(refusedByV3(400, message));
    expect(await ask('/api/v3/trace-summaries', { query })).toMatchObject(refusedByV3(400, message));
  });

  it('summarizes traces', async () => {
    expect((await ask('/api/v3/trace-summaries', { query: `${times}&query.service_name=Shop` })).json).toEqual({
      summaries: [
        {
          traceId,
          rootServiceName: 'Shop',
          rootOperationName: 'empty-span-name',
          minStartTimeUnixNano: `${nowMs}000000`,
          maxEndTimeUnixNano: `${nowMs}005000`,
          spanCount: 2,
          services: [
            { name: 'Shop', spanCount: 1 },
            { name: 'a+b', spanCount: 1 },
          ],
        },
      ],
    });
  });
});

describe('any parameters (seed 4)', () => {
  it('are answered or refused, never a fault of the server', async () => {
    const random = createRandom(4);
    const pick = <T>(values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];
    const names = [
      ...[
        'service',
        'operation',
        'start',
        'end',
        'limit',
        'tag',
        'tags',
        'minDuration',
        'maxDuration',
        'traceID',
        'raw',
      ],
      ...['endTs', 'lookback', 'step', 'ratePer', 'quantile', 'spanKind', 'groupByOperation', 'prettyPrint', 'endTime'],
      ...['query.startTimeMin', 'query.startTimeMax', 'query.searchDepth', 'query.durationMin', 'query.attributes'],
    ] as const;
    const values = [
      ...[
        '',
        '0',
        '-1',
        '1',
        '9223372036854775807',
        '-9223372036854775808',
        '99999999999999999999',
        '1.5',
        'NaN',
        '1e309',
      ],
      ...[
        'Shop',
        'true',
        'server',
        'a:b',
        ':',
        '{"a":"b"}',
        '{"__proto__":"b"}',
        '{"a":null}',
        'null',
        '{',
        '1s',
        '-1h',
        'µs',
      ],
      ...['2026-11-21T12:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', traceId, '\u0000', '🐟', "'); DROP"],
    ] as const;
    const paths = [
      ...['/api/services', '/api/operations', '/api/traces', '/api/traces/:id', '/api/dependencies'],
      ...['/api/metrics/latencies', '/api/metrics/calls', '/api/metrics/errors', '/api/v3/services'],
      ...['/api/v3/operations', '/api/v3/traces', '/api/v3/traces/:id', '/api/v3/trace-summaries'],
    ] as const;
    for (let i = 0; i < 3000; i++) {
      const query = new URLSearchParams();
      for (let n = Math.floor(random() * 6); n > 0; n--) query.append(pick(names), pick(values));
      const path = pick(paths);
      const { status } = await ask(path, { query: String(query), params: { id: pick(values) } });
      expect(status, `${path}?${query}`).toBeLessThan(500);
    }
  });
});
