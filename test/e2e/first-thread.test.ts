/** The spine, from a sender's bytes to a query's answer: input, intake, spool, store process, reader, dialect. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Histogram, Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSpans } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import { encodeSpans } from '../../src/codec/zipkin-v2-json/encode-spans.ts';
import { realFileSystem } from '../../src/pipeline/file-system.ts';
import { createIntake } from '../../src/pipeline/intake.ts';
import { createMeter } from '../../src/pipeline/meter.ts';
import { openSpool } from '../../src/pipeline/spool/open-spool.ts';
import type { Spool } from '../../src/pipeline/spool/spool.ts';
import { createFreshness } from '../../src/store/intake/freshness.ts';
import { createSegmentSender } from '../../src/store/intake/segment-sender.ts';
import { createStoreDestination } from '../../src/store/intake/store-destination.ts';
import { traceById } from '../../src/store/readers/spans.ts';
import { realClock } from '../fixtures/fake-host.ts';
import { startTestStore, type TestStore } from '../fixtures/test-store.ts';

const signal = new AbortController().signal;
const log = pino({ level: 'silent' });

describe('a span on its way', () => {
  let store: TestStore;
  let spool: Spool;
  let directory: string;
  const stop = new AbortController();
  let sending: Promise<void>;

  beforeAll(async () => {
    store = await startTestStore();
    directory = await mkdtemp(join(tmpdir(), 'trawl-thread-'));
    spool = await openSpool({
      directory,
      fileSystem: realFileSystem,
      clock: realClock,
      log,
      limits: { maxBytes: 256 * 1024 * 1024 },
      whenFull: 'refuse',
      writer: 7,
      keepsPositions: true,
      onLoss: () => undefined,
    });
    const sender = createSegmentSender({
      spool,
      client: store.client,
      clock: realClock,
      log,
      insertSeconds: new Histogram({ name: 'x', help: 'x', labelNames: ['table'], registers: [] }),
      onFailure: () => undefined,
    });
    sending = sender.run(stop.signal);
  });

  afterAll(async () => {
    stop.abort(new Error('done'));
    await sending;
    await spool.close();
    await store.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('comes back from the store as the real Envoy sent it', async () => {
    const recorded: { posts: { body: string }[] } = JSON.parse(
      await readFile(new URL('../fixtures/spans/envoy-1.40.json', import.meta.url), 'utf8'),
    );
    const sent = recorded.posts.flatMap(({ body }) => decodeSpans(Buffer.from(body)));
    const intake = createIntake({
      outputs: () => [],
      store: createStoreDestination({ spool, nowMs: Date.now }),
      globalTags: {},
      oldestMs: () => undefined,
      nowMs: Date.now,
      meter: createMeter(new Registry(), Date.now),
    });
    expect(await intake.acceptFor('inputs.zipkin')({ signal: 'spans', items: sent }, signal)).toEqual({ kind: 'kept' });
    await createFreshness(spool, realClock).flush(signal);
    const key = (text: string) =>
      JSON.parse(text)
        .map((span: object) => JSON.stringify(span))
        .sort();
    for (const traceId of new Set(sent.map((span) => span.traceId))) {
      const found = await traceById(store.client, traceId, { signal });
      expect(key(encodeSpans(found))).toEqual(key(encodeSpans(sent.filter((span) => span.traceId === traceId))));
    }
  });
});
