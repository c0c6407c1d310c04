/** What the sections of the store's spool hold: blocks for one table each. */
import type { Signal } from '../../model/batch.ts';
import { logColumns } from '../writers/logs.ts';
import type { Column } from '../writers/native-block.ts';
import { sampleColumns, seriesColumns } from '../writers/samples.ts';
import { exemplarColumns } from '../writers/series-exemplars.ts';
import { metadataColumns } from '../writers/series-metadata.ts';
import { spanColumns } from '../writers/spans.ts';

export interface StoreTable {
  readonly kind: number;
  readonly table: 'spans' | 'series' | 'samples' | 'logs' | 'metric_metadata' | 'exemplars';
  readonly columns: readonly Column[];
  /** The engine replaces rows of the same key, so that a row inserted twice is one, and a row may vanish because a later segment wrote it too. */
  readonly isReplacing: boolean;
}

/** In the order in which a segment's tables are inserted: a sample must not be visible before its series. The kinds are part of the spool's format. */
export const storeTables = [
  { kind: 2, table: 'series', columns: seriesColumns, isReplacing: true },
  { kind: 5, table: 'metric_metadata', columns: metadataColumns, isReplacing: true },
  { kind: 3, table: 'samples', columns: sampleColumns, isReplacing: false },
  { kind: 6, table: 'exemplars', columns: exemplarColumns, isReplacing: false },
  { kind: 1, table: 'spans', columns: spanColumns, isReplacing: false },
  { kind: 4, table: 'logs', columns: logColumns, isReplacing: false },
] as const satisfies readonly StoreTable[];

export const storeSectionKinds = { spans: 1, series: 2, samples: 3, logs: 4, metadata: 5, exemplars: 6 } as const;

const signalOfTable: Readonly<Partial<Record<StoreTable['table'], Signal>>> = {
  spans: 'spans',
  samples: 'samples',
  logs: 'logs',
};

/** The signal that a section's items belong to; what is kept beside samples belongs to none of its own. */
export function signalOfSection(kind: number): Signal | undefined {
  const table = storeTables.find((entry) => entry.kind === kind)?.table;
  return table === undefined ? undefined : signalOfTable[table];
}
