/** The body of `GET /api/trawl/topology`: rates and shares instead of counts alone, everything in a stable order. */
import type { CallStats, Topology } from '../../store/rollups/topology.ts';

/** What a node or an edge says of the requests over it. Durations are in µs, null when there was no request; they are within 2.2 %. */
export interface CallsAnswer {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly errors: number;
  /** Between 0 and 1; 0 without requests. */
  readonly errorShare: number;
  readonly p50Us: number | null;
  readonly p95Us: number | null;
  readonly p99Us: number | null;
}

export interface TopologyAnswer {
  /** The window that was counted, in whole minutes, RFC 3339. */
  readonly start: string;
  readonly end: string;
  /** By service. `requests` are those it served; `spans` all that it sent. */
  readonly nodes: readonly ({ readonly service: string; readonly spans: number } & CallsAnswer)[];
  /** By caller, then callee. */
  readonly edges: readonly ({ readonly caller: string; readonly callee: string } & CallsAnswer)[];
}

/** Turns what the store counted into the answer. The order is the topology's own. */
export function topologyAnswer({ startMs, endMs, nodes, edges }: Topology): TopologyAnswer {
  const seconds = (endMs - startMs) / 1000;
  return {
    start: new Date(startMs).toISOString(),
    end: new Date(endMs).toISOString(),
    nodes: nodes.map((node) => ({ service: node.service, spans: node.spans, ...callsOf(node, seconds) })),
    edges: edges.map((edge) => ({ caller: edge.caller, callee: edge.callee, ...callsOf(edge, seconds) })),
  };
}

const callsOf = ({ requests, errors, p50Us, p95Us, p99Us }: CallStats, seconds: number): CallsAnswer => ({
  requests,
  requestsPerSecond: seconds === 0 ? 0 : rounded(requests / seconds),
  errors,
  errorShare: requests === 0 ? 0 : rounded(errors / requests),
  p50Us: p50Us ?? null,
  p95Us: p95Us ?? null,
  p99Us: p99Us ?? null,
});

const rounded = (value: number) => Number(value.toPrecision(6));
