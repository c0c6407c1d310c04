/** Which node of a graph one end of a call is. */
import { isKnown, type Party, unknown } from './metrics-report.ts';

export const graphTypes = ['app', 'versionedApp', 'workload', 'service'] as const;

/** What nodes stand for. `service` hides the workloads behind their services. */
export type GraphType = (typeof graphTypes)[number];

export type NodeKind = 'app' | 'workload' | 'service' | 'unknown';

export interface ServiceName {
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
}

/** A node, with what its kind has: the rest is ''. */
export interface MeshNode {
  readonly id: string;
  readonly kind: NodeKind;
  readonly cluster: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly workload: string;
  readonly service: string;
  /** The services that it was called by, by their key. */
  readonly services: Map<string, ServiceName>;
  /** Whether it stands between callers and workloads because services were asked for. */
  isInjected: boolean;
}

const idOf = (...parts: readonly string[]): string => parts.map(encodeURIComponent).join('/');

type Identity = readonly [kind: NodeKind, id: string];

/** Kiali's rules: a source without any identity, a target without any, then what the graph's type puts first (reference: mesh, 5.1). */
function identityOf(party: Party, namespace: string, type: GraphType): Identity | undefined {
  const { cluster, service, workload, app, version } = party;
  if (workload === unknown && app === unknown) {
    if (service === '' && namespace === unknown) return ['unknown', idOf('unknown', cluster)];
    if (service === unknown) return ['service', idOf('service', cluster, namespace, service)];
  }
  const isByApp = type === 'app' || type === 'versionedApp';
  if (isByApp && isKnown(app)) {
    // Labels go wrong more easily than the names of workloads, so a version is told by its workload.
    if (type === 'versionedApp' && isKnown(workload)) return ['app', idOf('version', cluster, namespace, workload)];
    if (type === 'versionedApp' && isKnown(version)) return ['app', idOf('app', cluster, namespace, app, version)];
    return ['app', idOf('app', cluster, namespace, app)];
  }
  if (isKnown(workload)) return ['workload', idOf('workload', cluster, namespace, workload)];
  if (isKnown(service)) return ['service', idOf('service', cluster, namespace, service)];
  return undefined;
}

/** The node of a party; undefined where nothing says what it is. */
export function nodeOf(party: Party, type: GraphType): MeshNode | undefined {
  const namespace = isKnown(party.workloadNamespace) ? party.workloadNamespace : party.serviceNamespace;
  const identity = identityOf(party, namespace, type);
  if (identity === undefined) return undefined;
  const [kind, id] = identity;
  const node = { id, kind, cluster: party.cluster, namespace, services: new Map(), isInjected: false };
  const { app, version, workload, service } = party;
  const isUnversioned = kind === 'app' && type !== 'versionedApp';
  const known = (value: string): string => (value === unknown ? '' : value);
  switch (kind) {
    case 'app':
      return {
        ...node,
        app,
        version: isUnversioned ? '' : version,
        workload: isUnversioned ? '' : workload,
        service: '',
      };
    case 'service':
      return { ...node, app: '', version: '', workload: '', service };
    case 'workload':
      return { ...node, app: known(app), version: known(version), workload, service: '' };
    case 'unknown':
      return { ...node, app, version, workload, service };
  }
}

/** Puts a service among those that a node was called by. */
export function addService(node: MeshNode, { cluster, serviceNamespace, service }: Party): void {
  if (!isKnown(service)) return;
  const key = idOf(cluster, serviceNamespace, service);
  node.services.set(key, { cluster, namespace: serviceNamespace, name: service });
}
