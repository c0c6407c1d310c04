/**
 * PromQL side by side: `npx tsx bench/promql.ts [--prometheus PATH] [--steps 320] [--rounds 15] [--only WORDS] [--data DIRECTORY]`. The same
 * 11,100 series are written to Trawl and to Prometheus; then each query is asked of both, turn by turn. Prints a table of p50 / p95 in
 * milliseconds, CPU a query, and how many times Prometheus's p50 Trawl's is. What `--data` names is kept and used again.
 */
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startAgent } from '../test/fixtures/agent.ts';
import { cpuUs, machine, quantile } from './lib/processes.ts';
import { startPrometheus } from './lib/prometheus.ts';
import { benchQueries, createBodies, pathOf, stepMs } from './lib/promql-data.ts';

const { values } = parseArgs({
  options: {
    prometheus: { type: 'string' },
    steps: { type: 'string', default: '320' },
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', default: '' },
    data: { type: 'string' },
  },
});
const steps = Number(values.steps);
const rounds = Number(values.rounds);

interface Peer {
  readonly name: string;
  readonly url: string;
  readonly pids: readonly number[];
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const connections = new Agent({ keepAlive: true });

interface Answered {
  readonly status: number;
  readonly body: Buffer;
  readonly tookMs: number;
}

interface Asked {
  readonly sent?: Buffer;
  /** Of the answer. */
  readonly encoding?: string;
}

function ask(url: string, method: 'GET' | 'POST', { sent, encoding }: Asked): Promise<Answered> {
  const before = performance.now();
  const headers = {
    ...(sent === undefined ? {} : { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' }),
    ...(encoding === undefined ? {} : { 'Accept-Encoding': encoding }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: connections, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks),
          tookMs: performance.now() - before,
        }),
      );
    });
    asked.on('error', reject);
    asked.end(sent);
  });
}

async function startTrawl(directory: string): Promise<Peer> {
  const agent = await startAgent({
    sets: ['store.retention=forever', 'store.max_bytes=none'],
    dataDirectory: join(directory, 'trawl'),
  });
  await agent.ready();
  return {
    name: 'trawl',
    url: agent.url,
    pids: [agent.child.pid ?? 0, agent.storePid()],
    settle: () => agent.flush(),
    stop: () => agent.remove(),
  };
}

async function startPeer(path: string, directory: string): Promise<Peer> {
  const { url, pid, stop } = await startPrometheus(path, join(directory, 'prometheus'));
  return { name: 'prometheus', url, pids: [pid], settle: async () => undefined, stop };
}

/** Loads both, unless an earlier run did, and tells where the data begins. */
async function load(peers: readonly Peer[], directory: string): Promise<number> {
  const mark = join(directory, 'loaded.json');
  const isLoaded = await access(mark).then(
    () => true,
    () => false,
  );
  if (isLoaded) return JSON.parse(await readFile(mark, 'utf8')).startMs;
  // No sample lies on the edge of a window, where versions of Prometheus differ.
  const startMs = Math.floor(Date.now() / stepMs) * stepMs - (steps + 4) * stepMs + 7003;
  for (const { body } of createBodies(startMs, steps)) {
    for (const { url, name } of peers) {
      const { status, body: said } = await ask(`${url}/api/v1/write`, 'POST', { sent: body });
      if (status >= 300) throw new Error(`${name} answers ${status}: ${said.toString().slice(0, 300)}`);
    }
  }
  for (const peer of peers) await peer.settle();
  await writeFile(mark, JSON.stringify({ startMs }));
  return startMs;
}

const cpuOf = ({ pids }: Peer) => pids.map(cpuUs);
const millis = (us: number) => Number((us / 1000).toFixed(1));

async function measure(peers: readonly Peer[], path: string, encoding?: string) {
  const took = new Map<Peer, number[]>(peers.map((peer) => [peer, []]));
  const cpu = new Map<Peer, number[]>(peers.map((peer) => [peer, peer.pids.map(() => 0)]));
  let sizeBytes = 0;
  for (let round = -2; round < rounds; round++) {
    for (const peer of peers) {
      const before = cpuOf(peer);
      const { status, body, tookMs } = await ask(peer.url + path, 'GET', encoding === undefined ? {} : { encoding });
      if (status !== 200) throw new Error(`${peer.name} answers ${status}: ${body.toString().slice(0, 300)}`);
      sizeBytes = body.length;
      if (round < 0) continue;
      took.get(peer)?.push(tookMs);
      cpuOf(peer).forEach((us, i) => {
        const sums = cpu.get(peer);
        if (sums !== undefined) sums[i] = (sums[i] ?? 0) + us - (before[i] ?? 0);
      });
    }
  }
  const figures = peers.map((peer) => ({
    name: peer.name,
    p50: quantile(took.get(peer) ?? [], 0.5),
    p95: quantile(took.get(peer) ?? [], 0.95),
    cpuMs: (cpu.get(peer) ?? []).map((us) => millis(us / rounds)),
  }));
  return { sizeBytes, figures };
}

const directory = values.data ?? (await mkdtemp(join(tmpdir(), 'trawl-bench-promql-')));
const peers: Peer[] = [];
try {
  peers.push(await startTrawl(directory));
  if (values.prometheus !== undefined) peers.push(await startPeer(values.prometheus, directory));
  const startMs = await load(peers, directory);
  const endMs = Math.floor((startMs + steps * stepMs) / 1000) * 1000;
  console.log(JSON.stringify(machine()));
  for (const query of benchQueries.filter(({ name }) => name.includes(values.only))) {
    const { sizeBytes, figures } = await measure(peers, pathOf(query, endMs), query.isGzipped && 'gzip');
    const [own, peer] = figures;
    const cells = figures.map(({ name, p50, p95, cpuMs }) => `${name} ${p50} / ${p95} (${cpuMs.join(' + ')})`);
    const ratio = own === undefined || peer === undefined ? '' : ` | ${(own.p50 / peer.p50).toFixed(2)}`;
    console.log(`| ${query.name} | ${(sizeBytes / 1000).toFixed(0)} kB | ${cells.join(' | ')}${ratio} |`);
  }
} finally {
  for (const peer of peers) await peer.stop();
  connections.destroy();
  if (values.data === undefined) await rm(directory, { recursive: true, force: true });
}
