import { describe, expect, it } from 'vitest';
import { howToAnnotation, makePod } from '../../../test/fixtures/pods.ts';
import { keysOf } from '../../config/schema-walk.ts';
import { promInputConfig } from '../../inputs/prom/config.ts';
import type { Pod } from '../../model/pod.ts';
import { discoveredLabelsOf, readPod, scrapeAnnotations } from './read-pod.ts';
import { isDecided } from './screen-block.ts';

const read = (changes: Partial<Pod>) =>
  readPod(makePod(changes), { schema: promInputConfig, annotations: scrapeAnnotations });
const readText = (text: string, changes: Partial<Pod> = {}) =>
  read({ ...changes, annotations: { 'datakit/prom.instances': text } });
const block = (lines: string) => `[[inputs.prom]]\nurl = "http://$IP:9090/metrics"\n${lines}`;
const refusals = (text: string) =>
  readText(text).findings.flatMap(({ refused, message }) => (refused === undefined ? [] : [`${refused}: ${message}`]));
const warnings = (text: string) =>
  readText(text).findings.flatMap(({ refused, message }) => (refused === undefined ? [message] : []));

describe('the annotation datakit/prom.instances', () => {
  it("is read as the how-to has it, with the pod's names filled in", () => {
    const { blocks, findings, annotations, notNow } = readText(howToAnnotation);
    expect(findings).toEqual([]);
    expect({ annotations, notNow }).toEqual({ annotations: ['datakit/prom.instances'], notNow: undefined });
    expect(blocks).toHaveLength(1);
    expect(blocks[0]).toMatchObject({
      annotation: 'datakit/prom.instances',
      number: 1,
      config: {
        urls: ['http://10.1.2.3:15020/stats/prometheus'],
        source: 'bookinfo-istio-product',
        interval: 10_000,
        measurement_name: 'istio_prom',
        metric_types: ['counter', 'gauge', 'histogram'],
        tags: {
          app_id: 'test',
          pod_name: 'productpage-v1-7f4c',
        },
      },
    });
  });

  it("has DataKit's defaults for annotations: source NAMESPACE/POD, timestamps of the page not honoured", () => {
    const [first] = readText(block('')).blocks;
    expect(first?.config).toMatchObject({
      source: 'default/productpage-v1-7f4c',
      honor_timestamps: false,
      interval: 30_000,
    });
  });

  it('takes url and urls together, and several blocks', () => {
    const text = `${block('urls = ["http://$IP:1/", "http://$IP:2/"]')}\n[[inputs.prom]]\nurls = ["http://$IP:3/"]\n`;
    expect(readText(text).blocks.map(({ config }) => config.urls)).toEqual([
      ['http://10.1.2.3:1/', 'http://10.1.2.3:2/', 'http://10.1.2.3:9090/metrics'],
      ['http://10.1.2.3:3/'],
    ]);
  });

  it('gives an IPv6 address the brackets that a URL needs', () => {
    const { blocks, findings } = readText(howToAnnotation, { ip: 'fd00:1::a' });
    expect(findings).toEqual([]);
    expect(blocks[0]?.config.urls).toEqual(['http://[fd00:1::a]:15020/stats/prometheus']);
  });

  it('fills names in once and as they are, and nothing that could end a text', () => {
    const sly = readText(block('source = "$NODENAME"'), { nodeName: '$IP' });
    expect(sly.blocks[0]?.config.source).toBe('$IP');
    const [finding] = readText(block('source = "$PODNAME"'), { name: 'x"\nuds_path = "/run/docker.sock' }).findings;
    expect(finding).toMatchObject({ refused: 'malformed', message: expect.stringContaining('$PODNAME') });
  });

  it('takes no variable of the agent', () => {
    process.env['TRAWL_TEST_SECRET_OF_AGENT'] = 'secret';
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the annotation holds.
    const text = block('source = "${TRAWL_TEST_SECRET_OF_AGENT}"');
    expect(JSON.stringify(readText(text).blocks)).not.toContain('secret"');
    expect(warnings(text)).toEqual([expect.stringContaining('is not filled in')]);
    delete process.env['TRAWL_TEST_SECRET_OF_AGENT'];
  });

  it.each([
    ['uds_path = "/var/run/docker.sock"', 'uds_path'],
    ['bearer_token_file = "/var/run/secrets/kubernetes.io/serviceaccount/token"', 'bearer_token_file'],
    ['auth = { type = "bearer_token", token = "x" }', 'auth'],
    ['auth = { type = "bearer_token", token_file = "/etc/shadow" }', 'auth'],
    ['insecure_skip_verify = true', 'insecure_skip_verify'],
    ['ca_certs = ["/etc/shadow"]', 'ca_certs'],
    ['cert = "/etc/trawl/cert.pem"', 'cert'],
    ['cert_key = "/etc/trawl/key.pem"', 'cert_key'],
    ['tls_ca = "/etc/shadow"', 'tls_ca'],
    ['output = "/etc/cron.d/x"', 'output'],
    ['honor_labels = true', 'honor_labels'],
    ['http_headers = { Authorization = "Bearer x" }', 'Authorization'],
    ['http_headers = { "proxy-authorization" = "x" }', 'proxy-authorization'],
    ['http_headers = { X-Api-Key = "x" }', 'X-Api-Key'],
    ['http_headers = { Cookie = "x" }', 'Cookie'],
    ['http_headers = { Host = "kubernetes.default" }', 'Host'],
    ['http_headers = { X-A = { file = "/etc/shadow" } }', 'header'],
    ['http_headers = { X-A = { env = "PATH" } }', 'header'],
    ['http_headers = { X-A = "ENC[file:///etc/shadow]" }', 'ENC'],
    ['source = "ENC[file:///etc/shadow]"', 'ENC'],
  ])('is refused with the key that reads files, sends credentials or weakens TLS: %s', (line, named) => {
    const { blocks, findings } = readText(block(line));
    expect(blocks).toEqual([]);
    const refused = findings.filter(({ refused }) => refused === 'not_allowed');
    expect(refused[0]?.message).toContain(named);
    expect(refused[0]).toMatchObject({ line: 3, annotation: 'datakit/prom.instances' });
  });

  it("takes a sample of DataKit's whose dangerous keys are off", () => {
    const { blocks, findings } = readText(
      block('uds_path = ""\ninsecure_skip_verify = false\nignore_req_err = false\nca_certs = []\nauth = {}'),
    );
    expect(findings).toEqual([]);
    expect(blocks).toHaveLength(1);
  });

  it('loses one bad block and keeps the others', () => {
    const text = `${block('')}\n[[inputs.prom]]\nurl = "http://169.254.169.254/"\n[[inputs.prom]]\nurl = "http://$IP:7/"\n`;
    const { blocks, findings } = readText(text);
    expect(blocks.map(({ number }) => number)).toEqual([1, 3]);
    expect(findings).toMatchObject([{ refused: 'not_this_pod', line: 5 }]);
  });

  it('loses one bad address and keeps the others of its block', () => {
    const { blocks, findings } = readText(block('urls = ["http://evil.example/", "http://$IP:7/"]'));
    expect(blocks[0]?.config.urls).toEqual(['http://10.1.2.3:7/', 'http://10.1.2.3:9090/metrics']);
    expect(findings).toMatchObject([{ refused: 'not_this_pod', line: 3 }]);
  });

  it('says where its TOML breaks', () => {
    expect(readText('[[inputs.prom]\nurl = "x"').findings).toMatchObject([
      { refused: 'malformed', line: 1, message: expect.stringContaining('it ends with ]]') },
    ]);
    expect(readText(block('interval = "10s')).findings).toMatchObject([{ refused: 'malformed', line: 3 }]);
    expect(readText('').findings).toMatchObject([{ refused: 'malformed' }]);
    expect(readText('interval = "10s"').findings).toMatchObject([{ refused: undefined }, { refused: 'malformed' }]);
  });

  it('says what a value must be', () => {
    expect(refusals(block('metric_types = ["counters"]'))).toEqual([
      expect.stringMatching(/^malformed: .*did you mean "counter"/),
    ]);
    expect(refusals(block('interval = 10'))).toHaveLength(1);
    expect(refusals(block('interval = "1e9h"'))).toHaveLength(1);
    expect(refusals('[[inputs.prom]]\nurl = 7')).toHaveLength(1);
    expect(refusals('[[inputs.prom]]\nsource = "x"')).toEqual([expect.stringContaining('names no address')]);
  });

  it('warns of a key that nobody knows and runs', () => {
    const text = block('intervall = "10s"');
    expect(warnings(text)).toEqual([expect.stringContaining('did you mean "interval"')]);
    expect(readText(text).blocks).toHaveLength(1);
    expect(warnings(block('election = true'))).toEqual([expect.stringContaining("a key of DataKit's")]);
    expect(warnings(`${block('')}\n[[inputs.cpu]]\n`)).toEqual([expect.stringContaining('"cpu" has no effect')]);
  });

  it('is read on without an address, so that a misspelled key is named', () => {
    const { blocks, findings } = readText('[[inputs.prom]]\nulr = "http://$IP:9090/metrics"\n');
    expect(blocks).toEqual([]);
    expect(findings.map(({ line, refused }) => [line, refused])).toEqual([
      [1, 'malformed'],
      [2, undefined],
    ]);
    expect(findings[1]?.message).toContain('did you mean "url"?');
  });

  it('says why nothing runs, however many warnings it has', () => {
    const tags = Array.from({ length: 39 }, (_, i) => `a${i} = "$HOME"`).join('\n');
    const { findings } = readText(`[[inputs.prom]]\nurl = "http://10.9.9.9/"\n[inputs.prom.tags]\n${tags}\n`);
    expect(findings.filter(({ refused }) => refused === undefined)).toHaveLength(20);
    expect(findings.filter(({ refused }) => refused !== undefined)).toMatchObject([{ refused: 'not_this_pod' }]);
  });

  it.each([
    ['many', Array.from({ length: 101 }, (_, i) => `"m${i}"`), 'there are 101 patterns'],
    ['long repeats', ['"[a-z]{1000}"'], 'come to 11000'],
    ['repeats within repeats', ['"((a{1,100}){1,10})x"'], 'come to 19000'],
    ['many classes of Unicode', [`"${'\\\\pL'.repeat(60)}"`], 'come to 2580'],
  ])('may not have patterns that take the agent seconds for each metric: %s', (_title, patterns, said) => {
    for (const key of ['metric_name_filter', 'metric_name_filter_ignore']) {
      expect(refusals(block(`${key} = [${patterns.join(', ')}]`))).toEqual([
        expect.stringMatching(new RegExp(`^over_limit: .*${said}`)),
      ]);
    }
    expect(refusals(block(`ignore_tag_kv_match = { a = [${patterns.join(', ')}] }`))).toHaveLength(1);
  });

  it('may have patterns as people write them', () => {
    const patterns = Array.from({ length: 20 }, (_, i) => `"istio_requests_${i}_[a-z]{1,2}.*"`);
    expect(refusals(block(`metric_name_filter = [${patterns.join(', ')}]`))).toEqual([]);
  });

  it('holds no header that would begin another', () => {
    const text = block('[inputs.prom.http_headers]\n"X-A" = "a\\r\\nX-B: b"\n');
    expect(refusals(text)).toEqual([expect.stringContaining('holds a line break')]);
  });

  it('clamps what is beyond a limit', () => {
    const config = (line: string) => readText(block(line)).blocks[0]?.config;
    expect(config('interval = "1ms"')?.interval).toBe(1_000);
    expect(config('interval = "9000h"')?.interval).toBe(300_000);
    expect(config('sample_limit = 100000000')?.sample_limit).toBe(100_000);
    expect(config('body_size_limit = "100GiB"')?.body_size_limit).toBe(16 * 1024 * 1024);
    expect(config('sample_limit = 10')?.sample_limit).toBe(10);
    expect(warnings(block('interval = "1ms"'))).toEqual([expect.stringContaining('1s is taken')]);
  });

  it('may not raise a limit, nor lift one', () => {
    const lines = 'series_limit = 0\nlabel_limit = 0\nlabel_value_length_limit = 99999999\nlabel_name_length_limit = 7';
    const { blocks, findings } = readText(block(lines));
    expect(blocks[0]?.config).toMatchObject({
      series_limit: 100_000,
      label_limit: 128,
      label_value_length_limit: 131_072,
      label_name_length_limit: 7,
    });
    expect(findings).toHaveLength(3);
    expect(refusals(block('total_body_size_limit = "10GiB"'))).toEqual([expect.stringMatching(/^not_allowed/)]);
  });

  it('has been decided on for every key of the input: a new one may not stand there until then', () => {
    const undecided = [...(keysOf(promInputConfig)?.keys() ?? [])].filter((key) => !isDecided(key));
    expect(undecided).toEqual([]);
  });

  it("cannot say that its series are another pod's", () => {
    const text = block('[inputs.prom.tags]\nnamespace = "kube-system"\npod = "x"\n__name__ = "up"\nteam = "mesh"');
    expect(readText(text).blocks[0]?.config.tags).toEqual({ team: 'mesh' });
    expect(discoveredLabelsOf(makePod())).toEqual(
      new Map([
        ['namespace', 'default'],
        ['pod', 'productpage-v1-7f4c'],
        ['node', 'node-1'],
        ['__meta_kubernetes_namespace', 'default'],
        ['__meta_kubernetes_pod_name', 'productpage-v1-7f4c'],
        ['__meta_kubernetes_pod_uid', 'uid-default-productpage-v1-7f4c'],
        ['__meta_kubernetes_pod_ip', '10.1.2.3'],
        ['__meta_kubernetes_pod_phase', 'Running'],
        ['__meta_kubernetes_pod_node_name', 'node-1'],
        ['__meta_kubernetes_pod_host_ip', '192.168.1.10'],
        ['__meta_kubernetes_pod_controller_kind', 'ReplicaSet'],
        ['__meta_kubernetes_pod_controller_name', 'productpage-v1'],
      ]),
    );
    expect(warnings(text)).toHaveLength(3);
  });

  it('has limits of size and count, and says which it met', () => {
    expect(refusals(block(`# ${'x'.repeat(256 * 1024)}`))).toEqual([expect.stringMatching(/^over_limit: .*8192/)]);
    const many = Array.from({ length: 300 }, () => '[[inputs.prom]]\nurl="http://$IP/"\n')
      .join('')
      .slice(0, 8_160);
    const manyBlocks = readText(many);
    expect(manyBlocks.blocks).toHaveLength(10);
    expect(manyBlocks.findings).toContainEqual(expect.objectContaining({ refused: 'over_limit' }));
    const urls = Array.from({ length: 50 }, (_, i) => `"http://$IP:${i + 1}/"`).join(',');
    expect(readText(`[[inputs.prom]]\nurls = [${urls}]`).blocks[0]?.config.urls).toHaveLength(10);
    const tags = Array.from({ length: 100 }, (_, i) => `t${i} = "x"`).join('\n');
    expect(refusals(block(`[inputs.prom.tags]\n${tags}`))).toEqual([expect.stringMatching(/^over_limit/)]);
    const faults = Array.from({ length: 300 }, (_, i) => `key_${i} = 1`).join('\n');
    expect(readText(block(faults)).findings.length).toBeLessThanOrEqual(20);
  });

  it('survives brackets within brackets and numbers that cannot be kept', () => {
    expect(readText(`a = ${'['.repeat(8_000)}`).findings).toMatchObject([{ refused: 'malformed' }]);
    expect(readText(block('sample_limit = 99999999999999999999')).findings).toMatchObject([{ refused: 'malformed' }]);
    expect(
      readText(block('[inputs.prom.tags]\n__proto__ = "x"\nconstructor = "y"')).blocks[0]?.config.tags,
    ).toMatchObject({ constructor: 'y' });
  });
});

describe('which annotations count', () => {
  it('is trawl/prom.instances alone where a pod has datakit/prom.instances too', () => {
    const { blocks } = read({
      annotations: {
        'datakit/prom.instances': '[[inputs.prom]]\nurl = "http://$IP:1/"',
        'trawl/prom.instances': '[[inputs.prom]]\nurl = "http://$IP:2/"',
      },
    });
    expect(blocks.map(({ config }) => config.urls)).toEqual([['http://10.1.2.3:2/']]);
  });

  it('is none of a pod that does not run, goes, or has no address', () => {
    const annotations = { 'datakit/prom.instances': howToAnnotation };
    expect(read({ annotations, phase: 'Pending' })).toMatchObject({ notNow: expect.stringContaining('Pending') });
    expect(read({ annotations, phase: 'Succeeded' }).blocks).toEqual([]);
    expect(read({ annotations, isBeingDeleted: true })).toMatchObject({ blocks: [], notNow: 'it is being deleted' });
    expect(read({ annotations, ip: '' })).toMatchObject({ blocks: [], findings: [] });
  });
});

describe('the annotations prometheus.io/…', () => {
  const readIo = (annotations: Record<string, string>, changes: Partial<Pod> = {}) =>
    read({
      ...changes,
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [`prometheus.io/${key}`, value]),
      ),
    });
  const containers = [
    {
      name: 'a',
      ports: [
        { name: '', port: 8080, protocol: 'TCP' },
        { name: '', port: 9090, protocol: 'TCP' },
        { name: '', port: 53, protocol: 'UDP' },
      ],
    },
  ];

  it("make the target that Istio's injection means", () => {
    const { blocks, findings } = readIo({ scrape: 'true', port: '15020', path: '/stats/prometheus' });
    expect(findings).toEqual([]);
    expect(blocks).toMatchObject([
      {
        annotation: 'prometheus.io/scrape',
        config: { urls: ['http://10.1.2.3:15020/stats/prometheus'], source: 'default/productpage-v1-7f4c' },
      },
    ]);
  });

  it('mean every declared TCP port where none is named', () => {
    expect(readIo({ scrape: 'true' }, { containers }).blocks[0]?.config.urls).toEqual([
      'http://10.1.2.3:8080/metrics',
      'http://10.1.2.3:9090/metrics',
    ]);
    expect(readIo({ scrape: 'true' }).findings).toMatchObject([
      { refused: 'malformed', message: expect.stringContaining('prometheus.io/port') },
    ]);
  });

  it('take a scheme, and a path without its slash', () => {
    const { blocks } = readIo({ scrape: 'true', port: '8443', path: 'm?a=b', scheme: 'https' });
    expect(blocks[0]?.config.urls).toEqual(['https://10.1.2.3:8443/m?a=b']);
  });

  it('cannot lead to another host', () => {
    for (const path of ['//evil.example/', '@evil.example/', '\\\\evil.example', '/../../x', '.evil.example/']) {
      const [found] = readIo({ scrape: 'true', port: '80', path }).blocks;
      expect(URL.parse(found?.config.urls[0] ?? '')?.hostname).toBe('10.1.2.3');
    }
    expect(readIo({ scrape: 'true', port: '80@evil.example' }).blocks).toEqual([]);
    expect(readIo({ scrape: 'true', port: '1', scheme: 'file' }).findings).toMatchObject([{ refused: 'malformed' }]);
  });

  it('say nothing of a pod that is not to be scraped, and say what scrape must be', () => {
    expect(readIo({ scrape: 'false', port: 'x' })).toMatchObject({ blocks: [], findings: [] });
    expect(readIo({ port: '80' })).toMatchObject({ annotations: [], findings: [] });
    expect(readIo({ scrape: 'yes' }).findings).toMatchObject([{ annotation: 'prometheus.io/scrape' }]);
    expect(readIo({ scrape: 'true', port: '0' }).findings).toMatchObject([{ annotation: 'prometheus.io/port' }]);
  });
});
