import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { insertSpans, meets, randomPredicate, randomSearchTraces } from '../../../test/fixtures/search-spans.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { Span } from '../../model/span.ts';
import { StoreError } from '../client.ts';
import { defaultReadLimits } from './limits.ts';
import {
  createDeadline,
  findTraces,
  searchTraces,
  type TraceCandidate,
  type TraceSearch,
  tracesByIds,
} from './trace-search.ts';

const nowUs = 1_795_262_400_000_000;
const hourUs = 3_600_000_000;
const seed = Number(process.env['SEED'] ?? 41);
const random = createRandom(seed);
const traces = randomSearchTraces(random, 900, { endUs: nowUs, lengthUs: 12 * hourUs });
const signal = () => AbortSignal.timeout(10_000);
let store: TestStore;

beforeAll(async () => {
  store = await startTestStore();
  const spans = traces.flat();
  for (let at = 0; at < spans.length; at += 700)
    await insertSpans(store.client, spans.slice(at, at + 700), nowUs / 1000);
}, 60_000);

afterAll(() => store.stop());

async function find(search: TraceSearch): Promise<TraceCandidate[]> {
  const found: TraceCandidate[] = [];
  const deadline = createDeadline(defaultReadLimits);
  for await (const batch of findTraces(store.client, search, { nowUs, deadline, signal: signal() }))
    found.push(...batch);
  return found;
}

const timeOf = (span: Span) => span.startUs ?? 0;

/** What a search means: trace ids with the time of the newest span that counts. */
function expected({ fromUs, toUs, reachUs, someSpan }: TraceSearch): Map<string, number> {
  const found = new Map<string, number>();
  const isInside = (span: Span) => timeOf(span) >= fromUs && timeOf(span) <= toUs;
  for (const trace of traces) {
    const isNearEdge = (edgeUs: number) => trace.some((s) => isInside(s) && Math.abs(timeOf(s) - edgeUs) <= reachUs);
    const counting = trace.filter((span) => {
      const us = timeOf(span);
      if (us < fromUs) return us >= fromUs - reachUs && isNearEdge(fromUs);
      if (us > toUs) return us <= toUs + reachUs && isNearEdge(toUs);
      return true;
    });
    const meeting = counting.filter((s) => someSpan.length === 0 || someSpan.some((p) => p.every((c) => meets(s, c))));
    if (meeting.length > 0 && someSpan.every((p) => counting.some((s) => p.every((c) => meets(s, c))))) {
      found.set(trace[0]?.traceId ?? '', Math.max(...meeting.map(timeOf)));
    }
  }
  return found;
}

describe(`findTraces (seed ${seed})`, () => {
  it('finds what an evaluation of all spans finds, each trace once, and by one predicate in exact order', async () => {
    for (let round = 0; round < 60; round++) {
      const toUs = nowUs - (random() < 0.4 ? 0 : Math.floor(random() * 6 * hourUs));
      const search: TraceSearch = {
        toUs,
        fromUs: toUs - Math.floor(random() ** 3 * 12 * hourUs),
        reachUs: random() < 0.5 ? 0 : 60_000_000,
        someSpan: Array.from({ length: Math.floor(random() * 4) }, () => randomPredicate(random)),
      };
      const found = await find(search);
      const wanted = expected(search);
      const what = `round ${round}: ${JSON.stringify(search)}`;
      expect(found.map(({ traceId }) => traceId).sort(), what).toEqual([...wanted.keys()].sort());
      if (search.someSpan.length > 1) continue;
      expect(
        found.map(({ newestUs }) => newestUs),
        what,
      ).toEqual([...wanted.values()].sort((a, b) => b - a));
    }
  }, 60_000);
});
