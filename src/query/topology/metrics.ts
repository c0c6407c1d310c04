/** The topology from Istio's metrics: asks the queries of a graph through the evaluator, and draws it. */
import { startDeadline } from '../../model/deadline.ts';
import { untilEnded } from '../failure.ts';
import { instantQuery, type SampleSource } from '../promql/engine.ts';
import { parsePromql } from '../promql/parse/parse.ts';
import type { Value } from '../promql/value.ts';
import type { SearchGate } from '../search-gate.ts';
import type { TopologyAnswer } from './answer.ts';
import { metricsAnswer } from './metrics-answer.ts';
import { defaultRates, drawGraph, type RateAnswer } from './metrics-graph.ts';
import type { GraphType } from './metrics-node.ts';
import { rateQueries } from './metrics-queries.ts';

export interface MetricsTopologyRequest {
  readonly startMs: number;
  readonly endMs: number;
  /** Names as Kubernetes allows them; undefined is the whole mesh. */
  readonly namespaces: readonly string[] | undefined;
  readonly type: GraphType;
}

export interface MetricsTopologyOptions {
  readonly samples: SampleSource;
  /** Shared with the queries of PromQL: a topology is a dozen of them. */
  readonly gate: SearchGate;
  /** For all the queries of one topology. */
  readonly timeoutMs: number;
  /** Of the values that one query holds at once. */
  readonly maxPoints: number;
}

/** How far back an instant selector would look; every selector here is of a range. */
const lookbackMs = 300_000;

function samplesOf(value: Value): RateAnswer['samples'] {
  if (value.kind !== 'vector') return [];
  return value.series.map(({ labels, values }) => ({ labels, perSecond: values[0] ?? 0 }));
}

/** Asks the queries one after the other, so that a topology takes the place of one. */
async function askQueries(
  { startMs, endMs, namespaces }: MetricsTopologyRequest,
  { samples, maxPoints }: MetricsTopologyOptions,
  signal: AbortSignal,
): Promise<readonly RateAnswer[]> {
  const answers: RateAnswer[] = [];
  for (const { metric, text } of rateQueries({ rates: defaultRates, namespaces, seconds: (endMs - startMs) / 1000 })) {
    const engine = { source: samples, signal, lookbackMs, maxPoints };
    const { value } = await instantQuery(parsePromql(text), endMs, engine);
    answers.push({ metric, samples: samplesOf(value) });
  }
  return answers;
}

/** Reads a topology over the window's last whole seconds. */
export async function readMetricsTopology(
  request: MetricsTopologyRequest,
  options: MetricsTopologyOptions,
  signal: AbortSignal,
): Promise<TopologyAnswer> {
  const { endMs, namespaces, type } = request;
  const startMs = endMs - Math.floor((endMs - request.startMs) / 1000) * 1000;
  const deadline = startDeadline(signal, options.timeoutMs);
  const ask = () => askQueries({ ...request, startMs }, options, deadline.signal);
  try {
    const answers = startMs === endMs ? [] : await untilEnded(deadline.signal, options.gate.pass(deadline.signal, ask));
    const graph = drawGraph(answers, { type, rates: defaultRates, hasServices: false });
    return metricsAnswer(graph, { startMs, endMs }, namespaces);
  } finally {
    deadline.clear();
  }
}
