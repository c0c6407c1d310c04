/** What the routes about targets ask of the running inputs and of discovery. */
import { type ScrapeAnnotation, scrapeAnnotations, whyNotNow } from '../../discovery/annotations/read-pod.ts';
import type { PromRunning } from '../../inputs/prom/index.ts';
import type { PodFinding, PodTargetStatus } from '../../inputs/prom/pods.ts';
import type { TargetMetadata } from '../../inputs/prom/scraper-set.ts';
import type { Pod } from '../../model/pod.ts';
import type { InputKind, Running } from '../../pipeline/component.ts';
import type {
  FindingView,
  KnownPodView,
  LeftOutView,
  PodView,
  TargetsSource,
  TargetView,
} from '../../server/targets.ts';
import type { Components } from './components.ts';
import { type Discovery, discoveryName } from './discovery.ts';

export interface TargetsSourceOptions {
  readonly inputs: Pick<Components<InputKind<unknown>>, 'running'>;
  readonly discovery: Pick<Discovery, 'running'>;
}

/** What every target that is scraped now says of its metrics. */
export function targetsMetadata({ inputs, discovery }: TargetsSourceOptions): readonly TargetMetadata[] {
  return [
    ...inputs.running().flatMap(({ running }) => (isProm(running) ? running.metadata() : [])),
    ...(discovery.running()?.scraping.metadata() ?? []),
  ];
}

const isProm = (running: Running): running is PromRunning => 'targets' in running && 'leftOut' in running;

function viewOf({ namespace, name, uid, nodeName, phase, ip }: Pod): PodView {
  return { namespace, name, uid, node: nodeName, phase, ip };
}

const viewOfPodTarget = ({ pod, annotation, ...status }: PodTargetStatus): TargetView => ({
  ...status,
  component: discoveryName,
  pod: viewOf(pod),
  annotation,
});

const viewOfFinding = ({ pod, ...finding }: PodFinding): FindingView => ({ ...finding, pod: viewOf(pod) });

const hasAny = (pod: Pod): readonly ScrapeAnnotation[] => scrapeAnnotations.filter((name) => name in pod.annotations);

/** Binds the views to what runs now. */
export function createTargetsSource({ inputs, discovery }: TargetsSourceOptions): TargetsSource {
  const proms = () =>
    inputs
      .running()
      .flatMap(({ block, running }) => (isProm(running) ? [{ component: block.name, block, running }] : []));
  const knownPod = (pod: Pod): KnownPodView => ({
    pod: viewOf(pod),
    annotations: hasAny(pod),
    notNow: whyNotNow(pod),
  });
  return {
    sources: () =>
      (discovery.running()?.sources ?? []).map(({ name, pods }) => {
        const { isHealthy, line } = pods.health();
        return { name, isHealthy, line, pods: pods.pods()?.size };
      }),
    targets: () => [
      ...proms().flatMap(({ component, block, running }) =>
        running.targets().map(
          (status): TargetView => ({
            ...status,
            component,
            origin: block.source,
            pod: undefined,
            annotation: undefined,
          }),
        ),
      ),
      ...(discovery.running()?.scraping.targets() ?? []).map(viewOfPodTarget),
    ],
    leftOut: () =>
      proms().flatMap(({ component, running }) =>
        running.leftOut().map(
          (made): LeftOutView => ({
            url: made.url,
            component,
            discoveredLabels: made.kind === 'left_out' ? Object.fromEntries(made.discoveredLabels) : {},
            why: made.kind === 'left_out' ? 'relabel_configs dropped it' : made.why,
          }),
        ),
      ),
    findings: () => (discovery.running()?.scraping.findings() ?? []).map(viewOfFinding),
    annotated: () =>
      (discovery.running()?.scraping.annotated() ?? []).map(({ pod, reading }) => ({
        pod: viewOf(pod),
        annotations: reading.annotations,
        notNow: reading.notNow,
      })),
    pod(namespace, name) {
      const all = (discovery.running()?.sources ?? []).flatMap(({ pods }) => [...(pods.pods()?.values() ?? [])]);
      const found = all.filter((pod) => pod.namespace === namespace && pod.name === name);
      // Of one that goes and one that has come in its place, the one that stays is meant.
      const pod = found.findLast((candidate) => whyNotNow(candidate) === undefined) ?? found.at(-1);
      return pod === undefined ? undefined : knownPod(pod);
    },
  };
}
