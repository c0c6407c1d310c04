/** A Kubernetes Pod object, as the API server or a manifest has it, cut down to what is kept of it. */
import type { Pod, PodContainer, PodPhase, PodPort } from '../model/pod.ts';

/** Which annotations are kept: whole keys, or all that begin with one that ends in `/`, such as `prometheus.io/`. */
export type KeptAnnotations = readonly string[];

/** Above anything real, so that one pod cannot take the agent's memory. */
export const podLimits = {
  labels: 256,
  annotations: 64,
  /** Characters. Longer ones are cut here, which is still longer than any reader of annotations takes. */
  annotationLength: 16 * 1024,
  containers: 128,
  ports: 256,
  addresses: 8,
} as const;

const phases: ReadonlyMap<unknown, PodPhase> = new Map(
  (['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const).map((phase) => [phase, phase]),
);

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is an object with keys, not a list and not null. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {});
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const objectsOf = (value: unknown, limit: number): JsonObject[] =>
  Array.isArray(value) ? value.slice(0, limit).filter(isJsonObject) : [];

/** Labels, annotations and names of nodes repeat from pod to pod; kept once, they make room for a fifth more pods (`bench/experiments/watch-pods.ts`). */
const sharedTexts = new Map<string, string>();
const sharedLimits = { count: 4096, length: 1024 };

function shared(text: string): string {
  const known = sharedTexts.get(text);
  if (known !== undefined) return known;
  if (text.length > sharedLimits.length) return text;
  // Those that still repeat will be back in no time.
  if (sharedTexts.size >= sharedLimits.count) sharedTexts.clear();
  sharedTexts.set(text, text);
  return text;
}

function textsOf(value: unknown, limit: number, isKept: (key: string) => boolean): Record<string, string> {
  const kept: [string, string][] = [];
  for (const [key, text] of Object.entries(objectOf(value))) {
    if (typeof text !== 'string' || !isKept(key)) continue;
    if (kept.length === limit) break;
    kept.push([key, shared(text.slice(0, podLimits.annotationLength))]);
  }
  return Object.fromEntries(kept);
}

const isAnyOf = (keys: KeptAnnotations, key: string): boolean =>
  keys.some((kept) => (kept.endsWith('/') ? key.startsWith(kept) : key === kept));

const hasNumber = (port: JsonObject): boolean => typeof port['containerPort'] === 'number';

const portOf = (port: JsonObject): PodPort => ({
  name: shared(textOf(port['name'])),
  port: Number(port['containerPort']),
  protocol: shared(textOf(port['protocol']) || 'TCP'),
});

// `map` comes last here and below: its arrays are as long as they must be, those of `filter` have room for 16 more.
const containerOf = (container: JsonObject): PodContainer => ({
  name: shared(textOf(container['name'])),
  ports: objectsOf(container['ports'], podLimits.ports).filter(hasNumber).map(portOf),
});

function addressesOf(status: JsonObject): string[] {
  const first = textOf(status['podIP']);
  const others = objectsOf(status['podIPs'], podLimits.addresses).map((each) => textOf(each['ip']));
  return [...new Set([first, ...others].filter((ip) => ip !== ''))];
}

/** What made the pod: the owner that controls it. */
function ownerOf(metadata: JsonObject): JsonObject {
  const owners = objectsOf(metadata['ownerReferences'], 16);
  return owners.find((owner) => owner['controller'] === true) ?? owners[0] ?? {};
}

/**
 * Cuts a Pod object down to a `Pod`. Nothing of the object itself stays alive. Fields of a wrong type count as absent: the API server has
 * checked them, and for manifests the caller does.
 */
export function projectPod(object: JsonObject, keptAnnotations: KeptAnnotations): Pod {
  const metadata = objectOf(object['metadata']);
  const spec = objectOf(object['spec']);
  const status = objectOf(object['status']);
  const ips = addressesOf(status);
  const namespace = shared(textOf(metadata['namespace']));
  const name = textOf(metadata['name']);
  const owner = ownerOf(metadata);
  // Sidecars that start before the others are init containers with restartPolicy Always, and serve ports as those do.
  const sidecars = objectsOf(spec['initContainers'], podLimits.containers).filter(
    (container) => container['restartPolicy'] === 'Always',
  );
  return {
    uid: textOf(metadata['uid']) || `${namespace}/${name}`,
    namespace,
    name,
    nodeName: shared(textOf(spec['nodeName'])),
    phase: phases.get(status['phase']) ?? 'Unknown',
    ip: ips[0] ?? '',
    ips,
    hostIp: shared(textOf(status['hostIP'])),
    isOnHostNetwork: spec['hostNetwork'] === true,
    isBeingDeleted: textOf(metadata['deletionTimestamp']) !== '',
    labels: textsOf(metadata['labels'], podLimits.labels, () => true),
    annotations: textsOf(metadata['annotations'], podLimits.annotations, (key) => isAnyOf(keptAnnotations, key)),
    containers: [...objectsOf(spec['containers'], podLimits.containers), ...sidecars].map(containerOf),
    ownerKind: shared(textOf(owner['kind'])),
    ownerName: shared(textOf(owner['name'])),
  };
}
