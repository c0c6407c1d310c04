import { StoreError } from '../store/client.ts';

/** A search had no turn, which another time it may have. */
export class TurnRefused extends StoreError {
  readonly why: 'too many wait' | 'waited too long' | 'left';

  constructor(why: TurnRefused['why'], message: string, cause?: unknown) {
    super(message, { isRetryable: true, cause });
    this.why = why;
  }
}
