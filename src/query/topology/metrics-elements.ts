/** A graph as the elements that Kiali hands to its page: rates and shares as texts, a box around the versions of one app. */
import type { MeshEdge, MeshGraph } from './metrics-graph.ts';
import type { MeshNode, ServiceName } from './metrics-node.ts';
import { type MeshProtocol, unknown } from './metrics-report.ts';
import { addRates, noRates, type Rates, type ResponseDetail, type Traffic } from './metrics-traffic.ts';

export interface TrafficElement {
  readonly protocol: MeshProtocol;
  /** By Kiali's names, such as `httpIn5xx`; per second, but for percentages. Zeros are left out. */
  readonly rates: Readonly<Record<string, string>>;
}

/** What is not so is left out. */
export interface NodeElement {
  readonly id: string;
  readonly nodeType: 'app' | 'workload' | 'service' | 'unknown' | 'box';
  readonly cluster: string;
  readonly namespace: string;
  readonly app?: string;
  readonly version?: string;
  readonly workload?: string;
  readonly service?: string;
  /** The box that it is in. */
  readonly parent?: string;
  readonly isBox?: 'app';
  readonly isRoot?: true;
  readonly isInjected?: true;
  /** In none of the namespaces that were asked for. */
  readonly isOutside?: true;
  /** There is nothing to be looked at. */
  readonly isInaccessible?: true;
  readonly traffic: readonly TrafficElement[];
  readonly destServices?: readonly ServiceName[];
}

export interface EdgeElement {
  readonly source: string;
  readonly target: string;
  readonly traffic: TrafficElement & {
    /** The share of each code's flags and hosts in all that went over the edge, in percent. */
    readonly responses: Readonly<Record<string, { flags?: Record<string, string>; hosts?: Record<string, string> }>>;
  };
}

export interface GraphElements {
  readonly nodes: readonly NodeElement[];
  readonly edges: readonly EdgeElement[];
}

/** What whoever asked may see; everything unless said. */
export interface View {
  /** The namespaces that were asked for. */
  readonly namespaces?: readonly string[];
  /** Further namespaces that may be looked at. */
  readonly accessible?: readonly string[];
}

/** In and out of one node over one protocol. */
interface NodeTraffic {
  readonly protocol: MeshProtocol;
  readonly into: Rates;
  out: number;
}

const protocols: readonly MeshProtocol[] = ['grpc', 'http', 'tcp'];

/** What goes in and out of each node, by node and protocol in Kiali's order. */
export function nodeTraffic({ edges }: MeshGraph): ReadonlyMap<string, readonly NodeTraffic[]> {
  const sums = new Map<string, NodeTraffic>();
  const of = (id: string, protocol: MeshProtocol): NodeTraffic => {
    const key = `${id} ${protocol}`;
    const sum = sums.get(key) ?? { protocol, into: noRates(), out: 0 };
    sums.set(key, sum);
    return sum;
  };
  const ids = new Set<string>();
  for (const { source, target, traffic } of edges) {
    ids.add(source.id).add(target.id);
    of(source.id, traffic.protocol).out += traffic.total;
    addRates(of(target.id, traffic.protocol).into, traffic);
  }
  return new Map([...ids].map((id) => [id, protocols.flatMap((protocol) => sums.get(`${id} ${protocol}`) ?? [])]));
}

/** At least so many digits behind the point, and enough for one that is not zero, up to five. */
function rateText(value: number): string {
  const digits = value >= 1 ? 0 : Math.ceil(-Math.log10(value));
  return value.toFixed(Math.max(2, Math.min(digits, 5)));
}

const texts = (rates: Readonly<Record<string, number>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(rates).flatMap(([name, value]) =>
      value > 0 ? [[name, name.includes('Percent') ? value.toFixed(1) : rateText(value)]] : [],
    ),
  );

/** The rates of a protocol by Kiali's names; `prefix` is `httpIn` for what goes into a node and `http` for an edge. */
function namedRates(protocol: MeshProtocol, prefix: string, rates: Rates): Record<string, number> {
  const { total, http3xx, http4xx, http5xx, grpcErrors, noResponse } = rates;
  switch (protocol) {
    case 'tcp':
      return { [prefix]: total };
    case 'grpc':
      return { [prefix]: total, [`${prefix}Err`]: grpcErrors, [`${prefix}NoResponse`]: noResponse };
    case 'http':
      return {
        [prefix]: total,
        [`${prefix}3xx`]: http3xx,
        [`${prefix}4xx`]: http4xx,
        [`${prefix}5xx`]: http5xx,
        [`${prefix}NoResponse`]: noResponse,
      };
  }
}

function trafficElements(traffic: readonly NodeTraffic[]): readonly TrafficElement[] {
  return traffic.flatMap(({ protocol, into, out }) => {
    const rates = texts({ ...namedRates(protocol, `${protocol}In`, into), [`${protocol}Out`]: out });
    return Object.keys(rates).length === 0 ? [] : [{ protocol, rates }];
  });
}

/** Clusters that take what the mesh does not know; nobody can look into them. */
const egressClusters: ReadonlySet<string> = new Set(['PassthroughCluster', 'BlackHoleCluster']);

function standing(
  { kind, namespace, service }: MeshNode,
  view: View,
): Pick<NodeElement, 'isOutside' | 'isInaccessible'> {
  const isNowhere =
    kind === 'unknown' || (kind === 'service' && (namespace === unknown || egressClusters.has(service)));
  if (isNowhere) return { isInaccessible: true };
  const { namespaces, accessible } = view;
  if (namespaces === undefined || namespace === unknown || namespaces.includes(namespace)) return {};
  return accessible === undefined || accessible.includes(namespace)
    ? { isOutside: true }
    : { isOutside: true, isInaccessible: true };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const byName = (a: ServiceName, b: ServiceName): number =>
  compare(a.cluster, b.cluster) || compare(a.namespace, b.namespace) || compare(a.name, b.name);

const given = <Name extends string>(name: Name, value: string) => (value === '' ? {} : { [name]: value });

function nodeElement(node: MeshNode, graph: MeshGraph, more: Pick<NodeElement, 'traffic'> & View): NodeElement {
  const { id, kind, cluster, namespace, app, version, workload, service, services, isInjected } = node;
  const { traffic, ...view } = more;
  return {
    id,
    nodeType: kind,
    cluster,
    namespace,
    ...given('app', app),
    ...given('version', version),
    ...given('workload', workload),
    ...given('service', service),
    ...standing(node, view),
    ...(graph.roots.has(id) ? { isRoot: true } : {}),
    ...(isInjected ? { isInjected: true } : {}),
    traffic,
    ...(services.size > 0 ? { destServices: [...services.values()].sort(byName) } : {}),
  };
}

const sharesOf = (sums: ReadonlyMap<string, number>, total: number): Record<string, string> =>
  Object.fromEntries([...sums].map(([name, value]) => [name, ((value / total) * 100).toFixed(1)]));

const responsesOf = ({ responses, total }: Traffic): EdgeElement['traffic']['responses'] => {
  const part = (name: 'flags' | 'hosts', detail: ResponseDetail) =>
    detail[name].size === 0 ? {} : { [name]: sharesOf(detail[name], total) };
  return Object.fromEntries(
    [...responses].map(([code, detail]) => [code, { ...part('flags', detail), ...part('hosts', detail) }]),
  );
};

/** The rates of an edge; the share of its requests is one of all that its source sends over the protocol. */
function edgeElement({ source, target, traffic }: MeshEdge, out: number): EdgeElement {
  const { protocol, total, http4xx, http5xx, grpcErrors, noResponse } = traffic;
  const errors = http4xx + http5xx + grpcErrors + noResponse;
  const shares =
    protocol === 'tcp' || total === 0
      ? {}
      : { [`${protocol}PercentErr`]: (errors / total) * 100, [`${protocol}PercentReq`]: (total / out) * 100 };
  return {
    source: source.id,
    target: target.id,
    traffic: {
      protocol,
      rates: texts({ ...namedRates(protocol, protocol, traffic), ...shares }),
      responses: responsesOf(traffic),
    },
  };
}

/** Puts the nodes of one app into a box, where it has more than one. */
function boxed(nodes: readonly NodeElement[]): readonly NodeElement[] {
  const groups = new Map<string, NodeElement[]>();
  const keyOf = ({ cluster, namespace, app = '' }: NodeElement): string =>
    app === '' || app === unknown ? '' : ['box', cluster, namespace, app].map(encodeURIComponent).join('/');
  for (const node of nodes) {
    const key = keyOf(node);
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    if (key !== '') group.push(node);
  }
  const isBox = (key: string): boolean => (groups.get(key)?.length ?? 0) > 1;
  const boxes = [...groups].flatMap(([id, members]): readonly NodeElement[] => {
    const [first] = members;
    if (first === undefined || !isBox(id)) return [];
    const { cluster, namespace, app = '' } = first;
    return [
      {
        ...{ id, nodeType: 'box', cluster, namespace, app, isBox: 'app', traffic: [] },
        ...(members.some(({ isOutside }) => isOutside) ? { isOutside: true } : {}),
        ...(members.some(({ isInaccessible }) => isInaccessible) ? { isInaccessible: true } : {}),
      },
    ];
  });
  return [...boxes, ...nodes.map((node) => (isBox(keyOf(node)) ? { ...node, parent: keyOf(node) } : node))];
}

const inOrder = (a: NodeElement, b: NodeElement): number =>
  compare(a.isBox ?? '~', b.isBox ?? '~') ||
  compare(a.cluster, b.cluster) ||
  compare(a.namespace, b.namespace) ||
  compare(a.id, b.id);

/** The elements of a graph, in a stable order, boxes before what is in them. */
export function graphElements(graph: MeshGraph, view: View = {}): GraphElements {
  const traffic = nodeTraffic(graph);
  const outOf = (id: string, protocol: MeshProtocol): number =>
    traffic.get(id)?.find((each) => each.protocol === protocol)?.out ?? 0;
  const nodes = [...graph.nodes.values()].map((node) =>
    nodeElement(node, graph, { ...view, traffic: trafficElements(traffic.get(node.id) ?? []) }),
  );
  const isByApp = graph.type === 'app' || graph.type === 'versionedApp';
  const edges = graph.edges.map((edge) => edgeElement(edge, outOf(edge.source.id, edge.traffic.protocol)));
  return {
    nodes: [...(isByApp ? boxed(nodes) : nodes)].sort(inOrder),
    edges: edges.sort(
      (a, b) =>
        compare(a.source, b.source) || compare(a.target, b.target) || compare(a.traffic.protocol, b.traffic.protocol),
    ),
  };
}
