/** Brings a store's tables to the version this program knows. Steps run once and in order; one that was cut short is run again. */
import type { StoreClient } from '../client.ts';
import type { Migration } from './migrations.ts';
import { migrations } from './migrations.ts';

export interface MigrateOptions {
  readonly signal: AbortSignal;
  /** Other steps than the shipped ones, for tests. */
  readonly steps?: readonly Migration[];
}

/** Runs what the store lacks and answers with the versions it ran; refuses a store that a newer program has written. */
export async function migrate(
  client: StoreClient,
  { signal, steps = migrations }: MigrateOptions,
): Promise<readonly number[]> {
  await client.command({
    sql: `CREATE TABLE IF NOT EXISTS schema_migrations (
  version UInt32,
  name String,
  at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = MergeTree
ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
    signal,
  });
  const done = await client.rows<{ version: number }>({
    sql: 'SELECT DISTINCT version FROM schema_migrations ORDER BY version',
    signal,
  });
  const known = Math.max(0, ...steps.map((step) => step.version));
  const newest = Math.max(0, ...done.map((row) => row.version));
  if (newest > known) {
    throw new Error(
      `The store is at schema version ${newest} and this program knows versions up to ${known}: run the program that wrote it, or a newer one.`,
    );
  }
  const versions = new Set(done.map((row) => row.version));
  const missing = steps.filter((step) => !versions.has(step.version)).sort((a, b) => a.version - b.version);
  for (const step of missing) await run(client, step, signal);
  return missing.map((step) => step.version);
}

async function run(client: StoreClient, step: Migration, signal: AbortSignal): Promise<void> {
  for (const sql of step.statements) await client.command({ sql, signal, timeoutMs: 60_000 });
  // Written last: a step without this row is run again, and its statements can be.
  await client.command({
    sql: 'INSERT INTO schema_migrations (version, name) SELECT {version:UInt32}, {name:String}',
    parameters: { version: step.version, name: step.name },
    signal,
  });
}
