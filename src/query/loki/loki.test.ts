import { describe, expect, it } from 'vitest';
import { StoreError } from '../../store/client.ts';
import type { LogLine, LogSelection } from '../../store/readers/logs.ts';
import { createLokiRoutes, type LogSource } from './index.ts';
import { parseTimeNs } from './parameters.ts';

const nowMs = 1_736_938_800_000;

const line = (timeNs: bigint, body: string, over: Partial<LogLine> = {}): LogLine => ({
  timeNs,
  body,
  namespace: 'shop',
  pod: 'reviews-1',
  container: 'app',
  service: 'reviews',
  stream: 'stdout',
  ...over,
});

async function ask(
  parameters: Record<string, string>,
  options: { readonly lines?: readonly LogLine[]; readonly logs?: LogSource; readonly asForm?: boolean } = {},
) {
  const asked: LogSelection[] = [];
  const logs: LogSource = options.logs ?? {
    select(selection) {
      asked.push(selection);
      return Promise.resolve(options.lines ?? []);
    },
  };
  const method = options.asForm === true ? 'POST' : 'GET';
  const route = createLokiRoutes({ logs, now: () => nowMs }).find((candidate) => candidate.method === method);
  if (route === undefined) throw new Error(`no route ${method}`);
  const given = new URLSearchParams(parameters);
  const response = await route.handle({
    params: {},
    query: options.asForm === true ? new URLSearchParams() : given,
    form: options.asForm === true ? given : undefined,
    signal: new AbortController().signal,
  });
  return { ...response, text: response.body.toString(), asked };
}

describe('/loki/api/v1/query_range', () => {
  it('answers streams, sorted by their labels, with the lines in the order they were read', async () => {
    const lines = [line(3n, 'c'), line(2n, 'b', { stream: 'stderr' }), line(1n, 'a')];
    const { status, text } = await ask({ query: '{pod="reviews-1"}' }, { lines });
    expect(status).toBe(200);
    const labels = { container: 'app', namespace: 'shop', pod: 'reviews-1', service_name: 'reviews' };
    const { data, ...rest } = JSON.parse(text);
    expect(rest).toEqual({ status: 'success' });
    expect(data.resultType).toBe('streams');
    expect(data.result).toEqual([
      { stream: { ...labels, stream: 'stderr' }, values: [['2', 'b']] },
      {
        stream: { ...labels, stream: 'stdout' },
        values: [
          ['3', 'c'],
          ['1', 'a'],
        ],
      },
    ]);
    expect(Object.keys(data.stats).sort()).toEqual(['cache', 'index', 'ingester', 'querier', 'summary']);
    expect(data.stats.summary).toMatchObject({ totalLinesProcessed: 3, totalBytesProcessed: 3 });
  });

  it('leaves empty labels out, and answers no lines as an empty list', async () => {
    const bare = line(1n, 'x', { container: '', service: '', stream: '' });
    const { text } = await ask({ query: '{pod="reviews-1"}' }, { lines: [bare] });
    expect(JSON.parse(text).data.result[0].stream).toEqual({ namespace: 'shop', pod: 'reviews-1' });
    expect(JSON.parse((await ask({ query: '{pod="x"}' })).text).data.result).toEqual([]);
  });

  it('asks for the newest hundred lines of the last hour when nothing is said', async () => {
    const { asked } = await ask({ query: '{pod="a"}' });
    expect(asked).toEqual([
      {
        matchers: [{ name: 'pod', op: '=', value: 'a' }],
        contains: [],
        startNs: 1_736_935_200_000_000_000n,
        endNs: 1_736_938_800_000_000_000n,
        limit: 100,
        direction: 'backward',
      },
    ]);
  });

  it('passes on what is said, by GET and by POST', async () => {
    const parameters = {
      query: '( {pod=~"a|b", stream!="stderr"} |= "x" |= `y\\n` ) # comment',
      start: '1736935200',
      end: '1736938800000000001',
      limit: '7',
      direction: 'FORWARD',
    };
    const expected = {
      matchers: [
        { name: 'pod', op: '=~', value: 'a|b' },
        { name: 'stream', op: '!=', value: 'stderr' },
      ],
      contains: ['x', 'y\\n'],
      startNs: 1_736_935_200_000_000_000n,
      endNs: 1_736_938_800_000_000_001n,
      limit: 7,
      direction: 'forward',
    };
    expect((await ask(parameters)).asked).toEqual([expected]);
    expect((await ask(parameters, { asForm: true })).asked).toEqual([expected]);
  });

  it('counts since back from the end', async () => {
    const { asked } = await ask({ query: '{pod="a"}', since: '30m', end: '1736938800' });
    expect(asked[0]?.startNs).toBe(1_736_937_000_000_000_000n);
  });

  it('answers an empty window without asking the store', async () => {
    const { status, asked } = await ask({ query: '{pod="a"}', start: '5', end: '5' });
    expect({ status, asked }).toEqual({ status: 200, asked: [] });
  });

  it.each([
    ['', /^parse error at line 1, col 1: syntax error: unexpected \$end/],
    ['{pod="a"', /^parse error at line 1, col 9: syntax error: unexpected \$end/],
    ['{pod="a",}', /^parse error at line 1, col 10: syntax error: unexpected }/],
    ['{pod="a"}}', /^parse error at line 1, col 10: syntax error: unexpected }/],
    ['{pod=a}', /^parse error at line 1, col 6: syntax error: unexpected IDENTIFIER/],
    ['{pod="a\\z"}', /^parse error at line 1, col 6: invalid char escape/],
    ['{}', /^parse error/],
    ['{pod!="a"}', /^parse error : queries require at least one regexp or equality matcher/],
    ['{pod=~"a|"}', /^parse error : queries require/],
    ['{pod=~"("}', /^parse error : error parsing regexp: missing closing \)/],
    ['{pod="a"} |~ "x"', /^unsupported: line filter "\|~"$/],
    ['{pod="a"} |= ip("10.0.0.1")', /^unsupported: line filter "ip"$/],
    ['{pod="a"} |= "x" or "y"', /^unsupported: "or" between line filters$/],
    ['{pod="a"} | json', /^unsupported: stage "\| json"$/],
    ['{pod="a"} |= "x" | level="error"', /^unsupported: stage/],
    ['rate({pod="a"}[5m])', /^unsupported: metric query "rate\(\{pod="a"\}\[5m\]\)"$/],
    ['sum(rate({pod="a"}[5m])) / 2', /^unsupported: metric query/],
  ])('refuses %j as text', async (query, message) => {
    const { status, text, contentType } = await ask({ query });
    expect(text).toMatch(message);
    expect(status).toBe(400);
    expect(contentType).toMatch(/^text\/plain/);
  });

  it.each<[Record<string, string>, string]>([
    [{ limit: '0' }, 'limit must be a positive value'],
    [{ limit: '-1' }, 'limit must be a positive value'],
    [{ limit: 'abc' }, 'strconv.Atoi: parsing "abc": invalid syntax'],
    [{ limit: '5001' }, 'max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)'],
    [{ end: 'tomorrow' }, `could not parse 'end' parameter: strconv.ParseInt: parsing "tomorrow": invalid syntax`],
    [{ direction: 'sideways' }, "invalid direction 'sideways'"],
    [{ start: '2', end: '1' }, 'end timestamp must not be before or equal to start time'],
    [{ step: '-1' }, 'zero or negative query resolution step widths are not accepted. Try a positive integer'],
    [{ interval: '-5' }, 'interval must be >= 0'],
    [{ interval: '5' }, 'unsupported: parameter "interval"'],
  ])('refuses %j', async (parameters, message) => {
    expect(await ask({ query: '{pod="a"}', ...parameters })).toMatchObject({ status: 400, text: message });
  });

  it.each([
    [new StoreError('slow', { code: 159, isRetryable: false }), 504],
    [new StoreError('gone', { isRetryable: true }), 503],
    [new StoreError('big', { code: 241, isRetryable: false }), 400],
  ])('names the failure of the store: %s', async (failure, status) => {
    expect(await ask({ query: '{pod="a"}' }, { logs: { select: () => Promise.reject(failure) } })).toMatchObject({
      status,
    });
  });

  it('meets its limits on long and deep queries', async () => {
    const long = await ask({ query: `{pod="${'a'.repeat(1_000_000)}"}` });
    expect(long).toMatchObject({
      status: 400,
      text: 'parse error : query is longer than the limit of 131072 characters',
    });
    const deep = await ask({ query: `${'('.repeat(10_000)}{pod="a"}${')'.repeat(10_000)}` });
    expect(deep.status).toBe(400);
    const many = await ask({ query: `{pod="a"}${' |= "x"'.repeat(10_000)}` });
    expect(many.status).toBe(400);
  });

  it('answers or refuses mutated queries, and throws nothing else', async () => {
    const seed = 11;
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const queries = [
      '{namespace="shop", pod=~"reviews-\\\\d+"} |= "error" |= `timeout`',
      '{service_name="api"} | json | level="error" | line_format "{{.msg}}"',
      'sum by (pod) (rate({stream="stderr"} |= "x" [5m])) > 0.5 # comment',
      '{container=~"istio-.+", stream!~"a*"}',
    ];
    const characters = [...'(){}[]"`\\,=!~<>+-*|.#_ \n09az\u00e9\ud800$?'];
    for (let i = 0; i < 10_000; i++) {
      let query = queries[random(queries.length)] ?? '';
      for (let edits = 1 + random(4); edits > 0; edits--) {
        const at = random(query.length + 1);
        query = query.slice(0, at) + (characters[random(characters.length + 5)] ?? '') + query.slice(at + random(3));
      }
      const { status } = await ask({ query });
      expect([200, 400], `${JSON.stringify(query)} (seed ${seed})`).toContain(status);
    }
  }, 60_000);
});

describe('times', () => {
  it.each([
    ['1736935200', 1_736_935_200_000_000_000n],
    ['1736935200000', 1_736_935_200_000n],
    ['1736935200000000001', 1_736_935_200_000_000_001n],
    ['1736935200.5004', 1_736_935_200_500_000_000n],
    ['2025-01-15T10:00:00Z', 1_736_935_200_000_000_000n],
    ['2025-01-15T10:00:00.000000001Z', 1_736_935_200_000_000_001n],
    ['2025-01-15T11:00:00+01:00', 1_736_935_200_000_000_000n],
    ['0', 0n],
    ['', undefined],
    ['99999999999999999999', undefined],
    ['2025-01-15', undefined],
    ['now', undefined],
  ])('%j', (text, ns) => {
    expect(parseTimeNs(text)).toBe(ns);
  });
});
