import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realClock } from '../../test/fixtures/fake-host.ts';
import type { StoreClient } from '../store/client.ts';
import { createHousekeeping } from '../store/housekeeping/housekeeping.ts';
import { createStoreClient } from '../store/http-client.ts';

const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url));
const token = 'shared-token';
const dayMs = 86_400_000;
const soon = () => AbortSignal.timeout(20_000);

describe('trawl store', () => {
  let home: string;
  let running: { child: ChildProcess; client: StoreClient; url: string } | undefined;

  const spawnStore = (...args: string[]) =>
    spawn(process.execPath, ['--import', 'tsx', mainFile, 'store', '--data', join(home, 'data'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
  const listen = async (...args: string[]): Promise<StoreClient> => {
    const child = spawnStore('--listen', '127.0.0.1:0', '--token-file', join(home, 'token'), ...args);
    child.stderr?.resume();
    const [ready] = await once(child, 'message', { signal: soon() });
    const url = String(Object.values(ready)[0]);
    const client = createStoreClient({ url, token });
    running = { child, client, url };
    return client;
  };
  const stop = async () => {
    if (running === undefined) return;
    const { child, client } = running;
    running = undefined;
    await client.close();
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  };
  const failing = async (...args: string[]) => {
    const child = spawnStore(...args);
    if (child.stderr === null) throw new Error('no stderr');
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    return { code, said };
  };
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'trawl-store-command-'));
    await writeFile(join(home, 'token'), token);
  });
  afterEach(async () => {
    await stop();
    await rm(home, { recursive: true, force: true });
  });

  it('keeps what agents share in order by its own retention, whatever an agent keeps', async () => {
    const write = await listen('--retention', '3d', '--retention-logs', '5d');
    const days = async (client: StoreClient) =>
      (
        await client.rows<{ age: number }>({
          sql: "SELECT toInt32(dateDiff('day', ts, now())) AS age FROM logs ORDER BY age",
          signal: soon(),
        })
      ).map(({ age }) => age);
    for (const age of [1, 4, 10])
      await write.command({
        sql: `INSERT INTO logs (ts, body) VALUES (now() - INTERVAL ${age} DAY, 'x')`,
        signal: soon(),
      });
    const agent = createHousekeeping({
      client: write,
      clock: realClock,
      log: pino({ level: 'silent' }),
      limits: { ageMs: { spans: 3_600_000, samples: 3_600_000, logs: 3_600_000 }, maxBytes: 'none' },
      as: { kind: 'elected', writer: 7 },
    });
    await agent.start();
    expect(agent.describe()).toBe('it is kept in order by the store itself');
    const keptDays = (signal: 'spans' | 'logs') =>
      Math.round((Date.now() - (agent.oldestAllowedMs(signal) ?? 0)) / dayMs);
    expect([keptDays('spans'), keptDays('logs')]).toEqual([3, 5]);
    await agent.stop();
    await stop();
    // A sweep is made at the start.
    const read = await listen('--retention', '3d', '--retention-logs', '5d');
    await expect.poll(() => days(read), { timeout: 20_000 }).toEqual([1, 4]);
  }, 60_000);

  it('refuses a retention that cannot be read, and one for a store that an agent keeps, by the option', async () => {
    const token = ['--token-file', join(home, 'token')];
    expect(await failing('--listen', '127.0.0.1:0', ...token, '--retention-spans', '3')).toEqual({
      code: 2,
      said: expect.stringContaining('--retention-spans must be a duration'),
    });
    expect(await failing('--socket', join(home, 's.sock'), '--max-bytes', '1GiB')).toEqual({
      code: 2,
      said: expect.stringContaining('retention is for --listen'),
    });
  }, 60_000);

  it('ends with one line when its address is taken, and gives its directory free', async () => {
    await listen();
    const port = new URL(running?.url ?? '').port;
    const other = join(home, 'other');
    const { code, said } = await failing(
      '--listen',
      `127.0.0.1:${port}`,
      '--token-file',
      join(home, 'token'),
      '--data',
      other,
    );
    expect({ code, said: said.trim().split('\n').at(-1) }).toEqual({
      code: 1,
      said: expect.stringContaining('EADDRINUSE'),
    });
    await expect(readFile(join(other, 'store.lock'))).rejects.toThrow('ENOENT');
  }, 60_000);
});
