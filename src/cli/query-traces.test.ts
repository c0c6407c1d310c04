import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';
import { type FakeAnswer, type FakeApi, type FakeRequest, startFakeApi } from '../../test/fixtures/fake-zipkin-api.ts';
import { bookinfo, sketchTrace } from '../../test/fixtures/sketched-trace.ts';
import { encodeSpans } from '../codec/zipkin-v2-json/encode-spans.ts';

let api: FakeApi;
afterEach(async () => {
  await api.close();
});

const json = (value: unknown): FakeAnswer => ({ body: JSON.stringify(value) });
const other = sketchTrace({ id: 1, service: 'login', name: 'post /login', start: -60_000, duration: 3 }).map(
  (span) => ({
    ...span,
    traceId: '00000000000000000000000000000abc',
  }),
);

/** An agent that has these traces, and names for whoever asks. */
async function serve(
  traces: (request: FakeRequest) => string,
  names: Readonly<Record<string, readonly string[]>> = {},
) {
  api = await startFakeApi((request) => {
    if (request.path === '/api/v2/traces') return { body: traces(request) };
    const list = names[request.path.replace('/api/v2/', '')];
    return list === undefined ? undefined : json(list);
  });
}
const both = () => `[${encodeSpans(other)}, ${encodeSpans(bookinfo())}]`;
const query = (...args: string[]) => runCommand(['query', 'traces', ...args, '--url', api.url]);

describe('trawl query traces', () => {
  it('prints a table, newest first', async () => {
    await serve(both);
    const { exitCode, out, errors } = await query();
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: [] });
    expect(out).toEqual([
      'time (UTC)               trace id                          duration  spans  services  errors  root',
      '2026-11-20 14:23:07.123  463ac35c9f6413ad48485a3953bb6124  412.3 ms     11         4       4  productpage get /productpage',
      '2026-11-20 14:22:07.123  0000000000000abc                   3.00 ms      1         1       -  login post /login',
    ]);
  });

  it("asks in the words of Zipkin's API", async () => {
    await serve(both);
    const words = ['--service', 'Reviews', '--span', 'get /', '--remote', 'ratings', '--min', '200ms', '--max', '1.5s'];
    const result = await query(
      ...words,
      '--tag',
      'error',
      '--tag',
      'http.method = GET',
      '--last',
      '1h',
      '--limit',
      '7',
    );
    expect(result.exitCode).toBe(0);
    const { endTs, ...asked } = api.requests[0]?.query ?? {};
    expect(asked).toEqual({
      serviceName: 'Reviews',
      spanName: 'get /',
      remoteServiceName: 'ratings',
      minDuration: '200000',
      maxDuration: '1500000',
      annotationQuery: 'error and http.method= GET',
      lookback: '3600000',
      limit: '7',
    });
    expect(Math.abs(Number(endTs) - Date.now())).toBeLessThan(60_000);
  });

  it('asks for a time between two moments, and for a maximum alone with the minimum that it needs', async () => {
    await serve(both);
    await query('--since', '2026-11-21T14:00', '--until', '2026-11-21T15:00', '--max', '1ms');
    expect(api.requests[0]?.query).toMatchObject({
      endTs: String(Date.UTC(2026, 10, 21, 15)),
      lookback: '3600000',
      minDuration: '1',
      maxDuration: '1000',
    });
  });

  it('has two lines a trace where a terminal is narrow, none of them cut in the id', async () => {
    await serve(both);
    const { out } = await runCommand(['query', 'traces', '--url', api.url], {
      isTty: true,
      columns: 80,
      environment: { LANG: 'C.UTF-8', NO_COLOR: '1' },
    });
    expect(Math.max(...out.slice(0, 5).map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(out[2]).toBe('  463ac35c9f6413ad48485a3953bb6124');
    expect(out.at(-1)).toContain(`query trace TRACE_ID --url ${api.url}`);
  });

  it('prints the answer itself with --json', async () => {
    await serve(both);
    const { out } = await query('--json');
    expect(JSON.parse(out.join('\n'))).toHaveLength(2);
    await api.close();
    await serve(() => '[]', { services: ['shop'] });
    expect(await query('--json')).toMatchObject({ exitCode: 1, out: ['[]'] });
  });

  it('shows a stranger’s names harmlessly', async () => {
    await serve(() => `[${encodeSpans(sketchTrace({ id: 1, service: '\u001b[2Jx', name: 'a\nb' }))}]`);
    expect((await query()).out[1]).toContain('�[2jx a�b');
  });

  it('shows traces without a time, and a root that is missing', async () => {
    const orphans = sketchTrace({ id: 1, parent: 9, service: 'late', name: 'x' }).map((span) => ({
      ...span,
      startUs: undefined,
    }));
    await serve(() => `[${encodeSpans(orphans)}, []]`);
    expect((await query()).out[1]).toMatch(/^- +463ac35c.* late x$/);
  });

  it.each([
    [['--min', 'long'], '--min long is no duration; write it as 200ms, 1.5s or 1h'],
    [['--min', '2s', '--max', '1s'], '--max 1s is less than --min 2s'],
    [['--since', 'noon'], '--since noon is no time'],
    [['--since', '1h', '--last', '2h'], '--last and --since say the same'],
    [['--until', '2d', '--last', '1d'], 'is not before --until'],
    [['--limit', '0'], '--limit 0 is no whole number of at least 1'],
    [['--tag', '=x'], 'has no key'],
    [['--tag', 'a=salt and pepper'], '" and "'],
    [['--tag', 'a=1', '--tag', 'a=2'], '--tag a is there twice'],
  ])('refuses what makes no sense before it asks anybody: %j', async (args, message) => {
    await serve(both);
    const { exitCode, errors } = await query(...args);
    expect(exitCode).toBe(2);
    expect(errors.join('\n')).toContain(message);
    expect(api.requests).toEqual([]);
  });
});

describe('trawl query traces that finds nothing', () => {
  const names = {
    services: ['productpage', 'reviews', 'ratings'],
    spans: ['get /reviews'],
    remoteServices: ['ratings'],
  };

  it('says how to send a span where none is kept', async () => {
    await serve(() => '[]', { services: [] });
    const { exitCode, errors } = await query('--service', 'reviews');
    expect(exitCode).toBe(1);
    expect(errors[0]).toBe('no span is kept here yet');
    expect(errors[1]).toContain(`send span --url ${api.url}`);
  });

  it('names the services that are near, and those that are there', async () => {
    await serve(() => '[]', names);
    expect((await query('--service', 'revews')).errors).toEqual([
      'no service "revews" has sent spans here; did you mean "reviews"; the services are: productpage, reviews, ratings',
    ]);
  });

  it('names the spans and the callees of the service', async () => {
    await serve(() => '[]', names);
    expect((await query('--service', 'Reviews', '--span', 'GET /review')).errors).toEqual([
      'reviews has no span "GET /review"; did you mean "get /reviews"; its spans are: get /reviews',
    ]);
    expect((await query('--service', 'reviews', '--remote', 'redis')).errors).toEqual([
      'reviews calls no service "redis"; it calls: ratings',
    ]);
  });

  it('says so where the service has sent nothing in the time', async () => {
    await serve(() => '[]', names);
    const { errors } = await query(
      '--service',
      'reviews',
      '--since',
      '2026-11-21T14:00',
      '--until',
      '2026-11-21T15:00',
    );
    expect(errors).toEqual([
      'reviews has sent spans, but none began between 2026-11-21 14:00:00.000 and 2026-11-21 15:00:00.000 UTC',
      'look further back: --last 7d',
    ]);
  });

  it('says which condition to leave out', async () => {
    await serve(({ query: asked }) => (asked['minDuration'] === undefined ? both() : '[]'), names);
    const { errors } = await query('--service', 'reviews', '--min', '200ms', '--tag', 'error');
    expect(errors[0]).toMatch(/^no trace of reviews meets all of this between /);
    expect(errors.slice(1)).toEqual(['without --min 200ms there are some']);
  });
});

describe('an agent that cannot be asked', () => {
  it('is named with the command that starts one', async () => {
    await serve(both);
    await api.close();
    const { exitCode, errors } = await query();
    expect(exitCode).toBe(1);
    expect(errors[0]).toMatch(/^no agent answers at http:\/\/127\.0\.0\.1:\d+ \(.*\); start one with: .*agent$/);
    api = await startFakeApi(() => undefined);
  });

  it('gets the token, and the person is told which one is missing or wrong', async () => {
    api = await startFakeApi(({ authorization }) =>
      authorization === 'Bearer right' ? { body: both() } : { status: 401, body: 'send a token' },
    );
    expect((await query()).errors[0]).toBe(
      'the agent wants a token: pass --token TOKEN, or set TRAWL_TOKEN (send a token)',
    );
    expect((await query('--token', 'wrong')).errors[0]).toContain('does not know this token');
    expect((await query('--token', 'right')).exitCode).toBe(0);
    const fromEnvironment = await runCommand(['query', 'traces', '--url', api.url], {
      environment: { TRAWL_TOKEN: 'right' },
    });
    expect(fromEnvironment.exitCode).toBe(0);
  });

  it('is told apart from a server that is something else', async () => {
    api = await startFakeApi(() => ({ body: '<html>\u001b[2J' }));
    const { exitCode, errors } = await query();
    expect(exitCode).toBe(1);
    expect(errors[0]).toContain('does not answer as an agent does: <html>�[2J');
  });

  it('is understood when it says no', async () => {
    api = await startFakeApi(() => ({ status: 400, body: 'limit must be positive' }));
    expect((await query()).errors[0]).toBe('the agent answered 400: limit must be positive');
  });
});
