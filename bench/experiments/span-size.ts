/**
 * What a span costs on disk and to insert under other settings of its table: `npx tsx bench/experiments/span-size.ts [--rows 1000000]`.
 * Each variant is the shipped table with some of its text replaced. Prints a line of JSON a variant.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Session } from 'chdb';
import { decodeSpans } from '../../src/codec/zipkin-v2-json/decode-spans.ts';
import { keyValues, migrations, searchedKeyValues } from '../../src/store/schema/migrations.ts';
import { structureOf } from '../../src/store/writers/native-block.ts';
import { createSpanEncoder, spanColumns } from '../../src/store/writers/spans.ts';
import { createSpanBody } from '../lib/envoy-spans.ts';

const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' }, only: { type: 'string' } } });
const segmentRows = 50_000;
const segments = Number(values.rows) / segmentRows;

type Variant = readonly [name: string, change: (ddl: string) => string];
const shipped = migrations[0]?.statements.find((sql) => sql.includes('TABLE IF NOT EXISTS spans')) ?? '';
const bothIndexes = /,\n\s+INDEX by_common_tag .*\n\s+INDEX by_tag .*/;
const textOverAll = `,\n  INDEX by_tag ${keyValues('tags')} TYPE text(tokenizer = 'array')`;
const lengthsBeside = (ddl: string) => ddl.replace(", serialization_info_version = 'basic'", '');

const variants: readonly Variant[] = [
  ['shipped', (ddl) => ddl],
  ['no tag index', (ddl) => ddl.replace(bothIndexes, '')],
  ['a text index over all tags', (ddl) => ddl.replace(bothIndexes, textOverAll)],
  ['lengths beside strings', lengthsBeside],
  ['a text index over all tags, lengths beside strings', (ddl) => lengthsBeside(ddl.replace(bothIndexes, textOverAll))],
  [
    'tags ZSTD(3)',
    (ddl) =>
      ddl.replace(
        'tags Map(LowCardinality(String), String) CODEC(ZSTD(1))',
        'tags Map(LowCardinality(String), String) CODEC(ZSTD(3))',
      ),
  ],
  ['granularity 4096', (ddl) => ddl.replace('index_granularity = 2048', 'index_granularity = 4096')],
  ['no map buckets', (ddl) => ddl.replace("'with_buckets'", "'basic'")],
];

const home = mkdtempSync(join(tmpdir(), 'trawl-size-'));
const encode = createSpanEncoder();
const bodies = Array.from({ length: 64 }, (_, i) => createSpanBody(i));
const startUs = Date.now() * 1000;
for (let segment = 0; segment < segments; segment++) {
  const blocks: Buffer[] = [];
  for (let row = 0; row < segmentRows; row += 500) {
    const spans = Array.from({ length: 5 }, (_, i) => {
      const body = bodies[(row / 100 + i) % bodies.length];
      body?.refresh(startUs + segment * 1_000_000 + row * 20);
      return decodeSpans(Buffer.from(body?.bytes ?? ''));
    }).flat();
    blocks.push(Buffer.from(encode(spans, startUs / 1000)));
  }
  writeFileSync(join(home, `${segment}.native`), Buffer.concat(blocks));
}

const session = new Session(join(home, 'db'));
const run = async (sql: string) => (await session.queryAsync(sql, { format: 'JSONCompact' })).text();
const names = spanColumns.map(([name]) => name).join(', ');
const structure = structureOf(spanColumns).replaceAll("'", "\\'");
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const time = async (sql: string) => {
  const took: number[] = [];
  for (let i = 0; i < 7; i++) {
    const before = performance.now();
    await run(`${sql} SETTINGS max_threads = 2`);
    took.push(performance.now() - before);
  }
  return Number(Math.min(...took).toFixed(1));
};

for (const [name, change] of variants) {
  if (values.only !== undefined && !name.includes(values.only)) continue;
  const ddl = change(shipped);
  try {
    await run('DROP TABLE IF EXISTS spans SYNC');
    await run(ddl);
    await run('SYSTEM STOP MERGES spans');
    let before = cpuMs();
    for (let segment = 0; segment < segments; segment++) {
      await run(
        `INSERT INTO spans (${names}, seg) SELECT ${names}, ${segment}::UInt64 FROM file('${home}/${segment}.native', Native, '${structure}') SETTINGS max_insert_threads = 1`,
      );
    }
    const insertUs = ((cpuMs() - before) * 1000) / Number(values.rows);
    await run('SYSTEM START MERGES spans');
    before = cpuMs();
    await run('OPTIMIZE TABLE spans FINAL');
    const mergeUs = ((cpuMs() - before) * 1000) / Number(values.rows);
    const [bytes, index, files] = JSON.parse(
      await run(
        "SELECT sum(bytes_on_disk) / sum(rows), sum(secondary_indices_compressed_bytes) / sum(rows), any(files) FROM system.parts WHERE table = 'spans' AND active",
      ),
    ).data[0];
    const has = (tag: string) => {
      const searched = ddl.includes('by_common_tag')
        ? searchedKeyValues('tags', tag.slice(0, tag.indexOf('=')))
        : keyValues('tags');
      return `SELECT count() FROM (SELECT trace_id FROM spans WHERE has(${searched}, '${tag}') ORDER BY ts DESC LIMIT 20)`;
    };
    console.log(
      JSON.stringify({
        name,
        bytesPerSpan: Number(Number(bytes).toFixed(1)),
        indexBytesPerSpan: Number(Number(index).toFixed(1)),
        files,
        insertUs: Number(insertUs.toFixed(1)),
        mergeUs: Number(mergeUs.toFixed(1)),
        searchMs: {
          absent: await time(has('http.status_code=599')),
          oneService: await time(has('istio.canonical_service=service-7')),
          everywhere: await time(has('http.status_code=200')),
          uniqueKey: await time(has('http.url=http://nowhere/')),
        },
      }),
    );
  } catch (error) {
    console.log(JSON.stringify({ name, error: String(error).slice(0, 300) }));
  }
}
rmSync(home, { recursive: true, force: true });
process.kill(process.pid, 'SIGKILL');
