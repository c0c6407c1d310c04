/** Reads nodes and edges of the mesh over a window: from the roll-ups where they have seen every span, from the spans where they have not. */
import type { StoreClient } from '../client.ts';
import { edgeRules } from './edge-sql.ts';
import { addBuckets, type Histogram, quantileUs } from './histogram.ts';
import { operationSql } from './operation-sql.ts';
import { countLiveEdges, edgeParameters, planWindow, rolledUp, rolledUpEdges } from './window.ts';

/** How often, how often in vain, and how long. A quantile is undefined when nothing was counted. */
export interface CallStats {
  readonly requests: number;
  readonly errors: number;
  readonly p50Us: number | undefined;
  readonly p95Us: number | undefined;
  readonly p99Us: number | undefined;
}

/** A service, by the lower-cased name that its spans give it; requests are those it served (SERVER and CONSUMER spans). */
export interface TopologyNode extends CallStats {
  readonly service: string;
  /** All of its spans, whatever their kind. */
  readonly spans: number;
}

export interface TopologyEdge extends CallStats {
  readonly caller: string;
  readonly callee: string;
}

export interface Topology {
  /** The window in whole minutes: the start rounded down, the end up, or earlier where its last minutes are too full to be counted afresh. */
  readonly startMs: number;
  readonly endMs: number;
  /** By name; every service that an edge names is among them. */
  readonly nodes: readonly TopologyNode[];
  /** By caller, then callee. */
  readonly edges: readonly TopologyEdge[];
}

interface Totals {
  spans: number;
  requests: number;
  errors: number;
  readonly durations: Histogram;
}

interface Graph {
  readonly nodes: Map<string, Totals>;
  readonly edges: Map<string, Totals & { readonly caller: string; readonly callee: string }>;
}

interface NodeRow {
  readonly service: string;
  readonly spans: string;
  readonly requests: string;
  readonly errors: string;
  readonly buckets: readonly number[];
  readonly counts: readonly string[];
}

interface EdgeRow {
  readonly caller: string;
  readonly callee: string;
  readonly requests: string;
  readonly errors: string;
  readonly buckets: readonly number[];
  readonly counts: readonly string[];
}

/** Kinds whose spans are requests that a service served: SERVER and CONSUMER. */
const isServed = 'kind IN (2, 4)';

/** A row's totals stand beside its first bucket, so that they are added once. */
const unfolded = (source: string) =>
  `${source}) ARRAY JOIN buckets AS bucket, counts AS n, arrayEnumerate(buckets) AS i`;

const nodesOf = (source: string) => `
  SELECT service, toString(sum(all)) AS spans, toString(sum(served)) AS requests, toString(sum(failed)) AS errors,
    groupArrayIf(bucket, timed > 0) AS buckets, groupArrayIf(toString(timed), timed > 0) AS counts
  FROM (
    SELECT lowerUTF8(service) AS service, bucket, sumIf(requests, i = 1) AS all, sumIf(requests, i = 1 AND ${isServed}) AS served,
      sumIf(errors, i = 1 AND ${isServed}) AS failed, sumIf(n, ${isServed}) AS timed
    FROM (${unfolded(source)}
    GROUP BY service, bucket
  )
  WHERE service != '' GROUP BY service`;

const edgesOf = (source: string) => `
  SELECT caller, callee, toString(sum(called)) AS requests, toString(sum(failed)) AS errors,
    groupArray(bucket) AS buckets, groupArray(toString(timed)) AS counts
  FROM (
    SELECT caller, callee, bucket, sumIf(requests, i = 1) AS called, sumIf(errors, i = 1) AS failed, sum(n) AS timed
    FROM (${unfolded(source)}
    GROUP BY caller, callee, bucket
  )
  GROUP BY caller, callee`;

export interface TopologyOptions {
  readonly startMs: number;
  readonly endMs: number;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
  /** Spans that are counted afresh at most; 3 million unless told. */
  readonly maxLiveSpans?: number;
}

/** The mesh between `startMs` and `endMs`. The answer is the same whether and when roll-ups were made. */
export async function readTopology(client: StoreClient, options: TopologyOptions): Promise<Topology> {
  const { startMs, endMs, ...rest } = options;
  const asked = { from: Math.floor(startMs / 60_000) * 60, to: Math.ceil(endMs / 60_000) * 60 };
  const plan = await planWindow(client, { range: asked, ...rest });
  const { range, upTo, query } = plan;
  const graph: Graph = { nodes: new Map(), edges: new Map() };
  const nodes = { ...query, parameters: { ...range, upTo } };
  addNodes(graph, await client.rows<NodeRow>({ ...nodes, sql: nodesOf(rolledUp('rollup_operations', plan)) }));
  const parameters = edgeParameters(plan, edgeRules.zipkin);
  addEdges(graph, await client.rows<EdgeRow>({ ...query, parameters, sql: edgesOf(rolledUpEdges(plan)) }));
  for (const { from, to: end } of plan.live) {
    const to = Math.min(end, range.to);
    if (from >= to) continue;
    addNodes(graph, await client.rows<NodeRow>({ ...query, sql: nodesOf(operationSql), parameters: { from, to } }));
  }
  for (const { caller, callee, requests, errors, durations } of await countLiveEdges(client, plan, edgeRules.zipkin)) {
    const edge = edgeIn(graph, caller, callee);
    edge.requests += requests;
    edge.errors += errors;
    addBuckets(edge.durations, [...durations.keys()], [...durations.values()]);
  }
  return { startMs: range.from * 1000, endMs: range.to * 1000, ...sorted(graph) };
}

const noTotals = (): Totals => ({ spans: 0, requests: 0, errors: 0, durations: new Map() });

function nodeIn(graph: Graph, service: string): Totals {
  let node = graph.nodes.get(service);
  if (node === undefined) {
    node = noTotals();
    graph.nodes.set(service, node);
  }
  return node;
}

function edgeIn(graph: Graph, caller: string, callee: string): Totals {
  const key = JSON.stringify([caller, callee]);
  let edge = graph.edges.get(key);
  if (edge === undefined) {
    edge = { ...noTotals(), caller, callee };
    graph.edges.set(key, edge);
  }
  return edge;
}

function addNodes(graph: Graph, rows: readonly NodeRow[]): void {
  for (const row of rows) {
    const node = nodeIn(graph, row.service);
    node.spans += Number(row.spans);
    node.requests += Number(row.requests);
    node.errors += Number(row.errors);
    addBuckets(node.durations, row.buckets, row.counts);
  }
}

function addEdges(graph: Graph, rows: readonly EdgeRow[]): void {
  for (const row of rows) {
    const edge = edgeIn(graph, row.caller, row.callee);
    edge.requests += Number(row.requests);
    edge.errors += Number(row.errors);
    addBuckets(edge.durations, row.buckets, row.counts);
  }
}

const statsOf = ({ requests, errors, durations }: Totals): CallStats => ({
  requests,
  errors,
  p50Us: quantileUs(durations, 0.5),
  p95Us: quantileUs(durations, 0.95),
  p99Us: quantileUs(durations, 0.99),
});

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function sorted(graph: Graph): Pick<Topology, 'nodes' | 'edges'> {
  // What one minute counted and a later one took off is nothing.
  for (const [key, { requests }] of graph.edges) if (requests === 0) graph.edges.delete(key);
  for (const { caller, callee } of graph.edges.values()) {
    nodeIn(graph, caller);
    nodeIn(graph, callee);
  }
  const nodes = [...graph.nodes].map(([service, totals]) => ({ service, spans: totals.spans, ...statsOf(totals) }));
  const edges = [...graph.edges.values()].map((edge) => ({
    caller: edge.caller,
    callee: edge.callee,
    ...statsOf(edge),
  }));
  return {
    nodes: nodes.sort((a, b) => byText(a.service, b.service)),
    edges: edges.sort((a, b) => byText(a.caller, b.caller) || byText(a.callee, b.callee)),
  };
}
