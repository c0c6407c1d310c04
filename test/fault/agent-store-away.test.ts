/** A store process that dies or hangs: intake goes on acknowledging, everybody is told, and afterwards everything is found once. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { judgeSpans, metricOf, nothingWrong, startLoad, waitFor } from './agent-tools.ts';

// Whole agents on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let agent: TestAgent | undefined;

afterEach(async () => {
  await agent?.remove();
  agent = undefined;
});

/** One query a dialect, with what its clients expect of an error. */
const dialects = [
  { name: 'Zipkin', path: '/api/v2/services', isError: (text: string) => text.includes('the store') },
  {
    name: 'Zipkin trace',
    path: `/api/v2/trace/${'a'.repeat(32)}`,
    isError: (text: string) => text.includes('the store'),
  },
  {
    name: 'Prometheus',
    path: '/api/v1/query?query=up',
    isError: (text: string) => {
      const { status, errorType, error } = JSON.parse(text);
      return status === 'error' && typeof errorType === 'string' && error.includes('the store');
    },
  },
  {
    name: 'Loki',
    path: `/loki/api/v1/query_range?query=${encodeURIComponent('{pod="x"}')}`,
    isError: (text: string) => text.includes('the store'),
  },
  { name: 'topology', path: '/api/trawl/topology', isError: (text: string) => text.includes('the store') },
] as const;

async function expectQueriesRefused(of: TestAgent): Promise<void> {
  for (const { name, path, isError } of dialects) {
    const startedAt = performance.now();
    const { status, text } = await of.get(path);
    expect([name, status], text).toEqual([name, 503]);
    expect(isError(text), `${name}: ${text}`).toBe(true);
    expect(performance.now() - startedAt, name).toBeLessThan(5_000);
  }
}

describe('an agent whose store process is killed', () => {
  it('goes on acknowledging, says so, and has everything once when the store is back', async () => {
    agent = await startAgent();
    const { storePid, get } = agent;
    await agent.ready();
    const load = startLoad(agent, { senders: 4 });
    let kills = 0;
    let killedPid: number | undefined;
    const said = new Set<string>();
    for (; kills < 3; kills++) {
      await waitFor('load', () => load.oracle.acknowledged > 500 * (kills + 1));
      const before = load.oracle.acknowledged;
      // The agent can say that it is ready before the line that names its new store has come through the pipe.
      killedPid = await waitFor('a living store', () => (storePid() === killedPid ? undefined : storePid()));
      process.kill(killedPid, 'SIGKILL');
      await waitFor('the news', async () => {
        const { status, text } = await get('/-/ready');
        if (status === 503) said.add(text);
        return status === 503;
      });
      await waitFor('acknowledged spans', () => load.oracle.acknowledged > before + 100);
      await agent.ready();
    }
    expect([...said].join()).toMatch(
      /the store is (down: it was ended by SIGKILL|starting anew because it was ended by SIGKILL)/,
    );
    expect(await metricOf(agent, 'trawl_store_restarts_total')).toBe(kills);
    await load.stop();
    expect(Object.keys(load.answers)).toEqual(['202']);
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
    const { components } = JSON.parse((await get('/api/trawl/status')).text);
    expect(components.find((each: { component: string }) => each.component === 'store')).toMatchObject({
      healthy: true,
      health: 'the store answers; it was restarted 3 times, last because it was ended by SIGKILL',
    });
  });
});

describe('an agent whose store process hangs', () => {
  it('goes on acknowledging, says within seconds that the store is silent, and answers queries with 503 instead of letting them hang', async () => {
    agent = await startAgent();
    const { get } = agent;
    await agent.ready();
    const load = startLoad(agent, { senders: 2, pauseMs: 2 });
    await waitFor('load', () => load.oracle.acknowledged > 200);
    const pid = agent.storePid();
    process.kill(pid, 'SIGSTOP');
    try {
      const ready = await waitFor('the news', async () => {
        const answer = await get('/-/ready');
        return answer.status === 503 ? answer : undefined;
      });
      expect(ready.text).toContain('the store has not answered for');
      expect(ready.headers.get('retry-after')).not.toBeNull();
      await expectQueriesRefused(agent);
      const before = load.oracle.acknowledged;
      await sleep(500);
      expect(load.oracle.acknowledged).toBeGreaterThan(before + 100);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await agent.ready();
    expect((await get('/api/v2/services')).status).toBe(200);
    await load.stop();
    expect(Object.keys(load.answers)).toEqual(['202']);
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
  });
});

describe('an agent whose store process cannot start', () => {
  it('says why, answers queries with 503, keeps what it is sent, and has it once the store can be opened', async () => {
    agent = await startAgent();
    await agent.ready();
    const load = startLoad(agent, { senders: 2 });
    await waitFor('load', () => load.oracle.acknowledged > 100);
    await load.stop();
    // What a broken disk or a foreign hand may do: the engine's directory is a file.
    await agent.kill('SIGKILL');
    const engine = `${agent.dataDirectory}/store/chdb`;
    await rename(engine, `${engine}.aside`);
    await writeFile(engine, '');
    await agent.restart();
    const more = load.oracle.issue(5);
    expect((await agent.post('/api/v2/spans', more.body)).status).toBe(202);
    load.oracle.acknowledge(more.numbers);
    const ready = await waitFor('a reason', async () => {
      const { status, text } = await (agent as TestAgent).get('/-/ready');
      return status === 503 && /ended with code/.test(text) ? text : undefined;
    });
    expect(ready).toContain('chdb');
    await expectQueriesRefused(agent);
    await rm(engine);
    await rename(`${engine}.aside`, engine);
    await agent.ready();
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
  });
});

describe('an agent whose shared store is away from its start on', () => {
  it('keeps what any store keeps, and has everything else come again in place of saying that it is kept', async () => {
    agent = await startAgent({
      files: {
        'trawl.conf': '[store]\nurl = "http://127.0.0.1:1"\nretention = "forever"\n',
        'zipkin.conf': '[[inputs.zipkin]]\n',
      },
    });
    const { post } = agent;
    const spanOf = (ageMs: number) =>
      JSON.stringify([{ traceId: 'a', id: 'b', timestamp: (Date.now() - ageMs) * 1000, duration: 1 }]);
    expect((await post('/api/v2/spans', spanOf(60_000))).status).toBe(202);
    const { status, text } = await post('/api/v2/spans', spanOf(7_200_000));
    expect([status, text]).toEqual([503, expect.stringContaining('may be older than the store keeps')]);
    expect(await metricOf(agent, 'trawl_refused_items_total', 'reason="retention_unknown"')).toBe(1);
  });
});
