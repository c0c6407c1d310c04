/** Clients that send as many spans as fit into a body, against a whole agent in a process of its own, beside one that behaves. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';

// A whole agent on a machine that may be busy: what is slow is no failure.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let agent: TestAgent;

beforeAll(async () => {
  agent = await startAgent();
  await agent.ready();
});

afterAll(async () => {
  await agent.remove();
});

const gzip = { 'content-encoding': 'gzip' };
const tinySpan = '{"traceId":"1","id":"1"}';
const bodyOf = (count: number, last = tinySpan) => gzipSync(`[${`${tinySpan},`.repeat(count - 1)}${last}]`);

const traceIdOf = (n: number) => 'a'.repeat(24) + n.toString(16).padStart(8, '0');

describe('an agent flooded with spans', () => {
  it('refuses a body of more spans than it takes, counts it, and serves others meanwhile', async () => {
    const floods = [
      bodyOf(1_600_000),
      // Its unusual last span is found late.
      bodyOf(1_600_000, '{"traceId":"1","id":"1","unknown":[1]}'),
      gzipSync(Buffer.alloc(40_000_000, Buffer.from('0a160a0800000000000000011a080000000000000001', 'hex'))),
      bodyOf(1_600_000),
    ];
    const types = ['application/json', 'application/json', 'application/x-protobuf', 'application/json'];
    const pathOf = (n: number) => (n === 3 ? '/api/v1/spans' : '/api/v2/spans');
    let isOver = false;
    const answers = Promise.all(
      floods.map((body, n) => agent.post(pathOf(n), body, { ...gzip, 'content-type': types[n] ?? '' })),
    ).finally(() => {
      isOver = true;
    });
    const statuses = new Set<number>();
    let longestMs = 0;
    for (let n = 1; !isOver || n < 20; n++) {
      const startedAt = performance.now();
      const id = String(n).padStart(16, '0');
      statuses.add((await agent.post('/api/v2/spans', `[{"traceId":"${id}","id":"${id}"}]`)).status);
      longestMs = Math.max(longestMs, performance.now() - startedAt);
    }
    process.stdout.write(`${JSON.stringify({ spanFloods: { longestMs: Math.round(longestMs) } })}\n`);
    const refused = await answers;
    // All at once may be more than all bodies together may take: those are told to come later.
    expect(refused.map(({ status }) => status).filter((status) => status !== 413 && status !== 429)).toEqual([]);
    const told = refused.filter(({ status }) => status === 413);
    expect(told.length).toBeGreaterThan(0);
    for (const { text } of told) expect(text).toContain('max_spans');
    expect(statuses).toEqual(new Set([202]));
    const { text: metrics } = await agent.get('/metrics');
    const counted = /_refused_[a-z_]*total\{[^}]*component="inputs.zipkin"[^}]*reason="over_limit"[^}]*\} (\d+)/.exec(
      metrics,
    );
    expect(Number(counted?.[1])).toBe(told.length);
  });

  it('keeps as many spans in one body as it says it takes, each once', async () => {
    const count = 100_000;
    const span = (n: number) => `{"traceId":"${traceIdOf(n)}","id":"${(n + 1).toString(16)}"}`;
    const body = gzipSync(`[${Array.from({ length: count }, (_, n) => span(n)).join(',')}]`);
    expect((await agent.post('/api/v2/spans', body, gzip)).status).toBe(202);
    await agent.post('/api/trawl/flush', '');
    for (const n of [0, 4095, 4096, count - 1]) {
      const id = traceIdOf(n);
      const { text } = await agent.get(`/api/v2/trace/${id}`);
      expect(text.match(/"traceId"/g) ?? text).toHaveLength(1);
    }
  });
});
