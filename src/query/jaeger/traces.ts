/** Traces of the store as OTLP's messages: by their ids and by a search, adjusted unless they are wanted raw. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Span } from '../../model/span.ts';
import { adjustInSteps } from './adjusters.ts';
import { isEnded, JaegerRefusal } from './answers.ts';
import { type OtlpTrace, toOtlpInSteps, toOtlpTrace } from './otlp-trace.ts';
import type { SpanQuery, TraceSearchRequest } from './search-parameters.ts';
import type { JaegerApiOptions } from './source.ts';
import { hasMatch, predicateOf } from './span-match.ts';

/** More are not given, whatever is asked for. */
export const maxTraces = 500;

/** A trace of more spans waits for its turn like a search: it takes as much memory. */
const largeTraceSpans = 5000;

interface Ask {
  readonly isRaw: boolean;
  readonly signal: AbortSignal;
}

/** Reads a trace and hands it to `use`; undefined when it is not there. */
export async function useTrace<Result>(
  options: JaegerApiOptions,
  traceId: string,
  ask: Ask & { readonly use: (trace: OtlpTrace) => Promise<Result> },
): Promise<Result | undefined> {
  const spans = await readSpans(options, traceId, ask.signal);
  if (spans.length === 0) return undefined;
  const run = async () => ask.use(await convert(spans, ask));
  return spans.length > largeTraceSpans ? options.searches.pass(ask.signal, run) : run();
}

/** Reads a trace; undefined when it is not there. */
export async function readTrace(options: JaegerApiOptions, traceId: string, ask: Ask): Promise<OtlpTrace | undefined> {
  const spans = await readSpans(options, traceId, ask.signal);
  return spans.length === 0 ? undefined : convert(spans, ask);
}

async function convert(spans: readonly Span[], { isRaw, signal }: Ask): Promise<OtlpTrace> {
  const trace = await inTurns(toOtlpInSteps(spans), signal);
  if (!isRaw) await inTurns(adjustInSteps(trace), signal);
  return trace;
}

/** Lets others have their turn between the steps. */
async function inTurns<Result>(steps: Generator<void, Result>, signal: AbortSignal): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await turn(undefined, { signal });
  }
}

/** Whoever sent a span and was answered finds it: a trace that is not there is looked up again once all that was acknowledged is. */
async function readSpans(
  { source, freshen, isCurrent }: JaegerApiOptions,
  traceId: string,
  signal: AbortSignal,
): Promise<readonly Span[]> {
  // Asked before the look-up: what becomes current during it may have come too late for it.
  const wasCurrent = isCurrent();
  const spans = await source.traceById(traceId, signal);
  if (spans.length > 0 || wasCurrent) return spans;
  try {
    await freshen(signal);
  } catch (error) {
    if (isEnded(error, signal)) throw error;
    // A 404 would be a promise that the trace is not there, which nobody knows now.
    const reason = error instanceof Error ? error.message : String(error);
    throw new JaegerRefusal(503, `trace not found yet: the store is behind (${reason})`);
  }
  return source.traceById(traceId, signal);
}

export interface FoundTraces {
  readonly traces: readonly OtlpTrace[];
  /** Why some may be missing; undefined when none can be. */
  readonly incomplete: string | undefined;
}

/** Searches traces, newest first. */
export async function findTraces(
  { source }: JaegerApiOptions,
  { query, limit, isRaw }: TraceSearchRequest,
  signal: AbortSignal,
): Promise<FoundTraces> {
  const predicate = predicateOf(query);
  if (predicate === undefined) return { traces: [], incomplete: undefined };
  const found: (readonly Span[])[] = [];
  let taken = 0;
  const search = { fromUs: toUs(query.startNs), toUs: toUs(query.endNs), reachUs: 0, someSpan: [predicate] };
  const { incomplete } = await source.searchTraces(search, {
    limit: Math.min(limit, maxTraces),
    signal,
    take(spans) {
      const isFound = isAsked(spans, query);
      if (isFound) taken = found.push(spans);
      return isFound;
    },
  });
  const isCut = taken === maxTraces && limit > maxTraces;
  const traces: OtlpTrace[] = [];
  // Each is let go of when it is converted: both forms of all would be twice the memory.
  for (let spans = found.shift(); spans !== undefined; spans = found.shift()) {
    traces.push(await convert(spans, { isRaw, signal }));
  }
  return { traces, incomplete: incomplete ?? (isCut ? cutReason : undefined) };
}

const cutReason = `no more than ${maxTraces} traces are given at once, however many are asked for; narrow the search for older ones`;

/** Looks at a part of a large trace at a time, since nearly always the first has a span that is asked for. */
function isAsked(spans: readonly Span[], query: SpanQuery): boolean {
  for (let at = 0; at < spans.length; at += spansPerLook) {
    if (hasMatch(toOtlpTrace(spans.slice(at, at + spansPerLook)), query)) return true;
  }
  return false;
}

const spansPerLook = 200;

/** Times that no double holds are those of no span. */
function toUs(ns: bigint): number {
  const us = Number(ns / 1000n);
  return Math.max(0, Math.min(us, Number.MAX_SAFE_INTEGER));
}
