/** Runs what the HTTP interface was asked: takes a session, keeps INSERT bodies in files, and ends the queries of clients that have left. */
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Engine, EngineAnswer, EngineSession } from './engine.ts';
import { EngineError } from './engine.ts';
import { createEngineProbe } from './engine-probe.ts';
import type { RowsInsert } from './sql-text.ts';
import { createTableSync } from './table-sync.ts';
import type { WorkQueue } from './work-queue.ts';
import { createWorkQueue, QueueRefusal } from './work-queue.ts';

export interface QueryRunner {
  query(query: {
    readonly sql: string;
    readonly format: string;
    readonly parameters: ReadonlyMap<string, string>;
    readonly signal: AbortSignal;
  }): Promise<EngineAnswer>;
  insertRows(insert: {
    readonly insert: RowsInsert;
    readonly rows: Readable;
    readonly parameters: ReadonlyMap<string, string>;
    readonly signal: AbortSignal;
  }): Promise<EngineAnswer>;
  /** Resolves when the engine answers, or has within the last second, however busy its readers are. */
  check(): Promise<void>;
  /** Whether nothing is at work or waiting. */
  isIdle(): boolean;
  load(): { readonly queries: number; readonly waiting: number; readonly inserts: number };
}

export interface QueryRunnerOptions {
  readonly engine: Engine;
  /** Where INSERT bodies lie while the engine reads them; emptied at start. */
  readonly bodiesDirectory: string;
  readonly maxWaiting: number;
  readonly waitTimeoutMs: number;
  readonly maxInsertBytes: number;
  readonly onError: (error: unknown) => void;
}

export async function createQueryRunner(options: QueryRunnerOptions): Promise<QueryRunner> {
  const { engine, bodiesDirectory, maxWaiting, waitTimeoutMs } = options;
  await mkdir(bodiesDirectory, { recursive: true, mode: 0o700 });
  for (const leftover of await readdir(bodiesDirectory)) await rm(join(bodiesDirectory, leftover), { force: true });
  const readers = createWorkQueue(engine.readers, { maxWaiting, waitTimeoutMs });
  const writers = createWorkQueue([engine.writer], { maxWaiting, waitTimeoutMs });
  const syncTable = createTableSync();
  let bodyCount = 0;

  async function withSession<Result>(
    queue: WorkQueue<EngineSession>,
    signal: AbortSignal,
    work: (session: EngineSession) => Promise<Result>,
  ): Promise<Result> {
    let session: EngineSession;
    try {
      session = await queue.acquire(signal);
    } catch (error) {
      if (!(error instanceof QueueRefusal)) throw error;
      const message = `Code: 202. DB::Exception: Too many simultaneous queries: ${error.message}. (TOO_MANY_SIMULTANEOUS_QUERIES)`;
      throw new EngineError(message, 202);
    }
    const killer = createKiller(engine, session, options.onError);
    signal.addEventListener('abort', killer.kill, { once: true });
    if (signal.aborted) killer.kill();
    try {
      return await work(session);
    } finally {
      signal.removeEventListener('abort', killer.kill);
      // A kill that is still on its way would hit the session's next query.
      await killer.settled();
      queue.release(session);
    }
  }

  return {
    query: ({ sql, format, parameters, signal }) =>
      withSession(readers, signal, (session) => session.run({ sql, format, parameters })),
    async insertRows({ insert, rows, parameters, signal }) {
      bodyCount += 1;
      const path = join(bodiesDirectory, `${bodyCount}.native`);
      try {
        await writeBody(rows, path, { maxBytes: options.maxInsertBytes, signal });
        return await withSession(writers, signal, async (session) => {
          const answer = await session.run({ sql: insert.readingFrom(path), format: 'Null', parameters });
          await syncTable(insert.table, session);
          return answer;
        });
      } finally {
        await rm(path, { force: true });
      }
    },
    check: createEngineProbe(engine.check),
    isIdle: () => [readers.load(), writers.load()].every(({ busy, waiting }) => busy + waiting === 0),
    load: () => ({ queries: readers.load().busy, waiting: readers.load().waiting, inserts: writers.load().busy }),
  };
}

/** What a socket gives at a time is small: a write for each chunk costs more than its bytes do (`bench/spans.ts`). */
const gatheredBytes = 1024 * 1024;

async function writeBody(
  rows: Readable,
  path: string,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const file = await open(path, 'w', 0o600);
  const write = async (chunks: AsyncIterable<Buffer>) => {
    let sizeBytes = 0;
    let writtenBytes = 0;
    let gathered: Buffer[] = [];
    for await (const chunk of chunks) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > maxBytes) {
        const message = `Code: 131. DB::Exception: The INSERT's rows are more than ${maxBytes} bytes. (TOO_LARGE_STRING_SIZE)`;
        throw new EngineError(message, 131);
      }
      gathered.push(chunk);
      if (sizeBytes - writtenBytes < gatheredBytes) continue;
      await writeWhole(file, gathered);
      gathered = [];
      writtenBytes = sizeBytes;
    }
    if (gathered.length > 0) await writeWhole(file, gathered);
  };
  try {
    await pipeline(rows, write, { signal });
  } finally {
    await file.close();
  }
}

/** Appends the chunks; a disk that is nearly full may take a part of them and say so. */
async function writeWhole(file: FileHandle, chunks: readonly Buffer[]): Promise<void> {
  const { bytesWritten } = await file.writev([...chunks]);
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (bytesWritten < sizeBytes) await file.appendFile(Buffer.concat(chunks).subarray(bytesWritten));
}

const killAgainAfterMs = 250;

/** Ends a session's query, again and again until it has ended: a kill that comes before the engine has registered the query finds nothing. */
function createKiller(engine: Engine, session: EngineSession, onError: (error: unknown) => void) {
  let isOver = false;
  let running: Promise<void> | undefined;
  let wake: () => void = () => undefined;

  async function killUntilOver(): Promise<void> {
    while (!isOver) {
      try {
        await engine.kill(session);
      } catch (error) {
        onError(error);
      }
      if (isOver) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, killAgainAfterMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  return {
    kill: () => {
      running ??= killUntilOver();
    },
    async settled(): Promise<void> {
      isOver = true;
      wake();
      await running;
    },
  };
}
