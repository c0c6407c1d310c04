/** The connection that a kubeconfig file describes, its exec plugins and token files included; for agents outside of a cluster. */
import type { RequestOptions } from 'node:https';
import { createSecret, type Secret } from '../../config/secret.ts';
import type { Clock } from '../../pipeline/component.ts';
import { type Credentials, credentialsAgeMs, type KubernetesConnection, type TlsCredentials } from './connection.ts';

export interface KubeconfigOptions {
  readonly clock: Clock;
  /** The file; '' for what `KUBECONFIG` or `~/.kube/config` name. */
  readonly path: string;
  /** One of the file's contexts; '' for its current one. */
  readonly context?: string;
}

/** Makes the connection. The client library costs 60 MiB of memory to import, so that happens when it is asked for credentials. */
export function createKubeconfigConnection(options: KubeconfigOptions): KubernetesConnection {
  const { clock, path, context = '' } = options;
  const name = path === '' ? 'the cluster of the standard kubeconfig' : `the cluster of ${path}`;
  let latest: { readonly credentials: Credentials; readonly atMs: number } | undefined;
  return {
    name,
    async credentials(isRefused) {
      const isFresh = latest !== undefined && clock.monotonicMs() - latest.atMs < credentialsAgeMs;
      if (latest !== undefined && isFresh && !isRefused) return latest.credentials;
      const credentials = await readCredentials(path, context);
      latest = { credentials, atMs: clock.monotonicMs() };
      return credentials;
    },
  };
}

async function readCredentials(path: string, context: string): Promise<Credentials> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const file = path === '' ? 'the standard kubeconfig' : path;
  try {
    if (path === '') config.loadFromDefault();
    else config.loadFromFile(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'not a kubeconfig';
    throw new Error(`cannot read ${file} (${code})`, { cause });
  }
  if (context !== '') {
    if (config.getContextObject(context) === null) {
      const there = config.getContexts().map((each) => each.name);
      throw new Error(`${file} has no context "${context}"; it has ${there.join(', ') || 'none'}`);
    }
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${file} names no current cluster; set its current-context or name a context`);
  if (cluster.proxyUrl !== undefined && cluster.proxyUrl !== '') {
    throw new Error(
      `${file} names a proxy-url for its cluster, which Trawl cannot use; name a cluster that is reached directly`,
    );
  }
  if (cluster.server.startsWith('http:') && !cluster.skipTLSVerify) {
    // The library refuses it too, in words that speak of credentials only below.
    throw new Error(
      `${file} reaches its cluster by http://, which anybody on the way can read; name https://, or set insecure-skip-tls-verify: true there`,
    );
  }
  const request: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(request);
  } catch (cause) {
    // What an exec plugin printed may hold anything: it is not repeated.
    const user = config.getCurrentUser()?.name ?? '';
    throw new Error(`the credentials of user "${user}" in ${file} cannot be had; try kubectl with it`, { cause });
  }
  return {
    url: cluster.server,
    tls: tlsOf(request, cluster.skipTLSVerify, cluster.tlsServerName),
    authorization: authorizationOf(request),
  };
}

function tlsOf(request: RequestOptions, isUnverified: boolean, serverName: string | undefined): TlsCredentials {
  const ca = pemOf(request.ca);
  const cert = pemOf(request.cert);
  const key = pemOf(request.key);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined || serverName === '' ? {} : { serverName }),
    ...(isUnverified ? { isUnverified } : {}),
  };
}

const pemOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : Buffer.isBuffer(value) ? value.toString('utf8') : undefined;

function authorizationOf(request: RequestOptions): Secret | undefined {
  if (typeof request.auth === 'string') return createSecret(`Basic ${Buffer.from(request.auth).toString('base64')}`);
  const headers = request.headers;
  if (headers === undefined || Array.isArray(headers)) return undefined;
  const value = Object.entries(headers).find(([key]) => key.toLowerCase() === 'authorization')?.[1];
  return typeof value === 'string' ? createSecret(value.trim()) : undefined;
}
