/** Traces by id, from the table `spans`. */
import { setImmediate } from 'node:timers/promises';
import { eventAt, withExactTimes } from '../../model/exact-times.ts';
import { addLongs, type Long, nearestOf } from '../../model/long.ts';
import { emptyResource, type Resource } from '../../model/resource.ts';
import { type Endpoint, type Span, type SpanEvent, spanKinds, spanStatuses } from '../../model/span.ts';
import type { StoreClient } from '../client.ts';
import { type EmitterNames, emitterNames } from '../schema/emitter.ts';
import { spanFlags } from '../schema/migrations.ts';
import { restParts } from '../schema/span-rest.ts';
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
export const spanRow = `trace_id, id, parent_id, ts, duration_us, kind, flags, status, name,
  local_service, local_ipv4, local_ipv6, local_port, remote_service, request_id, rest, event_value, tags, emitter, resource, details`;

const ipv4Text = (number: number): string =>
  `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;

type Address = Omit<Endpoint, 'serviceName'>;

const noAddress: Address = { ipv4: undefined, ipv6: undefined, port: undefined };

function readAddress(row: RowBinary): Address {
  const ipv4 = row.u32();
  return {
    ipv4: ipv4 === 0 ? undefined : ipv4Text(ipv4),
    ipv6: row.string() || undefined,
    port: row.u16() || undefined,
  };
}

function endpointOf(serviceName: string, { ipv4, ipv6, port }: Address): Endpoint | undefined {
  if (serviceName === '' && ipv4 === undefined && ipv6 === undefined && port === undefined) return undefined;
  return { serviceName: serviceName || undefined, ipv4, ipv6, port };
}

interface Rest {
  readonly startOffset: Long;
  readonly remoteAddress: Address;
  /** From when the span is filed. */
  readonly eventTimes: readonly Long[];
}

const noRest: Rest = { startOffset: 0, remoteAddress: noAddress, eventTimes: [] };

function readRest(outer: RowBinary): Rest {
  const bytes = outer.bytes();
  if (bytes.length === 0) return noRest;
  const row = readRowBinary(bytes);
  const parts = row.u8();
  return {
    startOffset: (parts & restParts.startOffset) === 0 ? 0 : row.long(),
    remoteAddress: (parts & restParts.remoteAddress) === 0 ? noAddress : readAddress(row),
    eventTimes: (parts & restParts.eventTimes) === 0 ? [] : row.array(row.long),
  };
}

function readEvents(row: RowBinary, filedUs: number, times: readonly Long[]): SpanEvent[] {
  const values = row.array(row.string);
  return values.map((value, i) => eventAt(addLongs(filedUs, times[i] ?? 0), value));
}

/** The engine keeps a map in buckets, so its order is not the one it came in; a span's tags are sorted by key. */
const byKey = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;

function readTags(row: RowBinary, requestId: string): Record<string, string> {
  const tags = row.map();
  if (requestId !== '') tags.push([requestIdTag, requestId]);
  return Object.fromEntries(tags.sort(byKey));
}

function namesOf(emitter: string): Omit<Resource, 'attributes'> {
  if (emitter === '') return emptyResource;
  const known: EmitterNames = JSON.parse(emitter);
  const names = { ...emptyResource };
  for (const name of emitterNames) names[name] = known[name] ?? '';
  return names;
}

/** Makes a reader of resources; what names an emitter is parsed once. */
function createResourceReader(): (row: RowBinary) => Resource {
  const emitters = new Map<string, Omit<Resource, 'attributes'>>();
  return (row) => {
    const emitter = row.string();
    let names = emitters.get(emitter);
    if (names === undefined) {
      names = namesOf(emitter);
      emitters.set(emitter, names);
    }
    return { ...names, attributes: Object.fromEntries(row.map().sort(byKey)) };
  };
}

export interface FiledSpan {
  /** The start, or the arrival of a span that has none. */
  readonly filedUs: number;
  readonly span: Span;
}

export type SpanReader = (row: RowBinary) => FiledSpan;

/** Makes a reader of the rows of one answer with the columns `spanRow`. */
export function createSpanReader(): SpanReader {
  const readers = { readResource: createResourceReader(), readDetails: createDetailsReader() };
  return (row) => readSpanOf(row, readers);
}

interface PartReaders {
  readonly readResource: ReturnType<typeof createResourceReader>;
  readonly readDetails: ReturnType<typeof createDetailsReader>;
}

function readSpanOf(row: RowBinary, { readResource, readDetails }: PartReaders): FiledSpan {
  const traceId = row.fixedHex(16);
  const id = row.hexU64();
  const parentId = row.hexU64();
  const filedUs = row.safeI64();
  const durationUs = row.long();
  const kind = spanKinds[row.u8() - 1];
  const flags = row.u8();
  const status = spanStatuses[row.u8()] ?? 'unset';
  const name = row.string();
  const localEndpoint = endpointOf(row.string(), readAddress(row));
  const remoteService = row.string();
  const requestId = row.uuid();
  const rest = readRest(row);
  const startUs = addLongs(filedUs, rest.startOffset);
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
    remoteEndpoint: endpointOf(remoteService, rest.remoteAddress),
    events: readEvents(row, filedUs, rest.eventTimes),
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
  const readSpan = createSpanReader();
  const spans: FiledSpan[] = [];
  while (!row.isAtEnd()) {
    spans.push(readSpan(row));
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
