/** What every source of pods is given. */

import type { Logger } from 'pino';
import type { Clock } from '../pipeline/component.ts';
import type { Meter } from '../pipeline/meter.ts';
import type { KeptAnnotations } from './pod-object.ts';

export interface PodSourceOptions {
  /** Its name in metrics and status, such as `discovery.kubernetes`. */
  readonly name: string;
  /** Whole keys, or prefixes that end in `/`; all other annotations are forgotten at once. */
  readonly keptAnnotations: KeptAnnotations;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
}
