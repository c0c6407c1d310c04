/**
 * Brings closed segments into the store, each row once (`docs/decisions/stored-once.md` says why it takes more than the engine's
 * deduplication): every table's INSERT carries the segment's name as its token; when it is not certain what became of an INSERT, the rows
 * that carry the segment's number are counted, and on any difference deleted and inserted again under a token that was never used.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Logger } from 'pino';
import type { Histogram } from 'prom-client';
import type { Clock } from '../../pipeline/component.ts';
import type { Segment, Spool } from '../../pipeline/spool/spool.ts';
import { type StoreClient, StoreError } from '../client.ts';
import { structureOf } from '../writers/native-block.ts';
import { type StoreTable, storeTables } from './sections.ts';

export interface SegmentSenderOptions {
  readonly spool: Spool;
  readonly client: StoreClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Seconds an INSERT took, by table. */
  readonly insertSeconds: Histogram<'table'>;
  /** Told of every failure that will be tried again. */
  onFailure(why: string): void;
  /** How long the store may take for an INSERT or a DELETE before it is asked again; 120,000 unless told. */
  readonly writeTimeoutMs?: number;
}

export interface SegmentSender {
  /** Ends when the signal aborts, statements under way included; what is not sent stays in the spool. */
  run(signal: AbortSignal): Promise<void>;
}

interface TableRows {
  readonly table: StoreTable;
  readonly blocks: Uint8Array[];
  rows: number;
}

const defaultWriteTimeoutMs = 120_000;
const countTimeoutMs = 60_000;
const firstRetryMs = 200;
const maxRetryMs = 5_000;

/** The rows of a segment, by table, in the order of insertion. */
async function readTables(segment: Segment): Promise<readonly TableRows[]> {
  const tables = storeTables.map((table): TableRows => ({ table, blocks: [], rows: 0 }));
  for await (const record of segment.records()) {
    for (const { kind, items, bytes } of record.sections) {
      const rows = tables.find(({ table }) => table.kind === kind);
      if (rows === undefined) continue;
      rows.blocks.push(bytes);
      rows.rows += items;
    }
  }
  return tables.filter(({ rows }) => rows > 0);
}

/** `INSERT` for a segment's rows of one table; the segment's number is added to each. */
export function insertSql({ table, columns }: StoreTable, segmentId: bigint): string {
  const names = columns.map(([name]) => name).join(', ');
  const structure = structureOf(columns).replaceAll("'", "\\'");
  return `INSERT INTO ${table} (${names}, seg) SELECT ${names}, ${segmentId}::UInt64 FROM input('${structure}')`;
}

/**
 * Runs one statement. Only what an INSERT was refused for can be for good: our own patience ending says nothing about the rows, and a
 * count or a DELETE that the store cannot do now must never cost a segment.
 */
async function ask<Answer>(
  { timeoutMs, mayRefuse, stop }: { timeoutMs: number; mayRefuse: boolean; stop: AbortSignal },
  statement: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const ending = new AbortController();
  let isTooLate = false;
  const timer = setTimeout(() => {
    isTooLate = true;
    ending.abort();
  }, timeoutMs);
  const onStop = () => ending.abort();
  stop.addEventListener('abort', onStop, { once: true });
  try {
    return await statement(ending.signal);
  } catch (error) {
    if (!(error instanceof StoreError) || error.isRetryable || (mayRefuse && !isTooLate)) throw error;
    const code = error.code === undefined ? {} : { code: error.code };
    throw new StoreError(error.message, { ...code, isRetryable: true, cause: error });
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', onStop);
  }
}

interface Stored {
  readonly there: number;
  readonly staying: number;
  readonly partitions: readonly string[];
}

const sumOf = (rows: readonly { readonly stored: string }[]): number =>
  rows.reduce((sum, { stored }) => sum + Number(stored), 0);

/** The name comes from the engine; a check keeps it from ever being anything else. */
function checked(partition: string): string {
  if (!/^[0-9A-Za-z_-]+$/.test(partition)) throw new Error(`"${partition}" is no name of a partition`);
  return partition;
}

/** What is left to do until a table has a segment's rows once. */
type Step = 'insert' | 'count' | 'delete';

class TableSender {
  readonly #options: SegmentSenderOptions;
  readonly #writeTimeoutMs: number;

  constructor(options: SegmentSenderOptions) {
    this.#options = options;
    this.#writeTimeoutMs = options.writeTimeoutMs ?? defaultWriteTimeoutMs;
  }

  async #insert(rows: TableRows, segment: Segment, how: { token: string; stop: AbortSignal }): Promise<void> {
    const { client, insertSeconds } = this.#options;
    const stopTimer = insertSeconds.startTimer({ table: rows.table.table });
    await ask({ timeoutMs: this.#writeTimeoutMs, mayRefuse: true, stop: how.stop }, (signal) =>
      client.insert({
        sql: insertSql(rows.table, segment.id),
        // One after another: joined first they would be copied, into memory that V8 then collects for.
        body: Readable.from(rows.blocks, { objectMode: false }),
        deduplicationToken: how.token,
        signal,
      }),
    );
    stopTimer();
  }

  /** How many rows of the segment are there, by the table's partitions, and how many will be once the engine has done what it was told. */
  async #stored({ table }: TableRows, segment: Segment, stop: AbortSignal): Promise<Stored> {
    const count = (applyMutations: 0 | 1) =>
      ask({ timeoutMs: countTimeoutMs, mayRefuse: false, stop }, (signal) =>
        this.#options.client.rows<{ partition: string; stored: string }>({
          sql: `SELECT _partition_id AS partition, count() AS stored FROM ${table.table} WHERE seg = {seg:UInt64} GROUP BY partition`,
          parameters: { seg: segment.id },
          signal,
          timeoutMs: countTimeoutMs,
          // A table may be larger than a reader's limit.
          settings: { apply_mutations_on_fly: applyMutations, max_rows_to_read: 0 },
        }),
      );
    const there = await count(0);
    // A DELETE that was cut short by a kill goes on in the background.
    const staying = await count(1);
    return {
      there: sumOf(there),
      staying: sumOf(staying),
      partitions: there.map(({ partition }) => checked(partition)),
    };
  }

  /** A DELETE goes on in the engine when nobody waits any more; a second one beside it would only make more work. */
  async #isDeleting({ table }: TableRows, segment: Segment, stop: AbortSignal): Promise<boolean> {
    const [found] = await ask({ timeoutMs: countTimeoutMs, mayRefuse: false, stop }, (signal) =>
      this.#options.client.rows({
        sql: `SELECT mutation_id FROM system.mutations WHERE database = currentDatabase() AND table = {table:String}
AND NOT is_done AND has(extractAll(command, '[0-9]+'), toString({seg:UInt64})) LIMIT 1`,
        parameters: { table: table.table, seg: segment.id },
        signal,
      }),
    );
    return found !== undefined;
  }

  /** Resolves once no row of the segment is left. */
  async #delete(rows: TableRows, segment: Segment, stop: AbortSignal): Promise<void> {
    const { table } = rows.table;
    if (await this.#isDeleting(rows, segment, stop)) {
      throw new StoreError('an earlier DELETE is still at work', { isRetryable: true });
    }
    const { partitions } = await this.#stored(rows, segment, stop);
    const timeoutMs = this.#writeTimeoutMs;
    for (const partition of partitions) {
      await ask({ timeoutMs, mayRefuse: false, stop }, (signal) =>
        this.#options.client.command({
          // Only the parts of these partitions can hold the segment; the engine need not look for it in the others.
          sql: `DELETE FROM ${table} IN PARTITION ID '${partition}' WHERE seg = {seg:UInt64}`,
          parameters: { seg: segment.id },
          signal,
          timeoutMs,
          settings: { lightweight_deletes_sync: 1 },
        }),
      );
    }
  }

  /** Inserts one table's rows once, however often it takes. `mayBeStored` says that an earlier attempt may have got somewhere. */
  async send(rows: TableRows, segment: Segment, options: { mayBeStored: boolean; signal: AbortSignal }): Promise<void> {
    const { clock, log, onFailure } = this.#options;
    const { signal } = options;
    const name = `${segment.id}.${rows.table.table}`;
    const freshToken = () => `${name}.${randomUUID()}`;
    // Rows that replace each other cannot be counted and need not be: they are inserted until an INSERT has succeeded.
    const { isReplacing } = rows.table;
    let token = isReplacing && options.mayBeStored ? freshToken() : name;
    let isUncertain = options.mayBeStored;
    let step: Step = 'insert';
    let delayMs = firstRetryMs;
    /** No row is there for certain, and the token is new: the next INSERT that succeeds has stored every row once. */
    const beginAnew = () => {
      step = 'insert';
      token = freshToken();
      isUncertain = false;
    };
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        if (step === 'delete') {
          await this.#delete(rows, segment, signal);
          beginAnew();
        }
        if (step === 'insert') {
          await this.#insert(rows, segment, { token, stop: signal });
          if (!isUncertain || isReplacing) return;
          step = 'count';
        }
        const stored = await this.#stored(rows, segment, signal);
        if (stored.there === rows.rows && stored.staying === rows.rows) return;
        log.warn(
          { segment: name, stored: stored.there, sent: rows.rows },
          'An interrupted INSERT left part of a segment; it is inserted anew.',
        );
        // Whatever becomes of a DELETE, it is done again until it has succeeded: a count in between could be right by chance.
        if (stored.there > 0) step = 'delete';
        else beginAnew();
      } catch (error) {
        if (signal.aborted || !(error instanceof StoreError) || !error.isRetryable) throw error;
        isUncertain = true;
        if (isReplacing) token = freshToken();
        onFailure(`the store did not take segment ${name} (attempt ${attempt}): ${error.message}`);
        await clock.sleep(delayMs, signal);
        delayMs = Math.min(delayMs * 2, maxRetryMs);
      }
    }
  }
}

/** Makes the sender of the store's spool. */
export function createSegmentSender(options: SegmentSenderOptions): SegmentSender {
  const { spool, clock, log, onFailure } = options;
  const tables = new TableSender(options);
  /** The segment that went back unsent: some of it may be stored. It comes first again. */
  let unfinished: bigint | undefined;

  /** One table's refusal does not keep the others out. */
  const sendSegment = async (segment: Segment, signal: AbortSignal): Promise<void> => {
    let refusal: StoreError | undefined;
    const mayBeStored = segment.isRecovered || segment.id === unfinished;
    for (const rows of await readTables(segment)) {
      try {
        await tables.send(rows, segment, { mayBeStored, signal });
      } catch (error) {
        if (!(error instanceof StoreError) || error.isRetryable) throw error;
        refusal = error;
      }
    }
    if (refusal !== undefined) throw refusal;
  };

  /** False when the segment stays in the spool. */
  const handle = async (segment: Segment, signal: AbortSignal): Promise<boolean> => {
    try {
      await sendSegment(segment, signal);
      await segment.release();
      return true;
    } catch (error) {
      if (signal.aborted) {
        segment.putBack();
        return false;
      }
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof StoreError && !error.isRetryable) {
        log.error(
          { err: error, segment: String(segment.id) },
          'The store refuses a segment for good; it is set aside.',
        );
        await segment.setAside(`the store refused it: ${why}`);
        return true;
      }
      unfinished = segment.id;
      segment.putBack();
      onFailure(`segment ${segment.id} could not be sent: ${why}`);
      return false;
    }
  };

  return {
    async run(signal) {
      let delayMs = firstRetryMs;
      while (!signal.aborted) {
        try {
          const segment = await spool.nextSegment(signal);
          if (await handle(segment, signal)) delayMs = firstRetryMs;
          else {
            await clock.sleep(delayMs, signal);
            delayMs = Math.min(delayMs * 2, maxRetryMs);
          }
        } catch (error) {
          if (signal.aborted) return;
          // The spool or the disk failed; the segment, if there was one, is still there.
          onFailure(error instanceof Error ? error.message : String(error));
          await clock.sleep(delayMs, signal).catch(() => undefined);
          delayMs = Math.min(delayMs * 2, maxRetryMs);
        }
      }
    },
  };
}
