/** chDB behind a small interface: sessions that each run one query at a time, parameters, and ending a query from outside. */
import type { Session } from 'chdb';
import { quoteSql, withLiterals } from './sql-text.ts';
import { createWorkQueue, QueueRefusal } from './work-queue.ts';

/** What the engine said no with; `code` is ClickHouse's error number. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: number;

  constructor(message: string, code: number, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface EngineAnswer {
  readonly bytes: Uint8Array;
  readonly rowsRead: number;
  readonly bytesRead: number;
}

export interface EngineQuery {
  readonly sql: string;
  readonly format: string;
  /** Values as ClickHouse's HTTP interface takes them: escaped as in TSV. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** One of chDB's sessions. It takes one query at a time; the caller sees to that. */
export interface EngineSession {
  readonly name: string;
  run(query: EngineQuery): Promise<EngineAnswer>;
}

export interface Engine {
  readonly readers: readonly EngineSession[];
  readonly writer: EngineSession;
  readonly version: string;
  /** Ends what the session is running at the moment, if anything. */
  kill(session: EngineSession): Promise<void>;
  /** Gives memory that is free back to the system, which the allocator would keep for a while. */
  purge(): Promise<void>;
  /** Asks the control session for nothing, which answers even when every reader is at work. */
  check(): Promise<void>;
}

/** Signals whose handlers chDB takes for itself; left there, a crash hangs for ever with the lock held. */
const crashSignals = ['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE'] as const;

/** ClickHouse's defaults are for a server of its own (5 GiB of marks); these bound what the process keeps between queries. */
const serverSettings = [
  '--mark_cache_size=67108864',
  '--index_mark_cache_size=33554432',
  '--primary_index_cache_size=67108864',
  '--uncompressed_cache_size=0',
  // The bloom filters of 40 million spans' trace ids: read from the disk's cache and unpacked anew they are a tenth of a look-up by id.
  '--index_uncompressed_cache_size=20971520',
  '--query_condition_cache_size=16777216',
  '--text_index_tokens_cache_size=16777216',
  '--text_index_header_cache_size=16777216',
  '--text_index_postings_cache_size=33554432',
  '--vector_similarity_index_cache_size=0',
  '--compiled_expression_cache_size=16777216',
  '--mmap_cache_size=64',
];

export interface EngineLimits {
  readonly readerCount: number;
  /** Of all queries together; what would take more is refused, the largest first. */
  readonly maxMemoryBytes: number | undefined;
}

/** Opens the directory; the only place that imports chDB. */
export async function openEngine(directory: string, { readerCount, maxMemoryBytes }: EngineLimits): Promise<Engine> {
  const chdb = await import('chdb');
  const connectionArgs =
    maxMemoryBytes === undefined ? serverSettings : [...serverSettings, `--max_server_memory_usage=${maxMemoryBytes}`];
  const open = async (name: string) => {
    const session = new chdb.Session(directory, { connectionArgs });
    // The name finds the session's query in system.processes: a query with parameters is shown without its comments, so a tag in the text is lost.
    await session.queryAsync(`SET log_comment = ${quoteSql(`trawl-${name}`)}`);
    return createSession(name, session);
  };
  const control = await open('control');
  restoreDefaultCrashes();
  const writer = await open('writer');
  const readers: EngineSession[] = [];
  for (let index = 1; index <= readerCount; index++) readers.push(await open(`reader-${index}`));
  restoreDefaultCrashes();
  const answer = await control.run({ sql: 'SELECT version()', format: 'TSVRaw', parameters: new Map() });
  const ask = createControl(control);
  return {
    check: () => ask('SELECT 1'),
    purge: () => ask('SYSTEM JEMALLOC PURGE'),
    readers,
    writer,
    version: Buffer.from(answer.bytes).toString().trim(),
    async kill(session) {
      const comment = quoteSql(`trawl-${session.name}`);
      // SYNC hangs in chDB.
      const sql = `KILL QUERY WHERE Settings['log_comment'] = ${comment} ASYNC`;
      await ask(sql);
    },
  };
}

const controlLimits = { maxWaiting: 64, waitTimeoutMs: 5_000 };

/**
 * The control session's queue. Ends of queries and pings come at any moment and from anybody, and a session takes one query at a time. Whoever
 * has waited too long is told so, also where the engine hangs: the query in front may never end, and its seat is then never free again.
 */
export function createControl(session: EngineSession, limits = controlLimits): (sql: string) => Promise<void> {
  const queue = createWorkQueue([session], limits);
  return async (sql) => {
    const seat = await queue.acquire(new AbortController().signal).catch((error: unknown) => {
      if (!(error instanceof QueueRefusal)) throw error;
      const message = `Code: 202. DB::Exception: The engine's control session is busy: ${error.message}. (TOO_MANY_SIMULTANEOUS_QUERIES)`;
      throw new EngineError(message, 202, error);
    });
    const work = seat.run({ sql, format: 'Null', parameters: new Map() }).finally(() => queue.release(seat));
    await withDeadline(work, limits.waitTimeoutMs);
  };
}

/** The work itself goes on: nothing but its own end makes a session free again. */
async function withDeadline(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const message = `Code: 159. DB::Exception: The engine did not answer its control session within ${timeoutMs} ms. (TIMEOUT_EXCEEDED)`;
    timer = setTimeout(() => reject(new EngineError(message, 159)), timeoutMs);
  });
  try {
    await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function restoreDefaultCrashes(): void {
  const nothing = () => undefined;
  for (const signal of crashSignals) {
    process.on(signal, nothing);
    process.off(signal, nothing);
  }
}

/** Parameters stay in a session until the next query sets them; longer ones are not left there. */
const maxKeptParameterLength = 16_384;

function sizeOf(parameters: ReadonlyMap<string, string>): number {
  let length = 0;
  for (const value of parameters.values()) length += value.length;
  return length;
}

function createSession(name: string, session: Session): EngineSession {
  /**
   * Whether the session still holds a query that failed, with its memory, its priority, and what it had written of its answer, which chDB puts
   * in front of the next one. Its next query ends it.
   */
  let holdsFailed = false;

  async function forgetFailed(): Promise<void> {
    await session.queryAsync('SELECT 1', { format: 'TSV' });
    holdsFailed = false;
  }

  async function execute(sql: string, format: string): Promise<EngineAnswer> {
    try {
      if (holdsFailed) await forgetFailed();
      const result = await session.queryAsync(sql, { format });
      return { bytes: result.bytes(), rowsRead: result.rowsRead, bytesRead: result.bytesRead };
    } catch (error) {
      holdsFailed = true;
      // What fails here is tried again before the session's next query.
      await forgetFailed().catch(() => undefined);
      throw toEngineError(error);
    }
  }

  return {
    name,
    async run({ sql, format, parameters }) {
      if (parameters.size === 0) return execute(sql, format);
      const text = sizeOf(parameters) > maxKeptParameterLength ? undefined : withLiterals(sql, parameters);
      if (text !== undefined) return execute(text, format);
      // chDB binds parameters under a lock of the whole process, held until the query ends; set in the session, four sessions stay four.
      const assign = (value: (sent: string) => string) =>
        `SET ${[...parameters].map(([parameter, sent]) => `param_${parameter} = ${quoteSql(value(sent))}`).join(', ')}`;
      await execute(
        assign((sent) => sent),
        'Null',
      );
      try {
        return await execute(sql, format);
      } finally {
        if (sizeOf(parameters) > maxKeptParameterLength)
          await execute(
            assign(() => ''),
            'Null',
          );
      }
    },
  };
}

function toEngineError(error: unknown): EngineError {
  const message = error instanceof Error ? error.message : String(error);
  const code = /^Code:\s*(\d+)/.exec(message)?.[1];
  // 1002 is ClickHouse's UNKNOWN_EXCEPTION.
  return code === undefined
    ? new EngineError(`Code: 1002. DB::Exception: ${message} (UNKNOWN_EXCEPTION)`, 1002, error)
    : new EngineError(message, Number(code), error);
}
