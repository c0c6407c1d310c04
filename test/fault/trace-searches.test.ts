/** Searches that want everything, many at once, beside ingestion: what they cost is bounded, and nothing else suffers. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';

let agent: TestAgent;
const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');

/** Spans of traces that began in the last seconds. */
const spansOf = (firstTrace: number, traces: number, spansPerTrace: number, service: string) =>
  JSON.stringify(
    Array.from({ length: traces * spansPerTrace }, (_, i) => ({
      traceId: hex(firstTrace + Math.floor(i / spansPerTrace), 16),
      id: hex(i + 1, 16),
      name: `call ${i % 10}`,
      timestamp: (Date.now() - 5000) * 1000 + i,
      duration: 1000 + i,
      localEndpoint: { serviceName: service },
      tags: { 'http.status_code': '200', note: 'x'.repeat(200) },
    })),
  );

const post = async (body: string) =>
  (await agent.post('/api/v2/spans', body, { 'content-type': 'application/json' })).status;
const residentMiB = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.child.pid}/status`, 'utf8'))?.[1]) / 1024;

beforeAll(async () => {
  agent = await startAgent({ sets: ['query.max_waiting=20', 'query.timeout=25s'] });
  await agent.ready();
  for (let i = 0; i < 6; i++) expect(await post(spansOf(1 + i * 1000, 1000, 4, 'many'))).toBe(202);
  for (let i = 0; i < 10; i++) expect(await post(spansOf(1_000_000, 1, 11_000, 'large'))).toBe(202);
  await agent.flush();
}, 120_000);

afterAll(() => agent.remove());

describe('searches for traces', () => {
  it('that want everything give all there is, or say what is missing', async () => {
    const all = await agent.get('/api/v2/traces?serviceName=many&limit=2000000000&lookback=9000000000000000');
    expect(all.status).toBe(200);
    expect(JSON.parse(all.text)).toHaveLength(6000);
    expect(all.headers.get('x-trawl-incomplete')).toBeNull();
    const both = await agent.get('/api/v2/traces?limit=2000000000');
    expect(both.status).toBe(200);
    expect(JSON.parse(both.text)).toHaveLength(6000);
    expect(both.headers.get('x-trawl-incomplete')).toMatch(/too large to be among others; ask for it by its id/);
  }, 60_000);

  it('may have a hundred conditions', async () => {
    const conditions = Array.from({ length: 100 }, (_, i) => `http.status_code=20${i % 10 === 0 ? '0' : i}`).join(
      ' and ',
    );
    const { status } = await agent.get(
      `/api/v2/traces?annotationQuery=${encodeURIComponent(`${conditions} and note and call`)}`,
    );
    expect(status).toBe(200);
    const many = Array.from({ length: 100 }, (_, i) => `tag${i}=value`).join(' and ');
    expect(await agent.get(`/api/v2/traces?annotationQuery=${encodeURIComponent(many)}`)).toMatchObject({
      status: 200,
      text: '[]',
    });
  }, 60_000);

  it('are answered or refused when fifty come at once, and no span is refused meanwhile', async () => {
    const searches = Array.from({ length: 50 }, (_, i) =>
      agent.get(`/api/v2/traces?serviceName=many&limit=500&minDuration=${1000 + i}&annotationQuery=note`),
    );
    const posts: number[] = [];
    let isOver = false;
    const ingesting = (async () => {
      for (let i = 0; !isOver || i < 10; i++) posts.push(await post(spansOf(2_000_000 + i, 1, 100, 'meanwhile')));
    })();
    const answers = await Promise.all(searches);
    isOver = true;
    await ingesting;
    expect(new Set(posts)).toEqual(new Set([202]));
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.has(200)).toBe(true);
    for (const { status, headers } of answers) if (status === 503) expect(headers.get('retry-after')).toMatch(/^\d+$/);
    expect(residentMiB()).toBeLessThan(1500);
    expect((await agent.get('/api/v2/traces?serviceName=many&limit=1')).status).toBe(200);
  }, 120_000);
});
