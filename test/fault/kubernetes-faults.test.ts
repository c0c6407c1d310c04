/** Pods through everything that goes wrong between an agent and the API server, in any order; `TRAWL_KUBERNETES_SECONDS` for long in real time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createSecret } from '../../src/config/secret.ts';
import { createKubernetesPods } from '../../src/discovery/kubernetes/index.ts';
import type { Clock } from '../../src/pipeline/component.ts';
import type { PodSource } from '../../src/pipeline/pod-source.ts';
import { createFakeHost, realClock, until } from '../fixtures/fake-host.ts';
import { type Fault, type KubernetesApi, podObject, startKubernetesApi } from '../fixtures/kubernetes/index.ts';
import { createRandom } from '../fixtures/random.ts';

const realSeconds = Number(process.env['TRAWL_KUBERNETES_SECONDS'] ?? 0);
const seed = Number(process.env['TRAWL_KUBERNETES_SEED'] ?? 1);

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Time that passes `factor` times as fast as on the wall, so that minutes of silence and back-off fit into a test. */
const createFastClock = (factor: number): Clock => ({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now() * factor,
  sleep: (delayMs, signal) => realClock.sleep(delayMs / factor, signal),
});

interface Oracle {
  /** What a consumer that only listens believes. */
  readonly told: ReadonlySet<string>;
  /** Uids that were told to be gone while the API server still had them, and no removal was under way. */
  readonly wronglyGone: readonly string[];
}

/** Checks each change against what the server really has. */
function judge(source: PodSource, api: KubernetesApi, removed: ReadonlySet<string>): Oracle {
  const told = new Set<string>();
  const wronglyGone: string[] = [];
  source.subscribe(({ put, gone }) => {
    for (const { uid } of put) told.add(uid);
    for (const { uid } of gone) {
      told.delete(uid);
      const isThere = api.objects.list('pods').some(({ metadata }) => metadata.uid === uid);
      if (isThere || !removed.has(uid)) wronglyGone.push(uid);
    }
  });
  return { told, wronglyGone };
}

function open(api: KubernetesApi, clock: Clock, random: () => number) {
  const host = createFakeHost({ clock });
  cleanups.push(() => host.close());
  const connection = {
    name: api.url,
    credentials: async () => ({ url: api.url, tls: {}, authorization: createSecret(`Bearer ${api.token}`) }),
  };
  const source = createKubernetesPods({
    ...host,
    name: 'discovery.kubernetes',
    connection,
    nodeName: 'node-1',
    keptAnnotations: ['datakit/'],
    random,
  });
  cleanups.push(() => source.stop(AbortSignal.timeout(5000)));
  return { source, host };
}

const uidsOf = (api: KubernetesApi): string[] =>
  api.objects
    .list('pods')
    .map(({ metadata }) => metadata.uid ?? '')
    .sort();

const faults: readonly Fault[] = [
  { kind: 'away' },
  { kind: 'cut', afterMs: 30 },
  { kind: 'end', afterMs: 40 },
  { kind: 'end', afterMs: 0 },
  { kind: 'gone' },
  { kind: 'gone', isStatus: true },
  { kind: 'silent' },
  { kind: 'status', status: 429, retryAfterSeconds: 1 },
  { kind: 'status', status: 503 },
  { kind: 'status', status: 500, body: '{"kind":"Status","message":"etcd"}' },
  { kind: 'no watch list' },
  { kind: 'expired pages' },
];

describe('pods of a cluster', () => {
  it('are known again within two minutes after an API server that was away for ten, and were kept meanwhile', async () => {
    const clock = createFastClock(200);
    const pods = Array.from({ length: 50 }, (_, i) => podObject({ name: `p-${i}`, uid: `uid-${i}` }));
    const api = await startKubernetesApi({ pods });
    cleanups.push(() => api.close());
    const removed = new Set<string>();
    const { source, host } = open(api, clock, createRandom(seed));
    const { told, wronglyGone } = judge(source, api, removed);
    await until('all are known', () => source.pods()?.size === 50);
    const end = api.fault({ kind: 'away' });
    const awayFrom = clock.monotonicMs();
    removed.add('uid-0');
    api.remove('uid-0');
    api.put(podObject({ name: 'new', uid: 'uid-new' }));
    await until('ten minutes have passed', () => clock.monotonicMs() - awayFrom > 600_000);
    expect(source.pods()?.size).toBe(50);
    expect(source.health()).toMatchObject({ isHealthy: false });
    expect(source.health().line).toMatch(/cannot be reached \(.*\); the 50 pods of node-1 known before are kept$/);
    end();
    const backAt = clock.monotonicMs();
    await until('the new set is there', () => source.pods()?.has('uid-new') === true && !source.pods()?.has('uid-0'));
    expect(clock.monotonicMs() - backAt).toBeLessThan(120_000);
    await until('all is well', () => source.health().isHealthy);
    expect([...told].sort()).toEqual(uidsOf(api));
    expect(wronglyGone).toEqual([]);
    // Twenty attempts in ten minutes at least; said once.
    expect(host.meterCalls.filter((call) => call.kind === 'failed').length).toBeGreaterThan(15);
    expect(host.logLines.filter((line) => line.level >= 40).length).toBeLessThan(6);
  });

  it(
    `are in the end those that there are, whatever went wrong before (seed ${seed})`,
    async () => {
      const random = createRandom(seed);
      const clock = realSeconds > 0 ? realClock : createFastClock(50);
      const lastsMs = realSeconds > 0 ? realSeconds * 1000 : 4000;
      const api = await startKubernetesApi();
      cleanups.push(() => api.close());
      const removed = new Set<string>();
      const { source } = open(api, clock, random);
      const { told, wronglyGone } = judge(source, api, removed);
      let count = 0;
      const change = (): void => {
        const uids = uidsOf(api);
        const uid = uids[Math.floor(random() * uids.length)];
        if (uid !== undefined && random() < 0.45) {
          removed.add(uid);
          api.remove(uid);
        } else {
          count++;
          // Names come back with other uids.
          const name = `p-${Math.floor(random() * 40)}`;
          const before = api.pod('shop', name)?.metadata.uid;
          if (before !== undefined) removed.add(before);
          api.put(podObject({ name, uid: `uid-${count}`, annotations: { 'datakit/n': String(count) } }));
        }
        if (random() < 0.02) api.restart();
        if (random() < 0.02) api.rotateToken();
      };
      const endAt = performance.now() + lastsMs;
      while (performance.now() < endAt) {
        const fault = random() < 0.7 ? faults[Math.floor(random() * faults.length)] : undefined;
        const end = fault === undefined ? () => {} : api.fault(fault);
        for (let i = 0; i < 10; i++) {
          change();
          await sleep(realSeconds > 0 ? random() * 3000 : random() * 30);
        }
        end();
      }
      const isEqual = () => {
        const ours = [...(source.pods()?.keys() ?? [])].sort().join();
        return ours === uidsOf(api).join();
      };
      await until('both have the same pods', isEqual, realSeconds > 0 ? 240_000 : 15_000);
      expect([...told].sort()).toEqual(uidsOf(api));
      expect(wronglyGone).toEqual([]);
      for (const { metadata } of api.objects.list('pods')) {
        expect(source.pods()?.get(metadata.uid ?? '')?.annotations).toEqual(metadata.annotations);
      }
      expect(count).toBeGreaterThan(20);
    },
    30_000 + realSeconds * 1000 + 240_000,
  );

  it('are known, 5,000 of them, to a watch that is cut over and over', async () => {
    const pods = Array.from({ length: 5000 }, (_, i) =>
      podObject({ name: `p-${i}`, uid: `uid-${i}`, nodeName: 'node-1' }),
    );
    const api = await startKubernetesApi({ pods });
    cleanups.push(() => api.close());
    const { source } = open(api, createFastClock(20), createRandom(seed));
    await until('all are known', () => source.pods()?.size === 5000);
    const end = api.fault({ kind: 'cut', afterMs: 100 });
    api.restart();
    for (let i = 0; i < 20; i++) {
      api.put(podObject({ name: `more-${i}`, uid: `uid-more-${i}` }));
      await sleep(20);
    }
    end();
    await until('all are known', () => source.pods()?.size === 5020);
  });
});
