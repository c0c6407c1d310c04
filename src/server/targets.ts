/** `GET /api/trawl/targets` and Prometheus' `/api/v1/targets`: what is scraped, how that goes, and which annotations of pods are refused. */

import { formatDuration } from '../config/quantity.ts';
import type { TargetStatus } from '../pipeline/target-status.ts';
import type { QueryRequest, QueryResponse, QueryRoute } from '../query/query-route.ts';

/** A pod as far as it is shown. */
export interface PodView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly phase: string;
  readonly ip: string;
}

export interface TargetView extends TargetStatus {
  /** Of the agent: `inputs.prom#2`, or `discovery`. */
  readonly component: string;
  readonly pod: PodView | undefined;
  readonly annotation: string | undefined;
}

/** An address that is not scraped although a block names it. */
export interface LeftOutView {
  readonly url: string;
  readonly component: string;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly why: string;
}

/** What is wrong with a pod's annotation. */
export interface FindingView {
  readonly pod: PodView;
  readonly annotation: string;
  /** From 1; 0 where there is none. */
  readonly line: number;
  /** Undefined for a warning. */
  readonly refused: string | undefined;
  readonly message: string;
}

export interface PodSourceView {
  readonly name: string;
  readonly isHealthy: boolean;
  readonly line: string;
  /** Undefined until there has been a complete set. */
  readonly pods: number | undefined;
}

export interface KnownPodView {
  readonly pod: PodView;
  /** The annotations of it that are read. */
  readonly annotations: readonly string[];
  /** Why nothing of it is scraped now; undefined where something may be. */
  readonly notNow: string | undefined;
}

/** What the rest of the agent tells these routes. */
export interface TargetsSource {
  sources(): readonly PodSourceView[];
  targets(): readonly TargetView[];
  leftOut(): readonly LeftOutView[];
  findings(): readonly FindingView[];
  /** Pods with an annotation. */
  annotated(): readonly KnownPodView[];
  /** A pod by its name, whether it has annotations or not; of several the last that came. */
  pod(namespace: string, name: string): KnownPodView | undefined;
}

const json = 'application/json; charset=utf-8';
const seconds = (ms: number): number => Math.round(ms) / 1000;

/** The two routes. */
export function createTargetRoutes(source: TargetsSource): readonly QueryRoute[] {
  const route = (path: string, answer: (request: QueryRequest) => QueryResponse): QueryRoute => ({
    method: 'GET',
    path,
    handle: async (request) => answer(request),
  });
  return [
    route('/api/trawl/targets', ({ query }) => ownAnswer(source, query.get('pod'))),
    route('/api/v1/targets', ({ query }) => prometheusAnswer(source, query)),
  ];
}

function ownAnswer(source: TargetsSource, podName: string | null): QueryResponse {
  const [namespace = '', name = '', ...rest] = podName?.split('/') ?? [];
  if (podName !== null && (namespace === '' || name === '' || rest.length > 0)) {
    return { status: 400, contentType: 'text/plain; charset=utf-8', body: 'pod must be NAMESPACE/NAME\n' };
  }
  const isMeant = (pod: PodView | undefined): boolean =>
    podName === null || (pod?.namespace === namespace && pod.name === name);
  const known =
    podName === null ? source.annotated() : [source.pod(namespace, name)].filter((pod) => pod !== undefined);
  const findings = source.findings().filter(({ pod }) => isMeant(pod));
  const body = {
    sources: source.sources().map(({ name: of, isHealthy, line, pods }) => ({
      name: of,
      healthy: isHealthy,
      state: line,
      pods: pods ?? null,
    })),
    targets: source.targets().flatMap((target) => (isMeant(target.pod) ? [ownTarget(target)] : [])),
    leftOut: podName === null ? source.leftOut() : [],
    refused: findings.flatMap(({ refused, ...finding }) =>
      refused === undefined ? [] : [{ ...ownFinding(finding), reason: refused }],
    ),
    warnings: findings.flatMap((finding) => (finding.refused === undefined ? [ownFinding(finding)] : [])),
    pods: known.map(({ pod, annotations, notNow }) => ({ ...pod, annotations, notScraped: notNow ?? null })),
  };
  return { status: 200, contentType: json, body: `${JSON.stringify(body, null, 2)}\n` };
}

function ownTarget(target: TargetView): object {
  const { lastScrapeMs, lastDurationMs } = target;
  return {
    url: target.url,
    component: target.component,
    origin: target.origin,
    pod: target.pod ?? null,
    annotation: target.annotation ?? null,
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    intervalSeconds: seconds(target.intervalMs),
    timeoutSeconds: seconds(target.timeoutMs),
    health: target.health,
    lastScrape: lastScrapeMs === undefined ? null : new Date(lastScrapeMs).toISOString(),
    lastDurationSeconds: lastDurationMs === undefined ? null : seconds(lastDurationMs),
    samples: target.lastSamples,
    hasAnswered: target.lastBodyBytes !== 0,
    lastError: target.lastError ?? null,
    lastWarning: target.lastWarning ?? null,
  };
}

const ownFinding = ({ pod, annotation, line, message }: Omit<FindingView, 'refused'>): object => ({
  pod,
  annotation,
  line: line === 0 ? null : line,
  message,
});

/** What Prometheus writes for a time that never was. */
const never = '0001-01-01T00:00:00Z';

function prometheusAnswer(source: TargetsSource, query: URLSearchParams): QueryResponse {
  const state = (query.get('state') ?? '').toLowerCase();
  const pool = query.get('scrapePool') ?? '';
  const shows = (what: string): boolean => state === '' || state === 'any' || state === what;
  const isInPool = (labels: Readonly<Record<string, string>>): boolean => pool === '' || labels['job'] === pool;
  const dropped = shows('dropped') ? source.leftOut().filter(({ discoveredLabels }) => isInPool(discoveredLabels)) : [];
  const counts: Record<string, number> = Object.create(null);
  for (const { discoveredLabels } of dropped) {
    const job = discoveredLabels['job'] ?? '';
    counts[job] = (counts[job] ?? 0) + 1;
  }
  const data = {
    activeTargets: shows('active')
      ? source
          .targets()
          .filter(({ labels }) => isInPool(labels))
          .map(prometheusTarget)
      : [],
    droppedTargets: dropped.map(({ discoveredLabels }) => ({
      discoveredLabels,
      scrapePool: discoveredLabels['job'] ?? '',
    })),
    droppedTargetCounts: counts,
  };
  return { status: 200, contentType: 'application/json', body: JSON.stringify({ status: 'success', data }) };
}

function prometheusTarget(target: TargetView): object {
  const { url, lastScrapeMs } = target;
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.labels['job'] ?? '',
    scrapeUrl: url,
    globalUrl: url,
    lastError: target.lastError ?? '',
    lastScrape: lastScrapeMs === undefined ? never : new Date(lastScrapeMs).toISOString(),
    lastScrapeDuration: (target.lastDurationMs ?? 0) / 1000,
    health: target.health,
    scrapeInterval: formatDuration(target.intervalMs),
    scrapeTimeout: formatDuration(target.timeoutMs),
  };
}
