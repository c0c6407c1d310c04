/** A canary for each secret of a configuration, searched for in everything that an agent shows or writes. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { runTrawl, startBackend, waitFor } from './agent-tools.ts';

// Whole agents on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Recognisable, and nothing that the program would make by itself. */
const canary = (name: string) => `canary-${createHash('sha256').update(name).digest('hex').slice(0, 20)}`;
const secrets = {
  queryToken: canary('query token'),
  outputHeader: canary('output header'),
  scrapeToken: canary('scrape token'),
  fromEnvironment: canary('environment'),
  fromFile: canary('file'),
  storeToken: canary('store token'),
};
const all = Object.values(secrets);

const expectNone = (where: string, text: string) => {
  expect(
    all.filter((secret) => text.includes(secret) || text.includes(Buffer.from(secret).toString('base64').slice(0, 30))),
    where,
  ).toEqual([]);
};

let home: string;
let agent: TestAgent;
let backend: Awaited<ReturnType<typeof startBackend>>;
let configuration: Record<string, string>;
/** What the backend and the target were sent: the secrets must arrive there, or the rest would prove nothing. */
const arrived = new Set<string>();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'trawl-secrets-'));
  await writeFile(join(home, 'token'), `${secrets.fromFile}\n`);
  backend = await startBackend((request, response) => {
    for (const value of Object.values(request.headers)) arrived.add(String(value).replace('Bearer ', ''));
    request.resume();
    // A backend that repeats what it was sent, and refuses it.
    response.writeHead(401, { 'x-echo': String(request.headers['authorization'] ?? '') });
    response.end(`no such token: ${request.headers['authorization'] ?? ''} ${request.headers['x-key'] ?? ''}\n`);
  });
  const url = `http://127.0.0.1:${backend.port}`;
  configuration = {
    'trawl.conf': `[http]\n  query_tokens = ["${secrets.queryToken}", { env = "CANARY_TOKEN" }]\n[log]\n  level = "trace"\n`,
    'zipkin.conf': '[[inputs.zipkin]]\n',
    'prom.conf': `[[inputs.prom]]\n  url = "${url}/metrics"\n  source = "x"\n  interval = "1s"\n  [inputs.prom.auth]\n    type = "bearer_token"\n    token = "${secrets.scrapeToken}"\n`,
    'out.conf': `[[outputs.zipkin]]\n  url = "${url}/api/v2/spans"\n  [outputs.zipkin.headers]\n    Authorization = "Bearer ${secrets.outputHeader}"\n    X-Key = { file = "${join(home, 'token')}" }\n`,
  };
  agent = await startAgent({ files: configuration, environment: { CANARY_TOKEN: secrets.fromEnvironment } });
  await agent.ready();
});

afterAll(async () => {
  await agent.remove();
  await backend.close();
  await rm(home, { recursive: true, force: true });
});

async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('the secrets of a configuration', () => {
  it('reach whom they are for, and are in no log, metric, status, error, or file of the agent', async () => {
    const span = JSON.stringify([{ traceId: '0000000000000001', id: '0000000000000002', name: 'x' }]);
    expect((await agent.post('/api/v2/spans', span)).status).toBe(202);
    await waitFor('the secrets to be sent', () =>
      [secrets.outputHeader, secrets.scrapeToken, secrets.fromFile].every((secret) => arrived.has(secret)),
    );
    await agent.flush();
    const withTokens = { authorization: `Bearer ${secrets.queryToken}` };
    for (const [method, path] of [
      ['GET', '/metrics'],
      ['GET', '/api/trawl/status'],
      ['GET', '/-/ready'],
      ['GET', '/'],
      ['GET', '/api/v2/services'],
      ['GET', '/api/v1/query?query=('],
      ['GET', '/no/such/path'],
      ['POST', '/api/v2/spans'],
      ['POST', '/-/reload'],
    ] as const) {
      const answer = await fetch(agent.url + path, {
        method,
        headers: withTokens,
        ...(method === 'POST' ? { body: '{' } : {}),
      });
      expectNone(path, `${await answer.text()}${JSON.stringify([...answer.headers])}`);
    }
    // What a foreign page shows as its token, right or wrong, is not repeated either.
    const stranger = await fetch(`${agent.url}/api/v2/services`, {
      headers: { authorization: `Bearer ${secrets.queryToken}x`, origin: 'http://evil.example' },
    });
    expectNone('a refusal', await stranger.text());

    await writeFile(
      join(agent.configDirectory, 'broken.conf'),
      `[[inputs.prom]]\n  tokenn = "${secrets.scrapeToken}"\n`,
    );
    agent.child.kill('SIGHUP');
    await waitFor('the log of the reload', () => agent.output().includes('the old one stays'));
    expectNone('a refused reload', (await agent.post('/-/reload', '')).text);
    process.kill(agent.storePid(), 'SIGKILL');
    await waitFor('the log of the store', () => agent.output().includes('SIGKILL'));
    await agent.ready();
    await agent.kill('SIGTERM');
    expectNone('its standard output and error at level trace', agent.output());
    for (const file of await filesUnder(agent.dataDirectory))
      expectNone(file, (await readFile(file)).toString('latin1'));
  });

  it('do not come back from a store at a URL that repeats the token it was sent', async () => {
    const seen = new Set<string>();
    const store = await startBackend((request, response) => {
      const sent = Object.values(request.headers).map(String);
      for (const value of sent) seen.add(value);
      // Clients of ClickHouse send a password as it is or in Base64, by the header.
      const decoded = sent.map((value) => Buffer.from(value.replace('Basic ', ''), 'base64').toString('latin1'));
      request.resume();
      response.writeHead(403, { 'x-clickhouse-exception-code': '516' });
      response.end(
        `Code: 516. DB::Exception: no such user: ${[...sent, ...decoded].join(' ')}. (AUTHENTICATION_FAILED)\n`,
      );
    });
    const other = await startAgent({
      files: {
        'zipkin.conf': '[[inputs.zipkin]]\n',
        'trawl.conf': `[store]\n  url = "http://127.0.0.1:${store.port}"\n  token = "${secrets.storeToken}"\n[log]\n  level = "trace"\n`,
      },
    });
    try {
      await waitFor('an attempt', () => other.output().includes('The store is not ready'));
      expect([...seen].some((value) => value.includes(secrets.storeToken) || value.startsWith('Basic '))).toBe(true);
      for (const path of ['/-/ready', '/api/trawl/status', '/metrics', '/api/v2/services', '/api/v1/query?query=up'])
        expectNone(path, (await other.get(path)).text);
      await other.kill('SIGTERM');
      expectNone('its log', other.output());
    } finally {
      await other.remove();
      await store.close();
    }
  });

  it('are not shown by trawl check, whether the configuration is right or wrong', async () => {
    const environment = { CANARY_TOKEN: secrets.fromEnvironment };
    const checks = [
      {},
      { 'a.conf': `[[inputs.prom]]\n  tokenn = "${secrets.scrapeToken}"\n` },
      {
        'a.conf': `[[outputs.zipkin]]\n  url = "x"\n  [outputs.zipkin.headers]\n    "bad header" = "${secrets.outputHeader}"\n`,
      },
      { 'a.conf': `[http]\n  query_tokens = "${secrets.queryToken}"\n` },
      { 'a.conf': `[http]\n  query_tokens = ["${secrets.queryToken}"\n` },
      { 'a.conf': `[store]\n  token = "${secrets.fromFile}"\n` },
    ];
    for (const extra of checks) {
      const directory = await mkdtemp(join(home, 'check-'));
      for (const [name, text] of Object.entries({ ...configuration, ...extra }))
        await writeFile(join(directory, name), text);
      const { code, output, errors } = await runTrawl(['check', '--config', directory], { environment });
      expect(code).toBe(Object.keys(extra).length === 0 ? 0 : 1);
      expectNone(JSON.stringify(extra), output + errors);
    }
  });
});
