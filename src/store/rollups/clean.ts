/** Takes away what passes left behind: rows of passes that were overtaken or killed, and minutes that a power cut took rows from. */
import type { StoreClient } from '../client.ts';

interface Options {
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** A query that is reading an overtaken pass is over by then. */
const overtakenForS = 600;

/** How far back a power cut can have taken rows: what is older has long been written out. */
const repairS = 3_600;

/** Removes rows that no query looks at any more. */
export async function cleanRollups(client: StoreClient, { nowMs, signal }: Options): Promise<void> {
  const parameters = { before: Math.floor(nowMs / 1000) - overtakenForS };
  const [row] = await client.rows<{ old: string; n: string }>({
    sql: `SELECT toString(max(pass)) AS old, toString(count() - uniqExact(minute)) AS n FROM rollup_minutes WHERE made_at < toDateTime({before:UInt32}, 'UTC')`,
    parameters,
    signal,
  });
  if (row === undefined || row.n === '0') return;
  // What a query that began before `before` may still read: the newest of the old passes over each minute, and everything newer.
  const left = `pass <= {old:UInt64} AND (minute, pass) NOT IN (
    SELECT minute, max(pass) FROM rollup_minutes WHERE pass <= {old:UInt64} GROUP BY minute)`;
  for (const table of ['rollup_operations', 'rollup_edges', 'rollup_minutes']) {
    await client.command({
      sql: `DELETE FROM ${table} WHERE ${left}`,
      parameters: { old: row.old },
      signal,
      timeoutMs: 60_000,
    });
  }
}

/** Takes back recent commits whose rows are not all there, which only a power cut can bring about; returns how many minutes that were. */
export async function repairRollups(client: StoreClient, { nowMs, signal }: Options): Promise<number> {
  const recent = `pass IN (SELECT pass FROM rollup_minutes WHERE made_at >= toDateTime({since:UInt32}, 'UTC'))`;
  const rowsOf = (table: string) =>
    `SELECT minute, pass, count() AS n FROM ${table} WHERE ${recent} GROUP BY minute, pass`;
  const parameters = { since: Math.max(0, Math.floor(nowMs / 1000) - repairS) };
  const broken = await client.rows<{ at: number; pass: string }>({
    sql: `SELECT toUnixTimestamp(m.minute) AS at, toString(m.pass) AS pass FROM rollup_minutes AS m
      LEFT JOIN (${rowsOf('rollup_operations')}) AS o ON o.minute = m.minute AND o.pass = m.pass
      LEFT JOIN (${rowsOf('rollup_edges')}) AS e ON e.minute = m.minute AND e.pass = m.pass
      WHERE m.made_at >= toDateTime({since:UInt32}, 'UTC') AND (o.n != m.operation_rows OR e.n != m.edge_rows)`,
    parameters,
    signal,
  });
  const keys = broken.map(({ at, pass }) => `(toDateTime(${at}, 'UTC'), ${BigInt(pass)})`);
  if (keys.length > 0) {
    await client.command({
      sql: `DELETE FROM rollup_minutes WHERE (minute, pass) IN (${keys.join()})`,
      signal,
      timeoutMs: 60_000,
    });
  }
  return broken.length;
}
