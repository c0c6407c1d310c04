import type { Exemplar } from './exemplar.ts';
import type { LogRecord } from './log-record.ts';
import type { MetricMetadata } from './metric-metadata.ts';
import type { SeriesSamples } from './sample.ts';
import type { Span } from './span.ts';

/**
 * How far an input has read a source, e.g. a log file's offset. It is kept in the same spool record as the batch's items, so that
 * after a crash either both are there or neither.
 */
export interface Position {
  /** Names the source within the input, e.g. `container_logs:<file identity>`. */
  readonly key: string;
  /** The input's own text; '' forgets the source. */
  readonly value: string;
}

export type Batch =
  | { readonly signal: 'spans'; readonly items: readonly Span[] }
  | {
      readonly signal: 'samples';
      readonly items: readonly SeriesSamples[];
      readonly metadata?: readonly MetricMetadata[];
      readonly exemplars?: readonly Exemplar[];
    }
  | { readonly signal: 'logs'; readonly items: readonly LogRecord[]; readonly positions?: readonly Position[] };

export type Signal = Batch['signal'];

/** What became of a batch. `rejected` is final: the sender must not send it again. */
export type Outcome =
  | { readonly kind: 'kept' }
  | { readonly kind: 'retry'; readonly afterMs?: number; readonly cause: Error }
  | {
      readonly kind: 'rejected';
      readonly count: number;
      readonly cause: Error;
      /** Where only what lies outside these times was rejected, both included. */
      readonly takenMs?: { readonly from: number; readonly to: number };
    };

/** Resolves once the batch is kept or refused. A slow answer is the backpressure. */
export type Accept = (batch: Batch, signal: AbortSignal) => Promise<Outcome>;
