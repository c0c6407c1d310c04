import { describe, expect, it } from 'vitest';
import { violations } from '../../test/docs/json-schema.ts';
import { openApiDocument } from './openapi.ts';
import { createTargetRoutes, type PodView, type TargetsSource, type TargetView } from './targets.ts';

const pod: PodView = { namespace: 'default', name: 'a', uid: 'u', node: 'n', phase: 'Running', ip: '10.0.0.1' };
const target = (changes: Partial<TargetView> = {}): TargetView => ({
  url: 'http://10.0.0.1:80/metrics',
  component: 'discovery',
  origin: 'pod default/a, annotation datakit/prom.instances',
  pod,
  annotation: 'datakit/prom.instances',
  discoveredLabels: { job: 'a', __meta_kubernetes_pod_name: 'a' },
  labels: { job: 'a', instance: '10.0.0.1:80' },
  intervalMs: 90_000,
  timeoutMs: 1_500,
  health: 'up',
  lastScrapeMs: Date.UTC(2026, 10, 21),
  lastDurationMs: 12.3456,
  lastSamples: 7,
  lastBodyBytes: 100,
  lastError: undefined,
  lastWarning: undefined,
  ...changes,
});
const source: TargetsSource = {
  sources: () => [{ name: 'discovery.directory', isHealthy: true, line: '1 pod', pods: undefined }],
  targets: () => [
    target(),
    target({
      component: 'inputs.prom',
      pod: undefined,
      annotation: undefined,
      labels: { job: 'b' },
      health: 'unknown',
      lastScrapeMs: undefined,
      lastDurationMs: undefined,
      lastBodyBytes: 0,
    }),
  ],
  leftOut: () => [
    { url: 'http://x/', component: 'inputs.prom', discoveredLabels: { job: 'b' }, why: 'relabel_configs dropped it' },
  ],
  findings: () => [
    { pod, annotation: 'datakit/prom.instances', line: 2, refused: 'not_this_pod', message: 'no' },
    { pod: { ...pod, name: 'b' }, annotation: 'datakit/prom.instances', line: 0, refused: undefined, message: 'hm' },
  ],
  annotated: () => [{ pod, annotations: ['datakit/prom.instances'], notNow: undefined }],
  pod: (namespace, name) =>
    namespace === 'default' && name === 'bare'
      ? { pod: { ...pod, name }, annotations: [], notNow: 'it is Pending' }
      : undefined,
};

async function ask(path: string) {
  const url = new URL(path, 'http://agent');
  const route = createTargetRoutes(source).find((each) => each.path === url.pathname);
  if (route === undefined) throw new Error(`no route ${path}`);
  const signal = new AbortController().signal;
  return await route.handle({ params: {}, query: url.searchParams, form: undefined, signal });
}
const json = async (path: string) => JSON.parse(String((await ask(path)).body));

describe('GET /api/trawl/targets', () => {
  it('answers as its description says', async () => {
    const document = openApiDocument('1');
    const answer = await json('/api/trawl/targets');
    expect(violations(document, { $ref: '#/components/schemas/Targets' }, answer)).toEqual([]);
    expect(answer).toMatchObject({
      sources: [{ name: 'discovery.directory', pods: null }],
      targets: [
        { lastScrape: '2026-11-21T00:00:00.000Z', lastDurationSeconds: 0.012, hasAnswered: true, intervalSeconds: 90 },
        { pod: null, annotation: null, lastScrape: null, lastDurationSeconds: null, hasAnswered: false },
      ],
      leftOut: [{ why: 'relabel_configs dropped it' }],
      refused: [{ line: 2, reason: 'not_this_pod' }],
      warnings: [{ line: null, message: 'hm' }],
      pods: [{ name: 'a', notScraped: null }],
    });
  });

  it('tells of one pod for whoever names it, annotated or not', async () => {
    expect(await json('/api/trawl/targets?pod=default/a')).toMatchObject({
      targets: [{ component: 'discovery' }],
      leftOut: [],
      refused: [{ message: 'no' }],
      warnings: [],
      pods: [],
    });
    expect(await json('/api/trawl/targets?pod=default/bare')).toMatchObject({
      targets: [],
      pods: [{ name: 'bare', annotations: [], notScraped: 'it is Pending' }],
    });
    for (const name of ['a', 'a/', '/a', 'a/b/c', ''])
      expect((await ask(`/api/trawl/targets?pod=${name}`)).status, name).toBe(400);
  });
});

describe('GET /api/v1/targets', () => {
  it("has Prometheus' shape", async () => {
    const { status, data } = await json('/api/v1/targets');
    expect(status).toBe('success');
    expect(data.activeTargets[0]).toEqual({
      discoveredLabels: { job: 'a', __meta_kubernetes_pod_name: 'a' },
      labels: { job: 'a', instance: '10.0.0.1:80' },
      scrapePool: 'a',
      scrapeUrl: 'http://10.0.0.1:80/metrics',
      globalUrl: 'http://10.0.0.1:80/metrics',
      lastError: '',
      lastScrape: '2026-11-21T00:00:00.000Z',
      lastScrapeDuration: 0.0123456,
      health: 'up',
      scrapeInterval: '1m30s',
      scrapeTimeout: '1s500ms',
    });
    expect(data.activeTargets[1].lastScrape).toBe('0001-01-01T00:00:00Z');
    expect(data.droppedTargets).toEqual([{ discoveredLabels: { job: 'b' }, scrapePool: 'b' }]);
    expect(data.droppedTargetCounts).toEqual({ b: 1 });
  });

  it('leaves out what state and scrapePool do not ask for', async () => {
    const counts = async (query: string) => {
      const { data } = await json(`/api/v1/targets?${query}`);
      return [data.activeTargets.length, data.droppedTargets.length];
    };
    expect(await counts('state=any')).toEqual([2, 1]);
    expect(await counts('state=ACTIVE')).toEqual([2, 0]);
    expect(await counts('state=dropped')).toEqual([0, 1]);
    expect(await counts('state=other')).toEqual([0, 0]);
    expect(await counts('scrapePool=a')).toEqual([1, 0]);
    expect(await counts('scrapePool=b')).toEqual([1, 1]);
  });
});
