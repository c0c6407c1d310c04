/** A server with small limits over real sockets, and clients that say exactly the bytes they are told to. */
import net from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach } from 'vitest';
import type { IngestProblem, IngestRequest, IngestRoute } from '../../src/pipeline/ingest-route.ts';
import { createMeter, type Meter } from '../../src/pipeline/meter.ts';
import { createServer, type Server, type ServerOptions } from '../../src/server/server.ts';

export interface TestServer {
  readonly server: Server;
  readonly meter: Meter;
  readonly port: number;
  readonly url: string;
  /** What the server logged, one parsed line each. */
  readonly logged: Record<string, unknown>[];
  /** What reached the handler of the test's own ingest route. */
  readonly received: IngestRequest[];
  readonly refused: { readonly problem: IngestProblem; readonly message: string }[];
  stop(): Promise<void>;
}

export type TestOptions = Partial<Omit<ServerOptions, 'meter' | 'log'>> & { readonly route?: Partial<IngestRoute> };

/** Starts a server with an ingest route at /ingest: 64 KiB on the wire, 256 KiB inflated. */
export async function startTestServer(options: TestOptions = {}): Promise<TestServer> {
  const logged: Record<string, unknown>[] = [];
  const received: IngestRequest[] = [];
  const refused: TestServer['refused'] = [];
  const meter = createMeter(new Registry(), Date.now);
  const server = createServer({
    listeners: [{ host: '127.0.0.1', port: 0, paths: 'all' }],
    access: { query: 'token', queryTokens: [] },
    queryRoutes: [],
    operations: operations(),
    version: '0.0.0-test',
    ...options,
    meter,
    log: pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) }),
  });
  server.ingestRoutes.add({
    method: 'POST',
    path: '/ingest',
    bodyLimitBytes: 64 * 1024,
    inflatedLimitBytes: 256 * 1024,
    allowsAnyOrigin: false,
    handle: async (request) => {
      received.push(request);
      return { status: 202 };
    },
    refused: (problem, message) => refused.push({ problem, message }),
    ...options.route,
  });
  await server.start();
  const port = server.addresses[0]?.port ?? 0;
  const stop = () => server.stop(AbortSignal.timeout(500));
  return { server, meter, port, url: `http://127.0.0.1:${port}`, logged, received, refused, stop };
}

/** Makes the function that starts a test's server, which is stopped after the test. */
export function eachTestStartsServer(defaults: TestOptions = {}): (options?: TestOptions) => Promise<TestServer> {
  let running: TestServer | undefined;
  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });
  return async (options = {}) => {
    running = await startTestServer({ ...defaults, ...options });
    return running;
  };
}

/** What the rest of the agent would do, doing nothing. */
export function operations(): ServerOptions['operations'] {
  return {
    readiness: [],
    health: () => [],
    flush: async () => {},
    reload: async () => ({ kind: 'applied', changes: [] }),
  };
}

export interface RawClient {
  readonly socket: net.Socket;
  /** All that has come so far, as latin1. */
  text(): string;
  /** Resolves with all that came, once the other side has closed. */
  closed: Promise<string>;
  /** Resolves when what has come matches. */
  until(pattern: RegExp): Promise<string>;
}

/** Connects and writes bytes as they are. */
export function connectRaw(port: number, bytes: string | Buffer = ''): RawClient {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  const text = () => Buffer.concat(chunks).toString('latin1');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A reset is one of the ways in which the server may close.
  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text())));
  if (bytes.length > 0) socket.write(bytes);
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (pattern.test(text())) resolve(text());
      };
      socket.on('data', look);
      socket.once('close', () => reject(new Error(`closed before ${pattern}: ${text()}`)));
      look();
    });
  return { socket, text, closed, until };
}

/** Sends one raw request and resolves with everything that came back before the server closed. */
export function exchangeRaw(port: number, bytes: string | Buffer): Promise<string> {
  return connectRaw(port, bytes).closed;
}

/** The status of a raw answer; 0 when there was none. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
}

/** How many answers there are in what came back. */
export function countAnswers(answer: string): number {
  return [...answer.matchAll(/HTTP\/1\.1 \d{3} /g)].length;
}
