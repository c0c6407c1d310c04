import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStoreClient } from './http-client.ts';
import type { Supervisor, SupervisorOptions } from './supervisor.ts';
import { createSupervisor } from './supervisor.ts';

const sourceMain = fileURLToPath(new URL('./engine/main.ts', import.meta.url));
const supervisorSource = new URL('./supervisor.ts', import.meta.url).href;

describe('the supervisor of the store process', () => {
  let home: string;
  let supervisor: Supervisor | undefined;
  const events: string[] = [];
  const lines: string[] = [];
  const note = (fields: object, message: string) => lines.push(`${message} ${JSON.stringify(fields)}`);

  const supervise = (options: Partial<SupervisorOptions> = {}) => {
    supervisor = createSupervisor({
      command: [process.execPath, '--import', 'tsx', sourceMain],
      directory: join(home, 'data'),
      log: { info: note, warn: note, error: note },
      backoff: { initialMs: 20, maxMs: 200 },
      pingIntervalMs: 100,
      pingTimeoutMs: 300,
      onDown: () => events.push('down'),
      onReady: () => events.push('ready'),
      ...options,
    });
    return supervisor;
  };
  const until = async (isTrue: () => boolean) => {
    for (let attempt = 0; attempt < 600 && !isTrue(); attempt++) await new Promise((wake) => setTimeout(wake, 25));
    expect(isTrue(), lines.join('\n')).toBe(true);
  };
  const signal = () => AbortSignal.timeout(15_000);

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'trawl-supervisor-'));
    events.length = 0;
    lines.length = 0;
  });
  afterEach(async () => {
    await supervisor?.stop(3_000);
    await rm(home, { recursive: true, force: true });
  });

  it('starts the store, stops it in order and starts it again', async () => {
    const store = supervise();
    expect(store.health()).toMatchObject({ state: 'stopped' });
    for (let round = 0; round < 2; round++) {
      await store.start(signal());
      expect(store.health()).toMatchObject({ state: 'ready', restarts: 0, text: 'the store answers' });
      await store.stop(3_000);
      await store.stop(3_000);
      expect(store.health()).toMatchObject({ state: 'stopped', restarts: 0 });
    }
    expect(lines.some((line) => line.includes('the store is open'))).toBe(true);
    expect(events).toEqual(['ready', 'ready']);
  });

  it('starts a killed store anew, says so, and a client with kept connections goes on', async () => {
    const store = supervise();
    await store.start(signal());
    const client = createStoreClient({ socketPath: store.socketPath });
    await client.command({ sql: 'CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a', signal: signal() });
    for (let round = 1; round <= 2; round++) {
      const { pid } = store.health();
      process.kill(pid ?? 0, 'SIGKILL');
      await until(() => store.health().restarts === round && store.health().state === 'ready');
      expect(store.health().text).toContain('SIGKILL');
      expect(
        await client.rows({
          sql: 'SELECT name FROM system.tables WHERE database = currentDatabase()',
          signal: signal(),
        }),
      ).toEqual([{ name: 't' }]);
    }
    expect(events).toEqual(['ready', 'down', 'ready', 'down', 'ready']);
    await client.close();
  });

  it('kills a store that hangs and starts it anew', async () => {
    const store = supervise();
    await store.start(signal());
    process.kill(store.health().pid ?? 0, 'SIGSTOP');
    await until(() => store.health().restarts === 1 && store.health().state === 'ready');
    expect(store.health().text).toContain('it answered no pings');
  });

  it('starts a store anew that has grown above its memory', async () => {
    const store = supervise({ maxRssBytes: 1024 * 1024 });
    await store.start(signal());
    await until(() => store.health().restarts >= 1 && store.health().state === 'ready');
    expect(lines.some((line) => line.includes('larger than it may be'))).toBe(true);
  });

  it('says why a store does not start, and gives up waiting when told to', async () => {
    const script = "process.stderr.write('data is in use by pid 7\\n'); process.exitCode = 1";
    const store = supervise({ command: [process.execPath, '-e', script, '--'] });
    await expect(store.start(AbortSignal.timeout(1_000))).rejects.toThrow('in use by pid 7');
    expect(store.health().text).toContain('it ended with code 1 (data is in use by pid 7)');
    await store.stop(1_000);
    const missing = supervise({ command: [join(home, 'no-such-program')] });
    await expect(missing.start(AbortSignal.timeout(500))).rejects.toThrow('could not be started');
  });

  it('says so when the program cannot even be called', async () => {
    // Longer than Linux takes an argument.
    const store = supervise({ command: [process.execPath, '-e', 'x'.repeat(200_000)] });
    await expect(store.start(AbortSignal.timeout(500))).rejects.toThrow('could not be started: spawn E2BIG');
    expect(store.health().restarts).toBeGreaterThan(0);
    await store.stop(1_000);
  });

  it('runs one store, however it is started and stopped', async () => {
    const started = () => lines.filter((line) => line.includes('the store is open')).length;
    const store = supervise();
    await store.start(signal());
    const { pid } = store.health();
    const stopped = [store.stop(3_000), store.stop(3_000)];
    await expect(store.start(signal())).rejects.toThrow('wait until it has stopped');
    await Promise.all(stopped);
    expect(isAlive(pid ?? 0)).toBe(false);
    await store.start(signal());
    await expect(store.start(signal())).rejects.toThrow('started already');
    expect([started(), store.health().restarts, store.health().state]).toEqual([2, 0, 'ready']);
  });

  it('ends the wait of whoever starts a store when it is stopped', async () => {
    const store = supervise({ command: [process.execPath, '-e', 'setInterval(() => {}, 1000)', '--'] });
    const start = store.start(new AbortController().signal);
    start.catch(() => undefined);
    await until(() => store.health().state === 'starting');
    await store.stop(1_000);
    await expect(start).rejects.toThrow('did not become ready');
    expect(store.health()).toMatchObject({ state: 'stopped', restarts: 0 });
  });

  it('starts a store anew whose standard error somebody else still holds', async () => {
    const store = supervise({ command: ['/bin/sh', '-c', 'sleep 8 >&2 & exit 3', '--'] });
    await expect(store.start(AbortSignal.timeout(4_000))).rejects.toThrow('it ended with code 3');
    expect(store.health().restarts).toBeGreaterThan(0);
    await store.stop(1_000);
  });

  it('does not outlive an agent that was killed', async () => {
    const script = `
      const { createSupervisor } = await import(${JSON.stringify(supervisorSource)});
      const log = { info() {}, warn() {}, error() {} };
      const command = ${JSON.stringify([process.execPath, '--import', 'tsx', sourceMain])};
      const store = createSupervisor({ command, directory: ${JSON.stringify(join(home, 'data'))}, log });
      await store.start(AbortSignal.timeout(15000));
      process.stdout.write(String(store.health().pid));`;
    const agent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [pid] = await once(agent.stdout, 'data');
    expect(isAlive(Number(pid))).toBe(true);
    agent.kill('SIGKILL');
    await until(() => !isAlive(Number(pid)));
    expect(await readdir(join(home, 'data'))).not.toContain('store.lock');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: gone.
    return false;
  }
}
