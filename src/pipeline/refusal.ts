/** Why the pipeline says "not now", and how that is said over HTTP. */
import type { Outcome } from '../model/batch.ts';
import type { IngestResponse } from './ingest-route.ts';
import type { LossReason } from './meter.ts';

/** The cause of a `retry` outcome: a reason from the closed list, and a sentence for whoever sent the batch. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly reason: LossReason;

  constructor(reason: LossReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** The reason behind an outcome's cause; `internal` when nobody gave one. */
export const reasonOf = (cause: Error): LossReason => (cause instanceof RefusedError ? cause.reason : 'internal');

const defaultRetryMs = 5000;

/** Reasons that sending less would cure; everything else is the agent's own trouble. */
const busyReasons: ReadonlySet<LossReason> = new Set(['overloaded', 'spool_full']);

/** A `retry` outcome as HTTP says it: 429 when the sender is too fast, 503 when the agent cannot keep anything; Retry-After in both. */
export function retryResponse(outcome: Extract<Outcome, { kind: 'retry' }>): IngestResponse {
  return {
    status: busyReasons.has(reasonOf(outcome.cause)) ? 429 : 503,
    body: `${outcome.cause.message}\n`,
    retryAfterMs: outcome.afterMs ?? defaultRetryMs,
  };
}
