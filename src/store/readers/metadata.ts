/** What was said of metric families, from the table `metric_metadata`. */
import { type MetricMetadata, type MetricType, metricTypes } from '../../model/metric-metadata.ts';
import type { StoreClient } from '../client.ts';
import { defaultReadLimits, limitSettings, type ReadLimits } from './limits.ts';
import { readRows } from './row-list.ts';

export interface MetadataReadOptions {
  readonly signal: AbortSignal;
  /** This family alone. */
  readonly family?: string;
  /** At most so many families; 100,000 unless told, and never more. */
  readonly limit?: number;
  readonly limits?: ReadLimits;
}

const maxFamilies = 100_000;

const typeOf = (text: string): MetricType => metricTypes.find((type) => type === text) ?? 'unknown';

/** What was said last of each family, sorted by family. */
export async function readMetadata(client: StoreClient, options: MetadataReadOptions): Promise<MetricMetadata[]> {
  const { signal, family, limit = maxFamilies, limits = defaultReadLimits } = options;
  const bytes = await client.bytes({
    sql: `SELECT family, argMax((type, help, unit), at) FROM metric_metadata
WHERE ${family === undefined ? '1' : 'family = {family:String}'} GROUP BY family ORDER BY family LIMIT {limit:UInt32}`,
    parameters: {
      ...(family === undefined ? {} : { family }),
      limit: Math.min(Math.max(limit, 0), maxFamilies),
    },
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  return readRows(
    bytes,
    (row) => ({ family: row.string(), type: typeOf(row.string()), help: row.string(), unit: row.string() }),
    signal,
  );
}
