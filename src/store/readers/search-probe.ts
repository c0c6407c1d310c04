/**
 * Whether a search can find anything at all, asked of the indexes and of the table of names: before a search reads far back in vain, a query
 * of some milliseconds says that nobody has such a tag, such a name or so long a duration.
 */
import type { StoreClient } from '../client.ts';
import { limitSettings, type ReadLimits } from './limits.ts';
import { readRowBinary } from './row-binary.ts';
import {
  allOf,
  type Bind,
  conditionSql,
  createBinder,
  type SpanCondition,
  type SpanPredicate,
} from './span-condition.ts';

export interface ProbeOptions {
  /** The whole window of the search in SQL, to be bound by the given function. */
  readonly timeSql: (bind: Bind) => string;
  readonly limits: ReadLimits;
  readonly signal: AbortSignal;
}

/** So many are asked at most; each is a query within the query. */
const maxProbes = 8;

/** Whether each of the predicates may be met by some span; false only where one surely is by none. */
export async function mayBeMet(
  client: StoreClient,
  predicates: readonly SpanPredicate[],
  { timeSql, limits, signal }: ProbeOptions,
): Promise<boolean> {
  const { bind, parameters } = createBinder();
  const time = timeSql(bind);
  const sources = predicates.flatMap((predicate) => [namesSql(predicate, bind), indexedSql(predicate, { time, bind })]);
  const distinct = [...new Set(sources)].filter((sql) => sql !== undefined).slice(0, maxProbes);
  if (distinct.length === 0) return true;
  const bytes = await client.bytes({
    sql: distinct.map((sql, i) => `SELECT toUInt8(${i}) FROM (${sql} LIMIT 1)`).join('\nUNION ALL '),
    parameters,
    format: 'RowBinary',
    signal,
    timeoutMs: limits.timeoutMs,
    settings: limitSettings(limits),
  });
  const row = readRowBinary(bytes);
  const met = new Set<number>();
  while (!row.isAtEnd()) met.add(row.u8());
  return met.size === distinct.length;
}

/** What a predicate asks of names, as a query of the projection `names`, which knows them of all times. */
function namesSql(predicate: SpanPredicate, bind: Bind): string | undefined {
  const conditions = predicate.filter(isOfNames);
  if (conditions.length === 0) return undefined;
  // DISTINCT and not GROUP BY: what the engine answers from the projection either way, it plans in a third less of its time.
  return `SELECT DISTINCT local_service, name, kind, remote_service FROM spans WHERE ${toSql(conditions, bind)}`;
}

/** What a predicate asks that an index answers. */
function indexedSql(
  predicate: SpanPredicate,
  { time, bind }: { readonly time: string; readonly bind: Bind },
): string | undefined {
  const conditions = predicate.filter(isIndexed);
  if (conditions.length === 0) return undefined;
  return `SELECT 1 FROM spans WHERE ${time} AND ${toSql(conditions, bind)}`;
}

const toSql = (conditions: readonly SpanCondition[], bind: Bind): string =>
  allOf(conditions.map((condition) => conditionSql(condition, bind)));

function isOfNames(condition: SpanCondition): boolean {
  switch (condition.kind) {
    case 'localService':
    case 'remoteService':
    case 'name':
    case 'spanKind':
      return true;
    case 'any':
    case 'all':
      return condition.of.every(isOfNames);
    case 'not':
      return isOfNames(condition.of);
    default:
      return false;
  }
}

function isIndexed(condition: SpanCondition): boolean {
  switch (condition.kind) {
    case 'attribute':
      return condition.value !== undefined;
    case 'duration':
      return true;
    case 'any':
      return condition.of.every(isIndexed);
    case 'all':
      return condition.of.some(isIndexed);
    default:
      return false;
  }
}
