import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createFakeClock,
  createFakeHost,
  createFakeIntake,
  type FakeClock,
  type FakeHost,
  type FakeIntake,
  realClock,
  until,
} from '../../../test/fixtures/fake-host.ts';
import { freePort } from '../../../test/fixtures/free-port.ts';
import type { Batch, Outcome } from '../../model/batch.ts';
import { labelValue, type Sample, type Series } from '../../model/sample.ts';
import { type PromRunning, promInput } from './index.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let handler: Handler;
let requests: IncomingMessage[];
let host: FakeHost<FakeClock>;
let running: PromRunning | undefined;
let url = '';
const server = createServer((request, response) => {
  requests.push(request);
  handler(request, response);
});

const text = (body: string): Handler => {
  return (_, response) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(body);
};

beforeEach(async () => {
  requests = [];
  handler = text('');
  host = createFakeHost({ clock: createFakeClock(), name: 'inputs.prom' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}/metrics`;
});

afterEach(async () => {
  await running?.stop(AbortSignal.timeout(5000));
  running = undefined;
  host.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function start(config: Record<string, unknown> = {}, intake: FakeIntake = createFakeIntake()) {
  const parsed = promInput.config.parse({ urls: [url], interval: '10s', ...config });
  running = await promInput.start(parsed, host, intake.accept);
  return intake;
}

/** Lets the clock run to the next tick, and waits for what the scrape of the only target offers. */
async function scrape(intake: FakeIntake): Promise<Batch> {
  const before = intake.offered.length;
  await host.clock.advance(0);
  await host.clock.advance(host.clock.untilNextMs() ?? 0);
  await until('the scrape is offered', () => intake.offered.length > before);
  const batch = intake.offered[before];
  if (batch === undefined) throw new Error('no batch');
  return batch;
}

const all = (batch: Batch): readonly [Series, Sample][] =>
  batch.signal === 'samples'
    ? batch.items.flatMap(({ series, samples }) => samples.map((one): [Series, Sample] => [series, one]))
    : [];
const find = (batch: Batch, name: string) =>
  all(batch)
    .filter(([series]) => labelValue(series, '__name__') === name)
    .map(([, sample]) => (sample.isStale ? 'stale' : sample.value));

describe('prom input', () => {
  it('scrapes a live prom-client process, with job, instance and DataKit names', async () => {
    const registry = new Registry();
    const counter = new Counter({
      name: 'shop_orders_total',
      help: 'Orders.',
      labelNames: ['kind'],
      registers: [registry],
    });
    new Gauge({ name: 'shop_open', help: 'Open.', registers: [registry] }).set(1);
    new Histogram({ name: 'shop_latency_seconds', help: 'L.', buckets: [0.1, 1], registers: [registry] }).observe(0.5);
    counter.inc({ kind: 'a "quoted"\nname' }, 3);
    handler = (_, response) => {
      void registry.metrics().then((body) => response.setHeader('content-type', registry.contentType).end(body));
    };
    const intake = await start({ source: 'shop', tags: { team: 'mesh' }, measurement_name: 'shop_prom' });
    const batch = await scrape(intake);
    const [series] = all(batch).find(([one]) => labelValue(one, '__name__') === 'shop_orders_total') ?? [];
    expect(series?.labels).toEqual([
      ['__name__', 'shop_orders_total'],
      ['instance', new URL(url).host],
      ['job', 'shop'],
      ['kind', 'a "quoted"\nname'],
      ['team', 'mesh'],
    ]);
    expect(series?.datakit).toEqual({ measurement: 'shop_prom', field: 'shop_orders_total' });
    expect(find(batch, 'shop_latency_seconds_bucket')).toEqual([0, 1, 1]);
    expect(find(batch, 'up')).toEqual([1]);
    expect(find(batch, 'scrape_samples_scraped')).toEqual([7]);
    expect(find(batch, 'scrape_series_added')).toEqual([7]);
    const next = await scrape(intake);
    expect(find(next, 'scrape_series_added')).toEqual([0]);
    expect(all(next).find(([one]) => labelValue(one, '__name__') === 'shop_orders_total')?.[0]).toBe(series);
    expect(running?.targets()).toMatchObject([{ health: 'up', lastSamples: 7, lastError: undefined }]);
  });

  it('scrapes at its own place in each interval and stamps the tick', async () => {
    const intake = await start();
    const times: number[] = [];
    for (let n = 0; n < 3; n++) times.push(all(await scrape(intake))[0]?.[1].timestampMs ?? 0);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBe(10_000);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBe(10_000);
    expect(requests[0]?.headers['accept']).toContain('text/plain;version=0.0.4');
    expect(requests[0]?.headers['accept-encoding']).toBe('gzip');
    expect(requests[0]?.headers['x-prometheus-scrape-timeout-seconds']).toBe('10');
  });

  it('stores nothing of a page with one bad line and marks all series as ended, those before it too', async () => {
    handler = text('a 1\nb 2\n');
    const intake = await start();
    await scrape(intake);
    handler = text('a 5\nb two\n');
    const batch = await scrape(intake);
    expect(find(batch, 'a')).toEqual(['stale']);
    expect(find(batch, 'b')).toEqual(['stale']);
    expect(find(batch, 'up')).toEqual([0]);
    expect(running?.targets()[0]?.lastError).toContain('line 2');
    expect(running?.health().isHealthy).toBe(false);
    handler = text('a 6\nb 7\n');
    expect(find(await scrape(intake), 'a')).toEqual([6]);
    expect(running?.health()).toEqual({ isHealthy: true, line: '1 of 1 targets up' });
  });

  it('counts only 200, and says what the target answered', async () => {
    for (const [answer, why] of [
      [(_, response) => response.writeHead(201).end('a 1\n'), 'answered 201'],
      [(_, response) => response.writeHead(500).end(), 'answered 500'],
      [(_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(), '169.254.169.254'],
      [(_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(), 'file:'],
      [(_, response) => response.writeHead(302, { location: '/metrics' }).end(), 'more than 3 times'],
      [(_, response) => response.setHeader('content-encoding', 'gzip').end('no gzip'), 'gzip body'],
      [(_, response) => response.setHeader('content-encoding', 'br').end('x'), '"br"'],
      [
        (_, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('a 1\n').subarray(0, 20)),
        'gzip body',
      ],
      [(_, response) => response.setHeader('content-type', 'application/openmetrics-text').end('a 1\n'), '# EOF'],
      [(_, response) => response.setHeader('content-type', 'application/vnd.google.protobuf').end('a'), 'protobuf'],
      [(_, response) => response.writeHead(404).end(), 'the path of its metrics'],
      [(_, response) => response.writeHead(401).end(), 'credentials'],
      [(_, response) => response.setHeader('content-length', '100').end('a 1\n'), 'Content-Length'],
      [(request) => request.socket.destroy(), 'closed the connection before its answer was complete'],
    ] satisfies [Handler, string][]) {
      handler = answer;
      const intake = await start();
      expect(find(await scrape(intake), 'up')).toEqual([0]);
      expect(running?.targets()[0]?.lastError).toContain(why);
      await running?.stop(AbortSignal.timeout(5000));
    }
  });

  it('follows three redirects within the same host and port', async () => {
    handler = (request, response) => {
      const hop = Number(new URL(request.url ?? '', url).searchParams.get('hop') ?? 0);
      if (hop < 3) response.writeHead(307, { location: `?hop=${hop + 1}` }).end();
      else response.end('a 1\n');
    };
    expect(find(await scrape(await start()), 'a')).toEqual([1]);
  });

  it('reads gzip and any content type but those it knows it cannot read', async () => {
    handler = (_, response) =>
      response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(gzipSync('a 1\n'));
    expect(find(await scrape(await start()), 'a')).toEqual([1]);
  });

  it('ends a gzip bomb at the limit of the inflated body', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x23));
    handler = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    const intake = await start();
    expect(find(await scrape(intake), 'up')).toEqual([0]);
    expect(running?.targets()[0]?.lastError).toContain('body_size_limit');
  });

  it('fails whole on more samples than the limit, and says how many there were', async () => {
    handler = text('a 1\nb 1\nc 1\n');
    const intake = await start({ sample_limit: 2 });
    const batch = await scrape(intake);
    expect(find(batch, 'a')).toEqual([]);
    expect(find(batch, 'up')).toEqual([0]);
    expect(find(batch, 'scrape_samples_scraped')).toEqual([3]);
    expect(running?.targets()[0]?.lastError).toContain('sample_limit');
  });

  it('gives up a target that answers nothing when the timeout has passed', async () => {
    handler = (_, response) => response.writeHead(200).write('a 1\n');
    const intake = await start({ timeout: '2s' });
    await host.clock.advance(host.clock.untilNextMs() ?? 0);
    await until('the target is asked', () => requests.length > 0);
    await host.clock.advance(2_000);
    await until('the scrape is given up', () => intake.offered.length > 0);
    expect(running?.targets()[0]).toMatchObject({ health: 'down', lastDurationMs: 2_000 });
    expect(running?.targets()[0]?.lastError).toContain('within 2 s');
  });

  it('skips the ticks that pass while a scrape runs, and queues none', async () => {
    let release: (() => void) | undefined;
    const intake = createFakeIntake(undefined, async (): Promise<Outcome> => {
      if (release === undefined) await new Promise<void>((resolve) => (release = resolve));
      return { kind: 'kept' };
    });
    await start({}, intake);
    const first = all(await scrape(intake))[0]?.[1].timestampMs ?? 0;
    await host.clock.advance(35_000);
    expect(requests).toHaveLength(1);
    release?.();
    const second = all(await scrape(intake))[0]?.[1].timestampMs ?? 0;
    expect(requests).toHaveLength(2);
    expect((second - first) % 10_000).toBe(0);
    expect(second - first).toBe(40_000);
  });

  it('drops and counts a scrape that the intake cannot take now, and repeats its markers with the next', async () => {
    const outcomes: Outcome[] = [{ kind: 'kept' }, { kind: 'retry', cause: new Error('the spool is full') }];
    const intake = createFakeIntake(undefined, () => outcomes.shift() ?? { kind: 'kept' });
    handler = text('a 1\nb 1\n');
    await start({}, intake);
    await scrape(intake);
    handler = text('a 2\n');
    expect(find(await scrape(intake), 'b')).toEqual(['stale']);
    await until('the loss is counted', () => host.lost() === 7);
    expect(find(await scrape(intake), 'b')).toEqual(['stale']);
    expect(find(await scrape(intake), 'b')).toEqual([]);
  });

  it('marks series as ended when the target goes for good, and not at shutdown', async () => {
    handler = text('a 1\n');
    const intake = await start();
    await scrape(intake);
    await running?.stop(AbortSignal.timeout(5000), 'shutdown');
    expect(intake.offered).toHaveLength(1);
    const other = await start();
    await scrape(other);
    await running?.stop(AbortSignal.timeout(5000), 'removed');
    const last = other.offered.at(-1);
    expect(last && find(last, 'a')).toEqual(['stale']);
    expect(last && find(last, 'up')).toEqual(['stale']);
  });

  it('keeps own timestamps unless told not to, and drops those too far ahead', async () => {
    const nowMs = host.clock.nowMs();
    handler = text(`a 1 ${nowMs - 5000}\nb 1 ${nowMs + 3_600_000}\n`);
    const intake = await start();
    const batch = await scrape(intake);
    expect(all(batch).find(([one]) => labelValue(one, '__name__') === 'a')?.[1].timestampMs).toBe(nowMs - 5000);
    expect(find(batch, 'b')).toEqual([]);
    expect(host.lost('too_far_ahead')).toBe(1);
  });

  it('goes on at its interval when the clock jumps by an hour or ten years', async () => {
    const intake = await start();
    await scrape(intake);
    for (const jumpMs of [3_600_000, -3_600_000, 315_360_000_000, -315_360_000_000]) {
      host.clock.jump(jumpMs);
      const before = host.clock.monotonicMs();
      await scrape(intake);
      expect(host.clock.monotonicMs() - before).toBeLessThanOrEqual(15_100);
    }
  });

  it("keeps to DataKit's filters of types and names", async () => {
    handler = text(
      '# TYPE a counter\na 1\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\nplain 1\nskip_a 1\n',
    );
    const intake = await start({ metric_types: ['histogram', 'untyped'], metric_name_filter_ignore: ['^skip'] });
    const batch = await scrape(intake);
    expect(find(batch, 'a')).toEqual([]);
    expect(find(batch, 'h_bucket')).toEqual([1]);
    expect(find(batch, 'plain')).toEqual([1]);
    expect(find(batch, 'skip_a')).toEqual([]);
    expect(find(batch, 'scrape_samples_scraped')).toEqual([6]);
    expect(find(batch, 'scrape_samples_post_metric_relabeling')).toEqual([4]);
  });

  it('sends credentials and headers, and shows none of them', async () => {
    handler = (_, response) => response.writeHead(500).end();
    const intake = await start({
      auth: { type: 'bearer_token', token: 'hunter2' },
      http_headers: { 'X-Token': 'geheim' },
    });
    await scrape(intake);
    expect(requests[0]?.headers['authorization']).toBe('Bearer hunter2');
    expect(requests[0]?.headers['x-token']).toBe('geheim');
    const shown = JSON.stringify([
      running?.targets(),
      running?.health(),
      host.logLines,
      host.meterCalls,
      intake.offered,
    ]);
    expect(shown).not.toMatch(/hunter2|geheim/);
  });

  it('connects to a unix socket where it is told to, and reads its token from a file for every scrape', async () => {
    const socketPath = join(host.dataDirectory, 'target.sock');
    const tokenFile = join(host.dataDirectory, 'token');
    writeFileSync(tokenFile, 'first\n');
    const tokens: (string | undefined)[] = [];
    const local = createServer((request, response) => {
      tokens.push(request.headers.authorization);
      response.end('a 1\n');
    });
    await new Promise<void>((resolve) => local.listen(socketPath, resolve));
    const intake = await start({
      urls: ['http://mesh.local/metrics'],
      uds_path: socketPath,
      auth: { type: 'bearer_token', token_file: tokenFile },
    });
    const batch = await scrape(intake);
    expect(find(batch, 'up')).toEqual([1]);
    expect(all(batch)[0]?.[0].labels).toContainEqual(['instance', 'mesh.local:80']);
    writeFileSync(tokenFile, 'second\n');
    await scrape(intake);
    expect(tokens).toEqual(['Bearer first', 'Bearer second']);
    await new Promise((resolve) => local.close(resolve));
  });

  it('names a certificate that it cannot read and does not start', async () => {
    const config = promInput.config.parse({ urls: [url], ca_certs: ['/no/such/ca.pem'] });
    await expect(promInput.start(config, host, async () => ({ kind: 'kept' }))).rejects.toThrow(
      'ca_certs "/no/such/ca.pem"',
    );
  });

  it('keeps its place within the interval over restarts of the agent, and another agent has another', async () => {
    const offsets: number[] = [];
    const others = Array.from({ length: 3 }, () => createFakeHost({ clock: createFakeClock() }));
    for (const one of [host, host, ...others]) {
      const own = await promInput.start(promInput.config.parse({ urls: [url], interval: '5m' }), one, async () => ({
        kind: 'kept',
      }));
      await one.clock.advance(0);
      offsets.push(one.clock.nowMs() + (one.clock.untilNextMs() ?? 0));
      await own.stop(AbortSignal.timeout(1000));
    }
    for (const other of others) other.close();
    expect(offsets[1]).toBe(offsets[0]);
    expect(new Set(offsets).size).toBeGreaterThan(2);
  });

  it('asks as Prometheus 3 does, in the order that it is told, and says who it is', async () => {
    const intake = await start();
    await scrape(intake);
    expect(requests[0]?.headers['accept']).toBe(
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    );
    expect(requests[0]?.headers['user-agent']).toMatch(/^trawl\/\d/);
    await running?.stop(AbortSignal.timeout(5000));
    await scrape(await start({ scrape_protocols: ['PrometheusText0.0.4'], enable_compression: false, timeout: '5s' }));
    expect(requests[1]?.headers).toMatchObject({
      accept: 'text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'accept-encoding': 'identity',
      'x-prometheus-scrape-timeout-seconds': '5',
    });
  });

  it('reads OpenMetrics, and hands metadata on when it changes and exemplars once', async () => {
    const page = (help: string, exemplar: string) =>
      `# TYPE a counter\n# HELP a ${help}\na_total 1 # {trace_id="${exemplar}"} 0.5\n# EOF\n`;
    let body = page('First.', 'abc');
    handler = (_, response) =>
      response.writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0' }).end(body);
    const intake = await start({ interval: '5m' });
    const told = (batch: Batch) =>
      batch.signal === 'samples'
        ? [batch.metadata?.map(({ help }) => help), batch.exemplars?.map(({ labels }) => labels[0]?.[1])]
        : [];
    const first = await scrape(intake);
    expect(told(first)).toEqual([['First.'], ['abc']]);
    expect(first.signal === 'samples' && first.metadata).toMatchObject([{ family: 'a', type: 'counter' }]);
    expect(told(await scrape(intake))).toEqual([undefined, undefined]);
    body = page('Second.', 'def');
    expect(told(await scrape(intake))).toEqual([['Second.'], ['def']]);
    expect(told(await scrape(intake))).toEqual([undefined, undefined]);
    // All of it again every ten minutes.
    expect(told(await scrape(intake))).toEqual([['Second.'], undefined]);
  });

  it('offers metadata again that was not kept', async () => {
    handler = text('# TYPE a gauge\na 1\n');
    const outcomes: Outcome[] = [{ kind: 'retry', cause: new Error('full') }];
    const intake = await start(
      {},
      createFakeIntake(undefined, () => outcomes.shift() ?? { kind: 'kept' }),
    );
    await scrape(intake);
    const second = await scrape(intake);
    expect(second.signal === 'samples' && second.metadata).toMatchObject([{ family: 'a', type: 'gauge' }]);
  });

  it('fails whole on a label beyond its limits, and names the limit', async () => {
    handler = text('good 1\nbad{one="12345",two="2"} 1\n');
    for (const [config, why] of [
      [{ label_limit: 4 }, 'limit of label_limit is 4'],
      [{ label_name_length_limit: 7 }, 'label_name_length_limit'],
      [{ label_value_length_limit: 4, source: 'p' }, 'label_value_length_limit'],
    ] as const) {
      const batch = await scrape(await start(config));
      expect(find(batch, 'up')).toEqual([0]);
      expect(find(batch, 'good')).toEqual([]);
      expect(running?.targets()[0]?.lastError).toContain(why);
      await running?.stop(AbortSignal.timeout(5000));
    }
  });

  it('changes and drops series by metric_relabel_configs, and counts its samples before and after', async () => {
    handler = text('go_threads 1\nkept{path="/a/7"} 1\n');
    const intake = await start({
      metric_relabel_configs: [
        { source_labels: ['__name__'], regex: 'go_.*', action: 'drop' },
        { source_labels: ['path'], regex: '(/\\w+)/\\d+', target_label: 'path', replacement: '$1/:id' },
      ],
    });
    const batch = await scrape(intake);
    expect(find(batch, 'go_threads')).toEqual([]);
    expect(all(batch).find(([one]) => labelValue(one, '__name__') === 'kept')?.[0].labels).toContainEqual([
      'path',
      '/a/:id',
    ]);
    expect(find(batch, 'scrape_samples_scraped')).toEqual([2]);
    expect(find(batch, 'scrape_samples_post_metric_relabeling')).toEqual([1]);
  });

  it('says more about each scrape where it is told to', async () => {
    handler = text('a 1\nb 1\n');
    const batch = await scrape(await start({ extra_scrape_metrics: true, series_limit: 1 }));
    const names = ['timeout_seconds', 'sample_limit', 'body_size_bytes', 'series_limit', 'series_current'];
    expect(names.map((name) => find(batch, `scrape_${name}`)[0])).toEqual([10, 100_000, 8, 1, 1]);
    expect(find(batch, 'scrape_series_limit_samples_dropped')).toEqual([1]);
    expect(running?.targets()[0]).toMatchObject({ health: 'up', lastWarning: expect.stringContaining('series_limit') });
  });

  it('refuses an answer of no known Content-Type where fallback_to_text is off', async () => {
    handler = (_, response) => response.setHeader('content-type', 'text/html').end('a 1\n');
    expect(find(await scrape(await start({ fallback_to_text: false })), 'up')).toEqual([0]);
    expect(running?.targets()[0]?.lastError).toContain('fallback_to_text');
  });

  it('says in plain words that nothing listens, that a name is unknown, and that TLS is not spoken', async () => {
    const closed = await freePort();
    for (const [address, why] of [
      [`http://127.0.0.1:${closed}/`, 'nothing listens at 127.0.0.1'],
      ['http://nowhere.invalid/', 'cannot be resolved'],
      [url.replace('http:', 'https:'), 'TLS'],
    ] as const) {
      await scrape(await start({ urls: [address] }));
      expect(running?.targets()[0]?.lastError).toContain(why);
      await running?.stop(AbortSignal.timeout(5000));
    }
  });

  it('filters and names OpenMetrics counters by the name that the text format has for them', async () => {
    handler = (_, response) =>
      response
        .writeHead(200, { 'content-type': 'application/openmetrics-text' })
        .end('# TYPE istio_requests counter\nistio_requests_total 1\n# EOF\n');
    const batch = await scrape(await start({ metric_name_filter: ['^istio_requests_total$'] }));
    const [series] = all(batch).find(([one]) => labelValue(one, '__name__') === 'istio_requests_total') ?? [];
    expect(series?.datakit).toEqual({ measurement: 'istio', field: 'requests_total' });
  });

  it('scrapes on real time too', async () => {
    handler = text('a 1\n');
    const real = createFakeHost({ clock: realClock });
    const intake = createFakeIntake();
    const config = promInput.config.parse({ urls: [url], interval: '1s' });
    const live = await promInput.start(config, real, intake.accept);
    await until('two scrapes are there', () => intake.kept.length >= 2, 5000);
    await live.stop(AbortSignal.timeout(1000));
    real.close();
  });
});
