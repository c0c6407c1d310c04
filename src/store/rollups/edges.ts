/** Counts the calls of a range of minutes from its spans: many traces in SQL, few of them and odd ones span by span. */
import { spanKinds } from '../../model/span.ts';
import type { QueryParameter, StoreClient } from '../client.ts';
import { type RowBinary, readRowBinary } from '../readers/row-binary.ts';
import { edgeSettings, edgeSql, traceKey } from './edge-sql.ts';
import { bucketOf } from './histogram.ts';
import { contextS, inContext, inRange, type MinuteRange } from './minutes.ts';
import { countView, type EdgeCounts, type EdgeTable, edgeIn, type FiledSpan, type View, viewsOf } from './view.ts';

export interface EdgeOptions {
  readonly range: MinuteRange;
  /** How many spans the range has, about: decides how they are counted, never what is. */
  readonly spans: number;
  /** SQL that says which traces count, all unless told; with `parameters` for what it names. */
  readonly among?: string;
  readonly parameters?: Readonly<Record<string, QueryParameter>>;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
}

/** The engine takes half a second of CPU to understand the linker in SQL; up to here linking span by span is cheaper. */
const maxSpansOneByOne = 150_000;

/** Traces of this many spans are linked at a time: some 100 MiB (docs/decisions/rollups-by-pass.md). */
const spansInShard = 1_500_000;

/** Odd traces from which on it pays to ask again with spans that were sent twice taken once. */
const manyOdd = 2_000;

/** Spans that are linked before others have the event loop; a single trace may hold more. */
const maxSpansAtOnce = 5_000;

/** Odd traces that are asked for in one query: their numbers stand in its text. */
const maxTracesAtOnce = 2_000;

/** What the spans of `range` add to the calls of their traces. Requests that come to 0 may be among them. */
export async function countEdges(client: StoreClient, options: EdgeOptions): Promise<readonly EdgeCounts[]> {
  const edges: EdgeTable = new Map();
  if (options.spans <= maxSpansOneByOne) {
    const among = options.among ?? 'true';
    const inRangeOrBefore = `((${inRange('toStartOfMinute(ts)')} AND ${among}) OR (${inContext('toStartOfMinute(ts)')} AND ${traceKey} IN (
      SELECT ${traceKey} FROM spans WHERE ${inRange('toStartOfMinute(ts)')} AND ${among})))`;
    for await (const trace of readTraces(client, options, inRangeOrBefore)) {
      for (const view of viewsOf(trace.spans, options.range.from)) countView(trace.spans, view, edges);
    }
    return [...edges.values()];
  }
  const shards = Math.ceil(options.spans / spansInShard);
  for (let shard = 0; shard < shards; shard++) {
    const shardOptions = { ...options, parameters: { ...options.parameters, shards, shard } };
    let counted = await countInSql(client, shardOptions, false);
    if (counted.odd.size > manyOdd) counted = await countInSql(client, shardOptions, true);
    for (const row of counted.edges) addRow(edges, row);
    await addOdd(client, { options, odd: counted.odd, edges });
  }
  return [...edges.values()];
}

interface EdgeRow {
  readonly minute: number;
  readonly traceMinute: number;
  readonly rule: number;
  readonly caller: string;
  readonly callee: string;
  readonly odd: string;
  readonly requests: string;
  readonly errors: string;
  readonly taggedErrors: string;
  readonly buckets: readonly number[];
  readonly counts: readonly string[];
}

async function countInSql(client: StoreClient, options: EdgeOptions, distinct: boolean) {
  const { range, among, parameters, signal, timeoutMs } = options;
  const rows = await client.rows<EdgeRow>({
    sql: edgeSql({ distinct, ...(among === undefined ? {} : { among }) }),
    parameters: { ...range, ...parameters },
    settings: edgeSettings,
    signal,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const odd = new Map<string, View[]>();
  for (const { odd: trace, minute, traceMinute } of rows) {
    if (trace === '') continue;
    const views = odd.get(trace) ?? [];
    views.push({ minute, sign: traceMinute === 1 ? 1 : -1 });
    odd.set(trace, views);
  }
  return { edges: rows.filter((row) => row.odd === ''), odd };
}

function addRow(edges: EdgeTable, row: EdgeRow): void {
  const edge = edgeIn(edges, row);
  edge.requests += Number(row.requests);
  edge.errors += Number(row.errors);
  edge.taggedErrors += Number(row.taggedErrors);
  for (const [i, bucket] of row.buckets.entries()) {
    edge.durations.set(bucket, (edge.durations.get(bucket) ?? 0) + Number(row.counts[i] ?? 0));
  }
}

interface OddTraces {
  readonly options: EdgeOptions;
  readonly odd: ReadonlyMap<string, readonly View[]>;
  readonly edges: EdgeTable;
}

async function addOdd(client: StoreClient, { options, odd, edges }: OddTraces): Promise<void> {
  const keys = [...odd.keys()];
  for (let start = 0; start < keys.length; start += maxTracesAtOnce) {
    const among = keys.slice(start, start + maxTracesAtOnce).map((key) => BigInt(key).toString());
    const where = `${inRange('toStartOfMinute(ts)', contextS)} AND ${traceKey} IN (${among.join()})`;
    for await (const trace of readTraces(client, options, where)) {
      for (const view of odd.get(trace.key) ?? []) countView(trace.spans, view, edges);
    }
  }
}

const spansSql = (where: string) => `
  SELECT ${traceKey} AS trace, reinterpretAsFixedString(byteSwap(id)), reinterpretAsFixedString(byteSwap(parent_id)), toUInt8(kind % 5) AS k, flags, toUInt8(status = 2), has_error_tag,
    local_service, lowerUTF8(local_service), local_ipv4, local_ipv6, local_port, lowerUTF8(remote_service), toUnixTimestamp(toStartOfMinute(ts)), ${bucketOf('duration_us')}
  FROM spans WHERE ${where} ORDER BY trace`;

interface Trace {
  /** The lower half of its id, in decimal. */
  readonly key: string;
  readonly spans: readonly FiledSpan[];
}

/** Yields traces whole, and lets others have the event loop in between. */
async function* readTraces(client: StoreClient, options: EdgeOptions, where: string): AsyncGenerator<Trace> {
  const { range, parameters, signal, timeoutMs } = options;
  const bytes = await client.bytes({
    sql: spansSql(where),
    parameters: { ...range, ...parameters },
    format: 'RowBinary',
    signal,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    settings: { max_threads: 2 },
  });
  const row = readRowBinary(bytes);
  let key: bigint | undefined;
  let spans: FiledSpan[] = [];
  let sinceYield = 0;
  while (!row.isAtEnd()) {
    const next = row.u64();
    if (key !== undefined && next !== key) {
      yield { key: key.toString(), spans };
      spans = [];
      if (sinceYield > maxSpansAtOnce) {
        sinceYield = 0;
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      }
    }
    key = next;
    spans.push(readSpan(row));
    sinceYield++;
  }
  if (key !== undefined) yield { key: key.toString(), spans };
}

const noParent = '0000000000000000';

function readSpan(row: RowBinary): FiledSpan {
  const id = row.fixedHex(8);
  const parent = row.fixedHex(8);
  const kind = row.u8();
  const flags = row.u8();
  const hasError = row.u8() === 1;
  const hasErrorTag = row.u8() === 1;
  const localName = row.string();
  const localService = row.string();
  const ipv4 = row.u32();
  return {
    id,
    parentId: parent === noParent ? undefined : parent,
    kind: kind === 0 ? undefined : spanKinds[kind - 1],
    shared: (flags & 1) === 1,
    hasStart: (flags & 4) === 0,
    hasError,
    hasErrorTag,
    localName,
    localService,
    localIpv4: ipv4 === 0 ? '' : String(ipv4),
    localIpv6: row.string(),
    localPort: row.u16(),
    remoteService: row.string(),
    minute: row.u32(),
    bucket: row.u16(),
  };
}
