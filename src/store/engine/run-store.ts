/** `trawl store`: opens the directory, serves it, and ends so that nothing of chDB can keep the process from ending. */
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { pino } from 'pino';
import { createAuthorization } from './authorization.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { openEngine } from './engine.ts';
import { createHttpInterface } from './http-interface.ts';
import type { QueryRunner } from './query-runner.ts';
import { createQueryRunner } from './query-runner.ts';

export interface StoreProcessOptions {
  readonly directory: string;
  /** Where to listen: a unix socket, or an address with a token for clients on other machines. */
  readonly listen:
    | { readonly kind: 'socket'; readonly path: string }
    | { readonly kind: 'address'; readonly host: string; readonly port: number; readonly tokenFile: string };
  /** Above this resident size the process ends in order once no INSERT runs, to be started anew by its supervisor; 0 for never. */
  readonly maxRssBytes?: number;
  /** Queries at work at once, 4 unless told, and how many more may wait their turn, 64 unless told. */
  readonly maxConcurrentQueries?: number;
  readonly maxWaitingQueries?: number;
  /** The supervisor's process: the store ends when it does, however it ends. */
  readonly parentPid?: number;
  readonly log?: Logger;
}

const maxInsertBytes = 1024 * 1024 * 1024;
/** What a unix socket's address holds on Linux, the final NUL left out. */
const maxSocketPathBytes = 107;
const maxConnections = 512;

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
  const log = options.log ?? pino({ name: 'trawl-store' }, pino.destination({ fd: 2, sync: true }));
  const directory = resolve(options.directory);
  try {
    const lock = await claimDirectory(directory, options.listen);
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

async function claimDirectory(directory: string, where: StoreProcessOptions['listen']): Promise<DirectoryLock> {
  if (where.kind === 'socket' && Buffer.byteLength(where.path) > maxSocketPathBytes) {
    throw new OpeningError(
      `the socket's path ${where.path} is longer than ${maxSocketPathBytes} bytes; choose a shorter data directory`,
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
  const engine = await openEngine(join(directory, 'chdb'), options.maxConcurrentQueries ?? 4);
  const runner = await createQueryRunner({
    engine,
    bodiesDirectory: join(directory, 'inserts'),
    maxWaiting: options.maxWaitingQueries ?? 64,
    waitTimeoutMs: 10_000,
    maxInsertBytes,
    onError,
  });
  const authorization = token === undefined ? undefined : createAuthorization(token);
  const server = createServer(
    // Parameters stand in the URL, lists of ids among them; ClickHouse takes as much (http_max_uri_size).
    { maxHeaderSize: 1024 * 1024, keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 120_000 },
    createHttpInterface({ runner, authorization, onError }),
  );
  server.maxConnections = maxConnections;
  const address = await listen(server, where);
  log.info({ where: address, engine: engine.version }, 'the store is open');
  // A supervisor waits for this; where there is none, there is nobody to send it to.
  process.send?.({ ready: address });
  return { server, runner };
}

async function readToken(path: string): Promise<string> {
  const token = (await readFile(path, 'utf8')).trim();
  if (token === '') throw new OpeningError(`the token file ${path} is empty`, 2);
  return token;
}

async function listen(server: Server, where: StoreProcessOptions['listen']): Promise<string> {
  if (where.kind === 'socket') {
    await rm(where.path, { force: true });
    const umask = process.umask(0o177);
    try {
      await listening(server, () => server.listen(where.path));
    } finally {
      process.umask(umask);
    }
    await chmod(where.path, 0o600);
    return where.path;
  }
  await listening(server, () => server.listen(where.port, where.host));
  const address = server.address();
  return typeof address === 'object' && address !== null ? `http://${where.host}:${address.port}` : where.host;
}

function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolvePromise();
    });
    start();
  });
}

/** How long queries may go on after the store was told to stop: an INSERT ends within seconds. */
const drainTimeoutMs = 8_000;
const watchIntervalMs = 1_000;

interface Serving {
  readonly server: Server;
  readonly runner: QueryRunner;
  readonly log: Logger;
  readonly options: StoreProcessOptions;
  readonly lock: DirectoryLock;
}

/** Never resolves: the last step of every way out is SIGKILL, for chDB's own ending can hang. */
function serveUntilStopped({ server, runner, log, options, lock }: Serving): Promise<number> {
  let isStopping = false;
  const end = () => {
    lock.release();
    process.kill(process.pid, 'SIGKILL');
  };
  const stop = async (reason: string) => {
    isStopping = true;
    log.info({ reason }, 'the store is closing');
    server.close();
    server.closeIdleConnections();
    const deadline = Date.now() + drainTimeoutMs;
    while (!runner.isIdle() && Date.now() < deadline) await sleep(10);
    // Answers that are written but not sent yet.
    while (server.listening && Date.now() < deadline) await sleep(10);
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
  if (maxRssBytes > 0) watchMemory({ runner, maxRssBytes, log, stopFor });
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
    orphanage.release();
    process.kill(process.pid, 'SIGKILL');
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

function watchMemory(watch: {
  readonly runner: QueryRunner;
  readonly maxRssBytes: number;
  readonly log: Logger;
  readonly stopFor: (reason: string) => void;
}): void {
  const timer = setInterval(() => {
    const rssBytes = process.memoryUsage.rss();
    if (rssBytes <= watch.maxRssBytes || watch.runner.load().inserts > 0) return;
    clearInterval(timer);
    watch.log.warn({ rssBytes, maxRssBytes: watch.maxRssBytes }, 'the store is larger than it may be and starts anew');
    watch.stopFor('memory');
  }, watchIntervalMs);
}
