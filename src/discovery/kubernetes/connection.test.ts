import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock, createFakeHost, realClock, until } from '../../../test/fixtures/fake-host.ts';
import { type KubernetesApi, podObject, startKubernetesApi } from '../../../test/fixtures/kubernetes/index.ts';
import { foreignCert, testTls } from '../../../test/fixtures/kubernetes/tls.ts';
import type { Clock } from '../../pipeline/component.ts';
import type { KubernetesConnection } from './connection.ts';
import { createKubernetesPods } from './index.ts';
import { createKubeconfigConnection } from './kubeconfig.ts';
import { createServiceAccountConnection, isInCluster } from './service-account.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'trawl-account-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openTlsApi(): Promise<KubernetesApi> {
  const api = await startKubernetesApi({
    tls: testTls,
    pods: [podObject({ name: 'a', uid: 'uid-a', ip: '10.0.0.1' })],
  });
  cleanups.push(() => api.close());
  return api;
}

/** A pod's own files, as kubelet mounts them. */
function mountAccount(api: KubernetesApi, clock: Clock, ca: string = testTls.cert) {
  const directory = makeDirectory();
  const writeToken = () => writeFileSync(join(directory, 'token'), `${api.token}\n`);
  writeToken();
  writeFileSync(join(directory, 'ca.crt'), ca);
  const environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) };
  const connection = createServiceAccountConnection({ clock, environment, directory });
  return { directory, connection, writeToken };
}

function watch(connection: KubernetesConnection, clock: Clock) {
  const host = createFakeHost({ clock });
  cleanups.push(() => host.close());
  const source = createKubernetesPods({
    ...host,
    name: 'discovery.kubernetes',
    connection,
    nodeName: 'node-1',
    keptAnnotations: [],
    random: () => 0,
  });
  cleanups.push(() => source.stop(AbortSignal.timeout(5000)));
  return { source, host, size: () => source.pods()?.size ?? 0 };
}

describe('the connection of a pod to its cluster', () => {
  it('takes address, CA and token from where Kubernetes puts them', async () => {
    const api = await openTlsApi();
    const { connection } = mountAccount(api, realClock);
    const { size } = watch(connection, realClock);
    await until('the pod is known', () => size() === 1);
    expect(api.requests[0]?.token).toBe(api.token);
    expect(connection.name).toBe(api.url);
  });

  it('writes an IPv6 address as URLs have it', () => {
    const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    expect(isInCluster(environment)).toBe(true);
    expect(isInCluster({})).toBe(false);
    expect(createServiceAccountConnection({ clock: realClock, environment }).name).toBe('https://[fd00::1]:443');
  });

  it('reads the token again each minute, and at once when it is refused', async () => {
    const api = await openTlsApi();
    const clock = createFakeClock();
    const { connection, writeToken } = mountAccount(api, clock);
    const tokenOf = async (isRefused: boolean) => (await connection.credentials(isRefused)).authorization?.reveal();
    const first = `Bearer ${api.token}`;
    expect(await tokenOf(false)).toBe(first);
    const second = `Bearer ${api.rotateToken()}`;
    writeToken();
    await clock.advance(59_000);
    expect(await tokenOf(false)).toBe(first);
    expect(await tokenOf(true)).toBe(second);
    api.rotateToken();
    writeToken();
    await clock.advance(60_000);
    expect(await tokenOf(false)).toBe(`Bearer ${api.token}`);
  });

  it('goes on through a rotated token without a word', async () => {
    const api = await openTlsApi();
    const { connection, writeToken } = mountAccount(api, realClock);
    const { size, host } = watch(connection, realClock);
    await until('the pod is known', () => size() === 1);
    api.rotateToken();
    writeToken();
    api.restart();
    api.put(podObject({ name: 'b', uid: 'uid-b' }));
    await until('the other is known', () => size() === 2);
    expect(JSON.stringify(host.meterCalls)).not.toContain('401');
    expect(JSON.stringify(host.meterCalls) + JSON.stringify(host.logLines)).not.toContain(api.token);
  });

  it('survives that the token file is away for a while', async () => {
    const api = await openTlsApi();
    const { connection, directory, writeToken } = mountAccount(api, realClock);
    rmSync(join(directory, 'token'));
    const { size, source } = watch(connection, realClock);
    await until('it is said', () => !source.health().isHealthy);
    expect(source.health().line).toBe(
      `cannot read ${join(directory, 'token')} (ENOENT); the pod needs a service account and automountServiceAccountToken: true; no pods are known yet`,
    );
    writeToken();
    await until('the pod is known', () => size() === 1);
  });

  it('refuses a server that its CA has not signed, and takes the CA that is there later', async () => {
    const api = await openTlsApi();
    const clock = createFakeClock();
    const { connection, directory } = mountAccount(api, clock, foreignCert);
    const { size, source } = watch(connection, clock);
    await until('it is said', () => !source.health().isHealthy, 5000);
    expect(source.health().line).toMatch(/cannot be reached \((self-signed certificate|unable to verify)/);
    writeFileSync(join(directory, 'ca.crt'), testTls.cert);
    await clock.advance(61_000);
    await until('the pod is known', async () => {
      await clock.advance(10);
      return size() === 1;
    });
  });

  it('says outside of a cluster that it is not in one', async () => {
    const connection = createServiceAccountConnection({ clock: realClock, environment: {} });
    await expect(connection.credentials(false)).rejects.toThrow(
      'KUBERNETES_SERVICE_HOST is not set, so this is not a pod of a cluster; name a kubeconfig',
    );
  });
});

const kubeconfig = (api: KubernetesApi, user: object) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      {
        name: 'c',
        cluster: { server: api.url, 'certificate-authority-data': Buffer.from(testTls.cert).toString('base64') },
      },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'test', context: { cluster: 'c', user: 'u' } }],
  });

describe('the connection that a kubeconfig describes', () => {
  const write = (text: string): string => {
    const path = join(makeDirectory(), 'config');
    writeFileSync(path, text);
    return path;
  };

  it('takes server, CA and token from the file', async () => {
    const api = await openTlsApi();
    const path = write(kubeconfig(api, { token: api.token }));
    const { size, source } = watch(createKubeconfigConnection({ clock: realClock, path }), realClock);
    await until('the pod is known', () => size() === 1);
    expect(source.health().line).toBe(`1 pod of node-1, as the cluster of ${path} tells`);
  });

  it('runs an exec plugin for the token, and again when the token is refused', async () => {
    const api = await openTlsApi();
    const tokenFile = write(api.token);
    const script = `const t=require('fs').readFileSync(${JSON.stringify(tokenFile)},'utf8');console.log(JSON.stringify({apiVersion:'client.authentication.k8s.io/v1',kind:'ExecCredential',status:{token:t,expirationTimestamp:'2099-01-01T00:00:00Z'}}))`;
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', script] };
    const path = write(kubeconfig(api, { exec }));
    const { size } = watch(createKubeconfigConnection({ clock: realClock, path }), realClock);
    await until('the pod is known', () => size() === 1);
    writeFileSync(tokenFile, api.rotateToken());
    api.restart();
    api.put(podObject({ name: 'b', uid: 'uid-b' }));
    await until('the other is known', () => size() === 2);
  });

  it('says that it cannot go through a proxy', async () => {
    const api = await openTlsApi();
    const path = write(kubeconfig(api, {}).replace('"server"', '"proxy-url":"http://127.0.0.1:1","server"'));
    const { credentials } = createKubeconfigConnection({ clock: realClock, path });
    await expect(credentials(false)).rejects.toThrow(
      `${path} names a proxy-url for its cluster, which Trawl cannot use`,
    );
  });

  it('says that http:// is not used unless the file allows it', async () => {
    const api = await openTlsApi();
    const plain = kubeconfig(api, { token: 'x' }).replace('https:', 'http:');
    const credentialsOf = (text: string) =>
      createKubeconfigConnection({ clock: realClock, path: write(text) }).credentials(false);
    await expect(credentialsOf(plain)).rejects.toThrow('reaches its cluster by http://');
    const allowed = plain.replace('"server"', '"insecure-skip-tls-verify":true,"server"');
    expect((await credentialsOf(allowed)).url).toMatch(/^http:/);
  });

  it('says which file, context or user is at fault, and nothing that a plugin printed', async () => {
    const api = await openTlsApi();
    const failing = (path: string, context = '') =>
      createKubeconfigConnection({ clock: realClock, path, context }).credentials(false);
    await expect(failing('/nowhere/config')).rejects.toThrow('cannot read /nowhere/config (ENOENT)');
    const path = write(
      kubeconfig(api, { exec: { command: process.execPath, args: ['-e', 'console.error("secret");process.exit(1)'] } }),
    );
    await expect(failing(path, 'other')).rejects.toThrow(`${path} has no context "other"; it has test`);
    await expect(failing(path)).rejects.toThrow(
      `the credentials of user "u" in ${path} cannot be had; try kubectl with it`,
    );
  });
});
