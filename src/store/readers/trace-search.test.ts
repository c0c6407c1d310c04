import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { insertSpans, meets, randomPredicate, randomSearchTraces } from '../../../test/fixtures/search-spans.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { Span } from '../../model/span.ts';
import { type StoreClient, StoreError } from '../client.ts';
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
const rounds = Number(process.env['ROUNDS'] ?? 25);
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

async function find(search: TraceSearch, { laterUs = 0 } = {}): Promise<TraceCandidate[]> {
  const found: TraceCandidate[] = [];
  const options = {
    nowUs: nowUs + laterUs,
    deadline: createDeadline(defaultReadLimits),
    signal: signal(),
    stepSpans: 300,
  };
  for await (const batch of findTraces(store.client, search, options)) found.push(...batch);
  return found;
}

const timeOf = (span: Span) => span.startUs ?? 0;

/** What a search means: trace ids with the time of the newest span that counts. */
function expected({ fromUs, toUs, reachUs, someSpan }: TraceSearch, laterUs: number): Map<string, number> {
  const found = new Map<string, number>();
  const isInside = (span: Span) => timeOf(span) >= fromUs && timeOf(span) <= toUs;
  for (const trace of traces) {
    const isNearEdge = (edgeUs: number) => trace.some((s) => isInside(s) && Math.abs(timeOf(s) - edgeUs) <= reachUs);
    const counting = trace.filter((span) => {
      const us = timeOf(span);
      if (us < fromUs) return us >= fromUs - reachUs && isNearEdge(fromUs);
      if (us > toUs) return us <= toUs + reachUs && (toUs >= nowUs + laterUs - reachUs || isNearEdge(toUs));
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
    for (let round = 0; round < rounds; round++) {
      const toUs = nowUs - (random() < 0.4 ? 0 : Math.floor(random() * 6 * hourUs));
      const search: TraceSearch = {
        toUs,
        fromUs: toUs - Math.floor(random() ** 3 * 12 * hourUs),
        reachUs: random() < 0.5 ? 0 : 60_000_000,
        someSpan: Array.from({ length: Math.floor(random() * 4) }, () => randomPredicate(random)),
      };
      // Of spans that are older than a day it is not known in which minutes they are.
      const laterUs = random() < 0.6 ? 0 : Math.floor(random() * 30 * hourUs);
      const found = await find(search, { laterUs });
      const wanted = expected(search, laterUs);
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

describe('a search in vain', () => {
  const tag = (key: string, value: string) => ({ kind: 'attribute', key, value, of: ['span', 'resource'] }) as const;
  const service = (text: string) => ({ kind: 'localService', text, isFolded: true }) as const;
  it.each<[string, TraceSearch['someSpan']]>([
    ['a tag', [[tag('http.method', 'NONE')]]],
    ['a tag of unique values', [[tag('http.url', '/nowhere')], [{ kind: 'duration', minUs: 1, maxUs: undefined }]]],
    ['a service', [[service('nobody')]]],
    ['a name', [[service(''), { kind: 'name', text: 'nothing', isFolded: false }]]],
    ['a duration', [[{ kind: 'duration', minUs: 2 ** 50, maxUs: undefined }]]],
  ])('ends with the newest spans where nobody has such %s', async (_, someSpan) => {
    const asked: string[] = [];
    const client: StoreClient = {
      ...store.client,
      bytes(query) {
        asked.push(query.sql);
        return store.client.bytes(query);
      },
    };
    const search = { fromUs: nowUs - 12 * hourUs, toUs: nowUs, reachUs: 0, someSpan };
    const deadline = createDeadline(defaultReadLimits);
    for await (const found of findTraces(client, search, { nowUs, deadline, signal: signal(), stepSpans: 300 })) {
      expect(found).toEqual([]);
    }
    expect(asked.filter((sql) => !/count\(\)/.test(sql.slice(0, 60)))).toHaveLength(2);
  });
});

const endpoint = (serviceName: string) => ({ serviceName, ipv4: undefined, ipv6: undefined, port: undefined });

/** A trace of so many spans of a service of its own. */
function traceOf(service: string, size: number, startUs: number): Span[] {
  const [first] = traces[0] ?? [];
  if (first === undefined) throw new Error('there are no traces');
  const traceId = `${'0'.repeat(16)}${startUs.toString(16).padStart(16, '0')}`;
  return Array.from({ length: size }, (_, i) => ({
    ...first,
    traceId,
    id: (i + 1).toString(16).padStart(16, '0'),
    startUs: startUs + i,
    localEndpoint: endpoint(service),
  }));
}

describe('searchTraces', () => {
  const hour = { fromUs: nowUs - hourUs, toUs: nowUs, reachUs: 0 };
  const ofService = (text: string): TraceSearch => ({
    ...hour,
    someSpan: [[{ kind: 'localService', text, isFolded: false }]],
  });
  const search = async (
    asked: TraceSearch,
    options: { limit: number; maxSpans?: number; timeoutMs?: number; take?: () => boolean },
  ) => {
    const taken: (readonly Span[])[] = [];
    const { timeoutMs = 10_000, take = () => true, ...rest } = options;
    const limits = { ...defaultReadLimits, timeoutMs };
    const { incomplete } = await searchTraces(store.client, asked, {
      ...rest,
      limits,
      nowUs,
      signal: signal(),
      take(trace) {
        const isTaken = take();
        if (isTaken) taken.push(trace);
        return isTaken;
      },
    });
    return { taken, incomplete };
  };

  it('goes on to older traces until enough were taken', async () => {
    const spans = Array.from({ length: 30 }, (_, i) => traceOf('patient', 2, nowUs - 60_000_000 * (i + 1))).flat();
    await insertSpans(store.client, spans, nowUs / 1000);
    const { taken, incomplete } = await search(ofService('patient'), { limit: 5 });
    expect(taken.map((trace) => trace.map(({ startUs }) => (nowUs - (startUs ?? 0)) / 60_000_000))).toEqual(
      [1, 2, 3, 4, 5].map((i) => [i, i - 1e-6 / 60]).map(([a = 0, b = 0]) => [a, expect.closeTo(b, 6)]),
    );
    expect(incomplete).toBeUndefined();
    let asked = 0;
    const late = await search(ofService('patient'), { limit: 2, take: () => ++asked > 25 });
    expect(late.taken.map(([span]) => (nowUs - (span?.startUs ?? 0)) / 60_000_000)).toEqual([26, 27]);
  });

  it('waits for who looks at a trace, and lets others have their turn between large ones', async () => {
    const spans = Array.from({ length: 4 }, (_, i) => traceOf('slow', 2500, nowUs - 60_000_000 * (i + 1))).flat();
    await insertSpans(store.client, spans, nowUs / 1000);
    const events: string[] = [];
    const asked = ofService('slow');
    const limits = { ...defaultReadLimits, timeoutMs: 10_000 };
    await searchTraces(store.client, asked, {
      limits,
      limit: 2,
      nowUs,
      signal: signal(),
      async take(trace) {
        events.push(trace.length > 2000 ? 'asked' : 'small');
        setImmediate(() => events.push('other'));
        await Promise.resolve();
        events.push('told');
        return events.filter((event) => event === 'told').length > 1;
      },
    });
    expect(events.slice(0, 9)).toEqual(Array.from({ length: 3 }, () => ['asked', 'told', 'other']).flat());
  });

  it('does not take the arrival of a span without a start for the time of its trace', async () => {
    const uploaded = [3, 2, 1].map((minutes) => traceOf('uploaded', 2, nowUs - 60_000_000 * minutes - 7));
    const [oldest] = uploaded[0] ?? [];
    if (oldest === undefined) throw new Error('there are no spans');
    const arrivedNow = { ...oldest, id: '00000000000000ff', startUs: undefined };
    await insertSpans(store.client, [...uploaded.flat(), arrivedNow], nowUs / 1000);
    const { taken } = await search(ofService('uploaded'), { limit: 2 });
    expect(taken.map((trace) => trace[0]?.traceId)).toEqual([uploaded[2]?.[0]?.traceId, uploaded[1]?.[0]?.traceId]);
    const untimed = await search(ofService('uploaded'), { limit: 3 });
    expect(untimed.taken.map((trace) => trace.length)).toEqual([2, 2, 3]);
  });

  it('reads large traces by themselves, and says when there is no room for all', async () => {
    const spans = [
      traceOf('large', 300, nowUs - 1_000_000),
      traceOf('large', 900, nowUs - 2_000_000),
      traceOf('large', 200, nowUs - 3_000_000),
    ];
    await insertSpans(store.client, spans.flat(), nowUs / 1000);
    const sizes = async (maxSpans: number) => {
      const { taken, incomplete } = await search(ofService('large'), { limit: 10, maxSpans });
      return { sizes: taken.map((trace) => trace.length), incomplete };
    };
    expect(await sizes(1400)).toEqual({ sizes: [300, 900, 200], incomplete: undefined });
    expect(await sizes(700)).toEqual({ sizes: [300], incomplete: expect.stringContaining('more than 700 spans') });
    expect(await sizes(250)).toEqual({
      sizes: [200],
      incomplete: expect.stringContaining('too large to be among others'),
    });
  });

  it('ends when its time is over, and throws when nothing was found by then', async () => {
    const ended = search({ ...hour, someSpan: [] }, { limit: 10, timeoutMs: 0 });
    await expect(ended).rejects.toMatchObject({ name: 'StoreError', code: 159 });
    await expect(ended).rejects.toBeInstanceOf(StoreError);
  });
});

describe('tracesByIds', () => {
  it('gives whole traces in the order of the ids, without those that are not known', async () => {
    const [a = [], b = []] = [traces[3], traces[11]];
    const ids = [b[0]?.traceId ?? '', 'f'.repeat(32), a[0]?.traceId ?? ''];
    const read = await tracesByIds(store.client, ids, { signal: signal() });
    expect(read.map((trace) => trace.map(({ id }) => id).sort())).toEqual(
      [b, a].map((t) => t.map(({ id }) => id).sort()),
    );
    expect(await tracesByIds(store.client, [], { signal: signal() })).toEqual([]);
  });

  it('takes nothing but ids, and not too many', async () => {
    await expect(tracesByIds(store.client, ["x') OR (1"], { signal: signal() })).rejects.toThrow('32 lower-case hex');
    const many = Array.from({ length: 501 }, () => 'a'.repeat(32));
    await expect(tracesByIds(store.client, many, { signal: signal() })).rejects.toThrow('at most 500');
    const ids = traces.slice(0, 5).map(([span]) => span?.traceId ?? '');
    await expect(tracesByIds(store.client, ids, { signal: signal(), maxSpans: 2 })).rejects.toThrow(
      'more than 2 spans',
    );
  });
});
