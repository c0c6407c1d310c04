import { describe, expect, it } from 'vitest';
import { textOf } from '../../../test/fixtures/answer-text.ts';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type SeriesSamples } from '../../model/sample.ts';
import { StoreError } from '../../store/client.ts';
import { createPrometheusRoutes, type PrometheusApiOptions } from './index.ts';
import { formatTimestamp, formatValue } from './value-text.ts';

const nowMs = 1_435_781_451_781;

const up: SeriesSamples = {
  series: createSeries([
    ['__name__', 'up'],
    ['job', 'a"b'],
  ]),
  samples: [
    { timestampMs: nowMs - 10_000, value: 1, isStale: false },
    { timestampMs: nowMs, value: 0.1, isStale: false },
  ],
};
const other: SeriesSamples = {
  series: createSeries([['__name__', 'up']]),
  samples: [{ timestampMs: nowMs, value: Number.NaN, isStale: false }],
};

async function ask(
  path: '/api/v1/query' | '/api/v1/query_range',
  parameters: Record<string, string>,
  options: Partial<PrometheusApiOptions> & { readonly asForm?: boolean; readonly signal?: AbortSignal } = {},
) {
  const routes = createPrometheusRoutes({ samples: createMemorySource([up, other]), now: () => nowMs, ...options });
  const method = options.asForm === true ? 'POST' : 'GET';
  const route = routes.find((candidate) => candidate.path === path && candidate.method === method);
  if (route === undefined) throw new Error(`no route ${method} ${path}`);
  const given = new URLSearchParams(parameters);
  const response = await route.handle({
    params: {},
    query: options.asForm === true ? new URLSearchParams({ query: 'ignored' }) : given,
    form: options.asForm === true ? given : undefined,
    signal: options.signal ?? new AbortController().signal,
  });
  expect(response.contentType).toBe('application/json');
  const text = await textOf(response.body);
  return { status: response.status, text, body: JSON.parse(text) };
}

describe('a store that is still being given what was acknowledged before a restart', () => {
  const whyBehind = () => 'the store is behind';

  it('is said to be in a warning of what it answers', async () => {
    const { body } = await ask('/api/v1/query', { query: 'up' }, { whyBehind });
    expect(body.warnings).toEqual(['the store is behind']);
    expect((await ask('/api/v1/query', { query: 'up' })).body.warnings).toBeUndefined();
  });

  it('is not spoken of where it was not asked', async () => {
    const source = createMemorySource([up]);
    const found = await source.select({ matchers: [], afterMs: 0, untilMs: nowMs }, new AbortController().signal);
    const samples = { ...source, recent: () => found };
    expect((await ask('/api/v1/query', { query: 'up' }, { whyBehind, samples })).body.warnings).toBeUndefined();
    expect((await ask('/api/v1/query', { query: '1 + 1' }, { whyBehind })).body.warnings).toBeUndefined();
  });
});

describe('numbers and times', () => {
  it.each([
    [1, '1'],
    [0.1, '0.1'],
    [-0, '-0'],
    [1e-6, '0.000001'],
    [1e-7, '1e-07'],
    [1.5e-10, '1.5e-10'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [5e-324, '5e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
  ])('%d is written as Go writes it', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });

  it.each([
    [0, '0'],
    [1000, '1'],
    [1_435_781_451_781, '1435781451.781'],
    [1_435_781_451_700, '1435781451.700'],
    [-1, '-0.001'],
    [-1500, '-1.500'],
  ])('%d ms is whole seconds or has three decimals', (timestampMs, text) => {
    expect(formatTimestamp(timestampMs)).toBe(text);
  });
});

describe('/api/v1/query', () => {
  it('answers a vector, sorted by labels, at the time it is asked', async () => {
    const { text } = await ask('/api/v1/query', { query: 'up' });
    expect(text).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[' +
        '{"metric":{"__name__":"up"},"value":[1435781451.781,"NaN"]},' +
        '{"metric":{"__name__":"up","job":"a\\"b"},"value":[1435781451.781,"0.1"]}]}}',
    );
  });

  it('takes the body of a POST before the URL', async () => {
    const { body } = await ask('/api/v1/query', { query: '1' }, { asForm: true });
    expect(body.data).toEqual({ resultType: 'scalar', result: [1_435_781_451.781, '1'] });
  });

  it.each(['1435781451.781', '2015-07-01T20:10:51.781Z', '2015-07-01T22:10:51.781+02:00', '1.435781451781e9'])(
    'reads the time %s',
    async (time) => {
      const { body } = await ask('/api/v1/query', { query: 'up{job!=""}', time });
      expect(body.data.result[0].value).toEqual([1_435_781_451.781, '0.1']);
    },
  );

  it('answers strings, matrices and nothing', async () => {
    expect((await ask('/api/v1/query', { query: '"x"', time: '1' })).body.data).toEqual({
      resultType: 'string',
      result: [1, 'x'],
    });
    expect((await ask('/api/v1/query', { query: 'up{job!=""}[1m]' })).body.data).toEqual({
      resultType: 'matrix',
      result: [
        {
          metric: { __name__: 'up', job: 'a"b' },
          values: [
            [1_435_781_441.781, '1'],
            [1_435_781_451.781, '0.1'],
          ],
        },
      ],
    });
    expect((await ask('/api/v1/query', { query: 'nothing' })).body.data).toEqual({ resultType: 'vector', result: [] });
  });

  it.each([
    ['1e21', '1000000000000000000000'],
    ['1e-7', '0.0000001'],
    ['-1e22', '-10000000000000000000000'],
    ['Inf', '+Inf'],
  ])('writes the scalar %s without an exponent', async (query, text) => {
    const { body } = await ask('/api/v1/query', { query, time: '1' });
    expect(body.data.result).toEqual([1, text]);
  });

  it('cuts the answer at the limit and says so', async () => {
    const { body } = await ask('/api/v1/query', { query: 'up', limit: '1' });
    expect(body.data.result).toHaveLength(1);
    expect(body.warnings).toEqual(['results truncated due to limit']);
  });

  it.each<[Record<string, string>, number, string, string]>([
    [{}, 400, 'bad_data', 'invalid parameter "query": unknown position: parse error: no expression found in input'],
    [{ query: '1 + ' }, 400, 'bad_data', 'invalid parameter "query": 1:5: parse error: unexpected end of input'],
    [{ query: 'limit_ratio(NaN, up)' }, 422, 'execution', 'Ratio value is NaN'],
    [
      { query: 'up', time: 'soon' },
      400,
      'bad_data',
      'invalid parameter "time": invalid time value for \'time\': cannot parse "soon" to a valid timestamp',
    ],
    [
      { query: 'up', time: '1e30' },
      400,
      'bad_data',
      'invalid parameter "time": invalid time value for \'time\': cannot parse "1e30" to a valid timestamp',
    ],
    [
      { query: 'up', timeout: 'x' },
      400,
      'bad_data',
      'invalid parameter "timeout": cannot parse "x" to a valid duration',
    ],
    [{ query: 'up', timeout: '-1' }, 400, 'bad_data', 'invalid parameter "timeout": timeout must be positive, got -1s'],
    [
      { query: 'up', timeout: '9223372037' },
      400,
      'bad_data',
      'invalid parameter "timeout": cannot parse "9223372037" to a valid duration. It overflows int64',
    ],
    [
      { query: 'up', limit: '9223372036854775808' },
      400,
      'bad_data',
      'invalid parameter "limit": strconv.Atoi: parsing "9223372036854775808": value out of range',
    ],
    ...['2026-02-30T03:04:05Z', '2026-01-02t03:04:05Z', '2026-01-02T24:00:00Z'].map(
      (time): [Record<string, string>, number, string, string] => [
        { query: 'up', time },
        400,
        'bad_data',
        `invalid parameter "time": invalid time value for 'time': cannot parse "${time}" to a valid timestamp`,
      ],
    ),
    [
      { query: 'up', lookback_delta: '1.5m' },
      400,
      'bad_data',
      'error parsing lookback delta duration: cannot parse "1.5m" to a valid duration',
    ],
    [{ query: 'up', limit: '-1' }, 400, 'bad_data', 'invalid parameter "limit": limit must be non-negative'],
  ])('refuses %j', async (parameters, status, errorType, error) => {
    expect(await ask('/api/v1/query', parameters)).toMatchObject({
      status,
      body: { status: 'error', errorType, error },
    });
  });

  it.each([
    [new StoreError('slow', { code: 159, isRetryable: false }), 503, 'timeout'],
    [new StoreError('big', { code: 241, isRetryable: false }), 422, 'execution'],
    [new StoreError('regexp', { code: 427, isRetryable: false }), 400, 'bad_data'],
    [new StoreError('gone', { isRetryable: true }), 503, 'unavailable'],
    [new StoreError('odd', { code: 47, isRetryable: false }), 500, 'internal'],
  ])('names the failure of the store: %s', async (failure, status, errorType) => {
    const samples = { select: () => Promise.reject(failure) };
    expect(await ask('/api/v1/query', { query: 'up' }, { samples })).toMatchObject({ status, body: { errorType } });
  });

  it('ends the query when its time is up or its client leaves', async () => {
    const samples = {
      select: (_: unknown, signal: AbortSignal) =>
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new StoreError('ended', { isRetryable: false })), {
            once: true,
          });
        }),
    };
    expect(await ask('/api/v1/query', { query: 'up', timeout: '10ms' }, { samples })).toMatchObject({
      status: 503,
      body: { errorType: 'timeout' },
    });
    expect(await ask('/api/v1/query', { query: 'up' }, { samples, signal: AbortSignal.timeout(10) })).toMatchObject({
      status: 503,
    });
    const left = new AbortController();
    setTimeout(() => left.abort(new Error('the client left')), 10);
    expect(await ask('/api/v1/query', { query: 'up' }, { samples, signal: left.signal })).toMatchObject({
      status: 499,
      body: { errorType: 'canceled', error: 'query was canceled in query execution' },
    });
  });
});

describe('/api/v1/query_range', () => {
  const range = { start: '1435781441.781', end: '1435781471.781', step: '10s' };

  it('answers a matrix with a point for each step that has a value', async () => {
    const { text } = await ask('/api/v1/query_range', { query: 'up{job!=""}', ...range });
    expect(text).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a\\"b"},"values":' +
        '[[1435781441.781,"1"],[1435781451.781,"0.1"],[1435781461.781,"0.1"],[1435781471.781,"0.1"]]}]}}',
    );
  });

  it('makes a scalar a series without labels', async () => {
    const { body } = await ask('/api/v1/query_range', { query: '2', start: '0', end: '1', step: '0.5' });
    expect(body.data.result).toEqual([
      {
        metric: {},
        values: [
          [0, '2'],
          [0.5, '2'],
          [1, '2'],
        ],
      },
    ]);
  });

  it.each<[Record<string, string>, string]>([
    [{ step: '' }, 'invalid parameter "step": cannot parse "" to a valid duration'],
    [
      { step: '0' },
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    ],
    [
      { step: '-1' },
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    ],
    [{ end: '1' }, 'invalid parameter "end": end timestamp must not be before start time'],
    [{ start: '' }, 'invalid parameter "start": cannot parse "" to a valid timestamp'],
    [
      { step: '1ms', start: '0' },
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    ],
    [
      { query: 'up[1m]' },
      'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    ],
    [
      { query: '"x"' },
      'invalid parameter "query": invalid expression type "string" for range query, must be Scalar or instant Vector',
    ],
  ])('refuses %j', async (parameters, error) => {
    expect(await ask('/api/v1/query_range', { query: 'up', ...range, ...parameters })).toMatchObject({
      status: 400,
      body: { status: 'error', errorType: 'bad_data', error },
    });
  });

  it('takes exactly 11,000 steps', async () => {
    const { body } = await ask('/api/v1/query_range', { query: '1', start: '0', end: '11000', step: '1' });
    expect(body.data.result[0].values).toHaveLength(11_001);
  });

  it('gives others their turn while it writes a long answer, and stops when its client leaves', async () => {
    const many = Array.from({ length: 10 }, (_, i) => ({
      series: createSeries([
        ['__name__', 'many'],
        ['i', `${i}`],
      ]),
      samples: [{ timestampMs: 0, value: i, isStale: false }],
    }));
    const options = { samples: createMemorySource(many) };
    const long = { query: 'many', start: '0', end: '299.9', step: '0.03' };
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    const { body } = await ask('/api/v1/query_range', long, options);
    clearInterval(counting);
    expect(body.data.result).toHaveLength(10);
    expect(body.data.result[9].values).toHaveLength(9997);
    expect(turns).toBeGreaterThan(0);
    const left = new AbortController();
    const leaving = ask('/api/v1/query_range', long, { ...options, signal: left.signal });
    setImmediate(() => left.abort());
    // Whether or not the answer had begun, there is no end to it that a client could take for a whole one.
    const answered = await leaving.then(
      ({ status }) => status,
      (error: Error) => error.name,
    );
    expect([499, 'QueryEnded']).toContain(answered);
  });
});

describe('mutated queries', () => {
  it('are answered or refused, and nothing else is thrown', async () => {
    const seed = 7;
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const queries = [
      'rate(istio_requests_total{destination_service=~"productpage.*", response_code!="200"}[5m] offset -1h30m)',
      '{__name__=~"a|b\\\\d", \'l\\x41\'!~`(?i:x)+`}[1y2w3d4h5m6s7ms]',
      'sum by (a, b) (increase(x_total[5m])) / on(a) group_left(c) y > bool -0x1F ^ 1e-3',
      '{"quoted.name", "a.b"="c"} @ start() or absent(foo[5m:1m])',
      '((("string \\u00e9 \\101"))) # comment',
    ];
    const alphabet = '(){}[]"\'`\\,=!~<>+-*/%^@:.#_ \n09azeE\u00e9\ud800$|?';
    const alphabetCharacters = [...alphabet];
    for (let i = 0; i < 10_000; i++) {
      let query = queries[random(queries.length)] ?? '';
      for (let edits = 1 + random(4); edits > 0; edits--) {
        const at = random(query.length + 1);
        const inserted = random(3) === 0 ? '' : (alphabetCharacters[random(alphabetCharacters.length)] ?? '');
        query = query.slice(0, at) + inserted + query.slice(at + random(3));
      }
      const samples = { select: () => Promise.resolve([]) };
      const { status } = await ask('/api/v1/query', { query }, { samples });
      expect([200, 400, 422], `${JSON.stringify(query)} (seed ${seed})`).toContain(status);
    }
  }, 60_000);
});
