/**
 * Spans from the wire to the query: `npx tsx bench/spans.ts [--seconds 60] [--spans 10000000]`. Prints one JSON object: how many spans a
 * second are acknowledged and what they cost, then, at so many spans stored, how long look-ups take and how many bytes a span lies in.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createStoreClient } from '../src/store/http-client.ts';
import { startAgent, type TestAgent } from '../test/fixtures/agent.ts';
import { cpuUs, machine, memoryMiB, quantile } from './lib/processes.ts';
import { measureTraceSearches } from './lib/trace-searches.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    spans: { type: 'string', default: '10000000' },
    connections: { type: 'string', default: '4' },
  },
});

interface Load {
  spansAcknowledged: number;
  spansPerSecond: number;
  seconds: number;
  statuses: Record<string, number>;
  ackMs: Record<string, number>;
  generatorCpuUsPerSpan: number;
  someTraceIds: string[];
}

async function load(agent: TestAgent, args: readonly string[]): Promise<Load> {
  const file = fileURLToPath(new URL('lib/span-load.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file, '--port', String(agent.port), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return JSON.parse(text);
}

/** Asks for traces by id while the load runs, as a person at a dashboard would. */
function startReader(agent: TestAgent, ids: () => readonly string[]) {
  const tookMs: number[] = [];
  let isOver = false;
  const run = async () => {
    while (!isOver) {
      const known = ids();
      const id = known[Math.floor(Math.random() * known.length)] ?? 'a'.repeat(32);
      const before = performance.now();
      await agent.get(`/api/v2/trace/${id}`);
      tookMs.push(performance.now() - before);
      await sleep(200);
    }
  };
  const running = run();
  return {
    tookMs,
    async stop() {
      isOver = true;
      await running;
    },
  };
}

async function timeEach(
  times: number,
  ask: (i: number) => Promise<unknown>,
): Promise<{ p50: number; p95: number; max: number }> {
  const tookMs: number[] = [];
  for (let i = 0; i < times; i++) {
    const before = performance.now();
    await ask(i);
    tookMs.push(performance.now() - before);
  }
  return { p50: quantile(tookMs, 0.5), p95: quantile(tookMs, 0.95), max: quantile(tookMs, 1) };
}

const startedAt = performance.now();
const agent = await startAgent({ sets: ['store.retention=forever', 'store.max_bytes=none'] });
const listeningMs = performance.now() - startedAt;
await agent.ready();
const readyMs = performance.now() - startedAt;
const agentPid = agent.child.pid ?? 0;
const storePid = agent.storePid();
await sleep(10_000);
const atRest = { agent: memoryMiB(agentPid), store: memoryMiB(storePid) };

const ids: string[] = [];
const cpu = () => cpuUs(agentPid) + cpuUs(storePid);
const first = await load(agent, ['--seconds', '2', '--rate', '2000', '--id-share', '1']);
ids.push(...first.someTraceIds);

const reader = startReader(agent, () => ids);
const cpuBefore = { agent: cpuUs(agentPid), store: cpuUs(storePid) };
const measured = await load(agent, ['--seconds', values.seconds, '--connections', values.connections]);
await agent.flush();
const cpuAfter = { agent: cpuUs(agentPid), store: cpuUs(storePid) };
await reader.stop();
const underLoad = { agent: memoryMiB(agentPid), store: memoryMiB(storePid) };
const perSpan = (us: number) => Number((us / measured.spansAcknowledged).toFixed(2));

let stored = first.spansAcknowledged + measured.spansAcknowledged;
const samples = [measured.someTraceIds];
while (stored < Number(values.spans)) {
  const more = await load(agent, [
    '--seconds',
    '600',
    '--spans',
    String(Math.min(Number(values.spans) - stored, 2_000_000)),
    '--spread-seconds',
    '3500',
    '--connections',
    values.connections,
  ]);
  stored += more.spansAcknowledged;
  samples.push(more.someTraceIds);
  await agent.flush();
}

const client = createStoreClient({
  socketPath: join(agent.dataDirectory, 'store', 'store.sock'),
  querySettings: { max_memory_usage: 2_000_000_000 },
});
const signal = () => AbortSignal.timeout(1_800_000);
const parts = async () => {
  const [row] = await client.rows<{ n: string; bytes: string; rows: string }>({
    sql: "SELECT count() AS n, sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts WHERE table = 'spans' AND active",
    signal: signal(),
  });
  return {
    parts: Number(row?.n),
    bytesPerSpan: Number((Number(row?.bytes) / Number(row?.rows)).toFixed(1)),
    rows: Number(row?.rows),
  };
};
const every = samples.flat();
const random = (list: readonly string[]) => list[Math.floor(Math.random() * list.length)] ?? '';
const asked = new Set<string>();
while (asked.size < Math.min(1000, every.length)) asked.add(random(every));
const queries = async () => {
  const list = [...asked];
  return {
    traceById: await timeEach(list.length, (i) => agent.get(`/api/v2/trace/${list[i]}`)),
    unknownTraceById: await timeEach(20, () =>
      agent.get(`/api/v2/trace/${'b'.repeat(31)}${Math.floor(Math.random() * 10)}`),
    ),
    ...(await measureTraceSearches(agent.get)),
    topologyLastHour: await timeEach(5, () => agent.get('/api/trawl/topology')),
  };
};
const unmerged = { ...(await parts()), queriesMs: await queries() };
await client.command({ sql: 'OPTIMIZE TABLE spans FINAL', signal: signal(), timeoutMs: 1_800_000 });
const merged = { ...(await parts()), queriesMs: await queries() };
const cpuTotal = cpu();
await client.close();
console.log(
  JSON.stringify(
    {
      machine: machine(),
      startMs: { listening: Math.round(listeningMs), ready: Math.round(readyMs) },
      atRestMiB: atRest,
      ingest: {
        ...measured,
        someTraceIds: undefined,
        cpuUsPerSpan: {
          agent: perSpan(cpuAfter.agent - cpuBefore.agent),
          store: perSpan(cpuAfter.store - cpuBefore.store),
          both: perSpan(cpuAfter.agent - cpuBefore.agent + cpuAfter.store - cpuBefore.store),
        },
        readerMs: {
          asked: reader.tookMs.length,
          p50: quantile(reader.tookMs, 0.5),
          p95: quantile(reader.tookMs, 0.95),
        },
        memoryMiB: underLoad,
      },
      unmerged,
      merged,
      cpuSeconds: Math.round(cpuTotal / 1e6),
    },
    null,
    1,
  ),
);
await agent.remove();
process.exit(0);
