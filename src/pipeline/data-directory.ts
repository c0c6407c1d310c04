/** The agent's data directory: private to its user, used by one agent at a time, and told apart from its copies. */
import { randomBytes, randomInt } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { errorCode } from './file-system.ts';

const lockName = 'agent.lock';
const identityName = 'agent.json';
const formatVersion = 1;
const answerTimeoutMs = 500;
const takeoverAttempts = 5;
/** A process that moved our lock aside by mistake puts it back within this. */
const settleMs = 50;

export interface DataDirectory {
  readonly path: string;
  /** Drawn at random when the directory was made, and again for a copy of it: the upper half of every segment's name in the store. */
  readonly writer: number;
  /** Gives the directory free for another agent. The end of the process does the same. */
  close(): Promise<void>;
}

/** Why a data directory cannot be used, in one sentence for whoever started the agent. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** Makes the directory if need be and locks it for this process; from then on all files that the process makes are its user's alone (umask 077). */
export async function openDataDirectory(options: { path: string; log: Logger }): Promise<DataDirectory> {
  const { path, log } = options;
  process.umask(0o077);
  let lock: Lock | undefined;
  try {
    await makeDirectories(resolve(path));
    lock = await acquireLock(path);
    await keepPrivate(path, log);
    const writer = await writerNumber(path, log);
    const held = lock;
    return { path, writer, close: () => held.release() };
  } catch (error) {
    await lock?.release();
    if (error instanceof DataDirectoryError) throw error;
    const user = process.getuid === undefined ? 'this user' : `uid ${process.getuid()}`;
    const what = error instanceof Error ? error.message : String(error);
    const advice = 'make it writable for that user, or choose another with --data';
    throw new DataDirectoryError(`data directory ${path} cannot be used by ${user}: ${what}; ${advice}`, {
      cause: error,
    });
  }
}

/** Node's own `recursive` never ends where the parent is there and yet says ENOENT, as /proc does. */
async function makeDirectories(path: string): Promise<void> {
  try {
    await fs.mkdir(path, { mode: 0o700 });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') {
      if ((await fs.stat(path)).isDirectory()) return;
      throw new DataDirectoryError(`data directory ${path} is a file; choose a directory with --data`, {
        cause: error,
      });
    }
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || (await exists(parent))) throw error;
    await makeDirectories(parent);
    await fs.mkdir(path, { mode: 0o700 });
  }
}

const exists = async (path: string): Promise<boolean> =>
  await fs.stat(path).then(
    () => true,
    () => false,
  );

async function keepPrivate(path: string, log: Logger): Promise<void> {
  const { mode } = await fs.stat(path);
  if ((mode & 0o077) === 0) return;
  try {
    await fs.chmod(path, 0o700);
  } catch (error) {
    log.warn({ err: error, path }, 'others may read the data directory, and this user cannot change that');
  }
}

interface Lock {
  release(): Promise<void>;
}

/**
 * The lock is a unix socket on which its holder listens. The kernel answers for it, whatever the pid namespace, and refuses the connection
 * as soon as the holder is dead: a number in a file can say neither (in a container every agent is pid 1).
 */
async function acquireLock(path: string): Promise<Lock> {
  const directory = await fs.open(path, 'r');
  // A socket's address has 108 bytes at most; through the descriptor any directory's is short.
  const near = process.platform === 'linux' ? `/proc/self/fd/${directory.fd}` : path;
  const own = `lock.${process.pid}.${randomBytes(6).toString('hex')}`;
  let server: Server | undefined;
  try {
    server = await listen(join(near, own)).catch((error: unknown) => {
      const code = errorCode(error) || String(error);
      throw new Error(`its lock cannot be made: ${code}`, { cause: error });
    });
    await linkAsLock(path, near, own);
    await removeLeftovers(path);
  } catch (error) {
    if (server !== undefined) await closeServer(server);
    await fs.rm(join(path, own), { force: true });
    await directory.close();
    throw error;
  }
  const listening = server;
  let released: Promise<void> | undefined;
  const release = async () => {
    await fs.rm(join(path, lockName), { force: true });
    await closeServer(listening);
    await directory.close();
  };
  return {
    release() {
      released ??= release();
      return released;
    },
  };
}

function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      // Whoever asks may leave before it has the answer.
      socket.on('error', () => socket.destroy());
      socket.end(`${process.pid}\n`);
    });
    server.once('error', reject);
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

async function linkAsLock(path: string, near: string, own: string): Promise<void> {
  for (let attempt = 0; attempt < takeoverAttempts; attempt++) {
    if (await linked(join(path, own), join(path, lockName))) {
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, settleMs));
      if (await isSameFile(join(path, own), join(path, lockName))) return;
      continue;
    }
    await refuseIfHeld(path, join(near, lockName));
    const aside = `${own}.stale`;
    if (!(await renamed(join(path, lockName), join(path, aside)))) continue;
    // What was moved may be the lock of another agent that was quicker at taking over: then it goes back.
    if ((await askHolder(join(near, aside))) !== undefined) await linked(join(path, aside), join(path, lockName));
    await fs.rm(join(path, aside), { force: true });
  }
  throw new DataDirectoryError(`data directory ${path}: other agents are starting on it at the same time; stop them`);
}

async function refuseIfHeld(path: string, address: string): Promise<void> {
  const pid = await askHolder(address);
  if (pid === undefined) return;
  const who = pid === '' ? 'another agent, which does not answer' : `pid ${pid}`;
  throw new DataDirectoryError(
    `data directory ${path} is in use by ${who}; stop it, or choose another directory with --data`,
  );
}

/** The pid of the process that listens there, '' when it does not say, undefined when nobody listens. */
function askHolder(address: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(address);
    const finish = (result: string | undefined) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(answerTimeoutMs, () => finish(answer.trim()));
    socket.on('data', (chunk) => {
      answer = (answer + chunk.toString('latin1')).slice(0, 20);
    });
    socket.on('end', () => finish(answer.trim()));
    socket.on('error', (error) => {
      const code = errorCode(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTSOCK') finish(undefined);
      else if (code === 'EAGAIN' || code === 'ECONNRESET' || code === 'EPIPE') finish(answer.trim());
      else reject(error);
    });
  });
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await fs.rename(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  try {
    const [first, second] = [await fs.lstat(a, { bigint: true }), await fs.lstat(b, { bigint: true })];
    return first.ino === second.ino && first.dev === second.dev;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function removeLeftovers(path: string): Promise<void> {
  for (const name of await fs.readdir(path)) {
    if (/^lock\.\d+\.[0-9a-f]{12}(\.stale)?$/.test(name)) await fs.rm(join(path, name), { force: true });
  }
}

interface Identity {
  readonly format: number;
  readonly writer: number;
  readonly device: string;
  readonly inode: string;
}

/** The directory's number. A copy of the identity file is another file: where device or inode differ, a new number is drawn. */
async function writerNumber(path: string, log: Logger): Promise<number> {
  const file = join(path, identityName);
  const identity = await readIdentity(file, log);
  if (identity === undefined) return createIdentity(path);
  if (identity.format !== formatVersion) {
    throw new DataDirectoryError(
      `data directory ${path} has format ${identity.format}, this program reads format ${formatVersion}: run the version that wrote it, or choose another directory with --data`,
    );
  }
  const { dev, ino } = await fs.stat(file, { bigint: true });
  if (identity.device === `${dev}` && identity.inode === `${ino}`) return identity.writer;
  const writer = await createIdentity(path);
  log.warn(
    { path, writer, formerWriter: identity.writer },
    'the data directory was copied or moved to another file system and now writes under a number of its own; if the original is still in use, ' +
      'what both spools hold is stored once in a store they share, but each forwards it',
  );
  return writer;
}

async function readIdentity(file: string, log: Logger): Promise<Identity | undefined> {
  let text: string;
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const identity = parseIdentity(text);
  if (identity === undefined)
    log.warn({ file }, 'the identity of the data directory cannot be read; a new one is made');
  return identity;
}

function parseIdentity(text: string): Identity | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Said by the caller.
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  if (!('format' in parsed && 'writer' in parsed && 'device' in parsed && 'inode' in parsed)) return undefined;
  const { format, writer, device, inode } = parsed;
  if (typeof format !== 'number' || typeof writer !== 'number') return undefined;
  if (typeof device !== 'string' || typeof inode !== 'string') return undefined;
  if (!Number.isInteger(writer) || writer < 1 || writer > 0xffffffff) return undefined;
  return { format, writer, device, inode };
}

async function createIdentity(path: string): Promise<number> {
  const writer = randomInt(1, 0x1_0000_0000);
  const temporary = join(path, `${identityName}.tmp`);
  await fs.rm(temporary, { force: true });
  const handle = await fs.open(temporary, 'wx', 0o600);
  try {
    const { dev, ino } = await handle.stat({ bigint: true });
    const identity: Identity = { format: formatVersion, writer, device: `${dev}`, inode: `${ino}` };
    await handle.writeFile(`${JSON.stringify(identity)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, join(path, identityName));
  const directory = await fs.open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return writer;
}
