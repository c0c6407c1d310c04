import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { expectedEdges, insertTestSpans, randomTrace, type TestSpan } from '../../../test/fixtures/random-traces.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { cleanRollups, repairRollups } from './clean.ts';
import { runRollupPass } from './pass.ts';
import { createRollupRunner } from './runner.ts';
import { readTopology, type Topology } from './topology.ts';

const startS = 1_795_000_020;
const window = { startMs: startS * 1000, endMs: (startS + 900) * 1000 };
/** When everything in the window has settled. */
const laterMs = window.endMs + 300_000;
const soon = () => AbortSignal.timeout(20_000);

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
}, 30_000);
afterAll(async () => {
  await store.stop();
});

async function empty() {
  for (const table of ['spans', 'rollup_minutes', 'rollup_operations', 'rollup_edges']) {
    await store.client.command({ sql: `TRUNCATE TABLE ${table}`, signal: soon() });
  }
}

const pass = (nowMs = laterMs) => runRollupPass(store.client, { nowMs, signal: soon(), redoAfterMs: 0, maxRanges: 20 });
const read = () => readTopology(store.client, { ...window, signal: soon() });

/** Requests, errors and spans as they must be, counted here. */
function expected(spans: readonly TestSpan[]) {
  const nodes = new Map<string, { spans: number; requests: number; errors: number }>();
  const node = (service: string) => {
    const counts = nodes.get(service) ?? { spans: 0, requests: 0, errors: 0 };
    nodes.set(service, counts);
    return counts;
  };
  for (const { localService, kind, hasError } of spans) {
    if (localService === '') continue;
    const counts = node(localService);
    counts.spans++;
    if (kind !== 'SERVER' && kind !== 'CONSUMER') continue;
    counts.requests++;
    if (hasError) counts.errors++;
  }
  const edges = new Map<string, { requests: number; errors: number }>();
  for (const [key, { requests, errors }] of expectedEdges(spans)) {
    const [, caller = '', callee = ''] = key.split(' ');
    node(caller);
    node(callee);
    const sum = edges.get(`${caller} ${callee}`) ?? { requests: 0, errors: 0 };
    edges.set(`${caller} ${callee}`, { requests: sum.requests + requests, errors: sum.errors + errors });
  }
  return { nodes: Object.fromEntries(nodes), edges: Object.fromEntries(edges) };
}

const countsOf = ({ nodes, edges }: Topology) => ({
  nodes: Object.fromEntries(
    nodes.map(({ service, spans, requests, errors }) => [service, { spans, requests, errors }]),
  ),
  edges: Object.fromEntries(
    edges.map(({ caller, callee, requests, errors }) => [`${caller} ${callee}`, { requests, errors }]),
  ),
});

function randomSpans(random: () => number, traces: number): TestSpan[] {
  const spans: TestSpan[] = [];
  for (let i = 0; i < traces; i++) {
    const startUs = (startS + 300 + Math.floor(random() * 300)) * 1e6;
    spans.push(...randomTrace(random, startUs, random() < 0.03 ? 80 : 1 + Math.floor(random() * 8)));
  }
  return spans;
}

describe('roll-ups', () => {
  it('change nothing in the answer, down to the quantiles', async () => {
    await empty();
    await insertTestSpans(store.client, randomSpans(createRandom(5), 120), 1);
    const fromSpans = await read();
    expect((await pass()).minutes).toBeGreaterThan(3);
    const stale = await pass();
    expect(stale).toEqual({ minutes: 0, spans: 0, remaining: 0 });
    expect(await read()).toEqual(fromSpans);
    // Nothing was read from the spans: without them the roll-ups are not believed, but they hold all of it.
    const [sum] = await store.client.rows<{ n: string; spans: string }>({
      sql: 'SELECT toString(sum(requests)) AS n, toString((SELECT sum(spans) FROM rollup_minutes)) AS spans FROM rollup_operations',
      signal: soon(),
    });
    expect(sum?.n).toBe(sum?.spans);
  }, 20_000);

  it('end the window where they end when the last minutes are too full to be counted afresh', async () => {
    await empty();
    const spans = randomSpans(createRandom(6), 30);
    await insertTestSpans(store.client, spans, 1);
    const newestS = Math.max(...spans.map(({ tsUs }) => Math.floor(tsUs / 60_000_000) * 60));
    const full = { startMs: window.startMs, endMs: (newestS + 60) * 1000, signal: soon(), maxLiveSpans: 1 };
    expect((await readTopology(store.client, full)).endMs).toBeLessThanOrEqual(newestS * 1000);
    await pass();
    expect((await readTopology(store.client, full)).endMs).toBe(full.endMs);
  }, 20_000);

  it('leave a minute alone until it is over and its last spans had time to arrive', async () => {
    await empty();
    const [span] = randomTrace(createRandom(3), (startS + 60) * 1e6, 1);
    if (span === undefined) throw new Error('no span');
    await insertTestSpans(store.client, [{ ...span, tsUs: (startS + 61) * 1e6 }], 1);
    expect((await pass((startS + 129) * 1000)).minutes).toBe(0);
    expect((await pass((startS + 130) * 1000)).minutes).toBe(1);
  });

  it('do a minute again when late spans came, but not at once', async () => {
    await empty();
    const spans = randomSpans(createRandom(4), 10);
    await insertTestSpans(store.client, spans, 1);
    await runRollupPass(store.client, { nowMs: laterMs, signal: soon() });
    const late = spans.map((span) => ({ ...span, traceId: `${span.traceId.slice(0, 16)}${span.traceId.slice(17)}f` }));
    await insertTestSpans(store.client, late, 2);
    expect(countsOf(await read())).toEqual(expected([...spans, ...late]));
    expect((await runRollupPass(store.client, { nowMs: laterMs + 30_000, signal: soon() })).minutes).toBe(0);
    expect((await runRollupPass(store.client, { nowMs: laterMs + 120_000, signal: soon() })).minutes).toBeGreaterThan(
      0,
    );
    expect(countsOf(await read())).toEqual(expected([...spans, ...late]));
  }, 20_000);

  it('count nothing of a minute whose spans were dropped to make room, before the next pass and after it', async () => {
    await empty();
    const random = createRandom(23);
    const spans = randomSpans(random, 12);
    await insertTestSpans(store.client, spans, 1);
    await pass();
    const cutUs = (startS + 180) * 1_000_000;
    // As a part is dropped: what is left of its minutes is counted anew, and of some nothing is left.
    await store.client.command({
      sql: `DELETE FROM spans WHERE ts < fromUnixTimestamp64Micro(${cutUs})`,
      signal: soon(),
    });
    const rest = expected(spans.filter(({ tsUs }) => tsUs >= cutUs));
    expect(countsOf(await read())).toEqual(rest);
    await pass();
    expect(countsOf(await read())).toEqual(rest);
    expect((await pass()).minutes).toBe(0);
  });

  it('lose the rows of overtaken and dead passes, and nothing else', async () => {
    await empty();
    const spans = randomSpans(createRandom(8), 20);
    await insertTestSpans(store.client, spans, 1);
    await pass();
    const count = `SELECT toString(count()) AS n FROM rollup_operations`;
    const [once] = await store.client.rows<{ n: string }>({ sql: count, signal: soon() });
    // A pass that was killed before it was committed, and one that another span makes necessary.
    await store.client.command({
      sql: `INSERT INTO rollup_operations (minute, pass, service) VALUES (${startS + 300}, 7, 'dead')`,
      signal: soon(),
    });
    const again = spans.map((span) => ({ ...span, durationUs: 1 }));
    await insertTestSpans(store.client, again, 2);
    await pass(laterMs + 1000);
    await cleanRollups(store.client, { nowMs: laterMs + 300_000, signal: soon() });
    const [kept] = await store.client.rows<{ n: string }>({ sql: count, signal: soon() });
    expect(Number(kept?.n)).toBe(2 * Number(once?.n) + 1);
    await cleanRollups(store.client, { nowMs: laterMs + 700_000, signal: soon() });
    const [left] = await store.client.rows<{ n: string }>({ sql: count, signal: soon() });
    expect(left?.n).toBe(once?.n);
    expect(countsOf(await read())).toEqual(expected([...spans, ...again]));
    expect((await pass()).minutes).toBe(0);
  }, 20_000);

  it('are made again where a power cut took rows of a pass that was committed', async () => {
    await empty();
    const spans = randomSpans(createRandom(9), 20);
    await insertTestSpans(store.client, spans, 1);
    const { minutes } = await pass();
    expect(await repairRollups(store.client, { nowMs: laterMs, signal: soon() })).toBe(0);
    await store.client.command({ sql: 'TRUNCATE TABLE rollup_edges', signal: soon() });
    expect(await repairRollups(store.client, { nowMs: laterMs, signal: soon() })).toBeGreaterThan(0);
    expect(countsOf(await read())).toEqual(expected(spans));
    expect((await pass(laterMs + 1000)).minutes).toBeGreaterThan(0);
    expect((await pass(laterMs + 1000)).minutes).toBe(0);
    expect(minutes).toBeGreaterThan(0);
    expect(countsOf(await read())).toEqual(expected(spans));
  }, 20_000);

  it('are made by the runner, which stops when it is told', async () => {
    await empty();
    const spans = randomSpans(createRandom(10), 20);
    await insertTestSpans(store.client, spans, 1);
    let madeMinutes = 0;
    await new Promise<void>((resolve, reject) => {
      const runner = createRollupRunner({
        client: store.client,
        clock: {
          nowMs: () => laterMs,
          monotonicMs: () => performance.now(),
          sleep: (_ms, signal) =>
            new Promise((_done, abort) => signal.addEventListener('abort', () => abort(signal.reason))),
        },
        log: pino({ level: 'silent' }),
        failed: reject,
        passed: ({ minutes }) => {
          madeMinutes += minutes;
          setImmediate(() => runner.stop().then(resolve, reject));
        },
      });
      runner.start();
    });
    expect(madeMinutes).toBeGreaterThan(0);
    expect(countsOf(await read())).toEqual(expected(spans));
  }, 20_000);

  it.each([11, 13])(
    'equal the base table whatever comes between: late spans, replays, passes, kills (seed %i)',
    async (seed) => {
      await empty();
      const random = createRandom(seed);
      const segments = new Map<number, TestSpan[]>();
      for (let step = 0; step < 7; step++) {
        const what = random();
        if (what < 0.4 || segments.size === 0) {
          const seg = segments.size + 1;
          segments.set(seg, randomSpans(random, 15));
          await insertTestSpans(store.client, segments.get(seg) ?? [], seg);
        } else if (what < 0.55) {
          // A segment whose INSERT was cut short is taken away and inserted again.
          const seg = 1 + Math.floor(random() * segments.size);
          await store.client.command({ sql: `DELETE FROM spans WHERE seg = ${seg}`, signal: soon() });
          if (random() < 0.5) await pass();
          await insertTestSpans(store.client, segments.get(seg) ?? [], seg);
        } else if (what < 0.75) {
          await pass();
        } else {
          const running = pass().then(
            () => undefined,
            () => undefined,
          );
          await new Promise((resolve) => setTimeout(resolve, random() * 1200));
          await store.kill9();
          await running;
          await store.restart();
        }
        expect(countsOf(await read()), `seed ${seed}, step ${step}`).toEqual(expected([...segments.values()].flat()));
      }
      await pass();
      expect((await pass()).minutes).toBe(0);
      expect(countsOf(await read())).toEqual(expected([...segments.values()].flat()));
    },
    60_000,
  );
});
