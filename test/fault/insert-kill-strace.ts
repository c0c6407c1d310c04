/** strace as a marksman: attached to a running process, it counts system calls or kills the process just before a certain one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What an INSERT makes of the disk, by the names of each architecture: strace skips those that the machine's lacks. */
const names: Readonly<Record<string, readonly string[]>> = {
  openat: ['openat'],
  write: ['write'],
  pwrite64: ['pwrite64'],
  fsync: ['fsync'],
  fdatasync: ['fdatasync'],
  ftruncate: ['ftruncate'],
  rename: ['rename', 'renameat', 'renameat2'],
  mkdir: ['mkdir', 'mkdirat'],
  link: ['link', 'linkat'],
  unlink: ['unlink', 'unlinkat'],
  rmdir: ['rmdir'],
  close: ['close'],
};

const listOf = (call: string) => (names[call] ?? [call]).map((name) => `?${name}`).join();
const callOf = (name: string) => Object.keys(names).find((call) => names[call]?.includes(name)) ?? name;

const patienceMs = 500;

/** One call as strace wrote it down. */
export interface TracedCall {
  readonly thread: number;
  /** `rename` for `renameat2` too. */
  readonly call: string;
  /** From the name on. */
  readonly text: string;
}

export interface Trace {
  /** Lets go of the process, if it still lives, and answers what was seen. */
  end(): Promise<readonly TracedCall[]>;
}

/** Why strace cannot be used here, or undefined: it is missing, or attaching to a process is not permitted. */
export async function whyNoStrace(): Promise<string | undefined> {
  const victim = spawn('sleep', ['10'], { stdio: 'ignore' });
  try {
    const trace = await attachStrace(victim.pid ?? 0);
    await trace.end();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    victim.kill('SIGKILL');
  }
}

/** Attaches to a process; every thread of it is watched once this resolves. */
export async function attachStrace(pid: number, kill?: { readonly call: string; readonly at: number }): Promise<Trace> {
  const directory = await mkdtemp(join(tmpdir(), 'trawl-strace-'));
  const file = join(directory, 'trace');
  const which =
    kill === undefined
      ? ['-e', `trace=${Object.keys(names).map(listOf).join()}`]
      : ['-e', `trace=${listOf(kill.call)}`, '-e', `inject=${listOf(kill.call)}:signal=SIGKILL:when=${kill.at}`];
  const child = spawn('strace', ['-f', '-y', '-o', file, ...which, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = new Promise((resolve) => child.once('close', resolve));
  await attached(child);
  return {
    async end() {
      child.kill('SIGINT');
      // Now and then strace waits for ever for a thread of a process that it has killed, which keeps the process a zombie.
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await gone;
      clearTimeout(timer);
      const text = await readFile(file, 'utf8');
      await rm(directory, { recursive: true, force: true });
      return parseTrace(text);
    },
  };
}

function attached(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.once('error', reject);
    child.once('close', () => reject(new Error(`strace ended: ${said}`)));
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(0, 10_000);
      if (/attached/.test(said)) resolve();
    });
  });
}

function parseTrace(text: string): readonly TracedCall[] {
  const found: TracedCall[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+)\s+((\w+)\(.*)$/.exec(line);
    if (match === null) continue;
    found.push({ thread: Number(match[1]), call: callOf(match[3] ?? ''), text: match[2] ?? '' });
  }
  return found;
}
