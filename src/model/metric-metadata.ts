/** What is said once of all series of a metric family. */

/** OpenMetrics' words; the text format's and remote write's `untyped` is `unknown`. */
export const metricTypes = [
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
  'unknown',
] as const;
export type MetricType = (typeof metricTypes)[number];

export interface MetricMetadata {
  /** The family's name: of a histogram without `_bucket`, `_sum` and `_count`, of OpenMetrics' counters without `_total`. */
  readonly family: string;
  readonly type: MetricType;
  readonly help: string;
  /** '' where none was said. */
  readonly unit: string;
}
