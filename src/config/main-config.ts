/** What `trawl.conf` holds: everything that is not an input's or an output's own. */
import { z } from 'zod';
import { count, duration, listenAddress, secret, size, tags, url } from './fields.ts';
import { parseDurationMs, parseSizeBytes } from './quantity.ts';

const orWord = (message: string, word: string): string =>
  message.startsWith('must be') ? `${message}, or "${word}"` : message;

/** A duration in milliseconds, or no end. */
function retention() {
  return z
    .unknown()
    .transform((value, context): number | 'forever' => {
      if (value === 'forever') return 'forever';
      const parsed = parseDurationMs(value, { minMs: 60_000 });
      if (parsed.ok) return parsed.value;
      context.addIssue({ code: 'custom', message: orWord(parsed.message, 'forever') });
      return z.NEVER;
    })
    .meta({ typeName: 'duration or "forever"' });
}

/** Bytes, or no cap. */
function sizeCap() {
  return z
    .unknown()
    .transform((value, context): number | 'none' => {
      if (value === 'none') return 'none';
      const parsed = parseSizeBytes(value, { minBytes: 64 * 1024 * 1024 });
      if (parsed.ok) return parsed.value;
      context.addIssue({ code: 'custom', message: orWord(parsed.message, 'none') });
      return z.NEVER;
    })
    .meta({ typeName: 'size or "none"' });
}

const http = z
  .strictObject({
    listen: listenAddress()
      .default('127.0.0.1:9529')
      .describe(
        'Where everything is served over HTTP. Beyond loopback, writing is open, queries follow `query`, and administration stays on loopback.',
      )
      .meta({ example: '0.0.0.0:9529' }),
    zipkin_listen: listenAddress({ mayBeOff: true })
      .default('127.0.0.1:9411')
      .describe("A second address for Zipkin's paths, on the port that Zipkin has; empty for none."),
    otlp_listen: listenAddress({ mayBeOff: true })
      .default('127.0.0.1:4318')
      .describe(
        "A further address for OTLP over HTTP, on the port that OpenTelemetry's senders expect; empty for none.",
      ),
    otlp_grpc_listen: listenAddress({ mayBeOff: true })
      .default('127.0.0.1:4317')
      .describe(
        "A further address for OTLP over gRPC, on the port that OpenTelemetry's senders expect; empty for none. Both ways are served on `listen` and on both of OTLP's addresses.",
      ),
    query: z
      .enum(['token', 'open', 'loopback'])
      .default('token')
      .describe(
        'Who may query from beyond loopback: `token` those who show one of `query_tokens`, `open` everybody, `loopback` nobody. On loopback everybody may.',
      ),
    query_tokens: z
      .array(secret())
      .default([])
      .describe(
        'Tokens for queries, sent as `Authorization: Bearer TOKEN`. Two of them let one be replaced without a gap.',
      )
      .meta({ example: [{ file: '/etc/trawl/query-token' }], secret: true, typeName: 'array of secrets' }),
    body_limit: size({ minBytes: 1024 })
      .prefault('5MiB')
      .describe('The largest request body as it is on the wire, where a route has no limit of its own.'),
    inflated_limit: size({ minBytes: 1024 })
      .prefault('20MiB')
      .describe('The largest request body after inflating, where a route has no limit of its own.'),
    max_inflight: size({ minBytes: 1024 * 1024 })
      .prefault('64MiB')
      .describe('The most bytes of request bodies in memory at once; beyond it requests are answered 429.'),
    max_connections: count(1, 1_000_000)
      .default(1024)
      .describe('The most open connections a listener; further ones are closed.'),
    requests_per_second: count(0, 1_000_000)
      .default(0)
      .describe(
        'The most requests a second that one address may send, in bursts of five times as many; beyond it 429. 0 for no limit.',
      ),
    request_timeout: duration({ minMs: 100 })
      .prefault('30s')
      .describe('How long a client may take to send a whole request.'),
    headers_timeout: duration({ minMs: 100 })
      .prefault('10s')
      .describe('How long a client may take to send the headers.'),
    keep_alive_timeout: duration({ minMs: 100 }).prefault('65s').describe('How long an idle connection stays open.'),
  })
  .prefault({})
  .describe('The listeners, who may ask, and the limits of a request.');

const store = z
  .strictObject({
    data_directory: z
      .string()
      .min(1, 'must name a directory')
      .default('data')
      .describe('Holds the spools, the positions in log files and the embedded store. One agent only.')
      .meta({ example: '/var/lib/trawl' }),
    url: url({ mayBeEmpty: true })
      .default('')
      .describe(
        'A `trawl store --listen` to keep data in, which several agents may share; empty for the embedded store.',
      )
      .meta({ example: 'http://trawl-store:9530' }),
    token: secret()
      .optional()
      .describe('The token of that `trawl store`.')
      .meta({ example: { file: '/etc/trawl/store-token' } }),
    retention: retention()
      .prefault('7d')
      .describe(
        'How long everything is kept. Older data that arrives is not taken. With `url`, what the `trawl store` there keeps goes before this.',
      ),
    retention_spans: retention()
      .optional()
      .describe('How long spans are kept, where it differs.')
      .meta({ example: '3d' }),
    retention_samples: retention()
      .optional()
      .describe('How long metric samples are kept, where it differs.')
      .meta({ example: '30d' }),
    retention_logs: retention()
      .optional()
      .describe('How long log lines are kept, where it differs.')
      .meta({ example: '14d' }),
    out_of_order_window: duration()
      .optional()
      .describe(
        'How far behind the clock a sample may be, scraped or pushed; older ones are refused. As long as samples are kept, where it is not said or they are kept for ever.',
      )
      .meta({ example: '2h' }),
    max_bytes: sizeCap()
      .prefault('20GiB')
      .describe(
        'The most the tables may take on disk; beyond it the oldest day goes first. With `url`, the same holds.',
      ),
    memory_limit: size({ minBytes: 256 * 1024 * 1024 })
      .prefault('1GiB')
      .describe(
        'The memory of the embedded store process; one that stays above it for ten seconds is replaced by a new one. Queries have half of it.',
      ),
  })
  .superRefine((value, context) => {
    if (value.url === '' && value.token !== undefined) {
      context.addIssue({ code: 'custom', path: ['token'], message: 'is for a store at a URL, but "url" is empty' });
    }
  })
  .prefault({})
  .describe('Where data is kept, and for how long.');

const spool = z
  .strictObject({
    max_bytes: size({ minBytes: 1024 * 1024 })
      .prefault('1GiB')
      .describe(
        'The most that waits on disk for the store; when it is full, senders are answered 429. Outputs have caps of their own.',
      ),
    max_segment_bytes: size({ minBytes: 64 * 1024, maxBytes: 1024 ** 3 })
      .prefault('16MiB')
      .describe('A segment is handed on at the latest when it has this size.'),
    max_segment_age: duration({ minMs: 10, maxMs: 60_000 })
      .prefault('1s')
      .describe('A segment is handed on at the latest after this time: how soon data can be queried.'),
  })
  .prefault({})
  .describe('What is acknowledged waits here, synced to disk, until it is in the store.');

const query = z
  .strictObject({
    timeout: duration({ minMs: 10, maxMs: 3_600_000 }).prefault('10s').describe('How long a query may run.'),
    max_points: count(1).default(11_000).describe('The most points a series of a range query.'),
    max_log_lines: count(1).default(5000).describe('The most lines of a log query.'),
    max_memory: size({ minBytes: 16 * 1024 * 1024 })
      .prefault('512MiB')
      .describe('The most memory of the store a query may take.'),
    max_rows_to_read: count(1).default(2_000_000_000).describe('The most rows a query may read.'),
    max_result_bytes: size({ minBytes: 1024 }).prefault('256MiB').describe('The largest result the store may answer.'),
    delayed_name_removal: z
      .boolean()
      .default(false)
      .describe(
        "Whether PromQL takes metrics' names off when a query is done, as Prometheus does with its feature `promql-delayed-name-removal`, not with each function: then `label_replace` and `label_join` see them.",
      ),
    max_concurrent: count(1, 64)
      .default(4)
      .describe('The most large queries at work at once; small ones do not wait for them.'),
    max_waiting: count(0, 100_000)
      .default(64)
      .describe('The most queries that wait for their turn; further ones are answered 503.'),
    recent_samples: size({ minBytes: 0 })
      .prefault('64MiB')
      .describe(
        'The most memory of the agent for recent samples of series that are asked for again and again, 0 for none. Not used with a store by `url`, to which others may write.',
      ),
    autocomplete_keys: z
      .array(z.string().min(1, 'must be the name of a tag'))
      .default([])
      .describe("The tags whose values Zipkin's search page suggests, e.g. `environment`.")
      .meta({ example: ['environment', 'region'] }),
  })
  .prefault({})
  .describe('The limits of a query.');

/** The annotations that may ask for a scrape. */
export const readableAnnotations = ['trawl/prom.instances', 'datakit/prom.instances', 'prometheus.io/scrape'] as const;

const discovery = z
  .strictObject({
    kubernetes: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        'Whether pods are asked of Kubernetes: `auto` where the agent runs in a pod with a service account, or `kubeconfig` is set.',
      ),
    kubeconfig: z
      .string()
      .default('')
      .describe('A kubeconfig file to ask Kubernetes with; empty for the service account of the pod the agent runs in.')
      .meta({ example: '/home/me/.kube/config' }),
    node: z
      .string()
      .default('')
      .describe(
        "The node whose pods are scraped; empty for `node_name`, or the host's name. `*` for the pods of all nodes, where one agent alone scrapes.",
      )
      .meta({ example: 'node-1' }),
    directory: z
      .string()
      .default('')
      .describe(
        'A directory of pod manifests (`*.yaml`, `*.yml`, `*.json`) that are pods as well: discovery without Kubernetes. Empty for none.',
      )
      .meta({ example: '/etc/trawl/pods' }),
    annotations: z
      .array(z.enum(readableAnnotations))
      .default([...readableAnnotations])
      .describe(
        'The annotations that may ask for a scrape. `prometheus.io/scrape` stands for its port, path and scheme, too.',
      )
      .meta({ example: ['datakit/prom.instances'] }),
    max_targets: count(1, 100_000)
      .default(1_000)
      .describe('The most targets of all pods together; further ones are refused, and shown by `trawl targets`.'),
  })
  .prefault({})
  .describe(
    'Pods that ask for a scrape by an annotation: where the agent learns of them, and what it takes from them.',
  );

const log = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .default('info')
      .describe("The least severe of the agent's own log lines to be written."),
    format: z
      .enum(['auto', 'json', 'text'])
      .default('auto')
      .describe('`auto` writes text to a terminal and JSON elsewhere.'),
  })
  .prefault({})
  .describe("The agent's own log, on standard error.");

/** The schema of `trawl.conf`, without the inputs and outputs that may also stand there. */
export const mainConfig = z.strictObject({
  node_name: z
    .string()
    .default('')
    .describe("The node's name, told with everything the agent collects here; empty for the host's name.")
    .meta({ example: 'node-1' }),
  http,
  store,
  spool,
  query,
  discovery,
  log,
  global_tags: tags()
    .default({})
    .describe('Added to the resource of every span, series and log line.')
    .meta({ example: { cluster: 'bookinfo' } }),
});

export type MainConfig = z.infer<typeof mainConfig>;
