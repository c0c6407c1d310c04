/**
 * Random queries over random data, here and in a real Prometheus: where PROMETHEUS names its program (test/fixtures/prometheus-server.ts tells how it
 * is made), e.g. `PROMETHEUS=/usr/bin/prometheus npx vitest run src/query/promql/differential`; otherwise skipped. DIFFERENTIAL_QUERIES and
 * DIFFERENTIAL_SEED choose how many and which. With 3.x everything is compared: statuses, texts, warnings, the order of series, and samples lie on
 * the edges of windows. 2.x is closed on the left: no sample is on an edge there, and only values and errors are compared.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../../../test/fixtures/answer-text.ts';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { type PrometheusServer, startPrometheus, toWriteSeries } from '../../../test/fixtures/prometheus-server.ts';
import { createRandomPromql, type RandomRequest, randomSeries } from '../../../test/fixtures/random-promql.ts';
import { createPrometheusApi, type PrometheusApi } from '../prometheus/index.ts';

const program = process.env['PROMETHEUS'];
const count = Number(process.env['DIFFERENTIAL_QUERIES'] ?? 500);
const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 1);
/** How many differences are told before giving up. */
const toldAtMost = Number(process.env['DIFFERENTIAL_TOLD'] ?? 1);

interface KnownDifference {
  readonly pattern: RegExp;
  /** Versions before this one answer otherwise. */
  readonly until: number;
  readonly reason: string;
}

/** What older ones answer otherwise than the newest, and what no two processors agree on; a query that holds one is not asked. */
const knownDifferences: readonly KnownDifference[] = [
  {
    pattern: /(?:rate|increase)\(/,
    until: 3,
    reason: 'a counter was extrapolated to zero before it was seen that its first sample is far from the edge',
  },
  { pattern: /atan2/, until: 3, reason: 'the result kept the name' },
  { pattern: /std(?:dev|var) /, until: 3, reason: 'one value, be it NaN, had the deviation 0' },
  {
    pattern: /predict_linear\(.*@/,
    until: 3,
    reason: '`@` within predict_linear moved with the steps of a range query',
  },
  {
    pattern: /(?:hour|minute|month|year|day_of_\w+|days_in_month)\((?!(?:[cd]_total|[gh])\b)/,
    until: 100,
    reason: 'the date of NaN or of a number beyond all dates is what the processor makes of it',
  },
];

interface Item {
  readonly metric: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

interface Answer {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?: { readonly resultType: string; readonly result: readonly (Item | string | number)[] };
}

interface Answered {
  readonly code: number;
  readonly answer: Answer;
}

const digits = Number(process.env['DIFFERENTIAL_DIGITS'] ?? 9);

/** Rounded so that sums in another order are the same. */
function rounded(text: string): string {
  const value = Number(text);
  return Number.isFinite(value) ? (Math.abs(value) < 1e-9 ? 0 : value).toPrecision(digits) : text;
}

function comparableSeries(item: Item | string | number): unknown {
  if (typeof item !== 'object') return typeof item === 'string' ? rounded(item) : item;
  const { metric, value, values = value === undefined ? [] : [value] } = item;
  const counted = metric['v'] === undefined ? {} : { v: rounded(metric['v']) };
  return [
    JSON.stringify(Object.entries({ ...metric, ...counted }).sort()),
    values.map(([at, text]) => [at, rounded(text)]),
  ];
}

/** Where two answers part, and how; undefined where they are alike. */
function difference(ours: unknown, theirs: unknown, path = ''): string | undefined {
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null) {
    if (Object.is(ours, theirs)) return undefined;
    return `  at ${path}: ${JSON.stringify(ours)} here, ${JSON.stringify(theirs)} there`;
  }
  const [here, there] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))];
  for (const key of new Set([...here.keys(), ...there.keys()])) {
    const found = difference(here.get(key), there.get(key), `${path}/${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The order of an instant vector is said by its query alone. */
const isOrdered = ({ query, step }: RandomRequest): boolean => step !== undefined || /^sort/.test(query);

/** An answer without what may differ: the last digits, an order that nothing says, which of two duplicates is named first. */
function comparable({ code, answer }: Answered, request: RandomRequest, version: number): unknown {
  const { status, error = '', errorType = '', data } = answer;
  if (status === 'error') {
    const text = error.replace(/\[.*\]/, '[…]').replace(/group \{.*?\}/, 'group');
    return version < 3 ? text.replace('invalid parameter "query": ', '') : { code, errorType, text };
  }
  const series = (data?.result ?? []).map(comparableSeries);
  const isSorted = data?.resultType !== 'scalar' && (version < 3 || !isOrdered(request));
  const shown = isSorted ? series.sort((x, y) => (String(x) < String(y) ? -1 : 1)) : series;
  if (version < 3) return { type: data?.resultType, series: shown };
  const { warnings = [], infos = [] } = answer;
  return { code, type: data?.resultType, series: shown, warnings: [...warnings].sort(), infos: [...infos].sort() };
}

async function askThem(url: string, request: RandomRequest): Promise<Answered> {
  const path = request['step'] === undefined ? 'query' : 'query_range';
  const asked = await fetch(`${url}/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(request) });
  return { code: asked.status, answer: JSON.parse(await asked.text()) };
}

async function askUs(api: PrometheusApi, request: RandomRequest): Promise<Answered> {
  const { signal } = new AbortController();
  const handler = request['step'] === undefined ? api.query : api.queryRange;
  const { status, body } = await handler((name) => request[name] ?? '', signal);
  return { code: status, answer: JSON.parse(await textOf(body)) };
}

describe.skipIf(program === undefined)(
  `random queries and ${program ?? 'a real Prometheus (skipped: PROMETHEUS is not set)'}`,
  () => {
    let server: PrometheusServer;

    beforeAll(async () => {
      const features = '--enable-feature=promql-experimental-functions';
      server = await startPrometheus(program ?? '', { flags: [features] });
    }, 120_000);

    afterAll(() => server?.stop());

    it(`agree on ${count} of seed ${seed}, but for what is listed`, async () => {
      const { version, url } = server;
      let state = seed;
      const random = (below: number): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      const stored = randomSeries({ random, version });
      await server.write(stored.map(toWriteSeries));
      const api = createPrometheusApi({ samples: createMemorySource(stored), now: () => 0 });
      const queries = createRandomPromql({ random, version });
      const unlike: string[] = [];
      let left = 0;
      for (let i = 0; i < count && unlike.length < toldAtMost; i++) {
        const request = queries.request();
        const { query } = request;
        if (knownDifferences.some(({ pattern, until }) => version < until && pattern.test(query))) {
          left++;
          continue;
        }
        const theirs = comparable(await askThem(url, request), request, version);
        const ours = comparable(await askUs(api, request), request, version);
        const found = difference(ours, theirs);
        if (found !== undefined) unlike.push(`${i} of seed ${seed}: ${JSON.stringify(request)}\n${found}`);
      }
      process.stdout.write(
        `${count - left} of ${count} random queries asked of ${version}, ${left} with a known difference left out\n`,
      );
      expect(unlike.join('\n')).toBe('');
    }, 3_600_000);
  },
);
