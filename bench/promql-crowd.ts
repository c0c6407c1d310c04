/**
 * Cheap PromQL beside a crowd of heavy PromQL: `npx tsx bench/promql-crowd.ts [--seconds 20] [--clients 50] [--steps 320] [--data DIRECTORY]`.
 * Cheap queries are asked one after another, each kind by a client of its own: at rest, while samples and spans come in, and while 50 clients
 * ask heavy queries as well. Prints one JSON object with p50 and p99 of each. What `--data` names is kept and used again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startAgent, type TestAgent } from '../test/fixtures/agent.ts';
import { cpuUs, machine, memoryMiB, quantile } from './lib/processes.ts';
import { createBodies, stepMs } from './lib/promql-data.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    clients: { type: 'string', default: '50' },
    steps: { type: 'string', default: '320' },
    data: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const steps = Number(values.steps);

/** A client keeps its one connection, as a dashboard does. */
const connections = new Agent({ keepAlive: true });

function ask(url: string, method: 'GET' | 'POST' = 'GET', sent?: Buffer): Promise<{ status: number; text: string }> {
  const headers = sent === undefined ? {} : { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' };
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: connections, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    asked.on('error', reject);
    asked.end(sent);
  });
}

/** Writes the data, unless an earlier run did, and tells when its newest sample is. */
async function load(agent: TestAgent, directory: string): Promise<number> {
  const mark = join(directory, 'loaded.json');
  const isLoaded = await access(mark).then(
    () => true,
    () => false,
  );
  if (isLoaded) return JSON.parse(await readFile(mark, 'utf8')).endMs;
  const startMs = Math.floor(Date.now() / stepMs) * stepMs - (steps + 4) * stepMs + 7003;
  for (const { body } of createBodies(startMs, steps)) {
    const { status, text } = await ask(`${agent.url}/api/v1/write`, 'POST', body);
    if (status >= 300) throw new Error(`${status}: ${text.slice(0, 300)}`);
  }
  await agent.flush();
  const endMs = Math.floor((startMs + steps * stepMs) / 1000) * 1000;
  await writeFile(mark, JSON.stringify({ endMs }));
  return endMs;
}

const cheapKinds = (endMs: number): Readonly<Record<string, string>> => {
  const instant = (query: string) => `/api/v1/query?${new URLSearchParams({ query, time: `${endMs / 1000}` })}`;
  return {
    '1+1': instant('1+1'),
    '1 series': instant('bench_100_total{svc="svc-07"}'),
    '20 series': instant('sum by (svc) (rate(bench_100_total{svc=~"svc-[01].*"}[5m]))'),
    labels: '/api/v1/labels',
    'label values': '/api/v1/label/svc/values',
  };
};

interface Took {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly failed?: Record<string, number>;
}

async function measureCheap(url: string, path: string, untilMs: number): Promise<Took> {
  const took: number[] = [];
  const failed: Record<string, number> = {};
  while (performance.now() < untilMs) {
    const startedMs = performance.now();
    const { status, text } = await ask(url + path);
    if (status !== 200)
      failed[`${status} ${text.slice(0, 100)}`] = (failed[`${status} ${text.slice(0, 100)}`] ?? 0) + 1;
    took.push(performance.now() - startedMs);
    await sleep(20);
  }
  const figures = { count: took.length, p50: quantile(took, 0.5), p99: quantile(took, 0.99), max: quantile(took, 1) };
  return Object.keys(failed).length === 0 ? figures : { ...figures, failed };
}

async function beside(role: 'heavy' | 'ingest', options: Readonly<Record<string, string>>): Promise<unknown> {
  const file = fileURLToPath(new URL('lib/crowd-load.ts', import.meta.url));
  const args = Object.entries({ role, ...options }).flatMap(([name, value]) => [`--${name}`, value]);
  // Clients are elsewhere: they take what the machine has left.
  const child = spawn('nice', ['-n', '15', process.execPath, '--import', 'tsx', file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  return JSON.parse(text);
}

/** A store that was started anew is another process. */
const processesOf = (agent: TestAgent): readonly number[] => [agent.child.pid ?? 0, agent.storePid()];
const restartsOf = (agent: TestAgent): number =>
  agent.output().split('the store has ended and is started anew').length - 1;

async function phase(agent: TestAgent, endMs: number, roles: readonly ('heavy' | 'ingest')[]) {
  const pids = processesOf(agent);
  const restarts = restartsOf(agent);
  const before = pids.map(cpuUs);
  const startedMs = performance.now();
  const common = { url: agent.url, end: `${endMs}`, clients: values.clients };
  const others = roles.map((role) => beside(role, { ...common, seconds: `${seconds + 3}` }));
  // The others are started first.
  if (roles.length > 0) await sleep(2000);
  const untilMs = performance.now() + seconds * 1000;
  const kinds = Object.entries(cheapKinds(endMs));
  const took = await Promise.all(kinds.map(([, path]) => measureCheap(agent.url, path, untilMs)));
  const reports = await Promise.all(others);
  const tookUs = (performance.now() - startedMs) * 1000;
  const isSame = restartsOf(agent) === restarts;
  const cores = isSame ? pids.map((pid, i) => Number(((cpuUs(pid) - (before[i] ?? 0)) / tookUs).toFixed(2))) : [];
  return {
    cheap: Object.fromEntries(kinds.map(([name], i) => [name, took[i]])),
    ...Object.fromEntries(roles.map((role, i) => [role, reports[i]])),
    storeRestarts: restartsOf(agent) - restarts,
    cores: { agent: cores[0], store: cores[1] },
    memoryMiB: { agent: memoryMiB(pids[0] ?? 0).rss, store: isSame ? memoryMiB(pids[1] ?? 0).rss : undefined },
  };
}

type Cheap = Readonly<Record<string, Took | undefined>>;

const ratios = (rest: Cheap, crowd: Cheap) =>
  Object.fromEntries(
    Object.entries(rest).map(([name, took]) => [name, Number(((crowd[name]?.p99 ?? 0) / (took?.p50 ?? 1)).toFixed(1))]),
  );

const directory = values.data ?? (await mkdtemp(join(tmpdir(), 'trawl-bench-crowd-')));
const agent = await startAgent({
  sets: ['store.retention=forever', 'store.max_bytes=none'],
  dataDirectory: join(directory, 'trawl'),
});
try {
  await agent.ready();
  const endMs = await load(agent, directory);
  // The first of each kind are not like the others.
  for (const path of Object.values(cheapKinds(endMs))) for (let i = 0; i < 20; i++) await ask(agent.url + path);
  const rest = await phase(agent, endMs, []);
  const ingest = await phase(agent, endMs, ['ingest']);
  const crowd = await phase(agent, endMs, ['ingest', 'heavy']);
  console.log(
    JSON.stringify(
      { machine: machine(), rest, ingest, crowd, p99OverP50AtRest: ratios(rest.cheap, crowd.cheap) },
      null,
      1,
    ),
  );
} finally {
  await agent.remove();
  connections.destroy();
  if (values.data === undefined) await rm(directory, { recursive: true, force: true });
}
