import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askRaw } from '../../../test/contract/store-kit.ts';
import type { TestStore } from '../../../test/fixtures/test-store.ts';
import { startTestStore } from '../../../test/fixtures/test-store.ts';

const sourceMain = fileURLToPath(new URL('./main.ts', import.meta.url));

async function runUntilItEnds(...args: string[]): Promise<{ code: unknown; stderr: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', sourceMain, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = await once(child, 'close');
  return { code, stderr };
}

describe('the store process', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startTestStore();
  });
  afterAll(() => store.stop());
  const signal = () => AbortSignal.timeout(10_000);

  it('lets nobody but its own user open the socket', () => {
    if (!('socketPath' in store.at)) throw new Error('this store should be on a socket');
    expect(statSync(store.at.socketPath).mode & 0o777).toBe(0o600);
  });

  it('is alone on its directory: a second one ends with one line that names the first', async () => {
    const { code, stderr } = await runUntilItEnds(
      '--data',
      store.directory,
      '--socket',
      join(store.directory, 'second.sock'),
    );
    expect([code, stderr]).toEqual([1, `trawl store: ${store.directory} is in use by pid ${store.pid}\n`]);
    expect(await store.client.rows({ sql: 'SELECT 1 AS x', signal: signal() })).toEqual([{ x: 1 }]);
  });

  it('says in one line which directory it cannot write to, and ends with 2', async () => {
    const notADirectory = join(store.directory, 'store.lock', 'data');
    const { code, stderr } = await runUntilItEnds('--data', notADirectory, '--socket', join(store.directory, 'x.sock'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^trawl store: cannot write to .*store\.lock\/data as uid \d+: ENOTDIR.*\n$/);
  });

  it('does not stay behind as an orphan when its parent died before it could listen for that', async () => {
    const orphaned = await runUntilItEnds(
      '--data',
      join(store.directory, 'orphan'),
      '--socket',
      join(store.directory, 'o.sock'),
      '--parent',
      '1',
    );
    // SIGKILL of itself: no exit status.
    expect(orphaned).toEqual({ code: null, stderr: '' });
  });

  it('says that a socket path is too long', async () => {
    const long = join(store.directory, 'x'.repeat(120));
    const { code, stderr } = await runUntilItEnds('--data', store.directory, '--socket', long);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is longer than 107 bytes')]);
  });

  it('answers nothing of a query that failed in the middle of its answer', async () => {
    const failing = (setting: Record<string, number>) =>
      store.client.bytes({
        sql: 'SELECT number FROM numbers(3000000)',
        format: 'RowBinary',
        signal: signal(),
        settings: setting,
      });
    for (const setting of [{ max_result_rows: 1_000_000 }, { max_result_bytes: 9_000_000 }]) {
      // Each of the sessions that read.
      await Promise.all(
        Array.from({ length: 12 }, () => expect(failing(setting)).rejects.toMatchObject({ code: 396 })),
      );
      // Nor is it kept, with its memory and its priority.
      const sql = "SELECT count() AS queries FROM system.processes WHERE query LIKE 'SELECT number %'";
      expect(await store.client.rows({ sql, signal: signal() })).toEqual([{ queries: '0' }]);
      const answers = await Promise.all(
        Array.from({ length: 12 }, () =>
          store.client.bytes({ sql: 'SELECT toUInt8(7)', format: 'RowBinary', signal: signal() }),
        ),
      );
      expect(answers.map((answer) => answer.toString('hex'))).toEqual(Array.from({ length: 12 }, () => '07'));
    }
  });

  it('removes the bodies of INSERTs, its own and those that a crash left behind', async () => {
    const bodies = join(store.directory, 'inserts');
    expect(readdirSync(bodies)).toEqual([]);
    await store.kill9();
    writeFileSync(join(bodies, '7.native'), 'left behind');
    await store.restart();
    expect(readdirSync(bodies)).toEqual([]);
  });

  it('dies of a crash at once, a query at work or not, and does not hang with the lock held', async () => {
    for (const crash of ['SIGABRT', 'SIGSEGV'] as const) {
      const leaving = new AbortController();
      const asked = store.client
        .rows({
          sql: 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 42',
          settings: { max_rows_to_read: 0, max_threads: 1 },
          timeoutMs: 60_000,
          signal: leaving.signal,
        })
        .catch((error: unknown) => error);
      await new Promise((wake) => setTimeout(wake, 100));
      process.kill(store.pid, crash);
      // The connection breaks only when the process is gone.
      expect(String(await asked)).toContain('cannot be reached');
      await store.restart();
    }
    expect(await store.client.rows({ sql: 'SELECT 1 AS x', signal: signal() })).toEqual([{ x: 1 }]);
  });

  it('takes over from a killed process and stops in order when told to', async () => {
    await store.kill9();
    await store.restart();
    await store.restart();
    expect(await store.client.rows({ sql: 'SELECT 1 AS x', signal: signal() })).toEqual([{ x: 1 }]);
  });

  it('sends an answer to its end when it is stopped meanwhile, however slowly that is read', async () => {
    if (!('socketPath' in store.at)) throw new Error('this store should be on a socket');
    const asked = request({ socketPath: store.at.socketPath, method: 'POST', path: '/', agent: false });
    asked.end("SELECT repeat('x', 100000) FROM numbers(40) FORMAT RawBLOB");
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    // Far more than the socket takes by itself: the rest waits in the process that is told to stop.
    const stopped = store.restart();
    await new Promise((wake) => setTimeout(wake, 200));
    let sizeBytes = 0;
    for await (const chunk of answer) sizeBytes += (chunk as Buffer).byteLength;
    expect(sizeBytes).toBe(4_000_000);
    await stopped;
  });

  it('leaves a socket alone on which another store answers', async () => {
    if (!('socketPath' in store.at)) throw new Error('this store should be on a socket');
    const { code, stderr } = await runUntilItEnds(
      '--data',
      join(store.directory, 'another'),
      '--socket',
      store.at.socketPath,
    );
    expect({ code, said: stderr.trim().split('\n').at(-1) }).toEqual({
      code: 1,
      said: `trawl store: another process answers on the socket ${store.at.socketPath}; name another one`,
    });
    expect(await store.client.rows({ sql: 'SELECT 1 AS x', signal: signal() })).toEqual([{ x: 1 }]);
  });

  it('answers no route but its own', async () => {
    expect(await askRaw(store.at, { path: '/play' })).toMatchObject({ status: 404 });
    expect(await askRaw(store.at, { path: '/?database=system', body: 'SELECT 1' })).toMatchObject({ code: '36' });
    expect(await askRaw(store.at, { path: '/?query=SELECT%201' })).toMatchObject({ status: 200, text: '1\n' });
    expect(await askRaw(store.at, { path: '/?query=SELECT&default_format=JSONEachRow', body: '2 AS x' })).toMatchObject(
      {
        text: '{"x":2}\n',
      },
    );
  });

  it('refuses a query longer than it takes', async () => {
    const answer = await askRaw(store.at, { path: '/', body: `SELECT 1 /*${'x'.repeat(5_000_000)}*/` }).catch(
      // The answer can be lost when the connection closes while the rest is still being sent.
      (error: unknown) => error,
    );
    if (!(answer instanceof Error)) expect(answer).toMatchObject({ code: '62' });
    expect(await store.client.rows({ sql: 'SELECT 1 AS x', signal: signal() })).toEqual([{ x: 1 }]);
  });
});

describe('a store that listens', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startTestStore({ overTcp: true, withoutSchema: true });
  });
  afterAll(() => store.stop());

  it('answers nothing but a ping without the token, and never says the token', async () => {
    if (!('url' in store.at)) throw new Error('this store should listen');
    for (const token of ['', 'wrong']) {
      const answer = await askRaw({ url: store.at.url, token }, { path: '/', body: 'SELECT 1' });
      expect(answer).toMatchObject({ status: 403, code: '516' });
      expect(answer.text).not.toContain(store.at.token);
    }
    expect((await fetch(`${store.at.url}/ping`)).status).toBe(200);
  });

  it('answers the pings of strangers, and goes on ending the queries of clients that leave', async () => {
    const { at } = store;
    if (!('url' in at)) throw new Error('this store should listen');
    const leave = new AbortController();
    const slow = {
      sql: 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 42',
      settings: { max_rows_to_read: 0, max_threads: 1 },
      timeoutMs: 60_000,
      signal: leave.signal,
    };
    const left = Promise.allSettled(Array.from({ length: 4 }, () => store.client.rows(slow)));
    const ping = async () => (await fetch(`${at.url}/ping?engine`)).status;
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        if (index === 20) leave.abort();
        return ping();
      }),
    );
    expect(new Set(answers)).toEqual(new Set([200]));
    await left;
    // All four readers were at work: an answer needs one of them back.
    expect(await store.client.rows({ sql: 'SELECT 1 AS x', signal: AbortSignal.timeout(10_000) })).toEqual([{ x: 1 }]);
    expect(await ping()).toBe(200);
  });
});
