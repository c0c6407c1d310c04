import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createFakeClock,
  createFakeHost,
  createFakeIntake,
  type FakeClock,
  type FakeHost,
  type FakeIntake,
  until,
} from '../../../test/fixtures/fake-host.ts';
import { createFakePods, type FakePods } from '../../../test/fixtures/fake-pods.ts';
import { makePod } from '../../../test/fixtures/pods.ts';
import { scrapeAnnotations } from '../../discovery/annotations/read-pod.ts';
import { labelValue, type Sample, type Series } from '../../model/sample.ts';
import { type PodScraping, startPodScraping } from './pods.ts';

let host: FakeHost<FakeClock>;
let source: FakePods;
let intake: FakeIntake;
let scraping: PodScraping;
let port = 0;
let scrapes: string[];
const server = createServer((request, response) => {
  scrapes.push(request.url ?? '');
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end('shop_orders_total{pod="own"} 1\n');
});

async function start(maxTargets = 100): Promise<void> {
  scraping = await startPodScraping({
    sources: [source],
    host,
    accept: intake.accept,
    annotations: scrapeAnnotations,
    maxTargets,
  });
  await settle();
}

/** Lets what was told be read. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets the clock run to the next tick, and waits for what the scrape offers. */
async function scrapeOnce(): Promise<void> {
  const before = intake.offered.length;
  await host.clock.advance(0);
  await host.clock.advance(host.clock.untilNextMs() ?? 0);
  await until('the page is offered', () => intake.offered.length > before);
}

const annotated = (text: string, name = 'reviews-1') =>
  makePod({ name, ip: '127.0.0.1', annotations: { 'datakit/prom.instances': text } });
const block = (path: string, more = '') =>
  `[[inputs.prom]]\nurl = "http://$IP:${port}${path}"\ninterval = "10s"\n${more}\n`;
const urls = () => scraping.targets().map(({ url }) => new URL(url).pathname);
const offered = (): readonly [Series, Sample][] =>
  intake.offered.flatMap((batch) =>
    batch.signal === 'samples'
      ? batch.items.flatMap(({ series, samples }) => samples.map((one): [Series, Sample] => [series, one]))
      : [],
  );

beforeEach(async () => {
  scrapes = [];
  host = createFakeHost({ clock: createFakeClock(), name: 'discovery.prom' });
  source = createFakePods();
  intake = createFakeIntake(host);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  await scraping.stop(AbortSignal.timeout(5_000));
  host.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('pods with annotations', () => {
  it("are scraped under their own names; a series' label of the same name becomes exported_…", async () => {
    source.put(annotated(block('/metrics', 'source = "shop"\n[inputs.prom.tags]\nteam = "mesh"')));
    await start();
    await scrapeOnce();
    const [series] = offered().find(([one]) => labelValue(one, '__name__') === 'shop_orders_total') ?? [];
    expect(Object.fromEntries(series?.labels ?? [])).toEqual({
      __name__: 'shop_orders_total',
      exported_pod: 'own',
      instance: `127.0.0.1:${port}`,
      job: 'shop',
      namespace: 'default',
      node: 'node-1',
      pod: 'reviews-1',
      team: 'mesh',
    });
    expect(scraping.targets()).toMatchObject([
      { health: 'up', annotation: 'datakit/prom.instances', block: 1, pod: { name: 'reviews-1' } },
    ]);
  });

  it('are not scraped any more once they go, and their series are stale at that moment', async () => {
    source.put(annotated(block('/metrics')));
    await start();
    await scrapeOnce();
    const goneMs = host.clock.nowMs();
    source.remove('uid-default-reviews-1');
    expect(scraping.targets()).toEqual([]);
    const stale = () => offered().filter(([, { isStale }]) => isStale);
    await until('the markers are offered', () => stale().length > 0);
    expect(stale().map(([series]) => labelValue(series, '__name__'))).toEqual(
      expect.arrayContaining(['shop_orders_total', 'up', 'scrape_duration_seconds']),
    );
    expect(new Set(stale().map(([, { timestampMs }]) => timestampMs))).toEqual(new Set([goneMs]));
    const before = scrapes.length;
    await host.clock.advance(30_000);
    expect(scrapes).toHaveLength(before);
  });

  it.each([
    ['is asked to go', { isBeingDeleted: true }],
    ['has succeeded', { phase: 'Succeeded' as const }],
    ['loses its address', { ip: '', ips: [] }],
    ['loses its annotation', { annotations: {} }],
  ])('are let go when one %s', async (_, change) => {
    const pod = annotated(block('/metrics'));
    source.put(pod);
    await start();
    expect(urls()).toEqual(['/metrics']);
    source.put({ ...pod, ...change });
    await settle();
    expect(urls()).toEqual([]);
  });

  it('are scraped from the moment they run', async () => {
    await start();
    const pod = annotated(block('/metrics'));
    source.put({ ...pod, phase: 'Pending', ip: '', ips: [] });
    await settle();
    expect(urls()).toEqual([]);
    expect(scraping.annotated()).toMatchObject([{ reading: { notNow: expect.stringContaining('Pending') } }]);
    source.put(pod);
    await settle();
    expect(urls()).toEqual(['/metrics']);
  });

  it('keep the targets that a changed annotation leaves as they are', async () => {
    source.put(annotated(`${block('/a')}${block('/b')}`));
    await start();
    await scrapeOnce();
    await scrapeOnce();
    expect(scraping.targets().map(({ health }) => health)).toEqual(['up', 'up']);
    source.put(annotated(`${block('/c')}${block('/b')}`));
    await settle();
    expect(scraping.targets().map(({ url, health }) => [new URL(url).pathname, health])).toEqual([
      ['/b', 'up'],
      ['/c', 'unknown'],
    ]);
    // A label that changes makes other series; a filter that changes does not.
    source.put(annotated(`${block('/c')}${block('/b', 'metric_types = ["counter"]')}`));
    await settle();
    expect(scraping.targets().map(({ health }) => health)).toEqual(['unknown', 'unknown']);
  });

  it("count the annotation of one's own before the convention for the same page", async () => {
    const pod = annotated(block('/stats/prometheus', 'source = "mesh"'));
    const conventions = {
      'prometheus.io/scrape': 'true',
      'prometheus.io/port': String(port),
      'prometheus.io/path': '/stats/prometheus',
    };
    source.put({ ...pod, annotations: { ...pod.annotations, ...conventions } });
    source.put(makePod({ name: 'other', ip: '127.0.0.1', annotations: conventions }));
    await start();
    expect(scraping.targets().map(({ pod: { name }, labels }) => [name, labels['job']])).toEqual([
      ['reviews-1', 'mesh'],
      ['other', 'default/other'],
    ]);
    expect(scraping.findings()).toEqual([]);
  });

  it('may have one page scraped twice under two jobs, and not under one', async () => {
    source.put(annotated(`${block('/m')}${block('/m', 'source = "b"')}${block('/m', 'measurement_name = "x"')}`));
    await start();
    expect(scraping.targets().map(({ labels }) => labels['job'])).toEqual(['default/reviews-1', 'b']);
    expect(scraping.findings()).toMatchObject([{ refused: 'duplicate', message: expect.stringContaining('source') }]);
  });

  it('have what was refused told once, counted and kept to be shown', async () => {
    const pod = annotated('[[inputs.prom]]\nurl = "http://169.254.169.254/latest/"');
    source.put(pod);
    await start();
    source.put({ ...pod, labels: { changed: 'yes' } });
    await settle();
    expect(scraping.findings()).toMatchObject([{ refused: 'not_this_pod', line: 2, pod: { name: 'reviews-1' } }]);
    expect(host.logLines.filter(({ msg }) => msg.includes('169.254.169.254'))).toHaveLength(1);
    expect(await host.meter.registry.getSingleMetricAsString('trawl_annotations_refused_total')).toContain(
      'trawl_annotations_refused_total{reason="not_this_pod"} 1',
    );
    expect(scraping.health()).toMatchObject({
      isHealthy: true,
      line: expect.stringContaining('of one pod are refused'),
    });
  });

  it('wait for room beyond the limit of targets, and take it when another goes', async () => {
    source.put(annotated(block('/a'), 'a'));
    source.put(annotated(`${block('/b')}${block('/c')}`, 'b'));
    await start(2);
    expect(urls()).toEqual(['/a', '/b']);
    expect(scraping.findings()).toMatchObject([
      { refused: 'over_limit', message: expect.stringContaining('max_targets') },
    ]);
    source.remove('uid-default-a');
    await settle();
    expect(urls()).toEqual(['/b', '/c']);
    expect(scraping.findings()).toEqual([]);
  });

  it('come back under a new uid as other pods, with nothing left of the old ones', async () => {
    const pod = annotated(block('/metrics'));
    source.put(pod);
    await start();
    source.replace([{ ...pod, uid: 'another' }]);
    await settle();
    expect(scraping.targets().map(({ pod: { uid } }) => uid)).toEqual(['another']);
  });

  it('of the same name from two sources are scraped once, and by the other when the first goes', async () => {
    const pod = annotated(block('/metrics'));
    source.put(pod);
    source.put({ ...pod, uid: 'of-the-other-source' });
    await start();
    expect(scraping.targets().map(({ pod: { uid } }) => uid)).toEqual([pod.uid]);
    expect(scraping.findings()).toMatchObject([{ refused: 'duplicate', pod: { uid: 'of-the-other-source' } }]);
    source.remove(pod.uid);
    source.put(annotated(block('/other'), 'other'));
    await settle();
    expect(scraping.targets().map(({ pod: { uid } }) => uid)).toEqual(
      expect.arrayContaining(['of-the-other-source', 'uid-default-other']),
    );
    expect(scraping.findings()).toEqual([]);
  });

  it('that have an address after another do not get its labels', async () => {
    const first = annotated(block('/metrics'), 'first');
    source.put(first);
    await start();
    source.put({ ...first, phase: 'Succeeded' });
    source.put(annotated(block('/metrics'), 'second'));
    await settle();
    expect(scraping.targets().map(({ labels }) => labels['pod'])).toEqual(['second']);
  });

  it('fill no log, however often one changes its mind', async () => {
    await start();
    for (let i = 0; i < 200; i++) {
      source.put(annotated(`[[inputs.prom]]\nurl = "http://host-${i}.example/"`));
      await settle();
    }
    expect(host.logLines.filter(({ msg }) => msg.includes('.example')).length).toBe(60);
    expect(await host.meter.registry.getSingleMetricAsString('trawl_annotations_refused_total')).toContain(
      '{reason="not_this_pod"} 200',
    );
  });

  it('by the thousand are read in slices, between which others get their turn', async () => {
    for (let i = 0; i < 200; i++) source.put(annotated(block(`/${i}`), `p${i}`));
    await start(10_000);
    let turns = 0;
    await until('all are read', () => {
      turns++;
      return scraping.annotated().length === 200;
    });
    expect(turns).toBeGreaterThan(1);
    expect(scraping.targets()).toHaveLength(200);
  });
});
