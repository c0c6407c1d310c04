/** Edges of the traces that are too long for `edge-sql.ts`: read span by span and linked here. In a mesh they are few. */
import { spanKinds } from '../../model/span.ts';
import type { StoreClient } from '../client.ts';
import { maxSpansInSql, spansByTarget, traceKey } from './edge-sql.ts';
import { bucketOf } from './histogram.ts';
import { type LinkerSpan, linkTrace } from './linker.ts';
import { inRange, linkedKind, type MinuteRange } from './minutes.ts';

/** Calls from one service to another within a minute. */
export interface EdgeCounts {
  readonly minute: number;
  readonly caller: string;
  readonly callee: string;
  requests: number;
  errors: number;
  readonly durations: Map<number, number>;
}

interface StoredSpan extends LinkerSpan {
  readonly minute: number;
  readonly bucket: number;
}

/** Spans that are read and linked at a time; a single trace may hold more. */
const maxSpansAtOnce = 100_000;

/** A trace and the minute for which it is too long. */
const longTracesSql = `
  SELECT toString(trace) AS trace, target, toString(count()) AS n FROM (${spansByTarget('id')})
  GROUP BY trace, target HAVING count() > ${maxSpansInSql} ORDER BY trace, target`;

/** The numbers stand in the text: as a parameter they would have to fit into a URL. */
const spansSql = (traces: readonly string[]) => `
  SELECT toString(${traceKey}) AS trace, lower(lpad(hex(id), 16, '0')) AS id, lower(lpad(hex(parent_id), 16, '0')) AS parentId, ${linkedKind}, bitAnd(flags, 1) AS shared, status = 2 AS hasError,
    lower(local_service) AS localService, local_ipv4 AS localIpv4, local_ipv6 AS localIpv6, local_port AS localPort,
    lower(remote_service) AS remoteService, toUnixTimestamp(toStartOfMinute(ts)) AS minute, ${bucketOf('duration_us')} AS bucket
  FROM spans WHERE ${inRange('toStartOfMinute(ts)', 60)} AND ${traceKey} IN (${traces.join()})
  ORDER BY ${traceKey}`;

interface SpanRow {
  readonly trace: string;
  readonly id: string;
  readonly parentId: string;
  readonly kind: number;
  readonly shared: number;
  readonly hasError: number;
  readonly localService: string;
  readonly localIpv4: number;
  readonly localIpv6: string;
  readonly localPort: number;
  readonly remoteService: string;
  readonly minute: number;
  readonly bucket: number;
}

const noParent = '0000000000000000';

const spanOf = (row: SpanRow): StoredSpan => ({
  id: row.id,
  parentId: row.parentId === noParent ? undefined : row.parentId,
  kind: row.kind === 0 ? undefined : spanKinds[row.kind - 1],
  shared: row.shared === 1,
  hasError: row.hasError === 1,
  localService: row.localService,
  localIpv4: row.localIpv4 === 0 ? '' : String(row.localIpv4),
  localIpv6: row.localIpv6,
  localPort: row.localPort,
  remoteService: row.remoteService,
  minute: row.minute,
  bucket: row.bucket,
});

/** Counts the calls of the long traces in `range`, as `edgeSql` does those of the others. */
export async function linkLongTraces(
  client: StoreClient,
  options: { range: MinuteRange; signal: AbortSignal; timeoutMs?: number },
): Promise<readonly EdgeCounts[]> {
  const { range, ...query } = options;
  const long = await client.rows<{ trace: string; target: number; n: string }>({
    ...query,
    sql: longTracesSql,
    parameters: { ...range },
  });
  const edges = new Map<string, EdgeCounts>();
  let targets = new Map<string, number[]>();
  let spans = 0;
  for (const [i, { trace, target, n }] of long.entries()) {
    targets.set(trace, [...(targets.get(trace) ?? []), target]);
    spans += Number(n);
    if (long[i + 1]?.trace === trace || (spans < maxSpansAtOnce && i < long.length - 1)) continue;
    const rows = await client.rows<SpanRow>({
      ...query,
      sql: spansSql([...targets.keys()].map((key) => BigInt(key).toString())),
      parameters: { ...range },
    });
    for (const traceRows of byTrace(rows)) {
      const stored = traceRows.map(spanOf);
      for (const minute of targets.get(traceRows[0]?.trace ?? '') ?? []) countLinks(stored, minute, edges);
    }
    targets = new Map();
    spans = 0;
  }
  return [...edges.values()];
}

function* byTrace(rows: readonly SpanRow[]): Generator<readonly SpanRow[]> {
  let start = 0;
  for (let i = 1; i <= rows.length; i++) {
    if (rows[i]?.trace === rows[start]?.trace) continue;
    yield rows.slice(start, i);
    start = i;
  }
}

function countLinks(trace: readonly StoredSpan[], target: number, edges: Map<string, EdgeCounts>): void {
  const near = trace.filter(({ minute }) => Math.abs(minute - target) <= 60);
  for (const { caller, callee, isError, span } of linkTrace(near)) {
    const { minute, bucket } = span;
    if (minute !== target) continue;
    const key = JSON.stringify([minute, caller, callee]);
    let edge = edges.get(key);
    if (edge === undefined) {
      edge = { minute, caller, callee, requests: 0, errors: 0, durations: new Map() };
      edges.set(key, edge);
    }
    edge.requests++;
    if (isError) edge.errors++;
    edge.durations.set(bucket, (edge.durations.get(bucket) ?? 0) + 1);
  }
}
