/** Prometheus's HTTP API over the evaluator: instant and range queries, GET and POST (reference: Prometheus web/api/v1). */

import { failureOf } from '../failure.ts';
import { type Parameters, parametersOf } from '../parameters.ts';
import { type EngineOptions, instantQuery, type QueryAnswer, rangeQuery, type SampleSource } from '../promql/engine.ts';
import { readInLane } from '../promql/lane-source.ts';
import { parsePromql, type Query } from '../promql/parse/parse.ts';
import { prettyPrint } from '../promql/print.ts';
import type { Grid, Value } from '../promql/value.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query-route.ts';
import { createSearchGate, type QueryGate } from '../search-gate.ts';
import { TurnRefused } from '../turn-refused.ts';
import { type Answer, answerData, answerFor, envelope, truncated } from './answer.ts';
import { formatAnswer } from './format.ts';
import { createKnownSizes, type KnownSizes, type QueryCost, sizeKey } from './known-sizes.ts';
import { limitParameter, lookbackParameter, rangeParameters, timeoutParameter, timeParameter } from './parameters.ts';
import { startQueryClock } from './statistics.ts';
import { syntaxTree } from './syntax-tree.ts';
import { inTurn, type Turn } from './turn.ts';

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
  /** Whether metrics' names are taken off when a query is done; not unless given. */
  readonly delaysNameRemoval?: boolean;
  /** Why what the store answers may lack what should be in it by now, for people; undefined when it does not. */
  readonly whyBehind?: () => string | undefined;
  /** Who waits for whom; 20 at work at once, as in Prometheus, unless given. */
  readonly gate?: QueryGate;
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

/** A query that was read and can be evaluated. */
interface Asked {
  readonly grid: Grid;
  readonly evaluate: (options: EngineOptions) => Promise<QueryAnswer>;
}

interface Asking {
  readonly parameters: Parameters;
  readonly signal: AbortSignal;
  readonly limits: PrometheusLimits;
  readonly gate: QueryGate;
  readonly samples: SampleSource;
  readonly delaysNameRemoval: boolean;
  readonly sizes: KnownSizes;
  readonly whyBehind: () => string | undefined;
}

/** What takes longer of the event loop is a large query. */
const smallComputeMs = 20;
/** So are answers of more values, which take as long to write. */
const smallAnswerValues = 20_000;

function valuesOf(value: Value): number {
  if (value.kind === 'string') return 1;
  if (value.kind === 'scalar') return value.values.length;
  return value.series.reduce((sum, { values }) => sum + values.length, 0);
}

interface AskedCost extends QueryCost {
  hasAskedStore: boolean;
}

/** Evaluates where the query's turn is, and counts what it takes. */
async function evaluateInLane(
  { evaluate }: Asked,
  { lane, signal }: Turn,
  { options, cost }: { readonly options: Omit<EngineOptions, 'signal'>; readonly cost: AskedCost },
): Promise<QueryAnswer> {
  const answer = await evaluate({
    ...options,
    source: readInLane(options.source, lane),
    signal,
    onSlice(usedMs) {
      cost.computeMs = usedMs;
      return usedMs > smallComputeMs && !lane.isLarge() ? lane.enter() : undefined;
    },
    onPart(part) {
      options.onPart?.(part);
      if (part.kind === 'evaluated' || (part.kind === 'read' && part.isRecent)) return;
      cost.hasAskedStore = true;
      cost.readMs = Math.max(cost.readMs, part.tookMs);
      const series = part.kind === 'pushed' ? [...part.answer.rows, ...part.answer.unusual] : part.series;
      for (const { values } of series) cost.values += values.length;
    },
  });
  const values = valuesOf(answer.value);
  cost.values += values;
  if (values > smallAnswerValues) await lane.enter();
  return answer;
}

/** Answers a query within its deadline, when it is its turn; one that is refused need not wait for it. */
async function answerQuery(asking: Asking, read: () => Asked): Promise<Answer> {
  const { parameters, limits, gate, signal } = asking;
  try {
    const limit = limitParameter(parameters);
    const timeoutMs = timeoutParameter(parameters, limits.timeoutMs);
    const lookbackMs = lookbackParameter(parameters) ?? limits.lookbackMs;
    const asked = read();
    const { grid } = asked;
    const clock = startQueryClock();
    const key = sizeKey(parameters('query'), grid.count);
    return await inTurn({ gate, timeoutMs, signal, known: asking.sizes.of(key) }, async (turn) => {
      const cost = { values: 0, computeMs: 0, readMs: 0, hasAskedStore: false };
      const behind = asking.whyBehind();
      let isTold = true;
      try {
        clock.begin();
        const options = {
          source: asking.samples,
          lookbackMs: lookbackMs > 0 ? lookbackMs : limits.lookbackMs,
          maxPoints: limits.maxPoints,
          delaysNameRemoval: asking.delaysNameRemoval,
          onPart: clock.onPart,
        };
        const full = await evaluateInLane(asked, turn, { options, cost });
        const { value, infos, ...said } = limited(full, limit);
        // Memory has what was acknowledged.
        const isBehind = behind !== undefined && cost.hasAskedStore;
        const notes = { infos, warnings: isBehind ? [...said.warnings, behind] : said.warnings };
        const more = parameters('stats') === '' ? '' : clock.show(full.value);
        return { status: 200, body: formatAnswer({ value, grid, more, ...envelope(notes) }, signal) };
      } catch (error) {
        // What met a limit meets it again, and what waited in vain was not small.
        const failure = failureOf(error);
        const waitedInVain = error instanceof TurnRefused && error.why !== 'left';
        const isLarge = turn.lane.isLarge() || waitedInVain || failure?.kind === 'limit';
        if (isLarge) cost.values = Number.POSITIVE_INFINITY;
        // How large a query is that was ended before, its cost so far does not tell.
        else isTold = !turn.signal.aborted;
        // Whose turn came when its time was nearly over ran out of it in the queue.
        if (failure?.kind === 'timeout' && turn.lane.waitedMs() > timeoutMs / 2) {
          return answerFor(new TurnRefused('waited too long', failure.message, error));
        }
        return answerFor(error);
      } finally {
        if (isTold) asking.sizes.keep(key, cost);
      }
    });
  } catch (error) {
    return answerFor(error);
  }
}

/** The API without its routes. */
export function createPrometheusApi(options: PrometheusApiOptions): PrometheusApi {
  const { samples, limits = defaultPrometheusLimits, delaysNameRemoval = false, whyBehind = () => undefined } = options;
  const gate = options.gate ?? createSearchGate({ atOnce: 20, waiting: 1000 });
  const asking = { limits, gate, samples, delaysNameRemoval, sizes: createKnownSizes(), whyBehind };

  return {
    query: (parameters, signal) =>
      answerQuery({ ...asking, parameters, signal }, () => {
        const timeMs = timeParameter(parameters, 'time', options.now());
        const query = parsePromql(parameters('query'));
        return {
          grid: { startMs: timeMs, stepMs: 0, count: 1 },
          evaluate: (engine) => instantQuery(query, timeMs, engine),
        };
      }),
    queryRange: (parameters, signal) =>
      answerQuery({ ...asking, parameters, signal }, () => {
        const { startMs, endMs, stepMs } = rangeParameters(parameters, limits.maxPointsPerSeries);
        const grid = { startMs, stepMs, count: Math.floor((endMs - startMs) / stepMs) + 1, givenEndMs: endMs };
        const query = parsePromql(parameters('query'));
        return { grid, evaluate: (engine) => rangeQuery(query, grid, engine) };
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
