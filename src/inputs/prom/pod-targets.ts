/** The targets that one pod's annotations make. */
import {
  discoveredLabelsOf,
  type Finding,
  readPod,
  type ScrapeAnnotation,
} from '../../discovery/annotations/read-pod.ts';
import type { Pod } from '../../model/pod.ts';
import { type PromInputConfig, promInputConfig } from './config.ts';
import { createTargets, type Target } from './target.ts';

export interface PodTarget {
  /** What its series are known by: the address and the labels. Two of one key would write the same series. */
  readonly key: string;
  readonly target: Target;
  readonly annotation: string;
  /** The block within the annotation, from 1; 0 where it has no blocks. */
  readonly block: number;
}

export interface PodTargets {
  readonly annotations: readonly ScrapeAnnotation[];
  /** Why nothing of the pod is scraped now; undefined where it may be. */
  readonly notNow: string | undefined;
  readonly targets: readonly PodTarget[];
  readonly findings: readonly Finding[];
}

/** Names the pod and its annotation, and the block where there are several. */
const originOf = (pod: Pod, annotation: string): string => `pod ${pod.namespace}/${pod.name}, annotation ${annotation}`;

/** Reads a pod's annotations. Does no I/O. */
export function targetsOfPod(pod: Pod, annotations: readonly ScrapeAnnotation[]): PodTargets {
  const reading = readPod<PromInputConfig>(pod, { schema: promInputConfig, annotations });
  const findings = [...reading.findings];
  const targets = new Map<string, PodTarget>();
  const addresses = new Set<string>();
  const discovered = discoveredLabelsOf(pod);
  for (const { annotation, number, config } of reading.blocks) {
    // Istio's injection sets prometheus.io/… on every pod, also on one whose own annotation names the same page: that one says more.
    const isConvention = number === 0;
    const extras = { origin: originOf(pod, annotation), discovered, isAddressFixed: true };
    for (const made of createTargets(config, extras)) {
      if (made.kind === 'left_out' || (isConvention && addresses.has(addressKey(made)))) continue;
      if (made.kind === 'refused') {
        findings.push({ annotation, line: 0, refused: 'malformed', message: made.why });
        continue;
      }
      const { target } = made;
      const key = JSON.stringify([target.url.href, [...target.labels].sort(([a], [b]) => (a < b ? -1 : 1))]);
      if (targets.has(key)) {
        const message = `block ${number} asks for ${target.url.href} once more, under the same labels; give it a source of its own, or take it out`;
        findings.push({ annotation, line: 0, refused: 'duplicate', message });
        continue;
      }
      addresses.add(target.url.href);
      targets.set(key, { key, target, annotation, block: number });
    }
  }
  return { annotations: reading.annotations, notNow: reading.notNow, targets: [...targets.values()], findings };
}

const addressKey = (made: Exclude<ReturnType<typeof createTargets>[number], { kind: 'left_out' }>): string =>
  made.kind === 'target' ? made.target.url.href : made.url;
