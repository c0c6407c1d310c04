/** OTLP over gRPC with gRPC's own client for Node, through a whole agent: statuses, compression, a stop and a kill in the middle. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeJsonSpans } from '../../src/codec/otlp/decode-spans.ts';
import { encodeProtobufSpans } from '../../src/codec/otlp/encode-spans.ts';
import { decodeExportTraceServiceResponse } from '../../src/codec/otlp/otlp.generated.ts';
import { decodeMessage } from '../../src/codec/protobuf/wire-reader.ts';
import { startAgent, type TestAgent } from '../fixtures/agent.ts';

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const gzip = { 'grpc.default_compression_algorithm': 2 };

let agent: TestAgent | undefined;
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await agent?.remove();
  agent = undefined;
});

function connect(url: string, options: Record<string, number> = {}): Client {
  const client = new Client(new URL(url).host, credentials.createInsecure(), options);
  clients.push(client);
  return client;
}

interface Answer {
  readonly error: ServiceError | null;
  readonly body: Buffer;
}

function call(client: Client, body: Buffer, method = path): Promise<Answer> {
  const same = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(method, same, same, body, { deadline: Date.now() + 10_000 }, (error, answer) =>
      resolve({ error, body: answer ?? Buffer.alloc(0) }),
    );
  });
}

const traceIdOf = (number: number) => (number + 1).toString(16).padStart(32, '0');

function requestOf(spans: readonly object[]): Buffer {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'cart' } }] };
  const body = Buffer.from(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }));
  return Buffer.from(encodeProtobufSpans(decodeJsonSpans(body).spans));
}

const spanOf = (number: number) => ({
  traceId: traceIdOf(number),
  spanId: '00f067aa0ba902b7',
  name: `get /${number}`,
  kind: 2,
  startTimeUnixNano: `${Date.now()}000000`,
  endTimeUnixNano: `${Date.now() + 5}000000`,
});

async function isFound({ get }: TestAgent, number: number): Promise<boolean> {
  return (await get(`/api/v2/trace/${traceIdOf(number)}`)).status === 200;
}

/** Sends one span a call, numbered from `first`, four calls at once, until told to stop; gives the numbers of those that were answered OK. */
function sendOn(client: Client, first: number) {
  const taken: number[] = [];
  let next = first;
  let isOver = false;
  const one = async () => {
    while (!isOver) {
      const number = next++;
      const { error } = await call(client, requestOf([spanOf(number)]));
      if (error === null) taken.push(number);
      else await sleep(10);
    }
  };
  const running = Promise.all([one(), one(), one(), one()]);
  return {
    taken,
    async stop() {
      isOver = true;
      await running;
    },
  };
}

describe('an agent that a client of gRPC sends to', () => {
  it('takes spans on its own port and on OTLP’s, plain and gzipped, and says what it refuses', async () => {
    const sets = ['http.otlp_grpc_listen=127.0.0.1:0'];
    agent = await startAgent({ sets });
    await agent.ready();
    const [own = '', otlp = ''] = [...agent.output().matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].map(([url]) => url);
    expect(own).toBe(agent.url);
    expect(otlp).not.toBe(own);
    const senders = [connect(own), connect(own, gzip), connect(otlp), connect(otlp, gzip)];
    for (const [i, client] of senders.entries()) {
      const { error, body } = await call(client, requestOf([spanOf(i)]));
      expect([error, body.length]).toEqual([null, 0]);
      expect(await isFound(agent, i)).toBe(true);
    }
    const bad = Buffer.from(requestOf([spanOf(7)]));
    bad.fill(0, bad.indexOf('00f067aa0ba902b7', 'hex'), bad.indexOf('00f067aa0ba902b7', 'hex') + 8);
    const partly = decodeMessage((await call(connect(own), bad)).body, decodeExportTraceServiceResponse);
    expect(partly.partialSuccess).toEqual({
      rejectedSpans: 1n,
      errorMessage: 'span 1 of the request: spanId is all zeros',
    });
    expect((await call(connect(own), Buffer.from('xyz'))).error).toMatchObject({ code: status.INVALID_ARGUMENT });
    const huge = Buffer.alloc(11 * 1024 * 1024);
    expect((await call(connect(own), huge)).error).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    const unknown = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export';
    expect((await call(connect(own), Buffer.alloc(0), unknown)).error).toMatchObject({ code: status.UNIMPLEMENTED });
    const { text } = await agent.get('/api/trawl/status');
    expect(text).toContain('larger than 10485760 bytes');
  });

  it('says that a sender may come again, and when, where its spool is full', async () => {
    const sets = ['spool.max_bytes=1MiB', 'spool.max_segment_age=60s', 'spool.max_segment_bytes=64MiB'];
    agent = await startAgent({ sets });
    const client = connect(agent.url);
    const text = 'x'.repeat(100_000);
    let refused: ServiceError | null = null;
    for (let i = 0; i < 100 && refused === null; i++) {
      const attributes = [{ key: 'text', value: { stringValue: `${i} ${text}` } }];
      ({ error: refused } = await call(client, requestOf([{ ...spanOf(i), attributes }])));
    }
    expect(refused).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('spool') });
    expect(String(refused?.metadata.get('grpc-status-details-bin')[0])).toContain('google.rpc.RetryInfo');
  });

  it('loses nothing that it answered OK when it is stopped, or killed, in the middle', {
    timeout: 60_000,
  }, async () => {
    agent = await startAgent();
    await agent.ready();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const sending = sendOn(connect(agent.url), signal === 'SIGTERM' ? 0 : 1_000_000);
      while (sending.taken.length < 40) await sleep(5);
      const exit = await agent.kill(signal);
      await sending.stop();
      expect(exit).toBe(signal === 'SIGTERM' ? 0 : null);
      await agent.restart();
      await agent.ready();
      await agent.flush();
      const lost: number[] = [];
      for (const number of sending.taken) if (!(await isFound(agent, number))) lost.push(number);
      expect(lost, `of ${sending.taken.length} after ${signal}`).toEqual([]);
    }
  });
});
