/** What Jaeger's API reads: readers of the store, bound to a client. */
import type { Span, SpanKind } from '../../model/span.ts';
import type { Operation } from '../../store/readers/names.ts';
import type { SearchEnd, TraceSearch } from '../../store/readers/trace-search.ts';
import type { JaegerDependency } from '../../store/rollups/jaeger-dependencies.ts';
import type { OperationSeries } from '../../store/rollups/operation-stats.ts';
import type { SearchGate } from '../search-gate.ts';

export interface JaegerSource {
  /** `traceId` is 32 lower-case hex digits. */
  traceById(traceId: string, signal: AbortSignal): Promise<readonly Span[]>;
  /** Hands traces to `take`, newest first, until it has taken `limit`. */
  searchTraces(search: TraceSearch, options: SearchTracesOptions): Promise<SearchEnd>;
  /** As they are spelled; '' among them where spans name none. */
  serviceNames(signal: AbortSignal): Promise<readonly string[]>;
  /** Of the service of exactly this name, '' for spans that name none. */
  operationsOf(service: string, signal: AbortSignal): Promise<readonly Operation[]>;
  dependencies(window: MsWindow, signal: AbortSignal): Promise<readonly JaegerDependency[]>;
  operationStats(query: OperationStatsQuery, signal: AbortSignal): Promise<readonly OperationSeries[]>;
}

export interface SearchTracesOptions {
  readonly limit: number;
  readonly signal: AbortSignal;
  /** Looks at a whole trace and says whether it is taken. */
  readonly take: (trace: readonly Span[]) => boolean;
}

export interface MsWindow {
  readonly startMs: number;
  readonly endMs: number;
}

/** What the Monitor tab asks for; the fields are those of `OperationStatsOptions`. */
export interface OperationStatsQuery extends MsWindow {
  readonly services: readonly string[];
  readonly kinds: readonly (SpanKind | undefined)[];
  readonly byOperation: boolean;
  readonly stepMs: number;
  readonly ratePerMs: number;
  readonly quantile?: number;
}

export interface JaegerApiOptions {
  readonly source: JaegerSource;
  /** Of all searches of the agent: what is found lies in memory until the answer is written. */
  readonly searches: SearchGate;
  /** Resolves once what was acknowledged before the call can be queried, at most once a second for all who wait. */
  readonly freshen: (signal: AbortSignal) => Promise<void>;
  /** Whether everything that was acknowledged can be queried already. */
  readonly isCurrent: () => boolean;
  readonly nowMs: () => number;
}
