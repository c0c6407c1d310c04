import { describe, expect, it } from 'vitest';
import { createFakeHost, createFakeIntake, realClock } from '../../../test/fixtures/fake-host.ts';
import { metricsInProtobuf, numberedMetrics } from '../../../test/fixtures/otlp-metrics.ts';
import { decodeExportMetricsServiceResponse, decodeRpcStatus } from '../../codec/otlp/otlp.generated.ts';
import { decodeMessage } from '../../codec/protobuf/wire-reader.ts';
import type { Accept } from '../../model/batch.ts';
import { RefusedError } from '../../pipeline/refusal.ts';
import { otlpInput } from './index.ts';
import { metricsExportPath } from './otlp-signal.ts';

const json = 'application/json';
const protobuf = 'application/x-protobuf';
const inJson = (request: object) => Buffer.from(JSON.stringify(request));

async function start(config: Readonly<Record<string, unknown>> = {}, accept?: Accept) {
  const host = createFakeHost({ clock: realClock, name: 'inputs.otlp' });
  const intake = createFakeIntake();
  await otlpInput.start(otlpInput.config.parse(config), host, accept ?? intake.accept);
  const routeOf = (path: string) => {
    const route = host.ingestRoutes.find((each) => each.path === path);
    if (route === undefined) throw new Error(`no route ${path}`);
    return route;
  };
  const post = async (mediaType: string, body: Buffer, path = '/v1/metrics') => {
    const answer = await routeOf(path).handle({ path, mediaType, body, signal: AbortSignal.timeout(10_000) });
    return { ...answer, body: Buffer.from(answer.body ?? '') };
  };
  return { host, intake, routeOf, post };
}

const good = numberedMetrics([1, 2, 3]);
const delta = { name: 'd', sum: { aggregationTemporality: 1, dataPoints: [{ timeUnixNano: '1' }, {}] } };
const withDelta = (request: object) => ({
  resourceMetrics: [...Object.values(request)[0], { scopeMetrics: [{ metrics: [delta] }] }],
});
const deltaReason =
  'metric "d": delta temporality is not taken; send cumulative (OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative) (2 data points)';

describe('the OTLP input, asked to take metrics', () => {
  it.each(['/v1/metrics', '/otel/v1/metrics'])(
    'keeps them on %s and answers in the form of the request',
    async (path) => {
      const { intake, host, post } = await start();
      const text = await post(json, inJson(good), path);
      expect([text.status, text.contentType, text.body.toString()]).toEqual([200, json, '{"partialSuccess":{}}']);
      const binary = await post(protobuf, metricsInProtobuf(good), path);
      expect([binary.status, binary.contentType, binary.body.length]).toEqual([200, protobuf, 0]);
      expect(intake.kept.map(({ signal, items }) => [signal, items.length])).toEqual([
        ['samples', 3],
        ['samples', 3],
      ]);
      expect(host.lost()).toBe(0);
      host.close();
    },
  );

  it('tells how many data points it did not take and why, and counts them, while the others are kept', async () => {
    const { intake, host, post } = await start();
    const text = await post(json, inJson(withDelta(good)));
    expect([text.status, JSON.parse(text.body.toString())]).toEqual([
      200,
      { partialSuccess: { rejectedDataPoints: '2', errorMessage: deltaReason } },
    ]);
    const binary = await post('application/grpc', metricsInProtobuf(withDelta(good)), metricsExportPath);
    expect(decodeMessage(binary.body, decodeExportMetricsServiceResponse)).toEqual({
      partialSuccess: { rejectedDataPoints: 2n, errorMessage: deltaReason },
    });
    expect(intake.kept[0]?.items).toHaveLength(3);
    expect(host.lost('malformed')).toBe(4);
    host.close();
  });

  it('counts data points of times that are not taken, not the samples that they make', async () => {
    const cause = new RefusedError('older_than_retention', '3 older');
    const { host, post } = await start({}, async () => {
      return { kind: 'rejected', count: 99, cause, takenMs: { from: 1000, to: 2000 } };
    });
    const at = (ms: number) => ({
      timeUnixNano: `${ms}000000`,
      count: '1',
      bucketCounts: ['1', '0'],
      explicitBounds: [1],
    });
    const histogram = { aggregationTemporality: 2, dataPoints: [at(999), at(1000), at(2000), at(2001), at(5)] };
    const request = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'h', histogram }] }] }] };
    const answer = await post(json, inJson(request));
    expect(JSON.parse(answer.body.toString())).toEqual({
      partialSuccess: { rejectedDataPoints: '3', errorMessage: '3 older' },
    });
    host.close();
  });

  it('refuses what its destination refuses for good', async () => {
    const { host, post } = await start({}, async () => ({ kind: 'rejected', count: 3, cause: new Error('never') }));
    const answer = await post(json, inJson(good));
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([400, { code: 3, message: 'never' }]);
    host.close();
  });

  it.each([
    ['overloaded', 429, 8],
    ['spool_full', 429, 8],
    ['disk_full', 503, 14],
  ] as const)(
    'asks to send again later when it is %s, and counts nothing of what was bad',
    async (reason, status, code) => {
      const cause = new RefusedError(reason, 'come again');
      const { host, post } = await start({}, async () => ({ kind: 'retry', afterMs: 3000, cause }));
      const answer = await post(json, inJson(withDelta(good)));
      expect([answer.status, answer.retryAfterMs, JSON.parse(answer.body.toString())]).toEqual([
        status,
        3000,
        { code, message: 'come again' },
      ]);
      expect(host.lost()).toBe(0);
      host.close();
    },
  );

  it('refuses what is no request, and more samples than it takes', async () => {
    const { host, post, intake } = await start({ max_samples: 50 });
    const broken = await post(protobuf, Buffer.from([0x0a, 99]));
    expect(broken.status).toBe(400);
    expect(decodeMessage(broken.body, decodeRpcStatus)).toMatchObject({ code: 3 });
    const many = numberedMetrics(Array.from({ length: 60 }, (_, i) => i));
    for (const [mediaType, body] of [
      [json, inJson(many)],
      [protobuf, metricsInProtobuf(many)],
    ] as const)
      expect(await post(mediaType, body)).toMatchObject({ status: 413, contentType: mediaType });
    expect(await post('text/plain', inJson(good))).toMatchObject({ status: 415 });
    expect(intake.offered).toEqual([]);
    expect([host.lost('malformed'), host.lost('over_limit')]).toEqual([2, 2]);
    host.close();
  });

  it('hands nothing on where there is nothing', async () => {
    const { host, post, intake } = await start();
    expect((await post(protobuf, Buffer.alloc(0))).status).toBe(200);
    expect((await post(json, inJson({}))).status).toBe(200);
    expect(intake.offered).toEqual([]);
    host.close();
  });

  it('reads small bodies between the steps of a large one without mixing them up', async () => {
    const { host, post, intake } = await start();
    const large = metricsInProtobuf(numberedMetrics(Array.from({ length: 20_000 }, (_, i) => i)));
    const small = [1, 2, 3, 4, 5].map((n) => post(protobuf, metricsInProtobuf(numberedMetrics([1_000_000 + n]))));
    const answers = await Promise.all([post(protobuf, large), ...small]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    const items = intake.kept.flatMap((batch) => (batch.signal === 'samples' ? batch.items : []));
    expect(items).toHaveLength(20_005);
    for (const { series, samples } of items) expect(series.labels[1]?.[1]).toBe(String(samples[0]?.value));
    host.close();
  });

  it('takes none on any path where it is told so', async () => {
    const { host } = await start({ metrics_paths: [], grpc: false });
    expect(host.ingestRoutes.map(({ path }) => path)).toEqual(['/v1/traces', '/otel/v1/traces']);
    host.close();
  });
});
