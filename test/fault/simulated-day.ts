/** A day of an agent's life in a minute: what happens in it, what must hold at every minute of it, and what must be there at its end. */
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Batch, Outcome, Signal } from '../../src/model/batch.ts';
import type { Sink } from '../../src/pipeline/component.ts';
import { traceById } from '../../src/store/readers/spans.ts';
import type { RetentionLimits } from '../../src/store/retention/plan.ts';
import { runRollupPass } from '../../src/store/rollups/pass.ts';
import { readTopology } from '../../src/store/rollups/topology.ts';
import { createFakeClock, type FakeClock } from '../fixtures/fake-host.ts';
import { startTestStore, type TestStore } from '../fixtures/test-store.ts';
import {
  type AgentSettings,
  createCounters,
  type SimulatedAgent,
  type Surroundings,
  spoolBytes,
  startSimulatedAgent,
} from './simulated-agent.ts';
import { createSimulatedDisk } from './simulated-disk.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const ageMs = 6 * hourMs;
const outputSpoolBytes = 256 * 1024;
const signal = () => AbortSignal.timeout(30_000);

export interface DayOptions {
  readonly hours: number;
  /** Spans come in one minute of so many; each such minute is a pass of the roll-ups. */
  readonly spansEveryMinutes: number;
  readonly segmentAgeMs: number;
}

export interface DayReport {
  readonly hours: number;
  readonly seconds: number;
  /** What did not hold, with the simulated moment. */
  readonly broken: readonly string[];
  readonly accepted: Readonly<Record<Signal, number>>;
  readonly stored: Readonly<Record<Signal, number>>;
  readonly droppedByRetention: Readonly<Record<Signal, number>>;
  readonly output: { readonly delivered: number; readonly repeated: number; readonly dropped: number };
  readonly largest: Readonly<Record<'sleepers' | 'storeSpoolBytes' | 'outputSpoolBytes' | 'positions', number>>;
}

const zeros = (): Record<Signal, number> => ({ spans: 0, samples: 0, logs: 0 });
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Everything that was acknowledged, and everything that a retention said it dropped. */
function createLedger(clock: FakeClock) {
  const accepted = zeros();
  const dropped = zeros();
  const spans = new Map<string, number>();
  const lines = new Set<string>();
  return {
    accepted,
    dropped,
    spans,
    lines,
    settled(_component: string, batch: Batch, outcome: Outcome) {
      if (outcome.kind === 'retry') return;
      const oldestMs = clock.nowMs() - ageMs;
      if (batch.signal === 'spans') {
        for (const { id, startUs = 0 } of batch.items) {
          if (startUs < oldestMs * 1000) continue;
          spans.set(id, startUs);
          accepted.spans++;
        }
      } else if (batch.signal === 'logs') {
        for (const { body } of batch.items) lines.add(body);
        accepted.logs += batch.items.length;
      } else {
        for (const { samples } of batch.items) accepted.samples += samples.length;
      }
    },
  };
}

type Ledger = ReturnType<typeof createLedger>;

/** A backend in memory that can be away, or take nothing. */
function createBackend() {
  const backend = { isAway: false, refusals: 0, delivered: new Map<string, number>() };
  const sink: Sink = {
    encode: (batch) =>
      batch.signal === 'spans'
        ? { bytes: Buffer.from(JSON.stringify(batch.items)), items: batch.items.length }
        : undefined,
    async send({ bytes }) {
      if (backend.isAway) return { kind: 'retry', cause: new Error('away') };
      if (backend.refusals > 0) {
        backend.refusals--;
        return { kind: 'rejected', cause: new Error('refused') };
      }
      for (const [, id = ''] of Buffer.from(bytes)
        .toString()
        .matchAll(/"id":"([0-9a-f]+)"/g))
        backend.delivered.set(id, (backend.delivered.get(id) ?? 0) + 1);
      return { kind: 'delivered' };
    },
    probe: async () => ({ isHealthy: true, line: 'x' }),
    close: async () => {},
  };
  return { backend, sink };
}

async function startTarget(): Promise<{ url: string; close(): Promise<void> }> {
  let scrapes = 0;
  const server = createServer((_request, response) => {
    const gauges = Array.from({ length: 5 }, (_, i) => `day_gauge{i="${i}"} ${scrapes % (i + 2)}\n`).join('');
    response.end(`# TYPE day_scrapes_total counter\nday_scrapes_total ${++scrapes}\n${gauges}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/metrics`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A container's log, rotated as the kubelet does it. */
async function createLogFile(root: string, clock: FakeClock) {
  const directory = join(root, 'default_shop-1_uid', 'shop');
  const current = join(directory, '0.log');
  await mkdir(directory, { recursive: true });
  let written = 0;
  return {
    written: () => written,
    async write(count: number) {
      const at = new Date(clock.nowMs()).toISOString();
      const lines = Array.from({ length: count }, () => {
        const ns = String(written % 1_000_000).padStart(6, '0');
        return `${at.replace('Z', `${ns}Z`)} stdout F line ${written++}\n`;
      });
      await appendFile(current, lines.join(''));
    },
    async rotate() {
      const stamp = new Date(clock.nowMs()).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
      await rename(current, `${current}.${stamp}`);
      const rotated = (await readdir(directory)).filter((name) => name !== '0.log').sort();
      for (const name of rotated.slice(0, -3)) await rm(join(directory, name));
    },
  };
}

interface Day {
  readonly options: DayOptions;
  readonly clock: FakeClock;
  readonly store: TestStore;
  readonly around: Surroundings;
  readonly ledger: Ledger;
  readonly backend: ReturnType<typeof createBackend>['backend'];
  readonly log: Awaited<ReturnType<typeof createLogFile>>;
  readonly broken: string[];
  readonly largest: { sleepers: number; storeSpoolBytes: number; outputSpoolBytes: number; positions: number };
  settings: AgentSettings;
  agent: SimulatedAgent;
  isStoreUp: boolean;
  spans: number;
}

const hourOf = ({ clock }: Day, startMs: number): number => (clock.nowMs() - startMs) / hourMs;

function expectThat(day: Day, what: string, holds: boolean): void {
  if (holds || day.broken.length > 20) return;
  day.broken.push(`${new Date(day.clock.nowMs()).toISOString()}: ${what}`);
}

/** Time stands still while a scrape or a batch is on its way, since neither takes any of it. */
async function settle({ agent }: Day): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  for (let idle = 0; idle < 2; ) {
    await nextTurn();
    idle = agent.isBusy() ? 0 : idle + 1;
    if (performance.now() > giveUpAt) throw new Error('a scrape or a batch did not settle within 20 s');
  }
}

async function letPass(day: Day, ms: number): Promise<void> {
  const untilMs = day.clock.monotonicMs() + ms;
  while (day.clock.monotonicMs() < untilMs) {
    const leftMs = untilMs - day.clock.monotonicMs();
    await day.clock.advance(Math.min(leftMs, Math.max(1, day.clock.untilNextMs() ?? leftMs)));
    await settle(day);
  }
}

/** Lets a second pass again and again, and a moment of real time with it, for what files, sockets and the engine do. */
async function passUntil(day: Day, what: string, isTrue: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 30_000;
  while (!isTrue()) {
    if (performance.now() > giveUpAt) return expectThat(day, `waited 30 s in vain until ${what}`, false);
    await letPass(day, 1000);
    await sleep(1);
  }
}

async function sendSpans(day: Day, count: number): Promise<void> {
  const nowMs = day.clock.nowMs();
  const spans = Array.from({ length: count }, (_, i) => {
    const number = ++day.spans;
    // Some are late, some older than anything that is kept.
    const lateMs = i === 0 && number % 3 === 0 ? 3 * hourMs : i === 1 && number % 7 === 0 ? 7 * hourMs : 0;
    return {
      traceId: hex(Math.ceil(number / 4), 32),
      id: hex(number, 16),
      kind: number % 2 === 0 ? 'SERVER' : 'CLIENT',
      name: `operation-${number % 5}`,
      timestamp: (nowMs - lateMs) * 1000 + i,
      duration: 1000 + i,
      localEndpoint: { serviceName: `service-${number % 3}` },
      tags: { note: randomUUID() },
    };
  });
  expectThat(day, 'spans are answered 202', (await day.agent.postSpans(JSON.stringify(spans))) === 202);
}

function checkMinute(day: Day): void {
  const { agent, clock, around, largest, log, ledger } = day;
  const spool = agent.spool.stats();
  const output = agent.output.spool();
  const positions = agent.spool.positions('').length;
  largest.sleepers = Math.max(largest.sleepers, clock.sleepers());
  largest.storeSpoolBytes = Math.max(largest.storeSpoolBytes, spool.bytes);
  largest.outputSpoolBytes = Math.max(largest.outputSpoolBytes, output.bytes);
  largest.positions = Math.max(largest.positions, positions);
  expectThat(day, `${clock.sleepers()} timers are too many`, clock.sleepers() <= 30);
  expectThat(day, `${positions} positions are too many for 4 files`, positions <= 6);
  expectThat(day, 'the spool of the store is too large', spool.bytes <= spoolBytes && spool.pendingBytes === 0);
  expectThat(day, `the spool of the output has ${output.bytes} bytes`, output.bytes <= outputSpoolBytes);
  expectThat(day, 'nothing of the spools is damaged', spool.corruptBytes + output.corruptBytes === 0);
  for (const { component, received, kept, refused, dropped, lastError = 'no error' } of around.meter.status()) {
    if (!component.startsWith('inputs.')) continue;
    const what = `${component}: received ${received} = kept ${kept} + refused ${refused} + dropped ${dropped} (${lastError})`;
    expectThat(day, what, received === kept + refused + dropped);
  }
  expectThat(
    day,
    'every line is kept once',
    ledger.accepted.logs === log.written() && ledger.lines.size === log.written(),
  );
}

/** What was acknowledged an hour ago, is not too old, and was not in the way of the byte cap is found by its id. */
async function checkQueries(day: Day): Promise<void> {
  if (!day.isStoreUp || day.settings.limits.maxBytes !== 'none') return;
  const number = Math.max(1, day.spans - 5 * Math.ceil(60 / day.options.spansEveryMinutes) * 2);
  const id = hex(number, 16);
  const startUs = day.ledger.spans.get(id);
  if (startUs === undefined || startUs < (day.clock.nowMs() - 3 * hourMs) * 1000) return;
  const found = await traceById(day.store.client, hex(Math.ceil(number / 4), 32), { signal: signal() });
  expectThat(day, `span ${id} of an hour ago is found once`, found.filter((span) => span.id === id).length === 1);
}

async function restartAgent(day: Day, how: 'stop' | 'crash'): Promise<void> {
  await day.agent[how]();
  day.agent = await startSimulatedAgent(day.around, day.settings);
}

async function bytesOf({ client }: TestStore): Promise<number> {
  const [row] = await client.rows<{ bytes: string }>({
    sql: 'SELECT toString(sum(bytes_on_disk)) AS bytes FROM system.parts WHERE active AND database = currentDatabase()',
    signal: signal(),
  });
  return Number(row?.bytes ?? 0);
}

/** By the hour of the day that has just begun; it starts at noon. */
const events: Readonly<Record<number, (day: Day) => Promise<unknown>>> = {
  2: (day) => killStore(day),
  3: (day) => day.store.restart().then(() => restored(day)),
  4: async ({ backend }) => {
    backend.isAway = true;
  },
  5: (day) => day.agent.reload('prom'),
  6: async ({ backend }) => {
    backend.isAway = false;
  },
  7: (day) => restartAgent(day, 'stop'),
  8: async ({ backend }) => {
    backend.refusals = 2;
  },
  9: async ({ backend }) => {
    backend.isAway = true;
  },
  10: (day) => day.agent.reload('logs'),
  11: (day) =>
    killStore(day)
      .then(() => day.store.restart())
      .then(() => restored(day)),
  // 12 is midnight.
  13: (day) => restartAgent(day, 'crash'),
  14: async ({ backend }) => {
    backend.isAway = false;
  },
  15: (day) => day.store.restart(),
  16: (day) => restartAgent(day, 'crash'),
  17: (day) => day.agent.reload('prom'),
  // 18 is when the day before is older than what is kept.
  20: async (day) => {
    const limits: RetentionLimits = {
      ...day.settings.limits,
      maxBytes: Math.floor((await bytesOf(day.store)) * 0.8),
    };
    day.settings = { ...day.settings, limits };
    await restartAgent(day, 'stop');
  },
  22: (day) =>
    killStore(day)
      .then(() => day.store.restart())
      .then(() => restored(day)),
};

async function killStore(day: Day): Promise<void> {
  day.isStoreUp = false;
  await day.store.kill9();
}

async function restored(day: Day): Promise<void> {
  day.isStoreUp = true;
}

async function rollUp(day: Day): Promise<void> {
  if (!day.isStoreUp) return;
  await runRollupPass(day.store.client, { nowMs: day.clock.nowMs(), signal: signal(), maxRanges: 1000 });
}

async function liveThrough(day: Day, startMs: number): Promise<void> {
  const { clock, options, log } = day;
  let hour = 0;
  for (let minute = 0; clock.nowMs() < startMs + options.hours * hourMs; minute++) {
    if (minute % options.spansEveryMinutes === 0) await sendSpans(day, 5);
    await log.write(3);
    if (minute % 60 === 30) await log.rotate();
    await letPass(day, minuteMs);
    await passUntil(day, 'the log is read', () => day.ledger.accepted.logs >= log.written());
    checkMinute(day);
    if (minute % 20 === 0 && day.isStoreUp) {
      await passUntil(day, 'the store has caught up', () => day.agent.spool.stats().segments <= 2);
    }
    if (hourOf(day, startMs) < hour + 1) continue;
    hour++;
    await events[hour % 24]?.(day);
    await checkQueries(day);
    if (hour % 3 === 0) await rollUp(day);
  }
}

/** Brings everything to its end and looks what is there. */
async function judge(day: Day, startMs: number): Promise<Pick<DayReport, 'stored' | 'output'>> {
  const { agent, store, ledger, backend, around } = day;
  await agent.stopInputs();
  await agent.spool.rotate();
  const flushed = agent.output.flush(signal());
  await passUntil(day, 'everything is in the store', () => agent.spool.stats().segments === 0);
  await passUntil(day, 'everything is with the output', () => agent.output.spool().segments === 0);
  await flushed;
  const rows = <Row>(sql: string) => store.client.rows<Row>({ sql, signal: signal() });
  const spans = await rows<{ id: string; startUs: string }>(
    "SELECT leftPad(lower(hex(id)), 16, '0') AS id, toString(toUnixTimestamp64Micro(ts)) AS startUs FROM spans",
  );
  const lines = await rows<{ body: string }>('SELECT body FROM logs');
  const [samples] = await rows<{ all: string; once: string }>(
    'SELECT toString(count()) AS all, toString(uniqExact(id, ts)) AS once FROM samples',
  );
  const stored = { spans: spans.length, samples: Number(samples?.all), logs: lines.length };
  expectThat(day, 'no span is stored twice', new Set(spans.map(({ id }) => id)).size === spans.length);
  const isAsSent = spans.every(({ id, startUs }) => ledger.spans.get(id) === Number(startUs));
  expectThat(day, 'every stored span was acknowledged', isAsSent);
  expectThat(day, 'no line is stored twice', new Set(lines.map(({ body }) => body)).size === lines.length);
  expectThat(
    day,
    'every stored line was acknowledged',
    lines.every(({ body }) => ledger.lines.has(body)),
  );
  expectThat(day, 'no sample is stored twice', samples?.all === samples?.once);
  for (const name of ['spans', 'samples', 'logs'] as const) {
    const sum = `${name}: acknowledged ${ledger.accepted[name]} = stored ${stored[name]} + dropped ${ledger.dropped[name]}`;
    expectThat(day, sum, ledger.accepted[name] === stored[name] + ledger.dropped[name]);
  }
  const midnightUs = (Math.floor(startMs / dayMs) * dayMs + dayMs) * 1000;
  if (day.options.hours >= 19) {
    const isGone = spans.every(({ startUs }) => Number(startUs) >= midnightUs);
    expectThat(day, 'the day before is gone', isGone);
  }
  await judgeTopology(day, spans.length);
  const delivered = backend.delivered.size;
  const repeated = [...backend.delivered.values()].reduce((sum, times) => sum + times - 1, 0);
  const { dropped = 0 } = around.meter.status().find(({ component }) => component === 'outputs.zipkin') ?? {};
  const sum = `output: acknowledged ${ledger.accepted.spans} = delivered ${delivered} + dropped ${dropped}`;
  expectThat(day, sum, ledger.accepted.spans === delivered + dropped);
  return { stored, output: { delivered, repeated, dropped } };
}

/** The roll-ups and the spans say the same. */
async function judgeTopology(day: Day, spans: number): Promise<void> {
  await runRollupPass(day.store.client, {
    nowMs: day.clock.nowMs() + hourMs,
    signal: signal(),
    maxRanges: 1000,
    redoAfterMs: 0,
  });
  const { nodes } = await readTopology(day.store.client, {
    startMs: day.clock.nowMs() - 2 * dayMs,
    endMs: day.clock.nowMs() + minuteMs,
    signal: signal(),
  });
  const counted = nodes.reduce((sum, node) => sum + node.spans, 0);
  expectThat(day, `the topology counts ${counted} of ${spans} spans`, counted === spans);
}

/** Lives through a day that starts at the next noon but one: the engine's own TTL must not find it old. */
export async function simulateDay(options: DayOptions): Promise<DayReport> {
  const startedAt = performance.now();
  const startMs = Math.floor(Date.now() / dayMs) * dayMs + dayMs * 1.5;
  const clock = createFakeClock(startMs);
  const home = await mkdtemp(join(tmpdir(), 'trawl-day-'));
  const ledger = createLedger(clock);
  const { backend, sink } = createBackend();
  const target = await startTarget();
  const store = await startTestStore();
  const around: Surroundings = {
    ...createCounters(clock),
    clock,
    disk: createSimulatedDisk(),
    client: store.client,
    dataDirectory: home,
    sink,
    settled: ledger.settled,
    dropped: ({ signal: name, rows }) => {
      ledger.dropped[name] += rows;
    },
  };
  const settings: AgentSettings = {
    scrapeUrl: target.url,
    logRoot: join(home, 'pods'),
    limits: { ageMs: { spans: ageMs, samples: ageMs, logs: ageMs }, maxBytes: 'none' },
    segmentAgeMs: options.segmentAgeMs,
    outputSpoolBytes,
    retentionIntervalMs: 5 * minuteMs,
  };
  const log = await createLogFile(settings.logRoot, clock);
  const day: Day = {
    options,
    clock,
    store,
    around,
    ledger,
    backend,
    log,
    broken: [],
    largest: { sleepers: 0, storeSpoolBytes: 0, outputSpoolBytes: 0, positions: 0 },
    settings,
    agent: await startSimulatedAgent(around, settings),
    isStoreUp: true,
    spans: 0,
  };
  try {
    await liveThrough(day, startMs);
    const judged = await judge(day, startMs);
    await day.agent.stop();
    return {
      hours: options.hours,
      seconds: Math.round((performance.now() - startedAt) / 1000),
      broken: day.broken,
      accepted: ledger.accepted,
      droppedByRetention: ledger.dropped,
      largest: day.largest,
      ...judged,
    };
  } finally {
    await store.stop();
    await target.close();
    await rm(home, { recursive: true, force: true });
  }
}
