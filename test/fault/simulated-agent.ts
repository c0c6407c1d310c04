/**
 * An agent put together from its real parts as `cli/agent` does it, but in this process, in a time that the test turns and on a disk in
 * memory, so that a day takes a minute: inputs, intake, spools, an output, and a real store process behind the sender.
 */
import { pino } from 'pino';
import { Histogram, Registry } from 'prom-client';
import { type Components, createComponents } from '../../src/cli/agent/components.ts';
import type { ComponentBlock } from '../../src/config/load.ts';
import { containerLogsInput } from '../../src/inputs/container_logs/index.ts';
import { promInput } from '../../src/inputs/prom/index.ts';
import { zipkinInput } from '../../src/inputs/zipkin/index.ts';
import type { Batch, Outcome } from '../../src/model/batch.ts';
import type { Clock, Host, InputKind, Sink } from '../../src/pipeline/component.ts';
import { type Output, openOutput } from '../../src/pipeline/delivery/output.ts';
import type { IngestRoute } from '../../src/pipeline/ingest-route.ts';
import { createIntake } from '../../src/pipeline/intake.ts';
import { createMeter, type Meter } from '../../src/pipeline/meter.ts';
import { openSpool } from '../../src/pipeline/spool/open-spool.ts';
import type { Spool } from '../../src/pipeline/spool/spool.ts';
import type { StoreClient } from '../../src/store/client.ts';
import { createSegmentSender } from '../../src/store/intake/segment-sender.ts';
import { createStoreDestination } from '../../src/store/intake/store-destination.ts';
import type { Drop, RetentionLimits } from '../../src/store/retention/plan.ts';
import { createRetention } from '../../src/store/retention/retention.ts';
import type { FakeClock } from '../fixtures/fake-host.ts';
import type { SimulatedDisk } from './simulated-disk.ts';

/** What outlives an agent: its disk, the time, the store, and who counts. */
export interface Surroundings {
  readonly clock: FakeClock;
  readonly disk: SimulatedDisk;
  readonly client: StoreClient;
  readonly meter: Meter;
  readonly insertSeconds: Histogram<'table'>;
  /** On the machine's own disk. */
  readonly dataDirectory: string;
  readonly sink: Sink;
  /** Told of every batch that an input offered, with what became of it. */
  settled(component: string, batch: Batch, outcome: Outcome): void;
  dropped(drop: Drop): void;
}

export function createCounters(clock: Clock): Pick<Surroundings, 'meter' | 'insertSeconds'> {
  const registry = new Registry();
  const insertSeconds = new Histogram({ name: 'insert', help: 'x', labelNames: ['table'] as const, registers: [] });
  return { meter: createMeter(registry, clock.nowMs), insertSeconds };
}

export interface AgentSettings {
  readonly scrapeUrl: string;
  readonly logRoot: string;
  readonly limits: RetentionLimits;
  readonly segmentAgeMs: number;
  readonly outputSpoolBytes: number;
  readonly retentionIntervalMs: number;
}

export interface SimulatedAgent {
  readonly spool: Spool;
  readonly output: Output;
  /** Whether a scrape or a batch is on its way: time must stand still meanwhile, as it does not pass by itself. */
  isBusy(): boolean;
  postSpans(body: string): Promise<number>;
  /** Another interval of looking at logs, or another tag on what is scraped. */
  reload(change: 'logs' | 'prom'): Promise<void>;
  /** Nothing more is taken in; what was is delivered. */
  stopInputs(): Promise<void>;
  /** In order, as SIGTERM does it. */
  stop(): Promise<void>;
  /** As a power cut does it: nothing more is written, and what was not synced is gone. */
  crash(): Promise<void>;
}

export const spoolBytes = 64 * 1024 * 1024;
/** A number that is nobody else's delay, so that a scrape on its way can be told from one that waits for its turn. */
const scrapeTimeoutMs = 7_001;
const log = pino({ level: 'silent' });

type Block = ComponentBlock<InputKind<unknown>>;

const blocksOf = ({ scrapeUrl, logRoot }: AgentSettings): { prom: Block; logs: Block; zipkin: Block } => ({
  zipkin: { kind: zipkinInput, name: 'inputs.zipkin', config: zipkinInput.config.parse({}), source: '' },
  prom: {
    kind: promInput as InputKind<unknown>,
    name: 'inputs.prom',
    config: promInput.config.parse({ url: scrapeUrl, interval: '15s', timeout: `${scrapeTimeoutMs}ms` }),
    source: '',
  },
  logs: {
    kind: containerLogsInput as InputKind<unknown>,
    name: 'inputs.container_logs',
    config: containerLogsInput.config.parse({ path: logRoot, scan_interval: '60s', poll_interval: '15s' }),
    source: '',
  },
});

/** Counts the sleeps that are a scrape's deadline. */
function watchScrapes(clock: Clock): { readonly clock: Clock; running(): number } {
  let running = 0;
  return {
    running: () => running,
    clock: {
      ...clock,
      async sleep(delayMs, signal) {
        if (delayMs !== scrapeTimeoutMs) return clock.sleep(delayMs, signal);
        running++;
        try {
          await clock.sleep(delayMs, signal);
        } finally {
          running--;
        }
      },
    },
  };
}

/** Starts an agent over what an earlier one left. */
export async function startSimulatedAgent(around: Surroundings, settings: AgentSettings): Promise<SimulatedAgent> {
  const { clock, disk, client, meter } = around;
  const onLoss = (name: string) => () => {
    throw new Error(`${name} lost something`);
  };
  const spool = await openSpool({
    directory: '/spool/store',
    fileSystem: disk,
    clock,
    log,
    limits: { maxBytes: spoolBytes, segmentAgeMs: settings.segmentAgeMs },
    whenFull: 'refuse',
    writer: 7,
    keepsPositions: true,
    onLoss: onLoss('the spool of the store'),
  });
  const routes: IngestRoute[] = [];
  const scrapes = watchScrapes(clock);
  const hostFor = (name: string): Host => ({
    name,
    nodeName: 'node-1',
    clock: name === 'inputs.prom' ? scrapes.clock : clock,
    log,
    meter,
    dataDirectory: around.dataDirectory,
    routes: {
      add(route) {
        routes.push(route);
        return () => void routes.splice(routes.indexOf(route), 1);
      },
    },
    positions: (prefix) => spool.positions(prefix),
  });
  const output = await openOutput({
    sink: around.sink,
    host: hostFor('outputs.zipkin'),
    spool: {
      directory: '/spool/output',
      fileSystem: disk,
      limits: { maxBytes: settings.outputSpoolBytes },
      whenFull: 'drop_oldest',
      writer: 7,
    },
    random: () => 0.5,
  });
  const retention = createRetention({
    client,
    clock,
    log,
    limits: settings.limits,
    intervalMs: settings.retentionIntervalMs,
    dropped: around.dropped,
  });
  const intake = createIntake({
    outputs: () => [output],
    store: createStoreDestination({ spool, nowMs: clock.nowMs }),
    globalTags: { cluster: 'simulated' },
    oldestMs: retention.oldestAllowedMs,
    nowMs: clock.nowMs,
    meter,
  });
  let underway = 0;
  const inputs: Components<InputKind<unknown>> = createComponents({
    clock,
    log,
    start: ({ kind, name, config }) => {
      const accept = intake.acceptFor(name);
      return kind.start(config, hostFor(name), async (batch, signal) => {
        underway++;
        try {
          const outcome = await accept(batch, signal);
          around.settled(name, batch, outcome);
          return outcome;
        } finally {
          underway--;
        }
      });
    },
  });
  const stopping = new AbortController();
  const sending = createSegmentSender({
    spool,
    client,
    clock,
    log,
    insertSeconds: around.insertSeconds,
    onFailure: (why) => meter.failed('store', why),
  }).run(stopping.signal);
  retention.start();
  const blocks = blocksOf(settings);
  const running = { prom: blocks.prom, logs: blocks.logs };
  await inputs.startAll([blocks.zipkin, blocks.prom, blocks.logs]);
  let reloads = 0;

  const endRest = async () => {
    stopping.abort(new Error('the agent stops'));
    await sending;
    await retention.stop();
  };
  const stopInputs = async () => {
    await inputs.stopAll(AbortSignal.timeout(20_000));
    intake.close();
  };
  return {
    spool,
    output,
    isBusy: () => underway > 0 || scrapes.running() > 0,
    async postSpans(body) {
      const [route] = routes;
      if (route === undefined) throw new Error('nobody takes spans');
      const signal = AbortSignal.timeout(20_000);
      const { status } = await route.handle({
        path: route.path,
        mediaType: 'application/json',
        body: Buffer.from(body),
        signal,
      });
      return status;
    },
    async reload(change) {
      reloads++;
      const from = running[change];
      const config =
        change === 'prom'
          ? { ...Object(from.config), tags: { reload: String(reloads) } }
          : { ...Object(from.config), poll_interval: 15_000 + reloads };
      const to = { ...from, config };
      running[change] = to;
      const unchanged = [blocks.zipkin, running[change === 'prom' ? 'logs' : 'prom']];
      await inputs.apply({
        added: [],
        removed: [],
        changed: [{ from, to }],
        unchanged: unchanged.map((block) => ({ from: block, to: block })),
      });
    },
    stopInputs,
    async stop() {
      await stopInputs();
      await output.running.stop(AbortSignal.timeout(1_000));
      await endRest();
      await spool.close();
    },
    async crash() {
      intake.close();
      disk.restart('lose');
      const gone = (error: unknown) => {
        if (!(error instanceof Error)) throw error;
      };
      await inputs.stopAll(AbortSignal.abort(new Error('crash')));
      await output.running.stop(AbortSignal.abort(new Error('crash'))).catch(gone);
      await endRest();
      await spool.close().catch(gone);
    },
  };
}
