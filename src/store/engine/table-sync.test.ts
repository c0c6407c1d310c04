import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineSession } from './engine.ts';
import { createTableSync } from './table-sync.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'trawl-sync-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** A session that knows where one table lies. */
function createSession(at: () => string): EngineSession {
  return {
    name: 'writer',
    run: async () => ({ bytes: Buffer.from(`${at()}\n`), rowsRead: 1, bytesRead: 1 }),
  };
}

describe('the sync after an INSERT', () => {
  it('follows a table that was dropped and made again, for the old directory is not the one that took the rows', async () => {
    let directory = join(home, 'first');
    await mkdir(join(directory, 'deduplication_logs'), { recursive: true });
    const session = createSession(() => directory);
    const syncTable = createTableSync();
    await syncTable('spans', session);
    await rm(directory, { recursive: true });
    directory = join(home, 'second');
    await mkdir(directory);
    await expect(syncTable('spans', session)).resolves.toBeUndefined();
  });

  it('fails when the directory cannot be synced, so that the INSERT is not taken for stored', async () => {
    const session = createSession(() => join(home, 'missing'));
    await expect(createTableSync()('spans', session)).rejects.toThrow(/ENOENT/);
  });
});
