import { describe, expect, it } from 'vitest';
import type { Label } from '../../model/sample.ts';
import { createSearchGate } from '../search-gate.ts';
import { createListingRoutes, type ListingSource, unescapeName } from './listings.ts';

const whole = <Item>(items: readonly Item[]) => Promise.resolve({ items, isTruncated: false });
const asked: unknown[] = [];
const source: ListingSource = {
  series(selection, limit) {
    asked.push(selection, limit);
    const items: Label[][] = [
      [['__name__', 'up']],
      [
        ['__name__', 'up'],
        ['job', 'a"'],
      ],
      [
        ['__name__', 'up'],
        ['job', 'b'],
      ],
    ];
    return Promise.resolve({ items: items.slice(0, limit), isTruncated: items.length > limit });
  },
  labelNames(selection, limit) {
    asked.push(selection, limit);
    return whole(['__name__', 'job']);
  },
  labelValues(name, selection) {
    asked.push(name, selection);
    return whole(['a', 'b']);
  },
  metadata: (family) =>
    Promise.resolve(
      [
        { family: 'http_requests', type: 'counter' as const, help: 'All "of" them', unit: '' },
        { family: 'up', type: 'gauge' as const, help: '', unit: 'seconds' },
      ].filter((each) => family === undefined || each.family === family),
    ),
  exemplars(selection) {
    asked.push(selection);
    return Promise.resolve([
      {
        seriesLabels: [['__name__', 'x_bucket']],
        exemplars: [{ labels: [['trace_id', 'abc']], value: 1e-7, timestampMs: 1_600_096_945_479 }],
      },
    ]);
  },
  targets: () => [
    {
      labels: [
        ['instance', 'a:1'],
        ['job', 'x'],
      ],
      metadata: [{ family: 'up', type: 'gauge', help: 'h', unit: '' }],
    },
    {
      labels: [['job', 'y']],
      metadata: [
        { family: 'up', type: 'unknown', help: '', unit: '' },
        { family: 'other', type: 'counter', help: '', unit: '' },
      ],
    },
  ],
};

async function textOf(body: string | Buffer | AsyncIterable<string | Buffer>): Promise<string> {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body.toString();
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

const routes = createListingRoutes(source);

async function ask(path: string, method: 'GET' | 'POST' = 'GET', given = routes) {
  asked.length = 0;
  const url = new URL(path, 'http://a');
  const [, name] = /^\/api\/v1\/label\/([^/]*)\/values$/.exec(url.pathname) ?? [];
  const wanted = name === undefined ? url.pathname : '/api/v1/label/:name/values';
  const route = given.find((each) => each.method === method && each.path === wanted);
  if (route === undefined) throw new Error(`no route ${method} ${wanted}`);
  const { status, body } = await route.handle({
    params: name === undefined ? {} : { name: decodeURIComponent(name) },
    query: method === 'GET' ? url.searchParams : new URLSearchParams(),
    form: method === 'POST' ? url.searchParams : undefined,
    signal: new AbortController().signal,
  });
  const text = await textOf(body);
  return { status, text, body: JSON.parse(text), isStreamed: typeof body !== 'string' && !Buffer.isBuffer(body) };
}

const errorOf = async (path: string) => {
  const { status, body } = await ask(path);
  expect([status, body.status, body.errorType]).toEqual([400, 'error', 'bad_data']);
  return body.error;
};
const error = async (path: string, text: string) => expect(await errorOf(path), path).toBe(text);

describe('/api/v1/series', () => {
  it('answers every series that any selector takes, sorted by labels', async () => {
    const { text } = await ask('/api/v1/series?match[]=up&match[]={job=~"a|b"}&start=1&end=2.5');
    expect(text).toBe(
      '{"status":"success","data":[{"__name__":"up"},{"__name__":"up","job":"a\\""},{"__name__":"up","job":"b"}]}',
    );
    expect(asked).toEqual([
      {
        matchers: [[{ name: '__name__', op: '=', value: 'up' }], [{ name: 'job', op: '=~', value: 'a|b' }]],
        startMs: 1000,
        endMs: 2500,
      },
      100_000,
    ]);
  });

  it('takes selectors of a form as well', async () => {
    expect((await ask('/api/v1/series?match[]=up', 'POST')).status).toBe(200);
    expect(asked[0]).toEqual({ matchers: [[{ name: '__name__', op: '=', value: 'up' }]] });
  });

  it('says that a limit cut the answer', async () => {
    const { body } = await ask('/api/v1/series?match[]=up&limit=2');
    expect([body.data.length, body.warnings]).toEqual([2, ['results truncated due to limit']]);
  });

  it('refuses what Prometheus refuses, in its words', async () => {
    await error('/api/v1/series', 'no match[] parameter provided');
    await error(
      '/api/v1/series?match[]=up&match[]=foo{',
      'invalid parameter "match[]": 1:5: parse error: unexpected end of input inside braces',
    );
    await error(
      '/api/v1/series?match[]={}',
      'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    );
    await error('/api/v1/series?match[]=rate(up[5m])', 'invalid parameter "match[]": 1:5: parse error: unexpected "("');
    await error(
      '/api/v1/series?match[]=up&start=x',
      'invalid parameter "start": invalid time value for \'start\': cannot parse "x" to a valid timestamp',
    );
    await error(
      '/api/v1/series?match[]=up&limit=x',
      'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax',
    );
    expect(await errorOf('/api/v1/series?match[]={a=~"("}')).toContain('missing closing )');
  });
});

describe('labels and their values', () => {
  it('are listed, of all series or of those that selectors take', async () => {
    expect((await ask('/api/v1/labels')).text).toBe('{"status":"success","data":["__name__","job"]}');
    expect(asked).toEqual([{ matchers: [] }, 100_000]);
    expect((await ask('/api/v1/labels?match[]=up&limit=5', 'POST')).body.data).toHaveLength(2);
    expect(asked).toEqual([{ matchers: [[{ name: '__name__', op: '=', value: 'up' }]] }, 5]);
    expect((await ask('/api/v1/label/job/values?end=7')).text).toBe('{"status":"success","data":["a","b"]}');
    expect(asked).toEqual(['job', { matchers: [], endMs: 7000, limit: 100_000 }]);
  });

  it('may have names that a path cannot hold', async () => {
    await ask('/api/v1/label/U__http_2e_status__code/values');
    expect(asked[0]).toBe('http.status_code');
    expect(unescapeName('U__a_1F600_b')).toBe('a😀b');
    for (const name of ['U__a_zz_', 'U__a_110000_', 'U__a_d800_', 'plain', 'U_x', 'U__a_']) {
      expect(unescapeName(name), name).toBe(name);
    }
  });
});

describe('metadata', () => {
  it('says type, help and unit of each family', async () => {
    expect((await ask('/api/v1/metadata')).body.data).toEqual({
      http_requests: [{ type: 'counter', help: 'All "of" them', unit: '' }],
      up: [{ type: 'gauge', help: '', unit: 'seconds' }],
    });
    expect(Object.keys((await ask('/api/v1/metadata?limit=1')).body.data)).toEqual(['http_requests']);
    expect(Object.keys((await ask('/api/v1/metadata?limit=-1')).body.data)).toHaveLength(2);
    expect((await ask('/api/v1/metadata?metric=nope')).body.data).toEqual({});
    await error('/api/v1/metadata?limit=x', 'limit must be a number');
    await error('/api/v1/metadata?limit_per_metric=x', 'limit_per_metric must be a number');
  });

  it('says of each target what it said itself', async () => {
    const { body } = await ask('/api/v1/targets/metadata?metric=up&match_target={job=~"x|z"}');
    expect(body.data).toEqual([{ target: { instance: 'a:1', job: 'x' }, type: 'gauge', help: 'h', unit: '' }]);
    expect((await ask('/api/v1/targets/metadata?limit=2')).body.data).toEqual([
      { target: { instance: 'a:1', job: 'x' }, metric: 'up', type: 'gauge', help: 'h', unit: '' },
      { target: { job: 'y' }, metric: 'up', type: 'unknown', help: '', unit: '' },
    ]);
    await error(
      '/api/v1/targets/metadata?match_target={',
      'invalid parameter "match_target": 1:2: parse error: unexpected end of input inside braces',
    );
  });
});

describe('/api/v1/query_exemplars', () => {
  it('answers the exemplars of every selector of a query', async () => {
    const { text } = await ask('/api/v1/query_exemplars?query=rate(x_bucket[5m])&start=1&end=3');
    expect(text).toBe(
      '{"status":"success","data":[{"seriesLabels":{"__name__":"x_bucket"},"exemplars":' +
        '[{"labels":{"trace_id":"abc"},"value":"1e-07","timestamp":1600096945.479}]}]}',
    );
    expect(asked).toEqual([
      { matchers: [[{ name: '__name__', op: '=', value: 'x_bucket' }]], startMs: 1000, endMs: 3000 },
    ]);
  });

  it('has nothing for a query without selectors, and refuses what is none', async () => {
    expect((await ask('/api/v1/query_exemplars?query=1')).body.data).toEqual([]);
    await error('/api/v1/query_exemplars?query=up{', '1:4: parse error: unexpected end of input inside braces');
    await error('/api/v1/query_exemplars', 'unknown position: parse error: no expression found in input');
    await error('/api/v1/query_exemplars?query=up&start=5&end=1', 'end timestamp must not be before start timestamp');
  });
});

describe('a list of many', () => {
  const many = Array.from({ length: 100_000 }, (_, i) => `value-${i}`);
  const how: (boolean | undefined)[] = [];
  const ofMany: ListingSource = {
    ...source,
    labelValues(_name, { limit }, _signal, isLarge) {
      how.push(isLarge);
      return Promise.resolve({ items: many.slice(0, limit), isTruncated: true });
    },
    exemplars: () =>
      Promise.resolve([
        {
          seriesLabels: [['__name__', 'x']],
          exemplars: many.slice(0, 5000).map((trace, i) => ({ labels: [['t', trace]], value: i, timestampMs: i })),
        },
      ]),
    metadata: () => Promise.resolve(many.map((family) => ({ family, type: 'gauge', help: 'h', unit: '' }))),
  };

  it('is written while it is sent, and lets others go first in the store when it is asked again', async () => {
    const given = createListingRoutes(ofMany);
    const first = await ask('/api/v1/label/pod/values', 'GET', given);
    expect(first.isStreamed).toBe(true);
    expect(first.body.data).toEqual(many);
    await ask('/api/v1/label/pod/values', 'GET', given);
    for (let i = 0; i < 2; i++) await ask('/api/v1/label/pod/values?limit=5', 'GET', given);
    // The store is told that what nobody knows yet may be large.
    expect(how).toEqual([true, true, true, false]);
  });

  it('says how to ask for less where the limit is not the one that was asked for', async () => {
    const given = createListingRoutes(ofMany);
    const { body } = await ask('/api/v1/label/pod/values', 'GET', given);
    expect(body.warnings).toEqual([
      'results truncated due to limit: at most 100000 are listed; narrow match[], or what is between start and end',
    ]);
    const limited = await ask('/api/v1/label/pod/values?limit=3', 'GET', given);
    expect(limited.body.warnings).toEqual(['results truncated due to limit']);
  });

  it('is whole in every form', async () => {
    const given = createListingRoutes(ofMany);
    const metadata = await ask('/api/v1/metadata', 'GET', given);
    expect([metadata.isStreamed, Object.keys(metadata.body.data).length]).toEqual([true, 100_000]);
    const exemplars = await ask('/api/v1/query_exemplars?query=x', 'GET', given);
    expect(exemplars.isStreamed).toBe(true);
    expect(exemplars.body.data).toHaveLength(1);
    expect(exemplars.body.data[0].exemplars).toHaveLength(5000);
    expect(exemplars.body.data[0].exemplars[4999]).toEqual({
      labels: { t: 'value-4999' },
      value: '4999',
      timestamp: 4.999,
    });
  });

  it('is refused where too many wait for their turn already, and ends with its time', async () => {
    const never = new Promise<never>(() => {});
    const stuck: ListingSource = {
      ...source,
      labelNames: (_selection, _limit, signal) =>
        Promise.race([
          never,
          new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        ]),
    };
    const given = createListingRoutes(stuck, { gate: createSearchGate({ atOnce: 1, waiting: 0 }), timeoutMs: 50 });
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask('/api/v1/labels', 'GET', given)));
    const types = answers.map(({ status, body }) => `${status} ${body.errorType}`).sort();
    expect(new Set(types)).toEqual(new Set(['503 timeout', '503 unavailable']));
  });
});
