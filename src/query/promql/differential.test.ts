/**
 * Random queries over random data, here and in a real Prometheus: where PROMETHEUS names its program (promtool beside it), e.g.
 * `PROMETHEUS=/usr/bin/prometheus npx vitest run src/query/promql/differential`; otherwise skipped. DIFFERENTIAL_QUERIES and DIFFERENTIAL_SEED
 * choose how many and which. Stamps are odd milliseconds and windows end at even ones, so that 2.x, whose windows are closed on the left, sees what 3.x sees.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../../../test/fixtures/answer-text.ts';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type Label, type Sample, type SeriesSamples } from '../../model/sample.ts';
import { createPrometheusApi } from '../prometheus/index.ts';

const program = process.env['PROMETHEUS'];
const count = Number(process.env['DIFFERENTIAL_QUERIES'] ?? 500);
const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);

/** What 2.42 answers otherwise than 3.x, and what no two processors agree on; a query that holds one is not asked. */
const knownDifferences: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /(?:rate|increase)\(/,
    'until 3.0 a counter was extrapolated to zero before it was seen that its first sample is far from the edge',
  ],
  [/atan2/, 'until 3.0 the result kept the name'],
  [/std(?:dev|var) /, 'until 3.0 one value, be it NaN, had the deviation 0'],
  [/predict_linear\(.*@/, '`@` within predict_linear moves with the steps of a range query there'],
  [
    /(?:hour|day_of_year|days_in_month)\((?!(?:[cd]_total|[gh])\b)/,
    'the date of NaN or of a number beyond all dates is what the processor makes of it',
  ],
];

let state = seed;
const random = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const pick = (texts: readonly string[]): string => texts[random(texts.length)] ?? '';

const startMs = 1_700_000_000_000;
const buckets: readonly string[] = ['0.1', '1', '2.5', '+Inf'];

function randomSamples(isCounter: boolean): Sample[] {
  const samples: Sample[] = [];
  const skewMs = 1 + 2 * random(7000);
  let value = random(50);
  for (let i = 0; i < 240; i++) {
    if (random(15) === 0 || (i > 100 && i < 140 && skewMs % 3 === 0)) continue;
    if (!isCounter) value = random(6) === 0 ? value : random(200) - 100 + random(2) / 2;
    else value = random(30) === 0 ? random(5) : value + random(20);
    samples.push({ timestampMs: startMs + i * 15_000 + skewMs, value, isStale: false });
  }
  return samples;
}

function randomData(): SeriesSamples[] {
  const stored: SeriesSamples[] = [];
  for (const name of ['c_total', 'd_total', 'g', 'h', 'lat_bucket']) {
    for (const a of ['p', 'q', '']) {
      for (const b of ['1', '2', '3']) {
        for (const le of name === 'lat_bucket' ? buckets : ['']) {
          const labels: Label[] = [
            ['__name__', name],
            ['a', a],
            ['b', b],
            ['le', le],
          ];
          stored.push({ series: createSeries(labels), samples: randomSamples(name.includes('_')) });
        }
      }
    }
  }
  return stored;
}

const selector = (): string =>
  pick(['c_total', 'd_total', 'g', 'h']) +
  pick(['', '', '', '{a="p"}', '{b=~"1|2"}', '{a=""}', '{a!="q",b!="3"}', '{b="none"}']);
const moved = (): string =>
  pick(['', '', '', '', ' offset 1m', ' offset -30s', ' @ 1700001800', ' @ start()', ' @ end()']);
const range = (): string => pick(['1m', '2m', '5m', '9m30s']);
const scalar = (): string => pick(['1', '2', '0.5', '-3', '10', 'time()', 'pi()', '0']);
const matrix = (depth: number): string =>
  depth <= 0 || random(3) > 0
    ? `${selector()}[${range()}]${moved()}`
    : `(sum by (a, b) (${vector(depth - 1)}))[${range()}:${pick(['30s', '1m', '17s'])}]${moved()}`;

const overTime: readonly string[] =
  'delta irate idelta deriv changes resets rate increase sum avg min max count last stddev stdvar present absent'
    .split(' ')
    .map((name, i) => (i < 8 ? name : `${name}_over_time`));
const oneByOne: readonly string[] =
  'abs ceil floor exp ln log2 sqrt sgn - round timestamp absent hour day_of_year days_in_month atanh deg sort sort_desc'.split(
    ' ',
  );
const grouping = (): string => pick(['', 'by (a) ', 'by (b) ', 'without (a) ', 'without (b, le) ', 'by (a, b) ']);
const matching = (): string =>
  pick([
    'on(a) group_left()',
    'on(b) group_left(a)',
    'ignoring(a)',
    'on(a, b)',
    'ignoring(b) group_right()',
    'on(b) group_right(a)',
  ]);

const shapes: readonly ((inner: () => string, depth: number) => string)[] = [
  (_, depth) => `${pick(overTime)}(${matrix(depth - 1)})`,
  (_, depth) => `quantile_over_time(${pick(['0.3', '0.9', '1.5', '-1'])}, ${matrix(depth - 1)})`,
  (_, depth) => `predict_linear(${matrix(depth - 1)}, ${scalar()})`,
  (inner) => `${pick(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'])} ${grouping()}(${inner()})`,
  (inner) => `${pick(['topk(100', 'bottomk(100', 'quantile(0.2', 'quantile(2', 'count_values("v"'])}, ${inner()})`,
  (inner) =>
    `${pick([inner(), scalar()])} ${pick(['+', '-', '*', '/', '%', '^', 'atan2', '!=', '<', '> bool', '== bool'])} ${inner()}`,
  (inner) =>
    `(${inner()}) ${pick(['and', 'or', 'unless'])} ${pick(['', 'on(a) ', 'ignoring(b) ', 'on() ', 'on(b) '])}(${inner()})`,
  (inner) => `(${inner()}) ${pick(['+', '*', '>', '/'])} ${matching()} (${inner()})`,
  (inner) => `${pick(oneByOne)}(${inner()})`,
  (inner) => `clamp(${inner()}, -5, ${scalar()})`,
  (inner) => `label_replace(${inner()}, "z", "$1-x", "b", "(1|2)")`,
  (inner) => `label_join(${inner()}, "z", "/", "a", "b")`,
  (inner) => `vector(scalar(${inner()}))`,
  () =>
    `histogram_quantile(${pick(['0.5', '0.9', '0', '1', '2'])}, ${pick(['lat_bucket', 'sum by (le) (lat_bucket)', 'delta(lat_bucket[5m])'])})`,
];

function vector(depth: number): string {
  if (depth <= 0) return selector() + moved();
  return shapes[random(shapes.length)]?.(() => vector(depth - 1), depth) ?? '';
}

function randomRequest(): Record<string, string> {
  const query = vector(1 + random(3));
  if (random(2) === 0) return { query, time: String(startMs / 1000 + random(3800) + 0.25) };
  const start = startMs / 1000 + 600.25 + random(100) * 10;
  return { query, start: String(start), end: String(start + 1000 + random(1000)), step: pick(['60', '34', '300']) };
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly resultType: string; readonly result: readonly Item[] };
}

interface Item {
  readonly metric: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

/** Rounded so that sums in another order are the same. */
function rounded(text: string): string {
  const value = Number(text);
  return Number.isFinite(value) ? (Math.abs(value) < 1e-9 ? 0 : value).toPrecision(9) : text;
}

/** An answer without what may differ: the order of series, the last digits, which of two duplicates is named first. */
function comparable({ status, error = '', data }: Answer): unknown {
  if (status === 'error')
    return error
      .replace('invalid parameter "query": ', '')
      .replace(/\[.*\]/, '[…]')
      .replace(/group \{.*?\}/, 'group');
  const series = (data?.result ?? []).map(({ metric, value, values }) => {
    const labels = Object.entries({
      ...metric,
      ...(metric['v'] === undefined ? {} : { v: rounded(metric['v']) }),
    }).sort();
    return [
      JSON.stringify(labels),
      (values ?? (value === undefined ? [] : [value])).map(([at, text]) => [at, rounded(text)]),
    ];
  });
  return { type: data?.resultType, series: series.sort((x, y) => (String(x[0]) < String(y[0]) ? -1 : 1)) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** The samples as promtool takes them. */
function exposition(stored: readonly SeriesSamples[]): string {
  const lines = stored.flatMap(({ series, samples }) => {
    const labels = series.labels.filter(([name]) => name !== '__name__').map(([name, value]) => `${name}="${value}"`);
    const name = series.labels.find(([label]) => label === '__name__')?.[1] ?? '';
    return samples.map(
      ({ timestampMs, value }) => `${name}{${labels.join(',')}} ${value} ${(timestampMs / 1000).toFixed(3)}`,
    );
  });
  return `${lines.join('\n')}\n# EOF\n`;
}

describe.skipIf(program === undefined)(
  `random queries and ${program ?? 'a real Prometheus (skipped: PROMETHEUS is not set)'}`,
  () => {
    const stored = randomData();
    const api = createPrometheusApi({ samples: createMemorySource(stored), now: () => 0 });
    const directory = mkdtempSync(join(tmpdir(), 'trawl-differential-'));
    let child: ChildProcess | undefined;
    let url = '';

    beforeAll(async () => {
      writeFileSync(join(directory, 'data.om'), exposition(stored));
      writeFileSync(join(directory, 'prometheus.yml'), '');
      const tool = join(dirname(program ?? ''), 'promtool');
      execFileSync(tool, [
        'tsdb',
        'create-blocks-from',
        'openmetrics',
        join(directory, 'data.om'),
        join(directory, 'data'),
      ]);
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      const args = ['--config.file', join(directory, 'prometheus.yml'), '--storage.tsdb.path', join(directory, 'data')];
      const rest = [
        '--web.listen-address',
        `127.0.0.1:${port}`,
        '--storage.tsdb.retention.time=100y',
        '--log.level=error',
      ];
      child = spawn(program ?? '', [...args, ...rest], { stdio: 'ignore' });
      const until = Date.now() + 60_000;
      while (Date.now() < until) {
        const answer = await fetch(`${url}/-/ready`).catch((error: unknown) =>
          error instanceof TypeError ? undefined : Promise.reject(error),
        );
        if (answer?.ok === true) return;
        await pause(100);
      }
      throw new Error('Prometheus was not ready within a minute');
    }, 120_000);

    afterAll(() => {
      child?.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    });

    it(`agree on ${count} of seed ${seed}, but for what is listed`, async () => {
      const { signal } = new AbortController();
      let left = 0;
      for (let i = 0; i < count; i++) {
        const given = randomRequest();
        if (knownDifferences.some(([pattern]) => pattern.test(given['query'] ?? ''))) {
          left++;
          continue;
        }
        const path = given['step'] === undefined ? 'query' : 'query_range';
        const asked = await fetch(`${url}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(given) });
        const theirs: Answer = JSON.parse(await asked.text());
        const { body } = await (path === 'query' ? api.query : api.queryRange)((name) => given[name] ?? '', signal);
        const ours: Answer = JSON.parse(await textOf(body));
        expect(comparable(ours), `${i} of seed ${seed}: ${JSON.stringify(given)}`).toEqual(comparable(theirs));
      }
      process.stdout.write(
        `${count - left} of ${count} random queries asked, ${left} with a known difference left out\n`,
      );
    }, 600_000);
  },
);
