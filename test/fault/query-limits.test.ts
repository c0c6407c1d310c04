/**
 * Queries that nobody should ask: each is answered, or meets a limit that its error names, while samples are taken in and small queries are
 * answered. `TRAWL_QUERY_TIMES=1` prints how long each took; times are told and not judged, since they are the machine's.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../fixtures/write-request.ts';
import { waitFor } from './agent-tools.ts';

/** `TRAWL_QUERY_SERIES=1000000` for the whole. */
const manySeries = Number(process.env['TRAWL_QUERY_SERIES'] ?? 30_000);
const stepMs = 15_000;
const steps = 240;
const endMs = Math.floor(Date.now() / 1000) * 1000;
const startMs = endMs - steps * stepMs;

let agent: TestAgent;
const told: Record<string, unknown>[] = [];

const writeHeaders = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
const write = async (series: readonly WriteSeries[]) =>
  (await agent.post('/api/v1/write', compress(encodeWriteRequest(series)), writeHeaders)).status;

const manyOf = (from: number, count: number): WriteSeries[] =>
  Array.from({ length: count }, (_, i) => ({
    labels: [
      ['__name__', `many_${(from + i) % 50}`],
      ['pod', `pod-${from + i}-7d9f8b6c5d`],
    ],
    samples: [[endMs - 1000, from + i]],
  }));

const fewOf = (): WriteSeries[] =>
  Array.from({ length: 100 }, (_, i) => ({
    labels: [
      ['__name__', 'few'],
      ['pod', `pod-${i}-${'a'.repeat(40)}`],
    ],
    samples: Array.from({ length: steps }, (__, step) => [startMs + step * stepMs, step * (i + 1)] as const),
  }));

/** What goes on meanwhile: the statuses of writes and of a small query. */
const meanwhile = { writes: new Set<number>(), small: new Set<string>(), writeMs: 0, smallMs: 0 };
let isOver = false;
let going: Promise<unknown>[] = [];

async function keepWriting(): Promise<void> {
  for (let n = 0; !isOver; n++) {
    const startedMs = performance.now();
    const samples = [[Date.now(), n]] as const;
    meanwhile.writes.add(await write([{ labels: [['__name__', 'meanwhile']], samples }]));
    meanwhile.writeMs = Math.max(meanwhile.writeMs, performance.now() - startedMs);
    await sleep(50);
  }
}

async function keepAsking(): Promise<void> {
  while (!isOver) {
    const startedMs = performance.now();
    const { status, text } = await agent.get('/api/v1/query?query=1%2B1');
    meanwhile.small.add(`${status} ${text.replace(/\[[\d.]+/, '[0')}`);
    meanwhile.smallMs = Math.max(meanwhile.smallMs, performance.now() - startedMs);
    await sleep(20);
  }
}

beforeAll(async () => {
  agent = await startAgent({ sets: ['store.retention=forever'] });
  await agent.ready();
  expect(await write(fewOf())).toBe(204);
  for (let from = 0; from < manySeries; from += 5000) {
    expect(await write(manyOf(from, Math.min(5000, manySeries - from)))).toBe(204);
  }
  await agent.flush();
  going = [keepWriting(), keepAsking()];
}, 300_000);

afterAll(async () => {
  isOver = true;
  await Promise.all(going);
  if (process.env['TRAWL_QUERY_TIMES'] !== undefined)
    for (const one of told) process.stdout.write(`${JSON.stringify(one)}\n`);
  await agent.remove();
});

async function ask(name: string, path: string, parameters: Record<string, string>) {
  meanwhile.writeMs = 0;
  meanwhile.smallMs = 0;
  const startedMs = performance.now();
  const form = new URLSearchParams(parameters).toString();
  const { status, text } = await agent.post(path, form, { 'content-type': 'application/x-www-form-urlencoded' });
  const said = status === 200 ? `${text.length} bytes` : text.slice(0, 300);
  const tookMs = Math.round(performance.now() - startedMs);
  const { writeMs, smallMs } = meanwhile;
  told.push({ name, status, tookMs, writeMs: Math.round(writeMs), smallMs: Math.round(smallMs), said });
  return `${status} ${said}`;
}

const instant = (query: string) => ask(query.slice(0, 80), '/api/v1/query', { query, time: `${endMs / 1000}` });
const range = (query: string, startS: number, step: string) =>
  ask(query.slice(0, 80), '/api/v1/query_range', { query, start: `${startS}`, end: `${endMs / 1000}`, step });

const tooMany = /^422 .*query processing would load too many samples into memory in query execution/;
const hourAgo = startMs / 1000;
/** An answer, or one of the limits that depend on how fast the machine is or on how many series there are. */
const bounded =
  /^(200 |422 .*(too many samples|selects more than \d+ series|same labelset)|503 .*(query timed out in query|\[store\] memory_limit))/;

const queries: readonly (readonly [query: string, answer: RegExp])[] = [
  ['rate(few[1000d])', /^200 /],
  ['quantile_over_time(0.9, few[1000d])', /^200 /],
  ['count_over_time(few[1y:1s])', tooMany],
  ['max_over_time(max_over_time(max_over_time(few[1d:1s])[1d:1s])[1d:1s])', tooMany],
  ['count_over_time(vector(1)[1y:1s])', tooMany],
  ['{__name__=~".+"}', bounded],
  ['rate({__name__=~".+"}[5m])', bounded],
  ['count_values("v", {__name__=~".+"})', bounded],
  ['topk(1000000, {__name__=~".+"})', bounded],
  ['sort_by_label({__name__=~".+"}, "pod")', bounded],
  ['few{pod=~"(a+)+$"}', /^200 /],
  [`few{pod=~"${'[\\\\pL\\\\pN]{1000}'}"}`, /^(200 |400 .*error parsing regexp)/],
  [
    `few{${Array.from({ length: 50 }, (_, i) => `a${i}=~"[\\\\pL\\\\pN]{${900 + i}}"`).join()}}`,
    /^400 .*the limit is 200000 characters/,
  ],
  [`few{pod=~"(${'ab'.repeat(5000)}){1000}"}`, /^400 .*the limit is 200000 characters/],
  ['label_replace(few, "x", "$1", "pod", "((a+)+)+$")', /^200 /],
  ['label_replace(few, "x", "$1", "pod", "(\\\\pL|\\\\pN|\\\\pS|\\\\pP){1000}")', /^200 /],
  [`label_replace(few, "x", "${'$0'.repeat(20_000)}", "pod", "(.*)")`, /^422 .*label of more than 65536 characters/],
  [
    `${'label_join('.repeat(40)}few${', "pod", "", "pod", "pod")'.repeat(40)}`,
    /^422 .*label of more than 65536 characters/,
  ],
  [`${'('.repeat(10_000)}1${')'.repeat(10_000)}`, /^400 .*nest/],
  [`${'-'.repeat(100_000)}1`, /^400 /],
  [Array.from({ length: 10_000 }, () => 'few').join(' or '), /^(200|400|422) /],
  [`1${' + 1'.repeat(262_000)}`, /^4(00|13) .*(longer than the limit|larger than)/],
];

describe('a query that nobody should ask', () => {
  it.each(queries.map(([query, answer]) => [query.slice(0, 80), query, answer] as const))(
    'is answered or told which limit it meets: %s',
    async (_, query, answer) => {
      expect(await instant(query)).toMatch(answer);
    },
    60_000,
  );

  it('asks for a point each millisecond of a year', async () => {
    const exceeded = /^400 .*exceeded maximum resolution of 11,000 points per timeseries/;
    expect(await range('few', hourAgo - 365 * 86_400, '0.001')).toMatch(exceeded);
  });

  it('asks for the most points of everything', async () => {
    expect(await range('rate({__name__=~".+"}[5m])', hourAgo, '1')).toMatch(bounded);
    expect(await range('sum by (pod) (quantile_over_time(0.5, few[1h]))', hourAgo, '1')).toMatch(/^(200|503) /);
  }, 60_000);

  it('lists with patterns that are too large', async () => {
    const selector = `{pod=~"(${'ab'.repeat(5000)}){1000}"}`;
    expect(await ask('match[]', '/api/v1/series', { 'match[]': selector })).toMatch(
      /^400 .*the limit is 400000 characters/,
    );
    expect(await ask('match[] of (a+)+$', '/api/v1/series', { 'match[]': '{pod=~"(a+)+$"}' })).toMatch(/^200 /);
  }, 60_000);

  it('lists all there is, several times at once', async () => {
    const all = { 'match[]': '{__name__=~".+"}' };
    const answered = /^(200|422|503) /;
    expect(await ask('all series', '/api/v1/series', all)).toMatch(answered);
    expect(await ask('all label names', '/api/v1/labels', all)).toMatch(/^200 /);
    const values = '/api/v1/label/pod/values';
    const { status } = await agent.get(`${values}?${new URLSearchParams(all)}`);
    expect(status).toBe(200);
    const several = await Promise.all(
      Array.from({ length: 8 }, (_, i) => ask(`all series, ${i + 1} of 8`, '/api/v1/series', all)),
    );
    for (const answer of several) expect(answer).toMatch(answered);
  }, 60_000);
});

describe('a client', () => {
  const path = (query: string, step: string) =>
    `/api/v1/query_range?${new URLSearchParams({ query, start: `${hourAgo}`, end: `${endMs / 1000}`, step })}`;

  it('that leaves in the middle takes its query with it, out of the engine too', async () => {
    for (let i = 0; i < 8; i++) {
      const leaving = new AbortController();
      const asked = fetch(agent.url + path(`max_over_time({__name__=~".+"}[${50 + i}m])`, '1'), {
        signal: leaving.signal,
      });
      await sleep(60);
      leaving.abort();
      await expect(asked.then((answer) => answer.text())).rejects.toThrow();
    }
    // All places are free again: what needs one is answered at once and not when somebody's time is over.
    expect(await range('sum(rate(few[5m]))', hourAgo, '1')).toMatch(/^200 /);
  }, 60_000);

  it('that reads slowly keeps no small query waiting', async () => {
    // All the places that large answers have.
    const slow = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const socket = connect({ host: '127.0.0.1', port: agent.port });
        socket.write(`GET ${path('few', '1')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
        // Only the beginning is read; the rest waits for its reader.
        await once(socket, 'readable');
        expect(String(socket.read(15))).toBe('HTTP/1.1 200 OK');
        return socket;
      }),
    );
    await sleep(300);
    expect(await instant('sum(few)')).toMatch(/^200 /);
    expect(await range('max(few)', hourAgo, '60')).toMatch(/^200 /);
    for (const socket of slow) {
      const closed = once(socket, 'close');
      socket.destroy();
      await closed;
    }
  }, 60_000);
});

describe('what goes on meanwhile', () => {
  it('is taken in and answered throughout', async () => {
    await waitFor('a write and a small query', () => meanwhile.writes.size > 0 && meanwhile.small.size > 0);
    expect([...meanwhile.writes]).toEqual([204]);
    expect([...meanwhile.small]).toEqual(['200 {"status":"success","data":{"resultType":"scalar","result":[0,"2"]}}']);
    expect(agent.output()).not.toMatch(/"level":(50|60)/);
  });
});
