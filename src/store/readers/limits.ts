/** What keeps one query from taking the store for itself; every reader sends these with its SQL. */

export interface ReadLimits {
  readonly timeoutMs: number;
  readonly maxMemoryBytes: number;
  readonly maxRowsToRead: number;
  readonly maxResultBytes: number;
  /** Whether what is asked may be large: then it waits, block by block, for what else is asked of the engine. */
  readonly isLarge?: boolean;
}

export const defaultReadLimits: ReadLimits = {
  timeoutMs: 10_000,
  maxMemoryBytes: 512 * 1024 * 1024,
  maxRowsToRead: 2_000_000_000,
  maxResultBytes: 256 * 1024 * 1024,
};

/** A large query waits no longer for smaller ones, a block each time: it goes on also where small ones never end. */
const largeWaitMs = 200;

/** The limits as settings of the engine. */
export function limitSettings(limits: ReadLimits): Readonly<Record<string, string | number>> {
  return {
    max_memory_usage: limits.maxMemoryBytes,
    max_rows_to_read: limits.maxRowsToRead,
    max_result_bytes: limits.maxResultBytes,
    max_threads: 2,
    // Beside two large queries a small one takes as long as alone; without priorities it takes ten times as long.
    ...(limits.isLarge === true ? { priority: 2, low_priority_query_wait_time_ms: largeWaitMs } : { priority: 1 }),
  };
}

/** An answer would be larger than the reader may give; `limitName` is the limit's name as documented. */
export class ResultLimitError extends Error {
  override readonly name = 'ResultLimitError';
  readonly limitName: string;

  constructor(limitName: string, message: string) {
    super(message);
    this.limitName = limitName;
  }
}
