/** Calls between services as Jaeger counts them: every span whose parent is in its trace, calls within one service included. */
import type { StoreClient } from '../client.ts';
import { edgeRules } from './edge-sql.ts';
import { countLiveEdges, edgeParameters, planWindow, rolledUpEdges } from './window.ts';

/** Names are spelled as their spans spell them; '' for spans that name no service. */
export interface JaegerDependency {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
}

export interface JaegerDependencyOptions {
  /** Rounded down to a whole minute. */
  readonly startMs: number;
  /** Rounded up to a whole minute. */
  readonly endMs: number;
  readonly signal: AbortSignal;
  /** For each of the queries. */
  readonly timeoutMs?: number;
}

/** The store's minutes end in 2106. */
const lastMs = 0xffff_ffff * 1000 - 3_600_000;

/** Counts the calls of the traces that began in the window, sorted by parent, then child. */
export async function readJaegerDependencies(
  client: StoreClient,
  options: JaegerDependencyOptions,
): Promise<readonly JaegerDependency[]> {
  const { startMs, endMs, ...rest } = options;
  const range = {
    from: Math.floor(Math.max(0, startMs) / 60_000) * 60,
    to: Math.ceil(Math.min(endMs, lastMs) / 60_000) * 60,
  };
  if (range.from >= range.to) return [];
  const plan = await planWindow(client, { range, ...rest });
  const calls = new Map<string, { parent: string; child: string; callCount: number }>();
  const add = (parent: string, child: string, count: number) => {
    const key = JSON.stringify([parent, child]);
    const call = calls.get(key) ?? { parent, child, callCount: 0 };
    calls.set(key, call);
    call.callCount += count;
  };
  const rows = await client.rows<{ caller: string; callee: string; calls: string }>({
    ...plan.query,
    sql: `SELECT caller, callee, toString(sum(requests)) AS calls FROM (${rolledUpEdges(plan)}) GROUP BY caller, callee`,
    parameters: edgeParameters(plan, edgeRules.jaeger),
  });
  for (const row of rows) add(row.caller, row.callee, Number(row.calls));
  for (const edge of await countLiveEdges(client, plan, edgeRules.jaeger)) add(edge.caller, edge.callee, edge.requests);
  const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...calls.values()]
    .filter(({ callCount }) => callCount > 0)
    .sort((a, b) => byText(a.parent, b.parent) || byText(a.child, b.child));
}
