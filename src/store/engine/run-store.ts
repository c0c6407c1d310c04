/** `trawl store`: opens the directory, serves it, and ends so that nothing of chDB can keep the process from ending. */
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { pino } from 'pino';
import { createAuthorization } from './authorization.ts';
import { lockDirectory } from './directory-lock.ts';
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
  /** Above this resident size the process ends in order once no INSERT runs, to be started anew; 0 for never. */
  readonly maxRssBytes?: number;
  readonly log?: Logger;
}

const maxInsertBytes = 1024 * 1024 * 1024;

/** Serves the store until it is told to stop; resolves with the exit code only where the store could not be opened. */
export async function runStore(options: StoreProcessOptions): Promise<number> {
  const log = options.log ?? pino({ name: 'trawl-store' }, pino.destination({ fd: 2, sync: true }));
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(directory);
  if ('heldBy' in lock) {
    process.stderr.write(`trawl store: ${directory} is in use by pid ${lock.heldBy}\n`);
    return 1;
  }
  const onError = (error: unknown) => log.error({ err: error }, 'the store process failed inside');
  const engine = await openEngine(join(directory, 'chdb'));
  const runner = await createQueryRunner({
    engine,
    bodiesDirectory: join(directory, 'inserts'),
    maxWaiting: 128,
    waitTimeoutMs: 10_000,
    maxInsertBytes,
    onError,
  });
  const authorization =
    options.listen.kind === 'address'
      ? createAuthorization((await readFile(options.listen.tokenFile, 'utf8')).trim())
      : undefined;
  const server = createServer(
    { maxHeaderSize: 1024 * 1024, keepAliveTimeout: 65_000, requestTimeout: 120_000 },
    createHttpInterface({ runner, authorization, onError }),
  );
  const where = await listen(server, options.listen);
  log.info({ where, engine: engine.version, pid: process.pid }, 'the store is open');
  process.stdout.write(`${JSON.stringify({ ready: where })}\n`);
  return serveUntilStopped({ server, runner, log, release: () => lock.release() });
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

const drainTimeoutMs = 10_000;

/** Never resolves: the last step of every way out is SIGKILL, for chDB's own ending can hang. */
function serveUntilStopped(running: {
  readonly server: Server;
  readonly runner: QueryRunner;
  readonly log: Logger;
  readonly release: () => void;
}): Promise<number> {
  const { server, runner, log, release } = running;
  let isStopping = false;
  const end = () => {
    release();
    process.kill(process.pid, 'SIGKILL');
  };
  const stop = async (reason: string) => {
    if (isStopping) return end();
    isStopping = true;
    log.info({ reason }, 'the store is closing');
    const deadline = Date.now() + drainTimeoutMs;
    server.close();
    server.closeIdleConnections();
    while (!runner.isIdle() && Date.now() < deadline) await new Promise((wake) => setTimeout(wake, 10));
    end();
  };
  const stopFor = (reason: string) => {
    stop(reason).catch(end);
  };
  process.on('SIGTERM', () => stopFor('SIGTERM'));
  process.on('SIGINT', () => stopFor('SIGINT'));
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'the store process failed');
    end();
  });
  return new Promise<number>(() => undefined);
}
