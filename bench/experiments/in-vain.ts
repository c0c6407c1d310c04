/**
 * What Zipkin's searches of the last hour cost in the engine alone, those that find nothing above all: `npx tsx bench/experiments/in-vain.ts
 * --data DIR --end MS [--times 9] [--sql]`, where DIR is the `chdb` directory of a store that is not running (take a copy) filled by
 * `bench/spans.ts`, and MS the time of its newest spans. Prints a line of JSON a kind of search; `--sql` shows the queries of each too.
 */
import { parseArgs } from 'node:util';
import { Session } from 'chdb';
import { planSearch } from '../../src/query/zipkin/plan.ts';
import { matchesTrace, parseTraceQuery } from '../../src/query/zipkin/trace-query.ts';
import type { StoreClient } from '../../src/store/client.ts';
import { withLiterals } from '../../src/store/engine/sql-text.ts';
import { parameterText } from '../../src/store/http-request.ts';
import { searchTraces } from '../../src/store/readers/trace-search.ts';
import { quantile } from '../lib/processes.ts';
import { quit } from './in-process-store.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    end: { type: 'string' },
    times: { type: 'string', default: '9' },
    sql: { type: 'boolean', default: false },
  },
});
if (values.data === undefined || values.end === undefined) throw new Error('--data DIR or --end MS is missing');
const endMs = Number(values.end);
const session = new Session(values.data, {
  connectionArgs: ['--mark_cache_size=67108864', '--index_uncompressed_cache_size=20971520'],
});

interface Asked {
  readonly sql: string;
  readonly ms: number;
  readonly cpuMs: number;
}

let asked: Asked[] = [];
const notHere = async () => {
  throw new Error('searches only read bytes');
};
const client: StoreClient = {
  async bytes({ sql, parameters = {}, settings = {}, format }) {
    const all = { max_threads: 2, max_memory_usage: 256_000_000, output_format_parallel_formatting: 0, ...settings };
    const clause = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
    const sent = new Map(Object.entries(parameters).map(([name, value]) => [name, parameterText(value)]));
    const text = withLiterals(sql, sent);
    if (text === undefined) throw new Error(`not all parameters are plain: ${sql}`);
    const cpu = process.cpuUsage();
    const before = performance.now();
    const answer = await session.queryAsync(`${text} SETTINGS ${clause.join(', ')}`, { format });
    const ms = performance.now() - before;
    const { user, system } = process.cpuUsage(cpu);
    asked.push({ sql: text, ms, cpuMs: (user + system) / 1000 });
    return Buffer.from(answer.bytes());
  },
  rows: notHere,
  command: notHere,
  insert: notHere,
  close: notHere,
};

const tagOf = (i: number) => `istio.canonical_service%3Dservice-${i % 50}`;
const serviceOf = (i: number) => `service-${i % 50}.default`;
const kinds: Readonly<Record<string, (i: number) => string>> = {
  'the newest of a service': (i) => `serviceName=${serviceOf(i)}&limit=20`,
  'a tag': (i) => `annotationQuery=http.method%3DGET&limit=${20 + i}`,
  'a tag and a duration': (i) => `annotationQuery=http.method%3DGET&minDuration=${20_000 + 37 * i}`,
  'a tag nobody has': (i) => `annotationQuery=http.status_code%3D7${i}x`,
  'a tag nobody has, and a duration': (i) => `annotationQuery=http.status_code%3D5${i}x&minDuration=${20_000 + i}`,
  'a unique tag nobody has': (i) => `annotationQuery=http.url%3D/nowhere/${i}&minDuration=${20_000 + i}`,
  'a duration nobody has': (i) => `serviceName=${serviceOf(i)}&minDuration=${1_000_000_000 + i}`,
  'a tag, and a duration nobody has': (i) => `annotationQuery=${tagOf(i)}&minDuration=${1_000_000_000 + i}`,
  'a service nobody has': (i) => `serviceName=nobody-${i}`,
  'a name nobody has': (i) => `serviceName=${serviceOf(i)}&spanName=nothing-${i}`,
};

async function search(parameters: string): Promise<number> {
  const text = `${parameters}&lookback=3600000&endTs=${endMs}`;
  const parsed = parseTraceQuery(new URLSearchParams(text), { nowMs: endMs });
  if (parsed.kind === 'malformed') throw new Error(parsed.message);
  let found = 0;
  await searchTraces(client, planSearch(parsed.query), {
    limit: parsed.query.limit,
    signal: new AbortController().signal,
    nowUs: endMs * 1000,
    take(trace) {
      if (!matchesTrace(parsed.query, trace)) return false;
      found++;
      return true;
    },
  });
  return found;
}

for (const [name, parametersOf] of Object.entries(kinds)) {
  const tookMs: number[] = [];
  const cpuMs: number[] = [];
  let found = 0;
  for (let i = 0; i < Number(values.times); i++) {
    asked = [];
    const before = performance.now();
    found += await search(parametersOf(i));
    tookMs.push(performance.now() - before);
    cpuMs.push(asked.reduce((sum, query) => sum + query.cpuMs, 0));
  }
  const queries = asked.map((query) => Math.round(query.ms));
  console.log(JSON.stringify({ name, p50: quantile(tookMs, 0.5), cpuMs: quantile(cpuMs, 0.5), found, queries }));
  if (values.sql) for (const query of asked) console.log(`  ${query.ms.toFixed(1)} ms: ${query.sql}`);
}
quit();
