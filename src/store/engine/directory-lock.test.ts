import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from './directory-lock.ts';

describe('the lock of a store directory', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'trawl-lock-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const path = () => join(directory, 'store.lock');

  it('names the process that holds it', () => {
    writeFileSync(path(), `${process.ppid}\n`);
    expect(lockDirectory(directory)).toEqual({ heldBy: process.ppid });
  });

  it('is taken over from a process that is gone, and from another that has got its pid since', () => {
    for (const leftover of ['4194303 \n', `${process.ppid} another-boot:1\n`, '', 'nonsense']) {
      writeFileSync(path(), leftover);
      const lock = lockDirectory(directory);
      if ('heldBy' in lock) throw new Error(`"${leftover}" was taken for a living holder`);
      expect(readFileSync(path(), 'utf8')).toMatch(new RegExp(`^${process.pid} `));
      lock.release();
    }
  });
});
