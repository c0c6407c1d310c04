import { describe, expect, it } from 'vitest';
import { createFakeClock, realClock, until } from '../../../test/fixtures/fake-host.ts';
import { openApi, shop, watch } from '../../../test/fixtures/kubernetes/watched-pods.ts';

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
    expect(source.health()).toEqual({ isHealthy: true, line: `1 pod of node-1, as ${api.url} tells` });
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
      line: `${api.url} ended a watch as soon as it had begun; the 1 pod of node-1 known before is kept`,
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
