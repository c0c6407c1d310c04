/** Pods out of the objects of a manifest: Pod, List and PodList. */
import type { Pod } from '../../model/pod.ts';
import { isJsonObject, type JsonObject, type KeptAnnotations, projectPod } from '../pod-object.ts';
import { type Located, ManifestError } from './documents.ts';

export interface ManifestOptions {
  readonly keptAnnotations: KeptAnnotations;
  /** The node of pods that name none. */
  readonly nodeName: string;
}

export interface Manifest {
  readonly pods: readonly Pod[];
  /** Kinds of other objects in it, each once. */
  readonly otherKinds: readonly string[];
}

/** Reads a manifest. Throws a `ManifestError` at the first thing that is wrong: a manifest counts whole or not at all. */
export function readManifest(documents: readonly Located[], options: ManifestOptions): Manifest {
  const pods: Pod[] = [];
  const otherKinds = new Set<string>();
  const take = ({ value, line, itemLines }: Located): void => {
    if (value === null || value === undefined) return;
    if (!isJsonObject(value)) throw new ManifestError('expected a Kubernetes object with kind and metadata', line);
    const kind = value['kind'];
    if (typeof kind !== 'string') throw new ManifestError('an object without kind; expected kind: Pod', line);
    if (kind === 'Pod') pods.push(podOf(value, line, options));
    else if (kind === 'List' || kind === 'PodList') {
      const items: unknown = value['items'] ?? [];
      if (!Array.isArray(items)) throw new ManifestError(`items of the ${kind} must be a list`, line);
      items.forEach((item: unknown, index) => {
        // The items of a PodList need no kind: the API server leaves it out.
        const object = kind === 'PodList' && isJsonObject(item) ? { kind: 'Pod', ...item } : item;
        take({ value: object, line: itemLines[index] ?? line, itemLines: [] });
      });
    } else otherKinds.add(kind.slice(0, 63));
  };
  for (const document of documents) take(document);
  return { pods, otherKinds: [...otherKinds] };
}

const namePattern = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

function podOf(object: JsonObject, line: number, options: ManifestOptions): Pod {
  const where = isJsonObject(object['metadata']) ? object['metadata'] : undefined;
  const name = where?.['name'];
  if (typeof name !== 'string' || name === '') throw new ManifestError('a Pod without metadata.name', line);
  if (!namePattern.test(name)) {
    throw new ManifestError(
      `metadata.name ${JSON.stringify(name.slice(0, 80))}: a Pod's name has lower case letters, digits, '-' and '.' only`,
      line,
    );
  }
  const namespace = where?.['namespace'] ?? 'default';
  if (typeof namespace !== 'string' || !namePattern.test(namespace)) {
    throw new ManifestError(`Pod ${name}: metadata.namespace is not a name`, line);
  }
  for (const key of ['labels', 'annotations'] as const) checkTexts(where?.[key], `Pod ${name}: metadata.${key}`, line);
  const pod = projectPod({ ...object, metadata: { ...where, namespace } }, options.keptAnnotations);
  // A manifest says what shall run, not that it does; whoever puts it here says so by putting it here.
  const hasPhase = isJsonObject(object['status']) && typeof object['status']['phase'] === 'string';
  const phase = hasPhase ? pod.phase : 'Running';
  const isHere = pod.ip === '' && phase === 'Running';
  return {
    ...pod,
    phase,
    nodeName: pod.nodeName || options.nodeName,
    ip: isHere ? '127.0.0.1' : pod.ip,
    ips: isHere ? ['127.0.0.1'] : pod.ips,
  };
}

function checkTexts(value: unknown, what: string, line: number): void {
  if (value === undefined || value === null) return;
  if (!isJsonObject(value)) throw new ManifestError(`${what} must be a table of texts`, line);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text === 'string') continue;
    throw new ManifestError(`${what}: ${JSON.stringify(key.slice(0, 80))} must be a text; put it in quotes`, line);
  }
}
