/** The metrics of the HTTP side, of the event loop and of the process (names: docs/reference/metrics.md). */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';
import type { RouteGroup } from './access.ts';
import type { GrpcCode } from './grpc/status.ts';
import type { ParserRefusal } from './listener.ts';

export interface HttpMetrics {
  /** One request has ended; `status` 0 means that the client left before it was answered. */
  ended(group: RouteGroup, status: number, durationMs: number): void;
  /** One call of gRPC has ended. */
  endedCall(code: GrpcCode, durationMs: number): void;
  refusedBytes(why: ParserRefusal): void;
  closedConnection(which: 'new' | 'idle'): void;
}

/** What is asked for when /metrics is read. */
export interface HttpGauges {
  connections(): number;
  requests(): number;
  bodyBytes(): number;
}

/** Registers the metrics of requests and connections. */
export function createHttpMetrics(registry: Registry, gauges: HttpGauges): HttpMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'trawl_http_requests_total',
    help: 'Requests by route group and status; "aborted" where the client left unanswered.',
    labelNames: ['group', 'status'],
    registers,
  });
  const calls = new Counter({
    name: 'trawl_grpc_calls_total',
    help: 'Calls of gRPC by how they ended; CANCELLED where the client left unanswered.',
    labelNames: ['code'],
    registers,
  });
  const durations = new Histogram({
    name: 'trawl_http_request_duration_seconds',
    help: 'From the headers of a request to the end of its answer.',
    labelNames: ['group'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const refused = new Counter({
    name: 'trawl_http_refused_connections_total',
    help: 'Connections that were closed for what came over them, or to keep the limit of connections.',
    labelNames: ['reason'],
    registers,
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('trawl_http_connections', 'Open connections over all listeners.', gauges.connections);
  gauge('trawl_http_requests_in_flight', 'Requests that are being read, worked on or answered.', gauges.requests);
  gauge(
    'trawl_http_body_bytes_in_flight',
    'Bytes of request bodies in memory, inflated ones included.',
    gauges.bodyBytes,
  );

  // Looked up once a label set: `inc` with labels sorts and joins them for every request.
  const counts = new Map<string, Counter.Internal>();
  const timers = new Map<RouteGroup, Histogram.Internal<'group'>>();
  const timer = (group: RouteGroup): Histogram.Internal<'group'> => {
    const known = timers.get(group) ?? durations.labels(group);
    timers.set(group, known);
    return known;
  };
  const callCounts = new Map<GrpcCode, Counter.Internal>();
  return {
    endedCall(code, durationMs) {
      let count = callCounts.get(code);
      if (count === undefined) {
        count = calls.labels(code);
        callCounts.set(code, count);
      }
      count.inc();
      timer('ingest').observe(durationMs / 1000);
    },
    ended(group, status, durationMs) {
      const key = `${group}${status}`;
      let count = counts.get(key);
      if (count === undefined) {
        count = requests.labels(group, status === 0 ? 'aborted' : String(status));
        counts.set(key, count);
      }
      count.inc();
      timer(group).observe(durationMs / 1000);
    },
    refusedBytes: (why) => refused.inc({ reason: why }),
    closedConnection: (which) => refused.inc({ reason: which === 'new' ? 'too_many_busy' : 'too_many_idle' }),
  };
}

// The first kind repeats what `trawl_event_loop_delay_seconds` says, the others a person would not miss.
const unwanted = /^nodejs_(eventloop_lag|active_(resources|handles|requests)|heap_space_size|version_info)/;

/** Registers the process's own metrics and what was built. */
export function registerProcessMetrics(registry: Registry, version: string): void {
  // The precision is that of a timer which runs whether or not its metric is kept; as seldom as it goes.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 60_000 });
  for (const { name } of registry.getMetricsAsArray()) if (unwanted.test(name)) registry.removeSingleMetric(name);
  new Gauge({
    name: 'trawl_build_info',
    help: 'Always 1; its labels say what runs.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1);
}

/** The names in a text of /metrics that are not in the reference, and those of the reference that are not in the text. */
export function compareMetricNames(
  exposition: string,
  reference: string,
): { readonly undocumented: readonly string[]; readonly absent: readonly string[] } {
  const exposed = new Set([...exposition.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1] ?? ''));
  const documented = new Set([...reference.matchAll(/^\| `([a-z_][a-z0-9_]*)/gm)].map((match) => match[1] ?? ''));
  return {
    undocumented: [...exposed].filter((name) => !documented.has(name)).sort(),
    absent: [...documented].filter((name) => !exposed.has(name)).sort(),
  };
}
