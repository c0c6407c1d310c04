/**
 * Draws the graph of a mesh from Istio's metrics, as Kiali does: reports become nodes and edges, what both proxies of a call reported counts
 * once, and a graph of services hides the workloads between them. Kiali's own tests of this are cases (`metrics-graph.test.ts`).
 */
import type { Label } from '../../model/sample.ts';
import { addService, type GraphType, type MeshNode, nodeOf } from './metrics-node.ts';
import {
  isKnown,
  isOfRequests,
  type MeshProtocol,
  type Report,
  readReport,
  type TrafficMetric,
} from './metrics-report.ts';
import { addReport, addTraffic, noTraffic, type Traffic } from './metrics-traffic.ts';

/** The answer of one query for the rates of a metric. */
export interface RateAnswer {
  readonly metric: TrafficMetric;
  readonly samples: readonly { readonly labels: readonly Label[]; readonly perSecond: number }[];
}

/** What edges are made of. What is sent goes from the caller to the called. */
export interface GraphRates {
  readonly http: 'requests' | 'none';
  readonly grpc: 'requests' | 'sent' | 'received' | 'total' | 'none';
  readonly tcp: 'sent' | 'received' | 'total' | 'none';
}

export const defaultRates: GraphRates = { http: 'requests', grpc: 'requests', tcp: 'sent' };

export interface GraphOptions {
  readonly type: GraphType;
  readonly rates: GraphRates;
  /** Whether services stand between callers and workloads; in a graph of services they always do. */
  readonly hasServices: boolean;
}

interface Ends {
  readonly source: MeshNode;
  readonly target: MeshNode;
}

export interface MeshEdge extends Ends {
  readonly traffic: Traffic;
}

export interface MeshGraph {
  readonly type: GraphType;
  readonly nodes: ReadonlyMap<string, MeshNode>;
  readonly edges: readonly MeshEdge[];
  /** Nodes that call and are not called; told before workloads are hidden. */
  readonly roots: ReadonlySet<string>;
}

const messages = { sent: 'istio_request_messages_total', received: 'istio_response_messages_total' } as const;

/** Istio's names are the server's: what it received is what the caller sent (istio#32399). */
const bytes = { sent: 'istio_tcp_received_bytes_total', received: 'istio_tcp_sent_bytes_total' } as const;

/** The metrics that a graph of such edges asks for. */
export function metricsFor({ http, grpc, tcp }: GraphRates): readonly TrafficMetric[] {
  const ofDirection = <Names extends { sent: TrafficMetric; received: TrafficMetric }>(
    names: Names,
    direction: string,
  ): readonly TrafficMetric[] =>
    direction === 'total'
      ? [names.sent, names.received]
      : direction === 'sent' || direction === 'received'
        ? [names[direction]]
        : [];
  return [
    ...(http === 'requests' || grpc === 'requests' ? ['istio_requests_total' as const] : []),
    ...ofDirection(messages, grpc),
    ...ofDirection(bytes, tcp),
  ];
}

const isAskedFor = ({ metric, protocol }: Report, { http, grpc }: GraphRates): boolean =>
  !isOfRequests(metric) || (protocol === 'grpc' ? grpc : http) === 'requests';

/** Calls that no service of the mesh takes, on their way out. */
const passthrough = 'PassthroughCluster';

interface Drawing {
  readonly type: GraphType;
  readonly nodes: Map<string, MeshNode>;
  readonly edges: Map<string, MeshEdge & { readonly counted: Set<string> }>;
}

/** The drawing's own node for one of the same id. */
function drawn({ nodes }: Drawing, node: MeshNode): MeshNode {
  const known = nodes.get(node.id) ?? node;
  nodes.set(known.id, known);
  return known;
}

const edgeKey = (source: MeshNode, target: MeshNode, protocol: MeshProtocol): string =>
  `${source.id} ${target.id} ${protocol}`;

/** Counts a report for an edge, unless the proxy at the other end said the same. */
function addToEdge(drawing: Drawing, { source, target }: Ends, { report, identity }: Identified): void {
  const key = edgeKey(source, target, report.protocol);
  const edge = drawing.edges.get(key) ?? { source, target, traffic: noTraffic(report.protocol), counted: new Set() };
  drawing.edges.set(key, edge);
  if (edge.counted.has(identity)) return;
  edge.counted.add(identity);
  addReport(edge.traffic, report);
  addService(target, report.target);
}

interface Identified {
  readonly report: Report;
  /** The same for what both ends report of the same calls. */
  readonly identity: string;
}

const identified = (report: Report): Identified => {
  const { metric, source, target, code, flags, host, withinMs } = report;
  const parties = [Object.values(source), Object.values(target)];
  return { report, identity: JSON.stringify([metric, parties, code, flags, host, String(withinMs)]) };
};

function addCall(drawing: Drawing, report: Report, hasServices: boolean): void {
  const from = nodeOf(report.source, drawing.type);
  const to = nodeOf(report.target, drawing.type);
  if (from === undefined || to === undefined) return;
  const source = drawn(drawing, from);
  const target = drawn(drawing, to);
  const call = identified(report);
  const { service } = report.target;
  const isBetween = hasServices && isKnown(service) && service !== passthrough && target.kind !== 'service';
  const asService = { ...report.target, workloadNamespace: '', workload: '', app: '', version: '' };
  const made = isBetween ? nodeOf(asService, drawing.type) : undefined;
  if (made === undefined) {
    addToEdge(drawing, { source, target }, call);
    return;
  }
  const between = drawn(drawing, made);
  between.isInjected = true;
  addToEdge(drawing, { source, target: between }, call);
  addToEdge(drawing, { source: between, target }, call);
}

function rootsOf(edges: readonly MeshEdge[]): ReadonlySet<string> {
  const called = new Set(edges.map(({ target }) => target.id));
  return new Set(edges.map(({ source }) => source.id).filter((id) => !called.has(id)));
}

/**
 * Leaves services, and the workloads that nobody calls. What a workload calls is said of each service before it, as no metric tells for which
 * of them it called.
 */
function hideWorkloads({ nodes, edges, roots, type }: MeshGraph): MeshGraph {
  const toServices = edges.filter(({ target }) => target.kind === 'service');
  const callsOf = groupBySource(toServices);
  const kept = new Map([...nodes].filter(([id, { kind }]) => kind === 'service' || roots.has(id)));
  const reduced = new Map<string, MeshEdge>();
  const add = (source: MeshNode, { target, traffic }: MeshEdge): void => {
    const key = edgeKey(source, target, traffic.protocol);
    const edge = reduced.get(key) ?? { source, target, traffic: noTraffic(traffic.protocol) };
    reduced.set(key, edge);
    addTraffic(edge.traffic, traffic);
  };
  for (const edge of toServices)
    if (edge.source.kind !== 'service' && roots.has(edge.source.id)) add(edge.source, edge);
  // A workload that is reached over two protocols still calls once.
  const behind = new Map<string, readonly [MeshNode, MeshNode]>();
  for (const { source, target } of edges) {
    if (source.kind === 'service') behind.set(`${source.id} ${target.id}`, [source, target]);
  }
  for (const [service, workload] of behind.values()) {
    for (const call of callsOf.get(workload.id) ?? []) add(service, call);
  }
  return { type, nodes: kept, edges: [...reduced.values()], roots };
}

function groupBySource(edges: readonly MeshEdge[]): ReadonlyMap<string, readonly MeshEdge[]> {
  const groups = new Map<string, MeshEdge[]>();
  for (const edge of edges) {
    const group = groups.get(edge.source.id) ?? [];
    groups.set(edge.source.id, group);
    group.push(edge);
  }
  return groups;
}

/** Draws the graph of what the answers report. Where both ends of a call report it, the first counts. */
export function drawGraph(answers: readonly RateAnswer[], { type, rates, hasServices }: GraphOptions): MeshGraph {
  const drawing: Drawing = { type, nodes: new Map(), edges: new Map() };
  const wanted = new Set<TrafficMetric>([...metricsFor(rates), 'istio_request_duration_milliseconds_bucket']);
  for (const { metric, samples } of answers) {
    if (!wanted.has(metric)) continue;
    for (const { labels, perSecond } of samples) {
      const report = readReport(metric, labels, perSecond);
      if (report !== undefined && isAskedFor(report, rates))
        addCall(drawing, report, hasServices || type === 'service');
    }
  }
  const edges = [...drawing.edges.values()];
  const graph = { type, nodes: drawing.nodes, edges, roots: rootsOf(edges) };
  return type === 'service' ? hideWorkloads(graph) : graph;
}
