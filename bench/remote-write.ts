/**
 * Remote write side by side: `npx tsx bench/remote-write.ts [--prometheus PATH] [--steps 360] [--disk-steps 1440]`. The same bodies go to
 * Trawl and to Debian's Prometheus, each started with an empty store. Prints one JSON object: samples acknowledged a second, CPU and memory,
 * for new series and known ones, and the bytes that a sample lies in.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createStoreClient } from '../src/store/http-client.ts';
import { startAgent } from '../test/fixtures/agent.ts';
import { freePort } from '../test/fixtures/free-port.ts';
import { cpuUs, machine, memoryMiB } from './lib/processes.ts';

const { values } = parseArgs({
  options: {
    prometheus: { type: 'string' },
    series: { type: 'string', default: '10000' },
    steps: { type: 'string', default: '360' },
    'disk-steps': { type: 'string', default: '1440' },
    batches: { type: 'string', default: '500,2000' },
  },
});

interface Load {
  readonly samples: number;
  readonly samplesPerSecond: number;
}

interface Target {
  readonly name: string;
  readonly url: string;
  readonly pids: Readonly<Record<string, number>>;
  settle(): Promise<void>;
  /** Bytes a sample once all that is put off is done, with what they are made of. */
  disk(): Promise<unknown>;
  stop(): Promise<void>;
}

async function load(target: Target, options: Readonly<Record<string, string>>): Promise<Load> {
  const file = fileURLToPath(new URL('lib/remote-write-load.ts', import.meta.url));
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, ['--import', 'tsx', file, '--url', target.url, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return JSON.parse(text);
}

async function startTrawl(): Promise<Target> {
  const agent = await startAgent({ sets: ['store.retention=forever', 'store.max_bytes=none'] });
  await agent.ready();
  const client = createStoreClient({ socketPath: join(agent.dataDirectory, 'store', 'store.sock') });
  const ask = <Row>(sql: string) => client.rows<Row>({ sql, signal: AbortSignal.timeout(600_000), timeoutMs: 600_000 });
  return {
    name: 'trawl',
    url: `${agent.url}/api/v1/write`,
    pids: { agent: agent.child.pid ?? 0, store: agent.storePid() },
    settle: () => agent.flush(),
    async disk() {
      await agent.flush();
      const bytes = () =>
        ask<{ table: string; bytes: string; rows: string; parts: string }>(
          `SELECT table, toString(sum(bytes_on_disk)) AS bytes, toString(sum(rows)) AS rows, toString(count()) AS parts FROM system.parts WHERE active AND table IN ('samples', 'series') GROUP BY table`,
        );
      const ofTables = (rows: Awaited<ReturnType<typeof bytes>>) => {
        const samples = Number(rows.find(({ table }) => table === 'samples')?.rows);
        const all = rows.reduce((sum, row) => sum + Number(row.bytes), 0);
        return { bytesPerSample: Number((all / samples).toFixed(3)), tables: rows };
      };
      const asWritten = ofTables(await bytes());
      const stored = await ask<{ n: string }>('SELECT toString(count()) AS n FROM samples');
      for (const table of ['samples', 'series']) {
        await client.command({
          sql: `OPTIMIZE TABLE ${table} FINAL`,
          signal: AbortSignal.timeout(600_000),
          timeoutMs: 600_000,
        });
      }
      const columns = await ask<{ name: string; each: number }>(
        "SELECT column AS name, round(sum(column_data_compressed_bytes) / (SELECT count() FROM samples), 4) AS each FROM system.parts_columns WHERE active AND table = 'samples' GROUP BY column",
      );
      return {
        rows: Number(stored[0]?.n),
        asWritten: asWritten.bytesPerSample,
        afterOptimize: ofTables(await bytes()).bytesPerSample,
        columns: Object.fromEntries(columns.map(({ name, each }) => [name, each])),
      };
    },
    async stop() {
      await client.close();
      await agent.remove();
    },
  };
}

async function startPrometheus(path: string): Promise<Target> {
  const directory = await mkdtemp(join(tmpdir(), 'trawl-bench-prometheus-'));
  const port = await freePort();
  await writeFile(join(directory, 'prometheus.yml'), 'global: {}\n');
  const data = join(directory, 'data');
  const child = spawn(
    path,
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  for (let i = 0; i < 200; i++) {
    const isReady = await fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) break;
    await sleep(50);
  }
  const blocks = async () => {
    const found: { samples: number; bytes: number }[] = [];
    for (const name of await readdir(data)) {
      const meta = await readFile(join(data, name, 'meta.json'), 'utf8').catch(() => undefined);
      if (meta === undefined) continue;
      const bytes = Number(
        execFileSync('du', ['-sb', join(data, name)])
          .toString()
          .split('\t')[0],
      );
      found.push({ samples: JSON.parse(meta).stats.numSamples, bytes });
    }
    return found;
  };
  return {
    name: 'prometheus',
    url: `http://127.0.0.1:${port}/api/v1/write`,
    pids: { server: child.pid ?? 0 },
    settle: async () => undefined,
    async disk() {
      // Blocks are cut by a timer of a minute.
      for (let i = 0; i < 100 && (await blocks()).length === 0; i++) await sleep(2000);
      await sleep(5000);
      const all = await blocks();
      const sum = (of: (block: { samples: number; bytes: number }) => number) =>
        all.reduce((n, block) => n + of(block), 0);
      const samples = sum((block) => block.samples);
      return { samplesInBlocks: samples, asBlocks: Number((sum((block) => block.bytes) / samples).toFixed(3)) };
    },
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const round = (value: number) => Number(value.toFixed(2));
type CpuUs = Readonly<Record<string, number>>;
const cpuOf = ({ pids }: Target): CpuUs =>
  Object.fromEntries(Object.entries(pids).map(([role, pid]) => [role, cpuUs(pid)]));
const quietUsPerSecond = 25_000;

/** Waits until what was put off is done: merges of what came before would count as the cost of what comes next. */
async function quiet(target: Target): Promise<void> {
  for (let seconds = 0; seconds < 120; seconds++) {
    const before = cpuOf(target);
    await sleep(1000);
    const after = cpuOf(target);
    if (Object.entries(after).every(([role, us]) => us - (before[role] ?? 0) < quietUsPerSecond)) return;
  }
}

async function measured(target: Target, options: Readonly<Record<string, string>>) {
  const before = cpuOf(target);
  const result = await load(target, options);
  await target.settle();
  const perSample = (): CpuUs =>
    Object.fromEntries(
      Object.entries(cpuOf(target)).map(([role, us]) => [role, round((us - (before[role] ?? 0)) / result.samples)]),
    );
  const cpuUsPerSample = perSample();
  const rssMiB = Object.fromEntries(Object.entries(target.pids).map(([role, pid]) => [role, memoryMiB(pid).rss]));
  return { result: { ...result, cpuUsPerSample, rssMiB }, perSample };
}

async function run(target: Target) {
  try {
    const stepMs = 15_000;
    const steps = Number(values.steps);
    const batches = values.batches.split(',');
    const results: Record<string, unknown> = {};
    let startMs = Math.floor(Date.now() / stepMs) * stepMs - (steps * batches.length + 10) * stepMs;
    const common = { series: values.series };
    const bringNew = async (name: string) => {
      await quiet(target);
      const options = { ...common, steps: '1', start: String(startMs), batch: '2000', name };
      const { result, perSample } = await measured(target, options);
      await quiet(target);
      return { ...result, cpuUsWithMerges: perSample() };
    };
    results['newSeriesFirst'] = await bringNew('first');
    startMs += stepMs;
    for (const batch of batches) {
      const options = { ...common, steps: values.steps, start: String(startMs), batch };
      results[`batch${batch}`] = (await measured(target, options)).result;
      startMs += steps * stepMs;
    }
    // A program that has just started is slower than it will be for the rest of its life.
    results['newSeries'] = await bringNew('later');
    return results;
  } finally {
    await target.stop();
  }
}

async function runDisk(target: Target) {
  try {
    const steps = Number(values['disk-steps']);
    const stepMs = 15_000;
    const startMs = Math.floor(Date.now() / stepMs) * stepMs - (steps + 10) * stepMs;
    await load(target, {
      series: values.series,
      steps: String(steps),
      perSeries: '20',
      batch: '4000',
      start: String(startMs),
      inFlight: '1',
    });
    return await target.disk();
  } finally {
    await target.stop();
  }
}

const starts: Readonly<Record<string, () => Promise<Target>>> = {
  trawl: startTrawl,
  ...(values.prometheus === undefined ? {} : { prometheus: () => startPrometheus(values.prometheus ?? '') }),
};
const report: Record<string, unknown> = { machine: machine() };
for (const [name, start] of Object.entries(starts)) {
  report[name] = {
    ...(values.steps === '0' ? {} : await run(await start())),
    ...(values['disk-steps'] === '0' ? {} : { disk: await runDisk(await start()) }),
  };
}
console.log(JSON.stringify(report, null, 1));
