/**
 * Prometheus's own cases (promqltest, restated as JSON) through the HTTP dialect and the evaluator over samples in memory: those that need
 * only what this evaluator knows. The directory is CONFORMANCE_DIR; where it is missing the cases are skipped with a message.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMemorySource } from '../../../test/fixtures/memory-samples.ts';
import { createSeries, type Sample, type SeriesSamples } from '../../model/sample.ts';
import { createPrometheusApi } from '../prometheus/index.ts';
import { PromqlError } from './error.ts';
import { parsePromql } from './parse.ts';

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

type Metric = Record<string, string>;

type Expected =
  | { readonly result: 'vector'; readonly series: readonly { readonly metric: Metric; readonly value: string }[] }
  | {
      readonly result: 'matrix';
      readonly series: readonly { readonly metric: Metric; readonly values: readonly (readonly [number, string])[] }[];
    }
  | { readonly result: 'scalar' | 'string'; readonly value: string }
  | { readonly result: 'fail'; readonly messages?: readonly { readonly match: string; readonly text: string }[] };

interface Case {
  readonly id: string;
  readonly tier: string;
  readonly loads: readonly string[];
  readonly eval: Evaluation;
  readonly expect: Expected;
}

interface Suite {
  readonly loads: Record<string, { readonly series: readonly StoredSeries[] }>;
  readonly cases: readonly Case[];
}

const file = resolve(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', 'promql/cases.json');

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

const close = (value: string): unknown => {
  const number = numberOf(value);
  return Number.isFinite(number) && number !== 0
    ? expect.closeTo(number, 6 - Math.floor(Math.log10(Math.abs(number))))
    : number;
};

const keyed = (metric: Metric): string => JSON.stringify(Object.entries(metric).sort());

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly {
      readonly metric: Metric;
      readonly value?: [number, string];
      readonly values?: [number, string][];
    }[];
  };
}

function isSupported({ eval: { expr } }: Case): boolean {
  try {
    parsePromql(expr);
    return true;
  } catch (error) {
    if (error instanceof PromqlError) return error.kind === 'parse';
    throw error;
  }
}

async function answer(suite: Suite, test: Case): Promise<Answer> {
  const api = createPrometheusApi({ samples: createMemorySource(storedBefore(suite, test.loads)), now: () => 0 });
  const { eval: evaluation } = test;
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
  const ask = evaluation.kind === 'instant' ? api.query : api.queryRange;
  const { body } = await ask((name) => given[name] ?? '', signal);
  return JSON.parse(body);
}

function check(expected: Expected, { status, error, data }: Answer): void {
  if (expected.result === 'fail') {
    expect(status).toBe('error');
    for (const { match, text } of expected.messages ?? []) {
      if (match === 'msg') expect(error).toContain(text);
      else expect(error).toMatch(new RegExp(text));
    }
    return;
  }
  expect(error).toBeUndefined();
  expect(data?.resultType).toBe(expected.result);
  if (expected.result === 'scalar' || expected.result === 'string') {
    const [, text] = Object.values(data?.result ?? []);
    expect(expected.result === 'scalar' ? numberOf(String(text)) : text).toEqual(
      expected.result === 'scalar' ? close(expected.value) : expected.value,
    );
    return;
  }
  if (!('series' in expected)) return;
  const wanted = expected.series.map((series) => [
    keyed(series.metric),
    'value' in series ? close(series.value) : series.values.map(([timestampMs, value]) => [timestampMs, close(value)]),
  ]);
  const got = (data?.result ?? []).map(({ metric, value, values }) => [
    keyed(metric),
    value === undefined
      ? values?.map(([timestampS, text]) => [Math.round(timestampS * 1000), numberOf(text)])
      : numberOf(value[1]),
  ]);
  expect(got).toHaveLength(wanted.length);
  expect(Object.fromEntries(got)).toEqual(Object.fromEntries(wanted));
}

describe.skipIf(!existsSync(file))(`Prometheus's cases (${existsSync(file) ? file : `skipped: no ${file}`})`, () => {
  const suite: Suite = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { loads: {}, cases: [] };
  const cases = suite.cases.filter((test) => test.tier === 'core' && isSupported(test));

  it('hold some that need selectors and rate alone', () => {
    expect(cases.length).toBeGreaterThan(30);
  });

  it.each(cases.map((test) => [test.id, test.eval.expr, test] as const))('%s %s', async (_, __, test) => {
    check(test.expect, await answer(suite, test));
  });
});
