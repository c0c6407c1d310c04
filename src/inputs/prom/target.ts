/** What one target is and how it is scraped, as its configuration says. */
import { readFile } from 'node:fs/promises';
import { Agent, type Dispatcher } from 'undici';
import type { PromInputConfig } from './config.ts';
import type { LabelRules } from './labels.ts';
import { mergeLabels } from './labels.ts';
import { type NamingRules, nameSeries } from './naming.ts';
import type { SeriesRules } from './series-table.ts';

export interface Target {
  /** Holds no credentials: the configuration refuses them. */
  readonly url: URL;
  readonly labels: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string>>;
  readonly tokenFile: string | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly bodyLimitBytes: number;
  readonly sampleLimit: number;
  readonly rules: SeriesRules;
  /** Whether a target that cannot be reached is nothing to log. */
  readonly ignoresRequestErrors: boolean;
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** The targets of a configuration, each address once. */
export function createTargets(config: PromInputConfig): readonly Target[] {
  const urls = config.urls.length > 0 ? config.urls : config.url === undefined ? [] : [config.url];
  return [...new Set(urls)].map((url) => createTarget(new URL(url), config));
}

function createTarget(url: URL, config: PromInputConfig): Target {
  const headers: Record<string, string> = {};
  if (config.auth?.token !== undefined) headers['authorization'] = `Bearer ${config.auth.token.reveal()}`;
  for (const [name, value] of Object.entries(config.http_headers)) headers[name.toLowerCase()] = value.reveal();
  const port = url.port === '' ? (defaultPorts[url.protocol] ?? '0') : url.port;
  const labels = new Map([
    ['job', config.source],
    ['instance', `${url.hostname}:${port}`],
    ...Object.entries(config.tags),
  ]);
  return {
    url,
    labels,
    headers,
    tokenFile: config.auth?.token_file,
    intervalMs: config.interval,
    timeoutMs: Math.min(config.timeout, config.interval),
    bodyLimitBytes: config.body_size_limit,
    sampleLimit: config.sample_limit,
    rules: createRules(config, labels),
    ignoresRequestErrors: config.ignore_req_err,
  };
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

async function readPem(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new Error(`cannot read ${key} "${path}": ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** The connections of a configuration's targets; reads the TLS files that it names. */
export async function openDispatcher(config: PromInputConfig): Promise<Dispatcher> {
  const ca = await Promise.all(config.ca_certs.map((path) => readPem(path, 'ca_certs')));
  const cert = config.cert === '' ? undefined : await readPem(config.cert, 'cert');
  const key = config.cert_key === '' ? undefined : await readPem(config.cert_key, 'cert_key');
  return new Agent({
    // No connection outlives its scrape: one that the target closes meanwhile would cost the next scrape.
    pipelining: 0,
    // The deadline of the whole scrape goes before these.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: Math.min(config.timeout, config.interval),
      rejectUnauthorized: !config.insecure_skip_verify,
      ...(ca.length > 0 ? { ca } : {}),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(config.server_name === '' ? {} : { servername: config.server_name }),
      ...(config.uds_path === '' ? {} : { socketPath: config.uds_path }),
    },
  });
}
