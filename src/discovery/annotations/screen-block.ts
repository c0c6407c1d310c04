/** Which keys of `[[inputs.prom]]` a pod's annotation may hold: what reads files, sends credentials or weakens TLS is the operator's alone. */
import type { z } from 'zod';
import { parseDurationMs, parseSizeBytes } from '../../config/quantity.ts';
import { keysOf, unwrap } from '../../config/schema-walk.ts';
import { isTable, type Table } from '../../config/toml-document.ts';
import type { RefusalReason } from './finding.ts';

/** What is wrong with a block, and at which of its keys. */
export interface BlockFault {
  readonly path: readonly string[];
  /** Undefined for a warning. */
  readonly refused: RefusalReason | undefined;
  readonly message: string;
}

/** The keys that may stand there. One that the input gets later may not, until it is added here. */
const allowedKeys: ReadonlySet<string> = new Set([
  'url',
  'urls',
  'interval',
  'timeout',
  'source',
  'measurement_name',
  'measurement_prefix',
  'measurements',
  'keep_exist_metric_name',
  'metric_types',
  'metric_name_filter',
  'metric_name_filter_ignore',
  'tags',
  'tags_ignore',
  'tags_rename',
  'ignore_tag_kv_match',
  'http_headers',
  'honor_timestamps',
  'ignore_req_err',
  'server_name',
  'track_timestamps_staleness',
  'scrape_protocols',
  'fallback_to_text',
  'enable_compression',
  'extra_scrape_metrics',
  'body_size_limit',
  'sample_limit',
  'series_limit',
  'label_limit',
  'label_name_length_limit',
  'label_value_length_limit',
]);

const credentials = 'it makes the agent send credentials';
const files = 'it makes the agent read files of its own';
const names = "its series could pass for another pod's";

/** The keys that may not, each with the reason. Some are DataKit's alone. */
const forbiddenKeys: Readonly<Record<string, string>> = {
  uds_path: 'it opens a socket of the node',
  auth: credentials,
  bearer_token: credentials,
  bearer_token_file: credentials,
  basic_auth: credentials,
  ca_certs: files,
  cert: files,
  cert_key: files,
  tls_ca: files,
  tls_cert: files,
  tls_key: files,
  ca_certs_base64: credentials,
  cert_base64: credentials,
  cert_key_base64: credentials,
  insecure_skip_verify: 'it switches a check of TLS off',
  output: 'it writes files',
  total_body_size_limit: 'it is for all targets of the agent',
  honor_labels: names,
  relabel_configs: names,
  metric_relabel_configs: names,
};

/** Headers that carry credentials by their name, or that are the connection's own. */
const forbiddenHeader =
  /authorization|cookie|token|secret|passw|api[-_]?key|credential|^(?:host|connection|content-length|expect|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|x-forwarded-.*|forwarded)$/i;

/** Labels that say which pod a series is of; a tag cannot say otherwise. */
export const identityLabels = ['namespace', 'pod', 'node'] as const;

const intervalLimits = { minMs: 1_000, maxMs: 300_000 } as const;
/** An annotation may lower these limits below what the input has by default, not raise them; 0 would be no limit. */
const loweredLimits = [
  'sample_limit',
  'series_limit',
  'label_limit',
  'label_name_length_limit',
  'label_value_length_limit',
] as const;
const maxTags = 40;
/**
 * What the patterns of a block may weigh together: compiling takes about 0.1 ms for 10 of these, and trying a new metric's name on such patterns
 * well below a millisecond. 400 times `[\\pL\\pN]{1000}` in 7 KiB took two seconds for each name.
 */
const maxPatternWeight = 2_000;
const maxPatterns = 100;
/** A class such as `\pL` has hundreds of ranges. */
const unicodeClassWeight = 40;

/** A value that switches nothing on, as samples of DataKit's are full of. */
const isIdle = (value: unknown): boolean =>
  value === '' ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isTable(value) && Object.values(value).every(isIdle));

export interface Screening {
  /** Of the pod that the annotation is on. */
  readonly identity: Readonly<Record<string, string>>;
  /** Of `[[inputs.prom]]`. */
  readonly schema: z.ZodType;
}

/** Looks through a block, takes out what is of no effect, and clamps what is beyond a limit. */
export function screenBlock(block: Table, { identity, schema }: Screening): readonly BlockFault[] {
  return [
    ...screenKeys(block),
    ...screenUnlisted(block, schema),
    ...screenHeaders(block),
    ...screenTags(block, identity),
    ...screenPatterns(block),
    ...screenLimits(block, schema),
    ...findReferences(block, []),
  ];
}

/** Whether somebody has said of a key of the input that it may stand in an annotation, or why it may not. */
export const isDecided = (key: string): boolean => allowedKeys.has(key) || Object.hasOwn(forbiddenKeys, key);

function screenKeys(block: Table): BlockFault[] {
  const faults: BlockFault[] = [];
  for (const [key, value] of Object.entries(block)) {
    const why = Object.hasOwn(forbiddenKeys, key) ? forbiddenKeys[key] : undefined;
    if (why === undefined) continue;
    if (isIdle(value)) delete block[key];
    else {
      const message = `"${key}" may not stand in an annotation: ${why}; take it out, or let the operator write the block into conf.d`;
      faults.push({ path: [key], refused: 'not_allowed', message });
    }
  }
  return faults;
}

/** Keys that the input has and that nobody has decided on. */
function screenUnlisted(block: Table, schema: z.ZodType): BlockFault[] {
  const known = keysOf(schema);
  return Object.keys(block)
    .filter((key) => !isDecided(key) && known?.has(key) === true)
    .map((key) => ({
      path: [key],
      refused: 'not_allowed',
      message: `"${key}" may not stand in an annotation; take it out, or let the operator write the block into conf.d`,
    }));
}

function screenHeaders(block: Table): BlockFault[] {
  const headers = block['http_headers'];
  if (!isTable(headers)) return [];
  const faults: BlockFault[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const path = ['http_headers', name];
    if (typeof value !== 'string') {
      const message = 'a header in an annotation is text: no file and no variable of the agent is read for it';
      faults.push({ path, refused: 'not_allowed', message });
    } else if (forbiddenHeader.test(name)) {
      const message = `the header "${name}" may not stand in an annotation: it carries credentials, or belongs to the connection; take it out`;
      faults.push({ path, refused: 'not_allowed', message });
    }
  }
  return faults;
}

function screenTags(block: Table, identity: Readonly<Record<string, string>>): BlockFault[] {
  const tags = block['tags'];
  if (!isTable(tags)) return [];
  if (Object.keys(tags).length > maxTags) {
    const message = `there are ${Object.keys(tags).length} tags; an annotation may have ${maxTags} a block`;
    return [{ path: ['tags'], refused: 'over_limit', message }];
  }
  const faults: BlockFault[] = [];
  for (const [name, value] of Object.entries(tags)) {
    const path = ['tags', name];
    const own = Object.hasOwn(identity, name) ? identity[name] : undefined;
    const isReserved = identityLabels.some((label) => label === name);
    if (name.startsWith('__')) {
      faults.push({ path, refused: undefined, message: `tags that begin with __ have no effect: "${name}"` });
      delete tags[name];
    } else if (isReserved) {
      if (value !== own) {
        const message = `the tag "${name}" has no effect: it says which pod a series is of${own === undefined ? '' : `, here "${own}"`}`;
        faults.push({ path, refused: undefined, message });
      }
      delete tags[name];
    }
  }
  return faults;
}

/** What a pattern costs to compile and to try: its length as many times as its counted repeats may come to. */
function weightOf(pattern: string): number {
  const classes = pattern.match(/\\[pP]/g)?.length ?? 0;
  const repeats = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)];
  const times = repeats.reduce((product, [, least = '', most = '']) => product * Math.max(1, Number(most || least)), 1);
  return (pattern.length + classes * unicodeClassWeight) * times;
}

function screenPatterns(block: Table): BlockFault[] {
  const { ignore_tag_kv_match: byTag } = block;
  const lists = [
    block['metric_name_filter'],
    block['metric_name_filter_ignore'],
    ...(isTable(byTag) ? Object.values(byTag) : []),
  ];
  const patterns = lists
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .filter((text) => typeof text === 'string');
  const weight = patterns.reduce((sum, text) => sum + weightOf(text), 0);
  if (patterns.length <= maxPatterns && weight <= maxPatternWeight) return [];
  const message =
    patterns.length > maxPatterns
      ? `there are ${patterns.length} patterns; an annotation may have ${maxPatterns} a block`
      : `its patterns are too much to try on every metric: the characters of all of them, each as often as {…} repeats it, come to ${weight}, and ${maxPatternWeight} are taken`;
  const path = ['metric_name_filter', 'metric_name_filter_ignore', 'ignore_tag_kv_match'].find((key) => key in block);
  return [
    {
      path: path === undefined ? [] : [path],
      refused: 'over_limit',
      message: `${message}; write fewer or plainer ones`,
    },
  ];
}

function defaultOf(schema: z.ZodType, key: string): unknown {
  const found = keysOf(schema)?.get(key);
  return found === undefined ? undefined : unwrap(found).defaultValue;
}

function screenLimits(block: Table, schema: z.ZodType): BlockFault[] {
  const faults: BlockFault[] = [];
  const clamp = (key: string, to: unknown, limits = `above ${to}, which an annotation cannot raise`) => {
    block[key] = to;
    faults.push({ path: [key], refused: undefined, message: `"${key}" is ${limits}; ${to} is taken` });
  };
  const interval = parseDurationMs(block['interval']);
  if (interval.ok && interval.value < intervalLimits.minMs) clamp('interval', '1s', 'outside of 1s to 5m');
  if (interval.ok && interval.value > intervalLimits.maxMs) clamp('interval', '5m', 'outside of 1s to 5m');
  for (const key of loweredLimits) {
    const value = block[key];
    const most = defaultOf(schema, key);
    if (typeof value === 'number' && typeof most === 'number' && (value > most || value === 0)) {
      clamp(key, most, value === 0 ? 'no limit at 0' : undefined);
    }
  }
  const body = parseSizeBytes(block['body_size_limit']);
  const most = defaultOf(schema, 'body_size_limit');
  const mostBytes = parseSizeBytes(most);
  if (body.ok && mostBytes.ok && body.value > mostBytes.value) clamp('body_size_limit', most);
  return faults;
}

/** DataKit's way to name a secret, wherever it stands; and names that only look as if they were filled in. */
function findReferences(value: unknown, path: readonly string[]): BlockFault[] {
  if (Array.isArray(value)) return value.flatMap((item) => findReferences(item, path));
  if (isTable(value)) return Object.entries(value).flatMap(([key, below]) => findReferences(below, [...path, key]));
  if (typeof value !== 'string') return [];
  if (/ENC\[/.test(value)) {
    const message = 'a reference to a secret of the agent (ENC[…]) may not stand in an annotation; take it out';
    return [{ path, refused: 'not_allowed', message }];
  }
  const variable = /\$\{?[A-Za-z_]\w*\}?/.exec(value)?.[0];
  const isPattern = path.some((key) => key.startsWith('metric_name_filter') || key === 'ignore_tag_kv_match');
  if (variable === undefined || isPattern) return [];
  const message = `${variable} is not filled in: an annotation knows $IP, $NAMESPACE, $PODNAME and $NODENAME, and no variable of the agent`;
  return [{ path, refused: undefined, message }];
}
