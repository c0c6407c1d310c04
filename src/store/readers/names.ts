/** The names that viewers offer to choose from: of services, of what they do and of whom they call. The projection `names` of `spans` answers all but values of tags. */
import { type SpanKind, spanKinds } from '../../model/span.ts';
import type { StoreClient, StoreQuery } from '../client.ts';
import { defaultReadLimits, limitSettings, ResultLimitError } from './limits.ts';
import type { RowBinary } from './row-binary.ts';
import { readRows } from './row-list.ts';
import type { ReadOptions } from './spans.ts';

/** What a span says that its service did. */
export interface Operation {
  readonly name: string;
  readonly kind: SpanKind | undefined;
}

const maxNames = 100_000;

/** The names that spans gave their local endpoints, as they were spelled, in no order. */
export async function serviceNames(client: StoreClient, options: ReadOptions): Promise<string[]> {
  const names = await serviceNamesAndNone(client, options);
  return names.filter(isNamed);
}

/** The same, with '' among them where spans name no service. */
export function serviceNamesAndNone(client: StoreClient, options: ReadOptions): Promise<string[]> {
  const sql = 'SELECT DISTINCT local_service FROM spans';
  return readNames(client, { sql, what: 'names of services', read: readName, isProjected: true, options });
}

/** Names and kinds of the spans of a service, whatever the case of its name; spans without a name are left out. */
export async function operationsOf(client: StoreClient, service: string, options: ReadOptions): Promise<Operation[]> {
  const sql = `SELECT DISTINCT name, kind FROM spans WHERE ${isService}`;
  const operations = await readOperations(client, { sql, service, options });
  return operations.filter(({ name }) => isNamed(name));
}

/** Names and kinds of the spans of a service of exactly this name; '' among them where spans have no name. */
export function operationsAsSpelled(client: StoreClient, service: string, options: ReadOptions): Promise<Operation[]> {
  const sql = 'SELECT DISTINCT name, kind FROM spans WHERE local_service = {service:String}';
  return readOperations(client, { sql, service, options });
}

/** The names that a service's spans gave their remote endpoints, as they were spelled. */
export async function remoteServiceNames(
  client: StoreClient,
  service: string,
  options: ReadOptions,
): Promise<string[]> {
  const sql = `SELECT DISTINCT remote_service FROM spans WHERE ${isService}`;
  const what = `remote services of ${service}`;
  const parameters = { service };
  const names = await readNames(client, { sql, parameters, what, read: readName, isProjected: true, options });
  return names.filter(isNamed);
}

/** A tag's values of the last day, among OpenTelemetry spans also those that their resources have. */
export function tagValues(client: StoreClient, key: string, options: ReadOptions): Promise<string[]> {
  const sql = `SELECT DISTINCT arrayJoin([tags[{key:String}], if(details = '', '', resource[{key:String}])]) AS value
FROM spans WHERE toStartOfMinute(ts) >= toStartOfMinute(now64(6) - INTERVAL 1 DAY) AND value != ''`;
  return readNames(client, {
    sql,
    parameters: { key },
    what: `values of the tag ${key}`,
    read: readName,
    isProjected: false,
    options,
  });
}

const readName = (row: RowBinary): string => row.string();
/** Left out here, because to leave them out costs the engine more than to give them. */
const isNamed = (name: string): boolean => name !== '';
const isService = 'lowerUTF8(local_service) = lowerUTF8({service:String})';

function readOperations(
  client: StoreClient,
  { sql, service, options }: { readonly sql: string; readonly service: string; readonly options: ReadOptions },
): Promise<Operation[]> {
  const read = (row: RowBinary): Operation => ({ name: row.string(), kind: spanKinds[row.u8() - 1] });
  const what = `operations of ${service}`;
  return readNames(client, { sql, parameters: { service }, what, read, isProjected: true, options });
}

/** Otherwise the engine compares what each projection would cost. */
const byNames = { preferred_optimize_projection_name: 'names' };

async function readNames<Name>(
  client: StoreClient,
  query: Pick<StoreQuery, 'sql' | 'parameters'> & {
    readonly what: string;
    readonly read: (row: RowBinary) => Name;
    /** Whether the projection `names` answers it. */
    readonly isProjected: boolean;
    readonly options: ReadOptions;
  },
): Promise<Name[]> {
  const { what, read, isProjected, options } = query;
  const limits = options.limits ?? defaultReadLimits;
  const bytes = await client.bytes({
    sql: `${query.sql} LIMIT ${maxNames + 1}`,
    ...(query.parameters === undefined ? {} : { parameters: query.parameters }),
    format: 'RowBinary',
    signal: options.signal,
    timeoutMs: limits.timeoutMs,
    settings: isProjected ? { ...limitSettings(limits), ...byNames } : limitSettings(limits),
  });
  const names = await readRows(bytes, read, options.signal);
  if (names.length > maxNames) throw new ResultLimitError('names', `there are more than ${maxNames} ${what}`);
  return names;
}
