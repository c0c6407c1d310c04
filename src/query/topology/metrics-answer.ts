/** A graph of Istio's metrics in the shape of the topology's answer, each node and edge with what Kiali would show of it. */
import { bucketQuantile } from '../promql/evaluate/histogram.ts';
import { type CallsAnswer, rounded, type TopologyAnswer } from './answer.ts';
import { graphElements, nodeTraffic } from './metrics-elements.ts';
import type { MeshGraph } from './metrics-graph.ts';
import type { MeshNode } from './metrics-node.ts';
import { unknown } from './metrics-report.ts';
import { addBuckets, addRates, noRates, type Rates } from './metrics-traffic.ts';

/** `app.namespace`, as Istio's proxies name themselves in spans too. */
function nameOf({ kind, namespace, app, version, workload, service }: MeshNode): string {
  if (kind === 'unknown') return unknown;
  const name = kind === 'service' ? service : workload === '' ? [app, version].filter(Boolean).join('-') : workload;
  return namespace === unknown || namespace === '' ? name : `${name}.${namespace}`;
}

/** A quantile in µs; null without requests. */
function quantileUs(quantile: number, buckets: ReadonlyMap<number, number>): number | null {
  const sorted = [...buckets].map(([bound, count]) => ({ bound, count })).sort((a, b) => a.bound - b.bound);
  const { value } = bucketQuantile(quantile, sorted);
  return Number.isFinite(value) ? rounded(value * 1000) : null;
}

interface Calls {
  readonly rates: Rates;
  readonly buckets: Map<number, number>;
}

/** Errors are those of the server, as in spans: a 4xx is the caller's. */
function callsAnswer({ rates, buckets }: Calls, seconds: number): CallsAnswer {
  const { total, http5xx, grpcErrors, noResponse } = rates;
  const failed = http5xx + grpcErrors + noResponse;
  return {
    requests: Math.round(total * seconds),
    requestsPerSecond: rounded(total),
    errors: Math.round(failed * seconds),
    errorShare: total === 0 ? 0 : rounded(failed / total),
    p50Us: quantileUs(0.5, buckets),
    p95Us: quantileUs(0.95, buckets),
    p99Us: quantileUs(0.99, buckets),
  };
}

const noCalls = (): Calls => ({ rates: noRates(), buckets: new Map() });

/** The requests that each node served. */
function servedBy(graph: MeshGraph): ReadonlyMap<string, Calls> {
  const served = new Map<string, Calls>();
  for (const [id, traffic] of nodeTraffic(graph)) {
    const calls = noCalls();
    for (const { protocol, into } of traffic) if (protocol !== 'tcp') addRates(calls.rates, into);
    served.set(id, calls);
  }
  for (const { target, traffic } of graph.edges) {
    const calls = served.get(target.id);
    if (calls !== undefined) addBuckets(calls.buckets, traffic.buckets);
  }
  return served;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Turns a graph of requests into the topology's answer. Boxes are no nodes of it; `parent` says which of them belong together. */
export function metricsAnswer(
  graph: MeshGraph,
  window: { readonly startMs: number; readonly endMs: number },
  namespaces?: readonly string[],
): TopologyAnswer {
  const seconds = (window.endMs - window.startMs) / 1000;
  const elements = graphElements(graph, namespaces === undefined ? {} : { namespaces });
  const served = servedBy(graph);
  const names = new Map([...graph.nodes].map(([id, node]) => [id, nameOf(node)]));
  const traffic = new Map(
    graph.edges.map((edge) => [edgeKey(edge.source.id, edge.target.id, edge.traffic), edge.traffic]),
  );
  return {
    start: new Date(window.startMs).toISOString(),
    end: new Date(window.endMs).toISOString(),
    nodes: elements.nodes
      .filter(({ nodeType }) => nodeType !== 'box')
      .map((mesh) => ({
        service: names.get(mesh.id) ?? mesh.id,
        spans: null,
        ...callsAnswer(served.get(mesh.id) ?? noCalls(), seconds),
        mesh,
      }))
      .sort((a, b) => compare(a.service, b.service) || compare(a.mesh.id, b.mesh.id)),
    edges: elements.edges
      .map((mesh) => {
        const found = traffic.get(edgeKey(mesh.source, mesh.target, mesh.traffic));
        const isOfRequests = found !== undefined && found.protocol !== 'tcp';
        return {
          caller: names.get(mesh.source) ?? mesh.source,
          callee: names.get(mesh.target) ?? mesh.target,
          ...callsAnswer(isOfRequests ? { rates: found, buckets: found.buckets } : noCalls(), seconds),
          mesh,
        };
      })
      .sort(
        (a, b) =>
          compare(a.caller, b.caller) ||
          compare(a.callee, b.callee) ||
          compare(a.mesh.source, b.mesh.source) ||
          compare(a.mesh.target, b.mesh.target) ||
          compare(a.mesh.traffic.protocol, b.mesh.traffic.protocol),
      ),
  };
}

const edgeKey = (source: string, target: string, { protocol }: { readonly protocol: string }): string =>
  `${source} ${target} ${protocol}`;
