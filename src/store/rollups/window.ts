/** How a window is read: from the roll-ups where they have seen every span, from the spans where they have not. */
import type { StoreClient } from '../client.ts';
import { countEdges } from './edges.ts';
import {
  contextS,
  inRange,
  type MinuteRange,
  newestPass,
  readStaleMinutes,
  type StaleMinute,
  toRanges,
} from './minutes.ts';
import type { EdgeCounts } from './view.ts';

export interface WindowOptions {
  /** Whole minutes. */
  readonly range: MinuteRange;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
  /** Spans that are counted afresh at most; 3 million unless told. */
  readonly maxLiveSpans?: number;
}

/** A window and where each of its minutes is counted. */
export interface WindowPlan {
  /** The range that was asked for, or one that ends earlier where its last minutes are too full to be counted afresh. */
  readonly range: MinuteRange;
  /** Minutes whose spans may belong to traces of the range. */
  readonly edgeRange: MinuteRange;
  /** What is counted from the spans, and how many they are. */
  readonly live: readonly (MinuteRange & { readonly spans: number })[];
  /** What was committed later is not looked at, so that each minute is counted by one of the two sides. */
  readonly upTo: string;
  readonly query: { readonly signal: AbortSignal; readonly timeoutMs?: number };
}

/** Minutes counted afresh in one query; more are taken one range after another. */
const liveLimits = { maxMinutes: 10, maxSpans: 6_000_000 };

/** Only minutes this near to the window's end are left out; older ones are a backlog, which is counted whatever it takes. */
const tailS = 600;

/** Plans the reading of whole minutes. */
export async function planWindow(client: StoreClient, options: WindowOptions): Promise<WindowPlan> {
  const { signal, timeoutMs, maxLiveSpans = 3_000_000 } = options;
  const upTo = await newestPass(client, signal);
  const asked = { from: options.range.from, to: options.range.to + contextS };
  const stale = await readStaleMinutes(client, { range: asked, upTo, signal });
  const { range, edgeRange, kept } = withinLimit(options.range, stale, maxLiveSpans);
  const live = toRanges(kept, liveLimits).map(({ from, to }) => ({
    from,
    to,
    spans: kept.reduce((sum, s) => (s.minute >= from && s.minute < to ? sum + s.spans : sum), 0),
  }));
  return { range, edgeRange, live, upTo, query: { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) } };
}

/**
 * Under a heavy load a minute that late spans came for is taken as its last pass has it, and then the window ends where the roll-ups end,
 * and the answer says so: what no pass has seen yet may hold more spans than an answer has time for.
 */
function withinLimit(range: MinuteRange, stale: readonly StaleMinute[], maxSpans: number) {
  const sum = (minutes: readonly StaleMinute[]) => minutes.reduce((all, { spans }) => all + spans, 0);
  const isTooMuch = sum(stale) > maxSpans;
  const kept = isTooMuch ? stale.filter(({ madeAt }) => madeAt === 0) : [...stale];
  let { to } = range;
  let edgesTo = to + contextS;
  for (let last = kept.at(-1); last !== undefined && sum(kept) > maxSpans; last = kept.at(-1)) {
    if (last.minute < range.to - tailS) break;
    to = Math.min(to, last.minute);
    edgesTo = last.minute;
    kept.pop();
  }
  const end = Math.max(range.from, to);
  return { range: { from: range.from, to: end }, edgeRange: { from: range.from, to: Math.max(end, edgesTo) }, kept };
}

const isLive = ({ live }: WindowPlan) =>
  live.map(({ from, to }) => `(toUnixTimestamp(minute) >= ${from} AND toUnixTimestamp(minute) < ${to})`).join(' OR ') ||
  'false';

/** Rows of the newest pass over each minute of the query's range that is not counted from the spans. Parameters: from, to, upTo. */
export const rolledUp = (table: string, plan: WindowPlan) => `
  SELECT * FROM ${table} WHERE ${inRange('minute')} AND NOT (${isLive(plan)})
    AND (minute, pass) IN (SELECT minute, max(pass) FROM rollup_minutes WHERE ${inRange('minute')} AND pass <= {upTo:UInt64} GROUP BY minute)`;

/** The same of `rollup_edges`, for traces of the window by one of `edgeRules`. Parameters: those of `edgeParameters`. */
export const rolledUpEdges = (plan: WindowPlan) => `
  ${rolledUp('rollup_edges', plan)} AND rule = {rule:UInt8}
    AND trace_minute >= toDateTime({traceFrom:UInt32}, 'UTC') AND trace_minute < toDateTime({traceTo:UInt32}, 'UTC')`;

/** The parameters of `rolledUpEdges`. */
export const edgeParameters = ({ range, edgeRange, upTo }: WindowPlan, rule: number) => ({
  ...edgeRange,
  upTo,
  rule,
  traceFrom: range.from,
  traceTo: range.to,
});

/** The calls of the window's traces that are counted from the spans. */
export async function countLiveEdges(
  client: StoreClient,
  plan: WindowPlan,
  rule: number,
): Promise<readonly EdgeCounts[]> {
  const found: EdgeCounts[] = [];
  for (const { from, to, spans } of plan.live) {
    for (const edge of await countEdges(client, { range: { from, to }, spans, ...plan.query })) {
      const { traceMinute } = edge;
      if (edge.rule === rule && traceMinute >= plan.range.from && traceMinute < plan.range.to) found.push(edge);
    }
  }
  return found;
}
