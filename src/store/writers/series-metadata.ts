/** What is said of metric families as rows of `metric_metadata` (columns: `../schema/migrations.ts`). */
import type { MetricMetadata } from '../../model/metric-metadata.ts';
import { type Column, NativeBlock } from './native-block.ts';

const family = ['family', 'String'] as const;
const type = ['type', 'LowCardinality(String)'] as const;
const help = ['help', 'String'] as const;
const unit = ['unit', 'LowCardinality(String)'] as const;
const at = ['at', "DateTime64(3, 'UTC')"] as const;

export const metadataColumns: readonly Column[] = [family, type, help, unit, at];

/** Makes an encoder into Native blocks; `atMs` is when it was said. A block is valid until the next one is encoded. */
export function createMetadataEncoder(): (rows: readonly MetricMetadata[], atMs: number) => Buffer {
  const block = new NativeBlock();
  return (rows, atMs) => {
    block.begin(metadataColumns.length, rows.length);
    block.strings(family, rows, (row) => row.family);
    block.lowCardinality(type, rows, (row) => row.type);
    block.strings(help, rows, (row) => row.help);
    block.lowCardinality(unit, rows, (row) => row.unit);
    const out = block.column(at);
    for (const _ of rows) out.i64(atMs);
    return block.end();
  };
}
