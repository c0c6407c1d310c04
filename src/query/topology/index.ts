/** `GET /api/trawl/topology?source&start&end`: who calls whom, how often, how well and how fast, by spans or by Istio's metrics. */
import type { Topology } from '../../store/rollups/topology.ts';
import { answerFailure, textAnswer } from '../failure.ts';
import { PromqlError } from '../promql/error.ts';
import type { QueryResponse, QueryRoute } from '../query-route.ts';
import { type TopologyAnswer, topologyAnswer } from './answer.ts';
import { type MetricsTopologyOptions, readMetricsTopology } from './metrics.ts';
import { parseMetricsParameters } from './metrics-parameters.ts';
import { parseWindow } from './window.ts';

/** What the API reads; `readTopology` of the store, bound to a client. */
export interface TopologySource {
  topology(window: { startMs: number; endMs: number }, signal: AbortSignal): Promise<Topology>;
}

export interface TopologyRouteOptions {
  readonly source: TopologySource;
  readonly metrics: MetricsTopologyOptions;
  readonly nowMs: () => number;
}

type Read =
  | { readonly kind: 'read'; read(signal: AbortSignal): Promise<TopologyAnswer> }
  | { readonly kind: 'malformed'; readonly message: string };

/** What the parameters ask for, not yet read. */
function parseRead(query: URLSearchParams, { source, metrics, nowMs }: TopologyRouteOptions): Read {
  const window = parseWindow(query, nowMs());
  if (window.kind === 'malformed') return window;
  const from = query.get('source') ?? 'spans';
  if (from === 'metrics') {
    const parameters = parseMetricsParameters(query);
    if (parameters.kind === 'malformed') return parameters;
    return { kind: 'read', read: (signal) => readMetricsTopology({ ...window, ...parameters }, metrics, signal) };
  }
  if (from !== 'spans') {
    return { kind: 'malformed', message: `source=${from.slice(0, 100)} is not known; choose spans or metrics` };
  }
  const misplaced = ['namespace', 'graph'].find((name) => query.has(name));
  if (misplaced !== undefined) {
    return { kind: 'malformed', message: `${misplaced} is for source=metrics; spans have no such part` };
  }
  return { kind: 'read', read: async (signal) => topologyAnswer(await source.topology(window, signal)) };
}

/** The topology's route. */
export function createTopologyRoute(options: TopologyRouteOptions): QueryRoute {
  return {
    method: 'GET',
    path: '/api/trawl/topology',
    async handle({ query, signal }): Promise<QueryResponse> {
      const asked = parseRead(query, options);
      if (asked.kind === 'malformed') return textAnswer(400, asked.message);
      try {
        const body = JSON.stringify(await asked.read(signal));
        return { status: 200, contentType: 'application/json', body };
      } catch (error) {
        if (error instanceof PromqlError) return textAnswer(422, error.message);
        return answerFailure(error, (failure) => textAnswer(failure.status, failure.message));
      }
    },
  };
}
