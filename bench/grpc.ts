/**
 * OTLP over gRPC beside OTLP over HTTP: `npx tsx bench/grpc.ts [--seconds 10]`. Prints JSON: what a call costs the server when its handler
 * does nothing (ours, @grpc/grpc-js's, and ours over HTTP/1), then spans a second and CPU a span through a whole agent, built beforehand.
 */
import { fork } from 'node:child_process';
import http2, { type ClientHttp2Session } from 'node:http2';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Server as GrpcJsServer, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Pool } from 'undici';
import { decodeJsonSpans } from '../src/codec/otlp/decode-spans.ts';
import { encodeProtobufSpans } from '../src/codec/otlp/encode-spans.ts';
import { createMeter } from '../src/pipeline/meter.ts';
import { createServer } from '../src/server/server.ts';
import { startAgent } from '../test/fixtures/agent.ts';
import { otlpJsonBodies } from './lib/otlp-bodies.ts';
import { cpuUs, machine, quantile } from './lib/processes.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, serve: { type: 'string', default: '' } },
});

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const spansPerBody = 100;
const atOnce = 16;

async function serveOurs(): Promise<number> {
  const server = createServer({
    listeners: [{ host: '127.0.0.1', port: 0, paths: 'all' }],
    access: { query: 'open', queryTokens: [] },
    queryRoutes: [],
    operations: {
      readiness: [],
      health: () => [],
      flush: async () => {},
      reload: async () => ({ kind: 'applied', changes: [] }),
    },
    meter: createMeter(new Registry(), Date.now),
    log: pino({ level: 'silent' }),
    version: 'bench',
  });
  const limits = { bodyLimitBytes: 10 * 1024 * 1024, inflatedLimitBytes: 40 * 1024 * 1024, allowsAnyOrigin: false };
  const rest = { ...limits, handle: async () => ({ status: 200 }), refused: () => {} };
  server.ingestRoutes.add({ ...rest, method: 'POST', path, isGrpc: true });
  server.ingestRoutes.add({ ...rest, method: 'POST', path: '/v1/traces' });
  await server.start();
  return server.addresses[0]?.port ?? 0;
}

function serveGrpcJs(): Promise<number> {
  const server = new GrpcJsServer({ 'grpc.max_receive_message_length': 10 * 1024 * 1024 });
  const same = (bytes: Buffer) => bytes;
  const method = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService(
    { Export: method },
    { Export: (_: unknown, answer: (error: null, message: Buffer) => void) => answer(null, Buffer.alloc(0)) },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

interface Target {
  readonly name: string;
  readonly port: number;
  readonly isGrpc: boolean;
  readonly isGzipped: boolean;
}

interface Sender {
  send(i: number): Promise<void>;
  close(): void;
}

function createSender({ port, isGrpc, isGzipped }: Target, bodies: readonly Buffer[]): Sender {
  const packed = isGzipped ? bodies.map((body) => gzipSync(body, { level: 1 })) : bodies;
  const bodyAt = (i: number) => packed[i % packed.length] ?? Buffer.alloc(0);
  if (!isGrpc) {
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: atOnce });
    const encoding = isGzipped ? { 'content-encoding': 'gzip' } : {};
    const headers = { 'content-type': 'application/x-protobuf', ...encoding };
    return {
      async send(i) {
        const answer = await pool.request({ method: 'POST', path: '/v1/traces', headers, body: bodyAt(i) });
        await answer.body.dump();
        if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`);
      },
      close: () => void pool.close(),
    };
  }
  const framed = packed.map((body) => {
    const prefix = Buffer.alloc(5);
    prefix[0] = isGzipped ? 1 : 0;
    prefix.writeUInt32BE(body.length, 1);
    return Buffer.concat([prefix, body]);
  });
  const sessions = Array.from({ length: 4 }, () => http2.connect(`http://127.0.0.1:${port}`));
  const encoding = isGzipped ? { 'grpc-encoding': 'gzip' } : {};
  const call = (session: ClientHttp2Session, message: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '10S',
        ...encoding,
      });
      let status: unknown;
      const look = (headers: Record<string, unknown>) => {
        status = headers['grpc-status'] ?? status;
      };
      stream.on('response', look).on('trailers', look).once('error', reject);
      stream.once('close', () => (status === '0' ? resolve() : reject(new Error(`grpc-status ${status}`))));
      stream.resume();
      stream.end(message);
    });
  return {
    async send(i) {
      const session = sessions[i % sessions.length];
      const message = framed[i % framed.length];
      if (session !== undefined && message !== undefined) await call(session, message);
    },
    close: () => sessions.forEach((session) => void session.close()),
  };
}

/** Sends for so long; gives the number of calls and how long each took. */
async function load(sender: Sender, forMs: number): Promise<{ calls: number; tookMs: number[] }> {
  const tookMs: number[] = [];
  let calls = 0;
  const untilMs = performance.now() + forMs;
  const run = async () => {
    while (performance.now() < untilMs) {
      const before = performance.now();
      await sender.send(calls++);
      tookMs.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return { calls: tookMs.length, tookMs };
}

async function startChild(kind: string): Promise<{ port: number; pid: number; stop(): void }> {
  const child = fork(new URL(import.meta.url), ['--serve', kind], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) => child.once('message', (message) => resolve(Number(message))));
  return { port, pid: child.pid ?? 0, stop: () => child.disconnect() };
}

const forMs = Number(values.seconds) * 1000;

/** In turns of half a second, so that what else the machine does falls on all alike. */
async function measureWire(bodies: readonly Buffer[]): Promise<object[]> {
  const ours = await startChild('ours');
  const theirs = await startChild('grpc-js');
  const targets = [
    { name: 'trawl, gRPC', ...ours, isGrpc: true, isGzipped: false },
    { name: '@grpc/grpc-js', ...theirs, isGrpc: true, isGzipped: false },
    { name: 'trawl, HTTP/1', ...ours, isGrpc: false, isGzipped: false },
    { name: 'trawl, gRPC, gzip', ...ours, isGrpc: true, isGzipped: true },
    { name: '@grpc/grpc-js, gzip', ...theirs, isGrpc: true, isGzipped: true },
  ].map((target) => ({ ...target, sender: createSender(target, bodies), calls: 0, cpuUs: 0, ms: 0 }));
  for (const { sender } of targets) await load(sender, 1000);
  for (let round = 0; round < Number(values.seconds) * 2; round++) {
    for (const target of targets) {
      const before = cpuUs(target.pid);
      const startMs = performance.now();
      target.calls += (await load(target.sender, 500)).calls;
      target.ms += performance.now() - startMs;
      target.cpuUs += cpuUs(target.pid) - before;
    }
  }
  for (const { sender } of targets) sender.close();
  ours.stop();
  theirs.stop();
  return targets.map(({ name, calls, cpuUs: us, ms }) => ({
    name,
    callsPerSecond: Math.round((calls / ms) * 1000),
    cpuUsPerCall: Math.round(us / calls),
  }));
}

async function measureAgent(bodies: readonly Buffer[]): Promise<object[]> {
  const agent = await startAgent({ sets: ['store.retention=forever', 'store.max_bytes=none'] });
  await agent.ready();
  const results: object[] = [];
  for (const isGrpc of [true, false, true, false]) {
    const sender = createSender({ name: '', port: agent.port, isGrpc, isGzipped: false }, bodies);
    await load(sender, 1000);
    await agent.flush();
    const pids = { agent: agent.child.pid ?? 0, store: agent.storePid() };
    const before = { agent: cpuUs(pids.agent), store: cpuUs(pids.store) };
    const startMs = performance.now();
    const { calls, tookMs } = await load(sender, forMs);
    const seconds = (performance.now() - startMs) / 1000;
    await agent.flush();
    const perSpan = (us: number) => Number((us / (calls * spansPerBody)).toFixed(2));
    results.push({
      over: isGrpc ? 'gRPC' : 'HTTP/1',
      spansPerSecond: Math.round((calls * spansPerBody) / seconds),
      cpuUsPerSpan: {
        agent: perSpan(cpuUs(pids.agent) - before.agent),
        store: perSpan(cpuUs(pids.store) - before.store),
      },
      ackMs: { p50: quantile(tookMs, 0.5), p99: quantile(tookMs, 0.99) },
    });
    sender.close();
  }
  await agent.remove();
  return results;
}

if (values.serve === '') {
  const bodies = otlpJsonBodies(32, 4317).map((body) => Buffer.from(encodeProtobufSpans(decodeJsonSpans(body).spans)));
  const bodyBytes = Math.round(bodies.reduce((sum, { length }) => sum + length, 0) / bodies.length);
  const wire = await measureWire(bodies);
  const agent = await measureAgent(bodies);
  console.log(JSON.stringify({ machine: machine(), bodyBytes, spansPerBody, wire, agent }, null, 1));
  process.exit(0);
}
const port = await (values.serve === 'ours' ? serveOurs() : serveGrpcJs());
process.send?.(port);
process.on('disconnect', () => process.exit(0));
