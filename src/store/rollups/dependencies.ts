/** Zipkin's dependency links: its linker over every trace whose timestamp lies in a window. */
import type { StoreClient } from '../client.ts';
import { edgeRules, traceKey } from './edge-sql.ts';
import { countEdges } from './edges.ts';
import { contextMinutes, contextS, inRange } from './minutes.ts';
import { countLiveEdges, edgeParameters, planWindow, rolledUpEdges } from './window.ts';

/** Names are in lower case. */
export interface DependencyLink {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
  readonly errorCount: number;
}

export interface DependencyOptions {
  /** The first and the last millisecond, both inclusive: a trace counts whole if its timestamp is neither before nor after. */
  readonly startMs: number;
  readonly endMs: number;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
  /** Spans that are counted afresh at most; 3 million unless told. */
  readonly maxLiveSpans?: number;
  /** Above so many spans in its first or last minute a window of hours is rounded to whole minutes; 200,000 unless told. */
  readonly maxPartialSpans?: number;
}

/** A part of a minute, with microseconds of both ends inclusive. */
interface Part {
  readonly minute: number;
  readonly fromUs: number;
  readonly toUs: number;
}

/** Only a window of at least this length is rounded. */
const roundedFromMs = 3_600_000;

/** The last minute that the store can hold; years after it, no sender means what it says. */
const lastMs = 0xffff_ffff * 1000 - 3_600_000;

/** Counts the calls of the window's traces, sorted by parent, then child. */
export async function readDependencies(
  client: StoreClient,
  options: DependencyOptions,
): Promise<readonly DependencyLink[]> {
  const { startMs, endMs, maxPartialSpans = 200_000, ...rest } = options;
  const counts = createLinkCounts();
  const cut = { startMs: Math.max(0, startMs), endMs: Math.min(endMs, lastMs) };
  if (cut.startMs > cut.endMs) return [];
  const { from, to, parts } = split(cut);
  const kept: (Part & { readonly spans: number })[] = [];
  let range = { from, to };
  const sizes = await Promise.all(parts.map(({ minute }) => spansIn(client, minute, rest.signal)));
  for (const [i, part] of parts.entries()) {
    const spans = sizes[i] ?? 0;
    if (spans <= maxPartialSpans || cut.endMs - cut.startMs < roundedFromMs) {
      if (spans > 0) kept.push({ ...part, spans });
    } else if (part.toUs - part.fromUs >= 30_000_000) {
      range = { from: Math.min(range.from, part.minute), to: Math.max(range.to, part.minute + 60) };
    }
  }
  await Promise.all([
    range.from < range.to ? addWholeMinutes(client, { range, ...rest }, counts) : undefined,
    ...kept.map((part) => addPart(client, part, { ...rest, counts })),
  ]);
  return counts.links();
}

type LinkCounts = ReturnType<typeof createLinkCounts>;

function createLinkCounts() {
  const links = new Map<string, { parent: string; child: string; callCount: number; errorCount: number }>();
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return {
    add(parent: string, child: string, counts: { readonly calls: number; readonly errors: number }): void {
      const key = JSON.stringify([parent, child]);
      const link = links.get(key) ?? { parent, child, callCount: 0, errorCount: 0 };
      links.set(key, link);
      link.callCount += counts.calls;
      link.errorCount += counts.errors;
    },
    links: (): readonly DependencyLink[] =>
      [...links.values()]
        .filter(({ callCount }) => callCount > 0)
        .sort((a, b) => byText(a.parent, b.parent) || byText(a.child, b.child)),
  };
}

/** The whole minutes of a window, and the parts of minutes at its ends. */
function split({ startMs, endMs }: { startMs: number; endMs: number }) {
  const fromUs = startMs * 1000;
  const toUs = endMs * 1000;
  const minuteOf = (us: number) => Math.floor(us / 60_000_000) * 60;
  const from = Math.ceil(fromUs / 60_000_000) * 60;
  const to = minuteOf(toUs + 1);
  const first = minuteOf(fromUs);
  const last = minuteOf(toUs);
  if (first === last && (from > first || to < last + 60)) {
    return { from: 0, to: 0, parts: [{ minute: first, fromUs, toUs }] };
  }
  const parts: Part[] = [];
  if (from > first) parts.push({ minute: first, fromUs, toUs: (first + 60) * 1e6 - 1 });
  if (to <= last) parts.push({ minute: last, fromUs: last * 1e6, toUs });
  return { from, to: Math.max(from, to), parts };
}

async function spansIn(client: StoreClient, minute: number, signal: AbortSignal): Promise<number> {
  // The projection `arrivals` answers this.
  const [row] = await client.rows<{ n: string }>({
    sql: `SELECT toString(sum(n)) AS n FROM (SELECT count() AS n FROM spans WHERE ${inRange('toStartOfMinute(ts)')} GROUP BY toStartOfMinute(ts))`,
    parameters: { from: minute, to: minute + 60 },
    signal,
  });
  return Number(row?.n ?? 0);
}

type ReadOptions = Pick<DependencyOptions, 'signal' | 'timeoutMs' | 'maxLiveSpans'>;

async function addWholeMinutes(
  client: StoreClient,
  options: ReadOptions & { readonly range: { readonly from: number; readonly to: number } },
  counts: LinkCounts,
): Promise<void> {
  const plan = await planWindow(client, options);
  const rows = await client.rows<{ caller: string; callee: string; calls: string; errors: string }>({
    ...plan.query,
    sql: `SELECT caller, callee, toString(sum(requests)) AS calls, toString(sum(tagged_errors)) AS errors
      FROM (${rolledUpEdges(plan)}) GROUP BY caller, callee`,
    parameters: edgeParameters(plan, edgeRules.zipkin),
  });
  for (const { caller, callee, calls, errors } of rows) {
    counts.add(caller, callee, { calls: Number(calls), errors: Number(errors) });
  }
  for (const { caller, callee, requests, taggedErrors } of await countLiveEdges(client, plan, edgeRules.zipkin)) {
    counts.add(caller, callee, { calls: requests, errors: taggedErrors });
  }
}

/** Traces that have spans in the part's minute and whose timestamp lies in the part. */
const tracesInPart = () => {
  const near = `toStartOfMinute(ts) >= toDateTime({minute:UInt32} - ${contextS}, 'UTC') AND toStartOfMinute(ts) <= toDateTime({minute:UInt32} + ${contextS}, 'UTC')`;
  const isDated = 'NOT bitTest(flags, 2)';
  return `${traceKey} IN (
    SELECT ${traceKey} AS trace FROM spans
    WHERE ${near} AND trace IN (SELECT ${traceKey} FROM spans WHERE toStartOfMinute(ts) = toDateTime({minute:UInt32}, 'UTC'))
    GROUP BY trace
    HAVING toUnixTimestamp64Micro(if(countIf(parent_id = 0 AND ${isDated}) > 0, minIf(ts, parent_id = 0 AND ${isDated}), minIf(ts, ${isDated})))
      BETWEEN {fromUs:Int64} AND {toUs:Int64})`;
};

async function addPart(
  client: StoreClient,
  { minute, fromUs, toUs, spans }: Part & { readonly spans: number },
  { counts, ...options }: ReadOptions & { readonly counts: LinkCounts },
): Promise<void> {
  const { signal, timeoutMs } = options;
  const range = { from: minute, to: minute + 60 + contextMinutes * 60 };
  const edges = await countEdges(client, {
    range,
    spans,
    among: tracesInPart(),
    parameters: { minute, fromUs, toUs },
    signal,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  for (const { traceMinute, rule, caller, callee, requests, taggedErrors } of edges) {
    if (rule !== edgeRules.zipkin || traceMinute !== minute) continue;
    counts.add(caller, callee, { calls: requests, errors: taggedErrors });
  }
}
