/**
 * The store's tables, as numbered steps that are run once, in order, and never edited after they have shipped. Why the tables look the way
 * they do is in `docs/decisions/`; what each column holds is said here.
 */

/** One step. Its statements are separate because the engine takes one at a time; each can be repeated after a crash in the middle. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * What makes an INSERT survive a power cut, a retry count once, and a merge be synced. `old_parts_lifetime` keeps merged parts until
 * the system has surely written the new one out.
 */
const durableSettings = [
  'non_replicated_deduplication_window = 10000',
  'fsync_after_insert = 1',
  'fsync_part_directory = 1',
  'min_rows_to_fsync_after_merge = 1',
  'min_compressed_bytes_to_fsync_after_merge = 1',
  'old_parts_lifetime = 480',
  'ttl_only_drop_parts = 1',
  // Strings with their lengths between them, not beside them: 21 bytes a span less, and less CPU.
  "serialization_info_version = 'basic'",
].join(', ');

/** What one segment brings is one file with all columns, not a hundred files to make and sync: a sixth of the store's CPU (`bench/spans.ts`). */
const smallPartsInOneFile = 'min_bytes_for_wide_part = 268435456';

/** Roll-ups are derived, but a pass that is committed must be there whole after a power cut. */
const rollupSettings = [
  'fsync_after_insert = 1',
  'fsync_part_directory = 1',
  'min_rows_to_fsync_after_merge = 1',
  'min_compressed_bytes_to_fsync_after_merge = 1',
  'old_parts_lifetime = 480',
  'ttl_only_drop_parts = 1',
].join(', ');

/** Columns that name the emitter (`src/model/resource.ts`). */
const resourceColumns = `
  service LowCardinality(String) CODEC(ZSTD(1)),
  namespace LowCardinality(String) CODEC(ZSTD(1)),
  pod LowCardinality(String) CODEC(ZSTD(1)),
  container LowCardinality(String) CODEC(ZSTD(1)),
  node LowCardinality(String) CODEC(ZSTD(1)),
  version LowCardinality(String) CODEC(ZSTD(1)),
  resource Map(LowCardinality(String), String) CODEC(ZSTD(1))`;

/** A segment's number: the writer in the upper 32 bits, its count in the lower. */
const segColumn = 'seg UInt64 CODEC(Delta, ZSTD(1))';

/** Every tag as `key=value`: the expression of the bloom filter. A query that wants an index must repeat its expression word for word. */
export const keyValues = (map: string) => `arrayMap((k, v) -> concat(k, '=', v), mapKeys(${map}), mapValues(${map}))`;

/** Keys whose values are nearly unique a span. In the text index each such value would cost its own length (`docs/decisions/span-size.md`). */
const uniqueKeys = '^[^=]*(url|uri|path|address|id|ip)=';

/** Tags with few values as `key=value`: the expression of the text index. */
export const commonKeyValues = (map: string) => `arrayFilter(x -> NOT match(x, '${uniqueKeys}'), ${keyValues(map)})`;

/** Whether a tag's values are nearly unique a span. */
export const isUniqueKey = (key: string) => new RegExp(uniqueKeys).test(`${key}=`);

/** The expression to search for `key=value` with, so that the index is used which holds the key. */
export const searchedKeyValues = (map: string, key: string) =>
  isUniqueKey(key) ? keyValues(map) : commonKeyValues(map);

/** What an OpenTelemetry span can be searched by beyond its own attributes, as `key=value`: the expression of the index `by_detail`. */
export const detailKeyValues = `arrayConcat(detail_tags, ${keyValues('resource')})`;

/** Bits of `spans.flags`. */
export const spanFlags = { shared: 1, debug: 2, hasNoStart: 4 } as const;

/** `samples.e` of a value whose bits are in `m`. */
export const rawValue = 255;

/** By `samples.e`; written so that the engine takes each for the double that it is here. */
const powersOfTen = Array.from({ length: 16 }, (_, e) => `toFloat64(1e${e})`);

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'spans, series, samples, what is said of them, logs',
    statements: [
      // details is opaque, '' for a Zipkin span (src/store/writers/span-details.ts); detail_tags are the attributes of scope, events and links.
      // ts is when the span is filed: its start, or its arrival where it has no start or one that cannot be. What nothing searches for is
      // folded into few columns, because each one that is read costs a look-up by id 0.15 ms: rest (span-rest.ts) and emitter (emitter.ts).
      `CREATE TABLE IF NOT EXISTS spans (
  trace_id FixedString(16),
  id UInt64 CODEC(NONE),
  parent_id UInt64,
  ts DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  duration_us UInt64 CODEC(T64, ZSTD(1)),
  kind UInt8 CODEC(ZSTD(1)),
  flags UInt8 CODEC(ZSTD(1)),
  status UInt8 CODEC(ZSTD(1)),
  name LowCardinality(String) CODEC(ZSTD(1)),
  local_service LowCardinality(String) CODEC(ZSTD(1)),
  local_ipv4 UInt32 CODEC(ZSTD(1)),
  local_ipv6 String CODEC(ZSTD(1)),
  local_port UInt16 CODEC(ZSTD(1)),
  remote_service LowCardinality(String) CODEC(ZSTD(1)),
  request_id UUID CODEC(NONE),
  rest String CODEC(ZSTD(1)),
  event_value Array(String) CODEC(ZSTD(1)),
  tags Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  emitter LowCardinality(String) CODEC(ZSTD(1)),
  resource Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  details String CODEC(ZSTD(1)),
  detail_tags Array(String) CODEC(ZSTD(1)),
  ${segColumn},
  INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX by_request request_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX by_duration duration_us TYPE minmax GRANULARITY 1,
  INDEX by_common_tag ${commonKeyValues('tags')} TYPE text(tokenizer = 'array'),
  INDEX by_tag ${keyValues('tags')} TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_detail ${detailKeyValues} TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (toStartOfMinute(ts), trace_id, ts)
SETTINGS index_granularity = 2048, map_serialization_version = 'with_buckets', ${smallPartsInOneFile}, ${durableSettings}`,
      // A series is written again on each day on which it has samples: from first_day to last_day it may have some, and last_day says how long it
      // must be kept. Rows of one series become one, whose days are those of all of them. The labels follow from the id and are in the key only so
      // that no function has to choose among equal ones: that took four fifths of a merge (docs/decisions/series-index.md).
      `CREATE TABLE IF NOT EXISTS series (
  metric LowCardinality(String) CODEC(ZSTD(1)),
  id UInt64,
  labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  measurement LowCardinality(String) CODEC(ZSTD(1)),
  field LowCardinality(String) CODEC(ZSTD(1)),
  first_day SimpleAggregateFunction(min, Date),
  last_day SimpleAggregateFunction(max, Date),
  seg SimpleAggregateFunction(max, UInt64) CODEC(Delta, ZSTD(1))
) ENGINE = AggregatingMergeTree
PRIMARY KEY (metric, id)
ORDER BY (metric, id, measurement, field, labels)
SETTINGS index_granularity = 1024, ${durableSettings}`,
      // A value is the decimal number m / 10^e where that is exact, which nearly all are and which takes half the bytes (docs/decisions/sample-size.md);
      // with e = 255 m has the bits of a double: the stale marker is 0x7ff0000000000002.
      `CREATE TABLE IF NOT EXISTS samples (
  metric LowCardinality(String) CODEC(ZSTD(1)),
  id UInt64 CODEC(Delta, ZSTD(1)),
  ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  m Int64 CODEC(Delta, T64, ZSTD(1)),
  e UInt8 CODEC(ZSTD(1)),
  seg UInt64 CODEC(DoubleDelta, ZSTD(1)),
  v Float64 ALIAS if(e = ${rawValue}, reinterpretAsFloat64(m), m / [${powersOfTen.join(', ')}][e + 1])
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (toStartOfHour(ts), metric, id, ts)
SETTINGS index_granularity = 1024, ${durableSettings}`,
      // What was said last of a metric family; written again on each day on which it is said.
      `CREATE TABLE IF NOT EXISTS metric_metadata (
  family String CODEC(ZSTD(1)),
  type LowCardinality(String) CODEC(ZSTD(1)),
  help String CODEC(ZSTD(1)),
  unit LowCardinality(String) CODEC(ZSTD(1)),
  at DateTime64(3, 'UTC') CODEC(ZSTD(1)),
  ${segColumn}
) ENGINE = ReplacingMergeTree(at)
ORDER BY family
SETTINGS ${durableSettings}`,
      // trace_id is the one among the labels, zeros where there is none or it is no trace id.
      `CREATE TABLE IF NOT EXISTS exemplars (
  metric LowCardinality(String) CODEC(ZSTD(1)),
  id UInt64,
  ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  v Float64 CODEC(Gorilla, ZSTD(1)),
  labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  trace_id FixedString(16) CODEC(ZSTD(1)),
  ${segColumn},
  INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (toStartOfHour(ts), metric, id, ts)
SETTINGS index_granularity = 1024, ${durableSettings}`,
      // line orders lines of one stamp: its number within the segment.
      `CREATE TABLE IF NOT EXISTS logs (
  ts DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  line UInt32 CODEC(Delta, ZSTD(1)),
  stream LowCardinality(String) CODEC(ZSTD(1)),
  severity LowCardinality(String) CODEC(ZSTD(1)),
  body String CODEC(ZSTD(1)),
  trace_id FixedString(16) CODEC(ZSTD(1)),
  span_id UInt64 CODEC(ZSTD(1)),
  request_id String CODEC(ZSTD(1)),
  attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),${resourceColumns},
  ${segColumn},
  INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX by_body body TYPE tokenbf_v1(16384, 3, 0) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (toStartOfHour(ts), namespace, pod, container, ts, line)
SETTINGS index_granularity = 2048, ${durableSettings}`,
    ],
  },
  {
    version: 2,
    name: 'roll-ups of spans by the minute',
    statements: [
      // How many rows of which segments a minute has, kept in each part: tells at once whether a roll-up has seen all of them.
      `ALTER TABLE spans MODIFY SETTING lightweight_mutation_projection_mode = 'rebuild'`,
      `ALTER TABLE spans ADD PROJECTION IF NOT EXISTS arrivals (
  SELECT toStartOfMinute(ts) AS minute, count(), sum(cityHash64(seg)) GROUP BY minute)`,
      // Whether Zipkin's linker sees an error: it knows the tag alone, which an OpenTelemetry span has there if its status is one.
      `ALTER TABLE spans ADD COLUMN IF NOT EXISTS has_error_tag UInt8 MATERIALIZED mapContains(tags, 'error') OR (details != '' AND status = 2) CODEC(ZSTD(1))`,
      // What the viewers offer to choose from, a row a combination in each part: lists of names cost what the names are and not the spans.
      `ALTER TABLE spans ADD PROJECTION IF NOT EXISTS names (
  SELECT local_service, name, kind, remote_service GROUP BY local_service, name, kind, remote_service)`,
      // A row commits a pass over a minute: rows of the tables below count only if their minute and pass are here. fingerprint is what
      // the pass knew of the minute and those before it; operation_rows and edge_rows tell after a power cut whether all of it is there.
      `CREATE TABLE IF NOT EXISTS rollup_minutes (
  minute DateTime('UTC'),
  pass UInt64,
  fingerprint UInt64,
  spans UInt64,
  operation_rows UInt32,
  edge_rows UInt32,
  made_at DateTime('UTC')
) ENGINE = MergeTree
PARTITION BY toDate(minute)
ORDER BY (minute, pass)
SETTINGS ${rollupSettings}`,
      // Spans by service, name and kind. buckets and counts are the durations (src/store/rollups/histogram.ts).
      `CREATE TABLE IF NOT EXISTS rollup_operations (
  minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
  pass UInt64 CODEC(Delta, ZSTD(1)),
  service LowCardinality(String) CODEC(ZSTD(1)),
  operation LowCardinality(String) CODEC(ZSTD(1)),
  kind UInt8,
  requests UInt64 CODEC(T64, ZSTD(1)),
  errors UInt64 CODEC(T64, ZSTD(1)),
  buckets Array(UInt16) CODEC(ZSTD(1)),
  counts Array(UInt32) CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toDate(minute)
ORDER BY (minute, pass, service, operation, kind)
SETTINGS ${rollupSettings}`,
      // What a minute's spans add to the calls of their traces (docs/decisions/edges-in-sql.md): counts are below 0 where a trace turned out to
      // be another than the minutes before had counted. rule 0 is Zipkin's linker, 1 Jaeger's parents. trace_minute is when the traces began.
      `CREATE TABLE IF NOT EXISTS rollup_edges (
  minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
  pass UInt64 CODEC(Delta, ZSTD(1)),
  rule UInt8 CODEC(ZSTD(1)),
  trace_minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
  caller LowCardinality(String) CODEC(ZSTD(1)),
  callee LowCardinality(String) CODEC(ZSTD(1)),
  requests Int64 CODEC(T64, ZSTD(1)),
  errors Int64 CODEC(T64, ZSTD(1)),
  tagged_errors Int64 CODEC(T64, ZSTD(1)),
  buckets Array(UInt16) CODEC(ZSTD(1)),
  counts Array(Int32) CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toDate(minute)
ORDER BY (minute, pass, rule, trace_minute, caller, callee)
SETTINGS ${rollupSettings}`,
    ],
  },
];
