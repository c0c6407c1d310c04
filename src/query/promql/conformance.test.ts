/**
 * Prometheus's own cases (promqltest, restated as JSON) and what a real Prometheus answered, through the HTTP dialect and the evaluator over
 * samples in memory, judged by the suite's own rules. The directory is CONFORMANCE_DIR; where it is missing the cases are skipped with a message.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type Sample, type SeriesSamples } from '../../model/sample.ts';
import { createPrometheusApi, type PrometheusApi } from '../prometheus/index.ts';

interface StoredSeries {
  readonly labels: Record<string, string>;
  readonly samples: readonly (readonly [timestampMs: number, value: string])[];
}

type Evaluation =
  | { readonly kind: 'instant'; readonly expr: string; readonly timeMs: number }
  | {
      readonly kind: 'range';
      readonly expr: string;
      readonly startMs: number;
      readonly endMs: number;
      readonly stepMs: number;
    };

/** What is expected; only the suite's own functions look into the rest of it. */
interface Expected {
  readonly result: string;
  readonly series?: readonly { readonly metric: Record<string, string>; readonly value: string }[];
  readonly value?: string;
}

interface Case {
  readonly id: string;
  readonly group: string;
  readonly tier?: string;
  readonly loads: readonly string[];
  readonly eval: Evaluation;
  readonly expect: Expected;
  readonly rangeCheck?: boolean;
}

interface Suite {
  readonly loads: Record<string, { readonly series: readonly StoredSeries[] }>;
  readonly cases: readonly Case[];
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: unknown;
}

/** The suite's rules, in its `lib.mjs`; each gives the reason of a difference, or null. */
interface Rules {
  compareResult(expected: Expected, data: unknown): string | null;
  checkAnnotations(expected: Expected, answer: Answer, level: 'presence'): string | null;
  checkMessage(expected: Expected, error: string): string | null;
}

const noRules: Rules = { compareResult: () => null, checkAnnotations: () => null, checkMessage: () => null };

const directory = resolve(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance');

const numberOf = (value: string): number => {
  if (value === '+Inf') return Number.POSITIVE_INFINITY;
  if (value === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(value);
};

const toSample = ([timestampMs, value]: readonly [number, string]): Sample => ({
  timestampMs,
  value: value === 'StaleNaN' ? Number.NaN : numberOf(value),
  isStale: value === 'StaleNaN',
});

/** Later loads go on with the series of earlier ones. */
function storedBefore(suite: Suite, loads: readonly string[]): SeriesSamples[] {
  const samples = new Map<string, { labels: Record<string, string>; at: Map<number, Sample> }>();
  for (const load of loads) {
    for (const { labels, samples: added } of suite.loads[load]?.series ?? []) {
      const key = JSON.stringify(Object.entries(labels).sort());
      const known = samples.get(key) ?? { labels, at: new Map<number, Sample>() };
      samples.set(key, known);
      for (const point of added) known.at.set(point[0], toSample(point));
    }
  }
  return [...samples.values()].map(({ labels, at }) => ({
    series: createSeries(Object.entries(labels)),
    samples: [...at.values()].sort((a, b) => a.timestampMs - b.timestampMs),
  }));
}

/** One API for each set of loads, since making the samples costs more than most queries. */
function createApis(suite: Suite): (test: Case) => PrometheusApi {
  const apis = new Map<string, PrometheusApi>();
  return ({ loads, tier }) => {
    // What needs Prometheus's features was answered with all of them on; this one is a choice here too.
    const delaysNameRemoval = tier === 'feature';
    const key = [delaysNameRemoval, ...loads].join(' ');
    const known = apis.get(key);
    if (known !== undefined) return known;
    const samples = createMemorySource(storedBefore(suite, loads));
    const api = createPrometheusApi({ samples, now: () => 0, delaysNameRemoval });
    apis.set(key, api);
    return api;
  };
}

async function ask(api: PrometheusApi, evaluation: Evaluation): Promise<Answer> {
  const given: Record<string, string> =
    evaluation.kind === 'instant'
      ? { query: evaluation.expr, time: String(evaluation.timeMs / 1000) }
      : {
          query: evaluation.expr,
          start: String(evaluation.startMs / 1000),
          end: String(evaluation.endMs / 1000),
          step: String(evaluation.stepMs / 1000),
        };
  const { signal } = new AbortController();
  const { body } = await (evaluation.kind === 'instant' ? api.query : api.queryRange)(
    (name) => given[name] ?? '',
    signal,
  );
  return JSON.parse(body.toString());
}

/** What an instant query answers is what the middle step of a range query has. */
function middleOf(test: Case): { readonly evaluation: Evaluation; readonly expected: Expected } | undefined {
  const { eval: evaluation, expect: expected } = test;
  if (test.rangeCheck !== true || evaluation.kind !== 'instant') return undefined;
  const { expr, timeMs } = evaluation;
  return {
    evaluation: { kind: 'range', expr, startMs: timeMs - 60_000, endMs: timeMs + 60_000, stepMs: 60_000 },
    expected:
      expected.result === 'scalar'
        ? { ...expected, result: 'vector', series: [{ metric: {}, value: expected.value ?? '' }] }
        : ({ ...expected, ordered: false } as Expected),
  };
}

interface Matrix {
  readonly result: readonly { readonly metric: unknown; readonly values: readonly [number, string][] }[];
}

async function differences(rules: Rules, api: PrometheusApi, test: Case): Promise<readonly string[]> {
  const answer = await ask(api, test.eval);
  if (test.expect.result === 'fail') {
    if (answer.status !== 'error') return ['expected to fail'];
    return [rules.checkMessage(test.expect, answer.error ?? '')].filter((reason) => reason !== null);
  }
  if (answer.status !== 'success') return [answer.error ?? 'no error text'];
  const found = [
    rules.compareResult(test.expect, answer.data),
    rules.checkAnnotations(test.expect, answer, 'presence'),
  ];
  const middle = middleOf(test);
  if (middle !== undefined && test.eval.kind === 'instant') {
    const timeS = test.eval.timeMs / 1000;
    const { data, error } = await ask(api, middle.evaluation);
    const { result = [] } = (data ?? {}) as Matrix;
    const vector = result.flatMap(({ metric, values }) =>
      values.filter(([atS]) => atS === timeS).map((value) => ({ metric, value })),
    );
    found.push(error ?? rules.compareResult(middle.expected, { resultType: 'vector', result: vector }));
  }
  return found.filter((reason) => reason !== null);
}

const suites: readonly { readonly file: string; readonly what: string }[] = [
  { file: 'promql/cases.json', what: 'cases of Prometheus' },
  { file: 'promql/recorded.json', what: 'recorded answers of Prometheus' },
  { file: 'mesh/dashboard-cases.json', what: 'queries of dashboards' },
];

for (const { file, what } of suites) {
  const path = join(directory, file);
  const isThere = existsSync(path);
  describe.skipIf(!isThere)(`${what} (${isThere ? path : `skipped: no ${path}`})`, async () => {
    const suite: Suite = isThere ? JSON.parse(readFileSync(path, 'utf8')) : { loads: {}, cases: [] };
    const rules: Rules = isThere ? await import(pathToFileURL(join(dirname(path), '../promql/lib.mjs')).href) : noRules;
    const apiFor = createApis(suite);
    const must = suite.cases.filter(({ tier = 'core' }) => tier === 'core');

    it.each(must.map((test) => [test.id, test.eval.expr.slice(0, 200), test] as const))(
      '%s %s',
      async (_, __, test) => {
        expect(await differences(rules, apiFor(test), test)).toEqual([]);
      },
    );

    const others = suite.cases.filter(({ tier = 'core' }) => tier !== 'core');
    it.skipIf(others.length === 0)('of newer or experimental parts pass too', async () => {
      const failed: string[] = [];
      for (const test of others) {
        const reasons = await differences(rules, apiFor(test), test);
        if (reasons.length > 0) failed.push([test.tier, test.id, test.eval.expr, ...reasons].join('  '));
      }
      expect(failed).toEqual([]);
    });
  });
}
