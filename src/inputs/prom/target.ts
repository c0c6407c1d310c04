/** What one target is and how it is scraped, as its block and whoever discovered it say. */
import { createHash } from 'node:crypto';
import type { PromInputConfig } from './config.ts';
import { type ConnectionRules, connectionRules } from './connections.ts';
import type { LabelRules } from './labels.ts';
import { mergeLabels } from './labels.ts';
import { type NamingRules, nameSeries } from './naming.ts';
import type { SeriesRules } from './series-table.ts';

export interface Target {
  /** Holds no credentials: the configuration refuses them. */
  readonly url: URL;
  /** Where it was named: `inputs.prom#2`, or a pod and its annotation. */
  readonly origin: string;
  /** What was known of it before relabelling. */
  readonly discoveredLabels: ReadonlyMap<string, string>;
  /** The labels that each of its series gets. */
  readonly labels: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string>>;
  readonly tokenFile: string | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly bodyLimitBytes: number;
  readonly sampleLimit: number;
  readonly rules: SeriesRules;
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

/** `host:port`, the port also where the URL leaves it to its scheme. */
export function addressOf(url: URL): string {
  const port = url.port === '' ? (defaultPorts[url.protocol] ?? '0') : url.port;
  return `${url.hostname}:${port}`;
}

/** The targets of a block, each address of `url` and `urls` once: `createTargets(config, { origin: host.name })`. */
export function createTargets(config: PromInputConfig, extras: TargetExtras): readonly MadeTarget[] {
  const urls = config.urls.length > 0 ? config.urls : config.url === undefined ? [] : [config.url];
  return [...new Set(urls)].map((url) => createTarget(url, config, extras));
}

/** The target that a block makes of one address. Pure; the address is taken as it is, whether the block names it or not. */
export function createTarget(address: string, config: PromInputConfig, extras: TargetExtras): MadeTarget {
  const url = URL.parse(address);
  if (url === null) return { kind: 'refused', url: address, why: `"${address}" is no URL` };
  const headers: Record<string, string> = {};
  if (config.auth?.token !== undefined) headers['authorization'] = `Bearer ${config.auth.token.reveal()}`;
  for (const [name, value] of Object.entries(config.http_headers)) headers[name.toLowerCase()] = value.reveal();
  const discoveredLabels = new Map([
    ['job', config.source],
    ['instance', addressOf(url)],
    ...(extras.discovered ?? []),
    ...Object.entries(config.tags),
  ]);
  const labels = new Map([...discoveredLabels].filter(([name]) => !name.startsWith('__')));
  const target = {
    url,
    origin: extras.origin,
    discoveredLabels,
    labels,
    headers,
    tokenFile: config.auth?.token_file,
    intervalMs: config.interval,
    timeoutMs: Math.min(config.timeout, config.interval),
    bodyLimitBytes: config.body_size_limit,
    sampleLimit: config.sample_limit,
    rules: createRules(config, labels),
    connection: connectionRules(config),
    ignoresRequestErrors: config.ignore_req_err,
  };
  return { kind: 'target', target: { ...target, fingerprint: fingerprintOf(target, config) } };
}

function fingerprintOf(target: Omit<Target, 'fingerprint'>, config: PromInputConfig): string {
  const told = JSON.stringify([target.url.href, [...target.labels].sort(), target.headers, config]);
  return createHash('sha256').update(told).digest('base64');
}

function createRules(config: PromInputConfig, targetLabels: ReadonlyMap<string, string>): SeriesRules {
  const patterns = (texts: readonly string[]) => texts.map((text) => new RegExp(text, 'u'));
  const types = new Set<string>(config.metric_types);
  const ignored = patterns(config.metric_name_filter_ignore);
  const wanted = patterns(config.metric_name_filter);
  const labelRules: LabelRules = {
    ignored: new Set(config.tags_ignore),
    ignoredValues: new Map(
      Object.entries(config.ignore_tag_kv_match).map(([label, texts]) => [label, patterns(texts)] as const),
    ),
    renames: new Map(Object.entries(config.tags_rename.mapping)),
    renameOverwrites: config.tags_rename.overwrite_exist_tags,
    honorsScraped: config.honor_labels,
  };
  const naming: NamingRules = {
    measurements: config.measurements,
    measurementName: config.measurement_name,
    measurementPrefix: config.measurement_prefix,
    keepsExistingName: config.keep_exist_metric_name,
  };
  return {
    keeps: ({ family, type }) =>
      (types.size === 0 || types.has(type)) &&
      !ignored.some((pattern) => pattern.test(family)) &&
      (wanted.length === 0 || wanted.some((pattern) => pattern.test(family))),
    labels: ({ labels }) => mergeLabels(labels, targetLabels, labelRules),
    names: ({ name, family }) => nameSeries(name, family, naming),
    honorsTimestamps: config.honor_timestamps,
  };
}
