/**
 * What it costs to know 5,000 pods: CPU, peak and lasting memory, heap a pod; by `sendInitialEvents` and in pages. The API server is the
 * tests' own, in a process of its own. `npx tsx --expose-gc bench/experiments/watch-pods.ts [PODS]`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { systemClock } from '../../src/cli/agent/clock.ts';
import { createSecret } from '../../src/config/secret.ts';
import { createKubernetesPods } from '../../src/discovery/kubernetes/index.ts';
import { createMeter } from '../../src/pipeline/meter.ts';
import { type KubernetesObject, startKubernetesApi } from '../../test/fixtures/kubernetes/index.ts';

const [role = 'main', ...rest] = process.argv.slice(2);
const self = fileURLToPath(import.meta.url);
const token = 'bench';

/** A pod with a sidecar and managedFields, 9.5 KB as JSON, of which the agent keeps a tenth. */
function bigPod(i: number): KubernetesObject {
  const app = `svc-${i % 97}`;
  const hash = (i * 2654435761) % 2 ** 32;
  const name = `${app}-${hash.toString(16)}-${i.toString(36)}`;
  const fields = Object.fromEntries(Array.from({ length: 130 }, (_, k) => [`f:field-number-${k}`, { 'f:value': {} }]));
  const container = (which: string, port: number) => ({
    name: which,
    image: `registry.example/${which}:1.2.3`,
    ports: [{ name: `http-${which.slice(0, 5)}`, containerPort: port, protocol: 'TCP' }],
    env: Array.from({ length: 20 }, (_, k) => ({ name: `VARIABLE_${k}`, value: `value-${k}-of-${which}` })),
    resources: { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '10m', memory: '128Mi' } },
  });
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      namespace: `team-${i % 13}`,
      labels: { app, version: 'v1', 'pod-template-hash': hash.toString(16), 'service.istio.io/canonical-name': app },
      annotations: {
        'datakit/prom.instances': `[[inputs.prom]]\n  url = "http://$IP:15020/stats/prometheus"\n  source = "${app}-istio"\n  interval = "60s"\n  [inputs.prom.tags]\n    namespace = "$NAMESPACE"\n`,
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': '15020',
        'prometheus.io/path': '/stats/prometheus',
        'sidecar.istio.io/status': JSON.stringify({
          initContainers: ['istio-init'],
          containers: ['istio-proxy'],
          volumes: ['a', 'b'],
        }),
      },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-${hash.toString(16)}`, controller: true },
      ],
      managedFields: [{ manager: 'kube-controller-manager', operation: 'Update', fieldsV1: { 'f:metadata': fields } }],
    },
    spec: { nodeName: `node-${i % 40}`, containers: [container('app', 9080), container('istio-proxy', 15090)] },
    status: {
      phase: 'Running',
      hostIP: `192.168.1.${i % 40}`,
      podIP: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
      podIPs: [{ ip: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }],
      containerStatuses: [{ name: 'app', ready: true, restartCount: 0, imageID: 'sha256:x'.repeat(8) }],
    },
  };
}

async function serve(pods: number, isOld: boolean): Promise<void> {
  const api = await startKubernetesApi({ token, pods: Array.from({ length: pods }, (_, i) => bigPod(i)) });
  if (isOld) api.fault({ kind: 'no watch list' });
  process.stdout.write(`${api.url} ${JSON.stringify(bigPod(1)).length}\n`);
}

const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);

async function watch(url: string, pods: number, way: string): Promise<void> {
  global.gc?.();
  const before = { heap: process.memoryUsage().heapUsed, rss: process.memoryUsage().rss };
  let peak = before.rss;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 5);
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const connection = {
    name: url,
    credentials: async () => ({ url, tls: {}, authorization: createSecret(`Bearer ${token}`) }),
  };
  const source = createKubernetesPods({
    name: 'bench',
    clock: systemClock,
    log: pino({ level: 'silent' }),
    meter: createMeter(new Registry(), Date.now),
    connection,
    nodeName: '',
    keptAnnotations: ['datakit/prom.instances', 'trawl/prom.instances', 'prometheus.io/'],
  });
  while (source.pods()?.size !== pods) await sleep(2);
  const ms = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(sampler);
  await sleep(1500);
  global.gc?.();
  await sleep(500);
  const after = process.memoryUsage();
  const heapBytesAPod = Math.round((after.heapUsed - before.heap) / pods);
  console.log(
    JSON.stringify({
      way,
      pods,
      ms: Math.round(ms),
      cpuMs: Math.round((user + system) / 1000),
      startMiB: mib(before.rss),
      peakMiB: mib(Math.max(peak, before.rss)),
      laterMiB: mib(after.rss),
      heapBytesAPod,
    }),
  );
  await source.stop(AbortSignal.timeout(1000));
}

async function measure(pods: number, way: 'watch list' | 'pages', nodePath: readonly string[]): Promise<void> {
  const run = (...args: string[]) =>
    spawn(process.execPath, [...nodePath, self, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const server = run('serve', String(pods), String(way === 'pages'));
  const [line] = await once(server.stdout, 'data');
  const [url = '', bytesAPod] = String(line).trim().split(' ');
  const client = run('watch', url, String(pods), way);
  client.stdout.on('data', (text) =>
    process.stdout.write(`${String(text).trim().replace(/}$/, '')},"jsonBytesAPod":${bytesAPod}}\n`),
  );
  await once(client, 'close');
  server.kill();
}

if (role === 'serve') await serve(Number(rest[0]), rest[1] === 'true');
else if (role === 'watch') await watch(rest[0] ?? '', Number(rest[1]), rest[2] ?? '');
else {
  const pods = role === 'main' ? 5000 : Number(role);
  for (const way of ['watch list', 'pages'] as const) await measure(pods, way, ['--expose-gc', ...process.execArgv]);
}
