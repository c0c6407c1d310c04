/** One store process a directory: the engine's own refusal (error 76) goes to stderr only, so a lock file with the holder's pid comes first. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DirectoryLock {
  release(): void;
}

/** Takes the lock, or says which process holds it. A lock that a dead process left behind is taken over. */
export function lockDirectory(directory: string): DirectoryLock | { readonly heldBy: number } {
  const path = join(directory, 'store.lock');
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${process.pid} ${startTimeOf(process.pid) ?? ''}\n`);
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        linkSync(own, path);
        return { release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
      const text = readIfThere(path);
      if (text === undefined) continue;
      const holder = livingHolder(text);
      if (holder !== undefined) return { heldBy: holder };
      setAside(path, text);
    }
    throw new Error(`${path} is taken and left over and over; is another store being started there?`);
  } finally {
    rmSync(own, { force: true });
  }
}

/** Removes a dead process's lock, and not the one that another process has put there in the meantime. */
function setAside(path: string, dead: string): void {
  const aside = `${path}.${process.pid}.aside`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== dead) linkSync(aside, path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'EEXIST')) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function livingHolder(text: string): number | undefined {
  const [pidText = '', startTime = ''] = text.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid || !isAlive(pid)) return undefined;
  // A pid is used again after a reboot or in a restarted container; its start time is not.
  const startTimeNow = startTimeOf(pid);
  return startTime !== '' && startTimeNow !== undefined && startTimeNow !== startTime ? undefined : pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isErrno(error, 'ESRCH');
  }
}

/** Field 22 of /proc/PID/stat with the boot's id; undefined where there is no /proc. A zombie holds nothing and counts as gone. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return 'gone';
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${fields[19] ?? ''}`;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
