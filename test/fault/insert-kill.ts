/**
 * Kills a store process just before a certain system call of an INSERT, or of the DELETE and the second INSERT that mend a cut one, while
 * the real sender brings segments from a real spool; starts it anew each time; and judges what is stored in the end.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Histogram } from 'prom-client';
import type { Clock } from '../../src/pipeline/component.ts';
import { realFileSystem } from '../../src/pipeline/file-system.ts';
import { openSpool } from '../../src/pipeline/spool/open-spool.ts';
import type { Spool } from '../../src/pipeline/spool/spool.ts';
import type { StoreClient } from '../../src/store/client.ts';
import { createSegmentSender } from '../../src/store/intake/segment-sender.ts';
import { runRollupPass } from '../../src/store/rollups/pass.ts';
import { readTopology } from '../../src/store/rollups/topology.ts';
import { realClock } from '../fixtures/fake-host.ts';
import { startTestStore, type TestStore } from '../fixtures/test-store.ts';
import {
  judgeSegment,
  rowsOfSegment,
  type SegmentVerdict,
  spoolSegment,
  type TableName,
} from './insert-kill-segments.ts';
import { attachStrace, type Trace, type TracedCall } from './insert-kill-strace.ts';

export type Statement = 'insert' | 'delete' | 'insert anew';

/** Where a kill is to hit: before a thread's call number `at` of that name, counted from the beginning of the statement. */
export interface KillPoint {
  readonly statement: Statement;
  readonly table: TableName;
  readonly call: string;
  readonly at: number;
}

export interface KillOutcome {
  readonly point: KillPoint;
  /** The call that was not made any more, as strace wrote it; undefined when the statement made fewer. */
  readonly hit: string | undefined;
}

export interface SegmentOutcome {
  readonly segment: number;
  readonly kills: readonly KillOutcome[];
  readonly verdict: SegmentVerdict;
  /** Statements that the sender needed for the table that was aimed at, repetitions left out. */
  readonly statements: readonly Statement[];
}

export interface StoredTotals {
  /** Segments sent so far. */
  readonly segments: number;
  readonly rows: Readonly<Record<TableName, number>>;
  /** By service: spans, requests and errors, in the roll-ups and in the base table. */
  readonly rolledUp: readonly string[];
  readonly counted: readonly string[];
}

export interface KillRange {
  /** The calls that a statement makes, by thread and in order: nothing is killed. */
  trace(table: TableName): Promise<readonly TracedCall[]>;
  /** Sends a segment under these kills, one after another. */
  send(points: readonly KillPoint[]): Promise<SegmentOutcome>;
  /** Rolls up and counts everything. */
  totals(): Promise<StoredTotals>;
  readonly store: TestStore;
  stop(): Promise<void>;
}

export interface KillRangeOptions {
  /** A mutation: the sender is told that every count is as it should be, which leaves the token alone to decide. */
  readonly believesToken?: boolean;
}

const sendTimeoutMs = 60_000;
const signal = () => AbortSignal.timeout(30_000);

/** Waits briefly where an agent would wait for seconds. */
const hastyClock: Clock = { ...realClock, sleep: (delayMs, stop) => realClock.sleep(Math.min(delayMs, 40), stop) };

/** A statement of the sender that is being watched. */
interface Aim {
  readonly statement: Statement;
  readonly table: TableName;
  readonly kill: { readonly call: string; readonly at: number } | undefined;
  seen?: readonly TracedCall[];
}

const tableIn = (sql: string, before: 'INTO' | 'FROM') =>
  new RegExp(`${before} (spans|series|samples|logs)\\b`).exec(sql)?.[1] as TableName | undefined;

/** The store's client, with strace attached for as long as the statement takes that is aimed at next. */
function createAimingClient(store: TestStore, options: KillRangeOptions) {
  const { client } = store;
  let aims: Aim[] = [];
  const statements: { statement: Statement; table: TableName }[] = [];

  async function watch<Answer>(statement: Statement, table: TableName | undefined, run: () => Promise<Answer>) {
    if (table === undefined) return run();
    statements.push({ statement, table });
    const [aim] = aims;
    if (aim?.statement !== statement || aim.table !== table) return run();
    aims.shift();
    const trace: Trace = await attachStrace(store.pid, aim.kill);
    try {
      return await run();
    } finally {
      aim.seen = await trace.end();
    }
  }

  const aiming: StoreClient = {
    ...client,
    async rows<Row>(query: Parameters<StoreClient['rows']>[0]): Promise<readonly Row[]> {
      const rows = await client.rows<Row>(query);
      if (options.believesToken !== true || !query.sql.includes('AS stored')) return rows;
      const table = tableIn(query.sql, 'FROM');
      return table === undefined ? rows : [{ partition: 'all', stored: String(rowsOfSegment[table]) } as Row];
    },
    insert(insert) {
      const isAnew = insert.deduplicationToken.split('.').length > 2;
      return watch(isAnew ? 'insert anew' : 'insert', tableIn(insert.sql, 'INTO'), () => client.insert(insert));
    },
    command: (query) => watch('delete', tableIn(query.sql, 'FROM'), () => client.command(query)),
  };
  return {
    client: aiming,
    statements,
    aimAt(next: Aim[]) {
      aims = next;
      statements.length = 0;
    },
  };
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // ESRCH: it is gone and its parent knows.
  }
};

/** Starts the store anew whenever it has died, until told to stop. */
async function keepAlive(store: TestStore, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    if (!isAlive(store.pid)) await store.restart();
    await sleep(10);
  }
}

/** strace counts each thread's calls by themselves: the call that was hit is the first that was its thread's `at`-th. */
function hitOf({ call, at }: KillPoint, seen: readonly TracedCall[] = []): string | undefined {
  const counts = new Map<number, number>();
  for (const { call: name, thread, text } of seen) {
    if (name !== call) continue;
    const count = (counts.get(thread) ?? 0) + 1;
    counts.set(thread, count);
    if (count === at) return text;
  }
  return undefined;
}

async function openTestSpool(directory: string): Promise<Spool> {
  return openSpool({
    directory,
    fileSystem: realFileSystem,
    clock: realClock,
    log: pino({ level: 'silent' }),
    limits: { maxBytes: 1e9, segmentAgeMs: 600_000 },
    whenFull: 'refuse',
    writer: 7,
    keepsPositions: false,
    onLoss: ({ why }) => {
      throw new Error(`the spool lost something: ${why}`);
    },
  });
}

async function countTotals(client: StoreClient, baseMs: number): Promise<Omit<StoredTotals, 'segments'>> {
  // As if hours had passed: every minute has settled.
  await runRollupPass(client, { nowMs: baseMs + 7_200_000, signal: signal(), redoAfterMs: 0, maxRanges: 1000 });
  const window = { startMs: baseMs - 2 * 86_400_000, endMs: baseMs + 120_000 };
  const { nodes } = await readTopology(client, { ...window, signal: signal() });
  const counted = await client.rows<{ line: string }>({
    sql: `SELECT concatWithSeparator(' ', lower(local_service), toString(count()), toString(countIf(kind = 2)),
      toString(countIf(kind = 2 AND status = 2))) AS line FROM spans GROUP BY local_service ORDER BY local_service`,
    signal: signal(),
  });
  const rows = { spans: 0, series: 0, samples: 0, logs: 0 };
  for (const table of ['spans', 'series', 'samples', 'logs'] as const) {
    const sql = `SELECT count() AS n FROM ${table}${table === 'series' ? ' FINAL' : ''}`;
    const [row] = await client.rows<{ n: string }>({ sql, signal: signal() });
    rows[table] = Number(row?.n);
  }
  return {
    rows,
    rolledUp: nodes.map(({ service, spans, requests, errors }) => `${service} ${spans} ${requests} ${errors}`),
    counted: counted.map(({ line }) => line),
  };
}

/** Starts a store and a sender; nothing is killed yet. */
export async function startKillRange(options: KillRangeOptions = {}): Promise<KillRange> {
  const store = await startTestStore();
  const directory = await mkdtemp(join(tmpdir(), 'trawl-kill-spool-'));
  const spool = await openTestSpool(directory);
  const aiming = createAimingClient(store, options);
  const failures: string[] = [];
  const stopping = new AbortController();
  const sender = createSegmentSender({
    spool,
    client: aiming.client,
    clock: hastyClock,
    log: pino({ level: 'silent' }),
    insertSeconds: new Histogram({ name: 'seconds', help: 'x', labelNames: ['table'], registers: [] }),
    onFailure: (why) => failures.push(why),
  });
  const working = Promise.all([sender.run(stopping.signal), keepAlive(store, stopping.signal)]);
  const baseMs = Date.now() - 3_600_000;
  let segments = 0;

  async function sendSegment(aims: Aim[]): Promise<number> {
    segments++;
    aiming.aimAt(aims);
    const number = await spoolSegment(spool, segments, baseMs);
    try {
      await Promise.race([spool.released(number, AbortSignal.timeout(sendTimeoutMs)), working]);
    } catch (cause) {
      throw new Error(`segment ${segments} was not sent; last failures:\n${failures.slice(-5).join('\n')}`, { cause });
    }
    return segments;
  }

  // Files of the engine that are only opened once, and the sessions' first queries.
  await sendSegment([]);
  return {
    store,
    async trace(table) {
      const aim: Aim = { statement: 'insert', table, kill: undefined };
      await sendSegment([aim]);
      return aim.seen ?? [];
    },
    async send(points) {
      const aims = points.map(({ statement, table, call, at }): Aim => ({ statement, table, kill: { call, at } }));
      const segment = await sendSegment([...aims]);
      const kills = points.map((point, index): KillOutcome => ({ point, hit: hitOf(point, aims[index]?.seen) }));
      const table = points[0]?.table;
      return {
        segment,
        kills,
        verdict: await judgeSegment(store.client, segment, baseMs),
        statements: aiming.statements
          .filter((entry) => entry.table === table)
          .map(({ statement }) => statement)
          .filter((statement, index, all) => statement !== all[index - 1]),
      };
    },
    totals: async () => ({ segments, ...(await countTotals(store.client, baseMs)) }),
    async stop() {
      stopping.abort(new Error('the test is over'));
      await working;
      await spool.close();
      await store.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
