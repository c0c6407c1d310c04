import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import {
  expectedCalls,
  expectedEdges,
  insertTestSpans,
  randomTrace,
  type TestSpan,
  tracesOf,
  traceUs,
} from '../../../test/fixtures/random-traces.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import { readDependencies } from './dependencies.ts';
import { readJaegerDependencies } from './jaeger-dependencies.ts';
import { readOperationStats } from './operation-stats.ts';
import { runRollupPass } from './pass.ts';

const startS = 1_795_000_020;
const soon = () => AbortSignal.timeout(20_000);
const random = createRandom(31);
const spans: TestSpan[] = [];
for (let i = 0; i < 200; i++) {
  const startUs = (startS + 120) * 1e6 + Math.floor(random() * 300e6);
  spans.push(...randomTrace(random, startUs, random() < 0.03 ? 80 : 1 + Math.floor(random() * 8)));
}

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
  await insertTestSpans(store.client, spans, 1);
}, 30_000);
afterAll(async () => {
  await store.stop();
});

/** What the linker finds over the traces whose timestamp lies in the window. */
function expectedLinks(startMs: number, endMs: number) {
  const within = tracesOf(spans).filter((trace) => {
    const us = traceUs(trace);
    return us !== undefined && us >= startMs * 1000 && us <= endMs * 1000;
  });
  const links = new Map<string, { callCount: number; errorCount: number }>();
  for (const [key, { requests, taggedErrors }] of expectedEdges(within.flat())) {
    const pair = key.slice(key.indexOf(' ') + 1);
    const link = links.get(pair) ?? { callCount: 0, errorCount: 0 };
    links.set(pair, { callCount: link.callCount + requests, errorCount: link.errorCount + taggedErrors });
  }
  return Object.fromEntries(links);
}

async function readLinks(startMs: number, endMs: number, more: { maxPartialSpans?: number } = {}) {
  const links = await readDependencies(store.client, { startMs, endMs, signal: soon(), ...more });
  return Object.fromEntries(
    links.map(({ parent, child, callCount, errorCount }) => [`${parent} ${child}`, { callCount, errorCount }]),
  );
}

const windows = [
  [startS * 1000, (startS + 900) * 1000],
  [(startS + 120) * 1000, (startS + 180) * 1000 - 1],
  [(startS + 130) * 1000 + 17, (startS + 291) * 1000 + 5],
  [(startS + 200) * 1000, (startS + 210) * 1000],
  [(startS + 225) * 1000, (startS + 255) * 1000],
  [0, Number.MAX_SAFE_INTEGER],
  [(startS - 7200) * 1000, (startS - 3600) * 1000],
] as const;

describe('dependencies', () => {
  it('are the linker’s over the traces of the window, to the millisecond, before any pass, between passes and after', async () => {
    const expectAll = async (when: string) => {
      for (const [from, to] of windows) {
        expect(await readLinks(from, to), `${when}, ${from} to ${to}`).toEqual(expectedLinks(from, to));
      }
    };
    await expectAll('no pass');
    await runRollupPass(store.client, { nowMs: (startS + 250) * 1000, signal: soon() });
    await expectAll('some passed');
    await runRollupPass(store.client, { nowMs: (startS + 2000) * 1000, signal: soon(), maxRanges: 20 });
    await expectAll('all passed');
    const day = [(startS - 86_400) * 1000 + 7, (startS + 171) * 1000] as const;
    expect(await readLinks(...day)).toEqual(expectedLinks(...day));
    // Rounded to whole minutes: of the last one more than half is asked for.
    expect(await readLinks(...day, { maxPartialSpans: 0 })).toEqual(
      expectedLinks((startS - 86_400) * 1000, (startS + 180) * 1000 - 1),
    );
  }, 60_000);
});

describe('Jaeger’s dependencies', () => {
  it('count every span whose parent is there, under the names as they are spelled', async () => {
    const expected = new Map<string, number>();
    for (const [key, { requests }] of expectedCalls(spans)) {
      const [rule, , parent, child] = key.split(' ');
      if (rule !== 'jaeger') continue;
      expected.set(`${parent} ${child}`, (expected.get(`${parent} ${child}`) ?? 0) + requests);
    }
    const read = await readJaegerDependencies(store.client, { startMs: 0, endMs: 4e12, signal: soon() });
    expect(Object.fromEntries(read.map((each) => [`${each.parent} ${each.child}`, each.callCount]))).toEqual(
      Object.fromEntries(expected),
    );
    expect(expected.size).toBeGreaterThan(20);
    const none = { startMs: (startS - 600) * 1000, endMs: startS * 1000, signal: soon() };
    expect(await readJaegerDependencies(store.client, none)).toEqual([]);
  });
});

describe('statistics of operations', () => {
  const ask = (more: { byOperation?: boolean; quantile?: number; stepMs?: number; ratePerMs?: number }) =>
    readOperationStats(store.client, {
      services: ['reviews', 'Reviews', 'nobody'],
      kinds: ['SERVER'],
      byOperation: false,
      startMs: startS * 1000,
      endMs: (startS + 900) * 1000,
      stepMs: 60_000,
      ratePerMs: 60_000,
      nowMs: (startS + 5000) * 1000,
      signal: soon(),
      ...more,
    });
  const served = spans.filter(({ localService, kind }) => localService === 'reviews' && kind === 'SERVER');

  it('count each span once where a point looks back to the one before', async () => {
    for (const byOperation of [false, true]) {
      const series = await ask({ byOperation });
      const points = series.flatMap((each) => each.points);
      expect(points.reduce((sum, { calls }) => sum + calls, 0)).toBe(served.length);
      expect(points.reduce((sum, { errors }) => sum + errors, 0)).toBe(served.filter((s) => s.hasError).length);
      expect(points.every(({ coveredMs, quantileUs }) => coveredMs === 60_000 && quantileUs === undefined)).toBe(true);
      expect(series.map(({ service, operation }) => [service, operation])).toEqual(
        [...new Set(served.map((s) => JSON.stringify([s.localName, byOperation ? s.operation : null])))]
          .sort()
          .map((key) => JSON.parse(key).map((x: string | null) => x ?? undefined)),
      );
    }
  });

  it('answer quantiles, and of everything at the last point of a window that looks back far enough', async () => {
    const [first] = await ask({ quantile: 1, stepMs: 900_000, ratePerMs: 900_000 });
    const durations = served
      .filter(({ localName }) => localName === first?.service)
      .map(({ durationUs }) => durationUs);
    const last = first?.points.at(-1);
    expect(last?.calls).toBe(durations.length);
    const largest = Math.max(...durations);
    expect(last?.quantileUs).toBeGreaterThan(largest * 0.97);
    expect(last?.quantileUs).toBeLessThan(largest * 1.03);
  });
});
