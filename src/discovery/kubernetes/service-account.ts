/** The connection of a pod to its own cluster: address from the environment, CA and token from files that kubelet keeps fresh. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecret } from '../../config/secret.ts';
import type { Clock } from '../../pipeline/component.ts';
import { type Credentials, credentialsAgeMs, type KubernetesConnection } from './connection.ts';

export interface ServiceAccountOptions {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where the files `token` and `ca.crt` are. */
  readonly directory?: string;
}

const standardDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Whether this process runs in a pod: then Kubernetes has put its address into the environment. */
export const isInCluster = (environment: ServiceAccountOptions['environment']): boolean =>
  (environment['KUBERNETES_SERVICE_HOST'] ?? '') !== '';

/** Makes the connection of the pod's own service account. */
export function createServiceAccountConnection(options: ServiceAccountOptions): KubernetesConnection {
  const { clock, environment } = options;
  const directory = options.directory ?? standardDirectory;
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  let latest: { readonly credentials: Credentials; readonly atMs: number } | undefined;

  const read = async (name: string): Promise<string> => {
    const path = join(directory, name);
    try {
      return (await readFile(path, 'utf8')).trim();
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
      throw new Error(
        `cannot read ${path} (${code}); the pod needs a service account and automountServiceAccountToken: true`,
        { cause },
      );
    }
  };
  return {
    name: url,
    async credentials(isRefused) {
      const isFresh = latest !== undefined && clock.monotonicMs() - latest.atMs < credentialsAgeMs;
      if (latest !== undefined && isFresh && !isRefused) return latest.credentials;
      if (host === '') {
        throw new Error('KUBERNETES_SERVICE_HOST is not set, so this is not a pod of a cluster; name a kubeconfig');
      }
      const [token, ca] = await Promise.all([read('token'), read('ca.crt')]);
      if (token === '') throw new Error(`${join(directory, 'token')} is empty; Kubernetes has issued no token`);
      const credentials = { url, tls: { ca }, authorization: createSecret(`Bearer ${token}`) };
      latest = { credentials, atMs: clock.monotonicMs() };
      return credentials;
    },
  };
}
