/** Traces by id, from the table `spans`. */
import { setImmediate } from 'node:timers/promises';
import { eventAt, withExactTimes } from '../../model/exact-times.ts';
import { addLongs, nearestOf } from '../../model/long.ts';
import type { Resource } from '../../model/resource.ts';
import { type Endpoint, type Span, type SpanEvent, spanKinds, spanStatuses } from '../../model/span.ts';
import type { StoreClient } from '../client.ts';
import { spanFlags } from '../schema/migrations.ts';
import { defaultReadLimits, limitSettings, type ReadLimits, ResultLimitError } from './limits.ts';
import { type RowBinary, readRowBinary } from './row-binary.ts';
import { createDetailsReader } from './span-details.ts';

export interface ReadOptions {
  /** Ends the query in the engine as well. */
  readonly signal: AbortSignal;
  readonly limits?: ReadLimits;
}

/** The spans of one trace that are given back at most; a trace with more is refused rather than cut short in silence. */
export const maxSpansPerTrace = 200_000;

const spansBetweenTurns = 2000;

const requestIdTag = 'guid:x-request-id';
const noId = '0000000000000000';

/** In the order in which `readSpan` takes them. */
export const spanRow = `trace_id, id, parent_id, ts, start_offset_us, duration_us, kind, flags, status, name,
  local_service, local_ipv4, local_ipv6, local_port, remote_service, remote_ipv4, remote_ipv6, remote_port,
  request_id, event_us, event_value, tags, service, namespace, pod, container, node, version, resource, details`;

const ipv4Text = (number: number): string =>
  `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;

function readEndpoint(row: RowBinary): Endpoint | undefined {
  const serviceName = row.string() || undefined;
  const ipv4 = row.u32();
  const ipv6 = row.string() || undefined;
  const port = row.u16() || undefined;
  if (serviceName === undefined && ipv4 === 0 && ipv6 === undefined && port === undefined) return undefined;
  return { serviceName, ipv4: ipv4 === 0 ? undefined : ipv4Text(ipv4), ipv6, port };
}

function readEvents(row: RowBinary): SpanEvent[] {
  const times = row.array(row.long);
  const values = row.array(row.string);
  return times.map((time, i) => eventAt(time, values[i] ?? ''));
}

/** The engine keeps a map in buckets, so its order is not the one it came in; a span's tags are sorted by key. */
const byKey = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;

function readTags(row: RowBinary, requestId: string): Record<string, string> {
  const tags = row.map();
  if (requestId !== '') tags.push([requestIdTag, requestId]);
  return Object.fromEntries(tags.sort(byKey));
}

function readResource(row: RowBinary): Resource {
  return {
    service: row.string(),
    namespace: row.string(),
    pod: row.string(),
    container: row.string(),
    node: row.string(),
    version: row.string(),
    attributes: Object.fromEntries(row.map().sort(byKey)),
  };
}

export interface FiledSpan {
  /** The start, or the arrival of a span that has none. */
  readonly filedUs: number;
  readonly span: Span;
}

/** The next row of an answer with the columns `spanRow`. */
export function readSpan(row: RowBinary, readDetails: ReturnType<typeof createDetailsReader>): FiledSpan {
  const traceId = row.fixedHex(16);
  const id = row.hexU64();
  const parentId = row.hexU64();
  const filedUs = row.safeI64();
  const startUs = addLongs(filedUs, row.long());
  const durationUs = row.long();
  const kind = spanKinds[row.u8() - 1];
  const flags = row.u8();
  const status = spanStatuses[row.u8()] ?? 'unset';
  const name = row.string();
  const localEndpoint = readEndpoint(row);
  const remoteEndpoint = readEndpoint(row);
  const requestId = row.uuid();
  const span: Span = {
    traceId,
    id,
    parentId: parentId === noId ? undefined : parentId,
    kind,
    shared: (flags & spanFlags.shared) !== 0,
    debug: (flags & spanFlags.debug) !== 0,
    name,
    startUs: (flags & spanFlags.hasNoStart) !== 0 ? undefined : nearestOf(startUs),
    durationUs: durationUs === 0 ? undefined : nearestOf(durationUs),
    status,
    localEndpoint,
    remoteEndpoint,
    events: readEvents(row),
    attributes: readTags(row, requestId),
    resource: readResource(row),
    details: readDetails(row),
  };
  return { filedUs, span: withExactTimes(span, startUs, durationUs) };
}

/** So small a query spends as long on plans as on reading, and an id that is asked for once should not be remembered in place of others. */
const byIdSettings = { query_plan_enable_optimizations: 0, use_query_condition_cache: 0 };

/** All spans of a trace in order of time, as they came; none when the id is not known. `traceId` is 32 lower-case hex digits, or 16 for a 64-bit id. */
export async function traceById(client: StoreClient, traceId: string, options: ReadOptions): Promise<Span[]> {
  const limits = options.limits ?? defaultReadLimits;
  const bytes = await client.bytes({
    sql: `SELECT ${spanRow} FROM spans PREWHERE trace_id = toFixedString(unhex({id:String}), 16) LIMIT {limit:UInt32}`,
    parameters: { id: traceId.padStart(32, '0'), limit: maxSpansPerTrace + 1 },
    format: 'RowBinary',
    signal: options.signal,
    timeoutMs: limits.timeoutMs,
    settings: { ...limitSettings(limits), ...byIdSettings },
  });
  const row = readRowBinary(bytes);
  const readDetails = createDetailsReader();
  const spans: FiledSpan[] = [];
  while (!row.isAtEnd()) {
    spans.push(readSpan(row, readDetails));
    // Others are served between the spans of a large trace.
    if (spans.length % spansBetweenTurns === 0) await setImmediate();
  }
  if (spans.length > maxSpansPerTrace) {
    throw new ResultLimitError('spans_per_trace', `trace ${traceId} has more than ${maxSpansPerTrace} spans`);
  }
  // Sorted here, because to sort so few rows costs the engine a millisecond.
  return inOrder(spans);
}

/** A trace's spans by time, then id. */
export function inOrder(spans: FiledSpan[]): Span[] {
  spans.sort((a, b) => a.filedUs - b.filedUs || (a.span.id < b.span.id ? -1 : a.span.id > b.span.id ? 1 : 0));
  return spans.map(({ span }) => span);
}
