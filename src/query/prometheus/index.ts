/** Prometheus's HTTP API over the evaluator: instant and range queries, GET and POST (reference: Prometheus web/api/v1). */

import { type Parameters, parametersOf } from '../parameters.ts';
import { instantQuery, type QueryAnswer, rangeQuery, type SampleSource } from '../promql/engine.ts';
import { parsePromql, type Query } from '../promql/parse/parse.ts';
import { prettyPrint } from '../promql/print.ts';
import type { Value } from '../promql/value.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { type Answer, answerData, answerFor, truncated } from './answer.ts';
import { formatInstant, formatRange } from './format.ts';
import { durationParameter, limitParameter, rangeParameters, timeParameter } from './parameters.ts';
import { syntaxTree } from './syntax-tree.ts';

export interface PrometheusLimits {
  readonly timeoutMs: number;
  readonly lookbackMs: number;
  readonly maxPointsPerSeries: number;
  /** Of all series of an answer together. */
  readonly maxPoints: number;
}

export const defaultPrometheusLimits: PrometheusLimits = {
  timeoutMs: 10_000,
  lookbackMs: 300_000,
  maxPointsPerSeries: 11_000,
  maxPoints: 3_000_000,
};

export interface PrometheusApiOptions {
  readonly samples: SampleSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly limits?: PrometheusLimits;
}

export interface PrometheusApi {
  query(parameters: Parameters, signal: AbortSignal): Promise<Answer>;
  queryRange(parameters: Parameters, signal: AbortSignal): Promise<Answer>;
  /** The query as people would write it. */
  formatQuery(parameters: Parameters): Answer;
  /** The query as a tree. */
  parseQuery(parameters: Parameters): Answer;
}

/** Answers what needs the query's text alone. */
function answerText(parameters: Parameters, show: (query: Query) => unknown): Answer {
  try {
    return answerData(JSON.stringify(show(parsePromql(parameters('query')))));
  } catch (error) {
    return answerFor(error);
  }
}

/** At most `limit` series, and the warning that says so. */
function limited({ value, warnings, infos }: QueryAnswer, limit: number): QueryAnswer {
  const isOver = limit > 0 && (value.kind === 'vector' || value.kind === 'matrix') && value.series.length > limit;
  if (!isOver) return { value, warnings, infos };
  const cut: Value =
    value.kind === 'vector'
      ? { ...value, series: value.series.slice(0, limit) }
      : { ...value, series: value.series.slice(0, limit) };
  return { value: cut, warnings: [...warnings, truncated], infos };
}

/** What both kinds of query share: the expression, its limits and its deadline. */
interface Prepared {
  readonly query: Query;
  readonly limit: number;
  readonly lookbackMs: number;
  readonly signal: AbortSignal;
}

function prepare(parameters: Parameters, limits: PrometheusLimits, signal: AbortSignal): Prepared {
  const limit = limitParameter(parameters);
  const timeoutMs = durationParameter(parameters, 'timeout') ?? limits.timeoutMs;
  const lookbackMs = durationParameter(parameters, 'lookback_delta') ?? limits.lookbackMs;
  const deadline = AbortSignal.timeout(Math.min(Math.max(timeoutMs, 1), limits.timeoutMs));
  return {
    query: parsePromql(parameters('query')),
    limit,
    lookbackMs: lookbackMs > 0 ? lookbackMs : limits.lookbackMs,
    signal: AbortSignal.any([signal, deadline]),
  };
}

/** The API without its routes. */
export function createPrometheusApi(options: PrometheusApiOptions): PrometheusApi {
  const limits = options.limits ?? defaultPrometheusLimits;
  const engineOptions = ({ signal, lookbackMs }: Prepared) => ({
    source: options.samples,
    signal,
    lookbackMs,
    maxPoints: limits.maxPoints,
  });

  return {
    async query(parameters, signal) {
      try {
        const timeMs = timeParameter(parameters, 'time', options.now());
        const prepared = prepare(parameters, limits, signal);
        const full = await instantQuery(prepared.query, timeMs, engineOptions(prepared));
        const { value, ...notes } = limited(full, prepared.limit);
        return answerData(formatInstant(value, timeMs), notes);
      } catch (error) {
        return answerFor(error);
      }
    },
    async queryRange(parameters, signal) {
      try {
        const { startMs, endMs, stepMs } = rangeParameters(parameters, limits.maxPointsPerSeries);
        const prepared = prepare(parameters, limits, signal);
        const grid = { startMs, stepMs, count: Math.floor((endMs - startMs) / stepMs) + 1 };
        const full = await rangeQuery(prepared.query, grid, engineOptions(prepared));
        const { value, ...notes } = limited(full, prepared.limit);
        return answerData(await formatRange(value, grid, prepared.signal), notes);
      } catch (error) {
        return answerFor(error);
      }
    },
    formatQuery: (parameters) => answerText(parameters, ({ expression }) => prettyPrint(expression)),
    parseQuery: (parameters) => answerText(parameters, ({ expression }) => syntaxTree(expression)),
  };
}

/** The routes of queries, each for GET and POST. */
export function createPrometheusRoutes(options: PrometheusApiOptions): readonly QueryRoute[] {
  const api = createPrometheusApi(options);
  const route = (
    method: QueryRoute['method'],
    path: string,
    answer: (parameters: Parameters, signal: AbortSignal) => Promise<Answer> | Answer,
  ): QueryRoute => ({
    method,
    path,
    async handle({ query, form, signal }: QueryRequest): Promise<QueryResponse> {
      return { ...(await answer(parametersOf(query, form), signal)), contentType: 'application/json' };
    },
  });
  return (['GET', 'POST'] as const).flatMap((method) => [
    route(method, '/api/v1/query', api.query),
    route(method, '/api/v1/query_range', api.queryRange),
    route(method, '/api/v1/format_query', api.formatQuery),
    route(method, '/api/v1/parse_query', api.parseQuery),
  ]);
}
