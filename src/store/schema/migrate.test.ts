import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestStore } from '../../../test/fixtures/test-store.ts';
import { startTestStore } from '../../../test/fixtures/test-store.ts';
import type { StoreClient } from '../client.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations.ts';

const steps = [
  { version: 1, name: 'first', statements: ['CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = MergeTree ORDER BY x'] },
  {
    version: 2,
    name: 'second',
    statements: [
      'CREATE TABLE IF NOT EXISTS b (x UInt8) ENGINE = MergeTree ORDER BY x',
      'ALTER TABLE a ADD COLUMN IF NOT EXISTS y UInt8',
    ],
  },
];

describe('migrations', () => {
  let store: TestStore;
  const signal = () => AbortSignal.timeout(10_000);
  beforeAll(async () => {
    store = await startTestStore({ withoutSchema: true });
  });
  afterAll(() => store.stop());

  const recorded = () =>
    store.client.rows({ sql: 'SELECT version, name FROM schema_migrations ORDER BY version', signal: signal() });

  it('run once each, in order, also when one was cut short in its middle', async () => {
    expect(await migrate(store.client, { signal: signal(), steps: steps.slice(0, 1) })).toEqual([1]);
    let commands = 0;
    const cutShort: StoreClient = {
      ...store.client,
      command: (query) => {
        commands += 1;
        // The table of migrations and the step's first statement go through.
        return commands <= 2 ? store.client.command(query) : Promise.reject(new Error('the process was killed'));
      },
    };
    await expect(migrate(cutShort, { signal: signal(), steps })).rejects.toThrow('killed');
    expect(await recorded()).toEqual([{ version: 1, name: 'first' }]);
    await store.kill9();
    await store.restart();
    expect(await migrate(store.client, { signal: signal(), steps })).toEqual([2]);
    expect(await migrate(store.client, { signal: signal(), steps })).toEqual([]);
    expect(await recorded()).toEqual([
      { version: 1, name: 'first' },
      { version: 2, name: 'second' },
    ]);
  });

  it('refuse a store that a newer program has written, in one sentence', async () => {
    await expect(migrate(store.client, { signal: signal(), steps: steps.slice(0, 1) })).rejects.toThrow(
      'The store is at schema version 2 and this program knows versions up to 1: run the program that wrote it, or a newer one.',
    );
  });

  it('that are shipped have rising versions', () => {
    const versions = migrations.map((step) => step.version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  });
});
