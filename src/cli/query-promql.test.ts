import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/fixtures/fake-terminal.ts';
import { type FakeAnswer, type FakeApi, type FakeRequest, startFakeApi } from '../../test/fixtures/fake-zipkin-api.ts';
import { end, endS, failure, success, vector } from '../../test/fixtures/promql-answers.ts';
import type { Terminal } from './command.ts';

let api: FakeApi;
afterEach(async () => {
  await api.close();
});

const matrix = (...series: readonly (readonly [metric: object, values: readonly (string | undefined)[]])[]) => ({
  resultType: 'matrix',
  result: series.map(([metric, values]) => ({
    metric,
    values: values.flatMap((value, i) => (value === undefined ? [] : [[endS - (values.length - 1 - i) * 60, value]])),
  })),
});

async function serve(answer: (request: FakeRequest) => FakeAnswer | undefined) {
  api = await startFakeApi(answer);
}
const query = (argv: readonly string[], more: Partial<Terminal> = {}) =>
  runCommand(['query', 'promql', ...argv, '--url', api.url], more);
const minutes = (count: number, valueAt: (i: number) => number | string) =>
  Array.from({ length: count + 1 }, (_, i) => String(valueAt(i)));

describe('trawl query promql', () => {
  it('prints the series of a moment as a table, with what they have in common above', async () => {
    await serve(() =>
      success(
        vector(
          [{ __name__: 'http_total', job: 'shop', code: '200', path: '/' }, '1234.5'],
          [{ __name__: 'http_total', job: 'shop', code: '404', path: '/größe' }, '7'],
          [{ __name__: 'http_total', job: 'shop', code: '503' }, 'NaN'],
          [{ __name__: 'http_total', job: 'shop', code: '504', path: '/b' }, '0.03333333333333333'],
        ),
      ),
    );
    const { exitCode, out, errors } = await query(['http_total', '--time', end]);
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: [] });
    expect(api.requests[0]).toMatchObject({
      path: '/api/v1/query',
      query: { query: 'http_total', time: String(endS) },
    });
    expect(out).toEqual([
      'http_total{job="shop"}',
      '',
      'code  path    value',
      '200   /       1234.5',
      '404   /größe     7',
      '503            NaN',
      '504   /b         0.03333333333333333',
    ]);
  });

  it('prints one series, a number and a text on a line', async () => {
    let data: unknown = vector([{ __name__: 'up', job: 'x' }, '1']);
    await serve(() => success(data));
    expect((await query(['up'])).out).toEqual(['up{job="x"}  1']);
    data = vector([{}, '12']);
    expect((await query(['sum(up)'])).out).toEqual(['12']);
    data = { resultType: 'scalar', result: [endS, '1e+21'] };
    expect((await query(['1e21'])).out).toEqual(['1e+21']);
    data = { resultType: 'string', result: [endS, 'a "b"'] };
    expect((await query(['\'a "b"\''])).out).toEqual(['a "b"']);
  });

  it('prints the samples of a window with their times', async () => {
    await serve(() =>
      success(matrix([{ __name__: 'up', job: 'x' }, ['1', '0.5']], [{ __name__: 'up', job: 'y' }, ['10']])),
    );
    expect((await query(['up[2m]'])).out).toEqual([
      'up{job="x"}',
      '  2026-11-21 14:59:00.000  1',
      '  2026-11-21 15:00:00.000  0.5',
      '',
      'up{job="y"}',
      '  2026-11-21 15:00:00.000  10',
    ]);
  });

  it('prints a series on two lines where the terminal is too narrow for a table', async () => {
    const pod = 'productpage-v1-7f4c9d8b6-x2x5q';
    await serve(() =>
      success(vector([{ pod, namespace: 'a' }, '1'], [{ pod: `${pod}2`, namespace: 'b', node: 'node-1' }, '2'])),
    );
    expect((await query(['x', '--width', '40'])).out).toEqual([
      '{namespace="a", pod="productpage-v1-7f4c9d8b6-x2x5q"}',
      '  1',
      '{namespace="b", node="node-1", pod="productpage-v1-7f4c9d8b6-x2x5q2"}',
      '  2',
    ]);
    expect((await query(['x', '--width', '18'])).out).toEqual((await query(['x', '--width', '40'])).out);
  });

  it("prints the answer's data as JSON", async () => {
    const data = vector([{ a: 'b' }, '1']);
    await serve(() => success(data));
    expect(JSON.parse((await query(['x', '--json'])).out.join('\n'))).toEqual(data);
  });

  it('draws a range as a chart with a legend', async () => {
    await serve(() =>
      success(
        matrix(
          [{ job: 'shop', code: '200' }, minutes(60, (i) => 40 + 20 * Math.sin(i / 8))],
          [{ job: 'shop', code: '503' }, minutes(60, (i) => (i < 30 || i > 40 ? 0 : 12.5))],
        ),
      ),
    );
    const { exitCode, out } = await query(['q', '--range', '1h', '--end', end, '--width', '60']);
    expect(exitCode).toBe(0);
    expect(api.requests[0]).toMatchObject({
      path: '/api/v1/query_range',
      query: { query: 'q', start: String(endS - 3600), end: String(endS), step: '60' },
    });
    expect(out).toEqual([
      '{job="shop"}',
      '',
      '60 ┤        ⢀⣀⠤⠤⠤⠤⢄⡀                                       ⢀',
      '   │      ●⠔⠁      ⠈⠢⡀                                  ⢀⠔●⠁',
      '   │    ⡠⠊           ⠈⠢⡀                              ⢀⠔⠁',
      '   │  ⢀⠜               ⠈⠢⡀                           ⡰⠁',
      '   │ ⡠⠊                  ⠘⡄                        ⢠⠊',
      '40 ┤⠜                     ⠈⢢                      ⡠⠃',
      '   │                        ⠑⢄                  ⢀⠔⠁',
      '   │                         ⠈⠢⡀               ⡔⠁',
      '   │                           ⠈⢢            ⡠⠊',
      '   │                             ⠑●⣀       ⡠⠊',
      '20 ┤                                ⠉⠒⠒⠒⠒⠒⠉',
      '   │',
      '   │                            ⡖⠒⠒⠒⠒⠒⠒⠒⠒⡆',
      '   │                           ⢰⠁        ⢱',
      '   │                           ⡸         ⠸⡀',
      ' 0 ┤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤■⠤⠤⠤⠤⠤⠤⠤⠤⠇          ⠧⠤⠤⠤■⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤',
      '   └┬────────┬────────┬─────────┬────────┬────────┬────────┬',
      '  14:00    14:10    14:20     14:30    14:40    14:50  15:00',
      '2026-11-21 14:00:00 – 15:00:00 UTC · a point every 1m',
      '',
      '  code   last    min    max',
      '● 200   58.76  20.01  59.97',
      '■ 503       0      0   12.5',
    ]);
  });

  it('draws one series without a legend of labels, and says until when it was there', async () => {
    const values = minutes(60, () => 1).map((text, i) => (i < 30 ? text : undefined));
    await serve(() => success(matrix([{ __name__: 'up', job: 'x' }, values])));
    const { out } = await query(['up', '--range', '1h', '--end', end, '--width', '40']);
    expect(out[0]).toBe('up{job="x"}');
    expect(out.slice(-3)).toEqual(['2026-11-21 14:00:00 – 15:00:00 UTC', '', 'last 1  min 1  max 1  until 14:29:00']);
  });

  it('draws the ten with the largest last values, and says how many are left out', async () => {
    await serve(() =>
      success(
        matrix(
          ...Array.from(
            { length: 13 },
            (_, i) => [{ pod: `p${i}` }, [i === 3 ? 'NaN' : String(i), i === 3 ? 'NaN' : String(i)]] as const,
          ),
        ),
      ),
    );
    const { out } = await query(['q', '--range', '1m', '--end', end]);
    expect(out).toContain('the 10 with the largest last values; 3 more are left out (--limit 13)');
    const legend = out.slice(out.findIndex((line) => line.includes('last  min  max')) + 1);
    expect(legend.map((line) => line.split(/\s+/)[1])).toEqual([
      'p12',
      'p11',
      'p10',
      'p9',
      'p8',
      'p7',
      'p6',
      'p5',
      'p4',
      'p2',
    ]);
    const all = await query(['q', '--range', '1m', '--end', end, '--limit', '13']);
    expect(all.out).toContain('2 values are NaN, and a gap');
  });

  it('has the numbers below the labels where the terminal is narrow', async () => {
    const of = (service: string, code: string) => ({
      service: `${service}.default.svc`,
      code,
      pod: `${service}-v1-7f4c9d8b6`,
    });
    await serve(() => success(matrix([of('reviews', '200'), ['1', '2']], [of('ratings', '503'), ['0', '1.5']])));
    const { out } = await query(['q', '--range', '1m', '--end', end, '--width', '40']);
    expect(out.slice(-5)).toEqual([
      '',
      '● 200   reviews-v1-7f4…  reviews.defaul…',
      '  last 2  min 1  max 2',
      '■ 503   ratings-v1-7f4…  ratings.defaul…',
      '  last 1.5  min 0  max 1.5',
    ]);
  });

  it('has colours on a terminal alone, fits on it, and has none with NO_COLOR', async () => {
    await serve(() => success(matrix([{ a: '1' }, minutes(60, (i) => i)], [{ a: '2' }, minutes(60, (i) => 60 - i)])));
    const argv = ['q', '--range', '1h', '--end', end];
    const tty = { isTty: true, columns: 50, rows: 24 };
    const coloured = (await query(argv, tty)).out;
    expect(coloured.join('\n')).toContain('\u001b[36m●\u001b[0m');
    expect(coloured.join('\n')).toContain('\u001b[33m■\u001b[0m');
    expect(coloured.length).toBeLessThanOrEqual(22);
    const plain = (await query(argv, { ...tty, environment: { LANG: 'C.UTF-8', NO_COLOR: '1' } })).out;
    expect(plain.join('\n')).not.toContain('\u001b');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are such.
    expect(plain).toEqual(coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, '')));
    expect(Math.max(...plain.map((line) => line.length))).toBeLessThanOrEqual(50);
    const inPipe = (await query(argv, { environment: { LANG: 'C.UTF-8', COLUMNS: '60' } })).out;
    expect(Math.max(...inPipe.map((line) => line.length))).toBe(60);
  });

  it('shows what strangers wrote without obeying it', async () => {
    const metric = { a: 'x\u001b[2J\nrm -rf\u202e' };
    let data: unknown = vector([metric, '1'], [{ a: 'y' }, '\u001b[2J']);
    await serve(() => success(data, { warnings: ['w\u001b[2J'], infos: ['i\n'] }));
    const texts = [];
    texts.push(await query(['q']));
    data = vector([metric, '1']);
    texts.push(await query(['q']));
    data = matrix([metric, ['1', '2']], [{ a: 'y' }, ['1', '2']]);
    texts.push(await query(['q', '--range', '1m', '--end', end]));
    texts.push(await query(['q', '--range', '1m', '--end', end], { environment: {} }));
    for (const { out, errors } of texts) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
      expect([...out, ...errors].join('')).not.toMatch(/[\u0000-\u001f\u202e]/);
    }
    expect(texts.at(-1)?.out.join('')).toMatch(/^[ -~]*$/);
  });

  it('prints warnings and infos below', async () => {
    await serve(() =>
      success(vector([{}, '1']), {
        warnings: ['results truncated due to limit'],
        infos: ['metric might not be a counter'],
      }),
    );
    expect(await query(['rate(x[5m])'])).toEqual({
      exitCode: 0,
      out: ['1'],
      errors: ['warning: results truncated due to limit', 'info: metric might not be a counter'],
    });
  });
});

describe('trawl query promql that is refused', () => {
  const refused = async (text: string, error: string, ...argv: string[]) => {
    await serve(() => failure(400, 'bad_data', `invalid parameter "query": ${error}`));
    const { exitCode, out, errors } = await query([text, ...argv]);
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: [] });
    await api.close();
    return errors;
  };

  it('shows the place in the query', async () => {
    expect(await refused('foo b', '1:5: parse error: unexpected identifier "b"')).toEqual([
      'the query cannot be read, at column 5: unexpected identifier "b"',
      '',
      '  foo b',
      '      ^',
      '',
      'an operator or a comma is missing before it; labels are written as METRIC{job="api"}',
    ]);
    expect(await refused('sum(\n  rat(x[5m])\n)', '2:3: parse error: unknown function with name "rat"')).toEqual([
      'the query cannot be read, at line 2, column 3: unknown function with name "rat"',
      '',
      '    rat(x[5m])',
      '    ^',
      '',
      'did you mean "rate"?',
    ]);
  });

  it('counts columns in bytes as Prometheus does, and shows them in cells', async () => {
    const text = 'up{a="größe 日本"} b';
    const column = Buffer.byteLength(text);
    const errors = await refused(text, `1:${column}: parse error: unexpected identifier "b"`);
    expect(errors.slice(2, 4)).toEqual([`  ${text}`, `  ${' '.repeat(19)}^`]);
  });

  it('shows what stands around the place in a long query', async () => {
    const text = `sum(rate(${'a'.repeat(100)}[5m])) / sum(rate(x)) / ${'b'.repeat(100)}`;
    const errors = await refused(
      text,
      `1:132: parse error: expected type range vector in call to function "rate", got instant vector`,
      '--width',
      '50',
    );
    expect(errors).toEqual([
      'the query cannot be read, at column 132: expected type range vector in call to function "rate", got instant vector',
      '',
      '  …a[5m])) / sum(rate(x)) / bbbbbbbbbbbbbbbbbbbbb…',
      '                          ^',
      '',
      'it looks back over a window, which is to be given in brackets:  rate(METRIC[5m])',
    ]);
    for (const line of errors.slice(2, 4)) expect(line.length).toBeLessThanOrEqual(50);
  });

  it('says what to do', async () => {
    const answers: readonly (readonly [answer: FakeAnswer, errors: readonly unknown[]])[] = [
      [
        failure(422, 'execution', 'query processing would load too many samples into memory in query execution'),
        [expect.stringContaining('too many samples'), expect.stringContaining('ask for less: fewer series')],
      ],
      [
        failure(503, 'timeout', 'query timed out in query execution'),
        [expect.stringContaining('timed out'), expect.stringContaining('ask for less')],
      ],
      [
        failure(503, 'unavailable', 'the store cannot answer now: it is away'),
        [
          expect.stringContaining('it is away'),
          expect.stringMatching(/comes back by itself; .*curl http:.*\/-\/ready$/),
        ],
      ],
      [{ status: 401, body: 'no token' }, [expect.stringContaining('the agent wants a token: pass --token TOKEN')]],
      [{ status: 403, body: 'from afar' }, [expect.stringContaining('refuses to be queried from here: from afar')]],
      [{ status: 404, body: '404 page not found' }, [expect.stringContaining('knows no PromQL')]],
      [{ status: 200, body: '<html>' }, [expect.stringContaining('does not answer as an agent does: <html>')]],
      [{ status: 500, body: 'oh' }, ['the agent answered 500: oh']],
    ];
    for (const [answer, errors] of answers) {
      await serve(() => answer);
      expect(await query(['up'])).toEqual({ exitCode: 1, out: [], errors });
      await api.close();
    }
    await serve(() => undefined);
    const gone = await runCommand(['query', 'promql', 'up', '--url', 'http://127.0.0.1:1']);
    expect(gone).toMatchObject({ exitCode: 1, errors: [expect.stringMatching(/start one with: .* agent$/)] });
    expect(await query([' '])).toMatchObject({ exitCode: 2, errors: [expect.stringContaining('the query is empty')] });
  });
});

describe('trawl query promql --explain', () => {
  const nothing = { series: null, leftToAgent: null, values: null, rowsRead: null, tookMs: null };
  const rate = {
    expression: 'rate(x_total[5m])',
    by: 'engine',
    how: 'timeSeriesRateToGrid: the same extrapolation',
    series: 1000,
    leftToAgent: 2,
    values: 241_000,
    rowsRead: 324_352,
    tookMs: 51.26,
    parts: [],
  };
  const plan = {
    expression: 'sum(rate(x_total[5m]))',
    by: 'agent',
    how: 'the aggregation sum',
    ...nothing,
    parts: [rate],
  };

  it('draws what computes each part, and what that took', async () => {
    await serve(() => ({
      body: JSON.stringify({ query: plan.expression, points: 241, series: 1, tookMs: 60, evaluationMs: 8.1, plan }),
    }));
    const { exitCode, out } = await query(['sum(rate(x_total[5m]))', '--explain', '--range', '1h', '--end', end]);
    expect(exitCode).toBe(0);
    expect(api.requests[0]).toMatchObject({
      path: '/api/trawl/promql/explain',
      query: { query: 'sum(rate(x_total[5m]))', end: String(endS) },
    });
    expect(out).toEqual([
      'agent  sum(rate(x_total[5m]))',
      '│  the aggregation sum',
      '└─ engine  rate(x_total[5m])',
      '      timeSeriesRateToGrid: the same extrapolation',
      '      1,000 series, 2 of them left to the agent, 241,000 values, 324,352 rows read, 51.3 ms',
      '',
      '1 series of 241 points in 60.0 ms, 8.1 ms of it in the agent',
    ]);
  });

  it('shows a refusal as the query itself does', async () => {
    await serve(() => failure(400, 'bad_data', 'invalid parameter "query": 1:5: parse error: unexpected end of input'));
    const { exitCode, errors } = await query(['sum(', '--explain']);
    expect(exitCode).toBe(1);
    expect(errors[0]).toMatch(/^the query cannot be read, at column 5/);
  });
});
