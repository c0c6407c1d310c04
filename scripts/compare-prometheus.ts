/**
 * Puts some hundred requests, right and wrong ones, to every route of Prometheus's HTTP API, of a real Prometheus 3 and of a whole agent that have the
 * same samples and the same target: `npx tsx scripts/compare-prometheus.ts --prometheus PATH`. Statuses, headers and bodies are compared; the last
 * line is JSON, with those that differ and are not listed below, and the exit status 1 when there was any. `--show N` tells how many are shown, `--meant`
 * shows those that are listed as well.
 */
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startAgent } from '../test/fixtures/agent.ts';
import { type ApiRequest, apiRequests } from '../test/fixtures/prometheus-requests.ts';
import { startPrometheus } from '../test/fixtures/prometheus-server.ts';
import { compress, encodeWriteRequest, type WriteSeries } from '../test/fixtures/write-request.ts';

const { values } = parseArgs({
  options: {
    prometheus: { type: 'string' },
    show: { type: 'string', default: '40' },
    meant: { type: 'boolean', default: false },
  },
});

interface Meant {
  readonly pattern: RegExp;
  /** Only versions before this one differ. */
  readonly until?: number;
  readonly reason: string;
}

/** What differs on purpose, by method and path. */
const meant: readonly Meant[] = [
  {
    pattern:
      /(?:step|lookback_delta|timeout)=(?:NaN|0$|0s|-1$)|topk%28NaN|sort%28|histogram_quantile%28|hits_total\+\*\+on/,
    until: 3.16,
    reason: 'the newest words of errors and warnings',
  },
  { pattern: /match%5B%5D=hits_total%405/, until: 3.16, reason: 'a token without a name was told by its number' },
  { pattern: /parse_query/, until: 3.16, reason: 'durations were no formulas' },
  {
    pattern: /^POST \/api\/v1\/(?:label\/pod\/values|targets|metadata|rules|alerts) /,
    reason: '405 tells in its own words what may be asked',
  },
  { pattern: /\/-\/(?:healthy|reload)$/, reason: 'the words are its own, and 405 tells what may be asked' },
  {
    pattern: /(?:series|labels)\?match%5B%5D=up&/,
    reason: 'a series is listed for the whole of each day that it has samples on',
  },
  {
    pattern: /(?:time|start|end)=(?:NaN|nan|(?:%2B|-)?Inf|1e20|9223372036854775807|0000-|-292273086|292277025)/,
    reason:
      'a number beyond all times is no time here, where Prometheus lets it overflow; its own first and last time mean "all"',
  },
  { pattern: /query\?\S*time=( |$)/, reason: 'now is now' },
  { pattern: /(?:step|lookback_delta|timeout)=0\.0001/, reason: 'times are whole milliseconds' },
  { pattern: /stats=/, reason: 'what was read is counted, not what was looked at' },
  { pattern: /%zz|1;time/, reason: 'parameters are read by the rules of URLs (WHATWG), which know no separator `;`' },
  {
    pattern: /content-type":"(?:multipart|"|a\/b)|POST \/api\/v1\/write/,
    reason: 'a body is refused in words of its own, 415 where it is no kind that is known',
  },
  { pattern: /accept-encoding/, reason: 'a short answer is not compressed' },
  {
    pattern: /^(?:OPTIONS|HEAD|PUT|DELETE|PATCH) /,
    reason: 'GET answers HEAD; what else there is of a route is told in Allow; OPTIONS is for pages that send spans',
  },
  { pattern: /\/ |\/$|\/ ""$/, reason: 'no redirections: an address has one form' },
  {
    pattern:
      /v1\/(?:nothing|query\/x|label(?:\/pod)?(?:\/x)?|QUERY|\/query|\.\/query|status\/nothing)?$|^GET \/api(?:\/|\/v1|\/v2\/query)?$|label\/\/values|\/-\/(?:nothing|quit)/,
    reason: 'what is not found names the nearest routes',
  },
  { pattern: /label\/(?:ü|%ff|a%2Fb|pod%00|%20|U__)/, reason: 'a name in a path is read by the rules of URLs' },
  { pattern: /origin":"http:\/\/elsewhere/, reason: 'pages of elsewhere may not ask (docs/reference/http-api.md)' },
  { pattern: /(?:series|metadata)\?\S*limit=(?:%2B|-)?1(?:&|$)/, reason: 'nothing says which are within a limit' },
  { pattern: /query_exemplars\?query=(?:1|%22a%22)/, reason: 'an empty list in place of no body' },
  { pattern: /\/targets(?:\?|$)/, reason: 'targets have no pools and no settings of their own to discover' },
  { pattern: /status\/(?:config|runtimeinfo|buildinfo|flags|tsdb)/, reason: 'what there is to tell of itself differs' },
  {
    pattern: /scrape_pools|status\/tsdb\/blocks|features|notifications|\/read|\/admin\//,
    reason: 'there is no such thing here',
  },
];

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

const comparedHeaders = [
  'content-type',
  'allow',
  'location',
  'access-control-allow-origin',
  'access-control-allow-methods',
];

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON is compared as text.
    return text;
  }
}

/** A header; OPTIONS, which Prometheus has for all, is left out of Allow. */
function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  const text = Array.isArray(value) ? value.join() : value;
  return name === 'allow' ? text?.replace(/, OPTIONS|OPTIONS, /, '') : text;
}

/** One request on a connection of its own, with its path as it is; `fetch` would tidy it. */
function ask(origin: string, { method, path, form, headers = {} }: ApiRequest): Promise<Answered> {
  const { hostname, port } = new URL(origin);
  const formType = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const asked = httpRequest({
    hostname,
    port,
    method,
    path,
    agent: false,
    headers: { ...formType, ...headers, ...(form === undefined ? {} : { 'content-length': Buffer.byteLength(form) }) },
    timeout: 20_000,
  });
  return new Promise((resolve, reject) => {
    // A server that fails at a request closes its connection.
    asked.once('error', (error) => resolve({ status: 0, headers: {}, body: error.message }));
    asked.once('timeout', () => asked.destroy(new Error(`no answer to ${method} ${path} within 20 s`)));
    asked.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const encoding = response.headers['content-encoding'];
        const text = encoding === undefined ? Buffer.concat(chunks).toString() : `(${encoding})`;
        const told = comparedHeaders.map((name) => [name, headerOf(response, name)]);
        resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(told), body: bodyOf(text) });
      });
    });
    asked.end(form);
  });
}

/** The same with everything that depends on the moment or the machine taken for its kind. */
function comparable(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each: unknown) => comparable(each, key));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, comparable(each, name)]));
  }
  if (
    /^(?:\w*[tT]ime|lastScrape|lastScrapeDuration|CWD|\w+Error|timings|scrapeUrl|globalUrl|__\w+__|instance)$/.test(key)
  ) {
    return `a ${typeof value}`;
  }
  return value;
}

/** Lists that Prometheus makes of a map have no order. */
function inOrder(answer: Answered, path: string): Answered {
  const { body } = answer;
  if (!path.startsWith('/api/v1/targets/metadata') || typeof body !== 'object' || body === null) return answer;
  const data: unknown = 'data' in body ? body.data : undefined;
  if (!Array.isArray(data)) return answer;
  const sorted = data.map((each: unknown) => JSON.stringify(each)).sort();
  return { ...answer, body: { ...body, data: sorted.map((each): unknown => JSON.parse(each)) } };
}

/** Whether both are values of samples that are the same but for the last digits. */
function isNearly(ours: unknown, theirs: unknown): boolean {
  if (typeof ours !== 'string' || typeof theirs !== 'string') return false;
  return Math.abs(Number(ours) - Number(theirs)) <= 1e-12 * Math.abs(Number(theirs));
}

/** Where two answers part; undefined where they are alike. */
function difference(ours: unknown, theirs: unknown, path = ''): string | undefined {
  if (typeof ours !== 'object' || typeof theirs !== 'object' || ours === null || theirs === null) {
    if (Object.is(ours, theirs) || isNearly(ours, theirs)) return undefined;
    return `at ${path}: ${JSON.stringify(ours)} here, ${JSON.stringify(theirs)} there`;
  }
  const [here, there] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))];
  for (const name of new Set([...here.keys(), ...there.keys()])) {
    const found = difference(here.get(name), there.get(name), `${path}/${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const exposition = `# HELP scraped_total What was scraped.
# TYPE scraped_total counter
scraped_total{code="200"} 5
# HELP temperature_celsius How warm it is.
# TYPE temperature_celsius gauge
temperature_celsius 21.5
`;

async function startTarget() {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(exposition);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

function samplesUntil(endMs: number): readonly WriteSeries[] {
  const times = Array.from({ length: 41 }, (_, i) => endMs - (40 - i) * 15_000);
  const series = (name: string, label: readonly [string, string], value: (i: number) => number): WriteSeries => ({
    labels: [['__name__', name] as const, ['source', 'pushed'] as const, label].sort(([a], [b]) => (a < b ? -1 : 1)),
    samples: times.map((timeMs, i) => [timeMs, value(i)] as const),
  });
  return [
    series('gauge', ['pod', 'web-0'], Math.sin),
    series('gauge', ['pod', 'web-1'], (i) => -i),
    ...[0, 1, 2].map((pod) => series('hits_total', ['pod', `web-${pod}`], (i) => 1000 + pod + i * i)),
    series('my.metric', ['the.label', 'ü'], (i) => i / 8),
  ];
}

async function main(): Promise<void> {
  const program = values.prometheus;
  if (program === undefined)
    throw new Error(
      '--prometheus must be the program of a Prometheus 3 (test/fixtures/prometheus-server.ts tells how it is built)',
    );
  const target = await startTarget();
  const instance = `127.0.0.1:${target.port}`;
  const endMs = Math.floor(Date.now() / 15_000) * 15_000 - 30_000;
  const prometheus = await startPrometheus(program, {
    config: `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: scraped, static_configs: [{ targets: ['${instance}'] }] }]\n`,
    flags: ['--enable-feature=promql-experimental-functions', '--query.timeout=10s', '--web.enable-lifecycle'],
  });
  const files = {
    'prom.conf': `[[inputs.prom]]\n  urls = ["http://${instance}/metrics"]\n  source = "scraped"\n  interval = "1s"\n`,
    'write.conf': '[[inputs.remote_write]]\n',
  };
  const agent = await startAgent({ files, sets: ['store.retention=forever'] });
  const unlike: string[] = [];
  let asked = 0;
  let onPurpose = 0;
  try {
    await agent.ready();
    const samples = samplesUntil(endMs);
    await prometheus.write(samples);
    const body = compress(encodeWriteRequest(samples));
    const kind = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
    const written = await agent.post('/api/v1/write', Uint8Array.from(body), kind);
    if (written.status >= 300)
      throw new Error(`the agent answered remote write with ${written.status}: ${written.text}`);
    await sleep(2500);
    await agent.flush();
    for (const each of apiRequests({ endMs, instance })) {
      const theirs = await ask(prometheus.url, each);
      const ours = await ask(agent.url, each);
      asked++;
      const found = difference(comparable(inOrder(ours, each.path)), comparable(inOrder(theirs, each.path)));
      if (found === undefined) continue;
      const name = `${each.method} ${each.path}${each.form === undefined ? '' : ` ${JSON.stringify(each.form)}`}${each.headers === undefined ? '' : ` ${JSON.stringify(each.headers)}`}`;
      if (meant.some(({ pattern, until }) => prometheus.version < (until ?? 100) && pattern.test(name))) {
        onPurpose++;
        if (values.meant) console.log(`(on purpose) ${name}\n    ${found}`);
      } else unlike.push(`${name}\n    ${found}`);
    }
  } finally {
    await agent.remove();
    await prometheus.stop();
    target.server.close();
  }
  for (const each of unlike.slice(0, Number(values.show))) console.log(each);
  console.log(JSON.stringify({ version: prometheus.version, asked, onPurpose, different: unlike.length }));
  process.exitCode = unlike.length === 0 ? 0 : 1;
}

await main();
