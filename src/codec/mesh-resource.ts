/** Who a span's emitter is, from what a mesh or an OpenTelemetry exporter says about it in the span (docs/concepts/model.md has the table). */
import { emptyResource, type Resource } from '../model/resource.ts';

type Tags = Readonly<Record<string, string>>;

/** The part of a resource that Envoy's node id tells. */
export interface MeshNode {
  readonly pod: string;
  readonly namespace: string;
}

/** Reads `sidecar~10.1.2.3~productpage-v1-7f4c.default~default.svc.cluster.local`; the namespace is what follows the last dot. */
export function parseNodeId(nodeId: string): MeshNode | undefined {
  const parts = nodeId.split('~', 5);
  const workload = parts[2];
  if (parts.length !== 4 || workload === undefined) return undefined;
  const dot = workload.lastIndexOf('.');
  if (dot <= 0 || dot === workload.length - 1) return undefined;
  return { pod: workload.slice(0, dot), namespace: workload.slice(dot + 1) };
}

/** Takes the namespace off Istio's `productpage.default`; a name that does not end in it stays whole. */
export function stripNamespace(serviceName: string, namespace: string): string {
  if (namespace === '' || serviceName.length <= namespace.length + 1) return serviceName;
  if (!serviceName.endsWith(namespace) || serviceName[serviceName.length - namespace.length - 1] !== '.')
    return serviceName;
  return serviceName.slice(0, -namespace.length - 1);
}

/** What a mesh writes where it does not know. */
function known(value: string | undefined): string {
  return value === undefined || value === 'unknown' || value === '-' ? '' : value;
}

function isMeshSpan(tags: Tags): boolean {
  return tags['istio.namespace'] !== undefined || tags['node_id'] !== undefined;
}

function computeResource(serviceName: string, tags: Tags): Resource {
  return isMeshSpan(tags) ? computeMeshResource(serviceName, tags) : computeExporterResource(serviceName, tags);
}

function computeMeshResource(serviceName: string, tags: Tags): Resource {
  const node = parseNodeId(tags['node_id'] ?? '');
  const namespace = known(tags['istio.namespace']) || (node?.namespace ?? '');
  return {
    ...emptyResource,
    service: known(tags['istio.canonical_service']) || stripNamespace(serviceName, namespace),
    namespace,
    pod: node?.pod ?? '',
    version: known(tags['istio.canonical_revision']),
  };
}

/** OpenTelemetry's Zipkin exporters put the resource's attributes among the tags. */
function computeExporterResource(serviceName: string, tags: Tags): Resource {
  return {
    ...emptyResource,
    service: serviceName || known(tags['service.name']),
    namespace: known(tags['k8s.namespace.name']) || known(tags['service.namespace']),
    pod: known(tags['k8s.pod.name']),
    container: known(tags['k8s.container.name']),
    node: known(tags['k8s.node.name']),
    version: known(tags['service.version']),
  };
}

const meshTags = ['node_id', 'istio.namespace', 'istio.canonical_service', 'istio.canonical_revision'] as const;
/** The first two tell a mesh's span from another. */
const exporterTags = [
  'node_id',
  'istio.namespace',
  'service.name',
  'service.namespace',
  'service.version',
  'k8s.namespace.name',
  'k8s.pod.name',
  'k8s.container.name',
  'k8s.node.name',
] as const;

interface CacheEntry {
  readonly serviceName: string;
  readonly tagNames: readonly string[];
  readonly tags: readonly (string | undefined)[];
  readonly resource: Resource;
}

/** A few hundred emitters report to one agent; beyond this the cache starts afresh. */
const cacheSize = 4096;
const entriesPerKey = 64;
/** Strangers' long texts are not kept. */
const keyLengthLimit = 2048;
let cache = new Map<string, CacheEntry[]>();
let cached = 0;
let last: CacheEntry | undefined;

function matches(entry: CacheEntry, serviceName: string, tags: Tags): boolean {
  if (entry.serviceName !== serviceName) return false;
  for (let i = 0; i < entry.tagNames.length; i++) {
    const name = entry.tagNames[i];
    if (name !== undefined && entry.tags[i] !== tags[name]) return false;
  }
  return true;
}

/** What tells emitters apart best, so that few share a key. */
function keyOf(serviceName: string, tags: Tags): string {
  return tags['node_id'] ?? tags['k8s.pod.name'] ?? serviceName;
}

/** The resource of a span. The same object for the same emitter, so that what is derived from it can be derived once. */
export function resourceOfSpan(localServiceName: string | undefined, tags: Tags): Resource {
  const serviceName = localServiceName ?? '';
  if (last !== undefined && matches(last, serviceName, tags)) return last.resource;
  const entries = cache.get(keyOf(serviceName, tags));
  if (entries !== undefined) {
    for (const entry of entries) {
      if (!matches(entry, serviceName, tags)) continue;
      last = entry;
      return entry.resource;
    }
  }
  const resource = withOwnTexts(computeResource(serviceName, tags));
  remember(serviceName, tags, resource);
  return resource;
}

function remember(serviceName: string, tags: Tags, resource: Resource): void {
  const name = copy(serviceName);
  const tagNames = isMeshSpan(tags) ? meshTags : exporterTags;
  const values = tagNames.map((name) => (tags[name] === undefined ? undefined : copy(tags[name])));
  let length = name.length;
  for (const value of values) length += value?.length ?? 0;
  if (length > keyLengthLimit) return;
  if (cached >= cacheSize) {
    cache = new Map();
    cached = 0;
  }
  const key = copy(keyOf(serviceName, tags));
  let entries = cache.get(key);
  if (entries === undefined || entries.length >= entriesPerKey) {
    entries = [];
    cache.set(key, entries);
  }
  const entry = { serviceName: name, tagNames, tags: values, resource };
  entries.push(entry);
  cached++;
  last = entry;
}

function withOwnTexts({ service, namespace, pod, container, node, version, attributes }: Resource): Resource {
  return {
    service: copy(service),
    namespace: copy(namespace),
    pod: copy(pod),
    container: copy(container),
    node: copy(node),
    version: copy(version),
    attributes,
  };
}

/** A string cut out of a body would keep the whole body in memory. */
function copy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
