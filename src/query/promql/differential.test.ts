/**
 * Random queries over random data, here and in a real Prometheus: the one of the path, or which PROMETHEUS names (test/fixtures/prometheus-server.ts
 * tells how it is made), e.g. `PROMETHEUS=/usr/bin/prometheus npx vitest run src/query/promql/differential`; otherwise skipped. DIFFERENTIAL_QUERIES and
 * DIFFERENTIAL_SEED choose how many and which. With 3.x everything is compared: statuses, texts, warnings, the order of series, and samples lie on
 * the edges of windows. 2.x is closed on the left: no sample is on an edge there, and only values and errors are compared.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../../../test/fixtures/answer-text.ts';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { prometheusProgram } from '../../../test/fixtures/prometheus-program.ts';
import { type PrometheusServer, startPrometheus, toWriteSeries } from '../../../test/fixtures/prometheus-server.ts';
import { createRandomPromql, type RandomRequest, randomSeries } from '../../../test/fixtures/random-promql.ts';
import { createPrometheusApi, type PrometheusApi } from '../prometheus/index.ts';

const program = prometheusProgram();
const count = Number(process.env['DIFFERENTIAL_QUERIES'] ?? 2000);
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
    pattern: /(?:topk|bottomk|limitk).*(?:NaN|Inf)/,
    until: 3.16,
    reason: 'a number of elements that is none had other errors, and one where nothing is kept as well',
  },
  {
    pattern: /(?:quantile|mad_over_time)\w* ?(?:\w+ )?\(.*(?:odd|Inf|\/|exp|quantile)/,
    until: 3.16,
    reason: 'an infinity beside the rank of a quantile made NaN of it, and NaN was left out of a deviation',
  },
  { pattern: /(?:deg|rad)\(.*odd/, until: 3.16, reason: 'a large value overflowed between' },
  { pattern: /histogram_fraction/, until: 3.16, reason: 'a bucket without a lower bound had other shares' },
  { pattern: /info\(/, until: 3.16, reason: 'info series were looked for elsewhere' },
  { pattern: /sort/, until: 3.16, reason: 'a range query was warned of sort alone, and not within an aggregation' },
  {
    pattern: /(?:topk|bottomk) ?(?:\w+ \([^)]*\) )?\((?!100,)|limitk/,
    until: 100,
    reason: 'nothing says which of equal elements is kept, or which so many',
  },
  {
    pattern: /(?:sum|avg|std\w+).*(?:sort|topk|bottomk).*odd/,
    until: 100,
    reason: 'whether a sum overflows is said by the order in which values are added',
  },
  {
    pattern: /sort.*(?:day_|days_|hour|minute|month|year|timestamp|info\().*@/,
    until: 100,
    reason: 'what has one value at all steps is evaluated once here, where sorting means something, and there at each',
  },
  {
    pattern: /quantile (?:\w+ .*)?\(scalar.*@/,
    until: 100,
    reason: 'where the vector has one value at all steps, the quantile is that of the first step there',
  },
  {
    pattern: /[<>=] ?(?:on|ignoring)\(/,
    until: 3.16,
    reason: 'elements that a comparison drops could be put together several times',
  },
  {
    pattern: /@ .*\)\[\w*:\w*\]/,
    until: 100,
    reason: 'within a subquery the time of `@` is moved there by as much as its start is before a multiple of its step',
  },
  {
    pattern: /count_values.*(?:sin|cos|tan|exp|ln|log|sqrt|\^|atan2|deg|rad|deriv|predict|stddev|stdvar|avg|quantile)/,
    until: 100,
    reason: 'the last digits, in which no two processors agree, are a label',
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

/** A label that `count_values` made, rounded so that sums in another order are the same. */
function rounded(text: string): string {
  const value = Number(text);
  return Number.isFinite(value) && value !== 0 ? value.toPrecision(9) : text;
}

function comparableSeries(item: Item | string | number): unknown {
  if (typeof item !== 'object') return item;
  const { metric, value, values = value === undefined ? [] : [value] } = item;
  const counted = metric['v'] === undefined ? {} : { v: rounded(metric['v']) };
  return [JSON.stringify(Object.entries({ ...metric, ...counted }).sort()), values];
}

/** Whether both are values of samples that are the same but for the order in which something was added. */
function isNearly(ours: unknown, theirs: unknown): boolean {
  if (typeof ours !== 'string' || typeof theirs !== 'string') return false;
  const distance = Math.abs(Number(ours) - Number(theirs));
  return distance <= 1e-9 || distance <= 1e-9 * Math.abs(Number(theirs));
}

/** Where two answers part, and how; undefined where they are alike. */
function difference(ours: unknown, theirs: unknown, path = ''): string | undefined {
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null) {
    if (Object.is(ours, theirs) || isNearly(ours, theirs)) return undefined;
    return `  at ${path}: ${JSON.stringify(ours)} here, ${JSON.stringify(theirs)} there`;
  }
  const [here, there] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))];
  for (const key of new Set([...here.keys(), ...there.keys()])) {
    const found = difference(here.get(key), there.get(key), `${path}/${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const lastValue = (item: unknown): string => JSON.stringify(item).split(',').at(-1) ?? '';

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** Series in the order that means something: of an instant vector only that of `sort`, where nothing says which of two equal ones is first. */
function inOrder(series: readonly unknown[], { query, step }: RandomRequest): readonly unknown[] {
  if (step !== undefined || /^sort_by_label/.test(query)) return series;
  if (!/^sort/.test(query)) return [...series].sort(byText);
  const ranks = [...new Set(series.map(lastValue))];
  const rank = (item: unknown): number => ranks.indexOf(lastValue(item));
  return [...series].sort((a, b) => rank(a) - rank(b) || byText(a, b));
}

/** Texts of older ones in the newest's words, without how often buckets were raised, which Prometheus counts many times over in a range query. */
const comparableNotes = (notes: readonly string[] = [], version: number): readonly string[] => [
  ...new Set(
    notes
      .map((note) => note.replace(/over -?\d+ samples/, 'over so many samples'))
      .map((note) => (version < 3.16 ? note.replace(/ for metric name "[^"]*" (?=\([\d:]+\)$)/, ' ') : note))
      .map((note) => (version < 3.16 ? note.replace(/, from buckets .* to \S+(?= \()/, '') : note))
      .sort(),
  ),
];

/** An answer without what may differ: the last digits, an order that nothing says, which of two duplicates is named first. */
function comparable({ code, answer }: Answered, request: RandomRequest, version: number): unknown {
  const { status, error = '', errorType = '', data } = answer;
  if (status === 'error') {
    const text = error.replace(/\[.*\]/, '[…]').replace(/group \{.*?\}/, 'group');
    return version < 3 ? text.replace('invalid parameter "query": ', '') : { code, errorType, text };
  }
  const series = (data?.result ?? []).map(comparableSeries);
  const type = data?.resultType;
  if (version < 3) return { type, series: series.sort(byText) };
  const warnings = comparableNotes(answer.warnings, version);
  const infos = comparableNotes(answer.infos, version);
  const shown = type === 'scalar' || type === 'string' ? series : inOrder(series, request);
  return { code, type, series: shown, warnings, infos };
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
  `random queries and ${program ?? 'a real Prometheus (skipped: there is no program prometheus)'}`,
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
