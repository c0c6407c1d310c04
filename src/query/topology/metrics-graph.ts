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
  type Party,
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

/** Calls between two parties over one protocol, and what of them is counted already. */
interface Calls {
  /** One edge, or two with the service between them; none where a party is nothing that could be drawn. */
  readonly edges: readonly MeshEdge[];
  readonly counted: Set<string>;
}

interface Drawing {
  readonly type: GraphType;
  readonly hasServices: boolean;
  readonly nodes: Map<string, MeshNode>;
  readonly edges: Map<string, MeshEdge>;
  readonly calls: Map<string, Calls>;
}

/** The drawing's own node for one of the same id. */
function drawn({ nodes }: Drawing, node: MeshNode): MeshNode {
  const known = nodes.get(node.id) ?? node;
  nodes.set(known.id, known);
  return known;
}

const edgeKey = ({ source, target }: Ends, protocol: MeshProtocol): string => `${source.id} ${target.id} ${protocol}`;

function edgeOf({ edges }: Drawing, ends: Ends, protocol: MeshProtocol): MeshEdge {
  const key = edgeKey(ends, protocol);
  const edge = edges.get(key) ?? { ...ends, traffic: noTraffic(protocol) };
  edges.set(key, edge);
  return edge;
}

/** Draws the nodes and edges of a call. */
function drawCall(drawing: Drawing, { source: caller, target: called, protocol }: Report): readonly MeshEdge[] {
  const from = nodeOf(caller, drawing.type);
  const to = nodeOf(called, drawing.type);
  if (from === undefined || to === undefined) return [];
  const source = drawn(drawing, from);
  const target = drawn(drawing, to);
  addService(target, called);
  const { service } = called;
  const isBetween = drawing.hasServices && isKnown(service) && service !== passthrough && target.kind !== 'service';
  const asService = { ...called, workloadNamespace: '', workload: '', app: '', version: '' };
  const made = isBetween ? nodeOf(asService, drawing.type) : undefined;
  if (made === undefined) return [edgeOf(drawing, { source, target }, protocol)];
  const between = drawn(drawing, made);
  between.isInjected = true;
  addService(between, called);
  return [
    edgeOf(drawing, { source, target: between }, protocol),
    edgeOf(drawing, { source: between, target }, protocol),
  ];
}

const partyKey = ({ cluster, serviceNamespace, service, workloadNamespace, workload, app, version }: Party): string =>
  [cluster, serviceNamespace, service, workloadNamespace, workload, app, version].join('\0');

/** Counts a report, unless the proxy at the other end said the same. */
function addCall(drawing: Drawing, report: Report): void {
  const { metric, protocol, source, target, code, flags, host, withinMs } = report;
  const key = `${protocol}\0${partyKey(source)}\0${partyKey(target)}`;
  const calls = drawing.calls.get(key) ?? { edges: drawCall(drawing, report), counted: new Set() };
  drawing.calls.set(key, calls);
  const identity = `${metric}\0${code}\0${flags}\0${host}\0${withinMs}`;
  if (calls.counted.has(identity)) return;
  calls.counted.add(identity);
  for (const { traffic } of calls.edges) addReport(traffic, report);
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
    const key = edgeKey({ source, target }, traffic.protocol);
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
  const drawing: Drawing = {
    type,
    hasServices: hasServices || type === 'service',
    nodes: new Map(),
    edges: new Map(),
    calls: new Map(),
  };
  const wanted = new Set<TrafficMetric>([...metricsFor(rates), 'istio_request_duration_milliseconds_bucket']);
  for (const { metric, samples } of answers) {
    if (!wanted.has(metric)) continue;
    for (const { labels, perSecond } of samples) {
      const report = readReport(metric, labels, perSecond);
      if (report !== undefined && isAskedFor(report, rates)) addCall(drawing, report);
    }
  }
  const edges = [...drawing.edges.values()];
  const graph = { type, nodes: drawing.nodes, edges, roots: rootsOf(edges) };
  return type === 'service' ? hideWorkloads(graph) : graph;
}
