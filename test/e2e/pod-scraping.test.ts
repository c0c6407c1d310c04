/** Pods that ask for a scrape, from a directory of manifests and from a Kubernetes API server, to the answers of a running agent. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { until } from '../fixtures/fake-host.ts';
import { runCommand } from '../fixtures/fake-terminal.ts';
import { type KubernetesApi, podObject, startKubernetesApi } from '../fixtures/kubernetes/index.ts';
import { type MetricsServer, servePages, startPromClient } from '../fixtures/metrics-server.ts';
import { howToAnnotation } from '../fixtures/pods.ts';

const vector = z.object({
  data: z.object({
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
  }),
});

/** The series of an instant query. */
async function query(agent: TestAgent, text: string) {
  const answer = await agent.get(`/api/v1/query?query=${encodeURIComponent(text)}`);
  if (answer.status !== 200) throw new Error(`${text} was answered ${answer.status}: ${answer.text}`);
  return vector.parse(JSON.parse(answer.text)).data.result.map(({ metric, value }) => ({ metric, value: value[1] }));
}

async function targets(agent: TestAgent, more = '') {
  return JSON.parse((await agent.get(`/api/trawl/targets${more}`)).text);
}

const files = (discovery: string) => ({
  'trawl.conf': `node_name = "node-1"\n[http]\nzipkin_listen = ""\notlp_listen = ""\notlp_grpc_listen = ""\n[discovery]\n${discovery}\n`,
});

const indented = (text: string) =>
  text
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n');

/** A manifest as somebody writes it, with what kubelet would add. */
const manifest = (name: string, annotation: string) => `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: default
  annotations:
    datakit/prom.instances: |
${indented(annotation)}
spec:
  containers:
    - name: app
      image: app:1
status:
  phase: Running
  podIP: 127.0.0.1
`;

describe('pods of a directory of manifests', () => {
  let agent: TestAgent;
  let shop: MetricsServer;
  let directory: string;
  const put = (name: string, annotation: string) =>
    writeFile(join(directory, `${name}.yaml`), manifest(name, annotation));
  const trawl = (...argv: readonly string[]) => runCommand([...argv, '--url', agent.url]);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'trawl-pods-'));
    shop = await startPromClient();
    agent = await startAgent({ files: files(`kubernetes = "off"\ndirectory = ${JSON.stringify(directory)}`) });
    await agent.ready();
  });
  afterAll(async () => {
    await agent.remove();
    await shop.close();
    await rm(directory, { recursive: true });
  });

  it('say what to do while there are none', async () => {
    const { exitCode, errors } = await trawl('targets');
    expect(exitCode).toBe(1);
    expect(errors.join('\n')).toContain('datakit/prom.instances');
    const why = await trawl('why', 'pod', 'default/reviews');
    expect({ exitCode: why.exitCode, first: why.out[0] }).toMatchObject({
      exitCode: 1,
      first: expect.stringMatching(/^fails {2}discovered {2}no pod default\/reviews is known here/),
    });
  });

  it("have their series found under the how-to's tags and the pod's own names", async () => {
    const annotation = howToAnnotation.replace('15020', String(shop.port)).replace('"10s"', '"1s"');
    await put('productpage', annotation);
    const find = () => query(agent, 'shop_orders_total');
    await until('the orders are found', async () => (await find()).length > 0, 20_000);
    // What is asked for again and again is in memory a moment before the rest is in the store.
    await agent.flush();
    expect(await find()).toEqual([
      {
        metric: {
          __name__: 'shop_orders_total',
          app_id: 'test',
          instance: `127.0.0.1:${shop.port}`,
          job: 'bookinfo-istio-product',
          kind: 'book "quoted"',
          namespace: 'default',
          node: 'node-1',
          pod: 'productpage',
          pod_name: 'productpage',
        },
        value: '42',
      },
    ]);
    expect(await query(agent, 'up{pod="productpage"}')).toMatchObject([{ value: '1' }]);
  });

  it('are shown with their labels, their last scrape and its samples', async () => {
    const answer = await targets(agent);
    expect(answer.sources).toMatchObject([{ name: 'discovery.directory', healthy: true, pods: 1 }]);
    expect(answer.targets).toMatchObject([
      {
        component: 'discovery',
        pod: { namespace: 'default', name: 'productpage' },
        annotation: 'datakit/prom.instances',
        health: 'up',
        intervalSeconds: 1,
        hasAnswered: true,
        lastError: null,
        labels: { app_id: 'test', pod: 'productpage' },
        discoveredLabels: { __meta_kubernetes_pod_name: 'productpage' },
      },
    ]);
    const prometheus = JSON.parse((await agent.get('/api/v1/targets?state=active')).text);
    expect(prometheus).toMatchObject({
      status: 'success',
      data: {
        droppedTargets: [],
        activeTargets: [
          { scrapePool: 'bookinfo-istio-product', health: 'up', scrapeInterval: '1s', labels: { pod: 'productpage' } },
        ],
      },
    });
    expect(JSON.parse((await agent.get('/api/v1/targets?state=dropped')).text).data.activeTargets).toEqual([]);
    const { exitCode, out } = await trawl('targets', '--labels');
    expect(exitCode).toBe(0);
    expect(out[1]).toMatch(/^up .* default\/productpage +http:\/\/127\.0\.0\.1/);
    expect(out.join('\n')).toContain('app_id="test"');
    const why = await trawl('why', 'pod', 'default/productpage');
    expect(why.out.map((line) => line.split(/ {2,}/)[0])).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
  });

  it('have a wrong annotation told to whoever wrote it, and no other harmed', async () => {
    await put('sly', '[[inputs.prom]]\n  url = "http://169.254.169.254/latest/meta-data/"\n');
    await until('it is refused', async () => (await targets(agent)).refused.length > 0);
    expect((await targets(agent)).refused).toMatchObject([
      { pod: { name: 'sly' }, annotation: 'datakit/prom.instances', line: 2, reason: 'not_this_pod' },
    ]);
    const { out } = await trawl('targets');
    expect(out.join('\n')).toMatch(
      /refused\n {2}default\/sly {2}datakit\/prom\.instances, line 2\n +169\.254\.169\.254/,
    );
    const why = await trawl('why', 'pod', 'default/sly');
    expect(why.exitCode).toBe(1);
    expect(why.out.join('\n')).toMatch(/^ok {5}discovered[\s\S]*\nfails {2}annotation[\s\S]*169\.254\.169\.254/);
    expect((await agent.get('/metrics')).text).toContain('trawl_annotations_refused_total{reason="not_this_pod"} 1');
    expect((await targets(agent)).targets).toHaveLength(1);
  });

  it('have the first step that fails named: nobody there, or a page that cannot be read', async () => {
    const broken = await servePages({ '/broken': 'a 1\nthis is no sample\n' });
    try {
      await put('broken', `[[inputs.prom]]\n  url = "http://$IP:${broken.port}/broken"\n  interval = "1s"\n`);
      await put('missing', `[[inputs.prom]]\n  url = "http://$IP:${broken.port}/missing"\n  interval = "1s"\n`);
      const down = async () =>
        (await targets(agent)).targets.filter(({ health }: { health: string }) => health === 'down').length;
      await until('both are down', async () => (await down()) === 2);
      const parsed = await trawl('why', 'pod', 'default/broken');
      expect(parsed.out.join('\n')).toMatch(/ok {5}reachable[\s\S]*fails {2}parsed .*line 2/);
      const reached = await trawl('why', 'pod', 'default/missing');
      expect(reached.out.join('\n')).toMatch(/fails {2}reachable .*404[\s\S]*- {6}parsed\n- {6}kept/);
    } finally {
      await broken.close();
    }
  });

  it('go within a second, and their series end', async () => {
    await unlink(join(directory, 'productpage.yaml'));
    const gone = async () => (await targets(agent, '?pod=default/productpage')).targets.length === 0;
    // About 0.3 s on a quiet machine: a directory is looked at four times a second, and two looks must agree.
    await until('the target is gone', gone);
    await until('its series have ended', async () => (await query(agent, 'shop_orders_total')).length === 0);
  });

  it('are forgotten by a reload that switches discovery off, and known again by the next', async () => {
    const configuration = join(agent.configDirectory, 'trawl.conf');
    const before = readFileSync(configuration, 'utf8');
    await writeFile(configuration, before.replace(/^directory = .*$/m, ''));
    expect((await agent.post('/-/reload', '')).status).toBe(200);
    expect(await targets(agent)).toMatchObject({ sources: [], targets: [], refused: [] });
    const { errors } = await trawl('targets');
    expect(errors.join('\n')).toContain('[discovery] kubernetes');
    await writeFile(configuration, before);
    expect((await agent.post('/-/reload', '')).status).toBe(200);
    await until('the pods are known again', async () => (await targets(agent)).refused.length > 0);
  });

  it('are known on where a reload that would forget them fails for another reason', async () => {
    const configuration = join(agent.configDirectory, 'trawl.conf');
    const before = readFileSync(configuration, 'utf8');
    const twice = join(agent.configDirectory, 'twice.conf');
    await writeFile(configuration, before.replace(/^directory = .*$/m, ''));
    await writeFile(twice, '[[inputs.zipkin]]\n[[inputs.zipkin]]\n');
    expect((await agent.post('/-/reload', '')).status).toBe(400);
    await until('the pods are known on', async () => (await targets(agent)).refused.length > 0);
    await writeFile(configuration, before);
    await unlink(twice);
    expect((await agent.post('/-/reload', '')).status).toBe(200);
  });
});

const scrapes = resolve(process.env['CONFORMANCE_DIR'] ?? '../shared/conformance', '../data/scrapes');
const recorded = existsSync(scrapes) ? describe : describe.skip;

recorded(`pods of a Kubernetes API server, with the pages in ${scrapes}`, () => {
  let agent: TestAgent;
  let api: KubernetesApi;
  let mesh: MetricsServer;
  let shop: MetricsServer;
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'trawl-kube-'));
    mesh = await servePages({
      '/stats/prometheus': readFileSync(join(scrapes, 'istio-proxy.txt'), 'utf8'),
      '/metrics': readFileSync(join(scrapes, 'istiod.txt'), 'utf8'),
    });
    shop = await startPromClient();
    const conventions = (path: string) => ({
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': String(mesh.port),
      'prometheus.io/path': path,
    });
    const pod = { ip: '127.0.0.1', namespace: 'prod' };
    api = await startKubernetesApi({
      pods: [
        podObject({
          ...pod,
          name: 'productpage-v1-1',
          annotations: {
            ...conventions('/stats/prometheus'),
            'datakit/prom.instances': howToAnnotation.replace('15020', String(mesh.port)).replace('"10s"', '"1s"'),
          },
        }),
        podObject({
          ...pod,
          name: 'istiod-1',
          namespace: 'istio-system',
          annotations: {
            'trawl/prom.instances': `[[inputs.prom]]\nurl = "http://$IP:${mesh.port}/metrics"\ninterval = "1s"`,
          },
        }),
        podObject({ ...pod, name: 'gateway-1', annotations: conventions('/metrics') }),
        podObject({ ...pod, name: 'elsewhere', nodeName: 'node-2', annotations: conventions('/metrics') }),
        podObject({ ...pod, name: 'silent' }),
      ],
    });
    const kubeconfig = join(home, 'config');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        clusters: [{ name: 'test', cluster: { server: api.url, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'test', user: { token: api.token } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      }),
    );
    const directory = join(home, 'pods');
    agent = await startAgent({
      files: { ...files(`kubeconfig = ${JSON.stringify(kubeconfig)}\ndirectory = ${JSON.stringify(home)}`) },
    });
    await writeFile(
      `${directory}.yaml`,
      manifest('shop', `[[inputs.prom]]\n  url = "http://$IP:${shop.port}/metrics"\n  interval = "1s"\n`),
    );
    await agent.ready();
  });
  afterAll(async () => {
    await agent.remove();
    await Promise.all([api.close(), mesh.close(), shop.close()]);
    await rm(home, { recursive: true });
  });

  it('have istio_requests_total found, and the same page not scraped a second time for the convention', async () => {
    const find = () => query(agent, 'istio_requests_total');
    await until('the requests are found', async () => (await find()).length > 0, 20_000);
    const found = await find();
    expect(found).toHaveLength(6);
    for (const { metric } of found)
      expect(metric).toMatchObject({
        job: 'bookinfo-istio-product',
        namespace: 'prod',
        pod: 'productpage-v1-1',
        node: 'node-1',
        app_id: 'test',
      });
    const meshTargets = (await targets(agent, '?pod=prod/productpage-v1-1')).targets;
    expect(meshTargets).toHaveLength(1);
    const lines = readFileSync(join(scrapes, 'istio-proxy.txt'), 'utf8').split('\n');
    expect(meshTargets[0].samples).toBe(lines.filter((line) => line !== '' && !line.startsWith('#')).length);
  });

  it("show istio_prom among DataKit's measurements, and say of each target what it says of its metrics", async () => {
    const measurements = async () => (await agent.get('/api/trawl/measurements')).text;
    await until('istio_prom is there', async () => (await measurements()).includes('"istio_prom"'));
    const selector = encodeURIComponent('{pod="istiod-1"}');
    const of = async () =>
      JSON.parse((await agent.get(`/api/v1/targets/metadata?match_target=${selector}&metric=pilot_xds_pushes`)).text);
    await until('istiod is scraped', async () => (await of()).data.length > 0);
    expect(await of()).toMatchObject({
      status: 'success',
      data: [{ target: { pod: 'istiod-1', namespace: 'istio-system' }, type: 'counter' }],
    });
  });

  it('are those of this node that ask for it, beside those of the directory', async () => {
    const { targets: all, sources } = await targets(agent);
    expect(all.map(({ pod }: { pod: { name: string } }) => pod.name).sort()).toEqual([
      'gateway-1',
      'istiod-1',
      'productpage-v1-1',
      'shop',
    ]);
    expect(sources.map(({ name, pods }: { name: string; pods: number }) => [name, pods])).toEqual([
      ['discovery.directory', 1],
      ['discovery.kubernetes', 4],
    ]);
    const silent = await runCommand(['why', 'pod', 'prod/silent', '--url', agent.url]);
    expect(silent.out.join('\n')).toMatch(/fails {2}annotation .*none of the annotations/);
  });

  it('come, change and go as the server tells', async () => {
    const late = (path: string) =>
      podObject({
        name: 'late',
        namespace: 'prod',
        uid: 'late-1',
        ip: '127.0.0.1',
        annotations: {
          'trawl/prom.instances': `[[inputs.prom]]\nurl = "http://$IP:${mesh.port}${path}"\ninterval = "1s"`,
        },
      });
    const urls = async () =>
      (await targets(agent, '?pod=prod/late')).targets.map(({ url }: { url: string }) => new URL(url).pathname);
    api.put(late('/metrics'));
    await until('it is scraped', async () => (await urls()).join() === '/metrics');
    api.put(late('/stats/prometheus'));
    await until('the other page is scraped', async () => (await urls()).join() === '/stats/prometheus');
    api.remove('late-1');
    await until('it is not scraped any more', async () => (await urls()).length === 0);
  });

  it('stay as they were while the server is away', async () => {
    api.fault({ kind: 'away' });
    await new Promise((done) => setTimeout(done, 1_500));
    expect((await targets(agent)).targets).toHaveLength(4);
    api.clearFaults();
  });
});
