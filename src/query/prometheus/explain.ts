/** `GET /api/trawl/promql/explain`: answers a query and tells, in place of its value, how that was done. */
import type { Parameters } from '../parameters.ts';
import { type Expression, unwrap } from '../promql/ast.ts';
import { instantQuery, type QueryPart, rangeQuery, type SampleSource } from '../promql/engine.ts';
import { readInLane } from '../promql/lane-source.ts';
import { parsePromql } from '../promql/parse/parse.ts';
import { print } from '../promql/print.ts';
import type { Grid } from '../promql/value.ts';
import type { QueryRoute } from '../query-route.ts';
import { createSearchGate } from '../search-gate.ts';
import { answerFor } from './answer.ts';
import { defaultPrometheusLimits, type PrometheusApiOptions } from './index.ts';
import { durationParameter, rangeParameters, timeParameter } from './parameters.ts';
import { getRoute } from './routes.ts';
import { inTurn } from './turn.ts';

/** One part of a plan. */
export interface PlanPart {
  readonly expression: string;
  /** Who computes it: the store's engine, or the agent from the parts below it. */
  readonly by: 'engine' | 'agent';
  readonly how: string;
  /** Series that came from the store, null where nothing was asked of it. */
  readonly series: number | null;
  /** Those among them whose samples had to be read, since the engine does not answer for them as Prometheus does. */
  readonly leftToAgent: number | null;
  /** Samples, or points of the grid, that came from the store. */
  readonly values: number | null;
  /** Rows that the engine went through. */
  readonly rowsRead: number | null;
  readonly tookMs: number | null;
  readonly parts: readonly PlanPart[];
}

type Known = Pick<PlanPart, 'by' | 'how'> & Partial<PlanPart>;

const ofAgent = (how: string): Known => ({ by: 'agent', how });

function part(expression: Expression, known: Known, parts: readonly PlanPart[] = []): PlanPart {
  const nothing = { series: null, leftToAgent: null, values: null, rowsRead: null, tookMs: null };
  return { expression: print(expression), ...nothing, ...known, parts };
}

const round = (timeMs: number): number => Number(timeMs.toFixed(2));
const countPresent = (isPresent: Uint8Array): number => isPresent.reduce((sum, one) => sum + one, 0);

interface Explaining {
  readonly parts: readonly QueryPart[];
  readonly rowsOf: ReadonlyMap<QueryPart, number>;
}

function pushedPart(expression: Expression, { parts, rowsOf }: Explaining): Known | undefined {
  for (const one of parts) {
    if (one.kind !== 'pushed' || one.pushable.node !== expression) continue;
    const { rows, unusual } = one.answer;
    const { engine, why } = one.pushable.function;
    return {
      by: 'engine',
      how: `timeSeries${engine}ToGrid: ${why}`,
      series: rows.length + unusual.length,
      leftToAgent: unusual.length,
      values:
        rows.reduce((sum, { isPresent }) => sum + countPresent(isPresent), 0) +
        unusual.reduce((sum, { values }) => sum + values.length, 0),
      rowsRead: rowsOf.get(one) ?? null,
      tookMs: round(one.tookMs),
    };
  }
  return undefined;
}

function readPart(expression: Expression, { parts, rowsOf }: Explaining): Known {
  const selector = expression.kind === 'matrix_selector' ? expression.selector : expression;
  for (const one of parts) {
    if (one.kind !== 'read' || !one.read.selectors.some((each) => each === selector)) continue;
    return {
      ...ofAgent(one.isRecent ? 'from the samples, which are in memory' : 'from the samples, which are read'),
      series: one.series.length,
      values: one.series.reduce((sum, { values }) => sum + values.length, 0),
      rowsRead: rowsOf.get(one) ?? null,
      tookMs: round(one.tookMs),
    };
  }
  return ofAgent('from samples that are read for another part');
}

function explain(expression: Expression, explaining: Explaining): PlanPart {
  const inner = unwrap(expression);
  const pushed = pushedPart(inner, explaining);
  if (pushed !== undefined) return part(inner, pushed);
  const below = (...expressions: readonly (Expression | undefined)[]): PlanPart[] =>
    expressions.flatMap((each) => (each === undefined || isLiteral(each) ? [] : [explain(each, explaining)]));
  switch (inner.kind) {
    case 'number':
    case 'string':
      return part(inner, ofAgent('as it stands'));
    case 'vector_selector':
    case 'matrix_selector':
      return part(inner, readPart(inner, explaining));
    case 'subquery':
      return part(inner, ofAgent('at each step of the subquery'), below(inner.inner));
    case 'call':
      return part(inner, ofAgent(`the function ${inner.function}`), below(...inner.arguments));
    case 'aggregation':
      return part(inner, ofAgent(`the aggregation ${inner.op}`), below(inner.parameter, inner.inner));
    case 'binary':
      return part(inner, ofAgent(`the operator ${inner.op}`), below(inner.left, inner.right));
    case 'unary':
      return part(inner, ofAgent(`the sign ${inner.op}`), below(inner.inner));
  }
}

const isLiteral = (expression: Expression): boolean => ['number', 'string'].includes(unwrap(expression).kind);

/** Asks how many rows each read went through. */
async function estimateAll(
  parts: readonly QueryPart[],
  source: SampleSource,
  signal: AbortSignal,
): Promise<ReadonlyMap<QueryPart, number>> {
  const rowsOf = new Map<QueryPart, number>();
  for (const one of parts) {
    if (source.estimate === undefined || one.kind === 'evaluated') continue;
    if (one.kind === 'read') {
      if (one.isRecent) continue;
      rowsOf.set(one, await source.estimate(one.read.selection, signal));
      continue;
    }
    const { matchers, startMs, stepMs, count, rangeMs } = one.pushable.selection;
    const window = { matchers, afterMs: startMs - rangeMs, untilMs: startMs + (count - 1) * stepMs };
    rowsOf.set(one, await source.estimate(window, signal));
  }
  return rowsOf;
}

interface Times {
  readonly grid: Grid;
  readonly isRange: boolean;
}

/** A range where there is a `start`, otherwise one moment. */
function timesOf(parameters: Parameters, { now, limits = defaultPrometheusLimits }: PrometheusApiOptions): Times {
  if (parameters('start') === '') {
    const timeMs = timeParameter(parameters, 'time', now());
    return { grid: { startMs: timeMs, stepMs: 0, count: 1 }, isRange: false };
  }
  const { startMs, endMs, stepMs } = rangeParameters(parameters, limits.maxPointsPerSeries);
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  return { grid: { startMs, stepMs, count, givenEndMs: endMs }, isRange: true };
}

/** The route of plans. */
export function createExplainRoute(options: PrometheusApiOptions): QueryRoute {
  const { samples, limits = defaultPrometheusLimits, delaysNameRemoval = false } = options;
  const gate = options.gate ?? createSearchGate({ atOnce: 2, waiting: 20 });
  return getRoute('/api/trawl/promql/explain', (parameters, { signal }) => {
    const { grid, isRange } = timesOf(parameters, options);
    const lookbackMs = durationParameter(parameters, 'lookback_delta') ?? 0;
    const query = parsePromql(parameters('query'));
    return inTurn({ gate, timeoutMs: limits.timeoutMs, signal }, async ({ signal: deadline, lane }) => {
      const parts: QueryPart[] = [];
      const engine = {
        source: readInLane(samples, lane),
        signal: deadline,
        onSlice: () => (lane.isLarge() ? undefined : lane.enter()),
        lookbackMs: lookbackMs > 0 ? lookbackMs : limits.lookbackMs,
        maxPoints: limits.maxPoints,
        delaysNameRemoval,
        onPart: (one: QueryPart) => parts.push(one),
      };
      const startedMs = performance.now();
      try {
        const { value } = isRange
          ? await rangeQuery(query, grid, engine)
          : await instantQuery(query, grid.startMs, engine);
        const tookMs = round(performance.now() - startedMs);
        const evaluated = parts.find(({ kind }) => kind === 'evaluated');
        const rowsOf = await estimateAll(parts, samples, deadline);
        const body = {
          query: print(query.expression),
          points: grid.count,
          series: 'series' in value ? value.series.length : null,
          tookMs,
          evaluationMs: evaluated === undefined ? null : round(evaluated.tookMs),
          plan: explain(query.expression, { parts, rowsOf }),
        };
        return { status: 200, body: JSON.stringify(body) };
      } catch (error) {
        return answerFor(error);
      }
    });
  });
}
