/** How the agent speaks to a store: ClickHouse's HTTP interface, whether that is the store process on a unix socket, `trawl store --listen` or a ClickHouse server. */
import type { Readable } from 'node:stream';

/** A value for a `{name:Type}` placeholder. Bytes are never pasted into SQL: what comes from outside goes through here. */
export type QueryParameter = string | number | bigint | boolean | readonly (string | number | bigint)[];

export interface StoreQuery {
  /** Without FORMAT and without SETTINGS: the client adds both, limits among them. */
  readonly sql: string;
  readonly parameters?: Readonly<Record<string, QueryParameter>>;
  /** Ends the query in the engine as well. */
  readonly signal: AbortSignal;
  /** The engine's deadline for the query; 10 s unless told. */
  readonly timeoutMs?: number;
  /** Further engine settings this query needs, e.g. `{ max_threads: 1 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export interface StoreInsert {
  /** `INSERT INTO spans SELECT *, … FROM input('…')`; the client adds SETTINGS and FORMAT Native. */
  readonly sql: string;
  /** Native blocks, one after another. */
  readonly body: Uint8Array | Readable;
  /** The engine takes a second INSERT with the same token for a repetition and ignores it. */
  readonly deduplicationToken: string;
  readonly signal: AbortSignal;
}

export interface StoreClient {
  /** Rows as objects (JSONEachRow). 64-bit integers come as strings; floats must not be asked for here, for JSON has no NaN. */
  rows<Row>(query: StoreQuery): Promise<readonly Row[]>;
  /** The whole answer in a binary format. */
  bytes(query: StoreQuery & { readonly format: 'RowBinary' | 'Native' }): Promise<Buffer>;
  /** DDL and everything else that answers nothing. */
  command(query: StoreQuery): Promise<void>;
  insert(insert: StoreInsert): Promise<void>;
  /** Grows whenever `table` may have changed; absent where others may write to the store too. */
  versionOf?(table: string): number;
  close(): Promise<void>;
}

/** What the store said no with. `code` is ClickHouse's error number where there is one; an unreachable store has none. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: number | undefined;
  /** Whether the same request may succeed later: the store is down, restarting, busy or full. */
  readonly isRetryable: boolean;

  constructor(message: string, options: { code?: number; isRetryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.isRetryable = options.isRetryable;
  }
}
