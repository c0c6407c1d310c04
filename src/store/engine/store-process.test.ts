import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestStore } from '../../../test/fixtures/test-store.ts';
import { startTestStore } from '../../../test/fixtures/test-store.ts';

describe('the store process', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startTestStore();
  });
  afterAll(() => store.stop());
  const signal = () => AbortSignal.timeout(10_000);

  it('answers a query with parameters', async () => {
    const rows = await store.client.rows({
      sql: 'SELECT {text:String} AS text, {count:UInt64} AS count',
      parameters: { text: `it's "a\\b"\t\n\0 ünïcode 😀`, count: 18446744073709551615n },
      signal: signal(),
    });
    expect(rows).toEqual([{ text: `it's "a\\b"\t\n\0 ünïcode 😀`, count: '18446744073709551615' }]);
  });

  it('has the tables of the schema', async () => {
    const rows = await store.client.rows<{ name: string }>({ sql: 'SHOW TABLES', signal: signal() });
    expect(rows.map((row) => row.name)).toEqual(expect.arrayContaining(['logs', 'samples', 'series', 'spans']));
  });
});
