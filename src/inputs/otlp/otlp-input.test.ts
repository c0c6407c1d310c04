import { describe, expect, it } from 'vitest';
import { createFakeHost, createFakeIntake, realClock } from '../../../test/fixtures/fake-host.ts';
import { decodeJsonSpans } from '../../codec/otlp/decode-spans.ts';
import { encodeProtobufSpans } from '../../codec/otlp/encode-spans.ts';
import { decodeExportTraceServiceResponse, decodeRpcStatus } from '../../codec/otlp/otlp.generated.ts';
import { decodeMessage } from '../../codec/protobuf/wire-reader.ts';
import type { Accept, Outcome } from '../../model/batch.ts';
import { RefusedError } from '../../pipeline/refusal.ts';
import { otlpInput } from './index.ts';
import { metricsExportPath, traceExportPath } from './otlp-signal.ts';

const json = 'application/json';
const protobuf = 'application/x-protobuf';

const request = (spans: readonly object[]) =>
  Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const good = request([span]);
const bad = request([span, { ...span, spanId: '0000000000000000' }, { ...span, traceId: 'abcd' }]);
const inProtobuf = (body: Buffer) => Buffer.from(encodeProtobufSpans(decodeJsonSpans(body).spans));

async function start(config: Readonly<Record<string, unknown>> = {}, accept?: Accept) {
  const host = createFakeHost({ clock: realClock, name: 'inputs.otlp' });
  const intake = createFakeIntake();
  const running = await otlpInput.start(otlpInput.config.parse(config), host, accept ?? intake.accept);
  const routeOf = (path: string) => {
    const route = host.ingestRoutes.find((each) => each.path === path);
    if (route === undefined) throw new Error(`no route ${path}`);
    return route;
  };
  const post = async (mediaType: string, body: Buffer, path = '/v1/traces') => {
    const answer = await routeOf(path).handle({ path, mediaType, body, signal: AbortSignal.timeout(10_000) });
    return { ...answer, body: Buffer.from(answer.body ?? '') };
  };
  return { host, intake, running, routeOf, post };
}

describe('the OTLP input', () => {
  it.each(['/v1/traces', '/otel/v1/traces'])(
    'takes traces on %s and answers in the form of the request',
    async (path) => {
      const { intake, host, post } = await start();
      const inJson = await post(json, good, path);
      expect([inJson.status, inJson.contentType, inJson.body.toString()]).toEqual([200, json, '{"partialSuccess":{}}']);
      const binary = await post(protobuf, inProtobuf(good), path);
      expect([binary.status, binary.contentType, binary.body.length]).toEqual([200, protobuf, 0]);
      expect(intake.kept).toHaveLength(2);
      host.close();
    },
  );

  it('tells how many spans it did not take and why, and counts them, while the others are kept', async () => {
    const { intake, host, post } = await start();
    const reason = 'span 2 of the request: spanId is all zeros';
    expect(JSON.parse((await post(json, bad)).body.toString())).toEqual({
      partialSuccess: { rejectedSpans: '2', errorMessage: reason },
    });
    expect(intake.kept[0]?.items).toHaveLength(1);
    expect(host.meterCalls).toEqual([
      { kind: 'refused', component: 'inputs.otlp', signal: 'spans', reason: 'malformed', count: 2, why: reason },
    ]);
    host.close();
  });

  it('answers protobuf with protobuf where nothing of a request can be taken', async () => {
    const { intake, host, post } = await start();
    const answer = await post(protobuf, Buffer.from('0a0212001a00', 'hex').subarray(0, 4));
    expect(answer.status).toBe(200);
    const refused = await post(protobuf, Buffer.from('xyz'));
    expect(refused.status).toBe(400);
    expect(decodeMessage(refused.body, decodeRpcStatus)).toMatchObject({
      code: 3,
      message: expect.stringMatching(/^malformed protobuf/),
    });
    expect(decodeMessage(answer.body, decodeExportTraceServiceResponse)).toEqual({ partialSuccess: undefined });
    expect(intake.offered).toEqual([]);
    host.close();
  });

  it.each([
    ['overloaded', 429, 8],
    ['spool_full', 429, 8],
    ['disk_full', 503, 14],
    ['shutting_down', 503, 14],
  ] as const)('says that it is %s as %i and gRPC’s %i, and when to come again', async (reason, status, code) => {
    const cause = new RefusedError(reason, 'come again');
    const { host, post } = await start({}, async () => ({ kind: 'retry', afterMs: 3000, cause }));
    const answer = await post(json, good);
    expect(answer).toMatchObject({ status, retryAfterMs: 3000, contentType: json });
    expect(JSON.parse(answer.body.toString())).toEqual({ code, message: 'come again' });
    host.close();
  });

  it('does not count bad spans of a request that is to be sent again', async () => {
    const { host, post } = await start({}, async () => ({
      kind: 'retry',
      cause: new RefusedError('overloaded', 'no'),
    }));
    await post(json, bad);
    expect(host.meterCalls).toEqual([]);
    host.close();
  });

  it.each(['text/plain', '', 'application/x-thrift'])('refuses the Content-Type %j', async (mediaType) => {
    const { host, post } = await start();
    const answer = await post(mediaType, good);
    expect([answer.status, answer.body.toString()]).toEqual([
      415,
      `Content-Type "${mediaType}" is not understood; send application/x-protobuf or application/json\n`,
    ]);
    host.close();
  });

  it('says in the protocol’s form why a request did not get as far as its spans', async () => {
    const { host, routeOf } = await start();
    const route = routeOf('/v1/traces');
    const told = route.tell?.('body_too_large', 'too large', json);
    expect([told?.contentType, Buffer.from(told?.body ?? '').toString()]).toEqual([
      json,
      '{"code":3,"message":"too large"}',
    ]);
    const binary = route.tell?.('overloaded', 'later', protobuf);
    expect(decodeMessage(Buffer.from(binary?.body ?? ''), decodeRpcStatus)).toEqual({ code: 8, message: 'later' });
    expect(route.tell?.('overloaded', 'later', 'text/plain')).toBeUndefined();
    host.close();
  });

  it('refuses more spans than it takes in one body before all of them are read', async () => {
    const { host, post, intake } = await start({ max_spans: 600 });
    const many = request(Array.from({ length: 2000 }, () => span));
    for (const [mediaType, body] of [
      [json, many],
      [protobuf, inProtobuf(many)],
    ] as const) {
      expect(await post(mediaType, body)).toMatchObject({ status: 413, contentType: mediaType });
    }
    expect(intake.offered).toEqual([]);
    expect((await post(json, request(Array.from({ length: 600 }, () => span)))).status).toBe(200);
    host.close();
  });

  it('leaves no route behind', async () => {
    const { host, running } = await start({ paths: ['/a', '/b', '/a'], metrics_paths: ['/c'] });
    const paths = ['/a', '/b', traceExportPath, '/c', metricsExportPath];
    expect(host.ingestRoutes.map(({ path }) => path)).toEqual(paths);
    await running.stop(AbortSignal.timeout(1000));
    expect(host.ingestRoutes).toEqual([]);
    host.close();
  });

  it('has no method of gRPC where it is told so', async () => {
    const { host } = await start({ grpc: false });
    expect(host.ingestRoutes.every(({ isGrpc }) => isGrpc !== true)).toBe(true);
    host.close();
  });

  it('takes the same over gRPC, where a message is the answer and a refusal is a text', async () => {
    let outcome: Outcome = { kind: 'kept' };
    const { host, post, intake } = await start({}, async (batch, signal) => {
      await intake.accept(batch, signal);
      return outcome;
    });
    const call = (body: Buffer) => post('application/grpc', body, traceExportPath);
    expect(await call(inProtobuf(good))).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    const partly = await call(Buffer.from(bad));
    expect(partly).toMatchObject({ status: 400, body: expect.any(Buffer) });
    outcome = { kind: 'retry', afterMs: 3000, cause: new RefusedError('spool_full', 'the spool is full') };
    const later = await call(inProtobuf(good));
    expect([later.status, later.retryAfterMs, later.body.toString()]).toEqual([429, 3000, 'the spool is full']);
    expect(intake.offered).toHaveLength(2);
    host.close();
  });

  it('counts what does not get as far as its spans over gRPC', async () => {
    const { host, routeOf } = await start();
    routeOf(traceExportPath).refused('body_too_large', 'too large');
    expect(host.lost('body_too_large')).toBe(1);
    host.close();
  });
});
