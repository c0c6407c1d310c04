import type { Outcome } from '../../model/batch.ts';
import type { LossReason } from '../meter.ts';
import { RefusedError } from '../refusal.ts';
import type { AppendResult } from './spool.ts';

const reasons = {
  full: 'spool_full',
  disk_full: 'disk_full',
  failed: 'internal',
  too_large: 'over_limit',
} as const satisfies Record<Exclude<AppendResult['kind'], 'kept'>, LossReason>;

/** What an append's result means for the batch it came from; `items` is how many the batch has. */
export function outcomeOf(result: AppendResult, items: number): Outcome {
  if (result.kind === 'kept') return { kind: 'kept' };
  const cause = new RefusedError(reasons[result.kind], result.cause.message, { cause: result.cause });
  return result.kind === 'too_large'
    ? { kind: 'rejected', count: items, cause }
    : { kind: 'retry', afterMs: result.afterMs, cause };
}
