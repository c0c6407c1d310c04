/**
 * PromQL side by side, over the same 12,100 series up to now: `npx tsx bench/promql.ts [--prometheus PATH] [--load 100000] [--steps 320]
 * [--rounds 15] [--only WORDS] [--data DIRECTORY]`. Before each query both servers are started again and warmed by the same query of another
 * metric, so that `first` is the time to answer what was not asked before by code that has run before; `p50` and `p95` are those of asking
 * it again, without the two questions after the first, while a server may still be taking what it will need again into memory. Milliseconds
 * as a client sees them; the ratios are Trawl's to Prometheus's, first and p50. What `--data` names is kept and filled up to now when it is
 * used again within two hours, and written anew later and after a run with `--load`.
 *
 * With `--load` so many samples a second come in while queries are asked, of 100,000 other series with a sample each second, and the
 * counters that are asked about go on. On two cores a load of both servers at once would leave each what the other does not take, and
 * reward the one that takes more; so the load runs on the peer that is asked, turn by turn and the same seconds for each, and only the
 * counters go on in both. What is sent was made before (`write-template.ts`), and the sending process takes a tenth of a core or less.
 * Then `cores` is what a server took for both, and `samples/s` what it acknowledged while it was asked.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, quantile } from './lib/processes.ts';
import {
  type BenchQuery,
  benchQueries,
  createBodies,
  neighbourOf,
  pathOf,
  stampOf,
  stepAt,
} from './lib/promql-data.ts';
import type { Loaded, LoadOrder } from './lib/promql-load.ts';
import { ask, connections, cpuMsOf, type Peer, startPeer, startTrawl } from './lib/promql-peers.ts';

const { values } = parseArgs({
  options: {
    prometheus: { type: 'string' },
    load: { type: 'string', default: '0' },
    steps: { type: 'string', default: '320' },
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', default: '' },
    data: { type: 'string' },
  },
});
const steps = Number(values.steps);
const rounds = Number(values.rounds);
const rate = Number(values.load);
const fillUpWithinMs = 2 * 3600 * 1000;
const warmingRounds = 10;
/** Questions after the first that are not counted. */
const settlingRounds = 2;

interface Mark {
  readonly lastStep: number;
}

/** What was loaded into a directory before, unless that is too long ago to be gone on with: then nothing is left there. */
async function prepare(directory: string): Promise<Mark | undefined> {
  const text = await readFile(join(directory, 'loaded.json'), 'utf8').catch(() => undefined);
  const mark: Mark | undefined = text === undefined ? undefined : JSON.parse(text);
  if (mark?.lastStep !== undefined && Date.now() - stampOf(mark.lastStep) < fillUpWithinMs) return mark;
  for (const name of ['loaded.json', 'trawl', 'prometheus'])
    await rm(join(directory, name), { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  return undefined;
}

/** Writes to both what is missing until now; resolves to the last step. */
async function fill(peers: readonly Peer[], directory: string, mark: Mark | undefined): Promise<number> {
  let last = mark?.lastStep ?? stepAt(Date.now()) - steps;
  for (let now = stepAt(Date.now()); now > last; now = stepAt(Date.now())) {
    for (const { body: sent } of createBodies(stampOf(last + 1), now - last)) {
      for (const peer of peers) await ask(peer, '/api/v1/write', { sent });
    }
    last = now;
  }
  for (const peer of peers) await peer.settle();
  await writeFile(join(directory, 'loaded.json'), JSON.stringify({ lastStep: last } satisfies Mark));
  return last;
}

interface Incoming {
  /** The peers' addresses after they were started again. */
  restarted(): void;
  start(peer: Peer): void;
  stop(): Promise<Loaded>;
  end(): void;
}

async function startIncoming(peers: readonly Peer[], firstStep: number): Promise<Incoming> {
  const file = fileURLToPath(new URL('lib/promql-load.ts', import.meta.url));
  const child = fork(file, ['--rate', String(rate), '--step', String(firstStep)], { execArgv: ['--import', 'tsx'] });
  const order = (sent: LoadOrder) => void child.send(sent);
  const told = async (): Promise<Loaded> => (await once(child, 'message'))[0];
  await told();
  const restarted = () => order({ kind: 'peers', urls: peers.map(({ url }) => url) });
  restarted();
  return {
    restarted,
    start: ({ url }) => order({ kind: 'load', url }),
    stop() {
      const loaded = told();
      order({ kind: 'load' });
      return loaded;
    },
    end: () => child.disconnect(),
  };
}

/** What is known of one peer and one query. */
interface Measured {
  firstMs: number;
  asked: number;
  sizeBytes: number;
  readonly tookMs: number[];
  /** By process. */
  readonly cpuMs: number[];
  wallMs: number;
  acknowledged: number;
  loadSeconds: number;
  refused: number;
}

type EndOf = (query: BenchQuery) => number;

async function restartAndWarm(peers: readonly Peer[], query: BenchQuery, endOf: EndOf): Promise<void> {
  const neighbour = neighbourOf(query);
  for (const peer of peers) {
    await peer.restart();
    if (neighbour === undefined) continue;
    const encoding = neighbour.isGzipped && 'gzip';
    for (let i = 0; i < warmingRounds; i++) await ask(peer, pathOf(neighbour, endOf(neighbour)), { encoding });
  }
}

async function askOnce(peer: Peer, measured: Measured, path: string, encoding: string | undefined): Promise<void> {
  const { body, tookMs } = await ask(peer, path, { encoding });
  measured.sizeBytes = body.length;
  measured.asked++;
  if (measured.asked === 1) measured.firstMs = tookMs;
  else if (measured.asked > 1 + settlingRounds) measured.tookMs.push(tookMs);
}

/** Runs what asks and counts the CPU that the peer took meanwhile. */
async function counted(peer: Peer, measured: Measured, act: () => Promise<void>): Promise<void> {
  const [before, startedMs] = [cpuMsOf(peer), performance.now()];
  await act();
  measured.wallMs += performance.now() - startedMs;
  cpuMsOf(peer).forEach((ms, i) => {
    measured.cpuMs[i] = (measured.cpuMs[i] ?? 0) + ms - (before[i] ?? 0);
  });
}

/** One after the other, question by question. */
async function measureAtRest(all: ReadonlyMap<Peer, Measured>, path: string, encoding?: string): Promise<void> {
  for (let round = 0; round <= settlingRounds; round++) {
    for (const [peer, measured] of all) await askOnce(peer, measured, path, encoding);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [peer, measured] of all) {
      await counted(peer, measured, () => askOnce(peer, measured, path, encoding));
    }
  }
}

const turns = 2;
const turnMs = 4000;
/** The load runs so long before the first question of a turn. */
const leadMs = 1000;
const betweenMs = 100;

/** One after the other, the load going with the questions; a question at most each tenth of a second, as people's panels ask. */
async function measureUnderLoad(
  all: ReadonlyMap<Peer, Measured>,
  { path, encoding, incoming }: { path: () => string; encoding: string | undefined; incoming: Incoming },
): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    for (const [peer, measured] of turn % 2 === 0 ? all : [...all].reverse()) {
      incoming.start(peer);
      await pause(leadMs);
      await counted(peer, measured, async () => {
        const until = performance.now() + turnMs;
        while (performance.now() < until || measured.tookMs.length === 0) {
          const next = performance.now() + betweenMs;
          await askOnce(peer, measured, path(), encoding);
          await pause(Math.max(0, next - performance.now()));
        }
      });
      const { acknowledged, refused, seconds } = await incoming.stop();
      measured.acknowledged += acknowledged;
      measured.refused += refused;
      measured.loadSeconds += seconds;
    }
  }
}

const round = (value: number, digits = 1) => Number(value.toFixed(digits));

function rowOf({ name }: BenchQuery, all: ReadonlyMap<Peer, Measured>): string {
  const figures = [...all].map(([peer, measured]) => {
    const { tookMs, cpuMs, wallMs, firstMs } = measured;
    const cpu =
      rate > 0
        ? `${cpuMs.map((ms) => round(ms / wallMs, 2)).join(' + ')} | ${Math.round(measured.acknowledged / measured.loadSeconds / 1000)}k${measured.refused > 0 ? `, ${measured.refused} refused` : ''}`
        : cpuMs.map((ms) => round(ms / rounds)).join(' + ');
    const p50 = quantile(tookMs, 0.5);
    return { name: peer.name, first: round(firstMs), p50, cells: [round(firstMs), p50, quantile(tookMs, 0.95), cpu] };
  });
  const [own, peer] = figures;
  const ratios =
    own === undefined || peer === undefined
      ? []
      : [(own.first / peer.first).toFixed(2), (own.p50 / peer.p50).toFixed(2)];
  const sizes = [...all.values()].map(({ sizeBytes }) => `${round(sizeBytes / 1000, 0)}`);
  return `| ${[name, [...new Set(sizes)].join('/'), ...figures.flatMap(({ cells }) => cells), ...ratios].join(' | ')} |`;
}

function printHead(peers: readonly Peer[]): void {
  const own = (name: string) =>
    ['first', 'p50', 'p95', ...(rate > 0 ? ['cores', 'samples/s'] : ['CPU a query'])].map((cell) => `${name} ${cell}`);
  const cells = ['query', 'kB', ...peers.flatMap(({ name }) => own(name))];
  if (peers.length > 1) cells.push('ratio first', 'ratio p50');
  console.log(JSON.stringify({ ...machine(), load: rate }));
  console.log(`| ${cells.join(' | ')} |\n|${cells.map(() => '---').join('|')}|`);
}

const directory = values.data ?? (await mkdtemp(join(tmpdir(), 'trawl-bench-promql-')));
const mark = await prepare(directory);
const peers: Peer[] = [];
let incoming: Incoming | undefined;
try {
  peers.push(await startTrawl(directory));
  if (values.prometheus !== undefined) peers.push(await startPeer(values.prometheus, directory));
  const last = await fill(peers, directory, mark);
  if (rate > 0) {
    // From now on nothing says how far the counters of each server are.
    await rm(join(directory, 'loaded.json'));
    incoming = await startIncoming(peers, last + 1);
  }
  const floor = (ms: number, toMs: number) => Math.floor(ms / toMs) * toMs;
  // Viewers end a range on a whole step; at rest nothing comes after what was loaded.
  const endOf: EndOf = ({ stepS = 1 }) =>
    rate > 0 ? floor(Date.now(), stepS * 1000) : floor(stampOf(last), 1000) + 1000;
  printHead(peers);
  for (const query of benchQueries.filter(({ name }) => name.includes(values.only))) {
    await restartAndWarm(peers, query, endOf);
    incoming?.restarted();
    const all = new Map(
      peers.map((peer): [Peer, Measured] => [
        peer,
        {
          firstMs: Number.NaN,
          asked: 0,
          sizeBytes: 0,
          tookMs: [],
          cpuMs: [],
          wallMs: 0,
          acknowledged: 0,
          loadSeconds: 0,
          refused: 0,
        },
      ]),
    );
    const path = () => pathOf(query, endOf(query));
    const encoding = query.isGzipped && 'gzip';
    if (incoming === undefined) await measureAtRest(all, path(), encoding);
    else await measureUnderLoad(all, { path, encoding, incoming });
    console.log(rowOf(query, all));
  }
} finally {
  incoming?.end();
  for (const peer of peers) await peer.stop();
  connections.destroy();
  if (values.data === undefined) await rm(directory, { recursive: true, force: true });
}
