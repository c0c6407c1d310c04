/**
 * Kiali's own tests of its graph: what Prometheus answered, and the nodes and edges that are drawn. The directory is CONFORMANCE_DIR; where it
 * is missing the cases are skipped with a message.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { graphElements, type NodeElement } from './metrics-elements.ts';
import { defaultRates, drawGraph, type GraphRates, metricsFor, type RateAnswer } from './metrics-graph.ts';
import { type GraphType, graphTypes } from './metrics-node.ts';
import { trafficMetrics } from './metrics-report.ts';

interface Input {
  readonly query: string;
  readonly samples: readonly { readonly metric: Record<string, string>; readonly value: number }[];
}

interface Case {
  readonly id: string;
  readonly url: string;
  readonly graphType: string;
  readonly inputs: readonly Input[];
  readonly expect: {
    readonly nodes: readonly (Record<string, unknown> & { readonly key: string })[];
    readonly edges: readonly { readonly source: string; readonly target: string; readonly traffic: object }[];
  };
}

const path = resolve(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', 'mesh/kiali-graph-cases.json');
const isThere = existsSync(path);
const cases: readonly Case[] = isThere ? JSON.parse(readFileSync(path, 'utf8')).cases : [];

const metricOf = ({ query }: Input) => trafficMetrics.find((metric) => query.includes(`(${metric}{`));

/**
 * The inputs of a case. Four cases were written down without the bytes that they draw: those stand in the case that has the same answers and
 * these bytes besides.
 */
function inputsOf(test: Case, rates: GraphRates): readonly Input[] {
  const hasAll = ({ inputs }: Case): boolean =>
    metricsFor(rates).every((metric) => inputs.some((input) => metricOf(input) === metric));
  if (hasAll(test)) return test.inputs;
  const fuller = cases.find(
    (other) =>
      hasAll(other) && test.inputs.every((input) => other.inputs.some((theirs) => isDeepStrictEqual(input, theirs))),
  );
  return (fuller ?? test).inputs;
}

function oneOf<T extends string>(values: readonly T[], value: string | null, otherwise: T): T {
  return values.find((each) => each === value) ?? otherwise;
}

const ratesOf = (query: URLSearchParams): GraphRates => ({
  http: oneOf(['requests', 'none'], query.get('rateHttp'), defaultRates.http),
  grpc: oneOf(['requests', 'sent', 'received', 'total', 'none'], query.get('rateGrpc'), defaultRates.grpc),
  tcp: oneOf(['sent', 'received', 'total', 'none'], query.get('rateTcp'), defaultRates.tcp),
});

/** What the cases name a node by. */
function keyOf(node: NodeElement): string {
  const { nodeType, cluster, namespace, app = '', version = '', workload = '', service = '' } = node;
  const parts: Readonly<Record<NodeElement['nodeType'], readonly string[]>> = {
    app: [app, version],
    workload: [workload, version],
    service: [service],
    unknown: ['unknown'],
    box: [`app:${app}`],
  };
  return [nodeType, cluster, namespace, ...parts[nodeType].filter((part) => part !== '')].join('/');
}

const byKey = <T>(keyed: readonly (readonly [string, T])[]): Record<string, T> =>
  Object.fromEntries([...keyed].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Kiali's other namespaces were not to be looked at in its tests, but for this one's gateway. */
const accessible: Readonly<Record<string, readonly string[]>> = { TestMultiClusterSourceGraph: ['istio-system'] };

function drawn(test: Case) {
  const url = new URL(test.url, 'http://kiali');
  const rates = ratesOf(url.searchParams);
  const answers = inputsOf(test, rates).flatMap((input): readonly RateAnswer[] => {
    const metric = metricOf(input);
    const samples = input.samples.map((each) => ({ labels: Object.entries(each.metric), perSecond: each.value }));
    return metric === undefined ? [] : [{ metric, samples }];
  });
  const type: GraphType = oneOf(graphTypes, test.graphType, 'app');
  const hasServices = url.searchParams.get('injectServiceNodes') === 'true';
  const ofPath = /^\/api\/namespaces\/(\w+)\/\w+\//.exec(url.pathname)?.[1];
  const namespaces = ofPath === undefined ? (url.searchParams.get('namespaces') ?? '').split(',') : [ofPath];
  return graphElements(drawGraph(answers, { type, rates, hasServices }), {
    namespaces,
    accessible: accessible[test.id] ?? [],
  });
}

describe.skipIf(!isThere)(`graphs that Kiali draws (${isThere ? path : `skipped: no ${path}`})`, () => {
  it.each(cases.map((test) => [test.id, test.url, test] as const))('%s %s', (_, __, test) => {
    const { nodes, edges } = drawn(test);
    const keys = new Map(nodes.map((node) => [node.id, keyOf(node)]));
    const key = (id: string) => keys.get(id) ?? id;
    expect(
      byKey(
        nodes.map(({ id, parent, ...node }) => [
          key(id),
          { key: key(id), ...node, ...(parent === undefined ? {} : { parent: key(parent) }) },
        ]),
      ),
    ).toEqual(byKey(test.expect.nodes.map((node) => [node.key, node])));
    const edgeKey = (source: string, target: string, { protocol }: { protocol?: string }) =>
      `${source} ${protocol} ${target}`;
    expect(
      byKey(edges.map(({ source, target, traffic }) => [edgeKey(key(source), key(target), traffic), traffic])),
    ).toEqual(
      byKey(test.expect.edges.map(({ source, target, traffic }) => [edgeKey(source, target, traffic), traffic])),
    );
    expect(nodes).toHaveLength(test.expect.nodes.length);
    expect(edges).toHaveLength(test.expect.edges.length);
  });
});
