/** The store's client: limits in the query's text, deadlines, and errors that say whether to try again. */
import type { Readable } from 'node:stream';
import type { StoreClient, StoreInsert, StoreQuery } from './client.ts';
import { StoreError } from './client.ts';
import {
  credentialsOf,
  openConnections,
  RequestTooLongError,
  type StoreAddress,
  StoreAnswerError,
  type StoreConnections,
} from './http-request.ts';

export type { StoreAddress } from './http-request.ts';

export type StoreClientOptions = StoreAddress & {
  /** Connections at most; the store runs four queries at a time and lets the rest wait. */
  readonly maxConnections?: number;
  /** Limits for every query; a query's own settings go before them. */
  readonly querySettings?: Readonly<Record<string, string | number>>;
};

const defaultTimeoutMs = 10_000;
/** What a query may wait for its turn in the store, and the way there and back. */
const waitingMs = 15_000;
const insertTimeoutMs = 120_000;

/** Limits of a reader (DESIGN section 6): a query that goes beyond them fails and takes nothing else along. */
const readerSettings = {
  max_memory_usage: 256_000_000,
  max_rows_to_read: 2_000_000_000,
  max_result_bytes: 256_000_000,
  max_threads: 2,
  // Threads that only write the answer down cost every query a quarter of a millisecond (docs/decisions/query-latency.md).
  output_format_parallel_formatting: 0,
} as const;

/** A client for one store. It opens no connection until it is asked something. */
export function createStoreClient(options: StoreClientOptions): StoreClient {
  const reading = connect(options, options.maxConnections ?? 32);
  // Of its own, so that an INSERT never waits behind slow queries for a connection.
  const writing = connect(options, 4);
  const limits = { ...readerSettings, ...options.querySettings };

  const read = (query: StoreQuery, format: string): Promise<Buffer> => {
    const timeoutMs = query.timeoutMs ?? defaultTimeoutMs;
    const settings = { max_execution_time: timeoutMs / 1000, ...limits, ...query.settings };
    const request = { ...query, sql: `${query.sql}\n${settingsClause(settings)}\nFORMAT ${format}` };
    return onceMoreAfterReset(() => execute(reading, request, { timeoutMs: timeoutMs + waitingMs }), query.signal);
  };

  const versions = createVersions();

  return {
    async rows<Row>(query: StoreQuery): Promise<readonly Row[]> {
      const settings = { output_format_json_quote_64bit_integers: 1, ...query.settings };
      return parseLines<Row>(await read({ ...query, settings }, 'JSONEachRow'));
    },
    bytes: (query) => read(query, query.format),
    async command(query) {
      const timeoutMs = query.timeoutMs ?? defaultTimeoutMs;
      const clause = query.settings === undefined ? '' : `\n${settingsClause(query.settings)}`;
      try {
        await execute(writing, { ...query, sql: query.sql + clause }, { timeoutMs: timeoutMs + waitingMs });
      } finally {
        versions.commands++;
      }
    },
    async insert(insert) {
      try {
        await execute(writing, toRequest(insert), { timeoutMs: insertTimeoutMs, body: insert.body });
      } finally {
        versions.count(insert.sql);
      }
    },
    // The store process of an agent takes nothing from anybody else.
    ...('socketPath' in options ? { versionOf: (table: string) => versions.of(table) } : {}),
    async close() {
      reading.close();
      writing.close();
    },
  };
}

/** How often each table was written to. An INSERT that failed may have been done. */
function createVersions() {
  const inserts = new Map<string, number>();
  return {
    /** Any of them may change any table. */
    commands: 0,
    count(sql: string): void {
      const table = /^INSERT INTO (\w+)/.exec(sql)?.[1] ?? '';
      inserts.set(table, (inserts.get(table) ?? 0) + 1);
    },
    of(table: string): number {
      return this.commands + (inserts.get(table) ?? 0);
    },
  };
}

interface Connections extends StoreConnections {
  /** The text without passwords and tokens: a server may repeat what it was sent, and its errors are shown. */
  hide(text: string): string;
}

function connect(at: StoreAddress, maxConnections: number): Connections {
  return { ...openConnections(at, maxConnections), hide: hider(at) };
}

function hider(at: StoreAddress): Connections['hide'] {
  if ('socketPath' in at) return (text) => text;
  const { user, password } = credentialsOf(at);
  const written = new URL(at.url).password;
  const forms = [password, written, at.token ?? ''].flatMap((secret) =>
    secret === '' ? [] : [Buffer.from(`${user}:${secret}`).toString('base64'), secret],
  );
  return (text) => forms.reduce((hidden, form) => hidden.replaceAll(form, '[REDACTED]'), text);
}

function toRequest({ sql, deduplicationToken, signal }: StoreInsert): StoreQuery {
  const settings = { insert_deduplication_token: deduplicationToken, max_partitions_per_insert_block: 0 };
  return { sql: `${sql}\n${settingsClause(settings)}\nFORMAT Native`, signal };
}

/** Settings stand in the text: sent apart they would stick to a chDB session (and its store process refuses them). */
function settingsClause(settings: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(settings).map(([name, value]) => `${name} = ${settingValue(value)}`);
  return pairs.length === 0 ? '' : `SETTINGS ${pairs.join(', ')}`;
}

function settingValue(value: string | number): string {
  return typeof value === 'number' ? String(value) : `'${value.replace(/[\\']/g, '\\$&')}'`;
}

async function execute(
  { ask, hide }: Connections,
  query: StoreQuery,
  { timeoutMs, body }: { readonly timeoutMs: number; readonly body?: Uint8Array | Readable },
): Promise<Buffer> {
  const ending = new AbortController();
  let isOverdue = false;
  const end = () => ending.abort();
  const timer = setTimeout(() => {
    isOverdue = true;
    end();
  }, timeoutMs);
  // By hand: AbortSignal.any() on a signal that lives as long as the agent keeps every query's signal in memory on Node 20.
  query.signal.addEventListener('abort', end, { once: true });
  try {
    query.signal.throwIfAborted();
    return await ask({ sql: query.sql, parameters: query.parameters, body, signal: ending.signal });
  } catch (error) {
    if (body !== undefined && 'destroy' in body) body.destroy();
    const isAborted = query.signal.aborted;
    const reason = isAborted ? 'it was aborted' : isOverdue ? `no answer came within ${timeoutMs} ms` : undefined;
    throw toStoreError(error, { isInsert: body !== undefined, reason, isAborted, hide });
  } finally {
    clearTimeout(timer);
    query.signal.removeEventListener('abort', end);
  }
}

/** A kept connection that the store closed a moment ago fails at once; later than this, the query itself may have ended the store. */
const resetWithinMs = 100;

/** Asks again on a fresh connection where a kept one was dead, which is safe for what only reads. */
async function onceMoreAfterReset(ask: () => Promise<Buffer>, signal: AbortSignal): Promise<Buffer> {
  const askedAtMs = performance.now();
  try {
    return await ask();
  } catch (error) {
    const isStale =
      error instanceof StoreError && isReset(error.cause) && performance.now() - askedAtMs < resetWithinMs;
    if (!isStale || signal.aborted) throw error;
    return ask();
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function parseLines<Row>(bytes: Buffer): Row[] {
  const text = bytes.toString('utf8');
  return text === '' ? [] : JSON.parse(`[${text.trimEnd().replaceAll('\n', ',')}]`);
}

/** Errors that a query may outlive by waiting: timeouts of the network, too many queries or parts, no space, read-only, aborted. */
const passingCodes = new Set([3, 74, 75, 76, 159, 202, 209, 210, 236, 242, 243, 252, 279, 285, 319, 425, 999, 1001]);
/**
 * Errors of an INSERT that no repetition cures: its bytes are wrong. What is wrong with the statement, the table or our rights is the
 * operator's to mend, and the segment waits for that.
 */
const lastingInsertCodes = new Set([6, 26, 27, 32, 33, 40, 41, 69, 72, 117, 131]);

/** ClickHouse's number for what is said here in its place. */
const queryIsTooLarge = 229;
const syntaxError = 62;

/** Longer than a URL may be, or, with its parameters filled in, than what the engine reads as one query. */
const isTooLong = (error: unknown): boolean =>
  error instanceof RequestTooLongError ||
  (error instanceof StoreAnswerError && error.code === syntaxError && /^Max query size exceeded/.test(error.message));

function toStoreError(
  error: unknown,
  {
    isInsert,
    reason,
    isAborted,
    hide,
  }: {
    readonly isInsert: boolean;
    readonly reason: string | undefined;
    readonly isAborted: boolean;
    readonly hide: Connections['hide'];
  },
): StoreError {
  const message = error instanceof Error ? error.message : String(error);
  // A log shows causes too.
  const cause = hide(message) === message ? { cause: error } : {};
  if (reason !== undefined) {
    return new StoreError(`The store's query ended: ${reason}`, { isRetryable: !isAborted, ...cause });
  }
  if (isTooLong(error)) {
    return new StoreError('The query is too long for the store; ask for less, or with shorter texts', {
      code: queryIsTooLarge,
      isRetryable: false,
      ...cause,
    });
  }
  if (error instanceof StoreAnswerError && error.code !== undefined) {
    const { code } = error;
    const isRetryable = isInsert ? !lastingInsertCodes.has(code) : passingCodes.has(code);
    return new StoreError(`The store refused (code ${code}, ${error.type}): ${hide(message)}`, {
      code,
      isRetryable,
      ...cause,
    });
  }
  return new StoreError(`The store cannot be reached: ${hide(message)}`, { isRetryable: true, ...cause });
}
