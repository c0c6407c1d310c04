/**
 * The calls of Grafana, Kiali and Flagger to a whole agent and to a real Prometheus with the same samples: the one of the path, or which
 * PROMETHEUS names; otherwise skipped. What 2.42 and 3.x answer alike is asked.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { prometheusProgram } from '../fixtures/prometheus-program.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../fixtures/write-request.ts';

const program = prometheusProgram();
const endMs = Math.floor(Date.now() / 15_000) * 15_000 - 30_000;
const end = String(endMs / 1000);
const start = String(endMs / 1000 - 300);

const sent: readonly WriteSeries[] = [0, 1, 2].map((pod) => ({
  labels: [
    ['__name__', 'hits_total'],
    ['pod', `web-${pod}`],
    ['text', 'ä"\\\n<'],
  ],
  samples: Array.from({ length: 41 }, (_, i) => [endMs - (40 - i) * 15_000 - 7, 1000 + (pod + 0.1) * i * i] as const),
}));

let agent: TestAgent;
let peer: ChildProcess;
let peerUrl: string;
let directory: string;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function startPeer(): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), 'trawl-prometheus-'));
  const config = join(directory, 'prometheus.yml');
  await writeFile(config, 'global:\n  scrape_interval: 15s\n  scrape_timeout: 15s\n');
  const port = await freePort();
  peerUrl = `http://127.0.0.1:${port}`;
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    '--query.timeout=10s',
  ];
  peer = spawn(program ?? '', args, { stdio: 'ignore' });
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await fetch(`${peerUrl}/-/ready`).catch(() => undefined);
    if (answer?.status === 200) return;
    if (performance.now() > deadline) throw new Error('Prometheus did not become ready within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Answered {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

async function ask(url: string, path: string, form: Record<string, string> | undefined): Promise<Answered> {
  const answer = await fetch(`${url}/api/v1/${path}`, {
    headers: { 'accept-encoding': 'gzip' },
    ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
  });
  return { status: answer.status, type: answer.headers.get('content-type'), body: JSON.parse(await answer.text()) };
}

/** Messages that newer versions than the one beside us may word otherwise: ours are the newest one's. */
const newerWords: readonly (readonly [older: string, newer: string])[] = [
  ['Invalid time value for', 'invalid time value for'],
  ['1:1: parse error: no expression found', 'unknown position: parse error: no expression found'],
];

function normal(text: string): string {
  if (/^-?\d+\.\d{6,}$/.test(text)) return Number(text).toPrecision(9);
  return newerWords.reduce((worded, [older, newer]) => worded.replace(older, newer), text);
}

/** The same with every number of more than nine digits rounded, since in the last digits no two ways to add are alike, and in the newest words. */
const rounded = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (_key, each) => (typeof each === 'string' ? normal(each) : each));

/** Keys and types in place of values; of a list its first item's. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, shapeOf(each)]),
  );
}

const query = 'sum by (pod) (rate(hits_total[1m]))';
const selector = encodeURIComponent('{__name__="hits_total",pod=~"web-[12]"}');

describe.skipIf(program === undefined)('beside a real Prometheus, an agent', () => {
  beforeAll(async () => {
    agent = await startAgent({ files: { 'in.conf': '[[inputs.remote_write]]\n' }, sets: ['store.retention=15d'] });
    await Promise.all([agent.ready(), startPeer()]);
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
    for (const url of [agent.url, peerUrl]) {
      const body = compress(encodeWriteRequest(sent));
      expect((await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body })).status).toBe(204);
    }
    await agent.flush();
  }, 60_000);
  afterAll(async () => {
    const gone = once(peer, 'exit');
    peer.kill('SIGKILL');
    await gone;
    await rm(directory, { recursive: true, force: true });
    await agent.remove();
  });

  it.each<[string, Record<string, string>?]>([
    ['query', { query: '1+1', time: '4' }],
    ['query', { query, time: end }],
    ['query', { query: 'hits_total', time: end }],
    ['query', { query: 'hits_total[1m]', time: end }],
    ['query', { query: '"x"', time: end }],
    ['query', { query: 'hits_total', time: new Date(endMs).toISOString(), timeout: '5s' }],
    ['query', { query: 'rate(hits_total)' }],
    ['query', { query: '' }],
    ['query', { query: '1', timeout: 'x' }],
    ['query', { query: '1', time: 'x' }],
    ['query_range', { query, start, end, step: '15' }],
    ['query_range', { query, start, end, step: '1m' }],
    ['query_range', { query: 'hits_total > 1100', start, end, step: '7.5' }],
    ['query_range', { query: 'vector(1/3)', start: '0', end: '11000', step: '1' }],
    ['query_range', { query, start, end, step: '0' }],
    ['query_range', { query, start: end, end: start, step: '1' }],
    ['query_range', { query, start: '0', end, step: '1' }],
    ['query_range', { query, start: 'x', end, step: '1' }],
    ['labels', { start, end }],
    ['labels', { start, end, 'match[]': 'nobody' }],
    ['labels', { 'match[]': '{' }],
    [`label/pod/values?match[]=${selector}&start=${start}&end=${end}`],
    ['label/__name__/values'],
    ['series', { 'match[]': 'hits_total', start, end }],
    ['labels', { start: 'x' }],
    ['label/pod/values?match[]=up&match[]={}'],
    ['label/pod/values?end=x'],
    ['series', { 'match[]': '{' }],
    ['series', { 'match[]': 'up', start: 'x' }],
    ['series', {}],
    ['query_exemplars', { query: 'hits_total', start: 'x' }],
    ['query_exemplars', { query: 'hits_total', start: end, end: start }],
    ['query_exemplars', { query: '{' }],
    ['series', { 'match[]': '{pod=~".*"}' }],
    ['query_exemplars', { query: 'hits_total', start, end }],
    ['metadata'],
    ['rules'],
    ['rules?type=record'],
    ['rules?type=x'],
    ['alerts'],
    ['alertmanagers'],
  ])('answers %s %j as that does', async (path, form) => {
    const [ours, theirs] = await Promise.all([ask(agent.url, path, form), ask(peerUrl, path, form)]);
    expect(rounded(ours)).toEqual(rounded(theirs));
  });

  it.each(['status/buildinfo', 'status/config', 'status/tsdb', 'query?query=1&stats=all'])(
    'answers %s in the same shape',
    async (path) => {
      const [ours, theirs] = await Promise.all([ask(agent.url, path, undefined), ask(peerUrl, path, undefined)]);
      expect(shapeOf(ours)).toEqual(shapeOf(theirs));
    },
  );

  it('has every field of its runtimeinfo, and no flag that it has not', async () => {
    const [runtime, theirRuntime] = await Promise.all(
      [agent.url, peerUrl].map((url) => ask(url, 'status/runtimeinfo', undefined)),
    );
    expect(shapeOf(runtime)).toMatchObject({ ...Object(shapeOf(theirRuntime)) });
    const [flags, theirFlags] = await Promise.all(
      [agent.url, peerUrl].map((url) => ask(url, 'status/flags', undefined)),
    );
    expect(shapeOf(theirFlags)).toMatchObject({ ...Object(shapeOf(flags)) });
  });
});
