/**
 * What a series that was never seen costs the store, under other forms of its table: `npx tsx bench/experiments/new-series.ts [--series 200000]
 * [--segment 10000] [--only NAME]`. Segments as the agent writes them are inserted as the store inserts them, then merged into one part; each variant
 * is the shipped table with some of its text replaced. Prints a line of JSON a variant, microseconds of CPU a series and milliseconds a query.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Session } from 'chdb';
import { createSeries } from '../../src/model/sample.ts';
import { migrations } from '../../src/store/schema/migrations.ts';
import { structureOf } from '../../src/store/writers/native-block.ts';
import { createSampleEncoder, seriesColumns } from '../../src/store/writers/samples.ts';

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '200000' },
    segment: { type: 'string', default: '10000' },
    only: { type: 'string' },
  },
});
const total = Number(values.series);
const segmentRows = Number(values.segment);
const blockRows = 8192;

function seriesOf(i: number) {
  return createSeries(
    [
      ['__name__', `metric_${i % 200}_total`],
      ['cluster', 'production-eu-west-1'],
      ['code', String(200 + (i % 5))],
      ['container', 'application'],
      ['handler', `/api/v1/resources/${i % 17}`],
      ['instance', `10.0.${i % 250}.${Math.floor(i / 250) % 199}:9090`],
      ['job', `kubernetes-pods-${i % 20}`],
      ['method', ['GET', 'POST', 'PUT', 'DELETE'][i % 4] ?? ''],
      ['namespace', `team-${i % 12}`],
      ['pod', `service-${i % 40}-7d9f8b6c5d-${(i % 10_007).toString(36).padStart(5, 'x')}`],
      ['service', `service-${i % 40}`],
      ['shard', String(i)],
    ],
    { measurement: 'metric', field: `${i % 200}_total` },
  );
}

const shipped = migrations[0]?.statements.find((sql) => sql.includes('TABLE IF NOT EXISTS series')) ?? '';
interface Variant {
  readonly change?: (ddl: string) => string;
  readonly settings?: string;
}
const inOneFile = (ddl: string) => ddl.replace('SETTINGS index', 'SETTINGS min_bytes_for_wide_part = 268435456, index');
const labelsType = 'Map(LowCardinality(String), String)';
/** A function chooses among the labels of a series' rows, which are all the same, in place of the key. */
const chosen = (ddl: string) =>
  ddl.replace(labelsType, 'SimpleAggregateFunction(any, Map(String, String))').replace('field, labels)', 'field)');
const withLabels = (type: string) => (ddl: string) => ddl.replace(labelsType, type);
const variants: Readonly<Record<string, Variant>> = {
  shipped: {},
  'labels chosen by a function': { change: chosen },
  'labels chosen by a function, not at once': { change: chosen, settings: 'optimize_on_insert = 0' },
  'not aggregated at once': { settings: 'optimize_on_insert = 0' },
  'in one file': { change: inOneFile },
  'names of labels as strings': { change: withLabels('Map(String, String)') },
  'values of labels in a dictionary': { change: withLabels('Map(LowCardinality(String), LowCardinality(String))') },
};

const home = mkdtempSync(join(tmpdir(), 'trawl-series-'));
const encoder = createSampleEncoder();
const segments = total / segmentRows;
const all = Array.from({ length: total }, (_, i) => seriesOf(i));
let cpu = process.cpuUsage();
const spent = () => {
  const { user, system } = process.cpuUsage(cpu);
  cpu = process.cpuUsage();
  return (user + system) / total;
};
for (let segment = 0; segment < segments; segment++) {
  const blocks: Buffer[] = [];
  for (let row = 0; row < segmentRows; row += blockRows) {
    const end = Math.min(row + blockRows, segmentRows);
    const series = all.slice(segment * segmentRows + row, segment * segmentRows + end);
    blocks.push(Buffer.from(encoder.series(series.map((each) => ({ series: each, lastDay: 20_778 })))));
  }
  writeFileSync(join(home, `${segment}.native`), Buffer.concat(blocks));
}
console.log(JSON.stringify({ encodeUs: Number(spent().toFixed(1)) }));

const session = new Session(join(home, 'db'));
const run = async (sql: string) => (await session.queryAsync(sql, { format: 'JSONCompact' })).text();
const names = seriesColumns.map(([name]) => name);
const structure = structureOf(seriesColumns).replaceAll("'", "\\'");
const round = (value: number) => Number(value.toFixed(1));
const timed = async (sql: string) => {
  const took: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    await run(sql);
    took.push(performance.now() - before);
  }
  return round(Math.min(...took));
};

for (const [name, { change, settings = 'optimize_on_insert = 1' }] of Object.entries(variants)) {
  if (values.only !== undefined && !name.includes(values.only)) continue;
  await run('DROP TABLE IF EXISTS series SYNC');
  try {
    await run(change?.(shipped) ?? shipped);
  } catch (error) {
    console.log(JSON.stringify({ name, error: String(error).slice(0, 200) }));
    continue;
  }
  await run('SYSTEM STOP MERGES series');
  const selected = names.join(', ');
  const source = (segment: number) => `file('${home}/${segment}.native', Native, '${structure}')`;
  spent();
  for (let segment = 0; segment < segments; segment++)
    await run(`SELECT ${selected}, ${segment}::UInt64 FROM ${source(segment)} FORMAT Null`);
  const readUs = spent();
  for (let segment = 0; segment < segments; segment++) {
    await run(
      `INSERT INTO series (${names.join(', ')}, seg) SELECT ${selected}, ${segment}::UInt64 FROM ${source(segment)} SETTINGS max_insert_threads = 1, ${settings}`,
    );
  }
  const insertUs = spent();
  await run('SYSTEM START MERGES series');
  await run('OPTIMIZE TABLE series FINAL');
  const mergeUs = spent();
  const [bytes, files] = JSON.parse(
    await run("SELECT sum(bytes_on_disk) / sum(rows), any(files) FROM system.parts WHERE table = 'series' AND active"),
  ).data[0];
  console.log(
    JSON.stringify({
      name,
      readUs: round(readUs),
      insertUs: round(insertUs),
      mergeUs: round(mergeUs),
      bytesEach: round(Number(bytes)),
      files,
      ms: {
        regexOverAll: await timed(`SELECT id, labels FROM series WHERE match(labels['pod'], '^(?:service-7-.*77.*)$')`),
        regexOverMetric: await timed(
          `SELECT id, labels FROM series WHERE metric = 'metric_7_total' AND match(labels['pod'], '^(?:service-7-.*)$')`,
        ),
        equality: await timed(`SELECT id, labels FROM series WHERE labels['pod'] = 'service-7-7d9f8b6c5d-xxxx7'`),
        labelValues: await timed(`SELECT DISTINCT labels['pod'] FROM series`),
        labelNames: await timed('SELECT DISTINCT arrayJoin(labels.keys) FROM series'),
      },
    }),
  );
}
rmSync(home, { recursive: true, force: true });
process.kill(process.pid, 'SIGKILL');
