import { copyFile, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Histogram } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/pipeline/component.ts';
import { realFileSystem } from '../../src/pipeline/file-system.ts';
import { openSpool } from '../../src/pipeline/spool/open-spool.ts';
import type { Spool } from '../../src/pipeline/spool/spool.ts';
import { type StoreClient, StoreError, type StoreQuery } from '../../src/store/client.ts';
import { createSegmentSender } from '../../src/store/intake/segment-sender.ts';
import { runRollupPass } from '../../src/store/rollups/pass.ts';
import { migrate } from '../../src/store/schema/migrate.ts';
import { commonKeyValues } from '../../src/store/schema/migrations.ts';
import { realClock } from '../fixtures/fake-host.ts';
import { startTestStore, type TestStore } from '../fixtures/test-store.ts';
import { judgeSegment, rowsOfSegment, spoolSegment } from './insert-kill-segments.ts';

const unspoilt = { lost: 0, storedTwice: 0, altered: 0 };
const baseMs = Date.now() - 3_600_000;
const signal = () => AbortSignal.timeout(20_000);
const hastyClock: Clock = { ...realClock, sleep: (delayMs, stop) => realClock.sleep(Math.min(delayMs, 40), stop) };

let store: TestStore;
let directory: string;
let losses: string[];
beforeEach(async () => {
  store = await startTestStore();
  directory = await mkdtemp(join(tmpdir(), 'trawl-replay-'));
  losses = [];
}, 30_000);
afterEach(async () => {
  await store.stop();
  await rm(directory, { recursive: true, force: true });
});

const open = (): Promise<Spool> =>
  openSpool({
    directory: join(directory, 'spool'),
    fileSystem: realFileSystem,
    clock: realClock,
    log: pino({ level: 'silent' }),
    limits: { maxBytes: 1e9, segmentAgeMs: 600_000 },
    whenFull: 'refuse',
    writer: 7,
    keepsPositions: false,
    onLoss: ({ why }) => losses.push(why),
  });

/** One life of an agent, as far as the store is concerned: sends until `until` holds. */
async function sendUntil(spool: Spool, client: StoreClient, until: (failures: readonly string[]) => Promise<void>) {
  const failures: string[] = [];
  const stopping = new AbortController();
  const sender = createSegmentSender({
    spool,
    client,
    clock: hastyClock,
    log: pino({ level: 'silent' }),
    insertSeconds: new Histogram({ name: 'seconds', help: 'x', labelNames: ['table'], registers: [] }),
    onFailure: (why) => failures.push(why),
  });
  const running = sender.run(stopping.signal);
  try {
    await until(failures);
  } finally {
    stopping.abort(new Error('the test is over'));
    await running;
  }
}

const sendAll = (spool: Spool, client: StoreClient, number: number) =>
  sendUntil(spool, client, () => spool.released(number, signal()));

/** Sends segment 1, then puts its file back as often as told, as an agent leaves it that dies before it has let go of the segment. */
async function sendAndReplay(client: StoreClient, times: number, meanwhile = async () => {}): Promise<void> {
  let spool = await open();
  const number = await spoolSegment(spool, 1, baseMs);
  const files = await segmentFiles();
  const [file = ''] = files;
  await copyFile(join(directory, 'spool', file), join(directory, 'kept'));
  await sendAll(spool, client, number);
  await spool.close();
  for (let replay = 0; replay < times; replay++) {
    await meanwhile();
    await copyFile(join(directory, 'kept'), join(directory, 'spool', file));
    spool = await open();
    await sendAll(spool, client, number);
    await spool.close();
  }
}

const segmentFiles = async () => (await readdir(join(directory, 'spool'))).filter((name) => name.endsWith('.seg'));

async function rollUp(): Promise<number> {
  await runRollupPass(store.client, { nowMs: baseMs + 7_200_000, signal: signal(), redoAfterMs: 0, maxRanges: 1000 });
  const [row] = await store.client.rows<{ spans: string }>({
    sql: 'SELECT sum(requests) AS spans FROM rollup_operations WHERE (minute, pass) IN (SELECT minute, max(pass) FROM rollup_minutes GROUP BY minute)',
    signal: signal(),
  });
  return Number(row?.spans);
}

async function count(sql: string): Promise<number> {
  const [row] = await store.client.rows<{ n: string }>({ sql: `SELECT ${sql}`, signal: signal() });
  return Number(row?.n);
}

describe('a segment that is sent more than once', { timeout: 60_000 }, () => {
  it('counts once when it is replayed three times, and so do its roll-ups', async () => {
    await sendAndReplay(store.client, 3);
    expect(await judgeSegment(store.client, 1, baseMs)).toEqual(unspoilt);
    expect(await rollUp()).toBe(rowsOfSegment.spans);
    expect(losses).toEqual([]);
  });

  it('counts once when it is replayed after the tokens of its INSERTs were forgotten', async () => {
    const forgetful: StoreClient = {
      ...store.client,
      // As after 10,000 other INSERTs, or after a power cut that tore the engine's log of tokens.
      insert: (insert) =>
        store.client.insert({ ...insert, deduplicationToken: `${insert.deduplicationToken}${Math.random()}` }),
    };
    await sendAndReplay(forgetful, 3);
    expect(await judgeSegment(store.client, 1, baseMs)).toEqual(unspoilt);
    expect(await rollUp()).toBe(rowsOfSegment.spans);
  });

  it('counts once when it is replayed after a power cut tore the last line off the engine’s log of tokens', async () => {
    await sendAndReplay(store.client, 2, async () => {
      await store.kill9();
      for (const table of Object.keys(rowsOfSegment)) {
        const logs = join(store.directory, 'chdb', 'data', 'default', table, 'deduplication_logs');
        for (const name of await readdir(logs)) {
          const file = join(logs, name);
          const { size } = await stat(file);
          await truncate(file, Math.max(0, size - 10));
        }
      }
      await store.restart();
    });
    expect(await judgeSegment(store.client, 1, baseMs)).toEqual(unspoilt);
    expect(await rollUp()).toBe(rowsOfSegment.spans);
  });

  it('counts once when its INSERT is repeated while the first one is still at work', async () => {
    const begun: Promise<unknown>[] = [];
    const tables = new Set<string>();
    const impatient: StoreClient = {
      ...store.client,
      async insert(insert) {
        const table = /INTO (\w+)/.exec(insert.sql)?.[1] ?? '';
        if (tables.has(table)) return store.client.insert(insert);
        tables.add(table);
        begun.push(store.client.insert(insert));
        throw new StoreError('the connection was lost', { isRetryable: true });
      },
    };
    const spool = await open();
    const number = await spoolSegment(spool, 1, baseMs);
    await sendAll(spool, impatient, number);
    await Promise.all(begun);
    expect(tables.size).toBe(4);
    expect(await judgeSegment(store.client, 1, baseMs)).toEqual(unspoilt);
    await spool.close();
  });

  it('leaves series alone that a merge has replaced by those of a later day', async () => {
    const laterSegment = 2n ** 64n - 1n;
    const deletes: string[] = [];
    const watched: StoreClient = {
      ...store.client,
      command(query) {
        if (/series/.test(query.sql)) deletes.push(query.sql);
        return store.client.command(query);
      },
    };
    await sendAndReplay(watched, 2, async () => {
      await store.client.command({
        // A later segment's rows: of one series' rows the newest segment's number stays.
        sql: `INSERT INTO series SELECT metric, id, labels, measurement, field, first_day, last_day + 1, ${laterSegment} FROM series`,
        signal: signal(),
      });
      await store.client.command({ sql: 'OPTIMIZE TABLE series FINAL', signal: signal() });
    });
    expect(await judgeSegment(store.client, 1, baseMs)).toEqual(unspoilt);
    expect(deletes).toEqual([]);
    expect(await count(`count() AS n FROM series FINAL WHERE seg = ${laterSegment}`)).toBe(rowsOfSegment.series);
  });
});

describe('what the sender does to a store', { timeout: 60_000 }, () => {
  it('deletes half a segment from the spans, their text index and the projection of the roll-ups', async () => {
    const spool = await open();
    await sendAll(spool, store.client, await spoolSegment(spool, 1, baseMs));
    await sendAll(spool, store.client, await spoolSegment(spool, 2, baseMs));
    const [half] = await store.client.rows<{ seg: string; day: string }>({
      sql: 'SELECT toString(min(seg)) AS seg, toString(min(toDate(ts))) AS day FROM spans',
      signal: signal(),
    });
    await store.client.command({
      sql: `ALTER TABLE spans DELETE WHERE seg = ${half?.seg} AND toDate(ts) = '${half?.day}'`,
      signal: signal(),
      settings: { mutations_sync: 1 },
    });
    expect(await rollUp()).toBe(rowsOfSegment.spans * 1.5);
    const remove = {
      sql: `DELETE FROM spans WHERE seg = ${half?.seg}`,
      signal: signal(),
      settings: { lightweight_deletes_sync: 1 },
    };
    await store.client.command(remove);
    const withTag = `count() AS n FROM spans WHERE has(${commonKeyValues('tags')}, 'http.method=GET')`;
    const arrivals =
      'sum(n) AS n FROM (SELECT toStartOfMinute(ts) AS minute, count() AS n, sum(cityHash64(seg)) FROM spans GROUP BY minute)';
    for (const settle of [undefined, 'OPTIMIZE TABLE spans FINAL']) {
      if (settle !== undefined) await store.client.command({ sql: settle, signal: signal() });
      expect(await count(withTag)).toBe(rowsOfSegment.spans);
      expect(await count(`count() AS n FROM spans WHERE has(${commonKeyValues('tags')}, 'note=note 1001')`)).toBe(0);
      expect(await count(arrivals)).toBe(rowsOfSegment.spans);
      expect(await count('count() AS n FROM spans')).toBe(rowsOfSegment.spans);
    }
    expect(await rollUp()).toBe(rowsOfSegment.spans);
    expect(await judgeSegment(store.client, 2, baseMs)).toEqual(unspoilt);
    await spool.close();
  });

  it('neither counts rows that a DELETE which was cut short is still to remove, nor adds another DELETE to it', async () => {
    const startMerges = () => store.client.command({ sql: 'SYSTEM START MERGES spans', signal: signal() });
    const deletes: string[] = [];
    let looks = 0;
    const watched: StoreClient = {
      ...store.client,
      async rows<Row>(query: StoreQuery) {
        // The engine goes on with the first DELETE only after the sender has looked twice.
        if (query.sql.includes('system.mutations') && ++looks === 3) await startMerges();
        return store.client.rows<Row>(query);
      },
      command(query) {
        deletes.push(query.sql);
        return store.client.command(query);
      },
    };
    await sendAndReplay(watched, 1, async () => {
      const seg = await count('any(seg) AS n FROM spans');
      await store.client.command({ sql: 'SYSTEM STOP MERGES spans', signal: signal() });
      await store.client.command({
        sql: `DELETE FROM spans WHERE seg = ${seg}`,
        signal: signal(),
        settings: { lightweight_deletes_sync: 0 },
      });
      expect(await count('count() AS n FROM spans')).toBe(rowsOfSegment.spans);
    });
    await startMerges();
    while ((await count('count() AS n FROM system.mutations WHERE NOT is_done')) > 0)
      await realClock.sleep(20, signal());
    expect(await judgeSegment(store.client, 1, baseMs)).toEqual(unspoilt);
    expect(looks).toBeGreaterThanOrEqual(3);
    expect(deletes).toEqual([]);
  });

  it('keeps a segment while the tables are missing, and stores it once when they are made anew', async () => {
    const spool = await open();
    await sendAll(spool, store.client, await spoolSegment(spool, 1, baseMs));
    for (const table of ['spans', 'series', 'samples', 'logs', 'schema_migrations']) {
      await store.client.command({ sql: `DROP TABLE ${table}`, signal: signal() });
    }
    const number = await spoolSegment(spool, 2, baseMs);
    await sendUntil(spool, store.client, async (failures) => {
      while (failures.length < 3) await realClock.sleep(20, signal());
      await migrate(store.client, { signal: signal() });
      await spool.released(number, signal());
    });
    expect(await judgeSegment(store.client, 2, baseMs)).toEqual(unspoilt);
    expect(losses).toEqual([]);
    await spool.close();
  });
});
