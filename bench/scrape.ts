/**
 * What a scrape of one large target costs from the second on, at Trawl and, in the same run, at Prometheus where its program is given:
 * `npm run build && npx tsx bench/scrape.ts [--series 50000] [--interval 5] [--scrapes 12] [--plain] [--prometheus PATH]`. CPU is that of the
 * processes over whole intervals, less what they take in an interval in which they scrape a page of one sample. Prints one JSON object.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startAgent } from '../test/fixtures/agent.ts';
import { freePort } from '../test/fixtures/free-port.ts';
import { cpuUs, machine, memoryMiB, quantile } from './lib/processes.ts';
import type { TargetMessage } from './lib/scrape-target.ts';

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '50000' },
    /** Seconds from one scrape to the next. */
    interval: { type: 'string', default: '5' },
    scrapes: { type: 'string', default: '12' },
    /** Asks for pages that are not compressed. */
    plain: { type: 'boolean', default: false },
    prometheus: { type: 'string' },
  },
});

const intervalSeconds = Number(values.interval);
const scrapes = Number(values.scrapes);
/** Scrapes that are not counted: the first has everything new, the second is compiled as it runs. */
const warmUpScrapes = 3;
const idleIntervals = 3;

interface Scraping {
  readonly name: string;
  /** Its processes, by role. */
  readonly pids: () => Readonly<Record<string, number>>;
  query(expression: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

interface TargetProcess {
  readonly child: ChildProcess;
  readonly port: number;
  /** Waits until the page has been served once more. */
  served(): Promise<Extract<TargetMessage, { kind: 'served' }>>;
}

async function startTarget(): Promise<TargetProcess> {
  const child = fork(fileURLToPath(new URL('lib/scrape-target.ts', import.meta.url)), [values.series], {
    execArgv: process.execArgv,
  });
  const next = async (kind: TargetMessage['kind']): Promise<TargetMessage> => {
    for (;;) {
      const [message]: TargetMessage[] = await once(child, 'message', { signal: AbortSignal.timeout(60_000) });
      if (message?.kind === kind) return message;
    }
  };
  const listening = await next('listening');
  if (listening.kind !== 'listening') throw new Error('the target does not listen');
  return {
    child,
    port: listening.port,
    async served() {
      const message = await next('served');
      if (message.kind !== 'served') throw new Error('the target serves nothing');
      return message;
    },
  };
}

const results = async (url: string, expression: string): Promise<readonly string[]> => {
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const body: { data?: { result?: { value?: [number, string] }[] } } = JSON.parse(await answer.text());
  return (body.data?.result ?? []).map(({ value }) => value?.[1] ?? '');
};

async function startTrawl(address: string): Promise<Scraping> {
  const block = [
    '[[inputs.prom]]',
    `urls = ["${address}"]`,
    `interval = "${intervalSeconds}s"`,
    `enable_compression = ${!values.plain}`,
  ].join('\n');
  const agent = await startAgent({ files: { 'prom.conf': block } });
  await agent.ready();
  return {
    name: 'trawl',
    pids: () => ({ agent: agent.child.pid ?? 0, store: agent.storePid() }),
    async query(expression) {
      await agent.flush();
      return results(agent.url, expression);
    },
    stop: () => agent.remove(),
  };
}

async function startPrometheus(program: string, address: string): Promise<Scraping> {
  const home = await mkdtemp(join(tmpdir(), 'trawl-bench-'));
  const port = await freePort();
  const { host, pathname } = new URL(address);
  // JSON is YAML. 2.42 has no key for compression: it asks for gzip.
  const configuration = {
    scrape_configs: [
      {
        job_name: 'prom',
        scrape_interval: `${intervalSeconds}s`,
        scrape_timeout: `${intervalSeconds}s`,
        metrics_path: pathname,
        static_configs: [{ targets: [host] }],
      },
    ],
  };
  await writeFile(join(home, 'prometheus.yml'), JSON.stringify(configuration));
  const child = spawn(
    program,
    [
      `--config.file=${join(home, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(home, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  return {
    name: 'prometheus',
    pids: () => ({ server: child.pid ?? 0 }),
    query: (expression) => results(`http://127.0.0.1:${port}`, expression),
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      await rm(home, { recursive: true, force: true });
    },
  };
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, change: (value: T, key: string) => U) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));

/** CPU in ms of each process over intervals that each hold one scrape, measured from the middle between two. */
async function measure(scraping: Scraping, target: TargetProcess, intervals: number) {
  const costs = new Map<string, readonly number[]>();
  const halfMs = (intervalSeconds * 1000) / 2;
  await target.served();
  await sleep(halfMs);
  for (let n = 0; n < intervals; n++) {
    const pids = scraping.pids();
    const before = mapValues(pids, cpuUs);
    await target.served();
    await sleep(halfMs);
    for (const [role, pid] of Object.entries(pids)) {
      costs.set(role, [...(costs.get(role) ?? []), (cpuUs(pid) - (before[role] ?? 0)) / 1000]);
    }
  }
  return Object.fromEntries(costs);
}

const mean = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0) / all.length;
const median = (all: readonly number[]) => quantile(all, 0.5);

async function run(start: (address: string) => Promise<Scraping>) {
  const target = await startTarget();
  try {
    const idle = await start(`http://127.0.0.1:${target.port}/empty`);
    const resting = await measure(idle, target, idleIntervals).finally(() => idle.stop());
    const scraping = await start(`http://127.0.0.1:${target.port}/metrics`);
    try {
      const page = await target.served();
      for (let n = 1; n < warmUpScrapes; n++) await target.served();
      const costs = await measure(scraping, target, scrapes);
      const expected = String(page.series);
      const [kept] = await scraping.query('scrape_samples_post_metric_relabeling');
      if (kept !== expected) throw new Error(`${scraping.name} keeps ${kept} of ${expected} samples a scrape`);
      const durations = await scraping.query('scrape_duration_seconds');
      const cpuMs = mapValues(costs, (all, role) => Math.round(median(all) - median(resting[role] ?? [0])));
      return {
        name: scraping.name,
        pageBytes: page.bytes,
        cpuMsPerScrape: { ...cpuMs, all: Object.values(cpuMs).reduce((sum, one) => sum + one, 0) },
        // What is put off to a later interval is in the mean alone.
        mean: mapValues(costs, (all, role) => Math.round(mean(all) - mean(resting[role] ?? [0]))),
        p95: mapValues(costs, (all, role) => Math.round(quantile(all, 0.95) - median(resting[role] ?? [0]))),
        restingMsPerInterval: mapValues(resting, (all) => Math.round(median(all))),
        scrapeDurationMs: Math.round(Number(durations[0]) * 1000),
        memoryMiB: mapValues(scraping.pids(), (pid) => memoryMiB(pid).rss),
      };
    } finally {
      await scraping.stop();
    }
  } finally {
    target.child.kill();
  }
}

const program = values.prometheus;
const runs = [await run(startTrawl)];
if (program !== undefined) runs.push(await run((address) => startPrometheus(program, address)));
process.stdout.write(
  `${JSON.stringify({ machine: machine(), load: loadavg(), series: Number(values.series), intervalSeconds, scrapes, runs }, undefined, 2)}\n`,
);
