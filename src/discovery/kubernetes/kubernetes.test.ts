import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFakeClock, createFakeHost, type FakeClock, realClock, until } from '../../../test/fixtures/fake-host.ts';
import {
  type KubernetesApi,
  type KubernetesApiOptions,
  podObject,
  startKubernetesApi,
} from '../../../test/fixtures/kubernetes/index.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import { createSecret } from '../../config/secret.ts';
import type { Clock } from '../../pipeline/component.ts';
import type { PodChange, PodSource } from '../../pipeline/pod-source.ts';
import type { KubernetesConnection } from './connection.ts';
import { createKubernetesPods } from './index.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const connectionTo = (api: KubernetesApi): KubernetesConnection => ({
  name: api.url,
  credentials: async () => ({ url: api.url, tls: {}, authorization: createSecret(`Bearer ${api.token}`) }),
});

const isFake = (clock: Clock): clock is FakeClock => 'advance' in clock;

interface Opened {
  readonly source: PodSource;
  readonly changes: PodChange[];
  /** `+name` and `-name` in the order they were told. */
  told(): string[];
  names(): string[];
}

async function openApi(options: KubernetesApiOptions = {}): Promise<KubernetesApi> {
  const api = await startKubernetesApi(options);
  cleanups.push(() => api.close());
  return api;
}

function watch<Time extends Clock>(
  api: KubernetesApi,
  clock: Time,
  options: { nodeName?: string; seed?: number; connection?: KubernetesConnection } = {},
) {
  const host = createFakeHost({ clock });
  cleanups.push(() => host.close());
  const source = createKubernetesPods({
    ...host,
    name: 'discovery.kubernetes',
    connection: options.connection ?? connectionTo(api),
    nodeName: options.nodeName ?? 'node-1',
    keptAnnotations: ['datakit/', 'prometheus.io/'],
    random: createRandom(options.seed ?? 1),
  });
  cleanups.push(() => source.stop(AbortSignal.timeout(5000)));
  const changes: PodChange[] = [];
  source.subscribe((change) => changes.push(change));
  const opened: Opened = {
    source,
    changes,
    told: () =>
      changes.flatMap(({ put, gone }) => [...put.map((pod) => `+${pod.name}`), ...gone.map((pod) => `-${pod.name}`)]),
    names: () => [...(source.pods()?.values() ?? [])].map((pod) => pod.name).sort(),
  };
  /**
   * Turns the clock until it is so; returns how long it took on the clock. While a request waits for its answer, which takes real time, two
   * deadlines are running: then the clock stands still for a while.
   */
  const passUntil = async (what: string, isTrue: () => boolean, atMostMs: number = 600_000, stepMs: number = 100) => {
    if (!isFake(clock)) throw new Error('only a fake clock can be turned');
    const startedMs = clock.monotonicMs();
    let patienceTurns = 500;
    while (!isTrue()) {
      if (clock.monotonicMs() - startedMs > atMostMs) {
        throw new Error(`${atMostMs} ms passed and it was not so that ${what}; ${source.health().line}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (clock.sleepers() > 1 && !isTrue() && patienceTurns-- > 0) continue;
      if (clock.sleepers() === 1) patienceTurns = 500;
      await clock.advance(stepMs);
    }
    return clock.monotonicMs() - startedMs;
  };
  const failures = () => host.meterCalls.flatMap((call) => (call.kind === 'failed' ? [call.why] : []));
  return { ...opened, host, passUntil, failures };
}

const shop = (name: string, more: Partial<Parameters<typeof podObject>[0]> = {}) =>
  podObject({ name, uid: `uid-${name}`, ip: '10.0.0.1', ...more });

describe('pods of a Kubernetes API server', () => {
  it('are those of the node, cut down to what is kept', async () => {
    const api = await openApi({
      pods: [
        shop('a', {
          annotations: { 'datakit/prom.instances': 'x', 'kubectl.kubernetes.io/last-applied-configuration': 'long' },
          labels: { app: 'a' },
          ports: [{ name: 'http', containerPort: 8080 }],
          ownerName: 'a-5d',
        }),
        shop('elsewhere', { nodeName: 'node-2' }),
      ],
    });
    const { source, told } = watch(api, realClock);
    expect(source.pods()).toBeUndefined();
    await until('there is a set', () => source.pods() !== undefined);
    expect([...(source.pods()?.values() ?? [])]).toEqual([
      {
        uid: 'uid-a',
        namespace: 'shop',
        name: 'a',
        nodeName: 'node-1',
        phase: 'Running',
        ip: '10.0.0.1',
        ips: ['10.0.0.1'],
        hostIp: '192.168.50.1',
        isOnHostNetwork: false,
        isBeingDeleted: false,
        labels: { app: 'a' },
        annotations: { 'datakit/prom.instances': 'x' },
        containers: [{ name: 'app', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] }],
        ownerKind: 'ReplicaSet',
        ownerName: 'a-5d',
      },
    ]);
    expect(told()).toEqual(['+a']);
    expect(source.health()).toEqual({ isHealthy: true, line: `1 pods of node-1, as ${api.url} tells` });
  });

  it('are those of all nodes when no node is named', async () => {
    const api = await openApi({ pods: [shop('a'), shop('b', { nodeName: 'node-2' })] });
    const { names } = watch(api, realClock, { nodeName: '' });
    await until('both are known', () => names().length === 2);
    expect(api.requests.every(({ query }) => !query.has('fieldSelector'))).toBe(true);
  });

  it('are told as they come, change, begin to end and go, without any wait on the clock', async () => {
    const api = await openApi();
    // A clock that nobody turns: what needed a timer would never be told.
    const { source, changes, told } = watch(api, createFakeClock());
    await until('the watch is open', () => source.pods() !== undefined);
    api.put(shop('a', { phase: 'Pending', ip: '' }));
    await until('it has come', () => told().length === 1);
    api.put(shop('a'));
    await until('it runs', () => source.pods()?.get('uid-a')?.phase === 'Running');
    const { metadata } = api.pod('shop', 'a') ?? {};
    api.put({
      ...shop('a'),
      metadata: { ...shop('a').metadata, ...metadata, deletionTimestamp: '2026-11-21T09:00:00Z' },
    });
    await until('it is being deleted', () => source.pods()?.get('uid-a')?.isBeingDeleted === true);
    api.put(shop('a', { phase: 'Succeeded' }));
    await until('it has ended', () => source.pods()?.get('uid-a')?.phase === 'Succeeded');
    api.remove('uid-a');
    await until('it is gone', () => source.pods()?.size === 0);
    expect(changes.at(-1)?.gone.map((pod) => pod.uid)).toEqual(['uid-a']);
    expect(told()).toEqual(['+a', '+a', '+a', '+a', '-a']);
  });

  it('are told apart by uid when a name or an address is used again', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { source, told } = watch(api, realClock);
    await until('it is known', () => source.pods()?.size === 1);
    api.put(shop('a', { uid: 'uid-second' }));
    await until('the second one is known', () => source.pods()?.has('uid-second') === true);
    expect([...(source.pods()?.keys() ?? [])]).toEqual(['uid-second']);
    expect(told()).toEqual(['+a', '-a', '+a']);
  });

  it('are not told again for changes that do not concern what is kept', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { source, told } = watch(api, realClock);
    await until('it is known', () => source.pods()?.size === 1);
    api.put(shop('a', { annotations: { 'other/key': '1' } }));
    api.put(shop('b'));
    await until('the later one is known', () => source.pods()?.size === 2);
    expect(told()).toEqual(['+a', '+b']);
  });

  it('resume after each proper end from the last version, without a list', async () => {
    const api = await openApi({ pods: [shop('a')] });
    api.fault({ kind: 'end', afterMs: 1100 });
    const { names, failures } = watch(api, realClock);
    await until('three watches were asked for', () => api.requests.length >= 3);
    api.put(shop('b'));
    await until('the later one is known', () => names().length === 2);
    expect(api.requests.filter(({ query }) => query.has('sendInitialEvents'))).toHaveLength(1);
    expect(failures()).toEqual([]);
  });

  it('are listed in pages of 500 where the server cannot list by watch', async () => {
    const api = await openApi({ pods: Array.from({ length: 1200 }, (_, i) => shop(`p-${i}`)) });
    api.fault({ kind: 'no watch list' });
    const { names, failures, source } = watch(api, realClock);
    await until('all are known', () => names().length === 1200);
    const pages = api.requests.filter(({ query }) => query.has('limit'));
    expect(pages.map(({ query }) => [query.get('limit'), query.has('continue')])).toEqual([
      ['500', false],
      ['500', true],
      ['500', true],
    ]);
    api.put(shop('later'));
    await until('the watch goes on', () => source.pods()?.has('uid-later') === true);
    expect(failures()).toEqual([]);
  });

  it('are listed from the start again when the pages expire in the middle', async () => {
    const api = await openApi({ pods: Array.from({ length: 600 }, (_, i) => shop(`p-${i}`)) });
    api.fault({ kind: 'no watch list' });
    const end = api.fault({ kind: 'expired pages' });
    const { names, passUntil, failures } = watch(api, createFakeClock());
    await passUntil('a page has expired', () => failures().length > 0);
    end();
    await passUntil('all are known', () => names().length === 600);
    expect(failures()[0]).toMatch(
      /no longer has the version to go on from \(410: The provided continue parameter is too old/,
    );
  });

  it('are listed in pages by a server that passes over the wish for a list by watch', async () => {
    const api = await openApi({ pods: [shop('a')] });
    api.fault({ kind: 'no bookmarks' });
    const { names, passUntil, failures, source } = watch(api, createFakeClock());
    const tookMs = await passUntil('all are known', () => names().length === 1);
    expect(tookMs).toBeGreaterThanOrEqual(30_000);
    expect(tookMs).toBeLessThan(35_000);
    expect(failures()).toEqual([`${api.url} has not sent its whole list of pods within 30 s`]);
    api.put(shop('b'));
    await passUntil('the watch goes on', () => source.pods()?.size === 2, 1000);
  });
});

describe('a watch of pods', () => {
  it('lists anew after a 410, as an event or as a status, and misses no pod that went meanwhile', async () => {
    for (const isStatus of [false, true]) {
      const api = await openApi({ pods: [shop('a'), shop('b')] });
      const { names, told, passUntil } = watch(api, createFakeClock());
      await passUntil('both are known', () => names().length === 2);
      const end = api.fault({ kind: 'gone', isStatus });
      api.restart();
      api.remove('uid-a');
      api.put(shop('c'));
      await passUntil('the list is the new one', () => names().join() === 'b,c', 5000);
      end();
      expect(told()).toEqual(['+a', '+b', '+c', '-a']);
    }
  });

  it('slows down in a storm of 410s, and stays well', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { names, passUntil, host, failures } = watch(api, createFakeClock());
    await passUntil('it is known', () => names().length === 1);
    api.fault({ kind: 'gone' });
    const end = api.fault({ kind: 'cut', afterMs: 1 });
    api.restart();
    await passUntil('four minutes have passed', () => host.clock.monotonicMs() > 240_000);
    end();
    const lists = api.requests.filter(({ query }) => query.has('sendInitialEvents')).length;
    expect(lists).toBeGreaterThan(5);
    expect(lists).toBeLessThan(60);
    expect(names()).toEqual(['a']);
    expect(failures().length).toBeGreaterThan(5);
    expect(host.logLines.filter((line) => line.level >= 40).length).toBeLessThan(2 * failures().length);
  });

  it('that is cut every five seconds goes on at once and loses nothing', async () => {
    const api = await openApi();
    api.fault({ kind: 'cut', afterMs: 40 });
    // The cuts come by the server's real time, at which the fake clock has passed some seconds.
    const { names, passUntil } = watch(api, createFakeClock());
    for (let i = 0; i < 10; i++) {
      await passUntil(`pod ${i - 1} is known`, () => names().length === i);
      api.put(shop(`p-${i}`));
    }
    await passUntil('all are known', () => names().length === 10);
    expect(api.requests.filter(({ query }) => query.has('sendInitialEvents')).length).toBeLessThan(4);
  });

  it('that ends as soon as it begins counts as a failure and backs off', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { names, passUntil, host, failures, source } = watch(api, createFakeClock());
    await passUntil('it is known', () => names().length === 1);
    api.fault({ kind: 'end', afterMs: 0 });
    api.restart();
    await passUntil('four minutes have passed', () => host.clock.monotonicMs() > 240_000);
    expect(api.requests.length).toBeLessThan(50);
    expect(failures()).toContain(`${api.url} ended a watch as soon as it had begun`);
    expect(source.health()).toEqual({
      isHealthy: false,
      line: `${api.url} ended a watch as soon as it had begun; the 1 pods of node-1 known before are kept`,
    });
  });

  it('that has fallen silent is taken for dead after 90 s, and after two of them pods are listed anew', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { names, passUntil, failures, source } = watch(api, createFakeClock());
    await passUntil('it is known', () => names().length === 1);
    const end = api.fault({ kind: 'silent' });
    api.put(shop('b'));
    const tookMs = await passUntil('silence is noticed', () => failures().length === 1);
    expect(tookMs).toBeGreaterThan(85_000);
    expect(tookMs).toBeLessThan(95_000);
    expect(failures()[0]).toBe(
      `${api.url} has sent nothing for 90 s, not even a bookmark; the connection is taken for dead`,
    );
    await passUntil('the next request has no answer either', () => failures().length === 2, 60_000);
    expect(failures()[1]).toBe(`${api.url} has not answered for 15 s`);
    expect(source.health().isHealthy).toBe(false);
    end();
    await passUntil('the other one is known', () => names().length === 2, 60_000);
    await passUntil('all is well', () => source.health().isHealthy, 5000);
  });

  it('from a version of the future, which a server answers with silence, ends in a list', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { names, passUntil } = watch(api, createFakeClock());
    await passUntil('it is known', () => names().length === 1);
    // As after a restored backup: the server says nothing and counts from below.
    const end = api.fault({ kind: 'silent' });
    await passUntil('a watch was silent', () => api.openWatches() === 0, 100_000);
    end();
    const listsBefore = api.requests.filter(({ query }) => query.has('sendInitialEvents')).length;
    await passUntil(
      'pods are listed',
      () => api.requests.filter(({ query }) => query.has('sendInitialEvents')).length > listsBefore,
      200_000,
    );
  });

  it('that cannot be read from where it was is not tried for ever: pods are listed anew', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { names, passUntil, failures } = watch(api, createFakeClock());
    await passUntil('it is known', () => names().length === 1);
    api.fault({ kind: 'garbage' });
    api.restart();
    api.put(shop('b'));
    await passUntil('the later one is known', () => names().includes('b'), 120_000);
    expect(failures()).toContain("the API server's watch sent a line that is not JSON");
  });

  it('passes over an object without end', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { names, passUntil, failures } = watch(api, createFakeClock());
    await passUntil('it is known', () => names().length === 1);
    api.put(shop('huge', { annotations: { big: 'x'.repeat(9 * 1024 * 1024) } }));
    api.put(shop('b'));
    await passUntil('the later one is known', () => names().includes('b'));
    expect(failures()[0]).toMatch(/sent an object of 94\d{5} bytes, which is passed over/);
    expect(names()).toEqual(['a', 'b']);
  });
});

describe('an API server that refuses', () => {
  it('by 403 is quoted with the rule that is missing, asked again each 30 to 60 s, and the last good set is kept', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { names, passUntil, host, source, failures } = watch(api, createFakeClock());
    await passUntil('it is known', () => names().length === 1);
    api.setAccount(api.token, { user: 'system:serviceaccount:trawl:agent', rules: [] });
    api.restart();
    await passUntil('it is refused', () => failures().some((why) => why.includes('403')));
    const from = api.requests.length;
    const startedMs = host.clock.monotonicMs();
    await passUntil('ten minutes have passed', () => host.clock.monotonicMs() - startedMs > 600_000, 700_000, 1000);
    expect(api.requests.length - from).toBeGreaterThanOrEqual(9);
    expect(api.requests.length - from).toBeLessThanOrEqual(20);
    expect(source.health()).toEqual({
      isHealthy: false,
      line:
        `${api.url} does not permit it (403: pods is forbidden: User "system:serviceaccount:trawl:agent" cannot watch resource "pods" in API group "" at the cluster scope); ` +
        'the verb "watch" on pods is missing; give system:serviceaccount:trawl:agent a ClusterRole with apiGroups [""], resources ["pods"], verbs ["get", "list", "watch"], by a ClusterRoleBinding; ' +
        'the 1 pods of node-1 known before are kept',
    });
    expect(host.logLines.filter((line) => line.msg.includes('403'))).toHaveLength(1);
  });

  it('by 401 has the token read again at once, so that a rotated one costs nothing', async () => {
    const api = await openApi({ pods: [shop('a')] });
    let read = api.token;
    const asked: boolean[] = [];
    const connection: KubernetesConnection = {
      name: api.url,
      async credentials(isRefused) {
        asked.push(isRefused);
        if (isRefused) read = api.token;
        return { url: api.url, tls: {}, authorization: createSecret(`Bearer ${read}`) };
      },
    };
    const { names, passUntil, failures, source } = watch(api, createFakeClock(), { connection });
    await passUntil('it is known', () => names().length === 1);
    api.rotateToken();
    const end = api.fault({ kind: 'end', afterMs: 0 });
    end();
    api.put(shop('b'));
    api.restart();
    await passUntil('the later one is known', () => names().length === 2, 10_000);
    expect(asked.filter((isRefused) => isRefused)).toHaveLength(1);
    expect(failures().filter((why) => why.includes('401'))).toEqual([]);
    await passUntil('all is well', () => source.health().isHealthy, 5000);
  });

  it('by 401 for good is said, and no token is', async () => {
    const api = await openApi({ pods: [shop('a')], token: 'a-very-secret-token' });
    const { passUntil, failures, source, host } = watch(api, createFakeClock(), {
      connection: {
        name: api.url,
        credentials: async () => ({ url: api.url, tls: {}, authorization: createSecret('Bearer other-secret-token') }),
      },
    });
    api.fault({ kind: 'status', status: 401, body: 'no: Bearer other-secret-token' });
    await passUntil('it has failed', () => failures().length > 2);
    expect(source.health().line).toMatch(/does not take the token \(401: no: \[REDACTED\]\); it has been read anew/);
    expect(source.health().line).toMatch(/no pods are known yet$/);
    expect(JSON.stringify(host.logLines) + failures().join()).not.toContain('secret-token');
  });

  it('by 404 is told what it may be', async () => {
    const api = await openApi();
    api.fault({ kind: 'status', status: 404 });
    const { passUntil, failures, source } = watch(api, createFakeClock());
    await passUntil('it has failed', () => failures().length > 0);
    expect(source.health().line).toBe(
      `${api.url} has no pods to list (404: no); is that address a Kubernetes API server?; no pods are known yet`,
    );
  });

  it('by 429 or 503 is left alone for as long as it wants', async () => {
    for (const status of [429, 503]) {
      const api = await openApi({ pods: [shop('a')] });
      const end = api.fault({ kind: 'status', status, retryAfterSeconds: 20 });
      const { passUntil, failures, names, host } = watch(api, createFakeClock());
      await passUntil('it is refused', () => failures().length === 1);
      end();
      const refusedMs = host.clock.monotonicMs();
      await passUntil('it is known', () => names().length === 1);
      expect(host.clock.monotonicMs() - refusedMs).toBeGreaterThanOrEqual(19_900);
      expect(host.clock.monotonicMs() - refusedMs).toBeLessThan(22_000);
    }
  });

  it('for want of credentials is not even asked, and the file is named', async () => {
    const api = await openApi();
    const { passUntil, failures, source } = watch(api, createFakeClock(), {
      connection: {
        name: api.url,
        credentials: async () => {
          throw new Error('cannot read /x/token (ENOENT)');
        },
      },
    });
    await passUntil('it has failed', () => failures().length > 0);
    expect(source.health().line).toBe('cannot read /x/token (ENOENT); no pods are known yet');
    expect(api.requests).toEqual([]);
  });
});

describe('a source of pods', () => {
  it('writes each way a server fails into the log once until it is back, though they take turns', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { source, host, passUntil, failures } = watch(api, createFakeClock());
    const warn = vi.spyOn(host.log, 'warn');
    await passUntil('there is a set', () => source.pods() !== undefined);
    for (let round = 0; round < 3; round++) {
      for (const status of [500, 503]) {
        const before = failures().length;
        api.fault({ kind: 'status', status });
        if (round === 0 && status === 500) api.restart();
        await passUntil('it has failed once more', () => failures().length > before + 1);
      }
    }
    const said = warn.mock.calls.map(([, text]) => String(text).replaceAll(/\d+/g, '#'));
    expect(said).toEqual([...new Set(said)]);
    expect(said.length).toBeGreaterThan(1);
  });

  it('does not wait without end for a plugin that asks somebody to log in', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const connection = { name: api.url, credentials: () => new Promise<never>(() => {}) };
    const { passUntil, failures, source } = watch(api, createFakeClock(), { connection });
    await passUntil('it has failed', () => failures().length > 0, 20_000);
    expect(failures()[0]).toBe(`no credentials for ${api.url} have come for 15 s`);
    await source.stop(AbortSignal.timeout(1000));
  });

  it('stops without any wait on the clock while a watch is open, and twice', async () => {
    const api = await openApi({ pods: [shop('a')] });
    const { source, told } = watch(api, createFakeClock());
    await until('it is known', () => told().length === 1);
    await source.stop(AbortSignal.timeout(1000));
    await source.stop(AbortSignal.timeout(1000));
    await until('the server sees it', () => api.openWatches() === 0);
  });

  it('stops while a request has no answer, and leaves no sleeper behind', async () => {
    const api = await openApi({ pods: [shop('a')] });
    api.fault({ kind: 'silent' });
    const { source, host } = watch(api, createFakeClock());
    await until('the request is under way', () => host.clock.sleepers() > 1);
    await source.stop(AbortSignal.timeout(1000));
    expect(host.clock.sleepers()).toBe(0);
  });

  it('goes on when a listener throws', async () => {
    const api = await openApi();
    const { source, told, failures } = watch(api, realClock);
    source.subscribe(() => {
      throw new Error('listener');
    });
    await until('the watch is open', () => source.pods() !== undefined);
    api.put(shop('a'));
    api.put(shop('b'));
    await until('both are told', () => told().length === 2);
    expect(failures()).toEqual(Array(2).fill('A listener to changes of pods threw: Error: listener'));
  });
});
