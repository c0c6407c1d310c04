/** Remote write by a client that nobody here wrote, through a real agent and out of its query API. */
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../fixtures/write-request.ts';

interface Timeseries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
}

const require = createRequire(import.meta.url);
const {
  pushTimeseries,
}: {
  pushTimeseries(
    series: readonly Timeseries[],
    options: {
      url: string;
      fetch: typeof fetch;
      labels?: Record<string, string>;
      headers?: Record<string, string>;
    },
  ): Promise<{ status: number; errorMessage?: string }>;
} = require('prometheus-remote-write');

let agent: TestAgent;
beforeAll(async () => {
  agent = await startAgent({
    files: { 'in.conf': '[[inputs.remote_write]]\n', 'trawl.conf': '[global_tags]\n  cluster = "east"\n' },
    sets: ['store.retention=forever', 'store.max_bytes=none'],
  });
  await agent.ready();
}, 60_000);
afterAll(() => agent.remove());

const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
const post = (series: readonly WriteSeries[], more: Record<string, string> = {}) =>
  agent.post('/api/v1/write', compress(encodeWriteRequest(series)), { ...headers, ...more });

async function query(text: string, timeMs: number): Promise<readonly { metric: unknown; values?: unknown }[]> {
  await agent.flush();
  const { text: body } = await agent.get(`/api/v1/query?query=${encodeURIComponent(text)}&time=${timeMs / 1000}`);
  return JSON.parse(body).data.result;
}

const nowMs = Math.floor(Date.now() / 1000) * 1000;

describe('remote write into a running agent', () => {
  it('takes what the package prometheus-remote-write sends, which does not sort its labels, with global tags', async () => {
    const sent = await pushTimeseries(
      [
        {
          labels: { zone: 'a', __name__: 'npm_total', job: 'batch' },
          samples: [
            { value: 1, timestamp: nowMs - 2000 },
            { value: 3.25, timestamp: nowMs - 1000 },
          ],
        },
      ],
      { url: `${agent.url}/api/v1/write`, fetch, labels: { service: 'x' }, headers: { 'Content-Encoding': 'snappy' } },
    );
    expect(sent).toMatchObject({ status: 204 });
    expect(await query('npm_total[1m]', nowMs)).toEqual([
      {
        metric: { __name__: 'npm_total', cluster: 'east', job: 'batch', service: 'x', zone: 'a' },
        values: [
          [nowMs / 1000 - 2, '1'],
          [nowMs / 1000 - 1, '3.25'],
        ],
      },
    ]);
  });

  it('counts what is sent twice once', async () => {
    const series: WriteSeries = {
      labels: [['__name__', 'twice_total']],
      samples: [
        [nowMs - 3000, 1],
        [nowMs - 2000, 2],
      ],
    };
    for (const _ of [1, 2, 3]) expect(await post([series])).toMatchObject({ status: 204 });
    const [found] = await query('twice_total[1m]', nowMs);
    expect(found?.values).toEqual([
      [nowMs / 1000 - 3, '1'],
      [nowMs / 1000 - 2, '2'],
    ]);
  });

  it('takes samples of 1970 where everything is kept for ever, and none of the far future', async () => {
    const series = (timestampMs: number): WriteSeries => ({
      labels: [['__name__', 'times_total']],
      samples: [[timestampMs, 7]],
    });
    expect(await post([series(5000)])).toMatchObject({ status: 204 });
    expect(await query('times_total[1m]', 10_000)).toHaveLength(1);
    const answer = await post([series(nowMs + 3_600_000)]);
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(/^out of bounds: .*1 more than 10 minutes ahead of the clock; 0 samples/);
  });

  it('answers version 2.0 and other encodings with 415', async () => {
    const type = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
    expect(await post([], { 'content-type': type })).toMatchObject({ status: 415 });
    const zstd = await post([], { 'content-encoding': 'zstd' });
    expect(zstd).toMatchObject({
      status: 415,
      text: 'Content-Encoding "zstd" is not understood; send one of snappy\n',
    });
  });
});

describe('samples behind a window', () => {
  it('are refused as too old, their neighbours kept', async () => {
    const narrow = await startAgent({
      files: { 'in.conf': '[[inputs.remote_write]]\n' },
      sets: ['store.out_of_order_window=1h'],
    });
    try {
      const body = encodeWriteRequest([
        {
          labels: [['__name__', 'late_total']],
          samples: [
            [nowMs - 7_200_000, 1],
            [nowMs, 2],
            [nowMs - 60_000, 3],
          ],
        },
      ]);
      const answer = await narrow.post('/api/v1/write', compress(body), headers);
      expect(answer.status).toBe(400);
      expect(answer.text).toMatch(/^too old sample: 1 older than .*; 2 samples of this request were kept\n$/);
    } finally {
      await narrow.remove();
    }
  }, 30_000);
});
