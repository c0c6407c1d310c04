import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStore, type TestStore } from '../../../test/fixtures/test-store.ts';
import type { RetentionLimits } from './plan.ts';
import { createRetention } from './retention.ts';

const dayMs = 86_400_000;
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const clock = { nowMs: () => nowMs, monotonicMs: () => 0, sleep: () => new Promise<void>(() => {}) };
const log = pino({ level: 'silent' });
const week: RetentionLimits = { ageMs: { spans: 7 * dayMs, samples: 7 * dayMs, logs: 'forever' }, maxBytes: 'none' };
const soon = () => AbortSignal.timeout(20_000);

let store: TestStore;
beforeAll(async () => {
  store = await startTestStore();
}, 30_000);
afterAll(async () => {
  await store.stop();
});

const run = (sql: string) => store.client.command({ sql, signal: soon() });
const read = async (sql: string) => (await store.client.rows<{ x: string }>({ sql, signal: soon() })).map(({ x }) => x);
const retention = (limits: RetentionLimits) => createRetention({ client: store.client, clock, log, limits });

describe('retention', () => {
  it('drops old days with what was derived from them, and the series that have no samples left', async () => {
    for (const day of ['2026-11-10', '2026-11-20']) {
      await run(`INSERT INTO spans (ts, id) VALUES ('${day} 10:00:00', 1)`);
      await run(`INSERT INTO rollup_minutes (minute, pass) VALUES ('${day} 10:00:00', 1)`);
      await run(`INSERT INTO samples (metric, id, ts, m) VALUES ('up', 1, '${day} 10:00:00', 1)`);
      await run(`INSERT INTO series (metric, id, last_day) VALUES ('up', ${day === '2026-11-20' ? 1 : 2}, '${day}')`);
      await run(`INSERT INTO logs (ts, body) VALUES ('${day} 10:00:00', 'x')`);
    }
    const { drops } = await retention(week).sweep(soon());
    expect(drops.map(({ signal, day, rows }) => ({ signal, day, rows }))).toEqual(
      expect.arrayContaining([
        { signal: 'spans', day: '2026-11-10', rows: 1 },
        { signal: 'samples', day: '2026-11-10', rows: 1 },
      ]),
    );
    expect(drops).toHaveLength(2);
    expect(await read('SELECT toString(toDate(ts)) AS x FROM spans')).toEqual(['2026-11-20']);
    expect(await read('SELECT toString(toDate(minute)) AS x FROM rollup_minutes')).toEqual(['2026-11-20']);
    expect(await read('SELECT toString(id) AS x FROM series')).toEqual(['1']);
    expect(await read('SELECT toString(count()) AS x FROM logs')).toEqual(['2']);
    expect((await retention(week).sweep(soon())).drops).toEqual([]);
  }, 20_000);

  it('writes the age into the tables, and takes it out again for what is kept for ever', async () => {
    const ttl = `SELECT extract(engine_full, ' TTL (.*) SETTINGS') AS x FROM system.tables WHERE database = currentDatabase() AND name IN ('logs', 'spans') ORDER BY name`;
    await retention(week).sweep(soon());
    expect(await read(ttl)).toEqual(['', 'toDateTime(ts) + toIntervalSecond(604800)']);
    await retention({ ...week, ageMs: { spans: 'forever', samples: 'forever', logs: 3_600_000 } }).sweep(soon());
    expect(await read(ttl)).toEqual(['toDateTime(ts) + toIntervalSecond(3600)', '']);
  }, 20_000);

  it('drops the oldest day when the tables are above the cap, and takes nothing of that age any more', async () => {
    await run('TRUNCATE TABLE spans');
    await run(
      `INSERT INTO spans (ts, id, trace_id) SELECT '2026-11-19 10:00:00', number, reinterpretAsFixedString(generateUUIDv4()) FROM numbers(20000)`,
    );
    await run(`INSERT INTO spans (ts, id) VALUES ('2026-11-21 11:59:00', 1)`);
    const kept = retention({ ...week, maxBytes: 100_000 });
    expect(kept.oldestAllowedMs('spans')).toBe(nowMs - 7 * dayMs);
    const { drops } = await kept.sweep(soon());
    expect(drops.map(({ reason, signal, day }) => `${reason} ${signal} ${day}`)).toContain('bytes spans 2026-11-19');
    expect(await read('SELECT toString(toDate(ts)) AS x FROM spans')).toEqual(['2026-11-21']);
    expect(kept.oldestAllowedMs('spans')).toBe(Date.parse('2026-11-20'));
    expect(retention({ ...week, ageMs: { ...week.ageMs, spans: 'forever' } }).oldestAllowedMs('spans')).toBeUndefined();
  }, 20_000);
});
