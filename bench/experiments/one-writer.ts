/**
 * One writer for all tables and a segment a second: `npm run build && npx tsx bench/experiments/one-writer.ts [--seconds 60] [--runs
 * spans,samples,both,idle]`. Drives the store's destination (spool, sender, roll-ups, store process) with spans and samples at fixed rates, nothing of
 * HTTP or codecs around it, and prints one JSON object a run. 250,000 samples a second are 25,000 series scraped ten times a second, 500 a target: 250,000
 * series once a second would write as many rows from ten times the label sets, which the generator could not hold beside the rest in 2 cores.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { Histogram, Registry } from 'prom-client';
import { systemClock } from '../../src/cli/agent/clock.ts';
import { realFileSystem } from '../../src/pipeline/file-system.ts';
import { openSpool } from '../../src/pipeline/spool/open-spool.ts';
import type { StoreClient } from '../../src/store/client.ts';
import { createStoreClient } from '../../src/store/http-client.ts';
import { createSegmentSender } from '../../src/store/intake/segment-sender.ts';
import { createStoreDestination } from '../../src/store/intake/store-destination.ts';
import { createRollupRunner } from '../../src/store/rollups/runner.ts';
import { migrate } from '../../src/store/schema/migrate.ts';
import { createSupervisor } from '../../src/store/supervisor.ts';
import { cpuUs, machine, memoryMiB, quantile } from '../lib/processes.ts';
import { createSampleSource, createSpanSource, type Source } from './batch-sources.ts';
import { createLagWatch } from './lag-watch.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    runs: { type: 'string', default: 'spans,samples,both,idle' },
    'span-rate': { type: 'string', default: '50000' },
    'sample-rate': { type: 'string', default: '250000' },
    series: { type: 'string', default: '25000' },
    /** Of the spool; what the agent does unless told. */
    'segment-age-ms': { type: 'string', default: '1000' },
  },
});

const seconds = Number(values.seconds);
const log = pino({ level: 'error' }, pino.destination(2));
const longSignal = () => AbortSignal.timeout(600_000);

interface Rates {
  readonly spans: number;
  readonly samples: number;
}

/** What `openStoreLink` makes in the agent, with a watch on each segment. */
async function openStore(directory: string) {
  const failures: string[] = [];
  const opened = await openSpool({
    directory: join(directory, 'spool'),
    fileSystem: realFileSystem,
    clock: systemClock,
    log,
    limits: { maxBytes: 4 * 2 ** 30, segmentAgeMs: Number(values['segment-age-ms']) },
    whenFull: 'refuse',
    writer: 1,
    keepsPositions: true,
    onLoss: ({ why }) => failures.push(why),
  });
  const watch = createLagWatch(opened);
  const supervisor = createSupervisor({
    command: [process.execPath, fileURLToPath(new URL('../../dist/main.js', import.meta.url)), 'store'],
    directory: join(directory, 'store'),
    log,
  });
  await supervisor.start(AbortSignal.timeout(30_000));
  const client = createStoreClient({ socketPath: supervisor.socketPath });
  await migrate(client, { signal: longSignal() });
  const registry = new Registry();
  const insertSeconds = new Histogram({
    name: 'insert_seconds',
    help: 'An INSERT.',
    labelNames: ['table'] as const,
    buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers: [registry],
  });
  const onFailure = (why: string) => failures.push(why);
  const sender = createSegmentSender({ spool: watch.spool, client, clock: systemClock, log, insertSeconds, onFailure });
  const rollups = createRollupRunner({ client, clock: systemClock, log, failed: ({ message }) => onFailure(message) });
  const stopping = new AbortController();
  const running = sender.run(stopping.signal);
  rollups.start();
  return {
    watch,
    client,
    failures,
    insertSeconds,
    destination: createStoreDestination({ spool: watch.spool, nowMs: Date.now }),
    pid: supervisor.health().pid ?? 0,
    async stop() {
      stopping.abort(new Error('done'));
      await Promise.all([running, rollups.stop()]);
      await opened.close();
      await client.close();
      await supervisor.stop(5000);
    },
  };
}
type Store = Awaited<ReturnType<typeof openStore>>;

async function countParts(client: StoreClient): Promise<Record<string, number>> {
  const rows = await client.rows<{ table: string; n: string }>({
    sql: "SELECT table, toString(count()) AS n FROM system.parts WHERE active AND table IN ('spans', 'series', 'samples') GROUP BY table",
    signal: longSignal(),
  });
  return Object.fromEntries(rows.map(({ table, n }) => [table, Number(n)]));
}

async function bytesARow(client: StoreClient, table: string): Promise<number | undefined> {
  const [row] = await client.rows<{ bytes: string; rows: string }>({
    sql: 'SELECT toString(sum(bytes_on_disk)) AS bytes, toString(sum(rows)) AS rows FROM system.parts WHERE active AND table = {table:String}',
    parameters: { table },
    signal: longSignal(),
  });
  const rows = Number(row?.rows ?? 0);
  return rows === 0 ? undefined : Number((Number(row?.bytes) / rows).toFixed(2));
}

/** Offers the source's batches evenly over the time, as far behind as it may fall, and answers what was acknowledged. */
async function drive(store: Store, source: Source, rate: number) {
  const ackMs: number[] = [];
  const under = new Set<Promise<void>>();
  let [acknowledged, refused] = [0, 0];
  const startedMs = performance.now();
  const endsMs = startedMs + seconds * 1000;
  const offer = async (): Promise<void> => {
    const { batch, items } = source.next();
    const beforeMs = performance.now();
    const outcome = await store.destination.append(batch, AbortSignal.timeout(30_000));
    const nowMs = performance.now();
    if (outcome.kind !== 'kept') {
      refused += items;
      if (store.failures.length < 5) store.failures.push(outcome.cause.message);
      return;
    }
    acknowledged += items;
    ackMs.push(nowMs - beforeMs);
    store.watch.acknowledged(batch.signal, items, nowMs);
  };
  for (let offered = 0; performance.now() < endsMs; ) {
    const due = ((performance.now() - startedMs) / 1000) * rate;
    while (offered < due && under.size < 64) {
      offered += source.itemsPerBatch;
      const offering = offer().finally(() => under.delete(offering));
      under.add(offering);
    }
    await sleep(under.size < 64 ? 2 : 0);
  }
  await Promise.all(under);
  const tookS = (performance.now() - startedMs) / 1000;
  return {
    acknowledged,
    refused,
    perSecond: Math.round(acknowledged / tookS),
    ackMs: { p50: quantile(ackMs, 0.5), p99: quantile(ackMs, 0.99), max: quantile(ackMs, 1) },
  };
}

/** CPU of making so many items without keeping them, to be taken off the driver's. */
function generatorUs(source: Source): number {
  const batches = Math.ceil(200_000 / source.itemsPerBatch);
  const before = process.cpuUsage();
  for (let i = 0; i < batches; i++) source.next();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (batches * source.itemsPerBatch);
}

async function run(name: string, rates: Rates): Promise<object> {
  const directory = await mkdtemp(join(tmpdir(), 'trawl-one-writer-'));
  const store = await openStore(directory);
  const spanSource = createSpanSource(name === 'idle' ? 1 : 100);
  const sampleSource = createSampleSource({ series: Number(values.series), perTarget: 500 });
  const generator = { span: generatorUs(spanSource), sample: generatorUs(sampleSource) };
  await sleep(name === 'idle' ? 10_000 : 1000);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const before = { driver: process.cpuUsage(), store: cpuUs(store.pid), atMs: performance.now() };
  let mostParts: Record<string, number> = {};
  // Asking costs the store as much as the load does when there is next to none.
  const counting = setInterval(
    () => {
      countParts(store.client).then(
        (now) => {
          const names = new Set([...Object.keys(now), ...Object.keys(mostParts)]);
          mostParts = Object.fromEntries([...names].map((t) => [t, Math.max(now[t] ?? 0, mostParts[t] ?? 0)]));
        },
        (error: unknown) => store.failures.push(String(error)),
      );
    },
    name === 'idle' ? seconds * 1000 + 60_000 : 2000,
  );
  const [spans, samples] = await Promise.all([
    rates.spans > 0 ? drive(store, spanSource, rates.spans) : undefined,
    rates.samples > 0 ? drive(store, sampleSource, rates.samples) : undefined,
  ]);
  clearInterval(counting);
  const behind = store.watch.spool.stats();
  const drainStartMs = performance.now();
  await store.watch.spool.released(await store.watch.spool.rotate(), longSignal());
  const drainMs = Math.round(performance.now() - drainStartMs);
  delay.disable();
  const tookS = (performance.now() - before.atMs) / 1000;
  const { user, system } = process.cpuUsage(before.driver);
  const cpu = { driver: user + system, store: cpuUs(store.pid) - before.store };
  const generated = (spans?.acknowledged ?? 0) * generator.span + (samples?.acknowledged ?? 0) * generator.sample;
  const items = (spans?.acknowledged ?? 0) + (samples?.acknowledged ?? 0);
  const perItem = (us: number) => Number((us / items).toFixed(2));
  const percent = (us: number) => Number((us / tookS / 1e4).toFixed(2));
  const parts = await countParts(store.client);
  const inserts = (await store.insertSeconds.get()).values
    .filter(({ metricName }) => metricName === 'insert_seconds_count')
    .map(({ labels, value }) => [labels.table, value]);
  const memory = { driver: memoryMiB(process.pid).pss, store: memoryMiB(store.pid).pss };
  const unmerged = await bytesARow(store.client, 'samples');
  if (samples !== undefined) {
    await store.client.command({ sql: 'OPTIMIZE TABLE samples FINAL', signal: longSignal(), timeoutMs: 600_000 });
  }
  const answer = {
    run: name,
    machine: machine(),
    seconds: Number(tookS.toFixed(1)),
    spans,
    samples,
    lagMs: { spans: store.watch.lag('spans'), samples: store.watch.lag('samples') },
    behindAtTheEnd: { bytes: behind.bytes, oldestAgeMs: Math.round(behind.oldestAgeMs), drainMs },
    inserts: Object.fromEntries(inserts),
    parts: { most: mostParts, atTheEnd: parts },
    // Only a run of one signal can say what one item of it costs.
    cpuUsPerItem:
      name === 'spans' || name === 'samples'
        ? { generator: perItem(generated), driver: perItem(cpu.driver - generated), store: perItem(cpu.store) }
        : undefined,
    cpuPercent: { generator: percent(generated), driver: percent(cpu.driver - generated), store: percent(cpu.store) },
    eventLoopDelayMs: { p99: Math.round(delay.percentile(99) / 1e6), max: Math.round(delay.max / 1e6) },
    memoryMiB: memory,
    bytesPerSample: samples === undefined ? undefined : { unmerged, merged: await bytesARow(store.client, 'samples') },
    failures: store.failures.slice(0, 5),
  };
  await store.stop();
  await rm(directory, { recursive: true, force: true });
  return answer;
}

const spanRate = Number(values['span-rate']);
const sampleRate = Number(values['sample-rate']);
const known: Readonly<Record<string, Rates>> = {
  spans: { spans: spanRate, samples: 0 },
  samples: { spans: 0, samples: sampleRate },
  both: { spans: spanRate, samples: sampleRate },
  idle: { spans: 5, samples: 0 },
};
for (const name of values.runs.split(',')) {
  const rates = known[name];
  if (rates === undefined) throw new Error(`no run is called ${name}: ${Object.keys(known).join(', ')}`);
  console.log(JSON.stringify(await run(name, rates)));
}
process.exit(0);
