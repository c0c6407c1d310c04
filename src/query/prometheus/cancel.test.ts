/** That a PromQL query which nobody waits for any more ends in the engine, too: with a real store, whose four places for readers are all taken. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { SampleSource } from '../promql/engine.ts';
import { createPrometheusApi } from './index.ts';

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
}, 60_000);
afterAll(() => store.stop());

/** Reads that take an hour. */
const slow: SampleSource = {
  async select(_selection, signal) {
    const sql = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 42';
    const settings = { max_rows_to_read: 0, max_threads: 1 };
    await store.client.rows({ sql, settings, signal, timeoutMs: 3_600_000 });
    return [];
  },
};

const atWork = async (): Promise<number> => {
  const rows = await store.client.rows<{ count: number }>({
    sql: "SELECT toUInt32(count()) AS count FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers%'",
    signal: AbortSignal.timeout(20_000),
  });
  return rows[0]?.count ?? 0;
};

/** Resolves once so many of the slow queries are at work. */
async function until(count: number): Promise<void> {
  while ((await atWork()) !== count) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('a query that is given up', () => {
  it.each<[string, Record<string, string>, number]>([
    ['its client leaves', {}, 499],
    ['its time is over', { timeout: '1500ms' }, 503],
  ])('ends in the engine where %s', async (_why, more, expected) => {
    const api = createPrometheusApi({ samples: slow, now: Date.now });
    const leaving = new AbortController();
    const parameters: Record<string, string> = { query: 'up', ...more };
    const asked = Array.from({ length: 3 }, () => api.query((name) => parameters[name] ?? '', leaving.signal));
    await until(3);
    if (expected === 499) leaving.abort(new Error('the client left'));
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([expected, expected, expected]);
    await until(0);
  });
});
