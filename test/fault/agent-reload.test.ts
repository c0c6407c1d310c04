/** Reloads of a running agent: a new configuration whole or not at all, and what did not change does not notice. */
import { readdirSync } from 'node:fs';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createStoreClient } from '../../src/store/http-client.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { metricOf, startBackend, waitFor } from './agent-tools.ts';

// Whole agents on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const zipkin = '[[inputs.zipkin]]\n';
const span = (number: number) =>
  JSON.stringify([{ traceId: String(number).padStart(16, '0'), id: String(number).padStart(16, '0'), name: 'x' }]);

let agent: TestAgent;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  agent = await startAgent({ files: { 'zipkin.conf': zipkin, 'other.conf': '' } });
});

afterEach(async () => {
  await agent.remove();
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const write = (name: string, text: string) => writeFile(join(agent.configDirectory, name), text);

async function reload(): Promise<{ status: number; applied: boolean; changes?: string[]; problems?: string[] }> {
  const { status, text } = await agent.post('/-/reload', '');
  return { status, ...JSON.parse(text) };
}

const status = async (): Promise<Record<string, { healthy: boolean; health: string }>> => {
  const { components } = JSON.parse((await agent.get('/api/trawl/status')).text);
  return Object.fromEntries(components.map((each: { component: string }) => [each.component, each]));
};

const posts = async (path = '/api/v2/spans') => (await agent.post(path, span(1))).status;

describe('a reload that cannot be applied', () => {
  it('names file and line of a syntax error, keeps the old configuration, and applies the next one that is right', async () => {
    await write('other.conf', '# a comment\n[[inputs.zipkin\n');
    const refused = await reload();
    expect(refused).toMatchObject({ status: 400, applied: false });
    expect(refused.problems?.join()).toMatch(/other\.conf:2:\d+: /);
    expect(await metricOf(agent, 'trawl_config_last_reload_successful')).toBe(0);
    expect(await posts()).toBe(202);
    await write('other.conf', '');
    expect(await reload()).toMatchObject({ status: 200, applied: true, changes: [] });
    expect(await metricOf(agent, 'trawl_config_last_reload_successful')).toBe(1);
  });

  it('says the same on SIGHUP, in its log', async () => {
    await write('other.conf', '[[inputs.prom]]\n  intervall = "1s"\n');
    agent.child.kill('SIGHUP');
    const line = await waitFor('the log line', () =>
      agent
        .output()
        .split('\n')
        .find((each) => each.includes('the old one stays')),
    );
    expect(line).toContain('intervall');
    expect(await posts()).toBe(202);
    await write('other.conf', '[[inputs.zipkin]]\n  pathV1 = "/hup/v1"\n  pathV2 = "/hup/spans"\n');
    agent.child.kill('SIGHUP');
    await waitFor('the new input', async () => (await posts('/hup/spans')) === 202);
  });

  it('refuses a second input on a path that is taken, and neither loses the first nor starts the output beside it', async () => {
    const backend = await startBackend((_request, response) => response.writeHead(202).end());
    cleanups.push(backend.close);
    await write('other.conf', `${zipkin}[[outputs.zipkin]]\n  url = "http://127.0.0.1:${backend.port}/api/v2/spans"\n`);
    const refused = await reload();
    expect(refused).toMatchObject({ status: 400, applied: false });
    expect(refused.problems?.join()).toContain('/api/v2/spans');
    expect(await posts()).toBe(202);
    expect(Object.keys(await status())).not.toContain('outputs.zipkin');
  });

  it('says of a key that needs a restart that it does, and changes nothing else either', async () => {
    await write('trawl.conf', '[spool]\n  max_bytes = "2GiB"\n');
    await write('other.conf', '[[inputs.zipkin]]\n  pathV1 = "/more/v1"\n  pathV2 = "/more/spans"\n');
    const refused = await reload();
    expect(refused.status).toBe(400);
    expect(refused.problems?.join()).toMatch(/spool\.max_bytes cannot change while the agent runs/);
    expect(await posts('/more/spans')).toBe(404);
  });
});

describe('a reload that is applied', () => {
  it('exchanges what changed and does not touch what did not: a scraper ends no series, a tail keeps its place', async () => {
    let scrapes = 0;
    const target = createServer((_request, response) => {
      scrapes++;
      response.end(`scrapes_total ${scrapes}\n`);
    });
    target.listen(0, '127.0.0.1');
    await new Promise((resolve) => target.once('listening', resolve));
    cleanups.push(async () => {
      target.close();
      target.closeAllConnections();
    });
    const logs = join(agent.dataDirectory, '..', 'pods');
    const container = join(logs, 'default_web-1_0c0d', 'web');
    await mkdir(container, { recursive: true });
    await write(
      'same.conf',
      `[[inputs.prom]]\n  url = "http://127.0.0.1:${(target.address() as AddressInfo).port}/metrics"\n  source = "same"\n  interval = "1s"\n` +
        `[[inputs.container_logs]]\n  path = "${logs}"\n  scan_interval = "100ms"\n  poll_interval = "50ms"\n`,
    );
    expect((await reload()).changes).toEqual(['started inputs.prom', 'started inputs.container_logs']);
    let lines = 0;
    for (let round = 0; round < 4; round++) {
      const before = scrapes;
      for (let i = 0; i < 10; i++) {
        const stamp = new Date().toISOString().replace('Z', '000000Z');
        await appendFile(join(container, '0.log'), `${stamp} stdout F line ${lines++}\n`);
      }
      await write(
        'other.conf',
        `[[inputs.zipkin]]\n  pathV1 = "/round${round}/v1"\n  pathV2 = "/round${round}/spans"\n`,
      );
      const { changes } = await reload();
      expect(changes).toEqual([round === 0 ? 'started inputs.zipkin#2' : 'changed inputs.zipkin#2']);
      expect(await posts(`/round${round}/spans`)).toBe(202);
      if (round > 0) expect(await posts(`/round${round - 1}/spans`)).toBe(404);
      await waitFor('a scrape', () => scrapes > before);
    }
    await agent.ready();
    await agent.flush();
    // A scraper that is stopped by a reload marks its series as ended.
    const client = createStoreClient({ socketPath: join(agent.dataDirectory, 'store', 'store.sock') });
    cleanups.push(() => client.close());
    const samples = await client.rows<{ stale: number }>({
      sql: `SELECT reinterpretAsUInt64(v) = 0x7ff0000000000002 AS stale FROM samples WHERE metric = 'scrapes_total'`,
      signal: AbortSignal.timeout(10_000),
    });
    expect(samples.length).toBeGreaterThan(3);
    expect(samples.filter(({ stale }) => Number(stale) === 1)).toEqual([]);
    const query = encodeURIComponent('{pod="web-1"}');
    const found = await waitFor('all lines', async () => {
      const { data } = JSON.parse((await agent.get(`/loki/api/v1/query_range?query=${query}`)).text);
      const values = data.result.flatMap((each: { values: [string, string][] }) => each.values.map(([, line]) => line));
      return values.length >= lines ? values : undefined;
    });
    expect(found.sort()).toEqual(Array.from({ length: lines }, (_, i) => `line ${i}`).sort());
  });

  it('keeps what a removed output had not sent yet, and sends it when the output comes back', async () => {
    const received: string[] = [];
    let isUp = false;
    const backend = await startBackend((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        if (isUp) received.push(...JSON.parse(Buffer.concat(chunks).toString()).map(({ id }: { id: string }) => id));
        response.writeHead(isUp ? 202 : 503).end();
      });
    });
    cleanups.push(backend.close);
    const output = `[[outputs.zipkin]]\n  url = "http://127.0.0.1:${backend.port}/api/v2/spans"\n  compression = "none"\n`;
    await write('other.conf', output);
    expect((await reload()).changes).toEqual(['started outputs.zipkin']);
    for (let number = 1; number <= 20; number++)
      expect((await agent.post('/api/v2/spans', span(number))).status).toBe(202);
    await write('other.conf', '');
    expect((await reload()).changes).toEqual(['stopped outputs.zipkin']);
    expect((await agent.post('/api/v2/spans', span(21))).status).toBe(202);
    isUp = true;
    await write('other.conf', output);
    expect((await reload()).applied).toBe(true);
    await waitFor('the kept spans', () => received.length >= 20);
    expect(new Set(received).size).toBe(20);
  });

  it('takes a hundred reloads within ten seconds: the last one wins, and no file stays open', async () => {
    const openFiles = () => readdirSync(`/proc/${agent.child.pid}/fd`).length;
    await agent.ready();
    await posts();
    await reload();
    await sleep(300);
    const before = process.platform === 'linux' ? openFiles() : 0;
    const answers: Promise<unknown>[] = [];
    for (let number = 1; number <= 100; number++) {
      await write(
        'other.conf',
        `[[inputs.zipkin]]\n  pathV1 = "/number${number}/v1"\n  pathV2 = "/number${number}/spans"\n`,
      );
      if (number % 2 === 0) agent.child.kill('SIGHUP');
      else answers.push(reload());
      await sleep(40);
    }
    await Promise.all(answers);
    await waitFor('the last', async () => (await posts('/number100/spans')) === 202);
    expect(await posts('/number99/spans')).toBe(404);
    await rm(join(agent.configDirectory, 'other.conf'));
    expect((await reload()).changes).toEqual(['stopped inputs.zipkin#2']);
    if (process.platform === 'linux') await waitFor('the files to be closed', () => openFiles() <= before + 4);
    expect(agent.child.exitCode).toBeNull();
  });
});
