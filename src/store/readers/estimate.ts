/** What a read would cost, for people who ask why a query takes as long as it does. */
import type { StoreClient } from '../client.ts';
import { createLabelCache } from './label-cache.ts';
import { limitSettings } from './limits.ts';
import { defaultSampleLimits, type SampleReadOptions, type SampleSelection } from './samples.ts';
import { selectSeries } from './selected-series.ts';
import { windowCondition } from './window.ts';

/** How many rows of `samples` the engine goes through for a selection, as its index has it. */
export async function estimateRows(
  client: StoreClient,
  selection: SampleSelection,
  options: SampleReadOptions,
): Promise<number> {
  const { signal, limits = defaultSampleLimits, labels = createLabelCache() } = options;
  const { condition } = await selectSeries(client, selection, { signal, limits, labels });
  if (condition === undefined) return 0;
  const window = windowCondition({
    unit: 'Milli',
    after: BigInt(Math.trunc(selection.afterMs)),
    until: BigInt(Math.trunc(selection.untilMs)),
  });
  const tables = await client.rows<{ readonly table: string; readonly rows: string }>({
    // A sum, since the engine knows counts without reading.
    sql: `EXPLAIN ESTIMATE SELECT sum(e) FROM samples WHERE ${condition.sql} AND ${window.sql}`,
    parameters: { ...condition.parameters, ...window.parameters },
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  return tables.reduce((sum, { table, rows }) => (table === 'samples' ? sum + Number(rows) : sum), 0);
}
