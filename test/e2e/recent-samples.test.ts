/** Queries that come again and again, of an agent that keeps their samples in memory and of one that asks its store each time. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { createRandom } from '../fixtures/random.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../fixtures/write-request.ts';

let remembering: TestAgent;
let forgetful: TestAgent;

const random = createRandom(17);
const startMs = Math.floor(Date.now() / 1000) * 1000 - 30 * 60_000 + 7;
const stepMs = 15_000;

const counters = Array.from({ length: 60 }, (_, i) => ({
  labels: [
    ['__name__', i < 40 ? 'requests_total' : 'errors_total'],
    ['code', String(200 + (i % 4) * 100)],
    ['pod', `pod-${i % 20}`],
  ] as const,
  value: i,
}));

/** Samples of all series, each a little later than the last. */
const nextSamples = (from: number, count: number): WriteSeries[] =>
  counters.map((counter) => ({
    labels: counter.labels,
    samples: Array.from({ length: count }, (_, i) => {
      counter.value = random() < 0.01 ? 0 : counter.value + Math.floor(random() * 100);
      return [startMs + (from + i) * stepMs, counter.value] as const;
    }),
  }));

async function push(series: readonly WriteSeries[]): Promise<void> {
  for (const agent of [remembering, forgetful]) {
    const { status } = await agent.post('/api/v1/write', compress(encodeWriteRequest(series)), {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
    });
    expect(status).toBe(204);
  }
  await forgetful.flush();
}

const queries = [
  'requests_total',
  'sum by (code) (rate(requests_total[5m]))',
  'rate(requests_total{code="500"}[5m]) / on (pod) group_left rate(errors_total{code="500"}[5m])',
  'max_over_time(requests_total{pod=~"pod-1.*"}[10m])',
  'increase(errors_total[3m:30s])',
  'count(requests_total offset 5m)',
];

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

async function ask(agent: TestAgent, query: string, endMs: number): Promise<readonly Series[]> {
  const parameters = { query, start: String(endMs / 1000 - 900), end: String(endMs / 1000), step: '15' };
  const { status, text } = await agent.get(`/api/v1/query_range?${new URLSearchParams(parameters)}`);
  expect(status, text).toBe(200);
  return JSON.parse(text).data.result;
}

/** The same series in the same order, and the same values but for what rounding the engine does. */
function expectSame(found: readonly Series[], expected: readonly Series[], why: string): void {
  expect(
    found.map(({ metric }) => metric),
    why,
  ).toEqual(expected.map(({ metric }) => metric));
  for (const [i, { values }] of found.entries()) {
    const others = expected[i]?.values ?? [];
    expect(
      values.map(([time]) => time),
      why,
    ).toEqual(others.map(([time]) => time));
    for (const [k, [, value]] of values.entries()) expect(Number(value)).toBeCloseTo(Number(others[k]?.[1]), 6);
  }
}

async function lookups(agent: TestAgent): Promise<{ readonly memory: number; readonly store: number }> {
  const { text } = await agent.get('/metrics');
  const count = (from: string): number =>
    Number(new RegExp(`^trawl_query_recent_lookups_total\\{from="${from}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 'NaN');
  return { memory: count('memory'), store: count('store') };
}

beforeAll(async () => {
  [remembering, forgetful] = await Promise.all([startAgent(), startAgent({ sets: ['query.recent_samples=0'] })]);
  await Promise.all([remembering.ready(), forgetful.ready()]);
  await push(nextSamples(0, 80));
  await remembering.flush();
}, 60_000);

afterAll(async () => {
  await Promise.all([remembering?.remove(), forgetful?.remove()]);
});

/** Asks what a dashboard asks until memory has all of it. */
async function warm(endMs: number): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const before = await lookups(remembering);
    for (const query of queries) await ask(remembering, query, endMs);
    const after = await lookups(remembering);
    if (after.store === before.store) return;
    if (performance.now() > deadlineMs) throw new Error('memory does not answer');
    await pause(100);
  }
}

describe('queries that come again and again', () => {
  it('are answered from memory as the store answers them, while samples go on coming', async () => {
    await warm(startMs + 80 * stepMs);
    for (let round = 0; round < 5; round++) {
      await push(nextSamples(80 + round * 2, 2));
      const endMs = startMs + (82 + round * 2) * stepMs;
      const before = await lookups(remembering);
      for (const query of queries) {
        expectSame(await ask(remembering, query, endMs), await ask(forgetful, query, endMs), query);
      }
      const after = await lookups(remembering);
      expect(after.store).toBe(before.store);
      expect(after.memory).toBeGreaterThan(before.memory);
    }
    expect(await lookups(forgetful)).toEqual({ memory: 0, store: 0 });
  }, 60_000);

  it('say in their plan that memory had the samples', async () => {
    const parameters = new URLSearchParams({
      query: 'sum(rate(requests_total[5m]))',
      time: String(Date.now() / 1000 - 900),
    });
    const { text } = await remembering.get(`/api/trawl/promql/explain?${parameters}`);
    expect(JSON.stringify(JSON.parse(text).plan)).toContain('which are in memory');
  });

  it('are answered rightly after the store was killed and what came meanwhile is in it', async () => {
    const endMs = startMs + 94 * stepMs;
    process.kill(remembering.storePid(), 'SIGKILL');
    await push(nextSamples(90, 4));
    await remembering.ready();
    await remembering.flush();
    for (let round = 0; round < 3; round++) {
      for (const query of queries) {
        expectSame(await ask(remembering, query, endMs), await ask(forgetful, query, endMs), query);
      }
    }
  }, 60_000);
});
