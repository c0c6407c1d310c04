/** What is told of a target that is scraped: by the input that scrapes it, to whoever shows it. */

/** What a target's last scrape came to. */
export interface TargetStatus {
  readonly url: string;
  /** Where it was named: a block of the configuration, or a pod and its annotation. */
  readonly origin: string;
  /** What was known of it before relabelling. */
  readonly discoveredLabels: Readonly<Record<string, string>>;
  /** The labels that each of its series gets. */
  readonly labels: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly health: 'unknown' | 'up' | 'down';
  readonly lastScrapeMs: number | undefined;
  readonly lastDurationMs: number | undefined;
  /** Samples that the last page had. */
  readonly lastSamples: number;
  /** How large its page was, inflated; 0 where the last scrape brought none, -1 where it was too large. */
  readonly lastBodyBytes: number;
  /** Why the last scrape failed; undefined where it did not. */
  readonly lastError: string | undefined;
  /** What the last scrape left out although it did not fail, and by which limit. */
  readonly lastWarning: string | undefined;
}
