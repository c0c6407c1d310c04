/** Traces by what their spans are like, newest first, and whole traces by their ids. */
import { setImmediate } from 'node:timers/promises';
import type { Span } from '../../model/span.ts';
import type { StoreClient } from '../client.ts';
import { StoreError } from '../client.ts';
import { spanFlags } from '../schema/migrations.ts';
import { type Arrivals, countArrivals } from './arrivals.ts';
import { defaultReadLimits, limitSettings, type ReadLimits, ResultLimitError } from './limits.ts';
import { readRowBinary } from './row-binary.ts';
import { mayBeMet } from './search-probe.ts';
import {
  allOf,
  anyOf,
  type Bind,
  conditionSql,
  createBinder,
  hardlyAny,
  rarity,
  type SpanPredicate,
} from './span-condition.ts';
import { createSpanReader, type FiledSpan, inOrder, type ReadOptions, spanRow } from './spans.ts';

export type { AttributeHolder, SpanCondition, SpanPredicate } from './span-condition.ts';

export interface TraceSearch {
  /** Inclusive, µs since 1970. The time of a span is its start, or its arrival where it has no start or one more than a day ahead. */
  readonly fromUs: number;
  /** Inclusive. */
  readonly toUs: number;
  /**
   * How far outside the window a span may lie that meets a predicate, as long as another span of its trace lies inside. 0 where it is the
   * spans that are searched, as Jaeger does.
   */
  readonly reachUs: number;
  /** Each must be met by some span of the trace, and all conditions of one by the same span. None at all takes every trace. */
  readonly someSpan: readonly SpanPredicate[];
}

/** A trace of which the store says that its spans meet the predicates. */
export interface TraceCandidate {
  readonly traceId: string;
  /** The newest of its spans that meet one; of those without a start only where there is no other in the step. */
  readonly newestUs: number;
}

/** What is left of the time of a search that asks several queries. */
export interface Deadline {
  /** The limits of the next query. Throws when the time is over. */
  limits(): ReadLimits;
}

/** Starts the time of a search: the limits' own `timeoutMs`, for all its queries together. */
export function createDeadline(limits: ReadLimits): Deadline {
  const endsMs = performance.now() + limits.timeoutMs;
  return {
    limits() {
      const timeoutMs = Math.ceil(endsMs - performance.now());
      if (timeoutMs > 0) return { ...limits, timeoutMs };
      const message = `the search did not end within ${limits.timeoutMs} ms; ask for a shorter time or for more`;
      throw new StoreError(message, { code: timeoutExceeded, isRetryable: false });
    },
  };
}

/** ClickHouse's error numbers. */
const tooManyRows = 158;
const timeoutExceeded = 159;
const tooSlow = 160;
const memoryLimitExceeded = 241;
const tooManyBytes = 396;
const boundReached = new Set([tooManyRows, timeoutExceeded, tooSlow, memoryLimitExceeded, tooManyBytes]);

export interface FindOptions {
  readonly signal: AbortSignal;
  readonly deadline: Deadline;
  readonly nowUs: number;
  /** How many spans the first step looks at, `defaultStepSpans` unless told. */
  readonly stepSpans?: number;
}

export interface SearchOptions extends ReadOptions {
  readonly nowUs: number;
  /** How many traces are wanted. */
  readonly limit: number;
  /**
   * Takes a whole trace, its spans by time, or says false where the predicates only came near to what is asked. It should keep what it
   * needs and not the spans. One that has many spans to work on answers later, so that others are served meanwhile.
   */
  readonly take: (trace: readonly Span[]) => boolean | Promise<boolean>;
  /** Spans that are read at most, `defaultMaxSpans` unless told. */
  readonly maxSpans?: number;
}

export interface SearchEnd {
  /** Why traces may be missing among those that were taken: the search ended early, or one was too large. Undefined when none can be. */
  readonly incomplete: string | undefined;
}

/** Spans of all traces of one search together. */
export const defaultMaxSpans = 100_000;

/** What is read by one query and lies in memory at once, unless one trace alone has more. */
const batchTraces = 100;
const batchSpans = 20_000;

/** Traces that are read by one query, and so given at most by `tracesByIds`. */
export const maxTracesAtOnce = 500;

/** So many of the newest spans are looked at first, then each time so many times as many, or that twice where there was nothing: what is common is found at once, what is rare costs little more than one pass. */
export const defaultStepSpans = 50_000;
const stepFactor = 8;

/** The first step where it is not known how many spans there are. */
const firstStepUs = 60_000_000;

/** So many ids come with one query, 40 bytes each: going on to older traces needs no query until they are used up. */
const maxCandidates = 2000;

/** A trace is read this far around the span by which it was found, so that a large store is not searched whole for it. */
const traceReachUs = 3_600_000_000;

const spansBetweenTurns = 2000;

/** What `toStartOfMinute` can hold. */
const lastUs = 4_294_967_000_000_000;

/**
 * Finds the traces of a search, newest first, in batches: the caller looks at them and takes the next batch if it needs more. A predicate
 * alone decides the order exactly; where there are several, traces that lie across two steps of the search may come after older ones.
 * No trace comes twice.
 */
export async function* findTraces(
  client: StoreClient,
  search: TraceSearch,
  options: FindOptions,
): AsyncGenerator<readonly TraceCandidate[], void, undefined> {
  const predicates = search.someSpan.length === 0 ? [[]] : search.someSpan;
  const given = new Set<string>();
  const { nowUs, signal, deadline, stepSpans = defaultStepSpans } = options;
  const arrivals = await countArrivals(client, { nowUs, signal, limits: deadline.limits() });
  const steps = stepsBack(search, { arrivals, stepSpans, isNested: predicates.length > 1 });
  for (let next = steps.next(); next.done !== true; ) {
    const step = next.value;
    let after: TraceCandidate | undefined;
    let count = 0;
    do {
      const found = await readCandidates(client, { search, predicates, step, after }, options);
      const batch = found.filter(({ traceId }) => !given.has(traceId));
      for (const { traceId } of batch) given.add(traceId);
      count += found.length;
      after = found.length < maxCandidates ? undefined : found.at(-1);
      if (batch.length > 0) yield batch;
    } while (after !== undefined);
    next = steps.next(count > 0);
    if (!step.isFirst || count > 0 || next.done === true) continue;
    const window = wholeOf(search);
    const probe = { timeSql: (bind: Bind) => timeSql(window, bind), limits: deadline.limits(), signal };
    if (!(await mayBeMet(client, predicates, probe))) return;
  }
}

interface Step {
  readonly fromUs: number;
  readonly toUs: number;
}

interface SearchStep extends Step {
  readonly isFirst: boolean;
}

/** Where spans may lie that count. */
const wholeOf = ({ fromUs, toUs, reachUs }: TraceSearch): Step => ({
  fromUs: Math.max(0, fromUs - reachUs),
  toUs: Math.min(lastUs, toUs + reachUs),
});

/**
 * The window in steps that reach further and further back. One span decides: each step begins where the last ended. Several decide: each
 * begins at the end of the window, so that no trace is missed whose spans lie in two steps; the last is the whole window.
 */
function* stepsBack(
  search: TraceSearch,
  {
    arrivals,
    isNested,
    stepSpans,
  }: { readonly arrivals: Arrivals; readonly isNested: boolean; readonly stepSpans: number },
): Generator<SearchStep, void, boolean> {
  const { fromUs: first, toUs: last } = wholeOf(search);
  let end = last;
  let stepUs = firstStepUs;
  let spans = stepSpans;
  while (end >= first) {
    let start = end < arrivals.sinceUs ? undefined : startOfNewest(arrivals, isNested ? last : end, spans);
    if (start === undefined) {
      start = Math.min(last, end, arrivals.sinceUs) - stepUs;
      stepUs *= stepFactor;
    }
    start = Math.max(first, start);
    const hasFound = yield { fromUs: start, toUs: isNested ? last : end, isFirst: end === last };
    end = start - 1;
    spans *= hasFound ? stepFactor : stepFactor ** 2;
  }
}

/** When the newest so many spans until `endUs` begin, on the minute, as far as is known. */
function startOfNewest({ minutes, sinceUs }: Arrivals, endUs: number, spans: number): number {
  let count = 0;
  for (const minute of minutes) {
    if (minute.startUs > endUs) continue;
    count += minute.spans;
    if (count >= spans) return minute.startUs;
  }
  return sinceUs;
}

interface CandidateQuery {
  readonly search: TraceSearch;
  readonly predicates: readonly SpanPredicate[];
  readonly step: SearchStep;
  readonly after: TraceCandidate | undefined;
}

/** A span without a start is filed at its arrival, which says nothing about when a trace was that is uploaded or comes late. */
const newestSql = `if(countIf(bitAnd(flags, ${spanFlags.hasNoStart}) = 0) = 0, max(toUnixTimestamp64Micro(ts)), maxIf(toUnixTimestamp64Micro(ts), bitAnd(flags, ${spanFlags.hasNoStart}) = 0))`;

async function readCandidates(
  client: StoreClient,
  { search, predicates, step, after }: CandidateQuery,
  options: FindOptions,
): Promise<TraceCandidate[]> {
  const limits = options.deadline.limits();
  const { bind, parameters } = createBinder();
  const time = timeSql(step, bind);
  const { where, having } = metSql(predicates, { time, bind, isFew: step.isFirst });
  if (after !== undefined) {
    having.push(
      `(newest, trace_id) < (${bind(after.newestUs, 'Int64')}, toFixedString(unhex(${bind(after.traceId, 'String')}), 16))`,
    );
  }
  const conditions = [time, ...where, ...reachSql(search, { step, bind, nowUs: options.nowUs })];
  const bytes = await client.bytes({
    sql: `SELECT trace_id, ${newestSql} AS newest FROM spans WHERE ${conditions.join(' AND ')}
GROUP BY trace_id${having.length === 0 ? '' : ` HAVING ${having.join(' AND ')}`} ORDER BY newest DESC, trace_id DESC LIMIT ${maxCandidates}`,
    parameters,
    format: 'RowBinary',
    signal: options.signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const row = readRowBinary(bytes);
  const candidates: TraceCandidate[] = [];
  while (!row.isAtEnd()) candidates.push({ traceId: row.fixedHex(16), newestUs: row.safeI64() });
  return candidates;
}

/** Beyond so many conditions another one narrows little and costs a query within the query. */
const maxNarrowing = 4;

/**
 * One predicate is a condition on the rows. Of several, each narrows the traces in which the next is looked for, the one first that is likely
 * the rarest; where it is in none, nothing else is read. Few rows are better read once, unless one of the predicates leads to hardly any of
 * them. What all have in common is asked of each row.
 */
function metSql(
  predicates: readonly SpanPredicate[],
  { time, bind, isFew }: { readonly time: string; readonly bind: Bind; readonly isFew: boolean },
): { readonly where: string[]; readonly having: string[] } {
  const parts = [...predicates]
    .sort((a, b) => rarity(b) - rarity(a))
    .map((predicate) => predicate.map((condition) => conditionSql(condition, bind)));
  const [first = []] = parts;
  const isReadOnce = isFew && predicates.every((predicate) => rarity(predicate) < hardlyAny);
  if (parts.length <= 1) return { where: first, having: [] };
  const common = first.filter((sql) => parts.every((others) => others.includes(sql)));
  const own = [...new Set(parts.map((others) => allOf(others.filter((sql) => !common.includes(sql)))))];
  const narrowed = own
    .slice(0, maxNarrowing)
    .reduce(
      (traces, sql) => `trace_id IN (SELECT trace_id FROM spans WHERE ${allOf([time, ...common, sql, traces])})`,
      '1',
    );
  return {
    where: [...common, ...(isReadOnce ? [] : [narrowed]), anyOf(own.map((sql) => `(${sql})`))],
    // Once more, because rows outside the window count only where they are reached.
    having: own.map((sql) => `countIf(${sql}) > 0`),
  };
}

/** The table's key begins with the minute, which a condition on the time alone does not use. */
function timeSql({ fromUs, toUs }: Step, bind: Bind): string {
  const from = `fromUnixTimestamp64Micro(${bind(Math.max(0, fromUs), 'Int64')}, 'UTC')`;
  const to = `fromUnixTimestamp64Micro(${bind(Math.min(lastUs, toUs), 'Int64')}, 'UTC')`;
  return `toStartOfMinute(ts) >= toStartOfMinute(${from}) AND toStartOfMinute(ts) <= toStartOfMinute(${to}) AND ts >= ${from} AND ts <= ${to}`;
}

/** Spans outside the window count only if their trace has one inside, near the edge. */
function reachSql(
  { fromUs, toUs, reachUs }: TraceSearch,
  { step, bind, nowUs }: { readonly step: Step; readonly bind: Bind; readonly nowUs: number },
): string[] {
  const conditions: string[] = [];
  if (reachUs === 0) return conditions;
  const near = (edge: Step) => `trace_id IN (SELECT trace_id FROM spans WHERE ${timeSql(edge, bind)})`;
  const at = (us: number) => `fromUnixTimestamp64Micro(${bind(us, 'Int64')}, 'UTC')`;
  // What lies ahead of now is too little to look up the traces of the minute before.
  if (step.toUs > toUs && toUs < nowUs - reachUs) {
    const edge = { fromUs: Math.max(fromUs, toUs - reachUs), toUs };
    conditions.push(`(ts <= ${at(toUs)} OR ${near(edge)})`);
  }
  if (step.fromUs < fromUs) {
    const edge = { fromUs, toUs: Math.min(toUs, fromUs + reachUs) };
    conditions.push(`(ts >= ${at(fromUs)} OR ${near(edge)})`);
  }
  return conditions;
}

export interface TracesOptions extends ReadOptions {
  /** Spans at most, of all traces together. */
  readonly maxSpans?: number;
  /** Where to look, µs since 1970; everywhere when it is left out. */
  readonly within?: Step;
}

/**
 * Whole traces by their ids, 32 lower-case hex digits each, at most `maxTracesAtOnce`: those that are known, in the order of the ids, the
 * spans of each by time. Throws a ResultLimitError where they have more spans than asked for.
 */
export async function tracesByIds(
  client: StoreClient,
  ids: readonly string[],
  options: TracesOptions,
): Promise<Span[][]> {
  if (ids.length === 0) return [];
  if (ids.length > maxTracesAtOnce) {
    throw new ResultLimitError(
      'traces',
      `${ids.length} traces were asked for at once; at most ${maxTracesAtOnce} are read`,
    );
  }
  const limits = options.limits ?? defaultReadLimits;
  const maxSpans = options.maxSpans ?? defaultMaxSpans;
  const { bind, parameters } = createBinder();
  const time = options.within === undefined ? '' : ` AND ${timeSql(options.within, bind)}`;
  const bytes = await client.bytes({
    sql: `SELECT ${spanRow} FROM spans WHERE trace_id IN (${ids.map(idSql).join()})${time} LIMIT ${maxSpans + 1}`,
    parameters,
    format: 'RowBinary',
    signal: options.signal,
    timeoutMs: limits.timeoutMs,
    settings: { ...limitSettings(limits), use_query_condition_cache: 0 },
  });
  const row = readRowBinary(bytes);
  const spans: FiledSpan[] = [];
  const readSpan = createSpanReader();
  while (!row.isAtEnd()) {
    spans.push(readSpan(row));
    // Others are served between the spans of large traces.
    if (spans.length % spansBetweenTurns === 0) await setImmediate();
  }
  if (spans.length > maxSpans) {
    throw new ResultLimitError('spans', `${ids.length} traces have more than ${maxSpans} spans`);
  }
  return grouped(ids, spans);
}

/** In the text itself: a parameter travels in the URL, which is too short for many. */
function idSql(id: string): string {
  if (!/^[0-9a-f]{32}$/.test(id)) throw new RangeError(`${JSON.stringify(id)} is not 32 lower-case hex digits`);
  return `unhex('${id}')`;
}

function grouped(ids: readonly string[], spans: readonly FiledSpan[]): Span[][] {
  const traces = new Map<string, FiledSpan[]>(ids.map((id) => [id, []]));
  for (const filed of spans) traces.get(filed.span.traceId)?.push(filed);
  const known: Span[][] = [];
  for (const trace of traces.values()) if (trace.length > 0) known.push(inOrder(trace));
  return known;
}

/**
 * Finds traces whose spans meet the predicates, reads them whole and hands them to `take`, newest first, until it has taken `limit`. It costs
 * a bounded amount: when its time or the spans that it may read are used up, it ends early and says so; when nothing was taken by then, it
 * throws.
 */
export async function searchTraces(
  client: StoreClient,
  search: TraceSearch,
  options: SearchOptions,
): Promise<SearchEnd> {
  const taken: Taken = { count: 0, refused: 0, spans: 0, tooLarge: undefined };
  const clock = createDeadline(options.limits ?? defaultReadLimits);
  const given = { ...options, deadline: clock };
  try {
    for await (const candidates of findTraces(client, search, given)) {
      await takeFrom(client, candidates, taken, given);
      if (taken.count >= options.limit) break;
    }
    return { incomplete: taken.tooLarge };
  } catch (error) {
    const reason = endOf(error);
    if (taken.count === 0 || reason === undefined || options.signal.aborted) throw error;
    return { incomplete: reason };
  }
}

interface Taken {
  count: number;
  refused: number;
  spans: number;
  tooLarge: string | undefined;
}

async function takeFrom(
  client: StoreClient,
  candidates: readonly TraceCandidate[],
  taken: Taken,
  options: SearchOptions & { readonly deadline: Deadline },
): Promise<void> {
  const { limit, take, signal, deadline } = options;
  const maxSpans = options.maxSpans ?? defaultMaxSpans;
  let size = batchTraces;
  for (let at = 0; at < candidates.length && taken.count < limit; ) {
    // Where the dialect refuses many, more are read at once than are wanted.
    const wanted = Math.max(limit - taken.count, 2 * taken.refused);
    const batch = candidates.slice(at, at + Math.min(size, wanted));
    // A trace too large for a batch is read by itself.
    const room = batch.length === 1 ? maxSpans - taken.spans : Math.min(batchSpans, maxSpans - taken.spans);
    const read = await readWhole(client, batch, { signal, limits: deadline.limits(), maxSpans: room });
    if (read === undefined && batch.length > 1) {
      size = Math.max(1, batch.length >> 2);
      continue;
    }
    if (read === undefined && taken.spans > 0) {
      throw new ResultLimitError('spans', `the traces found have more than ${maxSpans} spans; ask for fewer traces`);
    }
    if (read === undefined)
      taken.tooLarge = `trace ${batch[0]?.traceId} is too large to be among others; ask for it by its id`;
    at += batch.length;
    size = Math.min(batchTraces, size * 2);
    let sinceTurn = 0;
    for (const trace of read ?? []) {
      if (taken.count >= limit) break;
      taken.spans += trace.length;
      sinceTurn += trace.length;
      if (await take(trace)) taken.count++;
      else taken.refused++;
      if (sinceTurn < spansBetweenTurns) continue;
      await setImmediate();
      sinceTurn = 0;
    }
  }
}

/** Undefined where the traces have more spans or bytes than there is room for. */
async function readWhole(
  client: StoreClient,
  batch: readonly TraceCandidate[],
  options: TracesOptions,
): Promise<Span[][] | undefined> {
  const times = batch.map(({ newestUs }) => newestUs);
  const within = { fromUs: Math.min(...times) - traceReachUs, toUs: Math.max(...times) + traceReachUs };
  const ids = batch.map(({ traceId }) => traceId);
  try {
    return await tracesByIds(client, ids, { ...options, within });
  } catch (error) {
    if (error instanceof ResultLimitError || (error instanceof StoreError && error.code === tooManyBytes))
      return undefined;
    throw error;
  }
}

/** Why a search may end with what it has, undefined where that would hide a fault. */
function endOf(error: unknown): string | undefined {
  if (error instanceof ResultLimitError) return error.message;
  if (!(error instanceof StoreError) || error.code === undefined || !boundReached.has(error.code)) return undefined;
  return `the search reached a bound: ${error.message}`;
}
