import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, 'check-installed.js');
const run = (file: string) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  return { status, said: stdout + stderr };
};

describe('a build', () => {
  it('says what to do next where the dependencies are not installed, and nothing where they are', () => {
    expect(run(script)).toEqual({ status: 0, said: '' });
    const elsewhere = mkdtempSync(join(tmpdir(), 'trawl-not-installed-'));
    try {
      writeFileSync(join(elsewhere, 'package.json'), '{"type":"module"}');
      copyFileSync(script, join(elsewhere, 'check-installed.js'));
      expect(run(join(elsewhere, 'check-installed.js'))).toEqual({
        status: 1,
        said: 'The dependencies are not installed. Run "npm ci" here first, then this command again.\n',
      });
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });
});
