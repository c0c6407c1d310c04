import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../test/fixtures/random.ts';
import { expectedEdges, insertTestSpans, randomTrace, type TestSpan } from '../../../test/fixtures/random-traces.ts';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { StoreClient } from '../client.ts';
import { edgeSettings, edgeSql } from './edge-sql.ts';
import { linkLongTraces } from './long-traces.ts';

const start = 1_795_000_020;
const range = { from: start, to: start + 900 };

interface Counts {
  readonly minute: number;
  readonly caller: string;
  readonly callee: string;
  readonly requests: number | string;
  readonly errors: number | string;
}

async function countEdges(client: StoreClient, shards = 1) {
  const signal = AbortSignal.timeout(20_000);
  const rows: Counts[] = [...(await linkLongTraces(client, { range, signal }))];
  for (let shard = 0; shard < shards; shard++) {
    const parameters = { ...range, shards, shard };
    rows.push(...(await client.rows<Counts>({ sql: edgeSql, parameters, settings: edgeSettings, signal })));
  }
  const edges = new Map<string, { requests: number; errors: number }>();
  for (const { minute, caller, callee, requests, errors } of rows) {
    const key = `${minute} ${caller} ${callee}`;
    const edge = edges.get(key) ?? { requests: 0, errors: 0 };
    edges.set(key, { requests: edge.requests + Number(requests), errors: edge.errors + Number(errors) });
  }
  return edges;
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

describe('edges in SQL', () => {
  it.each([
    { what: 'short traces', seeds: 6, traces: 250, size: 0 },
    { what: 'traces around the length at which they are linked one by one', seeds: 3, traces: 8, size: 64 },
    { what: 'long traces', seeds: 2, traces: 3, size: 300 },
  ])(
    'are those of the linker for $what',
    async ({ seeds, traces, size }) => {
      for (let seed = 1; seed <= seeds; seed++) {
        const random = createRandom(seed);
        const spans: TestSpan[] = [];
        for (let i = 0; i < traces; i++) {
          const startUs = (start + 300) * 1e6 + Math.floor(random() * 180e6);
          spans.push(...randomTrace(random, startUs, size || 1 + Math.floor(random() * 10)));
        }
        await replaceSpans(spans);
        expect(sorted(await countEdges(store.client, 1 + (seed % 3))), `seed ${seed}`).toEqual(
          sorted(expectedEdges(spans)),
        );
      }
    },
    30_000,
  );

  it('join the halves of a call that came in different segments', async () => {
    const call = randomTrace(createRandom(1), (start + 60) * 1e6, 1)[0];
    if (call === undefined) throw new Error('no span');
    const client: TestSpan = {
      ...call,
      kind: 'CLIENT',
      shared: false,
      parentId: undefined,
      localService: 'productpage',
      remoteService: '',
    };
    const server: TestSpan = {
      ...call,
      kind: 'SERVER',
      id: '00000000000000AA',
      shared: false,
      parentId: client.id,
      localService: 'reviews',
      remoteService: '',
      hasError: false,
    };
    await replaceSpans([server], 1);
    await insertTestSpans(store.client, [client], (7 << 16) + 1);
    const errors = client.hasError ? 1 : 0;
    expect([...(await countEdges(store.client))]).toEqual([
      [`${start + 60} productpage reviews`, { requests: 1, errors }],
    ]);
  });
});
