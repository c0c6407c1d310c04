/**
 * Brings closed segments into the store, each row once (`docs/decisions/` says why it takes more than the engine's deduplication):
 * every table's INSERT carries the segment's name as its token; when it is not certain what became of an INSERT, the rows that carry the
 * segment's number are counted, and on any difference deleted and inserted again under a token that was never used.
 */
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
}

export interface SegmentSender {
  /** Ends when the signal aborts; what is not sent stays in the spool. */
  run(signal: AbortSignal): Promise<void>;
}

interface TableRows {
  readonly table: StoreTable;
  readonly blocks: Uint8Array[];
  rows: number;
}

const insertTimeoutMs = 120_000;
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

class TableSender {
  readonly #options: SegmentSenderOptions;

  constructor(options: SegmentSenderOptions) {
    this.#options = options;
  }

  async #insert(rows: TableRows, segment: Segment, token: string): Promise<void> {
    const { client, insertSeconds } = this.#options;
    const stopTimer = insertSeconds.startTimer({ table: rows.table.table });
    await client.insert({
      sql: insertSql(rows.table, segment.id),
      body: rows.blocks.length === 1 && rows.blocks[0] !== undefined ? rows.blocks[0] : Buffer.concat(rows.blocks),
      deduplicationToken: token,
      signal: AbortSignal.timeout(insertTimeoutMs),
    });
    stopTimer();
  }

  async #storedRows({ table }: TableRows, segment: Segment): Promise<number> {
    const [row] = await this.#options.client.rows<{ stored: string }>({
      sql: `SELECT count() AS stored FROM ${table.table} WHERE seg = {seg:UInt64}`,
      parameters: { seg: segment.id },
      signal: AbortSignal.timeout(countTimeoutMs),
      timeoutMs: countTimeoutMs,
    });
    return Number(row?.stored ?? 0);
  }

  async #delete({ table }: TableRows, segment: Segment): Promise<void> {
    await this.#options.client.command({
      sql: `DELETE FROM ${table.table} WHERE seg = {seg:UInt64}`,
      parameters: { seg: segment.id },
      signal: AbortSignal.timeout(insertTimeoutMs),
      timeoutMs: insertTimeoutMs,
      settings: { lightweight_deletes_sync: 1 },
    });
  }

  /** Inserts one table's rows once, however often it takes. `mayBeStored` says that an earlier run may have tried. */
  async send(rows: TableRows, segment: Segment, options: { mayBeStored: boolean; signal: AbortSignal }): Promise<void> {
    const { clock, log, onFailure } = this.#options;
    const { signal } = options;
    const name = `${segment.id}.${rows.table.table}`;
    let isUncertain = options.mayBeStored;
    let token = name;
    let delayMs = firstRetryMs;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        await this.#insert(rows, segment, token);
        if (!isUncertain) return;
        const stored = await this.#storedRows(rows, segment);
        if (stored === rows.rows) return;
        log.warn(
          { segment: name, stored, sent: rows.rows },
          'An interrupted INSERT left part of a segment; it is inserted anew.',
        );
        if (stored > 0) await this.#delete(rows, segment);
        token = `${name}.${clock.nowMs()}.${attempt}`;
        // Deleted for certain, and the token is new: the next INSERT that succeeds has stored every row once.
        isUncertain = false;
      } catch (error) {
        if (!(error instanceof StoreError) || !error.isRetryable) throw error;
        isUncertain = true;
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

  /** One table's refusal does not keep the others out. */
  const sendSegment = async (segment: Segment, signal: AbortSignal): Promise<void> => {
    let refusal: StoreError | undefined;
    for (const rows of await readTables(segment)) {
      try {
        await tables.send(rows, segment, { mayBeStored: segment.isRecovered, signal });
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
