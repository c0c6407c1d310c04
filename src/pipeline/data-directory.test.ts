import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataDirectory } from './data-directory.ts';

const log = pino({ level: 'silent' });
const moduleUrl = new URL('./data-directory.ts', import.meta.url).href;
const root = fileURLToPath(new URL('../..', import.meta.url));

describe('a data directory', () => {
  let parent: string;
  let path: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    parent = await fs.mkdtemp(join(tmpdir(), 'data-'));
    path = join(parent, 'deep', 'data');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await fs.rm(parent, { recursive: true, force: true });
  });

  /** Another agent: a process that opens the directory, says what came of it, and stays. */
  async function startAgent(uid?: number): Promise<{ said: string; pid: number; kill(): Promise<void> }> {
    const script = `import { openDataDirectory } from ${JSON.stringify(moduleUrl)};
      const log = { warn() {} };
      openDataDirectory({ path: ${JSON.stringify(path)}, log }).then(
        (directory) => { console.log('open ' + directory.writer); setInterval(() => {}, 1000); },
        (error) => { console.log(error.message); });`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(uid && { uid }),
    });
    children.push(child);
    const said = await new Promise<string>((resolve) => {
      child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    return {
      said,
      pid: child.pid ?? 0,
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  it.skipIf(process.platform !== 'linux')(
    'is refused in a sentence where nothing can be made, as below /proc',
    async () => {
      for (const place of ['/proc/nowhere', '/proc/nowhere/data'])
        await expect(openDataDirectory({ path: place, log })).rejects.toThrow(
          /data directory .* choose another with --data/,
        );
    },
  );

  it('is made for its user alone and keeps its number', async () => {
    const first = await openDataDirectory({ path, log });
    expect((await fs.stat(path)).mode & 0o777).toBe(0o700);
    expect((await fs.stat(join(path, 'agent.json'))).mode & 0o777).toBe(0o600);
    await first.close();
    await first.close();
    await fs.chmod(path, 0o755);
    const second = await openDataDirectory({ path, log });
    expect(second.writer).toBe(first.writer);
    expect((await fs.stat(path)).mode & 0o777).toBe(0o700);
    await second.close();
    expect(await fs.readdir(path)).toEqual(['agent.json']);
  });

  it('is refused to a second agent, which is told by whom it is used', async () => {
    const directory = await openDataDirectory({ path, log });
    await expect(openDataDirectory({ path, log })).rejects.toThrow(`is in use by pid ${process.pid}; stop it`);
    expect((await startAgent()).said).toContain(`${path} is in use by pid ${process.pid};`);
    await directory.close();
  });

  it('is taken over from an agent that was killed, with its number', async () => {
    const killed = await startAgent();
    await expect(openDataDirectory({ path, log })).rejects.toThrow(`is in use by pid ${killed.pid};`);
    await killed.kill();
    const directory = await openDataDirectory({ path, log });
    expect(`open ${directory.writer}`).toBe(killed.said);
    await directory.close();
  });

  it('goes to exactly one of several agents that take it over at once', async () => {
    await (await startAgent()).kill();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => openDataDirectory({ path, log })));
    const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(opened).toHaveLength(1);
    await expect(openDataDirectory({ path, log })).rejects.toThrow('is in use by');
    for (const directory of opened) await directory.close();
  });

  it('draws a new number when it is a copy, and keeps that one', async () => {
    const original = await openDataDirectory({ path, log });
    await original.close();
    const copy = join(parent, 'copy');
    await fs.cp(path, copy, { recursive: true });
    const first = await openDataDirectory({ path: copy, log });
    expect(first.writer).not.toBe(original.writer);
    await first.close();
    const second = await openDataDirectory({ path: copy, log });
    expect(second.writer).toBe(first.writer);
    await second.close();
  });

  it('draws a new number when its identity is damaged, and refuses a newer format', async () => {
    await (await openDataDirectory({ path, log })).close();
    await fs.writeFile(join(path, 'agent.json'), '{"writer":');
    const directory = await openDataDirectory({ path, log });
    expect(directory.writer).toBeGreaterThan(0);
    await directory.close();
    await fs.writeFile(join(path, 'agent.json'), '{"format":2,"writer":5,"device":"1","inode":"1"}');
    await expect(openDataDirectory({ path, log })).rejects.toThrow('has format 2, this program reads format 1');
  });

  it('that is a file is called one', async () => {
    await fs.mkdir(join(parent, 'deep'));
    await fs.writeFile(path, '');
    await expect(openDataDirectory({ path, log })).rejects.toThrow(
      `data directory ${path} is a file; choose a directory with --data`,
    );
  });

  it('that cannot be written is named with the user', async () => {
    await fs.writeFile(join(parent, 'deep'), 'a file in the way');
    await expect(openDataDirectory({ path, log })).rejects.toThrow(
      /data directory .*data cannot be used by uid \d+: E/,
    );
  });

  it('that is read-only for the user is refused with its name and the user', async () => {
    await fs.mkdir(path, { recursive: true });
    for (const above of [parent, join(parent, 'deep')]) await fs.chmod(above, 0o755);
    await fs.chmod(path, 0o555);
    // Root may write everywhere: then the agent is somebody else.
    const uid = process.getuid?.() === 0 ? 65534 : undefined;
    const { said } = await startAgent(uid);
    expect(said).toMatch(
      /data directory .*data cannot be used by uid \d+: its lock cannot be made: EACCES; make it writable for that user/,
    );
  });

  it('may have a path longer than a socket address', async () => {
    path = join(parent, 'x'.repeat(100), 'y'.repeat(100));
    const directory = await openDataDirectory({ path, log });
    await expect(openDataDirectory({ path, log })).rejects.toThrow('is in use by pid');
    await directory.close();
  });
});
