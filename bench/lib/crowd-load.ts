/**
 * What goes on beside the cheap queries of `bench/promql-crowd.ts`, in processes of their own: `--role heavy` asks heavy queries from many
 * clients, each as soon as its last is answered; `--role ingest` sends samples and spans at a steady pace. Prints JSON.
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { compress, encodeWriteRequest, type WriteSeries } from '../../test/fixtures/write-request.ts';
import { quantile } from './processes.ts';

const { values } = parseArgs({
  options: {
    role: { type: 'string' },
    url: { type: 'string', default: '' },
    /** The newest sample, in milliseconds. */
    end: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '20' },
    clients: { type: 'string', default: '50' },
    samplesPerSecond: { type: 'string', default: '5000' },
  },
});
const endMs = performance.now() + Number(values.seconds) * 1000;
const isOver = () => performance.now() > endMs;
const connections = new Agent({ keepAlive: true });

interface Answered {
  readonly status: number;
  readonly said: string;
  readonly tookMs: number;
}

function send(path: string, options: { method: string; headers?: Record<string, string> }, body?: Buffer) {
  const startedMs = performance.now();
  return new Promise<Answered>((resolve, reject) => {
    const asked = request(values.url + path, { agent: connections, ...options }, (response) => {
      let said = '';
      response.on('data', (chunk: Buffer) => {
        if (response.statusCode !== 200 && said.length < 500) said += chunk.toString();
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, said, tookMs: performance.now() - startedMs }),
      );
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

interface Heavy {
  readonly name: string;
  readonly query: string;
  readonly stepS?: number;
}

const heavyQueries: readonly Heavy[] = [
  { name: 'rates of everything', query: 'rate({__name__=~".+"}[5m])' },
  { name: 'sum by (svc) over 80 minutes, step 1 s', query: 'sum by (svc) (rate(bench_10k_total[5m]))', stepS: 1 },
  { name: 'huge answer', query: 'rate(bench_10k_total[5m])', stepS: 15 },
  { name: 'subquery', query: 'max_over_time(sum by (code) (rate(bench_10k_total[5m]))[1h:15s])' },
  {
    name: 'regexes',
    query: 'sum by (pod) (increase({svc=~".*[0-5].*",pod=~".*(1|3|5|7)+.*",code!~"5.."}[10m]))',
    stepS: 60,
  },
  { name: 'quantiles over time', query: 'quantile_over_time(0.9, bench_1k_total[30m])', stepS: 5 },
  {
    name: 'label_replace of everything',
    query: 'sum by (n) (label_replace({__name__=~"bench.*"}, "n", "$1", "pod", "(.*)-(.*)-(.*)"))',
    stepS: 60,
  },
  { name: 'topk', query: 'topk(100, bench_10k_total)', stepS: 15 },
];

function pathOf({ query, stepS }: Heavy): string {
  const end = Number(values.end) / 1000;
  const times = stepS === undefined ? { time: `${end}` } : { start: `${end - 4800}`, end: `${end}`, step: `${stepS}` };
  return `/api/v1/query${stepS === undefined ? '' : '_range'}?${new URLSearchParams({ query, ...times })}`;
}

async function beHeavy(): Promise<unknown> {
  const took: Record<string, number[]> = {};
  const counts: Record<string, number> = {};
  const slow: Record<string, number[]> = {};
  let next = 0;
  const client = async () => {
    while (!isOver()) {
      const heavy = heavyQueries[next++ % heavyQueries.length];
      if (heavy === undefined) continue;
      const { status, said, tookMs } = await send(pathOf(heavy), { method: 'GET' }).catch((error: unknown) => ({
        status: 0,
        said: String(error),
        tookMs: 0,
      }));
      const outcome =
        status === 200 ? '200' : `${status} ${/"error":"([^"]{0,90})/.exec(said)?.[1] ?? said.slice(0, 90)}`;
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      const among = status === 200 ? took : slow;
      const name = status === 200 ? heavy.name : outcome;
      among[name] = [...(among[name] ?? []), tookMs];
      if (status === 503) await sleep(500);
    }
  };
  await Promise.all(Array.from({ length: Number(values.clients) }, client));
  return {
    outcomes: counts,
    answeredMs: Object.fromEntries(
      Object.entries(took).map(([name, all]) => [
        name,
        { count: all.length, p50: quantile(all, 0.5), max: quantile(all, 1) },
      ]),
    ),
    refusedMs: Object.fromEntries(
      Object.entries(slow).map(([name, all]) => [name, { p50: quantile(all, 0.5), max: quantile(all, 1) }]),
    ),
  };
}

const tick = 100;

/** Bodies go out at their time, whether the last was answered or not. */
async function ingest(): Promise<unknown> {
  const took: { samples: number[]; spans: number[] } = { samples: [], spans: [] };
  const statuses: Record<string, number> = {};
  const perBody = Math.round((Number(values.samplesPerSecond) * tick) / 1000);
  const sending: Promise<void>[] = [];
  const post = (what: 'samples' | 'spans', path: string, headers: Record<string, string>, body: Buffer) =>
    send(path, { method: 'POST', headers }, body).then(
      ({ status, tookMs }) => {
        took[what].push(tookMs);
        statuses[`${what} ${status}`] = (statuses[`${what} ${status}`] ?? 0) + 1;
      },
      (error: unknown) => {
        statuses[`${what} ${String(error)}`] = (statuses[`${what} ${String(error)}`] ?? 0) + 1;
      },
    );
  const startedMs = performance.now();
  for (let n = 0; !isOver(); n++) {
    await sleep(Math.max(0, startedMs + n * tick - performance.now()));
    const nowMs = Date.now();
    const series = Array.from(
      { length: perBody },
      (_, i): WriteSeries => ({
        labels: [
          ['__name__', `live_${n % 10}`],
          ['job', 'live'],
          ['pod', `live-${i}`],
        ],
        samples: [[nowMs, n + i]],
      }),
    );
    sending.push(
      post(
        'samples',
        '/api/v1/write',
        { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
        compress(encodeWriteRequest(series)),
      ),
    );
    const spans = Array.from({ length: 20 }, (_, i) => ({
      traceId: (n * 100 + i + 1).toString(16).padStart(16, '0'),
      id: (n * 100 + i + 1).toString(16).padStart(16, '0'),
      name: 'get',
      timestamp: nowMs * 1000,
      duration: 1000 + i,
      localEndpoint: { serviceName: 'live' },
    }));
    sending.push(
      post('spans', '/api/v2/spans', { 'Content-Type': 'application/json' }, Buffer.from(JSON.stringify(spans))),
    );
  }
  await Promise.all(sending);
  const of = (all: readonly number[]) => ({ p50: quantile(all, 0.5), p99: quantile(all, 0.99), max: quantile(all, 1) });
  return { statuses, samplesMs: of(took.samples), spansMs: of(took.spans) };
}

const report = values.role === 'heavy' ? await beHeavy() : await ingest();
connections.destroy();
console.log(JSON.stringify(report));
