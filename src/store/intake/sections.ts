/** What the sections of the store's spool hold: blocks for one table each. */
import type { Signal } from '../../model/batch.ts';
import { logColumns } from '../writers/logs.ts';
import type { Column } from '../writers/native-block.ts';
import { sampleColumns, seriesColumns } from '../writers/samples.ts';
import { spanColumns } from '../writers/spans.ts';

export interface StoreTable {
  readonly kind: number;
  readonly table: 'spans' | 'series' | 'samples' | 'logs';
  readonly columns: readonly Column[];
  /** The engine replaces rows of the same key, so that a row inserted twice is one, and a row may vanish because a later segment wrote it too. */
  readonly isReplacing: boolean;
}

/** In the order in which a segment's tables are inserted: a sample must not be visible before its series. The kinds are part of the spool's format. */
export const storeTables = [
  { kind: 2, table: 'series', columns: seriesColumns, isReplacing: true },
  { kind: 3, table: 'samples', columns: sampleColumns, isReplacing: false },
  { kind: 1, table: 'spans', columns: spanColumns, isReplacing: false },
  { kind: 4, table: 'logs', columns: logColumns, isReplacing: false },
] as const satisfies readonly StoreTable[];

export const storeSectionKinds = { spans: 1, series: 2, samples: 3, logs: 4 } as const;

/** The signal that a section's items belong to; series belong to none of their own. */
export function signalOfSection(kind: number): Signal | undefined {
  const table = storeTables.find((entry) => entry.kind === kind)?.table;
  return table === 'series' ? undefined : table;
}
