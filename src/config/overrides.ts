/** Settings from outside the files: `--set KEY=VALUE`, `TRAWL_*`, and DataKit's `ENV_*` names where they have a counterpart. */
import toml from 'toml';
import type { z } from 'zod';
import { mainConfig } from './main-config.ts';
import { keysOf, type Path, shapeOf } from './schema-walk.ts';
import { type Environment, isTable, type Table } from './toml-document.ts';

/** A setting as text, and the key it is for. */
export interface TextSetting {
  readonly source: 'environment' | '--set';
  readonly label: string;
  readonly path: Path;
  readonly text: string;
}

/** The host as DataKit's `__datakit_hostname` and `__datakit_ip` name it. */
export interface HostNames {
  readonly hostname: string;
  readonly ip: string;
}

/** Every key of the main file that takes a value, e.g. `['store', 'retention']`. */
export function mainKeyPaths(schema: z.ZodType = mainConfig, base: Path = []): Path[] {
  const paths: Path[] = [];
  for (const [key, below] of keysOf(schema) ?? []) {
    const path = [...base, key];
    if (shapeOf(below) === 'table') paths.push(...mainKeyPaths(below, path));
    else paths.push(path);
  }
  return paths;
}

/** `['store', 'retention']` → `TRAWL_STORE_RETENTION`. */
export const variableName = (path: Path): string => `TRAWL_${path.join('_').toUpperCase()}`;

/** What Kubernetes puts into every container's environment for a Service whose name begins with `trawl`. */
const serviceLink =
  /^TRAWL_(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

/** The `TRAWL_*` variables of an environment: those that are settings, and the names of those that are not. */
export function trawlVariables(
  env: Environment,
  others: readonly string[],
): { readonly settings: readonly TextSetting[]; readonly unknown: readonly string[] } {
  const paths = new Map(mainKeyPaths().map((path) => [variableName(path), path]));
  const settings: TextSetting[] = [];
  const unknown: string[] = [];
  for (const [name, text] of Object.entries(env).sort()) {
    if (!name.startsWith('TRAWL_') || text === undefined) continue;
    const path = paths.get(name);
    if (path !== undefined) settings.push({ source: 'environment', label: name, path, text });
    else if (!serviceLink.test(name) && !others.includes(name)) unknown.push(name);
  }
  return { settings, unknown };
}

/** The names of all `TRAWL_*` settings. */
export const trawlVariableNames = (): string[] => mainKeyPaths().map(variableName);

/** DataKit's variables and the key each sets; where several set one key, the last wins. */
export const dataKitVariables: readonly (readonly [name: string, path: Path])[] = [
  ['ENV_HTTP_LISTEN', ['http', 'listen']],
  ['ENV_HTTP_TIMEOUT', ['http', 'request_timeout']],
  ['ENV_LOG_LEVEL', ['log', 'level']],
  ['NODE_NAME', ['node_name']],
  ['ENV_K8S_NODE_NAME', ['node_name']],
  ['ENV_K8S_CLUSTER_NODE_NAME', ['node_name']],
  // The one before may name the cluster as well: Kubernetes knows the node by these alone.
  ['NODE_NAME', ['discovery', 'node']],
  ['ENV_K8S_NODE_NAME', ['discovery', 'node']],
  ['ENV_GLOBAL_TAGS', ['global_tags']],
  ['ENV_GLOBAL_HOST_TAGS', ['global_tags']],
  ['ENV_CLUSTER_NAME_K8S', ['global_tags', 'cluster_name_k8s']],
];

/** DataKit's variables that users commonly set and that have no counterpart. */
export const dataKitVariablesWithoutCounterpart: Readonly<Record<string, string>> = {
  ENV_DATAWAY: 'nothing is forwarded to DataWay; data is kept here and goes to [[outputs.…]]',
  ENV_DATAKIT_INPUTS: 'inputs are read from files',
  ENV_GLOBAL_ELECTION_TAGS: 'there is no election',
  ENV_ENABLE_ELECTION: 'there is no election',
  ENV_IO_FILTERS: 'nothing is filtered out',
  ENV_HTTP_PUBLIC_APIS: 'use [http] query and query_tokens',
  ENV_REQUEST_RATE_LIMIT: 'use the limits of [http]',
};

/** Settings from DataKit's variables. An empty variable counts as unset, as in DataKit. */
export function dataKitSettings(env: Environment, host: HostNames): TextSetting[] {
  const settings: TextSetting[] = [];
  for (const [name, path] of dataKitVariables) {
    const text = env[name];
    if (text === undefined || text === '') continue;
    const replaced = text
      .replaceAll(/__datakit_hostname|\$datakit_hostname/g, () => host.hostname)
      .replaceAll(/__datakit_ip|\$datakit_ip/g, () => host.ip);
    settings.push({ source: 'environment', label: name, path, text: path[0] === 'global_tags' ? replaced : text });
  }
  return settings;
}

/** A key as `ENV_INPUT_*` spells it: `pathV1` → `PATH_V1`. */
export const snakeUpper = (key: string): string => key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();

export type ParsedSet =
  | { readonly ok: true; readonly setting: TextSetting }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** Takes `inputs.prom[1].interval=10s` apart. */
export function parseSet(argument: string): ParsedSet {
  const equals = argument.indexOf('=');
  const key = equals === -1 ? argument : argument.slice(0, equals);
  // The argument is not repeated when it has no "=": it may be a secret that lost its key.
  if (equals < 1)
    return {
      ok: false,
      message: 'a setting lacks its key or its value',
      hint: 'write --set KEY=VALUE, e.g. --set store.retention=forever',
    };
  const path: (string | number)[] = [];
  for (let rest = key.trim(); rest !== ''; ) {
    const match = /^(?:\.?([A-Za-z0-9_-]+)|\.?"([^"]*)"|\[(\d{1,6})\])/.exec(rest);
    if (match === null || (path.length === 0 && rest.startsWith('.'))) {
      return {
        ok: false,
        message: `"${key}" is not a key`,
        hint: 'write it as in store.retention or inputs.prom[1].interval',
      };
    }
    path.push(match[3] === undefined ? (match[1] ?? match[2] ?? '') : Number(match[3]));
    rest = rest.slice(match[0].length);
  }
  return { ok: true, setting: { source: '--set', label: key.trim(), path, text: argument.slice(equals + 1) } };
}

/** Turns a setting's text into what the schema takes: lists are `a,b`, tables `k=v,k2=v2`, and both may be TOML. */
export function valueFromText(schema: z.ZodType, text: string): unknown {
  const trimmed = text.trim();
  const shape = shapeOf(schema);
  if (/^[[{]/.test(trimmed) && shape !== 'boolean' && shape !== 'number') {
    try {
      const parsed: unknown = toml.parse(`value = ${trimmed}`);
      if (isTable(parsed)) return parsed['value'];
    } catch {
      // Not TOML after all, e.g. a listen address such as [::1]:9529: the schema judges the text.
      return text;
    }
  }
  if (shape === 'boolean' && /^(?:true|false)$/i.test(trimmed)) return trimmed.toLowerCase() === 'true';
  if (shape === 'number' && /^[+-]?\d+(?:\.\d+)?$/.test(trimmed)) return Number(trimmed);
  if (shape === 'array') return trimmed === '' ? [] : trimmed.split(',').map((item) => item.trim());
  if (shape === 'record') {
    const table: Table = Object.create(null);
    for (const pair of trimmed.split(',').filter((item) => item.trim() !== '')) {
      const equals = pair.indexOf('=');
      if (equals === -1) return text;
      table[pair.slice(0, equals).trim()] = pair.slice(equals + 1).trim();
    }
    return table;
  }
  return text;
}

/** Puts a value into a table, making the tables on the way. A table of tags is added to, key by key, rather than replaced. */
export function setAt(root: Table, path: Path, value: unknown): void {
  let at: unknown = root;
  for (const [i, step] of path.entries()) {
    const isLast = i === path.length - 1;
    if (Array.isArray(at) && typeof step === 'number') {
      if (isLast) at[step] = value;
      else at = at[step];
    } else if (isTable(at)) {
      const key = String(step);
      const existing = at[key];
      if (isLast) {
        at[key] = isTable(existing) && isTable(value) ? Object.assign(existing, value) : value;
      } else {
        if (!isTable(existing) && !Array.isArray(existing)) at[key] = Object.create(null);
        at = at[key];
      }
    }
  }
}
