import type { MainConfig } from '../config/main-config.ts';
import type { Signal } from '../model/batch.ts';
import type { RetentionLimits } from '../store/retention/plan.ts';

/** What `[store]` says about how long and how much is kept. */
export function retentionLimitsOf({
  retention,
  retention_spans,
  retention_samples,
  retention_logs,
  max_bytes,
}: MainConfig['store']): RetentionLimits {
  return {
    ageMs: {
      spans: retention_spans ?? retention,
      samples: retention_samples ?? retention,
      logs: retention_logs ?? retention,
    },
    maxBytes: max_bytes,
  };
}

/** How old something may be to be taken: what `out_of_order_window` says of samples goes before what is kept, unless that is all of them. */
export function withOutOfOrderWindow(
  oldestMs: (signal: Signal) => number | undefined,
  store: MainConfig['store'],
  nowMs: () => number,
): (signal: Signal) => number | undefined {
  const { out_of_order_window: windowMs } = store;
  if (windowMs === undefined || retentionLimitsOf(store).ageMs.samples === 'forever') return oldestMs;
  return (signal) => {
    const oldest = oldestMs(signal);
    return signal === 'samples' ? Math.max(oldest ?? Number.NEGATIVE_INFINITY, nowMs() - windowMs) : oldest;
  };
}
