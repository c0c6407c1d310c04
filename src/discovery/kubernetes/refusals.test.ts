import { describe, expect, it, vi } from 'vitest';
import { createFakeClock, realClock, until } from '../../../test/fixtures/fake-host.ts';
import { openApi, shop, watch } from '../../../test/fixtures/kubernetes/watched-pods.ts';
import { createSecret } from '../../config/secret.ts';
import type { KubernetesConnection } from './connection.ts';

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
        'the 1 pod of node-1 known before is kept',
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
