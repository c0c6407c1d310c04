import { describe, expect, it } from 'vitest';
import { createControl, type EngineSession } from './engine.ts';
import { createEngineProbe } from './engine-probe.ts';

/** A session that answers when the test says so, and notices when it is given two queries at once. */
function createSlowSession() {
  const answers: (() => void)[] = [];
  const seen = { asked: Array.of<string>(), atWork: 0, mostAtWork: 0 };
  const session: EngineSession = {
    name: 'control',
    async run({ sql }) {
      seen.asked.push(sql);
      seen.mostAtWork = Math.max(seen.mostAtWork, ++seen.atWork);
      await new Promise<void>((answer) => answers.push(answer));
      seen.atWork--;
      return { bytes: new Uint8Array(), rowsRead: 0, bytesRead: 0 };
    },
  };
  const turn = () => new Promise((wake) => setImmediate(wake));
  return {
    session,
    seen,
    async answer() {
      await turn();
      answers.shift()?.();
      await turn();
    },
  };
}

describe('the control session', () => {
  it('is given one query at a time, in the order in which they came', async () => {
    const { session, seen, answer } = createSlowSession();
    const ask = createControl(session);
    const all = Promise.all(['SELECT 1', 'KILL QUERY a', 'KILL QUERY b'].map(ask));
    for (let i = 0; i < 3; i++) await answer();
    await all;
    expect(seen).toEqual({ asked: ['SELECT 1', 'KILL QUERY a', 'KILL QUERY b'], atWork: 0, mostAtWork: 1 });
  });

  it('keeps nobody waiting when the engine hangs, and is given nothing more until it has answered', async () => {
    const { session, seen, answer } = createSlowSession();
    const ask = createControl(session, { maxWaiting: 2, waitTimeoutMs: 20 });
    const asked = await Promise.allSettled(['1', '2', '3', '4'].map(ask));
    expect(asked.map((each) => (each.status === 'rejected' ? each.reason.code : 'answered'))).toEqual([
      159, 202, 202, 202,
    ]);
    expect(seen.asked).toEqual(['1']);
    await answer();
    const next = ask('5');
    await answer();
    await next;
    expect(seen).toEqual({ asked: ['1', '5'], atWork: 0, mostAtWork: 1 });
  });
});

describe('the probe of the engine', () => {
  it('asks once for all who want to know within a second, whatever the answer', async () => {
    let nowMs = 0;
    let checks = 0;
    const settle: { yes: () => void; no: (error: Error) => void }[] = [];
    const probe = createEngineProbe(
      () => {
        checks++;
        return new Promise((yes, no) => settle.push({ yes, no }));
      },
      () => nowMs,
    );
    const first = [probe(), probe()];
    nowMs = 5_000;
    first.push(probe());
    settle[0]?.yes();
    await Promise.all(first);
    nowMs = 5_999;
    await probe();
    expect(checks).toBe(1);
    nowMs = 6_000;
    const second = probe();
    settle[1]?.no(new Error('it hangs'));
    await expect(second).rejects.toThrow('it hangs');
    await expect(probe()).rejects.toThrow('it hangs');
    expect(checks).toBe(2);
  });
});
