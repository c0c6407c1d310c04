import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import {
  expectedCalls,
  insertTestSpans,
  randomTrace,
  strangeTrace,
  type TestSpan,
} from '../../../test/fixtures/random-traces.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { StoreClient } from '../client.ts';
import { countEdges } from './edges.ts';
import type { MinuteRange } from './minutes.ts';

const start = 1_795_000_020;
const range = { from: start, to: start + 900 };

/** Spans are counted one by one where they are few and in SQL where they are many: tests say which. */
const fewSpans = 1;
const manySpans = 999_999;
const ways = [
  { how: 'one by one', spans: fewSpans },
  { how: 'in SQL', spans: manySpans },
] as const;

/** A call below more spans without a kind in a row than SQL passes over. */
const deepTrace: typeof randomTrace = (random, startUs, size) => {
  const [span] = randomTrace(random, startUs, 1);
  if (span === undefined) throw new Error('no span');
  const idOf = (i: number) => `00000000000000${(i + 16).toString(16).toUpperCase()}`;
  return Array.from({ length: size }, (_, i) => {
    const isEnd = i === 0 || i === size - 1;
    return {
      ...span,
      id: idOf(i),
      parentId: i === 0 ? undefined : idOf(i - 1),
      kind: isEnd ? 'SERVER' : undefined,
      shared: false,
      localService: isEnd ? `deep-${i}` : '',
      localName: isEnd ? `deep-${i}` : '',
      remoteService: '',
      hasNoStart: false,
    };
  });
};

const kinds = [
  { what: 'short traces', traces: 600, size: 0, make: randomTrace },
  { what: 'traces of spans that few ids are among', traces: 600, size: 0, make: strangeTrace },
  { what: 'deep traces', traces: 2, size: 40, make: deepTrace },
  { what: 'traces around the length at which they are linked one by one', traces: 16, size: 64, make: randomTrace },
  { what: 'long traces', traces: 4, size: 300, make: randomTrace },
];

async function edgesOf(client: StoreClient, parts: readonly (MinuteRange & { readonly spans: number })[]) {
  const edges = new Map<string, { requests: number; errors: number; taggedErrors: number }>();
  for (const { spans, ...part } of parts) {
    for (const edge of await countEdges(client, { range: part, spans, signal: AbortSignal.timeout(20_000) })) {
      const key = `${edge.rule === 1 ? 'jaeger ' : ''}${edge.traceMinute} ${edge.caller} ${edge.callee}`;
      const sum = edges.get(key) ?? { requests: 0, errors: 0, taggedErrors: 0 };
      sum.requests += edge.requests;
      sum.errors += edge.errors;
      sum.taggedErrors += edge.taggedErrors;
      edges.set(key, sum);
      if (edge.rule === 0) {
        expect(
          [...edge.durations.values()].reduce((a, b) => a + b, 0),
          'durations',
        ).toBe(edge.requests);
      }
    }
  }
  return new Map([...edges].filter(([, { requests }]) => requests !== 0));
}

const sorted = (edges: ReadonlyMap<string, unknown>) => [...edges].sort(([a], [b]) => (a < b ? -1 : 1));

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
}, 30_000);
afterAll(async () => {
  await store.stop();
});

async function replaceSpans(spans: readonly TestSpan[], seg = 1) {
  await store.client.command({ sql: 'TRUNCATE TABLE spans', signal: AbortSignal.timeout(10_000) });
  await insertTestSpans(store.client, spans, seg);
}

describe('edges', () => {
  // All kinds of traces at once: the engine takes a second or more to understand the query, and none to answer it.
  it('are those of the linker over whole traces, however they are counted and cut', async () => {
    const seed = 1;
    const random = createRandom(seed);
    const spans: TestSpan[] = [];
    for (const { traces, size, make } of kinds) {
      for (let i = 0; i < traces; i++) {
        const startUs = (start + 300) * 1e6 + Math.floor(random() * 180e6);
        spans.push(...make(random, startUs, size || 1 + Math.floor(random() * 10)));
      }
    }
    await replaceSpans(spans);
    const expected = sorted(expectedCalls(spans));
    const minutes = Array.from({ length: 15 }, (_, i) => ({ from: start + i * 60, to: start + i * 60 + 60 }));
    const cut = start + 6 * 60;
    for (const { how, parts } of [
      { how: 'one by one', parts: [{ ...range, spans: fewSpans }] },
      { how: 'minute by minute', parts: minutes.map((minute) => ({ ...minute, spans: fewSpans })) },
      {
        how: 'in SQL, some minutes at once and the others in two parts',
        parts: [
          { from: range.from, to: cut, spans: manySpans },
          { from: cut, to: range.to, spans: 2 * manySpans },
        ],
      },
    ]) {
      expect(sorted(await edgesOf(store.client, parts)), `seed ${seed}, ${how}`).toEqual(expected);
    }
  }, 60_000);

  it.each(ways)('join the halves of a call that came in different segments, $how', async ({ spans }) => {
    const call = randomTrace(createRandom(1), (start + 60) * 1e6, 1)[0];
    if (call === undefined) throw new Error('no span');
    const client: TestSpan = {
      ...call,
      kind: 'CLIENT',
      shared: false,
      parentId: undefined,
      localService: 'productpage',
      localName: 'ProductPage',
      remoteService: '',
      hasError: true,
      hasErrorTag: false,
      hasNoStart: false,
    };
    const server: TestSpan = {
      ...client,
      kind: 'SERVER',
      id: '00000000000000AA',
      parentId: client.id,
      localService: 'reviews',
      localName: 'reviews',
      hasError: false,
    };
    await replaceSpans([server], 1);
    await insertTestSpans(store.client, [client], (7 << 16) + 1);
    expect(sorted(await edgesOf(store.client, [{ ...range, spans }]))).toEqual([
      [`${start + 60} productpage reviews`, { requests: 1, errors: 1, taggedErrors: 0 }],
      [`jaeger ${start + 60} ProductPage reviews`, { requests: 1, errors: 0, taggedErrors: 0 }],
    ]);
  });

  it('count a call once where everything was sent twice, of more traces than are linked one by one', async () => {
    const traces = 2_100;
    await replaceSpans([]);
    // A client and its server in each trace, and each of them twice.
    await store.client.command({
      sql: `INSERT INTO spans (trace_id, id, parent_id, ts, kind, local_service, seg)
        SELECT concat(toFixedString('', 8), reinterpretAsFixedString(number + 1)), half, half - 1, ${start + 60}, half, ['web', 'app'][half], 1
        FROM numbers(${traces}) ARRAY JOIN [1, 2, 1, 2] AS half SETTINGS insert_deduplication_token = 'twice'`,
      signal: AbortSignal.timeout(10_000),
    });
    expect(sorted(await edgesOf(store.client, [{ ...range, spans: manySpans }]))).toEqual([
      [`${start + 60} web app`, { requests: traces, errors: 0, taggedErrors: 0 }],
      [`jaeger ${start + 60} web app`, { requests: traces, errors: 0, taggedErrors: 0 }],
    ]);
  });
});
