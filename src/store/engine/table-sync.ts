/** The engine syncs a new part, but neither its renaming into the table's directory nor the deduplication log (reference/store.md, section 2). */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineSession } from './engine.ts';

/** Answers once what an INSERT into the table has left behind survives a power cut. */
export type SyncTable = (table: string, session: EngineSession) => Promise<void>;

/** Asks the engine where a table lies and syncs its directory and its deduplication log. */
export function createTableSync(): SyncTable {
  // Asked each time: a table that was dropped and made again lies elsewhere, and its old directory stays for minutes.
  async function find(table: string, session: EngineSession): Promise<readonly string[]> {
    const { bytes } = await session.run({
      sql: "SELECT arrayJoin(data_paths) FROM system.tables WHERE database = 'default' AND name = {table:String}",
      format: 'TSVRaw',
      parameters: new Map([['table', table]]),
    });
    return Buffer.from(bytes)
      .toString()
      .split('\n')
      .filter((line) => line !== '');
  }

  return async (table, session) => {
    for (const directory of await find(table, session)) {
      await syncDeduplicationLog(join(directory, 'deduplication_logs'));
      await sync(directory);
    }
  };
}

async function syncDeduplicationLog(directory: string): Promise<void> {
  let names: readonly string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  // The engine appends to the last one; older ones were synced when they were the last.
  const [last] = [...names].sort((a, b) => numberIn(b) - numberIn(a));
  if (last !== undefined) await sync(join(directory, last));
  await sync(directory);
}

function numberIn(name: string): number {
  return Number(/_(\d+)\.txt$/.exec(name)?.[1] ?? 0);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
