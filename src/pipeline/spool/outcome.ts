import type { Outcome } from '../../model/batch.ts';
import type { AppendResult } from './spool.ts';

/** What an append's result means for the batch it came from; `items` is how many the batch has. */
export function outcomeOf(result: AppendResult, items: number): Outcome {
  switch (result.kind) {
    case 'kept':
      return { kind: 'kept' };
    case 'too_large':
      return { kind: 'rejected', count: items, cause: result.cause };
    case 'full':
    case 'disk_full':
    case 'failed':
      return { kind: 'retry', afterMs: result.afterMs, cause: result.cause };
  }
}
