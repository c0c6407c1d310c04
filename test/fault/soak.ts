/**
 * Load for minutes or hours with a fault every few seconds: the store process is killed or stopped, the backend of an output goes away.
 * The agent itself lives through all of it, so that what it leaks shows.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStoreClient } from '../../src/store/http-client.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { createRandom } from '../fixtures/random.ts';
import { metricOf, startBackend, waitFor } from './agent-tools.ts';

export const soakFaults = ['store killed', 'store stopped', 'backend away'] as const;
export type SoakFault = (typeof soakFaults)[number];

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly faultEverySeconds?: number;
  /** Which faults come; all of them unless told. A store that is killed now and then never lives long enough for its memory to be judged. */
  readonly faults?: readonly SoakFault[];
  /** Told of each fault. */
  onFault?(line: string): void;
}

/** How the floor of a figure moved over the last half of the time, when everything is warm: its slope is that of the line that fits best. */
export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly largest: number;
  readonly perTenMinutes: number;
}

export interface SoakReport {
  readonly seed: number;
  readonly seconds: number;
  readonly spansPerSecond: { readonly most: number; readonly sent: number };
  readonly faults: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  readonly lost: number;
  readonly storedTwice: number;
  /** Acknowledged and never seen by the output's backend. */
  readonly notForwarded: number;
  /** Resident memory. */
  readonly agentMiB: Trend;
  readonly agentFiles: Trend;
  readonly storeMiB: Trend;
  /** Resident memory that is no file's: without the engine's own code and what it maps. */
  readonly agentOwnMiB: Trend;
  readonly storeOwnMiB: Trend;
  readonly storeFiles: Trend;
}

const spansPerBody = 50;
/** Of what the agent takes at most. */
const share = 0.6;
const calibrationMs = 3_000;

/** Bodies are numbered; each is one trace, so that one row of a query says what became of it. */
function createBodies(startUs: number) {
  const acknowledged: boolean[] = [];
  return {
    next(): { number: number; body: string } {
      const number = acknowledged.push(false);
      const traceId = number.toString(16).padStart(32, '0');
      const spans = Array.from({ length: spansPerBody }, (_, i) => ({
        traceId,
        id: (i + 1).toString(16).padStart(16, '0'),
        kind: i % 2 === 0 ? 'SERVER' : 'CLIENT',
        name: `operation-${i % 7}`,
        timestamp: startUs + number * 100 + i,
        duration: 1 + ((number * 31 + i) % 100_000),
        localEndpoint: { serviceName: `service-${i % 5}` },
        tags: { 'http.method': 'GET', 'http.status_code': '200', number: String(number) },
      }));
      return { number, body: JSON.stringify(spans) };
    },
    acknowledge(number: number) {
      acknowledged[number - 1] = true;
    },
    acknowledged: () => acknowledged.flatMap((isAcknowledged, i) => (isAcknowledged ? [i + 1] : [])),
  };
}

type Bodies = ReturnType<typeof createBodies>;

/** Posts at a rate; undefined for as fast as it goes. */
function startSenders(agent: TestAgent, bodies: Bodies, spansPerSecond: number | undefined) {
  const answers: Record<string, number> = {};
  let isOver = false;
  let sent = 0;
  const startedAt = performance.now();
  const send = async () => {
    while (!isOver) {
      const dueMs = spansPerSecond === undefined ? 0 : (sent * spansPerBody * 1000) / spansPerSecond;
      sent++;
      await sleep(Math.max(0, startedAt + dueMs - performance.now()));
      const { number, body } = bodies.next();
      const status = await agent.post('/api/v2/spans', body).then(
        (answer) => answer.status,
        () => 0,
      );
      answers[status] = (answers[status] ?? 0) + 1;
      if (status === 202) bodies.acknowledge(number);
      else await sleep(100);
    }
  };
  const sending = Promise.all(Array.from({ length: 4 }, send));
  return {
    answers,
    async stop(): Promise<number> {
      isOver = true;
      await sending;
      return ((answers[202] ?? 0) * spansPerBody * 1000) / (performance.now() - startedAt);
    },
  };
}

/** The least of each twentieth of the time: what a collection or a merge takes for a moment is no growth, and what is leaked raises the least too. */
function floorsOf(points: Points): Points {
  const width = Math.max(1, Math.floor(points.length / 20));
  return Array.from({ length: Math.floor(points.length / width) }, (_, i) =>
    points.slice(i * width, (i + 1) * width).reduce((least, point) => (point[1] < least[1] ? point : least)),
  );
}

function trendOf(points: Points): Trend {
  const floors = floorsOf(points);
  const warm = floors.slice(Math.floor(floors.length / 2));
  const meanX = warm.reduce((sum, [x]) => sum + x, 0) / warm.length;
  const meanY = warm.reduce((sum, [, y]) => sum + y, 0) / warm.length;
  const covariance = warm.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = warm.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    first: round(warm[0]?.[1] ?? 0),
    last: round(warm.at(-1)?.[1] ?? 0),
    largest: round(Math.max(0, ...points.map(([, y]) => y))),
    perTenMinutes: variance === 0 ? 0 : round((covariance / variance) * 600),
  };
}

type Points = (readonly [seconds: number, value: number])[];

/** Looks at a process once a second; one that is being started anew is left out. */
function watchProcess(pidOf: () => number) {
  const startedAt = performance.now();
  const resident: Points = [];
  const own: Points = [];
  const files: Points = [];
  const timer = setInterval(() => {
    const seconds = (performance.now() - startedAt) / 1000;
    try {
      const pid = pidOf();
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
      // The engine holds three files of /proc open for each of its threads, whose number has a bound of its own.
      const isCounted = (fd: string) => !readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('/proc/');
      const opened = readdirSync(`/proc/${pid}/fd`).filter(isCounted).length;
      resident.push([seconds, mib('VmRSS')]);
      own.push([seconds, mib('RssAnon')]);
      files.push([seconds, opened]);
    } catch {
      // It was killed a moment ago, and the next one has not said its number yet.
    }
  }, 1000);
  return () => {
    clearInterval(timer);
    return { resident: trendOf(resident), own: trendOf(own), files: trendOf(files) };
  };
}

/** The agent and its store, each by itself. */
function watchProcesses(agent: TestAgent) {
  const finishAgent = watchProcess(() => agent.child.pid ?? 0);
  const finishStore = watchProcess(() => agent.storePid());
  return () => {
    const ofAgent = finishAgent();
    const ofStore = finishStore();
    return {
      agentMiB: ofAgent.resident,
      agentOwnMiB: ofAgent.own,
      agentFiles: ofAgent.files,
      storeMiB: ofStore.resident,
      storeOwnMiB: ofStore.own,
      storeFiles: ofStore.files,
    };
  };
}

async function judge(agent: TestAgent, acknowledged: readonly number[]) {
  const client = createStoreClient({ socketPath: join(agent.dataDirectory, 'store', 'store.sock') });
  try {
    // Count and sum tell a whole body from one that is short or repeated, and need no set for each of half a million traces.
    const rows = await client.rows<{ number: string; stored: string; sum: string }>({
      sql: `SELECT toString(reinterpretAsUInt64(reverse(substring(trace_id, 9, 8)))) AS number, toString(count()) AS stored,
toString(sum(id)) AS sum FROM spans GROUP BY trace_id`,
      signal: AbortSignal.timeout(120_000),
      timeoutMs: 110_000,
    });
    const wholeSum = String((spansPerBody * (spansPerBody + 1)) / 2);
    const whole = new Set(
      rows
        .filter(
          ({ stored, sum }) => Number(stored) >= spansPerBody && (sum === wholeSum || Number(stored) > spansPerBody),
        )
        .map(({ number }) => Number(number)),
    );
    return {
      lost: acknowledged.filter((number) => !whole.has(number)).length * spansPerBody,
      storedTwice: rows.reduce((sum, { stored }) => sum + Math.max(0, Number(stored) - spansPerBody), 0),
    };
  } finally {
    await client.close();
  }
}

/** A backend that can be away, and that knows which traces it was given. */
async function startForgetfulBackend() {
  const state = { isAway: false, traces: new Set<number>() };
  const backend = await startBackend((request, response) => {
    if (state.isAway) return void request.socket.destroy();
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      for (const [, id] of Buffer.concat(chunks)
        .toString('latin1')
        .matchAll(/"traceId":"([0-9a-f]+)"/g))
        state.traces.add(Number.parseInt(id ?? '', 16));
      response.writeHead(202).end();
    });
  });
  return { ...backend, state };
}

/** Runs the soak; takes `seconds`, and what it takes to bring the rest into the store. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { seconds, seed, faultEverySeconds = 10, faults: names = soakFaults, onFault } = options;
  const random = createRandom(seed);
  const backend = await startForgetfulBackend();
  const agent = await startAgent({
    files: {
      'zipkin.conf': '[[inputs.zipkin]]\n',
      'out.conf': `[[outputs.zipkin]]\n  url = "http://127.0.0.1:${backend.port}/api/v2/spans"\n  compression = "none"\n`,
    },
  });
  const bodies = createBodies(Date.now() * 1000);
  const faults: Record<string, number> = {};
  const actions: Readonly<Record<SoakFault, () => Promise<void>>> = {
    async 'store killed'() {
      process.kill(agent.storePid(), 'SIGKILL');
    },
    async 'store stopped'() {
      const pid = agent.storePid();
      process.kill(pid, 'SIGSTOP');
      await sleep(3_000);
      process.kill(pid, 'SIGCONT');
    },
    async 'backend away'() {
      backend.state.isAway = true;
      await sleep(4_000);
      backend.state.isAway = false;
    },
  };
  try {
    await agent.ready();
    const fastest = startSenders(agent, bodies, undefined);
    await sleep(calibrationMs);
    const most = await fastest.stop();
    const finish = watchProcesses(agent);
    const senders = startSenders(agent, bodies, most * share);
    const endsAt = performance.now() + seconds * 1000;
    while (performance.now() + faultEverySeconds * 1000 < endsAt) {
      await sleep(faultEverySeconds * 1000 * (0.5 + random() / 2));
      const name = names[Math.floor(random() * names.length)] ?? 'backend away';
      onFault?.(name);
      faults[name] = (faults[name] ?? 0) + 1;
      await agent.ready();
      await actions[name]();
    }
    await sleep(Math.max(0, endsAt - performance.now()));
    const sent = await senders.stop();
    const trends = finish();
    await agent.ready();
    await agent.flush();
    const acknowledged = bodies.acknowledged();
    const missing = () => acknowledged.filter((number) => !backend.state.traces.has(number)).length;
    await waitFor(
      'the output to catch up',
      async () => (await metricOf(agent, 'trawl_spool_bytes', 'outputs.zipkin')) === 0 || missing() === 0,
      60_000,
    ).catch(() => undefined);
    return {
      seed,
      seconds,
      spansPerSecond: { most: Math.round(most), sent: Math.round(sent) },
      faults,
      answers: senders.answers,
      acknowledged: acknowledged.length * spansPerBody,
      ...(await judge(agent, acknowledged)),
      notForwarded: missing() * spansPerBody,
      ...trends,
    };
  } finally {
    await agent.remove();
    await backend.close();
  }
}
