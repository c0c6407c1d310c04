/** A disk that is full: nothing is acknowledged that cannot be kept, queries go on, and so does everything once there is room. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { isRoot, judgeSpans, metricOf, nothingWrong, startLoad, waitFor } from './agent-tools.ts';

// Whole agents on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const canMount = isRoot && process.platform === 'linux';
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A small file system of its own, mounted for as long as a test. */
async function mountSmallDisk(sizeMebibytes: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'trawl-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMebibytes}m`, 'tmpfs', directory]);
  expect(mounted.status, String(mounted.stderr)).toBe(0);
  await chmod(directory, 0o700);
  cleanups.push(async () => {
    spawnSync('umount', ['-l', directory]);
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Takes all the room that is left. */
async function fill(directory: string): Promise<() => Promise<void>> {
  const ballast = join(directory, 'ballast');
  const file = await open(ballast, 'w');
  try {
    for (const size of [1024 * 1024, 4096]) {
      const chunk = Buffer.alloc(size);
      const isFull = async () => {
        try {
          await file.write(chunk);
          return false;
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return true;
          throw error;
        }
      };
      while (!(await isFull()));
    }
  } finally {
    await file.close();
  }
  return () => rm(ballast);
}

const freeBytes = async (directory: string): Promise<number> => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

describe.skipIf(!canMount)('an agent on a disk that fills up (needs root for a small tmpfs)', () => {
  it('answers 503 with Retry-After, goes on answering queries, takes spans again within 5 s of there being room, and loses nothing', async () => {
    const disk = await mountSmallDisk(64);
    const agent: TestAgent = await startAgent({ dataDirectory: join(disk, 'data') });
    cleanups.push(agent.remove);
    await agent.ready();
    const load = startLoad(agent, { senders: 2, pauseMs: 2 });
    await waitFor('load', () => load.oracle.acknowledged > 1_000);
    await agent.flush();
    const storePid = agent.storePid();
    // Segments wait when the disk fills up, so that INSERTs meet it too.
    process.kill(storePid, 'SIGSTOP');
    const flushed = load.oracle.acknowledged;
    await waitFor('segments', () => load.oracle.acknowledged > flushed + 500);
    let makeRoom = await fill(disk);
    process.kill(storePid, 'SIGCONT');
    await waitFor('an INSERT that fails', async () => (await metricOf(agent, 'trawl_errors_total', '"store"')) > 0);
    await waitFor('a refusal', () => (load.answers[503] ?? 0) > 5);
    // Whatever the engine's merges give back is taken again.
    await makeRoom();
    makeRoom = await fill(disk);
    await sleep(1_500);
    const refused = await fetch(`${agent.url}/api/v2/spans`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: load.oracle.issue(2_000).body,
    });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.text()).toMatch(/no room on the disk/);
    const services = await agent.get('/api/v2/services');
    expect([services.status, JSON.parse(services.text).length]).toEqual([200, 5]);
    expect((await agent.get('/api/v1/query?query=up')).status).toBe(200);
    expect((await agent.get('/api/trawl/topology')).status).toBe(200);
    expect(await metricOf(agent, 'trawl_refused_items_total', 'reason="disk_full"')).toBeGreaterThan(0);
    expect(await freeBytes(disk)).toBeLessThan(4 * 1024 * 1024);

    const acknowledged = load.oracle.acknowledged;
    const roomAt = performance.now();
    await makeRoom();
    await waitFor('an acknowledgement', () => load.oracle.acknowledged > acknowledged + 100, 5_000);
    expect(performance.now() - roomAt).toBeLessThan(5_000);
    await load.stop();
    expect(Object.keys(load.answers).filter((status) => !['202', '503'].includes(status))).toEqual([]);
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
    expect(await metricOf(agent, 'trawl_spool_quarantined_segments')).toBe(0);
    expect(agent.storePid()).toBe(storePid);
  }, 60_000);

  it('starts on a full disk, says so to senders, and goes on when there is room', async () => {
    const disk = await mountSmallDisk(64);
    const agent: TestAgent = await startAgent({ dataDirectory: join(disk, 'data') });
    cleanups.push(agent.remove);
    await agent.ready();
    const load = startLoad(agent, { senders: 1 });
    await waitFor('load', () => load.oracle.acknowledged > 500);
    await load.stop();
    await agent.kill('SIGKILL');
    const makeRoom = await fill(disk);
    await agent.restart();
    const body = load.oracle.issue(50);
    const first = await agent.post('/api/v2/spans', body.body);
    if (first.status === 202) load.oracle.acknowledge(body.numbers);
    expect([202, 503]).toContain(first.status);
    await makeRoom();
    const more = load.oracle.issue(50);
    await waitFor('room', async () => (await agent.post('/api/v2/spans', more.body)).status === 202, 5_000);
    load.oracle.acknowledge(more.numbers);
    await agent.ready();
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
  }, 60_000);
});
