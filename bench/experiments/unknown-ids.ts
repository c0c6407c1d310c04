/**
 * A hundred ids a second that nobody has, for a minute, through the API while spans come in: an id that is not found may close the open segment, so how many
 * parts does that make? `npm run build && npx tsx bench/experiments/unknown-ids.ts [--seconds 60] [--span-rate 10000] [--ids-per-second 100]`. The same load
 * without questions runs first, to compare with.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createStoreClient } from '../../src/store/http-client.ts';
import { startAgent, type TestAgent } from '../../test/fixtures/agent.ts';
import { createNumbers } from '../lib/envoy-spans.ts';
import { cpuUs, machine, quantile } from '../lib/processes.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    'span-rate': { type: 'string', default: '10000' },
    'ids-per-second': { type: 'string', default: '100' },
  },
});
const seconds = Number(values.seconds);
const mostUnderWay = 1000;

/** The generator of `bench/spans.ts`; answers the JSON that it prints. */
async function load(agent: TestAgent): Promise<Record<string, unknown>> {
  const file = fileURLToPath(new URL('../lib/span-load.ts', import.meta.url));
  const args = ['--port', String(agent.port), '--seconds', String(seconds), '--rate', values['span-rate']];
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  const { spansPerSecond, statuses, ackMs }: Record<string, unknown> = JSON.parse(text);
  return { spansPerSecond, statuses, ackMs };
}

/** Asks at a steady rate, whether answers come or not, as many people do. */
async function ask(agent: TestAgent, perSecond: number) {
  const random = createNumbers(Date.now());
  const unknown = () => Array.from({ length: 4 }, () => random().toString(16).padStart(8, '0')).join('');
  const tookMs: number[] = [];
  const statuses = new Map<number, number>();
  const underWay = new Set<Promise<void>>();
  let skipped = 0;
  const one = async (): Promise<void> => {
    const before = performance.now();
    const { status } = await agent.get(`/api/v2/trace/${unknown()}`);
    tookMs.push(performance.now() - before);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  };
  const startedMs = performance.now();
  for (let asked = 0; asked < seconds * perSecond; asked++) {
    const waitMs = startedMs + (asked * 1000) / perSecond - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    if (underWay.size >= mostUnderWay) {
      skipped += 1;
      continue;
    }
    const asking = one().finally(() => underWay.delete(asking));
    underWay.add(asking);
  }
  await Promise.all(underWay);
  return {
    asked: tookMs.length,
    skipped,
    statuses: Object.fromEntries(statuses),
    answerMs: { p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99), max: quantile(tookMs, 1) },
  };
}

async function run(idsPerSecond: number): Promise<object> {
  const agent = await startAgent();
  await agent.ready();
  const client = createStoreClient({ socketPath: join(agent.dataDirectory, 'store', 'store.sock') });
  const activeParts = async (): Promise<number> => {
    const [row] = await client.rows<{ n: string }>({
      sql: "SELECT toString(count()) AS n FROM system.parts WHERE active AND table = 'spans'",
      signal: AbortSignal.timeout(30_000),
    });
    return Number(row?.n);
  };
  const inserts = async (): Promise<number> => {
    const { text } = await agent.get('/metrics');
    return Number(/^trawl_store_insert_seconds_count\{table="spans"\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  const pids = { agent: agent.child.pid ?? 0, store: agent.storePid() };
  await sleep(3000);
  const before = { agent: cpuUs(pids.agent), store: cpuUs(pids.store) };
  const startedMs = performance.now();
  let most = 0;
  const failures: string[] = [];
  const counting = setInterval(() => {
    activeParts().then(
      (now) => {
        most = Math.max(most, now);
      },
      (error: unknown) => failures.push(String(error)),
    );
  }, 1000);
  /** The mean lateness of a timer in the agent: whether the machine or the agent itself is what others wait for. */
  const lateness = async (): Promise<number> => {
    const { text } = await agent.get('/metrics');
    const of = (name: string) =>
      Number(new RegExp(`^trawl_event_loop_delay_seconds_${name} (\\S+)`, 'm').exec(text)?.[1]);
    return Number(((of('sum') / of('count')) * 1000).toFixed(1));
  };
  const [spans, ids] = await Promise.all([load(agent), idsPerSecond > 0 ? ask(agent, idsPerSecond) : undefined]);
  clearInterval(counting);
  const tookS = (performance.now() - startedMs) / 1000;
  const percent = (us: number) => Number((us / tookS / 1e4).toFixed(1));
  const answer = {
    idsPerSecond,
    machine: machine(),
    seconds: Number(tookS.toFixed(1)),
    spans,
    ids,
    partsMade: await inserts(),
    activeParts: { most, atTheEnd: await activeParts() },
    cpuPercent: {
      agent: percent(cpuUs(pids.agent) - before.agent),
      store: percent(cpuUs(pids.store) - before.store),
    },
    eventLoopDelayMs: await lateness(),
    failures: failures.slice(0, 3),
  };
  await client.close();
  await agent.remove();
  return answer;
}

for (const idsPerSecond of [0, Number(values['ids-per-second'])]) console.log(JSON.stringify(await run(idsPerSecond)));
process.exit(0);
