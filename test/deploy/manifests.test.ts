import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseDockerfile, parseEnv } from '../../scripts/dockerfile.ts';
import { kinds } from '../../src/cli/agent/kinds.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import {
  createSchemaCheck,
  deployDirectory,
  kustomizations,
  manifestsOf,
  parseManifest,
  readKustomization,
} from './manifests.ts';

const versions = ['1.28', '1.37'];
const all = kustomizations().flatMap((folder) => manifestsOf(folder));
const named = all.map((manifest) => {
  const { kind, metadata } = manifest.object;
  return [`${manifest.file}: ${kind} ${metadata.name}`, manifest] as const;
});
const find = (kind: string, name: string) => {
  const found = all.find(({ object }) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found.object;
};

const mount = z.looseObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() });
const probe = z.looseObject({ httpGet: z.looseObject({ path: z.string(), port: z.string() }) });
const podSpec = z.looseObject({
  serviceAccountName: z.string().optional(),
  automountServiceAccountToken: z.boolean().optional(),
  hostNetwork: z.boolean().optional(),
  hostPID: z.undefined().optional(),
  hostIPC: z.undefined().optional(),
  securityContext: z.looseObject({
    runAsUser: z.number(),
    seccompProfile: z.looseObject({ type: z.literal('RuntimeDefault') }),
  }),
  containers: z.array(
    z.looseObject({
      image: z.literal('trawl'),
      args: z.array(z.string()),
      env: z.array(z.unknown()).optional(),
      ports: z.array(z.looseObject({ name: z.string(), containerPort: z.number() })),
      startupProbe: probe,
      readinessProbe: probe,
      livenessProbe: probe,
      resources: z.looseObject({
        requests: z.looseObject({ cpu: z.string(), memory: z.string() }),
        limits: z.looseObject({ cpu: z.string(), memory: z.string() }),
      }),
      securityContext: z.strictObject({
        allowPrivilegeEscalation: z.literal(false),
        privileged: z.literal(false),
        readOnlyRootFilesystem: z.literal(true),
        capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
      }),
      volumeMounts: z.array(mount),
    }),
  ),
  volumes: z.array(z.looseObject({ name: z.string() })),
});
const workload = z.looseObject({ spec: z.looseObject({ template: z.looseObject({ spec: podSpec }) }) });
const podOf = (kind: string, name: string) => workload.parse(find(kind, name)).spec.template.spec;
const workloads = [
  ['DaemonSet', 'trawl-agent'],
  ['Deployment', 'trawl-cluster-agent'],
  ['StatefulSet', 'trawl-store'],
] as const;

describe.each(versions)('the manifests under Kubernetes %s', (version) => {
  const check = createSchemaCheck(version);

  it.each(named)('have only fields that the server knows, of the right types: %s', (_title, { object }) => {
    expect(check(object)).toEqual([]);
  });

  it('would be refused with an unknown field, a wrong type or a missing part', () => {
    const [found] = parseManifest(`
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: x }
spec:
  selector: {}
  template:
    spec:
      containers: [{ name: a, imagePullPolice: Always, ports: [{ containerPort: http }] }]`);
    if (found === undefined) throw new Error('no object');
    const faults = check(found).join('\n');
    expect(faults).toContain('imagePullPolice');
    expect(faults).toContain('/spec/template/spec/containers/0/ports/0/containerPort');
    expect(check({ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'x' }, spec: {} }).join()).toContain(
      'selector',
    );
    expect(check({ apiVersion: 'v1', kind: 'Daemon', metadata: { name: 'x' } }).join()).toContain('not known');
  });
});

describe('the kustomizations', () => {
  it.each(kustomizations())('name files that are there, each once, and one namespace: %s', (folder) => {
    const { resources, namespace } = readKustomization(folder);
    expect(new Set(resources).size).toBe(resources.length);
    const namespaces = manifestsOf(folder).flatMap(({ object }) => object.metadata.namespace ?? []);
    expect(namespaces.filter((each) => each !== namespace)).toEqual([]);
  });

  it('hold no object twice, and no Secret: its values are made where it is applied', () => {
    const ids = all.map(({ object }) => `${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`);
    expect(new Set(ids).size).toBe(ids.length);
    expect(all.filter(({ object }) => object.kind === 'Secret')).toEqual([]);
  });

  it('allow the agent to read pods, and nothing else', () => {
    expect(all.filter(({ object }) => /Role$/.test(object.kind)).map(({ object }) => object['rules'])).toEqual([
      [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }],
    ]);
    expect(find('ClusterRoleBinding', 'trawl-agent')).toMatchObject({
      roleRef: { kind: 'ClusterRole', name: 'trawl-agent' },
      subjects: [{ kind: 'ServiceAccount', name: 'trawl-agent', namespace: 'trawl' }],
    });
  });
});

describe('the pods', () => {
  it.each(workloads)('of %s %s have no rights beyond their own, and limits and probes', (kind, name) => {
    const pod = podOf(kind, name);
    expect(pod.hostNetwork ?? false).toBe(false);
    for (const { args, volumeMounts, ports } of pod.containers) {
      const volumes = new Set(pod.volumes.map((volume) => volume.name));
      for (const { name: volume } of volumeMounts) expect([...volumes, 'data']).toContain(volume);
      expect(ports.length).toBeGreaterThan(0);
      expect(args[0]).toMatch(/^(agent|store)$/);
    }
  });

  it('show a token of the API server only where pods are looked for', () => {
    expect(workloads.map(([kind, name]) => podOf(kind, name).automountServiceAccountToken)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('run as root on the nodes alone, where the logs are root’s, and see of the host the logs, to read, and their own directory', () => {
    const pod = podOf('DaemonSet', 'trawl-agent');
    expect(pod.securityContext.runAsUser).toBe(0);
    const hostPaths = pod.volumes.filter((volume) => 'hostPath' in volume);
    expect(hostPaths.map((volume) => volume['hostPath'])).toEqual([
      { path: '/var/lib/trawl', type: 'DirectoryOrCreate' },
      { path: '/var/log/pods', type: 'Directory' },
    ]);
    const mounts = pod.containers[0]?.volumeMounts ?? [];
    expect(mounts.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath)).toEqual([
      '/var/lib/trawl',
      '/tmp',
    ]);
    expect(podOf('StatefulSet', 'trawl-store').securityContext.runAsUser).not.toBe(0);
    expect(podOf('Deployment', 'trawl-cluster-agent').securityContext.runAsUser).not.toBe(0);
  });

  it('are told their node by the downward API', () => {
    expect(podOf('DaemonSet', 'trawl-agent').containers[0]?.env).toEqual([
      { name: 'TRAWL_NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    ]);
  });

  it('have ports where the Service looks for them', () => {
    const ports = podOf('DaemonSet', 'trawl-agent').containers.flatMap((container) => container.ports);
    const service = z
      .looseObject({
        spec: z.looseObject({ ports: z.array(z.looseObject({ port: z.number(), targetPort: z.string() })) }),
      })
      .parse(find('Service', 'trawl'));
    const reached = service.spec.ports.map(({ port, targetPort }) => {
      const found = ports.find(({ name }) => name === targetPort);
      return [port, found?.containerPort];
    });
    expect(reached).toEqual([
      [9529, 9529],
      [9411, 9411],
      [4317, 4317],
      [4318, 4318],
    ]);
  });
});

/** What a ConfigMap's files and an environment come to. */
async function loadConfigMap(object: Readonly<Record<string, unknown>>, env: Readonly<Record<string, string>>) {
  const files = z.record(z.string(), z.string()).parse(object['data']);
  const directory = await mkdtemp(join(tmpdir(), 'trawl-configmap-'));
  try {
    for (const secret of ['store-token', 'query-token']) await writeFile(join(directory, secret), 'a-token-of-a-test');
    for (const [name, text] of Object.entries(files))
      await writeFile(join(directory, name), text.replaceAll('/etc/trawl/secrets', directory));
    const loaded = await loadConfiguration({ directory, kinds, env, sets: [] });
    const problems = loaded.ok ? [] : loaded.problems;
    expect([...problems, ...loaded.warnings].map((problem) => formatProblem(problem))).toEqual([]);
    if (!loaded.ok) throw new Error('the configuration is refused');
    return loaded.configuration;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The environment that the image brings. */
function imageEnvironment(): Readonly<Record<string, string>> {
  const stages = parseDockerfile(readFileSync(join(deployDirectory, '../Dockerfile'), 'utf8'));
  const set = stages.at(-1)?.instructions.filter(({ name }) => name === 'ENV') ?? [];
  return Object.assign({}, ...set.map((instruction) => parseEnv(instruction)));
}

const literalVariable = z.object({ name: z.string(), value: z.string() });

/** What a workload's container sets itself, beside what the API server fills in. */
function ownEnvironment(kind: string, name: string): Readonly<Record<string, string>> {
  const entries = podOf(kind, name).containers.flatMap(({ env = [] }) => env);
  const literal = entries.map((entry) => literalVariable.safeParse(entry)).flatMap(({ data }) => data ?? []);
  return Object.fromEntries(literal.map((variable) => [variable.name, variable.value]));
}

describe('the configuration in the ConfigMaps', () => {
  const maps = all.filter(({ object }) => object.kind === 'ConfigMap');

  it.each(maps.map(({ object }) => [object.metadata.name, object] as const))(
    'is taken without a problem or a warning: %s',
    async (_name, object) => {
      await loadConfigMap(object, {});
    },
  );

  it.each(workloads.filter(([, name]) => name !== 'trawl-store'))(
    'and the image together open the ports that are declared, and no others: %s %s',
    async (kind, name) => {
      const { main } = await loadConfigMap(find('ConfigMap', name), {
        ...imageEnvironment(),
        ...ownEnvironment(kind, name),
      });
      const { listen, zipkin_listen, otlp_grpc_listen, otlp_listen } = main.http;
      const addresses = [listen, zipkin_listen, otlp_grpc_listen, otlp_listen].filter((address) => address !== '');
      const declared = podOf(kind, name).containers.flatMap(({ ports }) => ports);
      expect(addresses).toEqual(declared.map(({ containerPort }) => `0.0.0.0:${containerPort}`));
      expect(main.store.data_directory).toBe('/var/lib/trawl');
    },
  );

  it.each(maps.map(({ object }) => [object.metadata.name, object] as const))(
    'sets nothing that the image sets, which would have no effect: %s',
    (_name, object) => {
      const keys = Object.keys(imageEnvironment()).map((name) => name.toLowerCase());
      const main = z.object({ 'trawl.conf': z.string() }).parse(object['data'])['trawl.conf'];
      let section = '';
      const set = main.split('\n').flatMap((line) => {
        section = /^\s*\[(\w+)\]/.exec(line)?.[1] ?? section;
        const key = /^\s*(\w+)\s*=/.exec(line)?.[1];
        return key === undefined ? [] : [`trawl_${section}_${key}`];
      });
      expect(set.filter((key) => keys.includes(key))).toEqual([]);
    },
  );

  it('scrapes istiod from one place only', () => {
    const scraping = maps.filter(({ object }) => JSON.stringify(object['data']).includes('istiod'));
    expect(scraping.map(({ object }) => object.metadata.name)).toEqual(['trawl-cluster-agent']);
    expect(find('Deployment', 'trawl-cluster-agent')).toMatchObject({
      spec: { replicas: 1, strategy: { type: 'Recreate' } },
    });
  });
});
