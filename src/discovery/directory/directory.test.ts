import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock, createFakeHost, realClock, until } from '../../../test/fixtures/fake-host.ts';
import type { Clock } from '../../pipeline/component.ts';
import type { PodChange, PodSource } from '../../pipeline/pod-source.ts';
import { createDirectoryPods } from './index.ts';

const annotation = '[[inputs.prom]]\n  url = "http://$IP:9100/metrics"\n';
const manifest = (name: string, extra = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\n  annotations:\n    datakit/prom.instances: |\n      [[inputs.prom]]\n        url = "http://$IP:9100/metrics"\n    other/key: x\n${extra}`;

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A directory with a source that looks at it, on time that the test turns. */
function openDirectory(files: Readonly<Record<string, string>> = {}) {
  const path = mkdtempSync(join(tmpdir(), 'trawl-pods-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  const write = (name: string, text: string) => writeFileSync(join(path, name), text);
  for (const [name, text] of Object.entries(files)) write(name, text);
  const host = createFakeHost({ clock: createFakeClock() });
  cleanups.push(() => host.close());
  const changes: PodChange[] = [];
  const open = (): PodSource => {
    const source = createDirectoryPods({
      ...host,
      name: 'discovery.directory',
      path,
      nodeName: 'node-1',
      keptAnnotations: ['datakit/prom.instances'],
    });
    source.subscribe((change) => changes.push(change));
    cleanups.push(() => source.stop(AbortSignal.timeout(5000)));
    return source;
  };
  /** Lets `ms` pass, and each look that falls into it end. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 50) {
      await until('the look has ended', () => host.clock.sleepers() === 1);
      await host.clock.advance(50);
    }
    await until('the look has ended', () => host.clock.sleepers() === 1);
  };
  return { path, write, host, changes, open, pass };
}

/** Time that passes `factor` times as fast as on the wall. */
const createFastClock = (factor: number): Clock => ({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now() * factor,
  sleep: (delayMs, signal) => realClock.sleep(delayMs / factor, signal),
});

const names = (source: PodSource): string[] => [...(source.pods()?.values() ?? [])].map((pod) => pod.name).sort();

describe('pods of a directory of manifests', () => {
  it('are running on loopback where a manifest says nothing else', async () => {
    const { open, pass } = openDirectory({
      'shop.yaml': manifest(
        'shop',
        'spec:\n  containers:\n  - name: app\n    ports:\n    - {containerPort: 9100, name: metrics}\n',
      ),
    });
    const source = open();
    expect(source.pods()).toBeUndefined();
    await pass(50);
    expect([...(source.pods()?.values() ?? [])]).toEqual([
      {
        uid: 'default/shop',
        namespace: 'default',
        name: 'shop',
        nodeName: 'node-1',
        phase: 'Running',
        ip: '127.0.0.1',
        ips: ['127.0.0.1'],
        hostIp: '',
        isOnHostNetwork: false,
        isBeingDeleted: false,
        labels: {},
        annotations: { 'datakit/prom.instances': annotation.replace('  url', '  url') },
        containers: [{ name: 'app', ports: [{ name: 'metrics', port: 9100, protocol: 'TCP' }] }],
        ownerKind: '',
        ownerName: '',
      },
    ]);
    expect(source.health()).toMatchObject({ isHealthy: true });
  });

  it('are what status and metadata say where a manifest has them', async () => {
    const { open, pass } = openDirectory({
      'a.json': JSON.stringify({
        apiVersion: 'v1',
        kind: 'PodList',
        items: [
          {
            metadata: { name: 'a', namespace: 'shop', uid: 'u-1' },
            spec: { nodeName: 'n-2', hostNetwork: true },
            status: { phase: 'Pending' },
          },
          { metadata: { name: 'b', uid: 'u-2' }, status: { phase: 'Running', podIP: '10.0.0.7', hostIP: '10.0.0.1' } },
        ],
      }),
    });
    const source = open();
    await pass(50);
    expect(source.pods()?.get('u-1')).toMatchObject({
      namespace: 'shop',
      nodeName: 'n-2',
      phase: 'Pending',
      ip: '',
      isOnHostNetwork: true,
    });
    expect(source.pods()?.get('u-2')).toMatchObject({ phase: 'Running', ip: '10.0.0.7', hostIp: '10.0.0.1' });
  });

  it('come and go within a second of the change of their file', async () => {
    const { open, pass, write, path, changes } = openDirectory({ 'a.yaml': manifest('a') });
    const source = open();
    await pass(50);
    write('b.yaml', `${manifest('b')}---\n${manifest('c')}`);
    await pass(1000);
    expect(names(source)).toEqual(['a', 'b', 'c']);
    rmSync(join(path, 'b.yaml'));
    await pass(1000);
    expect(names(source)).toEqual(['a']);
    expect(changes.map(({ put, gone }) => [put.map((pod) => pod.name), gone.map((pod) => pod.name)])).toEqual([
      [['a'], []],
      [['b', 'c'], []],
      [[], ['b', 'c']],
    ]);
  });

  it('do not flap when an editor moves the file away and writes it again', async () => {
    const { open, pass, write, path, changes } = openDirectory({ 'a.yaml': manifest('a') });
    open();
    await pass(300);
    renameSync(join(path, 'a.yaml'), join(path, 'a.yaml~'));
    await pass(250);
    write('a.yaml', manifest('a'));
    await pass(1000);
    expect(changes).toHaveLength(1);
  });

  it('stay as they were when their file is broken, and file, line and fault are said once', async () => {
    const { open, pass, write, path, host } = openDirectory({ 'a.yaml': manifest('a') });
    const source = open();
    await pass(50);
    write('a.yaml', `${manifest('a2')}---\nkind: Pod\nmetadata:\n  name: x\n  labels: {port: 80}\n`);
    await pass(2000);
    expect(names(source)).toEqual(['a']);
    const said = `${path}/a.yaml:11: Pod x: metadata.labels: "port" must be a text; put it in quotes; its last good pod is kept`;
    expect(source.health()).toEqual({ isHealthy: false, line: said });
    expect(host.meterCalls.filter((call) => call.kind === 'failed').map((call) => call.why)).toEqual([said]);
    write('a.yaml', manifest('a2'));
    await pass(1000);
    expect(names(source)).toEqual(['a2']);
    expect(source.health().isHealthy).toBe(true);
  });

  it.each([
    ['b.yaml', 'kind: Pod\nmetadata: [', /b\.yaml:2: not YAML: /],
    ['b.yaml', 'kind: Pod\nmetadata:\n  name: [x]\n', /b\.yaml:1: a Pod without metadata\.name/],
    ['b.yaml', 'just text', /b\.yaml:1: expected a Kubernetes object/],
    ['b.yaml', 'kind: Pod\nmetadata:\n  name: x\n  name: y\n', /b\.yaml:4: not YAML: Map keys must be unique/],
    [
      'b.yaml',
      '---\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: ok}\n- kind: Pod\n  metadata: {name: ../x}\n',
      /b\.yaml:6: metadata\.name "\.\.\/x"/,
    ],
    [
      'b.json',
      '{"kind": "Pod",\n "metadata": {"name": "secretvalue" "x"}}',
      /b\.json:2: not JSON: Expected ',' or '}'/,
    ],
    ['b.json', '{"kind": "Pod"', /b\.json:1: not JSON: /],
    ['b.json', '[]', /b\.json:1: expected a Kubernetes object/],
    [
      'b.yaml',
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nkind: [*c,*c,*c,*c,*c]\n',
      /b\.yaml:1: not YAML that can be used: Excessive alias count/,
    ],
    [
      'b.yaml',
      `# ${'x'.repeat(1024 * 1024)}`,
      /b\.yaml: 1048578 bytes are more than the 1048576 that one manifest may have/,
    ],
  ])('say what is wrong with %s %#', async (name, text, said) => {
    const { open, pass } = openDirectory({ [name]: text, 'a.yaml': manifest('a') });
    const source = open();
    await pass(50);
    expect(source.health().line).toMatch(said);
    expect(source.health().line).not.toContain('secretvalue');
    expect(names(source)).toEqual(['a']);
  });

  it('are not read through links that lead out, from pipes or from directories', async () => {
    const { open, pass, path } = openDirectory();
    const outside = mkdtempSync(join(tmpdir(), 'trawl-outside-'));
    cleanups.push(() => rmSync(outside, { recursive: true, force: true }));
    writeFileSync(join(outside, 'x.yaml'), manifest('x'));
    symlinkSync(join(outside, 'x.yaml'), join(path, 'out.yaml'));
    symlinkSync('loop.yaml', join(path, 'loop.yaml'));
    mkdirSync(join(path, 'directory.yaml'));
    const source = open();
    await pass(50);
    expect(names(source)).toEqual([]);
    expect(source.health().line).toMatch(/out\.yaml: a link that leads out of the directory is not followed/);
    expect(source.health().line).toMatch(/directory\.yaml: not a file/);
    expect(source.health().line).toMatch(/loop\.yaml: cannot be read \(ELOOP\)/);
  });

  it('follow a ConfigMap that is turned to its next version', async () => {
    const { open, pass, path } = openDirectory();
    for (const version of ['1', '2']) {
      mkdirSync(join(path, `..v${version}`));
      writeFileSync(join(path, `..v${version}`, 'pod.yaml'), manifest(`v${version}`));
    }
    symlinkSync('..v1', join(path, '..data'));
    symlinkSync(join('..data', 'pod.yaml'), join(path, 'pod.yaml'));
    const source = open();
    await pass(50);
    expect(names(source)).toEqual(['v1']);
    symlinkSync('..v2', join(path, '..new'));
    renameSync(join(path, '..new'), join(path, '..data'));
    await pass(1000);
    expect(names(source)).toEqual(['v2']);
  });

  it('are counted, with their manifests', async () => {
    const { open, pass, path, write } = openDirectory({ 'a.yaml': manifest('a') });
    const source = open();
    await pass(50);
    expect(source.health().line).toBe(`1 pod in 1 manifest of ${path}`);
    write('b.yaml', manifest('b'));
    await pass(1000);
    expect(source.health().line).toBe(`2 pods in 2 manifests of ${path}`);
  });

  it('are kept while the directory cannot be read', async () => {
    const { open, pass, path, host } = openDirectory({ 'a.yaml': manifest('a') });
    const source = open();
    await pass(50);
    renameSync(path, `${path}-away`);
    await pass(1000);
    expect(names(source)).toEqual(['a']);
    expect(source.health()).toEqual({
      isHealthy: false,
      line: `cannot read the directory ${path} (ENOENT); the pods known from it are kept`,
    });
    renameSync(`${path}-away`, path);
    await pass(1000);
    expect(source.health().isHealthy).toBe(true);
    expect(host.meterCalls.filter((call) => call.kind === 'failed')).toHaveLength(1);
  });

  it('count once where two files have the same, and other kinds are passed over and said once', async () => {
    const { open, pass, host } = openDirectory({
      'a.yaml': `kind: Deployment\n---\n${manifest('a')}`,
      'b.yaml': manifest('a'),
    });
    const source = open();
    await pass(1000);
    expect(names(source)).toEqual(['a']);
    expect(source.health().line).toMatch(/b\.yaml: Pod default\/a is in a\.yaml already/);
    expect(host.logLines.filter((line) => line.msg.includes('Deployment'))).toHaveLength(1);
  });

  it.each([
    ['nested.yaml', '['.repeat(900_000)],
    ['anchors.yaml', '&a '.repeat(300_000)],
    ['keys.yaml', `{a: 1,${'b,'.repeat(400_000)}}`],
  ])('are read while %s takes for ever or fails, and nobody else waits', async (name, text) => {
    const { path } = openDirectory({ 'a.yaml': manifest('a'), [name]: text });
    const host = createFakeHost({ clock: createFastClock(20) });
    cleanups.push(() => host.close());
    const source = createDirectoryPods({ ...host, name: 'd', path, nodeName: 'node-1', keptAnnotations: [] });
    cleanups.push(() => source.stop(AbortSignal.timeout(5000)));
    let longestMs = 0;
    let lastAt = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastAt);
      lastAt = performance.now();
    }, 5);
    await until('there is a set', () => source.pods() !== undefined, 15_000);
    clearInterval(timer);
    expect(names(source)).toEqual(['a']);
    expect(source.health().line).toMatch(/(nested|anchors|keys)\.yaml(:\d+)?: (takes more than 10 s to read|not YAML)/);
    // In place each of them would take five seconds and more.
    expect(longestMs).toBeLessThan(3000);
  });

  it('are read from a long file too', async () => {
    const text = Array.from({ length: 300 }, (_, i) => manifest(`p-${i}`)).join('---\n');
    const { path } = openDirectory({ 'a.yaml': text });
    const host = createFakeHost({ clock: realClock });
    cleanups.push(() => host.close());
    const source = createDirectoryPods({ ...host, name: 'd', path, nodeName: 'node-1', keptAnnotations: [] });
    cleanups.push(() => source.stop(AbortSignal.timeout(5000)));
    await until('all are known', () => source.pods()?.size === 300);
    writeFileSync(join(path, 'a.yaml'), `${text}---\nkind: Pod\n`);
    await until('the fault is said', () => !source.health().isHealthy);
    expect(source.health().line).toMatch(
      /a\.yaml:\d{4}: a Pod without metadata\.name; its last good 300 pods are kept/,
    );
  });

  it('are read from thousands of files, up to a limit that is said', async () => {
    const json = (i: number) => JSON.stringify({ kind: 'Pod', metadata: { name: `p-${i}` } });
    const files = Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`p-${i}.json`, json(i)]));
    const { path } = openDirectory(files);
    const host = createFakeHost({ clock: realClock });
    cleanups.push(() => host.close());
    const source = createDirectoryPods({ ...host, name: 'd', path, nodeName: 'node-1', keptAnnotations: [] });
    cleanups.push(() => source.stop(AbortSignal.timeout(5000)));
    await until('there is a set', () => source.pods() !== undefined);
    expect(source.pods()?.size).toBe(2000);
    expect(source.health().line).toBe(
      `${path} has 2001 manifests and the first 2000 are read; put several pods into one file`,
    );
  });

  it('are no longer looked for after a stop', async () => {
    const { open, pass, host } = openDirectory();
    const source = open();
    await pass(300);
    await source.stop(AbortSignal.timeout(1000));
    await source.stop(AbortSignal.timeout(1000));
    expect(host.clock.sleepers()).toBe(0);
  });
});
