import type { MainConfig } from '../config/main-config.ts';
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
