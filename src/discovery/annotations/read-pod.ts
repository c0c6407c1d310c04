/** What a pod's annotations ask to be scraped: blocks that may run, and what is wrong with the others. */
import type { z } from 'zod';
import type { Pod } from '../../model/pod.ts';
import type { Finding } from './finding.ts';
import { identityOf, type PodBlock, readPromInstances } from './prom-instances.ts';
import { prometheusAnnotations, readPrometheusAnnotations, scrapeAnnotation } from './prometheus-io.ts';

export type { Finding, RefusalReason } from './finding.ts';
export { refusalReasons } from './finding.ts';
export type { PodBlock } from './prom-instances.ts';

/** The annotations that can ask for a scrape, in the order in which they count. */
export const scrapeAnnotations = ['trawl/prom.instances', 'datakit/prom.instances', scrapeAnnotation] as const;
export type ScrapeAnnotation = (typeof scrapeAnnotations)[number];

/** Every annotation that a source of pods must keep for these. */
export const neededAnnotations: readonly string[] = [
  'trawl/prom.instances',
  'datakit/prom.instances',
  ...prometheusAnnotations,
];

export interface PodReading<Config> {
  /** The annotations that the pod has and that were read, or would be if it ran. */
  readonly annotations: readonly ScrapeAnnotation[];
  /** Why none of them is acted on now: the pod is not running, say. Undefined where they are. */
  readonly notNow: string | undefined;
  readonly blocks: readonly PodBlock<Config>[];
  readonly findings: readonly Finding[];
}

const labelName = (name: string): string => name.replaceAll(/[^A-Za-z0-9_]/g, '_');

/**
 * The labels that discovery gives a pod's targets: `namespace`, `pod` and `node`, and beside them, for showing and relabelling, what
 * Prometheus calls the same things.
 */
export function discoveredLabelsOf(pod: Pod): ReadonlyMap<string, string> {
  const meta = {
    namespace: pod.namespace,
    pod_name: pod.name,
    pod_uid: pod.uid,
    pod_ip: pod.ip,
    pod_phase: pod.phase,
    pod_node_name: pod.nodeName,
    pod_host_ip: pod.hostIp,
    pod_controller_kind: pod.ownerKind,
    pod_controller_name: pod.ownerName,
    ...Object.fromEntries(Object.entries(pod.labels).map(([name, value]) => [`pod_label_${labelName(name)}`, value])),
  };
  const told = Object.entries(meta).filter(([, value]) => value !== '');
  return new Map([
    ...Object.entries(identityOf(pod)),
    ...told.map(([name, value]) => [`__meta_kubernetes_${name}`, value] as const),
  ]);
}

/** Why nothing of a pod is scraped now, or undefined. */
export function whyNotNow(pod: Pod): string | undefined {
  if (pod.phase !== 'Running') return `it is ${pod.phase}, and only running pods are scraped`;
  if (pod.isBeingDeleted) return 'it is being deleted';
  return pod.ip === '' ? 'it has no address yet' : undefined;
}

export interface ReadPodOptions<Config> {
  /** The schema of `[[inputs.prom]]`. */
  readonly schema: z.ZodType<Config>;
  /** Which annotations are looked at. */
  readonly annotations: readonly ScrapeAnnotation[];
}

/**
 * Reads a pod. Of `trawl/prom.instances` and `datakit/prom.instances` the former alone counts where a pod has both, so that a pod that is
 * scraped by DataKit as well can tell Trawl something else.
 */
export function readPod<Config>(pod: Pod, options: ReadPodOptions<Config>): PodReading<Config> {
  const { schema } = options;
  const present = scrapeAnnotations.filter(
    (name) => options.annotations.includes(name) && pod.annotations[name] !== undefined,
  );
  const notNow = whyNotNow(pod);
  if (present.length === 0 || notNow !== undefined) return { annotations: present, notNow, blocks: [], findings: [] };
  const instances = present.find((name) => name !== scrapeAnnotation);
  const readings = [
    ...(instances === undefined
      ? []
      : [readPromInstances({ annotation: instances, text: pod.annotations[instances] ?? '' }, pod, schema)]),
    ...(present.includes(scrapeAnnotation) ? [readPrometheusAnnotations(pod, schema)] : []),
  ];
  return {
    annotations: present,
    notNow,
    blocks: readings.flatMap(({ blocks }) => blocks),
    findings: readings.flatMap(({ findings }) => findings),
  };
}
