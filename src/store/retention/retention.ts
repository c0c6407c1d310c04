/** Keeps the store within its limits of age and size, and says how old something may be to be taken. */

import type { Logger } from 'pino';
import type { Signal } from '../../model/batch.ts';
import { within } from '../../model/deadline.ts';
import type { StoreClient } from '../client.ts';
import { type Horizons, horizonsOf, oldestOf } from './horizon.ts';
import { type Drop, planDrops, type RetentionLimits, type StoredPart, tablesOf } from './plan.ts';

/** Time as the agent hands it in. */
export interface RetentionClock {
  nowMs(): number;
  monotonicMs(): number;
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

export interface RetentionOptions {
  readonly client: StoreClient;
  readonly clock: RetentionClock;
  readonly log: Logger;
  readonly limits: RetentionLimits;
  /** Before the first sweep; at once unless told. */
  readonly firstAfterMs?: number;
  /** Between two sweeps; a minute unless told. */
  readonly intervalMs?: number;
  /** Told of everything that was dropped, for metrics. */
  readonly dropped?: (drop: Drop) => void;
  /** Told of each sweep that failed; it is repeated after the interval. */
  readonly failed?: (error: Error) => void;
}

/** What a sweep did. */
export interface Sweep {
  readonly drops: readonly Drop[];
  /** Bytes above the cap that are too young to go. */
  readonly excessBytes: number;
}

export interface Retention {
  /** Begins with a sweep, after `firstAfterMs`. */
  start(): void;
  stop(): Promise<void>;
  /** One sweep, now. */
  sweep(signal: AbortSignal): Promise<Sweep>;
  /** What is kept now: for this process and all others that write to the store. */
  horizons(): Horizons;
  /** Rows older than this must not be taken, for they would be dropped after their sender was told that they are kept; undefined for any age. */
  oldestAllowedMs(signal: Signal): number | undefined;
}

const dayMs = 86_400_000;
const sweepDeadlineMs = 300_000;
const signals: readonly Signal[] = ['spans', 'samples', 'logs'];
const timeColumns: Readonly<Record<string, string>> = { spans: 'ts', samples: 'ts', exemplars: 'ts', logs: 'ts' };

/** Makes a retention; `start` begins its sweeps. */
export function createRetention(options: RetentionOptions): Retention {
  const { client, clock, log, limits, firstAfterMs = 0, intervalMs = 60_000, dropped, failed } = options;
  const stopping = new AbortController();
  /** Days that the byte cap took: up to there nothing is taken in any more. */
  const cutMs = new Map<Signal, number>();
  let loop: Promise<void> | undefined;
  let hasTtl = false;

  const sweep = async (signal: AbortSignal): Promise<Sweep> => {
    if (!hasTtl) {
      await applyTtl(client, limits, signal);
      hasTtl = true;
    }
    const parts = await listParts(client, signal);
    const { drops, excessBytes } = planDrops(parts, limits, clock.nowMs());
    for (const drop of drops) {
      if (drop.reason === 'bytes' && drop.part === undefined) {
        cutMs.set(drop.signal, Math.max(cutMs.get(drop.signal) ?? 0, Date.parse(drop.day) + dayMs));
      }
      await makeDrop(client, drop, signal);
      log.info({ ...drop }, `dropped ${drop.signal} of ${drop.day}: ${reasons[drop.reason]}`);
      dropped?.(drop);
    }
    if (excessBytes > 0) {
      log.warn(
        { excessBytes },
        'the store is above store.max_bytes with what is younger than an hour; raise it or send less',
      );
    }
    await dropSeries(client, { parts, drops, limits, nowMs: clock.nowMs(), signal });
    return { drops, excessBytes };
  };

  const run = async () => {
    if (firstAfterMs > 0) await clock.sleep(firstAfterMs, stopping.signal).catch(ignoreAbort);
    while (!stopping.signal.aborted) {
      try {
        await within(stopping.signal, sweepDeadlineMs, sweep);
      } catch (error) {
        if (stopping.signal.aborted) return;
        const cause = error instanceof Error ? error : new Error(String(error));
        log.warn({ err: cause }, 'what is too old or too much could not be dropped; it is tried again in a minute');
        failed?.(cause);
      }
      await clock.sleep(intervalMs, stopping.signal).catch(ignoreAbort);
    }
  };

  const horizons = () => horizonsOf((signal) => ({ ageMs: limits.ageMs[signal], cutMs: cutMs.get(signal) ?? 0 }));

  return {
    start() {
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
    sweep,
    horizons,
    oldestAllowedMs: (signal) => oldestOf(horizons()[signal], clock.nowMs()),
  };
}

/** The loop's condition sees the abort that ended the sleep. */
function ignoreAbort(): void {}

const reasons = { age: 'older than store.retention', bytes: 'above store.max_bytes' } as const;

async function listParts(client: StoreClient, signal: AbortSignal): Promise<readonly StoredPart[]> {
  const rows = await client.rows<{
    table: string;
    name: string;
    day: string;
    rows: string;
    bytes: string;
    newest: number;
  }>({
    sql: `SELECT table, name, partition AS day, toString(rows) AS rows, toString(bytes_on_disk) AS bytes, toUnixTimestamp(max_time) AS newest
      FROM system.parts WHERE active AND database = currentDatabase() AND match(partition, '^\\\\d{4}-\\\\d\\\\d-\\\\d\\\\d$')
      ORDER BY table, name`,
    signal,
  });
  return rows.map(({ table, name, day, rows: count, bytes, newest }) => ({
    table,
    name,
    day,
    rows: Number(count),
    bytes: Number(bytes),
    newestMs: newest * 1000,
  }));
}

/** The names come from the engine; a check keeps them from ever being anything else. */
function checked(text: string): string {
  if (!/^[0-9A-Za-z_-]+$/.test(text)) throw new Error(`"${text}" is no name of a part or partition`);
  return text;
}

async function makeDrop(client: StoreClient, { signal: kind, day, part }: Drop, signal: AbortSignal): Promise<void> {
  const [table] = tablesOf[kind];
  const statements =
    part === undefined
      ? tablesOf[kind].map((name) => `ALTER TABLE ${name} DROP PARTITION ID '${checked(day).replaceAll('-', '')}'`)
      : [`ALTER TABLE ${table} DROP PART '${checked(part)}'`];
  for (const sql of statements) {
    // The engine refuses to drop more than 50 GB at a time unless told otherwise.
    await client.command({ sql, signal, timeoutMs: 60_000, settings: { max_partition_size_to_drop: 0 } });
  }
}

/** The engine's own TTL does the same to whole parts when no agent runs; one that says what it should is left alone. */
async function applyTtl(client: StoreClient, limits: RetentionLimits, signal: AbortSignal): Promise<void> {
  const tables = await client.rows<{ name: string; engine: string }>({
    sql: 'SELECT name, engine_full AS engine FROM system.tables WHERE database = currentDatabase()',
    signal,
  });
  const engines = new Map(tables.map(({ name, engine }) => [name, engine]));
  for (const kind of signals) {
    const ageMs = limits.ageMs[kind];
    for (const table of tablesOf[kind]) {
      const engine = engines.get(table);
      if (engine === undefined) continue;
      const now = / TTL (.*?) SETTINGS/.exec(engine)?.[1];
      const wanted =
        ageMs === 'forever'
          ? undefined
          : `toDateTime(${timeColumns[table] ?? 'minute'}) + toIntervalSecond(${Math.ceil(ageMs / 1000)})`;
      if (now === wanted) continue;
      await client.command({
        sql: `ALTER TABLE ${table} ${wanted === undefined ? 'REMOVE TTL' : `MODIFY TTL ${wanted}`}`,
        signal,
        timeoutMs: 60_000,
        // Rewriting every part to write the new age into it would cost more than dropping days does.
        settings: { materialize_ttl_after_modify: 0 },
      });
    }
  }
}

/** Tables that say what samples are, and by which column they are too old. */
const describing = [
  ['series', 'last_day'],
  ['metric_metadata', 'at'],
] as const;

interface SeriesOptions {
  readonly parts: readonly StoredPart[];
  readonly drops: readonly Drop[];
  readonly limits: RetentionLimits;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** A series, and what is said of a family, goes when its last day is older than any day that still has samples, and too old for further ones to come. */
async function dropSeries(client: StoreClient, { parts, drops, limits, nowMs, signal }: SeriesOptions): Promise<void> {
  const gone = drops.filter(({ signal: kind, part }) => kind === 'samples' && part === undefined);
  // A sweep that drops no day of samples leaves no series behind, unless the last one was cut short: the first sweep of a day looks too.
  const ageMs = limits.ageMs.samples;
  if (gone.length === 0 && ageMs === 'forever') return;
  const dropped = new Set(gone.map(({ day }) => day));
  const kept = parts.filter(({ table, day }) => table === 'samples' && !dropped.has(day)).map(({ day }) => day);
  const oldestByAge = ageMs === 'forever' ? undefined : nowMs - ageMs;
  const newestGone = gone.reduce((newest, { day }) => Math.max(newest, Date.parse(day) + dayMs), 0);
  const before = [...kept.map((day) => Date.parse(day)), Math.max(oldestByAge ?? 0, newestGone)];
  const day = new Date(Math.min(...before)).toISOString().slice(0, 10);
  for (const [table, column] of describing) {
    const condition = `${column} < toDate('${checked(day)}')`;
    const [row] = await client.rows<{ n: string }>({
      sql: `SELECT toString(count()) AS n FROM ${table} WHERE ${condition}`,
      signal,
    });
    if (row === undefined || row.n === '0') continue;
    await client.command({ sql: `DELETE FROM ${table} WHERE ${condition}`, signal, timeoutMs: 60_000 });
  }
}
