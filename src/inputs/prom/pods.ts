/** From pods to running scrapers: targets follow the pods that a source tells of, and what is wrong with annotations is kept to be shown. */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Finding, ScrapeAnnotation } from '../../discovery/annotations/read-pod.ts';
import type { Accept } from '../../model/batch.ts';
import type { Pod } from '../../model/pod.ts';
import type { Health, Host, Running, StopReason } from '../../pipeline/component.ts';
import type { PodSource } from '../../pipeline/pod-source.ts';
import { readAgentNumber } from './agent-number.ts';
import { createConnections } from './connections.ts';
import { createPodReports } from './pod-reports.ts';
import { type PodTarget, type PodTargets, targetsOfPod } from './pod-targets.ts';
import { createScraperSet, type KeyedTargetStatus, type TargetMetadata } from './scraper-set.ts';

export interface PodScrapingOptions {
  readonly sources: readonly PodSource[];
  readonly host: Host;
  readonly accept: Accept;
  /** Which annotations are read. */
  readonly annotations: readonly ScrapeAnnotation[];
  /** The most targets of all pods together. */
  readonly maxTargets: number;
}

/** A target and where it comes from. */
export interface PodTargetStatus extends KeyedTargetStatus {
  readonly pod: Pod;
  readonly annotation: string;
  /** From 1; 0 where the annotation has no blocks. */
  readonly block: number;
}

/** What is wrong with an annotation of a pod. */
export interface PodFinding extends Finding {
  readonly pod: Pod;
}

export interface PodScraping extends Running {
  targets(): readonly PodTargetStatus[];
  /** What the last page of each said of its metrics. */
  metadata(): readonly TargetMetadata[];
  findings(): readonly PodFinding[];
  /** The pods that have one of the annotations, and why nothing of one is scraped now, where that is so. */
  annotated(): readonly { readonly pod: Pod; readonly reading: Pick<PodTargets, 'annotations' | 'notNow'> }[];
}

interface Entry {
  readonly pod: Pod;
  readonly signature: string;
  readonly reading: PodTargets;
}

/** Annotations are read for so long before others get their turn: one takes about 0.3 ms, and a list may bring thousands. */
const sliceMs = 10;

/** Everything of a pod that its targets come from. */
function signatureOf(pod: Pod): string {
  const { name, namespace, nodeName, phase, ips, hostIp, isOnHostNetwork, isBeingDeleted } = pod;
  const told = [
    [name, namespace, nodeName, phase, ips, hostIp, isOnHostNetwork, isBeingDeleted],
    [pod.annotations, pod.labels, pod.containers.map(({ ports }) => ports), pod.ownerKind, pod.ownerName],
  ];
  return createHash('sha256').update(JSON.stringify(told)).digest('base64');
}

/** Starts to scrape the pods of these sources. The sources stay the caller's. */
export async function startPodScraping(options: PodScrapingOptions): Promise<PodScraping> {
  const { host, sources, maxTargets } = options;
  const connections = createConnections();
  const agentNumber = await readAgentNumber(host.dataDirectory);
  const set = createScraperSet({ host, accept: options.accept, connections, agentNumber });
  const entries = new Map<string, Entry>();
  /** What is scraped now, by key. */
  const running = new Map<string, { readonly pod: Pod; readonly of: PodTarget }>();
  /** Pods to be read. */
  const changed = new Map<string, Pod>();
  const stopping = new AbortController();
  let reading: Promise<void> | undefined;
  const reports = createPodReports(host, { pods: () => entries.size, targets: () => running.size });

  const isOwn = ({ uid }: Pod, key: string): boolean => running.get(key)?.pod.uid === uid;

  const start = (pod: Pod, of: PodTarget) => {
    running.set(of.key, { pod, of });
    set.put(of.key, of.target);
  };
  const end = (key: string) => {
    running.delete(key);
    set.remove(key);
  };
  /** What waited for another of the same series, or for room, is started once that is gone. */
  const fillUp = () => {
    if (running.size >= maxTargets) return;
    for (const {
      pod,
      reading: { targets },
    } of entries.values()) {
      for (const target of targets) if (!running.has(target.key) && running.size < maxTargets) start(pod, target);
    }
  };

  const take = (pod: Pod) => {
    const signature = signatureOf(pod);
    const before = entries.get(pod.uid);
    if (before?.signature === signature) return;
    const after = targetsOfPod(pod, options.annotations);
    const wanted = new Set(after.targets.map(({ key }) => key));
    for (const { key } of before?.reading.targets ?? []) if (!wanted.has(key) && isOwn(pod, key)) end(key);
    if (after.annotations.length === 0) entries.delete(pod.uid);
    else entries.set(pod.uid, { pod, signature, reading: after });
    for (const target of after.targets) {
      const { key } = target;
      if (isOwn(pod, key) || (!running.has(key) && running.size < maxTargets)) start(pod, target);
      else reports.refused(running.has(key) ? 'duplicate' : 'over_limit');
    }
    reports.tell(pod, before?.reading.findings ?? [], after.findings);
  };
  const leave = (uid: string) => {
    changed.delete(uid);
    const entry = entries.get(uid);
    if (entry === undefined) return;
    for (const { key } of entry.reading.targets) if (isOwn(entry.pod, key)) end(key);
    entries.delete(uid);
  };

  const readChanged = async () => {
    let sliceStartMs = performance.now();
    for (const [uid, pod] of changed) {
      changed.delete(uid);
      take(pod);
      if (performance.now() - sliceStartMs < sliceMs) continue;
      await nextTurn();
      if (stopping.signal.aborted) return;
      sliceStartMs = performance.now();
    }
    fillUp();
  };
  const readSoon = () => {
    reading ??= nextTurn()
      .then(readChanged)
      .catch((cause: unknown) => {
        host.log.error({ err: cause }, 'Reading annotations ended by an error of our own.');
        host.meter.failed(host.name, `reading annotations ended: ${String(cause)}`);
      })
      .finally(() => {
        reading = undefined;
        if (changed.size > 0 && !stopping.signal.aborted) readSoon();
      });
  };
  const follow = (source: PodSource) => {
    const put = (pods: Iterable<Pod>) => {
      for (const pod of pods) changed.set(pod.uid, pod);
      readSoon();
    };
    const leaveSource = source.subscribe(({ put: arrived, gone }) => {
      if (stopping.signal.aborted) return;
      // A pod that goes is not scraped for another turn; what waits for its place is started by the reading that follows.
      for (const { uid } of gone) leave(uid);
      put(arrived);
    });
    put(source.pods()?.values() ?? []);
    return leaveSource;
  };
  const leaveSources = sources.map(follow);
  let stopped: Promise<void> | undefined;

  const stop = async (deadline: AbortSignal, because: StopReason) => {
    stopping.abort(new Error('the scraping of pods stops'));
    for (const leaveSource of leaveSources) leaveSource();
    await reading;
    await set.stop(deadline, because);
    await connections.close();
    reports.close();
  };

  return {
    stop(deadline, because = 'shutdown') {
      stopped ??= stop(deadline, because);
      return stopped;
    },
    health: () => describe(set.status(), entries, maxTargets),
    metadata: () => set.metadata(),
    targets: () =>
      set.status().flatMap((status) => {
        const found = running.get(status.key);
        if (found === undefined) return [];
        const { annotation, block } = found.of;
        return [{ ...status, pod: entries.get(found.pod.uid)?.pod ?? found.pod, annotation, block }];
      }),
    findings: () =>
      [...entries.values()].flatMap(({ pod, reading: { findings, targets } }) => [
        ...findings.map((finding) => ({ ...finding, pod })),
        ...targets
          .filter(({ key }) => !isOwn(pod, key))
          .map((target) => notScraped(pod, target, { other: running.get(target.key)?.pod, maxTargets })),
      ]),
    annotated: () =>
      [...entries.values()].map(({ pod, reading: { annotations, notNow } }) => ({
        pod,
        reading: { annotations, notNow },
      })),
  };
}

interface Hindrance {
  /** The pod that is scraped for the same series. */
  readonly other: Pod | undefined;
  readonly maxTargets: number;
}

function notScraped(pod: Pod, { annotation, target }: PodTarget, { other, maxTargets }: Hindrance): PodFinding {
  const refused = other === undefined ? 'over_limit' : 'duplicate';
  const why =
    other === undefined
      ? `${maxTargets} targets of pods are, and no more; raise [discovery] max_targets`
      : `it is already, under the same labels, for a pod of the same name (uid ${other.uid})`;
  return { pod, annotation, line: 0, refused, message: `${target.url.href} is not scraped: ${why}` };
}

function describe(
  targets: readonly KeyedTargetStatus[],
  entries: ReadonlyMap<string, Entry>,
  maxTargets: number,
): Health {
  const refused = [...entries.values()].filter(({ reading }) =>
    reading.findings.some((finding) => finding.refused !== undefined),
  ).length;
  const down = targets.filter(({ health }) => health === 'down');
  const up = targets.filter(({ health }) => health === 'up').length;
  const parts = [`${up} of ${targets.length} targets up`];
  const [first] = down;
  if (first !== undefined) parts.push(first.lastError ?? first.url);
  // A stranger's annotation makes nobody's agent ill: it is told, and health stays as it is.
  const whose = refused === 1 ? 'of one pod' : `of ${refused} pods`;
  if (refused > 0) parts.push(`annotations ${whose} are refused; trawl targets says why`);
  if (targets.length >= maxTargets) parts.push('the limit [discovery] max_targets is reached');
  // One pod that is down is its owner's matter; all of them down is the agent's.
  return { isHealthy: down.length === 0 || up > 0, line: parts.join('; ') };
}
