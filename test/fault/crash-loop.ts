/**
 * Kills the agent, its store process, or both, again and again under load, and then looks whether everything that was acknowledged is
 * there once: spans that were answered 202, samples that were answered 204, lines of a log file, samples of a scrape target, and the roll-ups
 * of the spans.
 */
import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreClient } from '../../src/store/client.ts';
import { createStoreClient } from '../../src/store/http-client.ts';
import { runRollupPass } from '../../src/store/rollups/pass.ts';
import { readTopology } from '../../src/store/rollups/topology.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { createRandom } from '../fixtures/random.ts';
import { createSpanOracle, type Verdict } from './oracle.ts';
import { createPushedOracle, type PushedVerdict } from './pushed-samples.ts';

export interface CrashLoopOptions {
  readonly kills: number;
  readonly seed: number;
  /** Told of each kill. */
  onKill?(line: string): void;
}

export interface CrashLoopReport {
  readonly seed: number;
  readonly kills: Readonly<Record<Victim, number>>;
  readonly spans: Verdict;
  readonly pushed: PushedVerdict;
  readonly lines: {
    readonly written: number;
    readonly stored: number;
    readonly lost: number;
    readonly storedTwice: number;
    readonly disordered: number;
  };
  readonly samples: {
    readonly served: number;
    readonly stored: number;
    readonly lost: number;
    readonly altered: number;
    readonly storedTwice: number;
  };
  /** The difference between the roll-ups' requests and the spans they are of. */
  readonly rollups: { readonly spans: number; readonly requests: number };
  readonly seconds: number;
}

const victims = ['agent', 'store', 'both'] as const;
type Victim = (typeof victims)[number];

const spansPerBody = 10;
const signal = () => AbortSignal.timeout(60_000);

/** Posts bodies one after another until told to stop; an error only means that nobody answered. */
async function post(
  agent: TestAgent,
  oracle: ReturnType<typeof createSpanOracle>,
  isOver: () => boolean,
  onAck: () => void,
): Promise<void> {
  while (!isOver()) {
    const { body, numbers } = oracle.issue(spansPerBody);
    try {
      const { status } = await agent.post('/api/v2/spans', body);
      if (status === 202) {
        oracle.acknowledge(numbers);
        onAck();
      } else await sleep(20);
    } catch {
      // The agent is dead at the moment: this body was not acknowledged.
      await sleep(20);
    }
  }
}

/** A scrape target that counts its scrapes and remembers when it served which value. */
async function startTarget(): Promise<{ server: Server; port: number; served: number[] }> {
  const served: number[] = [];
  const server = createServer((_request, response) => {
    served.push(served.length + 1);
    response.end(`# TYPE crash_scrapes_total counter\ncrash_scrapes_total ${served.length}\n`);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, port, served };
}

async function writeLines(file: string, isOver: () => boolean): Promise<number> {
  let written = 0;
  while (!isOver()) {
    const lines = Array.from({ length: 20 }, () => {
      const ns = String(written % 1_000_000).padStart(6, '0');
      return `${new Date().toISOString().replace('Z', `${ns}Z`)} stdout F line ${written++}\n`;
    });
    await appendFile(file, lines.join(''));
    await sleep(20);
  }
  return written;
}

async function judgeLines(client: StoreClient, written: number): Promise<CrashLoopReport['lines']> {
  const rows = await client.rows<{ body: string }>({
    sql: 'SELECT body FROM logs ORDER BY ts, seg, line',
    signal: signal(),
  });
  const numbers = rows.map(({ body }) => Number(body.replace('line ', '')));
  const distinct = new Set(numbers);
  return {
    written,
    stored: numbers.length,
    lost: written - distinct.size,
    storedTwice: numbers.length - distinct.size,
    disordered: numbers.filter((number, i) => i > 0 && number < (numbers[i - 1] ?? 0)).length,
  };
}

async function judgeSamples(client: StoreClient, served: number): Promise<CrashLoopReport['samples']> {
  const rows = await client.rows<{ at: string; value: string; isScrape: number }>({
    sql: `SELECT toUnixTimestamp64Milli(ts) AS at, toString(v) AS value, 1 AS isScrape FROM samples
WHERE metric = 'crash_scrapes_total' AND reinterpretAsUInt64(v) != 0x7ff0000000000002 ORDER BY ts`,
    signal: signal(),
  });
  const values = rows.map(({ value }) => Number(value));
  const distinct = new Set(values);
  // The scrapes under way at a kill were acknowledged to nobody: of two neighbours that were served, one may be missing, so that only
  // a gap of more than the kills' number tells of a loss. The last one served may not have been kept yet.
  let missing = 0;
  for (let value = 1; value < served; value++) if (!distinct.has(value)) missing++;
  return {
    served,
    stored: values.length,
    lost: missing,
    altered: values.filter((value) => !(value >= 1 && value <= served)).length,
    storedTwice: values.length - distinct.size,
  };
}

async function judgeRollups(client: StoreClient, startMs: number): Promise<CrashLoopReport['rollups']> {
  // As if hours had passed: every minute has settled.
  await runRollupPass(client, { nowMs: Date.now() + 3_600_000, signal: signal(), redoAfterMs: 0 });
  const { nodes } = await readTopology(client, {
    startMs: startMs - 120_000,
    endMs: Date.now() + 120_000,
    signal: signal(),
  });
  const [row] = await client.rows<{ spans: string }>({
    sql: 'SELECT count() AS spans FROM spans WHERE kind = 2',
    signal: signal(),
  });
  return { spans: Number(row?.spans), requests: nodes.reduce((sum, node) => sum + node.requests, 0) };
}

/** Runs the loop; takes about two seconds a kill. */
export async function runCrashLoop({ kills, seed, onKill }: CrashLoopOptions): Promise<CrashLoopReport> {
  const startedAt = performance.now();
  const random = createRandom(seed);
  const home = await mkdtemp(join(tmpdir(), 'trawl-crash-'));
  const pod = join(home, 'default_shop-1_uid', 'shop');
  await mkdir(pod, { recursive: true });
  const target = await startTarget();
  const agent = await startAgent({
    files: {
      'in.conf': `[[inputs.zipkin]]
[[inputs.remote_write]]
[[inputs.prom]]
  url = "http://127.0.0.1:${target.port}/metrics"
  interval = "1s"
[[inputs.container_logs]]
  path = "${home}"
  scan_interval = "200ms"
  poll_interval = "20ms"
`,
    },
    sets: ['spool.max_segment_age=300ms'],
  });
  const startMs = Date.now();
  const oracle = createSpanOracle(startMs * 1000);
  const pushed = createPushedOracle(startMs);
  const counts: Record<Victim, number> = { agent: 0, store: 0, both: 0 };
  let isOver = false;
  let acks = 0;
  const load = Promise.all(
    [0, 1, 2].map(() =>
      post(
        agent,
        oracle,
        () => isOver,
        () => acks++,
      ),
    ),
  );
  const pushing = pushed.push(agent, () => isOver);
  const lines = writeLines(join(pod, '0.log'), () => isOver);
  for (let kill = 0; kill < kills; kill++) {
    const enough = acks + 1 + Math.floor(random() * 30);
    const giveUpAt = performance.now() + 20_000;
    while (acks < enough && performance.now() < giveUpAt) await sleep(5);
    if (acks < enough)
      throw new Error(
        `nothing is acknowledged any more before kill ${kill} (seed ${seed}):\n${agent.output().slice(-4000)}`,
      );
    await sleep(1 + random() * 400);
    const victim = victims[Math.floor(random() * victims.length)] ?? 'agent';
    counts[victim]++;
    onKill?.(`kill ${kill + 1}: ${victim} after ${oracle.acknowledged} spans`);
    if (victim !== 'agent') {
      try {
        process.kill(agent.storePid(), 'SIGKILL');
      } catch {
        // It is being started at this very moment; the agent's death below, or the next round, makes up for it.
      }
    }
    if (victim !== 'store') {
      await agent.kill('SIGKILL');
      await agent.restart();
    }
  }
  isOver = true;
  await load;
  await pushing;
  const written = await lines;
  await agent.ready();
  await sleep(1500);
  await agent.flush();
  const served = target.served.length;
  target.server.close();
  target.server.closeAllConnections();
  const client = createStoreClient({ socketPath: join(agent.dataDirectory, 'store', 'store.sock') });
  try {
    await agent.flush();
    const stored = await client.rows<{ id: string; name: string; durationUs: string; note: string }>({
      sql: "SELECT lower(hex(id)) AS id, name, duration_us AS durationUs, tags['note'] AS note FROM spans",
      signal: signal(),
    });
    return {
      seed,
      kills: counts,
      spans: oracle.judge(stored.map((row) => ({ ...row, durationUs: Number(row.durationUs) }))),
      pushed: await pushed.judge(client),
      lines: await judgeLines(client, written),
      samples: await judgeSamples(client, served),
      rollups: await judgeRollups(client, startMs),
      seconds: Math.round((performance.now() - startedAt) / 1000),
    };
  } finally {
    await client.close();
    await agent.remove();
    await rm(home, { recursive: true, force: true });
  }
}
