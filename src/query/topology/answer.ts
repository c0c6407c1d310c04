/** The body of `GET /api/trawl/topology`, from spans or from metrics: rates and shares instead of counts alone, everything in a stable order. */
import type { CallStats, Topology } from '../../store/rollups/topology.ts';
import type { EdgeElement, NodeElement } from './metrics-elements.ts';

/** What a node or an edge says of the requests over it. Durations are in µs, null when there was no request; from spans they are within 2.2 %. */
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
  /** The window that was counted, RFC 3339: from spans in whole minutes, from metrics in whole seconds. */
  readonly start: string;
  readonly end: string;
  /** By service. */
  readonly nodes: readonly NodeAnswer[];
  /** By caller, then callee. */
  readonly edges: readonly EdgeAnswer[];
}

export interface NodeAnswer extends CallsAnswer {
  readonly service: string;
  /** All that it sent, while `requests` are those it served; null from metrics, which know of no spans. */
  readonly spans: number | null;
  /** What metrics alone say, as Kiali shows it. */
  readonly mesh?: NodeElement;
}

export interface EdgeAnswer extends CallsAnswer {
  readonly caller: string;
  readonly callee: string;
  readonly mesh?: EdgeElement;
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

/** To six digits, so that sums of binary fractions read well. */
export const rounded = (value: number) => Number(value.toPrecision(6));
