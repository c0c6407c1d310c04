import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeHost, createFakeIntake, type FakeHost, realClock, until } from '../../../test/fixtures/fake-host.ts';
import { type MainConfig, mainConfig } from '../../config/main-config.ts';
import { createDiscovery, type Discovery } from './discovery.ts';
import { wantsKubernetes } from './kubernetes-pods.ts';

let directory: string;
let host: FakeHost;
let discovery: Discovery;
/** Where components keep their files; a file in its place makes a start fail. */
let dataDirectory: string;

const configure = (keys: Readonly<Record<string, unknown>>): MainConfig =>
  mainConfig.parse({ node_name: 'node-1', discovery: { kubernetes: 'off', ...keys } });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trawl-pods-'));
  host = createFakeHost({ clock: realClock });
  dataDirectory = host.dataDirectory;
  discovery = createDiscovery({
    clock: host.clock,
    log: host.log,
    environment: {},
    hostFor: (name) => ({ ...host, name, dataDirectory }),
    acceptFor: () => createFakeIntake(host).accept,
  });
  writeFileSync(
    join(directory, 'shop.yaml'),
    `kind: Pod
metadata:
  name: shop
  annotations:
    prometheus.io/scrape: "true"
    prometheus.io/port: "1"
status: { phase: Running, podIP: 127.0.0.1 }
`,
  );
});

afterEach(async () => {
  await discovery.stopAll(AbortSignal.timeout(5_000));
  host.close();
  rmSync(directory, { recursive: true });
});

const scraped = () =>
  discovery
    .running()
    ?.scraping.targets()
    .map(({ url }) => url) ?? [];

describe('discovery', () => {
  it('is off where no source is named', async () => {
    await discovery.apply(configure({}));
    expect({ running: discovery.running(), health: discovery.health() }).toEqual({ running: undefined, health: [] });
  });

  it('shows itself and its sources as components', async () => {
    await discovery.apply(configure({ directory }));
    await until('the pod is scraped', () => scraped().length === 1);
    expect(discovery.health()).toMatchObject([
      { component: 'discovery', health: { isHealthy: true, line: expect.stringContaining('of 1 targets up') } },
      { component: 'discovery.directory', health: { isHealthy: true, line: expect.stringContaining('1 pod in') } },
    ]);
    expect(discovery.running()?.scraping.targets()[0]?.labels).toMatchObject({ node: 'node-1', namespace: 'default' });
  });

  it('goes on undisturbed where nothing of it changes', async () => {
    await discovery.apply(configure({ directory }));
    const before = discovery.running();
    await discovery.apply(configure({ directory }));
    expect(discovery.running()).toBe(before);
  });

  it('takes a change over, and ends when it is switched off', async () => {
    await discovery.apply(configure({ directory }));
    await until('the pod is scraped', () => scraped().length === 1);
    await discovery.apply(configure({ directory, annotations: ['datakit/prom.instances'] }));
    await until('the manifests are read', () => discovery.running()?.sources[0]?.pods.pods()?.size === 1);
    expect(scraped()).toEqual([]);
    await discovery.apply(configure({}));
    expect(discovery.running()).toBeUndefined();
  });

  it('stays as it was where a change cannot be taken over', async () => {
    await discovery.apply(configure({ directory }));
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    dataDirectory = join(file, 'below');
    await expect(discovery.apply(configure({ directory, max_targets: 7 }))).rejects.toThrow(/ENOTDIR|EEXIST/);
    dataDirectory = host.dataDirectory;
    await until('it runs again', () => discovery.running() !== undefined);
    await until('the pod is scraped', () => scraped().length === 1);
    await discovery.apply(configure({ directory, max_targets: 7 }));
    expect(discovery.running()).toBeDefined();
  });

  it('says what is wrong with a source, and lives', async () => {
    await discovery.apply(configure({ directory: join(directory, 'missing') }));
    await until('it is said', () => discovery.health().some(({ health }) => !health.isHealthy));
    expect(discovery.health()).toMatchObject([
      { component: 'discovery', health: { isHealthy: true } },
      { component: 'discovery.directory', health: { isHealthy: false, line: expect.stringContaining('missing') } },
    ]);
  });
});

describe('Kubernetes', () => {
  const inCluster = { KUBERNETES_SERVICE_HOST: '10.96.0.1' };
  it.each([
    ['auto', '', {}, false],
    ['auto', '', inCluster, true],
    ['auto', '/home/me/.kube/config', {}, true],
    ['on', '', {}, true],
    ['off', '/home/me/.kube/config', inCluster, false],
  ] as const)('with kubernetes = "%s", kubeconfig = "%s" in %j is asked: %s', (kubernetes, kubeconfig, env, wanted) => {
    expect(wantsKubernetes({ kubernetes, kubeconfig }, env)).toBe(wanted);
  });
});
