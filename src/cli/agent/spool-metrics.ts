/** What a spool holds, as metrics. */
import { Gauge, type Registry } from 'prom-client';
import type { Spool, SpoolStats } from '../../pipeline/spool/spool.ts';

const gauges = [
  ['trawl_spool_bytes', 'Bytes on disk that wait to be delivered.', (stats) => stats.bytes],
  ['trawl_spool_segments', 'Segments that wait to be delivered, the open one included.', (stats) => stats.segments],
  ['trawl_spool_oldest_seconds', 'How long the oldest record has waited.', (stats) => stats.oldestAgeMs / 1000],
  [
    'trawl_spool_pending_bytes',
    'Bytes that wait to be written to disk and are not acknowledged yet.',
    (stats) => stats.pendingBytes,
  ],
  [
    'trawl_spool_torn_bytes',
    'Bytes cut off since the start: the unfinished end of what a crash interrupted.',
    (stats) => stats.tornBytes,
  ],
  [
    'trawl_spool_corrupt_bytes',
    'Bytes skipped since the start because their checksum is wrong.',
    (stats) => stats.corruptBytes,
  ],
  [
    'trawl_spool_quarantined_segments',
    'Segments set aside since the start because they cannot be read or are refused.',
    (stats) => stats.quarantinedSegments,
  ],
] as const satisfies readonly (readonly [string, string, (stats: SpoolStats) => number])[];

const observed = new WeakMap<Registry, Map<string, Pick<Spool, 'stats'>>>();

/** Adds a spool to the metrics; what comes back takes it out again. */
export function observeSpool(registry: Registry, destination: string, spool: Pick<Spool, 'stats'>): () => void {
  let spools = observed.get(registry);
  if (spools === undefined) {
    const mine = new Map<string, Pick<Spool, 'stats'>>();
    spools = mine;
    observed.set(registry, mine);
    for (const [name, help, read] of gauges) {
      new Gauge({
        name,
        help,
        labelNames: ['destination'],
        registers: [registry],
        collect() {
          this.reset();
          for (const [label, each] of mine) this.set({ destination: label }, read(each.stats()));
        },
      });
    }
  }
  const all = spools;
  all.set(destination, spool);
  return () => {
    all.delete(destination);
  };
}
