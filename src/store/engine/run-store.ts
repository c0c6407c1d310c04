/** `trawl store`: opens the directory, serves it, and ends so that nothing of chDB can keep the process from ending. */
import { mkdir, readFile } from 'node:fs/promises';
import { getPriority, setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { pino } from 'pino';
import type { RetentionLimits } from '../retention/plan.ts';
import { createAuthorization } from './authorization.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { type Engine, openEngine } from './engine.ts';
import { createStoreServer, type ListenAddress, listenAt, type StoreServer } from './listen.ts';
import type { QueryRunner } from './query-runner.ts';
import { createQueryRunner } from './query-runner.ts';
import type { SelfKeeping, SelfKeepingOptions } from './self-keeping.ts';

export interface StoreProcessOptions {
  readonly directory: string;
  /** Where to listen: a unix socket, or an address with a token for clients on other machines. */
  readonly listen: ListenAddress;
  /** Above this resident size the process ends in order once no INSERT runs, to be started anew by its supervisor; 0 for never. */
  readonly maxRssBytes?: number;
  /** How long and how much a store at an address keeps; without it nobody but its agents keeps it in order. */
  readonly retention?: RetentionLimits;
  /** Queries at work at once, 4 unless told, and how many more may wait their turn, 64 unless told. */
  readonly maxConcurrentQueries?: number;
  readonly maxWaitingQueries?: number;
  /** The supervisor's process: the store ends when it does, however it ends. */
  readonly parentPid?: number;
  readonly log?: Logger;
}

/** Small queries find a reader when all that large ones may have are taken (src/query/search-gate.ts). */
const smallReaders = 4;
/** Of the process's memory; the rest is for the program itself and for answers on their way out. */
const engineShare = 0.5;
/** By so much less than the agent, which takes data in and computes what is in its memory: it goes first where processors are short. */
const niceness = 5;

const maxInsertBytes = 1024 * 1024 * 1024;
/** What a unix socket's address holds on Linux, the final NUL left out. */
const maxSocketPathBytes = 107;
/** A listening store's own way in, in its directory; as an embedded one's. */
const ownSocket = 'store.sock';

/** Why a store could not be opened, in one line, and what the process ends with. */
class OpeningError extends Error {
  override readonly name = 'OpeningError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** Serves the store until it is told to stop; resolves with the exit code only where the store could not be opened. */
export async function runStore(options: StoreProcessOptions): Promise<number> {
  const orphanage = endWithParent(options.parentPid);
  // Threads have it from the one that starts them: before the engine starts its own.
  if (options.parentPid !== undefined) setPriority(Math.min(getPriority() + niceness, 19));
  const log = options.log ?? pino({ name: 'trawl-store' }, pino.destination({ fd: 2, sync: true }));
  const directory = resolve(options.directory);
  try {
    const lock = await claimDirectory(directory, options);
    orphanage.release = () => lock.release();
    try {
      return await serveUntilStopped({ ...(await open(directory, options, log)), log, options, lock });
    } catch (error) {
      lock.release();
      throw error;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`trawl store: ${reason.split('\n', 1)[0]}\n`);
    return error instanceof OpeningError ? error.exitCode : 1;
  }
}

async function claimDirectory(directory: string, { listen, retention }: StoreProcessOptions): Promise<DirectoryLock> {
  const socketPath = listen.kind === 'socket' ? listen.path : retention && join(directory, ownSocket);
  if (socketPath !== undefined && Buffer.byteLength(socketPath) > maxSocketPathBytes) {
    throw new OpeningError(
      `the socket's path ${socketPath} is longer than ${maxSocketPathBytes} bytes; choose a shorter data directory`,
      2,
    );
  }
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const lock = lockDirectory(directory);
    if ('heldBy' in lock) throw new OpeningError(`${directory} is in use by pid ${lock.heldBy}`, 1);
    return lock;
  } catch (error) {
    if (error instanceof OpeningError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const message = `cannot write to ${directory} as uid ${process.getuid?.() ?? 'unknown'}: ${reason}`;
    throw new OpeningError(message, 2, error);
  }
}

async function open(directory: string, options: StoreProcessOptions, log: Logger) {
  const where = options.listen;
  const onError = (error: unknown) => log.error({ err: error }, 'the store process failed inside');
  const token = where.kind === 'address' ? await readToken(where.tokenFile) : undefined;
  const { maxRssBytes = 0, maxConcurrentQueries = 4 } = options;
  const engine = await openEngine(join(directory, 'chdb'), {
    readerCount: maxConcurrentQueries + smallReaders,
    maxMemoryBytes: maxRssBytes > 0 ? Math.floor(maxRssBytes * engineShare) : undefined,
  });
  const runner = await createQueryRunner({
    engine,
    bodiesDirectory: join(directory, 'inserts'),
    maxWaiting: options.maxWaitingQueries ?? 64,
    waitTimeoutMs: 10_000,
    maxInsertBytes,
    onError,
  });
  const authorization = token === undefined ? undefined : createAuthorization(token);
  // Before anybody else reaches the tables: no agent may take the store for one that is not kept in order.
  const keeping = await keepInOrder(directory, { options, runner, log, onError });
  const server = createStoreServer({ runner, authorization, onError });
  const address = await listenAt(server, where).catch(async (error: unknown) => {
    await keeping?.stop();
    throw error;
  });
  log.info({ where: address, engine: engine.version }, 'the store is open');
  // A supervisor waits for this; where there is none, there is nobody to send it to.
  process.send?.({ ready: address });
  return { server, runner, engine, keeping };
}

/** A store that agents share keeps itself in order, as a client of its own on a socket that nobody else may open. */
async function keepInOrder(
  directory: string,
  { options, ...inside }: { readonly options: StoreProcessOptions } & Omit<SelfKeepingOptions, 'socketPath' | 'limits'>,
): Promise<SelfKeeping | undefined> {
  if (options.listen.kind !== 'address' || options.retention === undefined) return undefined;
  // Its libraries are not needed by a store that an agent keeps.
  const { keepItselfInOrder } = await import('./self-keeping.ts');
  return keepItselfInOrder({ ...inside, socketPath: join(directory, ownSocket), limits: options.retention });
}

async function readToken(path: string): Promise<string> {
  const token = (await readFile(path, 'utf8')).trim();
  if (token === '') throw new OpeningError(`the token file ${path} is empty`, 2);
  return token;
}

/** How long queries may go on after the store was told to stop: an INSERT ends within seconds. */
const drainTimeoutMs = 8_000;
/** How long a client may take to read the answer that it is being sent. */
const answerTimeoutMs = 2_000;
const keepingStopMs = 2_000;
const watchIntervalMs = 1_000;

interface Serving {
  readonly server: StoreServer;
  readonly runner: QueryRunner;
  readonly engine: Engine;
  readonly keeping: SelfKeeping | undefined;
  readonly log: Logger;
  readonly options: StoreProcessOptions;
  readonly lock: DirectoryLock;
}

/** Never resolves: the last step of every way out is SIGKILL, for chDB's own ending can hang. */
function serveUntilStopped({ server, runner, engine, keeping, log, options, lock }: Serving): Promise<number> {
  let isStopping = false;
  const end = () => {
    try {
      lock.release();
    } finally {
      process.kill(process.pid, 'SIGKILL');
    }
  };
  const stop = async (reason: string) => {
    isStopping = true;
    log.info({ reason }, 'the store is closing');
    server.stopAccepting();
    const deadline = Date.now() + drainTimeoutMs;
    await Promise.race([keeping?.stop(), sleep(keepingStopMs)]);
    while (!runner.isIdle() && Date.now() < deadline) await sleep(10);
    const answeredBy = Math.min(deadline, Date.now() + answerTimeoutMs);
    while (server.openAnswers() > 0 && Date.now() < answeredBy) await sleep(10);
    end();
  };
  const stopFor = (reason: string) => {
    if (isStopping) return end();
    stop(reason).catch(end);
  };
  process.on('SIGTERM', () => stopFor('SIGTERM'));
  // Ctrl-C reaches the agent too, which still needs the store to put away what it has; it says when.
  process.on('SIGINT', () => (process.channel === undefined ? stopFor('SIGINT') : undefined));
  process.on('SIGHUP', () => undefined);
  process.on('SIGPIPE', () => undefined);
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'the store process failed');
    end();
  });
  const maxRssBytes = options.maxRssBytes ?? 0;
  if (maxRssBytes > 0) watchMemory({ runner, engine, maxRssBytes, log, stopFor });
  return new Promise<number>(() => undefined);
}

const parentCheckMs = 1_000;

/**
 * An orphan would hold the directory's lock for ever. The supervisor's end of the IPC channel closes when it dies, but that may happen
 * before anybody here listens, so the parent's number is looked at as well. SIGKILL is safe at any moment: that is what the store is built for.
 */
function endWithParent(parentPid: number | undefined): { release: () => void } {
  /** What is still to be given free, once there is something. */
  const orphanage = { release: () => {} };
  const end = () => {
    try {
      orphanage.release();
    } finally {
      process.kill(process.pid, 'SIGKILL');
    }
  };
  process.on('disconnect', end);
  // Listening alone must not keep a store alive that could not be opened.
  process.channel?.unref();
  if (parentPid === undefined) return orphanage;
  const check = () => {
    if (process.ppid !== parentPid) end();
  };
  check();
  setInterval(check, parentCheckMs).unref();
  return orphanage;
}

function sleep(delayMs: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, delayMs));
}

/** Above this share of what the process may take, free memory is given back. */
const purgeShare = 0.75;
/** A process that stays too large for so long is replaced; at once above this share. */
const largeChecksUntilNew = 10;
const hardShare = 1.5;

function watchMemory(watch: {
  readonly runner: QueryRunner;
  readonly engine: Engine;
  readonly maxRssBytes: number;
  readonly log: Logger;
  readonly stopFor: (reason: string) => void;
}): void {
  let largeChecks = 0;
  const timer = setInterval(() => {
    const rssBytes = process.memoryUsage.rss();
    const isLarge = rssBytes > watch.maxRssBytes;
    largeChecks = isLarge ? largeChecks + 1 : 0;
    // What a crowd of queries took is free again when they are answered; what it freed is kept by the allocator unless it is told.
    if (rssBytes > purgeShare * watch.maxRssBytes)
      watch.engine.purge().catch((err) => watch.log.warn({ err }, 'the store could not give memory back'));
    if (!isLarge || watch.runner.load().inserts > 0) return;
    if (largeChecks < largeChecksUntilNew && rssBytes < hardShare * watch.maxRssBytes) return;
    clearInterval(timer);
    watch.log.warn({ rssBytes, maxRssBytes: watch.maxRssBytes }, 'the store is larger than it may be and starts anew');
    watch.stopFor('memory');
  }, watchIntervalMs);
}
