/** What senders of Zipkin's other formats post, through a whole agent and back out of Zipkin's API. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BatchRecorder, ExplicitContext, Tracer } from 'zipkin';
import { HttpLogger } from 'zipkin-transport-http';
import { encodeSpans as encodeProto3 } from '../../src/codec/zipkin-proto3/encode-spans.ts';
import { decodeSpans as decodeJson } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';
import { envoyCall } from '../fixtures/envoy-v1-spans.ts';
import { toV1Json, toV1Thrift } from '../fixtures/v1-spans.ts';

/** Posts as a sidecar does: chunked, and with the cluster's name for a Host. */
async function postAsEnvoy(port: number, path: string, contentType: string, body: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const type = contentType === '' ? '' : `Content-Type: ${contentType}\r\n`;
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: outbound|9411||zipkin.istio-system.svc.cluster.local\r\n${type}Transfer-Encoding: chunked\r\n\r\n`,
  );
  for (let at = 0; at < body.length; at += 100) {
    const chunk = body.subarray(at, at + 100);
    socket.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]));
  }
  socket.write('0\r\n\r\n');
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return answer.toString('latin1');
}

describe('an agent where a Zipkin was', () => {
  let agent: TestAgent;

  beforeAll(async () => {
    agent = await startAgent({ sets: ['store.retention=forever'] });
    await agent.ready();
  });

  afterAll(async () => {
    await agent.remove();
  });

  const traceOf = async (traceId: string) => {
    const { status, text } = await agent.get(`/api/v2/trace/${traceId}`);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  };

  it.each([
    ['Thrift', 'application/x-thrift', '000000000000a001', toV1Thrift],
    ['v1 JSON', 'application/json', '463ac35c9f6413ad000000000000a002', toV1Json],
    ['v1 JSON without a type', '', '000000000000a003', toV1Json],
  ])('gives back a call as two Envoys of Istio 1.0 sent it: %s', async (_, contentType, traceId, encode) => {
    const id = traceId.slice(-16);
    const startUs = 1_750_000_000_000_000;
    for (const spans of envoyCall({ traceId, id, startUs })) {
      expect(await postAsEnvoy(agent.port, '/api/v1/spans', contentType, encode(spans))).toMatch(/^HTTP\/1\.1 202 /);
    }
    const trace = await traceOf(traceId);
    const name = 'reviews.default.svc.cluster.local:9080/*';
    expect(trace.sort((a: { kind: string }, b: { kind: string }) => (a.kind < b.kind ? -1 : 1))).toEqual([
      {
        traceId,
        id,
        kind: 'CLIENT',
        name,
        timestamp: startUs,
        duration: 21_000,
        localEndpoint: { serviceName: 'productpage', ipv4: '10.1.0.7' },
        tags: expect.objectContaining({ upstream_cluster: 'outbound|9080||reviews.default.svc.cluster.local' }),
      },
      {
        traceId,
        id,
        kind: 'SERVER',
        name,
        timestamp: startUs + 1_000,
        duration: 19_000,
        localEndpoint: { serviceName: 'reviews', ipv4: '10.1.0.9' },
        tags: expect.objectContaining({ component: 'proxy', 'http.status_code': '200', response_flags: '-' }),
        shared: true,
      },
    ]);
    expect(Object.keys(trace[0].tags)).toHaveLength(13);
  });

  it('takes what zipkin-js sends unless told otherwise, which is v1 JSON', async () => {
    const logger = new HttpLogger({ endpoint: `${agent.url}/api/v1/spans`, httpInterval: 50 });
    const tracer = new Tracer({
      ctxImpl: new ExplicitContext(),
      recorder: new BatchRecorder({ logger }),
      localServiceName: 'Zipkin-JS-V1',
      defaultTags: { zone: 'a' },
    });
    const traceId = tracer.local('Checkout', () => {
      tracer.recordBinary('order', '17');
      tracer.recordMessage('paid');
      return tracer.id.traceId;
    });
    const deadline = performance.now() + 15_000;
    let answer = await agent.get(`/api/v2/trace/${traceId}`);
    while (answer.status !== 200 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      answer = await agent.get(`/api/v2/trace/${traceId}`);
    }
    expect(JSON.parse(answer.text)).toMatchObject([
      {
        traceId,
        name: 'checkout',
        localEndpoint: { serviceName: 'zipkin-js-v1' },
        annotations: [{ value: 'paid' }],
        tags: { order: '17', zone: 'a' },
      },
    ]);
  });

  it('takes protobuf, gzipped or deflated or plain, and gives the same back as for JSON', async () => {
    const span = {
      kind: 'PRODUCER',
      name: 'publish',
      timestamp: 1_750_000_000_000_000,
      duration: 1_000,
      localEndpoint: { serviceName: 'shop', ipv4: '10.0.0.1', port: 80 },
      remoteEndpoint: { serviceName: 'kafka', ipv6: '2001:db8::1' },
      annotations: [{ timestamp: 1_750_000_000_000_001, value: 'sent' }],
      tags: { empty: '', key: 'žluť' },
      debug: true,
    };
    const packings = [
      ['00000000000000b1', undefined, (bytes: Uint8Array) => bytes],
      ['00000000000000b2', 'gzip', gzipSync],
      ['00000000000000b3', 'deflate', deflateSync],
    ] as const;
    for (const [traceId, encoding, pack] of packings) {
      const sent = { traceId, id: traceId, ...span };
      const body = pack(encodeProto3(decodeJson(Buffer.from(JSON.stringify([sent])))));
      const headers = {
        'content-type': 'application/x-protobuf',
        ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
      };
      expect(await agent.post('/api/v2/spans', body, headers)).toEqual({ status: 202, text: '' });
    }
    for (const [traceId] of packings) expect(await traceOf(traceId)).toEqual([{ traceId, id: traceId, ...span }]);
  });

  it('refuses in Zipkin’s words, counts why, and shows the last of them in its status', async () => {
    const refusals = [
      ['/api/v1/spans', 'application/x-thrift', '{', 'Expected a THRIFT encoded list\n'],
      [
        '/api/v1/spans',
        'application/json',
        '[{"tags":{}}]',
        'Expected a JSON_V1 encoded list, but received: JSON_V2\n',
      ],
      ['/api/v2/spans', 'application/x-protobuf', 'x', 'Expected a PROTO3 encoded list\n'],
    ] as const;
    for (const [path, type, body, text] of refusals) {
      expect(await agent.post(path, body, { 'content-type': type })).toEqual({ status: 400, text });
    }
    const bad = await agent.post('/api/v1/spans', 'no gzip', { 'content-encoding': 'gzip' });
    expect(bad.status).toBe(400);
    const { components } = JSON.parse((await agent.get('/api/trawl/status')).text);
    const input = components.find(({ component }: { component: string }) => component === 'inputs.zipkin');
    expect(input.refused).toBe(4);
    expect(bad.text).toContain(input.lastError);
    expect((await agent.get('/metrics')).text).toMatch(
      /trawl_refused_items_total\{component="inputs\.zipkin",signal="spans",reason="malformed"\} 4/,
    );
  });

  it('is silent on methods that Zipkin does not have there, and answers a page’s preflight', async () => {
    expect((await agent.get('/api/v1/spans')).status).toBe(404);
    const preflight = await fetch(`${agent.url}/api/v1/spans`, {
      method: 'OPTIONS',
      headers: { origin: 'http://ui.example', 'access-control-request-method': 'POST' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([200, '*']);
  });
});
