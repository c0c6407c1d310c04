/**
 * What a look-up by id and the lists of names cost in the engine alone: `npx tsx bench/experiments/by-id.ts --data DIR [--times 60]`, where DIR
 * is the `chdb` directory of a store that is not running (take a copy). Each variant is asked in turn with an id of its own, so that a
 * machine that is slow for a while is slow for all. Prints a line of JSON a variant.
 */
import { parseArgs } from 'node:util';
import { Session } from 'chdb';
import { defaultReadLimits, limitSettings } from '../../src/store/readers/limits.ts';
import { spanRow } from '../../src/store/readers/spans.ts';
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

const columnsOf = (row: string) => row.split(',').map((column) => column.trim());
const all = columnsOf(spanRow);
const without = (...left: readonly string[]) => all.filter((column) => !left.includes(column)).join();
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
const shipped =
  ', output_format_parallel_formatting = 0, query_plan_enable_optimizations = 0, use_query_condition_cache = 0';
const named = ', output_format_parallel_formatting = 0';
const isService = "lowerUTF8(local_service) = lowerUTF8('service-3.default')";

const variants: Readonly<Record<string, () => string>> = {
  'SELECT 1': () => 'SELECT 1 SETTINGS output_format_parallel_formatting = 0 FORMAT RowBinary',
  'SELECT 1, threads that format': () => 'SELECT 1 FORMAT RowBinary',
  shipped: byId(spanRow, shipped),
  'threads that format': byId(spanRow, shipped.replace('formatting = 0', 'formatting = 1')),
  'with the plan optimized': byId(spanRow),
  'with the plan optimized, WHERE': byId(spanRow, '', 'WHERE'),
  'the old analyzer': byId(spanRow, `${shipped}, enable_analyzer = 0`),
  'without five more columns': byId(without('local_ipv6', 'details', 'event_value', 'flags', 'status'), shipped),
  'without tags': byId(without('tags'), shipped),
  'an id and a time': byId('id, ts', shipped),
  'an unknown id': byId(spanRow, shipped, 'PREWHERE', unknownId),
  services: () =>
    `SELECT DISTINCT local_service FROM spans SETTINGS ${limits}${named}, preferred_optimize_projection_name = 'names'`,
  'services, any projection': () => `SELECT DISTINCT local_service FROM spans SETTINGS ${limits}${named}`,
  'services, grouped': () =>
    `SELECT local_service FROM spans WHERE local_service != '' GROUP BY local_service SETTINGS ${limits}${named}`,
  'services, the projection as a table': () =>
    `SELECT DISTINCT local_service FROM mergeTreeProjection(default, spans, names) SETTINGS ${limits}${named}`,
  operations: () =>
    `SELECT DISTINCT name, kind FROM spans WHERE ${isService} SETTINGS ${limits}${named}, preferred_optimize_projection_name = 'names'`,
  'operations, grouped': () =>
    `SELECT name, kind FROM spans WHERE ${isService} AND name != '' GROUP BY name, kind SETTINGS ${limits}${named}`,
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
