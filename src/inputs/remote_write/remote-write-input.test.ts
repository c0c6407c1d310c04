import { describe, expect, it } from 'vitest';
import { createFakeHost, createFakeIntake, realClock } from '../../../test/fixtures/fake-host.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../../../test/fixtures/write-request.ts';
import type { Accept } from '../../model/batch.ts';
import { RefusedError } from '../../pipeline/refusal.ts';
import { remoteWriteInput } from './index.ts';

const protobuf = 'application/x-protobuf';

async function start(config: Readonly<Record<string, unknown>> = {}, accept?: Accept) {
  const host = createFakeHost({ clock: realClock, name: 'inputs.remote_write' });
  const intake = createFakeIntake();
  const running = await remoteWriteInput.start(remoteWriteInput.config.parse(config), host, accept ?? intake.accept);
  const post = async (
    body: Buffer,
    { contentType = protobuf, path = '/api/v1/write' }: { contentType?: string; path?: string } = {},
  ) => {
    const route = host.ingestRoutes.find((each) => each.path === path);
    if (route === undefined) throw new Error(`no route ${path}`);
    const mediaType = contentType.split(';')[0] ?? '';
    const request = { path, mediaType, contentType, body, signal: AbortSignal.timeout(10_000) };
    const { status, body: text, retryAfterMs } = await route.handle(request);
    return { status, text: Buffer.from(text ?? '').toString(), retryAfterMs };
  };
  return { host, intake, running, post };
}

const seriesOf = (n: number, samples: WriteSeries['samples'] = [[1000, n]]): WriteSeries => ({
  labels: [
    ['__name__', 'requests_total'],
    ['n', String(n)],
  ],
  samples,
});
const bodyOf = (series: readonly WriteSeries[]) => compress(encodeWriteRequest(series));
const bad: WriteSeries = { labels: [['a', 'b']], samples: [[1, 1]] };

describe('the input remote_write', () => {
  it.each(['/api/v1/write', '/prom_remote_write'])('takes samples on %s and says so with 204', async (path) => {
    const { intake, host, post } = await start();
    expect(await post(bodyOf([seriesOf(1), seriesOf(2)]), { path })).toMatchObject({ status: 204, text: '' });
    expect(intake.kept).toHaveLength(1);
    expect(intake.kept[0]?.items).toHaveLength(2);
    expect(host.lost()).toBe(0);
    host.close();
  });

  it('keeps metadata that comes without samples, and hands nothing on where there is nothing', async () => {
    const { intake, post, host } = await start();
    const metadata = [{ type: 1, family: 'requests', help: 'All', unit: '' }];
    expect(await post(compress(encodeWriteRequest([], metadata)))).toMatchObject({ status: 204 });
    expect(intake.kept[0]).toMatchObject({ signal: 'samples', items: [], metadata: [{ family: 'requests' }] });
    expect(await post(bodyOf([]))).toMatchObject({ status: 204 });
    expect(intake.kept).toHaveLength(1);
    host.close();
  });

  it('keeps the good samples of a request, and refuses the others for good with reasons and counts', async () => {
    const { intake, host, post } = await start();
    const answer = await post(bodyOf([seriesOf(1), bad, { ...seriesOf(2), histograms: 2 }]));
    expect(answer).toMatchObject({
      status: 400,
      text: 'a series without a metric name (1 sample); native histograms are not stored; send classic ones (2 histograms); 2 samples of this request were kept\n',
    });
    expect(intake.kept[0]?.items).toHaveLength(2);
    expect(host.lost('malformed')).toBe(3);
    host.close();
  });

  it('does not fail a request for an exemplar, but counts it', async () => {
    const { host, post } = await start();
    const exemplars = [{ labels: [['x', 'y'.repeat(129)]] as const, value: 1, timestampMs: 1 }];
    expect(await post(bodyOf([{ ...seriesOf(1), exemplars }]))).toMatchObject({ status: 204 });
    expect(host.lost('malformed')).toBe(1);
    host.close();
  });

  it.each([
    ['older_than_retention', 'too old sample: 1 older'],
    ['too_far_ahead', 'out of bounds: 1 older'],
    ['over_limit', '1 older'],
  ] as const)('says in Prometheus’ words that samples were %s', async (reason, text) => {
    const cause = new RefusedError(reason, '1 older');
    const { post, host } = await start({}, async () => ({ kind: 'rejected', count: 1, cause }));
    const answer = await post(
      bodyOf([
        seriesOf(1, [
          [1, 1],
          [2, 2],
        ]),
      ]),
    );
    expect(answer).toMatchObject({ status: 400, text: `${text}; 1 sample of this request was kept\n` });
    host.close();
  });

  it.each([
    ['overloaded', 429],
    ['spool_full', 429],
    ['disk_full', 503],
    ['shutting_down', 503],
  ] as const)('asks to send again later when it is %s, and counts nothing of what was bad', async (reason, status) => {
    const cause = new RefusedError(reason, 'come again');
    const { host, post } = await start({}, async () => ({ kind: 'retry', afterMs: 3000, cause }));
    expect(await post(bodyOf([seriesOf(1), bad]))).toEqual({ status, text: 'come again\n', retryAfterMs: 3000 });
    expect(host.lost()).toBe(0);
    host.close();
  });

  it.each([
    ['text/plain', 'expected application/x-protobuf as the Content-Type, got "text/plain"\n'],
    [
      'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'io.prometheus.write.v2.Request is not taken, prometheus.WriteRequest is: send remote write 1.0\n',
    ],
  ])('refuses %s with 415, so that the sender falls back to version 1.0', async (contentType, text) => {
    const { host, post, intake } = await start();
    expect(await post(bodyOf([seriesOf(1)]), { contentType })).toMatchObject({ status: 415, text });
    expect(intake.offered).toEqual([]);
    expect(host.lost('malformed')).toBe(1);
    host.close();
  });

  it('takes version 1.0 by its name too', async () => {
    const { host, post } = await start();
    const contentType = 'application/x-protobuf;proto=prometheus.WriteRequest';
    expect(await post(bodyOf([seriesOf(1)]), { contentType })).toMatchObject({ status: 204 });
    host.close();
  });

  it('refuses bodies that are no snappy, no protobuf, too large once decompressed, or of too many samples', async () => {
    const { host, post } = await start({ inflated_limit: '4KiB', max_samples: 2 });
    expect(await post(Buffer.from('hello'))).toMatchObject({
      status: 400,
      text: expect.stringMatching(/^malformed snappy/),
    });
    expect(await post(compress(Buffer.from([0x0a, 99])))).toMatchObject({
      status: 400,
      text: expect.stringMatching(/^malformed protobuf at byte 2/),
    });
    expect(await post(compress(Buffer.alloc(5000)))).toMatchObject({ status: 413 });
    expect(
      await post(
        bodyOf([
          seriesOf(1, [
            [1, 1],
            [2, 2],
            [3, 3],
          ]),
        ]),
      ),
    ).toMatchObject({ status: 413 });
    expect([host.lost('malformed'), host.lost('body_too_large'), host.lost('over_limit')]).toEqual([2, 1, 1]);
    host.close();
  });

  it('reads small bodies between the steps of a large one without mixing them up', async () => {
    const { host, post, intake } = await start();
    const pad = 'x'.repeat(200);
    const large = Array.from({ length: 5000 }, (_, i): WriteSeries => {
      return {
        labels: [
          ['__name__', 'large'],
          ['n', `${pad}${i}`],
        ],
        samples: [[i, i]],
      };
    });
    const [answer, ...others] = await Promise.all([
      post(bodyOf(large)),
      ...Array.from({ length: 20 }, (_, n) => post(bodyOf([seriesOf(n)]))),
    ]);
    expect([answer, ...others].map((each) => each?.status)).toEqual(Array.from({ length: 21 }, () => 204));
    const items = intake.kept.flatMap((batch) => (batch.signal === 'samples' ? batch.items : []));
    const values = items.flatMap(({ series, samples }) =>
      series.labels[0]?.[1] === 'large' ? samples.map(({ value }) => [series.labels[1]?.[1], value]) : [],
    );
    expect(values).toEqual(large.map(({ labels }, i) => [labels[1]?.[1], i]));
    host.close();
  });

  it('takes DataKit’s key for its path, adds tags and leaves no route behind', async () => {
    const { host, post, running, intake } = await start({ path: '/prom_remote_write', tags: { cluster: 'east' } });
    expect(host.ingestRoutes.map(({ path }) => path)).toEqual(['/prom_remote_write']);
    await post(bodyOf([seriesOf(1)]), { path: '/prom_remote_write' });
    expect(intake.kept[0]).toMatchObject({
      items: [
        {
          series: {
            labels: [
              ['__name__', 'requests_total'],
              ['cluster', 'east'],
              ['n', '1'],
            ],
          },
        },
      ],
    });
    await running.stop(AbortSignal.timeout(1000));
    expect(host.ingestRoutes).toEqual([]);
    host.close();
  });
});
