/** What one target is and how it is scraped, as its block and whoever discovered it say. */
import { createHash } from 'node:crypto';
import { formatDuration, parseDurationMs } from '../../config/quantity.ts';
import type { PromInputConfig } from './config.ts';
import { type ConnectionRules, connectionRules } from './connections.ts';
import { relabel } from './relabel.ts';
import { createRelabelRules } from './relabel-config.ts';
import type { PageRequest } from './request.ts';
import { createSeriesRules, type TargetRules } from './series-rules.ts';

export interface Target {
  /** Holds no credentials: the configuration refuses them. */
  readonly url: URL;
  /** Where it was named: `inputs.prom#2`, or a pod and its annotation. */
  readonly origin: string;
  /** What was known of it before relabelling, `__address__` and its kin among it. */
  readonly discoveredLabels: ReadonlyMap<string, string>;
  /** The labels that each of its series gets. */
  readonly labels: ReadonlyMap<string, string>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly sampleLimit: number;
  readonly seriesLimit: number;
  readonly hasExtraReports: boolean;
  readonly rules: TargetRules;
  readonly request: Omit<PageRequest, 'url' | 'connector' | 'memory' | 'expectedBytes'>;
  readonly connection: ConnectionRules;
  /** Whether a target that cannot be reached is nothing to log. */
  readonly ignoresRequestErrors: boolean;
  /** The same for two targets that are scraped alike; holds no secret that could be read out of it. */
  readonly fingerprint: string;
}

/** What whoever made the block knows beyond it. */
export interface TargetExtras {
  /** Named in status and messages: `inputs.prom`, or `pod default/reviews-1, annotation datakit/prom.instances`. */
  readonly origin: string;
  /**
   * Labels of discovery: they go before `job` and `instance` and give way to the block's `tags`. Names that begin with `__` (such as
   * `__meta_kubernetes_pod_name`) are for `relabel_configs` alone.
   */
  readonly discovered?: ReadonlyMap<string, string>;
  /** Whether relabelling must leave the address alone: the block is a stranger's and may name that pod only. */
  readonly isAddressFixed?: boolean;
}

/** What became of one address of a block. */
export type MadeTarget =
  | { readonly kind: 'target'; readonly target: Target }
  /** `relabel_configs` dropped it. */
  | { readonly kind: 'left_out'; readonly url: string; readonly discoveredLabels: ReadonlyMap<string, string> }
  /** It cannot be scraped; `why` is a sentence for whoever wrote the block. */
  | { readonly kind: 'refused'; readonly url: string; readonly why: string };

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };
const intervalLimits = { minMs: 1000, maxMs: 300_000 };

/** `host:port`, the port also where the URL leaves it to its scheme. */
export function addressOf(url: URL): string {
  const port = url.port === '' ? (defaultPorts[url.protocol] ?? '0') : url.port;
  return `${url.hostname}:${port}`;
}

/** The targets of a block, each address of `url` and `urls` once: `createTargets(config, { origin: host.name })`. */
export function createTargets(config: PromInputConfig, extras: TargetExtras): readonly MadeTarget[] {
  const urls = config.url === undefined ? config.urls : [...config.urls, config.url];
  return [...new Set(urls)].map((url) => createTarget(url, config, extras));
}

/** The target that a block makes of one address. Pure; the address is taken as it is, whether the block names it or not. */
export function createTarget(address: string, config: PromInputConfig, extras: TargetExtras): MadeTarget {
  const named = URL.parse(address);
  if (named === null) return { kind: 'refused', url: address, why: `"${address}" is no URL` };
  const discoveredLabels = labelsBefore(named, config, extras);
  const relabelled = relabel(discoveredLabels, createRelabelRules(config.relabel_configs));
  if (relabelled === undefined) return { kind: 'left_out', url: address, discoveredLabels };
  const place = placeOf(named, { before: discoveredLabels, after: relabelled });
  if ('why' in place) return { kind: 'refused', url: address, why: place.why };
  const { url, intervalMs } = place;
  if (extras.isAddressFixed === true && url.origin !== named.origin) {
    const why = `relabel_configs send the scrape to ${url.origin}, but only ${named.origin} may be scraped here`;
    return { kind: 'refused', url: address, why };
  }
  const labels = new Map([...relabelled].filter(([name]) => !name.startsWith('__')));
  if (!labels.has('instance')) labels.set('instance', addressOf(url));
  const timeoutMs = Math.min(place.timeoutMs, intervalMs);
  const target = {
    url,
    origin: extras.origin,
    discoveredLabels,
    labels,
    intervalMs,
    timeoutMs,
    sampleLimit: config.sample_limit,
    seriesLimit: config.series_limit,
    hasExtraReports: config.extra_scrape_metrics,
    rules: createSeriesRules(config, labels),
    request: requestOf(config, timeoutMs),
    connection: connectionRules(config),
    ignoresRequestErrors: config.ignore_req_err,
  };
  return { kind: 'target', target: { ...target, fingerprint: fingerprintOf(target, config) } };
}

function labelsBefore(url: URL, config: PromInputConfig, extras: TargetExtras): Map<string, string> {
  return new Map([
    ['__address__', addressOf(url)],
    ['__scheme__', url.protocol.slice(0, -1)],
    ['__metrics_path__', url.pathname],
    ['__scrape_interval__', formatDuration(config.interval)],
    ['__scrape_timeout__', formatDuration(Math.min(config.timeout, config.interval))],
    ...[...url.searchParams].reverse().map(([name, value]): [string, string] => [`__param_${name}`, value]),
    ['job', config.source],
    ...(extras.discovered ?? []),
    ...Object.entries(config.tags),
  ]);
}

type Place = { readonly url: URL; readonly intervalMs: number; readonly timeoutMs: number };

/** Where and when to scrape, as relabelling left it. */
function placeOf(
  named: URL,
  labels: { readonly before: ReadonlyMap<string, string>; readonly after: ReadonlyMap<string, string> },
): Place | { readonly why: string } {
  const { before, after } = labels;
  const told = (name: string) => after.get(name) ?? '';
  const interval = parseDurationMs(told('__scrape_interval__'), intervalLimits);
  const timeout = parseDurationMs(told('__scrape_timeout__'), { minMs: 1 });
  if (!interval.ok) return { why: `relabel_configs make __scrape_interval__ what ${interval.message}` };
  if (!timeout.ok) return { why: `relabel_configs make __scrape_timeout__ what ${timeout.message}` };
  const url = new URL(named);
  const isMoved = ['__address__', '__scheme__', '__metrics_path__'].some(
    (name) => before.get(name) !== after.get(name),
  );
  if (isMoved) {
    const path = told('__metrics_path__');
    const moved = URL.parse(
      `${told('__scheme__')}://${told('__address__')}${path.startsWith('/') ? path : `/${path}`}${named.search}`,
    );
    if (
      moved === null ||
      defaultPorts[moved.protocol] === undefined ||
      moved.username !== '' ||
      moved.hostname === ''
    ) {
      return {
        why: `relabel_configs make "${told('__scheme__')}://${told('__address__')}${path}", which cannot be scraped`,
      };
    }
    url.href = moved.href;
  }
  for (const [name, value] of after) {
    if (name.startsWith('__param_') && before.get(name) !== value) url.searchParams.set(name.slice(8), value);
  }
  for (const name of before.keys()) {
    if (name.startsWith('__param_') && !after.has(name)) url.searchParams.delete(name.slice(8));
  }
  return { url, intervalMs: interval.value, timeoutMs: timeout.value };
}

function requestOf(config: PromInputConfig, timeoutMs: number): Target['request'] {
  const headers: Record<string, string> = {};
  if (config.auth?.token !== undefined) headers['authorization'] = `Bearer ${config.auth.token.reveal()}`;
  for (const [name, value] of Object.entries(config.http_headers)) headers[name.toLowerCase()] = value.reveal();
  return {
    headers,
    tokenFile: config.auth?.token_file,
    timeoutMs,
    limitBytes: config.body_size_limit,
    protocols: config.scrape_protocols,
    asksForGzip: config.enable_compression,
    fallsBackToText: config.fallback_to_text,
  };
}

function fingerprintOf(target: Omit<Target, 'fingerprint'>, config: PromInputConfig): string {
  const { url, labels, request, connection } = target;
  const told = JSON.stringify([url.href, [...labels].sort(), request, connection, config]);
  return createHash('sha256').update(told).digest('base64');
}
