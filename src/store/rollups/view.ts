/** What a minute's spans add to the calls of one trace, linked span by span. `edge-sql.ts` says the same of many traces at once. */
import { edgeRules } from './edge-sql.ts';
import { type LinkerSpan, relateTrace } from './linker.ts';
import { contextMinutes } from './minutes.ts';

/** Calls that the spans of a minute add to one from a service to another, of traces of `traceMinute`. Counts can be below 0. */
export interface EdgeCounts {
  /** Seconds since 1970. */
  readonly minute: number;
  readonly traceMinute: number;
  readonly rule: number;
  readonly caller: string;
  readonly callee: string;
  requests: number;
  errors: number;
  /** As Zipkin's linker counts them, which knows nothing of an error but its tag. */
  taggedErrors: number;
  readonly durations: Map<number, number>;
}

/** A span as it is filed. */
export interface FiledSpan extends LinkerSpan {
  /** Seconds since 1970. */
  readonly minute: number;
  /** False where the sender did not say when it started. */
  readonly hasStart: boolean;
  readonly bucket: number;
}

/** A trace as a minute sees it: at the minute's end (1), or, to be taken off, before it (-1). */
export interface View {
  readonly minute: number;
  readonly sign: 1 | -1;
}

export type EdgeTable = Map<string, EdgeCounts>;

/** The views of a trace that minutes from `from` on have: each counts the whole trace and takes off what was there before. */
export function viewsOf(trace: readonly FiledSpan[], from: number): View[] {
  const minutes = [...new Set(trace.map(({ minute }) => minute))];
  const views: View[] = [];
  for (const minute of minutes) {
    if (minute < from) continue;
    views.push({ minute, sign: 1 });
    if (minutes.some((other) => other < minute && other >= minute - contextMinutes * 60)) {
      views.push({ minute, sign: -1 });
    }
  }
  return views;
}

/** When a trace is: when its first span without a parent starts, or else its first span; undefined where no span says so. */
function traceMinuteOf(spans: readonly FiledSpan[]): number | undefined {
  let root = Number.POSITIVE_INFINITY;
  let first = Number.POSITIVE_INFINITY;
  for (const { minute, hasStart, parentId } of spans) {
    if (!hasStart) continue;
    first = Math.min(first, minute);
    if (parentId === undefined) root = Math.min(root, minute);
  }
  const minute = root === Number.POSITIVE_INFINITY ? first : root;
  return minute === Number.POSITIVE_INFINITY ? undefined : minute;
}

/** Adds what a view of a trace counts to `edges`. */
export function countView(trace: readonly FiledSpan[], { minute, sign }: View, edges: EdgeTable): void {
  const last = sign === 1 ? minute : minute - 60;
  const isSeen = (span: FiledSpan) => span.minute <= last && span.minute >= minute - contextMinutes * 60;
  const seen = trace.every(isSeen) ? trace : trace.filter(isSeen);
  const traceMinute = traceMinuteOf(seen);
  if (traceMinute === undefined) return;
  const { links, parents } = relateTrace(seen);
  for (const { caller, callee, isError, isTagged, span } of links) {
    const edge = edgeIn(edges, { minute, traceMinute, rule: edgeRules.zipkin, caller, callee });
    edge.requests += sign;
    if (isError) edge.errors += sign;
    if (isTagged) edge.taggedErrors += sign;
    edge.durations.set(span.bucket, (edge.durations.get(span.bucket) ?? 0) + sign);
  }
  for (const { parent, child } of parents) {
    edgeIn(edges, { minute, traceMinute, rule: edgeRules.jaeger, caller: parent, callee: child }).requests += sign;
  }
}

type EdgeKey = Pick<EdgeCounts, 'minute' | 'traceMinute' | 'rule' | 'caller' | 'callee'>;

/** The counts of one edge, which are made if they are not there. */
export function edgeIn(edges: EdgeTable, edge: EdgeKey): EdgeCounts {
  const key = `${edge.minute} ${edge.traceMinute} ${edge.rule} ${edge.caller.length} ${edge.caller} ${edge.callee}`;
  let counts = edges.get(key);
  if (counts === undefined) {
    counts = { ...edge, requests: 0, errors: 0, taggedErrors: 0, durations: new Map() };
    edges.set(key, counts);
  }
  return counts;
}
