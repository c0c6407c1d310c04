/** Trawl's own metrics about data on its way, and the memory behind `/api/trawl/status`: what each component last saw and what last went wrong. */
import { Counter, type Registry } from 'prom-client';
import type { Signal } from '../model/batch.ts';

/** Why something was refused (its sender was told) or dropped (nobody could be told). */
export const lossReasons = [
  'malformed',
  'body_too_large',
  'unsupported_encoding',
  'overloaded',
  'disk_full',
  'shutting_down',
  'older_than_retention',
  'retention_unknown',
  'too_far_ahead',
  'duplicate',
  'over_limit',
  'spool_full',
  'corrupt_record',
  'rejected_by_backend',
  'rotated_away',
  'line_too_long',
  'internal',
] as const;
export type LossReason = (typeof lossReasons)[number];

/** What one component has done since the start. */
export interface ComponentStatus {
  readonly component: string;
  readonly lastSeenMs: number | undefined;
  readonly lastErrorMs: number | undefined;
  readonly lastError: string | undefined;
  readonly received: number;
  readonly kept: number;
  readonly refused: number;
  readonly dropped: number;
}

export interface Meter {
  readonly registry: Registry;
  received(component: string, signal: Signal, count: number): void;
  kept(component: string, signal: Signal, count: number): void;
  /** The sender was told no; `why` is the sentence it was told. */
  refused(component: string, signal: Signal, reason: LossReason, count: number, why: string): void;
  /** Nobody could be told. */
  dropped(component: string, signal: Signal, reason: LossReason, count: number, why: string): void;
  /** Something went wrong that lost nothing. */
  failed(component: string, why: string): void;
  status(): readonly ComponentStatus[];
}

interface MutableStatus {
  component: string;
  lastSeenMs: number | undefined;
  lastErrorMs: number | undefined;
  lastError: string | undefined;
  received: number;
  kept: number;
  refused: number;
  dropped: number;
}

const maxErrorLength = 500;

/** Makes a meter whose counters are in `registry` (names: `docs/reference/metrics.md`). */
export function createMeter(registry: Registry, nowMs: () => number): Meter {
  const counter = <Name extends string>(name: string, help: string, labelNames: readonly Name[]) =>
    new Counter<Name>({ name, help, labelNames: [...labelNames], registers: [registry] });
  const counters = {
    received: counter('trawl_received_items_total', 'Spans, samples and lines that arrived and could be read.', [
      'component',
      'signal',
    ]),
    kept: counter(
      'trawl_kept_items_total',
      'Spans, samples and lines that were synced to disk, or delivered by an output.',
      ['component', 'signal'],
    ),
    refused: counter('trawl_refused_items_total', 'What was refused; its sender was told.', [
      'component',
      'signal',
      'reason',
    ]),
    dropped: counter('trawl_dropped_items_total', 'What was lost although its sender was not told.', [
      'component',
      'signal',
      'reason',
    ]),
    errors: counter('trawl_errors_total', 'Failures that lost nothing, such as an attempt that was repeated.', [
      'component',
    ]),
  };
  const statuses = new Map<string, MutableStatus>();
  const of = (component: string): MutableStatus => {
    let status = statuses.get(component);
    if (status === undefined) {
      status = {
        component,
        lastSeenMs: undefined,
        lastErrorMs: undefined,
        lastError: undefined,
        received: 0,
        kept: 0,
        refused: 0,
        dropped: 0,
      };
      statuses.set(component, status);
    }
    return status;
  };
  const complain = (status: MutableStatus, why: string) => {
    status.lastErrorMs = nowMs();
    status.lastError = why.length > maxErrorLength ? `${why.slice(0, maxErrorLength)}…` : why;
  };
  return {
    registry,
    received(component, signal, count) {
      const status = of(component);
      status.lastSeenMs = nowMs();
      status.received += count;
      counters.received.inc({ component, signal }, count);
    },
    kept(component, signal, count) {
      of(component).kept += count;
      counters.kept.inc({ component, signal }, count);
    },
    refused(component, signal, reason, count, why) {
      const status = of(component);
      status.refused += count;
      complain(status, why);
      counters.refused.inc({ component, signal, reason }, count);
    },
    dropped(component, signal, reason, count, why) {
      const status = of(component);
      status.dropped += count;
      complain(status, why);
      counters.dropped.inc({ component, signal, reason }, count);
    },
    failed(component, why) {
      complain(of(component), why);
      counters.errors.inc({ component });
    },
    status: () => [...statuses.values()].sort((a, b) => (a.component < b.component ? -1 : 1)),
  };
}
