/** An agent with a small heap, given more than its store takes: it asks senders to wait, stays within its memory, and recovers. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { judgeSpans, nothingWrong, startLoad, waitFor } from './agent-tools.ts';

// Whole agents on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let agent: TestAgent | undefined;

afterEach(async () => {
  await agent?.remove();
  agent = undefined;
});

const smallHeap = { NODE_OPTIONS: '--max-old-space-size=256' };

const residentMebibytes = (pid: number | undefined): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;

describe.skipIf(process.platform !== 'linux')('an agent with a heap of 256 MiB', () => {
  it('answers 429 while its store takes nothing and its spool is full, does not grow, and takes everything again afterwards', async () => {
    agent = await startAgent({
      environment: smallHeap,
      sets: ['spool.max_bytes=4MiB', 'spool.max_segment_bytes=512KiB'],
    });
    await agent.ready();
    const storePid = agent.storePid();
    process.kill(storePid, 'SIGSTOP');
    const load = startLoad(agent, { senders: 32, spansPerBody: 200 });
    let largestMiB = 0;
    try {
      await waitFor('a refusal', () => (load.answers[429] ?? 0) > 20);
      for (let i = 0; i < 20; i++) {
        largestMiB = Math.max(largestMiB, residentMebibytes(agent.child.pid));
        await sleep(100);
      }
    } finally {
      process.kill(storePid, 'SIGCONT');
    }
    const acknowledged = load.oracle.acknowledged;
    await waitFor('an acknowledgement', () => load.oracle.acknowledged > acknowledged, 10_000);
    await load.stop();
    process.stdout.write(
      `${JSON.stringify({ smallHeap: { answers: load.answers, largestMiB: Math.round(largestMiB) } })}\n`,
    );
    expect(Object.keys(load.answers).filter((status) => !['202', '429'].includes(status))).toEqual([]);
    expect(largestMiB).toBeLessThan(450);
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
  });
});
