/** Which system calls of an INSERT the store is killed at: all that change what a table holds, and a seeded sample of the others. */
import { createRandom } from '../fixtures/random.ts';
import type { KillPoint, KillRange, SegmentOutcome } from './insert-kill.ts';
import type { TableName } from './insert-kill-segments.ts';
import type { TracedCall } from './insert-kill-strace.ts';

/** Calls after which a table's directory holds other names than before, and the barriers between them. */
const decisive = /^(rename|mkdir|link|unlink|rmdir|fsync)/;

export interface KillPlan {
  /** Kills at the calls that change nothing by themselves, over all tables; undefined for every one of them. */
  readonly samples: number | undefined;
  readonly seed: number;
}

export interface KillReport {
  readonly outcomes: readonly SegmentOutcome[];
  /** By call: how many kills were aimed, hit within the statement, and hit a file of the INSERT or the DELETE itself. */
  readonly calls: Readonly<Record<string, { aimed: number; hit: number; own: number }>>;
}

/** A background merge runs beside the statement and may be what was hit. */
const isMerge = (hit: string) => hit.includes('tmp_merge');

/** Each call's number within its thread, which is how strace counts. */
function numbered(calls: readonly TracedCall[]) {
  const counts = new Map<string, number>();
  return calls.map((traced) => {
    const key = `${traced.thread} ${traced.call}`;
    const at = (counts.get(key) ?? 0) + 1;
    counts.set(key, at);
    return { ...traced, at };
  });
}

function unique(points: readonly KillPoint[]): KillPoint[] {
  return [...new Map(points.map((point) => [`${point.table} ${point.call} ${point.at}`, point])).values()];
}

/** Aims at the INSERT of each table, as traced a moment ago. */
async function planInserts(range: KillRange, plan: KillPlan): Promise<readonly KillPoint[]> {
  const certain: KillPoint[] = [];
  const others: KillPoint[] = [];
  for (const table of ['series', 'samples', 'spans', 'logs'] as const satisfies readonly TableName[]) {
    for (const { call, at, text } of numbered(await range.trace(table))) {
      const point: KillPoint = { statement: 'insert', table, call, at };
      const isLogged = call === 'write' && text.includes('deduplication_log');
      if (isLogged || (decisive.test(call) && !isMerge(text))) certain.push(point);
      else others.push(point);
    }
  }
  const random = createRandom(plan.seed);
  const certainly = unique(certain);
  const rest = unique([...certainly, ...others]).slice(certainly.length);
  const sampled = plan.samples === undefined ? rest : [...rest].sort(() => random() - 0.5).slice(0, plan.samples);
  return [...certainly, ...sampled];
}

/** A first kill leaves the first of two days without its rows; the second hits what mends it. */
const mending = (table: TableName, second: Omit<KillPoint, 'table'>): readonly KillPoint[] => [
  { statement: 'insert', table, call: 'rename', at: 2 },
  { ...second, table },
];

const mendings = [
  mending('spans', { statement: 'delete', call: 'rename', at: 1 }),
  mending('spans', { statement: 'delete', call: 'mkdir', at: 1 }),
  mending('spans', { statement: 'delete', call: 'write', at: 3 }),
  mending('samples', { statement: 'delete', call: 'rename', at: 1 }),
  mending('spans', { statement: 'insert anew', call: 'rename', at: 1 }),
  mending('logs', { statement: 'insert anew', call: 'rename', at: 2 }),
];

/** Runs the plan; roll-ups are computed now and then in between, so that later segments find them done. */
export async function runKillPlan(
  range: KillRange,
  plan: KillPlan,
  onOutcome: (outcome: SegmentOutcome) => void = () => undefined,
): Promise<KillReport> {
  const calls: Record<string, { aimed: number; hit: number; own: number }> = {};
  const outcomes: SegmentOutcome[] = [];
  const volleys = [...(await planInserts(range, plan)).map((point) => [point]), ...mendings];
  for (const [index, points] of volleys.entries()) {
    if (index % 12 === 11) await range.totals();
    const outcome = await range.send(points);
    outcomes.push(outcome);
    onOutcome(outcome);
    for (const { point, hit } of outcome.kills) {
      const key = point.statement === 'insert' ? point.call : `${point.statement}: ${point.call}`;
      const entry = calls[key] ?? { aimed: 0, hit: 0, own: 0 };
      calls[key] = entry;
      entry.aimed++;
      if (hit !== undefined) entry.hit++;
      if (hit !== undefined && !isMerge(hit)) entry.own++;
    }
  }
  return { outcomes, calls };
}
