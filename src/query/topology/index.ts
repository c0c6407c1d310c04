/** `GET /api/trawl/topology?start&end`: who calls whom, how often, how well and how fast. */
import type { Topology } from '../../store/rollups/topology.ts';
import { answerFailure, textAnswer } from '../failure.ts';
import type { QueryResponse, QueryRoute } from '../query-route.ts';
import { topologyAnswer } from './answer.ts';
import { parseWindow } from './window.ts';

/** What the API reads; `readTopology` of the store, bound to a client. */
export interface TopologySource {
  topology(window: { startMs: number; endMs: number }, signal: AbortSignal): Promise<Topology>;
}

/** The topology's route. */
export function createTopologyRoute(options: { source: TopologySource; nowMs: () => number }): QueryRoute {
  return {
    method: 'GET',
    path: '/api/trawl/topology',
    async handle({ query, signal }): Promise<QueryResponse> {
      const window = parseWindow(query, options.nowMs());
      if (window.kind === 'malformed') return textAnswer(400, window.message);
      try {
        const body = JSON.stringify(topologyAnswer(await options.source.topology(window, signal)));
        return { status: 200, contentType: 'application/json', body };
      } catch (error) {
        return answerFailure(error, (failure) => textAnswer(failure.status, failure.message));
      }
    },
  };
}
