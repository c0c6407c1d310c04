import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { Batch, Outcome, Signal } from '../model/batch.ts';
import { emptyResource } from '../model/resource.ts';
import { createSeries, labelValue } from '../model/sample.ts';
import type { Span } from '../model/span.ts';
import { createIntake, type Destination } from './intake.ts';
import { createMeter } from './meter.ts';
import { RefusedError, retryResponse } from './refusal.ts';

const nowMs = Date.UTC(2026, 0, 1);
const signal = new AbortController().signal;

const span = (startUs: number | undefined): Span => ({
  traceId: '463ac35c9f6413ad48485a3953bb6124',
  id: 'a2fb4a1d1a96d312',
  parentId: undefined,
  kind: 'SERVER',
  shared: false,
  debug: false,
  name: 'get',
  startUs,
  durationUs: 10,
  status: 'unset',
  localEndpoint: undefined,
  remoteEndpoint: undefined,
  events: [],
  attributes: {},
  resource: emptyResource,
});

function destination(name: string, answer: Outcome = { kind: 'kept' }, order: string[] = []) {
  const batches: Batch[] = [];
  const self: Destination = {
    name,
    async append(batch) {
      order.push(name);
      batches.push(batch);
      return answer;
    },
  };
  return { self, batches };
}

function setUp(options: {
  store?: Destination;
  outputs?: readonly Destination[];
  tags?: Record<string, string>;
  oldestMs?: (signal: Signal) => number | undefined;
  unsureMs?: (signal: Signal) => number | undefined;
}) {
  const meter = createMeter(new Registry(), () => nowMs);
  const intake = createIntake({
    outputs: () => options.outputs ?? [],
    store: options.store,
    globalTags: options.tags ?? {},
    oldestMs: options.oldestMs ?? (() => undefined),
    ...(options.unsureMs === undefined ? {} : { unsureMs: options.unsureMs }),
    nowMs: () => nowMs,
    meter,
  });
  const status = () => meter.status().find(({ component }) => component === 'inputs.test');
  return { accept: intake.acceptFor('inputs.test'), intake, status, meter };
}

describe('the intake', () => {
  it('keeps a batch only when the store and every output have it', async () => {
    const order: string[] = [];
    const store = destination('store', { kind: 'kept' }, order);
    const output = destination('outputs.zipkin', { kind: 'kept' }, order);
    const { accept, status } = setUp({ store: store.self, outputs: [output.self] });
    expect(await accept({ signal: 'spans', items: [span(nowMs * 1000)] }, signal)).toEqual({ kind: 'kept' });
    expect(order).toEqual(['outputs.zipkin', 'store']);
    expect(status()).toMatchObject({ received: 1, kept: 1, refused: 0, dropped: 0 });
  });

  it('does not put into the store what an output refuses, since its sender will send it again', async () => {
    const cause = new RefusedError('spool_full', 'outputs.zipkin has no room');
    const store = destination('store');
    const output = destination('outputs.zipkin', { kind: 'retry', cause });
    const { accept, status } = setUp({ store: store.self, outputs: [output.self] });
    expect(await accept({ signal: 'spans', items: [span(1)] }, signal)).toEqual({ kind: 'retry', cause });
    expect(store.batches).toHaveLength(0);
    expect(status()).toMatchObject({ kept: 0, refused: 1, lastError: 'outputs.zipkin has no room' });
  });

  it('drops spans that are older than the store keeps and says kept, for Zipkin has no other answer', async () => {
    const store = destination('store');
    const { accept, status, meter } = setUp({ store: store.self, oldestMs: () => nowMs - 1000 });
    const items = [span((nowMs - 2000) * 1000), span(nowMs * 1000), span(undefined)];
    expect(await accept({ signal: 'spans', items }, signal)).toEqual({ kind: 'kept' });
    expect(store.batches[0]?.items).toHaveLength(2);
    expect(status()).toMatchObject({ received: 3, kept: 2, dropped: 1 });
    expect(await meter.registry.metrics()).toContain('reason="older_than_retention"} 1');
  });

  it('refuses samples that are too old or more than ten minutes ahead, one by one, and keeps the rest', async () => {
    const store = destination('store');
    const { accept, status } = setUp({ store: store.self, oldestMs: () => nowMs - 1000 });
    const series = createSeries([['__name__', 'up']]);
    const at = (timestampMs: number) => ({ timestampMs, value: 1, isStale: false });
    const samples = [at(nowMs - 5000), at(nowMs), at(nowMs + 10 * 60_000), at(nowMs + 10 * 60_000 + 1)];
    const outcome = await accept({ signal: 'samples', items: [{ series, samples }] }, signal);
    expect(outcome).toMatchObject({ kind: 'rejected', count: 2 });
    const [kept] = store.batches;
    expect(kept?.signal === 'samples' && kept.items[0]?.samples).toEqual([samples[1], samples[2]]);
    expect(status()).toMatchObject({ received: 4, kept: 2, refused: 2 });
  });

  it('refuses samples and exemplars of times that the store cannot tell, even where everything is kept for ever', async () => {
    const store = destination('store');
    const { accept } = setUp({ store: store.self });
    const series = createSeries([['__name__', 'up']]);
    const at = (timestampMs: number) => ({ timestampMs, value: 1, isStale: false });
    const in1900 = Date.UTC(1900, 0, 1);
    const samples = [at(-1e303), at(in1900 - 1), at(in1900), at(0)];
    const exemplars = [in1900 - 1, 0].map((timestampMs) => ({ series, labels: [], value: 1, timestampMs }));
    const batch = { signal: 'samples', items: [{ series, samples }], exemplars } as const;
    expect(await accept(batch, signal)).toMatchObject({ kind: 'rejected', count: 2 });
    const [kept] = store.batches;
    if (kept?.signal !== 'samples') throw new Error('nothing was kept');
    expect(kept.items[0]?.samples).toEqual(samples.slice(2));
    expect(kept.exemplars).toEqual(exemplars.slice(1));
  });

  describe('while it is not known how far back the store keeps', () => {
    const hourMs = 3_600_000;
    const start = () => {
      const store = destination('store');
      const unknown = { oldestMs: () => nowMs - 24 * hourMs, unsureMs: () => nowMs - hourMs };
      return { store, ...setUp({ store: store.self, ...unknown }) };
    };
    const young = span(nowMs * 1000);
    const between = span((nowMs - 2 * hourMs) * 1000);
    const ancient = span(0);

    it('refuses a batch with a span that may be too old for now, so that it comes again', async () => {
      const { accept, status, store, meter } = start();
      const outcome = await accept({ signal: 'spans', items: [young, between] }, signal);
      expect(outcome.kind === 'retry' && retryResponse(outcome)).toMatchObject({
        status: 503,
        body: '1 of these may be older than the store keeps, which the store could not be asked yet; send this again later\n',
      });
      expect(store.batches).toEqual([]);
      expect(status()).toMatchObject({ received: 2, kept: 0, refused: 2 });
      expect(await meter.registry.metrics()).toContain('reason="retention_unknown"} 2');
    });

    it('takes what is young enough for any store, and lets a span that is too old for certain hold nothing up', async () => {
      const { accept, store } = start();
      expect(await accept({ signal: 'spans', items: [young, ancient] }, signal)).toEqual({ kind: 'kept' });
      expect(store.batches).toEqual([{ signal: 'spans', items: [young] }]);
    });

    it('refuses samples that may be too old one by one, since a scrape is not repeated', async () => {
      const { accept, store } = start();
      const series = createSeries([['__name__', 'up']]);
      const samples = [0, 2 * hourMs, 48 * hourMs].map((ageMs) => ({
        timestampMs: nowMs - ageMs,
        value: 1,
        isStale: false,
      }));
      const outcome = await accept({ signal: 'samples', items: [{ series, samples }] }, signal);
      expect(outcome).toMatchObject({ kind: 'rejected', count: 2 });
      expect(store.batches).toEqual([{ signal: 'samples', items: [{ series, samples: samples.slice(0, 1) }] }]);
    });
  });

  it('hands on the positions of a log batch even when none of its lines is young enough', async () => {
    const store = destination('store');
    const { accept } = setUp({ store: store.self, oldestMs: () => nowMs });
    const record = {
      timeNs: 5n,
      stream: 'stdout' as const,
      body: 'x',
      severity: '',
      traceId: '',
      spanId: '',
      requestId: '',
      attributes: {},
      resource: emptyResource,
    };
    const positions = [{ key: 'container_logs:1', value: '7' }];
    await accept({ signal: 'logs', items: [record], positions }, signal);
    expect(store.batches[0]).toEqual({ signal: 'logs', items: [], positions });
  });

  it('adds global tags to every signal, lets what an item says itself win, and derives each series once', async () => {
    const store = destination('store');
    const { accept } = setUp({ store: store.self, tags: { cluster: 'west', job: 'never' } });
    const series = createSeries([
      ['__name__', 'up'],
      ['job', 'prom'],
    ]);
    const items = [{ series, samples: [{ timestampMs: nowMs, value: 1, isStale: false }] }];
    await accept({ signal: 'samples', items }, signal);
    await accept({ signal: 'samples', items }, signal);
    await accept({ signal: 'spans', items: [span(nowMs * 1000)] }, signal);
    const [first, second, third] = store.batches;
    if (first?.signal !== 'samples' || second?.signal !== 'samples' || third?.signal !== 'spans')
      throw new Error('order');
    const tagged = first.items[0]?.series;
    expect(tagged && [labelValue(tagged, 'cluster'), labelValue(tagged, 'job')]).toEqual(['west', 'prom']);
    expect(second.items[0]?.series).toBe(tagged);
    expect(third.items[0]?.resource.attributes).toEqual({ cluster: 'west', job: 'never' });
    expect(third.items[0]?.attributes).toEqual({});
  });

  it('hands on metadata and exemplars, these with tagged series and not older than samples may be', async () => {
    const store = destination('store');
    const { accept, status } = setUp({ store: store.self, tags: { cluster: 'west' }, oldestMs: () => nowMs - 1000 });
    const series = createSeries([['__name__', 'up']]);
    const at = (timestampMs: number) => ({ series, labels: [], value: 1, timestampMs });
    const metadata = [{ family: 'up', type: 'gauge', help: '', unit: '' } as const];
    const exemplars = [at(nowMs), at(nowMs - 2000), at(nowMs + 3_600_000)];
    expect(await accept({ signal: 'samples', items: [], metadata, exemplars }, signal)).toEqual({ kind: 'kept' });
    expect(status()).toMatchObject({ refused: 0, dropped: 2 });
    const [batch] = store.batches;
    if (batch?.signal !== 'samples') throw new Error('order');
    expect(batch.metadata).toEqual(metadata);
    expect(batch.exemplars?.map(({ timestampMs }) => timestampMs)).toEqual([nowMs]);
    expect(batch.exemplars?.map((each) => labelValue(each.series, 'cluster'))).toEqual(['west']);
  });

  it('refuses everything once it is closed', async () => {
    const store = destination('store');
    const { accept, intake } = setUp({ store: store.self });
    intake.close();
    const outcome = await accept({ signal: 'spans', items: [span(1)] }, signal);
    expect(outcome.kind === 'retry' && retryResponse(outcome)).toMatchObject({ status: 503, retryAfterMs: 5000 });
    expect(store.batches).toHaveLength(0);
  });
});

describe('a refusal over HTTP', () => {
  it('is 429 when sending less would help, and 503 when it would not', () => {
    const refused = (reason: 'overloaded' | 'spool_full' | 'disk_full' | 'internal') =>
      retryResponse({ kind: 'retry', cause: new RefusedError(reason, 'why'), afterMs: 7000 });
    expect(refused('overloaded')).toEqual({ status: 429, body: 'why\n', retryAfterMs: 7000 });
    expect(refused('spool_full').status).toBe(429);
    expect(refused('disk_full').status).toBe(503);
    expect(refused('internal').status).toBe(503);
  });
});
