/** How an agent ends: at full load, with a backend that is away, told twice, and with nobody to read what it prints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { judgeSpans, mainFile, nothingWrong, runTrawl, startBackend, startLoad, waitFor } from './agent-tools.ts';

// Whole agents on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let agent: TestAgent | undefined;
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await agent?.remove();
  agent = undefined;
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

describe('an agent that is told to stop', () => {
  it('ends with 0 at full load within 25 s, loses nothing it acknowledged, and refuses new connections instead of resetting them', async () => {
    agent = await startAgent();
    const { port } = agent;
    await agent.ready();
    const load = startLoad(agent, { senders: 16 });
    await waitFor('load', () => load.oracle.acknowledged > 2_000);
    const startedAt = performance.now();
    const ending = agent.kill('SIGTERM');
    const outcomes: string[] = [];
    let isOver = false;
    const knock = async () => {
      while (!isOver) {
        // A new connection that is accepted must be served; one that is not accepted must be refused.
        const socket = connect(port, '127.0.0.1');
        outcomes.push(
          await new Promise<string>((resolve) => {
            socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
            socket.once('connect', () => {
              socket.end();
              resolve('connected');
            });
          }),
        );
        socket.destroy();
        await sleep(5);
      }
    };
    const knocking = knock();
    expect(await ending).toBe(0);
    isOver = true;
    await Promise.all([knocking, load.stop()]);
    expect(performance.now() - startedAt).toBeLessThan(25_000);
    // The kernel resets whoever waits to be accepted at the very moment a listener closes; nobody after that.
    expect(outcomes.filter((outcome) => outcome === 'ECONNRESET').length).toBeLessThanOrEqual(1);
    expect(outcomes).toContain('ECONNREFUSED');
    // Senders whose connection was kept saw it closed between requests, never in the middle of an answer that said no.
    expect(Object.keys(load.answers).filter((status) => !['202', '503'].includes(status))).toEqual([]);
    await agent.restart();
    await agent.ready();
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
  });

  it('ends although the backend of an output takes connections and answers nothing, and keeps what it has for it', async () => {
    const received: number[] = [];
    let isAnswering = false;
    const backend = await startBackend((request, response) => {
      if (!isAnswering) return;
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        received.push(JSON.parse(Buffer.concat(chunks).toString()).length);
        response.writeHead(202).end();
      });
    });
    cleanups.push(backend.close);
    agent = await startAgent({
      files: {
        'zipkin.conf': '[[inputs.zipkin]]\n',
        'out.conf': `[[outputs.zipkin]]\n  url = "http://127.0.0.1:${backend.port}/api/v2/spans"\n  compression = "none"\n  timeout = "2s"\n`,
      },
    });
    const load = startLoad(agent, { senders: 2 });
    await waitFor('load', () => load.oracle.acknowledged > 200);
    await load.stop();
    expect(await agent.kill('SIGTERM')).toBe(0);
    const spools = await readdir(join(agent.dataDirectory, 'spool'));
    const kept = spools.find((name) => name.startsWith('zipkin-'));
    expect(
      (await readdir(join(agent.dataDirectory, 'spool', kept ?? ''))).filter((name) => name.endsWith('.seg')).length,
    ).toBeGreaterThan(0);
    isAnswering = true;
    await agent.restart();
    await waitFor('the kept spans', () => received.reduce((sum, count) => sum + count, 0) >= load.oracle.acknowledged);
  });

  it('ends at once when it is told twice, with everything acknowledged on disk', async () => {
    // A body that never ends keeps the first stop waiting.
    agent = await startAgent({ sets: ['http.request_timeout=60s'] });
    await agent.ready();
    const load = startLoad(agent, { senders: 4 });
    await waitFor('load', () => load.oracle.acknowledged > 400);
    const slow = connect(agent.port, '127.0.0.1');
    await once(slow, 'connect');
    slow.on('error', () => undefined);
    slow.write(
      'POST /api/v2/spans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[',
    );
    await sleep(100);
    const ended = once(agent.child, 'exit');
    agent.child.kill('SIGTERM');
    await sleep(300);
    expect(agent.child.exitCode).toBeNull();
    const toldAt = performance.now();
    agent.child.kill('SIGTERM');
    const [code] = await ended;
    expect(code).toBe(0);
    expect(performance.now() - toldAt).toBeLessThan(2_000);
    slow.destroy();
    await load.stop();
    await agent.restart();
    await agent.ready();
    expect(await judgeSpans(agent, load)).toMatchObject(nothingWrong);
  });

  it.each([1, 60, 150, 250, 400])(
    'ends by itself when Ctrl-C comes %i ms after its start, and leaves its directory free',
    async (delayMs) => {
      const home = await mkdtemp(join(tmpdir(), 'trawl-stop-'));
      cleanups.push(() => rm(home, { recursive: true, force: true }));
      const child = spawn(
        process.execPath,
        [mainFile, 'agent', '--data', join(home, 'data'), '--listen', '127.0.0.1:0'],
        {
          stdio: 'ignore',
        },
      );
      const ended = once(child, 'exit');
      await once(child, 'spawn');
      await sleep(delayMs);
      child.kill('SIGINT');
      const [code, signal] = await ended;
      // Before the program has read its own code Node ends by the signal.
      expect([0, null]).toContain(code);
      if (code === null) expect(signal).toBe('SIGINT');
      // Its directory is opened before its port: that it names the port says that the directory was free.
      const other = await startBackend((_request, response) => response.end());
      cleanups.push(other.close);
      const again = await runTrawl(['agent', '--data', join(home, 'data'), '--listen', `127.0.0.1:${other.port}`]);
      expect(again.errors).toContain('cannot listen on');
    },
  );
});

describe('an agent whose output nobody reads', () => {
  it('goes on taking spans when its standard output and error are closed', async () => {
    const home = await mkdtemp(join(tmpdir(), 'trawl-pipe-'));
    cleanups.push(() => rm(home, { recursive: true, force: true }));
    const child = spawn(
      process.execPath,
      [mainFile, 'agent', '--data', join(home, 'data'), '--listen', '127.0.0.1:0', '--set', 'log.level=trace'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    cleanups.push(async () => {
      child.kill('SIGKILL');
    });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const url = await waitFor('the agent', () => /takes data in at (http:\S+)/.exec(said)?.[1]);
    child.stdout.destroy();
    child.stderr.destroy();
    for (let i = 0; i < 5; i++) {
      const body = JSON.stringify([{ traceId: `000000000000000${i + 1}`, id: '0000000000000001', name: 'x' }]);
      const { status } = await fetch(`${url}/api/v2/spans`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
      expect(status).toBe(202);
      // Refused ones are logged, and so is the reload.
      await fetch(`${url}/-/reload`, { method: 'POST' });
      child.kill('SIGHUP');
      await sleep(50);
    }
    expect(child.exitCode).toBeNull();
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});
