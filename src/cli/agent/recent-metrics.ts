/** What is in memory of recent samples, as metrics. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { RecentSamples } from '../../store/recent/recent-samples.ts';

/** Adds them to the metrics. */
export function observeRecentSamples(registry: Registry, { statistics }: Pick<RecentSamples, 'statistics'>): void {
  const gauges = [
    ['trawl_query_recent_samples_bytes', 'Memory of the agent that recent samples take.', () => statistics().bytes],
    ['trawl_query_recent_series', 'Series whose recent samples are in memory.', () => statistics().series],
    ['trawl_query_recent_selections', 'Selectors of queries that memory answers.', () => statistics().selections],
  ] as const;
  for (const [name, help, read] of gauges) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  }
  new Counter({
    name: 'trawl_query_recent_lookups_total',
    help: 'Selectors of queries by where their samples came from.',
    labelNames: ['from'] as const,
    registers: [registry],
    collect() {
      const { hits, misses } = statistics();
      this.reset();
      this.inc({ from: 'memory' }, hits);
      this.inc({ from: 'store' }, misses);
    },
  });
}
