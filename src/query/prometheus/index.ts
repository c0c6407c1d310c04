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
  /** Of all values together that a query holds at once; each takes nine bytes. */
  readonly maxPoints: number;
}

export const defaultPrometheusLimits: PrometheusLimits = {
  timeoutMs: 10_000,
  lookbackMs: 300_000,
  maxPointsPerSeries: 11_000,
  maxPoints: 20_000_000,
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

/** What both kinds of query share: their limits and their deadline. */
interface Prepared {
  readonly limit: number;
  readonly lookbackMs: number;
  readonly signal: AbortSignal;
}

interface Deadline {
  readonly signal: AbortSignal;
  readonly clear: () => void;
}

/**
 * A signal that aborts with `signal`, and with a TimeoutError after `timeoutMs`. By hand: on Node 20 what AbortSignal.any gives is lost to the
 * garbage collector with the timeout that it follows, and a query of much memory then runs on for ever.
 */
function startDeadline(signal: AbortSignal, timeoutMs: number): Deadline {
  const ending = new AbortController();
  const leave = (): void => ending.abort(signal.reason);
  const timer = setTimeout(
    () => ending.abort(new DOMException('the query took too long', 'TimeoutError')),
    Math.min(timeoutMs, 2 ** 31 - 1),
  );
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  return {
    signal: ending.signal,
    clear() {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
    },
  };
}

/** Answers a query within its deadline. */
async function answerQuery(
  { parameters, limits, signal }: { parameters: Parameters; limits: PrometheusLimits; signal: AbortSignal },
  answer: (prepared: Prepared) => Promise<Answer>,
): Promise<Answer> {
  let deadline: Deadline | undefined;
  try {
    const limit = limitParameter(parameters);
    const timeoutMs = durationParameter(parameters, 'timeout') ?? limits.timeoutMs;
    const lookbackMs = durationParameter(parameters, 'lookback_delta') ?? limits.lookbackMs;
    deadline = startDeadline(signal, Math.min(Math.max(timeoutMs, 1), limits.timeoutMs));
    return await answer({
      limit,
      lookbackMs: lookbackMs > 0 ? lookbackMs : limits.lookbackMs,
      signal: deadline.signal,
    });
  } catch (error) {
    return answerFor(error);
  } finally {
    deadline?.clear();
  }
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
    query: (parameters, signal) =>
      answerQuery({ parameters, limits, signal }, async (prepared) => {
        const timeMs = timeParameter(parameters, 'time', options.now());
        const query = parsePromql(parameters('query'));
        const full = await instantQuery(query, timeMs, engineOptions(prepared));
        const { value, ...notes } = limited(full, prepared.limit);
        return answerData(formatInstant(value, timeMs), notes);
      }),
    queryRange: (parameters, signal) =>
      answerQuery({ parameters, limits, signal }, async (prepared) => {
        const { startMs, endMs, stepMs } = rangeParameters(parameters, limits.maxPointsPerSeries);
        const grid = { startMs, stepMs, count: Math.floor((endMs - startMs) / stepMs) + 1, givenEndMs: endMs };
        const query = parsePromql(parameters('query'));
        const full = await rangeQuery(query, grid, engineOptions(prepared));
        const { value, ...notes } = limited(full, prepared.limit);
        return answerData(await formatRange(value, grid, prepared.signal), notes);
      }),
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
