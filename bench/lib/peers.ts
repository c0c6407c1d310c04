/** The servers that `bench/formats.ts` sends to, each started with an empty store on ports of its own. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startAgent } from '../../test/fixtures/agent.ts';
import { freePort } from '../../test/fixtures/free-port.ts';
import { startZipkinServer } from '../../test/fixtures/zipkin-server.ts';
import type { TraceFormat } from './format-bodies.ts';

export interface Target {
  readonly name: string;
  /** What has become of a span once it is acknowledged. */
  readonly acknowledges: string;
  /** Where an acknowledged span is. */
  readonly keeps: 'memory' | 'disk' | 'synced disk';
  /** Its processes, by role. */
  readonly pids: Readonly<Record<string, number>>;
  /** Where a format goes; a format that is missing here is not spoken. */
  readonly routes: Readonly<Partial<Record<TraceFormat, { readonly port: number; readonly path: string }>>>;
  /** Does what it put off, where it can be told to. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const zipkinRoutes = (port: number): Target['routes'] => ({
  'zipkin-v1-json': { port, path: '/api/v1/spans' },
  'zipkin-thrift': { port, path: '/api/v1/spans' },
  'zipkin-v2-json': { port, path: '/api/v2/spans' },
  'zipkin-proto3': { port, path: '/api/v2/spans' },
});

const otlpRoutes = (port: number, grpcPort: number): Target['routes'] => ({
  'otlp-protobuf': { port, path: '/v1/traces' },
  'otlp-json': { port, path: '/v1/traces' },
  'otlp-grpc': { port: grpcPort, path: '' },
});

const nothing = async (): Promise<void> => undefined;

/** A Trawl agent with its store. */
export async function startTrawl(): Promise<Target> {
  const agent = await startAgent({ sets: ['store.retention=forever', 'store.max_bytes=none'] });
  await agent.ready();
  return {
    name: 'trawl',
    acknowledges: 'synced in the spool, and found by queries a second later',
    keeps: 'synced disk',
    pids: { agent: agent.child.pid ?? 0, store: agent.storePid() },
    routes: { ...zipkinRoutes(agent.port), ...otlpRoutes(agent.port, agent.port) },
    settle: () => agent.flush(),
    stop: () => agent.remove(),
  };
}

/** Zipkin's own server, in memory. */
export async function startZipkin(jar: string): Promise<Target> {
  const server = await startZipkinServer(jar);
  return {
    name: 'zipkin-memory',
    acknowledges: 'decoded; kept in memory, the oldest of 500,000 spans dropped',
    keeps: 'memory',
    pids: { server: server.pid },
    routes: zipkinRoutes(server.port),
    settle: nothing,
    stop: server.stop,
  };
}

interface GoServer {
  readonly child: ChildProcess;
  readonly directory: string;
  stop(): Promise<void>;
}

/** Jaeger and the collector are both told by one file of YAML, of which JSON is a part. */
async function startGo(program: string, name: string, configuration: (home: string) => unknown): Promise<GoServer> {
  const directory = await mkdtemp(join(tmpdir(), `trawl-bench-${name}-`));
  for (const each of ['keys', 'values', 'queue']) await mkdir(join(directory, each));
  const file = join(directory, 'config.yaml');
  await writeFile(file, JSON.stringify(configuration(directory), null, 1));
  const logFile = join(directory, 'log');
  const log = await open(logFile, 'w');
  const child = spawn(program, ['--config', file], { stdio: ['ignore', log.fd, log.fd] });
  let failure: unknown;
  child.once('error', (error) => {
    failure = error;
  });
  await sleep(2000);
  await log.close();
  if (failure !== undefined || child.exitCode !== null) {
    throw new Error(`${program} did not start:\n${await readFile(logFile, 'utf8')}`, { cause: failure });
  }
  return {
    child,
    directory,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function receivers() {
  const [zipkin, http, grpc] = [await freePort(), await freePort(), await freePort()];
  const at = (port: number) => ({ endpoint: `127.0.0.1:${port}` });
  return {
    configuration: { zipkin: at(zipkin), otlp: { protocols: { http: at(http), grpc: at(grpc) } } },
    routes: { ...zipkinRoutes(zipkin), ...otlpRoutes(http, grpc) },
  };
}

const quiet = { metrics: { level: 'none' }, logs: { level: 'error' } };

/** Jaeger 2 as its own example configurations have it. */
export async function startJaeger(program: string, storage: 'memory' | 'badger'): Promise<Target> {
  const { configuration, routes } = await receivers();
  const backend = (home: string) =>
    storage === 'memory'
      ? { memory: { max_traces: 100_000 } }
      : { badger: { directories: { keys: join(home, 'keys'), values: join(home, 'values') }, ephemeral: false } };
  const server = await startGo(program, `jaeger-${storage}`, (home) => ({
    service: {
      extensions: ['jaeger_storage'],
      pipelines: {
        traces: { receivers: ['otlp', 'zipkin'], processors: ['batch'], exporters: ['jaeger_storage_exporter'] },
      },
      telemetry: quiet,
    },
    extensions: { jaeger_storage: { backends: { main: backend(home) } } },
    receivers: configuration,
    processors: { batch: {} },
    exporters: { jaeger_storage_exporter: { trace_storage: 'main' } },
  }));
  return {
    name: `jaeger-${storage}`,
    acknowledges: storage === 'memory' ? 'batched, then kept in memory' : 'batched, then written to badger, not synced',
    keeps: storage === 'memory' ? 'memory' : 'disk',
    pids: { server: server.child.pid ?? 0 },
    routes,
    settle: nothing,
    stop: server.stop,
  };
}

/** An OpenTelemetry collector whose exporter has a persistent queue that is synced, before a backend that takes everything. */
export async function startCollector(program: string): Promise<Target> {
  const { configuration, routes } = await receivers();
  const sink = fork(fileURLToPath(new URL('sink.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] });
  const [{ port }] = await once(sink, 'message');
  const server = await startGo(program, 'collector', (home) => ({
    service: {
      extensions: ['file_storage'],
      pipelines: { traces: { receivers: ['otlp', 'zipkin'], exporters: ['otlphttp'] } },
      telemetry: quiet,
    },
    extensions: { file_storage: { directory: join(home, 'queue'), fsync: true } },
    receivers: configuration,
    exporters: {
      otlphttp: {
        endpoint: `http://127.0.0.1:${port}`,
        compression: 'none',
        sending_queue: { storage: 'file_storage', block_on_overflow: true },
      },
    },
  }));
  return {
    name: 'collector-fsync-queue',
    acknowledges: 'synced in the queue of its exporter, before a backend that keeps nothing',
    keeps: 'synced disk',
    pids: { server: server.child.pid ?? 0 },
    routes,
    settle: nothing,
    async stop() {
      await server.stop();
      sink.disconnect();
    },
  };
}
