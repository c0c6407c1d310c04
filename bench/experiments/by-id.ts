/**
 * What a look-up by id and the lists of names cost in the engine alone: `npx tsx bench/experiments/by-id.ts --data DIR [--times 60]`, where DIR
 * is the `chdb` directory of a store that is not running (take a copy). Each variant is asked in turn with an id of its own, so that a
 * machine that is slow for a while is slow for all. Prints a line of JSON a variant.
 */
import { parseArgs } from 'node:util';
import { Session } from 'chdb';
import { defaultReadLimits, limitSettings } from '../../src/store/readers/limits.ts';
import { quantile } from '../lib/processes.ts';
import { quit } from './in-process-store.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    times: { type: 'string', default: '60' },
    /** Bytes of the cache of unpacked indexes; the store process has 20 MiB. */
    'index-cache': { type: 'string', default: '20971520' },
  },
});
if (values.data === undefined) throw new Error('--data DIR is missing');
const session = new Session(values.data, {
  connectionArgs: ['--mark_cache_size=67108864', `--index_uncompressed_cache_size=${values['index-cache']}`],
});

const zipkin = `trace_id, id, parent_id, ts, start_offset_us, duration_us, kind, flags, status, name, local_service, local_ipv4,
  local_ipv6, local_port, remote_service, remote_ipv4, remote_ipv6, remote_port, request_id, event_us, event_value, tags`;
const all = `${zipkin}, service, namespace, pod, container, node, version, resource, details`;
const limits = Object.entries(limitSettings(defaultReadLimits))
  .map(([name, value]) => `${name} = ${value}`)
  .join(', ');

const text = async (sql: string) => (await session.queryAsync(sql, { format: 'TSV' })).text().trim();
const ids = (await text('SELECT DISTINCT lower(hex(trace_id)) FROM spans WHERE cityHash64(trace_id) % 500 = 7')).split(
  '\n',
);
let asked = 0;
const anId = () => ids[(asked++ * 7919) % ids.length] ?? '';
const unknownId = () =>
  `${'b'.repeat(24)}${Math.floor(Math.random() * 1e8)
    .toString()
    .padStart(8, '0')}`;

const byId =
  (columns: string, settings = '', clause = 'PREWHERE', id = anId) =>
  () =>
    `SELECT ${columns} FROM spans ${clause} trace_id = toFixedString(unhex('${id()}'), 16) LIMIT 200001 SETTINGS ${limits}${settings}`;
const shipped = ', query_plan_enable_optimizations = 0, use_query_condition_cache = 0';

const variants: Readonly<Record<string, () => string>> = {
  'SELECT 1': () => 'SELECT 1',
  shipped: byId(all, shipped),
  'with the plan optimized': byId(all),
  'with the plan optimized, WHERE': byId(all, '', 'WHERE'),
  'the old analyzer': byId(all, `${shipped}, enable_analyzer = 0`),
  'one thread': byId(all, `${shipped}, max_threads = 1`),
  pread: byId(all, `${shipped}, local_filesystem_read_method = 'pread'`),
  'no pool for dictionaries': byId(all, `${shipped}, merge_tree_use_prefixes_deserialization_thread_pool = 0`),
  'without the resource': byId(zipkin, shipped),
  'an id and a time': byId('id, ts', shipped),
  'an unknown id': byId(all, shipped, 'PREWHERE', unknownId),
  services: () => `SELECT local_service FROM spans WHERE local_service != '' GROUP BY local_service SETTINGS ${limits}`,
  'services, from the spans': () =>
    `SELECT DISTINCT local_service FROM spans SETTINGS ${limits}, optimize_use_projections = 0`,
};

const names = Object.keys(variants);
const took = new Map(names.map((name) => [name, { ms: [] as number[], cpuUs: 0 }]));
for (let round = -3; round < Number(values.times); round++) {
  for (const [name, sql] of Object.entries(variants)) {
    const cpu = process.cpuUsage();
    const before = performance.now();
    await session.queryAsync(sql(), { format: 'RowBinary' });
    const ms = performance.now() - before;
    const { user, system } = process.cpuUsage(cpu);
    const sum = took.get(name);
    if (round < 0 || sum === undefined) continue;
    sum.ms.push(ms);
    sum.cpuUs += user + system;
  }
}
for (const [name, { ms, cpuUs }] of took) {
  const cpuMs = Number((cpuUs / ms.length / 1000).toFixed(2));
  console.log(JSON.stringify({ name, p10: quantile(ms, 0.1), p50: quantile(ms, 0.5), p95: quantile(ms, 0.95), cpuMs }));
}
quit();
