/** What services did over time, by service or by operation: counts and durations as Jaeger's Monitor tab draws them. */
import type { SpanKind } from '../../model/span.ts';
import type { StoreClient } from '../client.ts';

export interface OperationStatsOptions {
  /** Services by their names as their spans spell them. */
  readonly services: readonly string[];
  /** Only spans of these kinds; undefined stands for spans without a kind. */
  readonly kinds: readonly (SpanKind | undefined)[];
  /** A series for each name of a span instead of one for each service. */
  readonly byOperation: boolean;
  /** The times of the points: `startMs`, a step later and so on, up to `endMs` inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** Each point looks back this far, in whole minutes. */
  readonly ratePerMs: number;
  /** Asks for a quantile of the durations, between 0 and 1. */
  readonly quantile?: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
}

/** What was counted over the time before a point. */
export interface OperationPoint {
  readonly timeMs: number;
  readonly calls: number;
  readonly errors: number;
  /** The length of time that the counts are of, for rates. */
  readonly coveredMs: number;
  /** Undefined where nothing was counted or no quantile was asked for. */
  readonly quantileUs: number | undefined;
}

export interface OperationSeries {
  readonly service: string;
  /** Undefined unless `byOperation`. */
  readonly operation: string | undefined;
  /** In order of time; from the first that counts anything on. */
  readonly points: readonly OperationPoint[];
}

/** Reads the series that have any span in the window, by service, then operation. */
export type ReadOperationStats = (
  client: StoreClient,
  options: OperationStatsOptions,
) => Promise<readonly OperationSeries[]>;
