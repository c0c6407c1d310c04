/**
 * Zipkin's dependency linker as SQL: who called whom, trace by trace, without a span leaving the engine. Traces are arrays here, and an
 * array that a lambda captures is copied for each element, so this is for traces of at most `maxSpansInSql` spans; `edge-linker.ts` does
 * the longer ones. What SQL says differently from the linker is listed in `docs/decisions/edges-in-sql.md`.
 */
import { bucketOf } from './histogram.ts';
import { inRange, linkedKind } from './minutes.ts';

/** A captured array of 64 numbers costs 32 KiB a trace; at `edgeSettings.max_block_size` traces a block that stays below 64 MiB. */
export const maxSpansInSql = 64;

/** Engine settings that an edge query needs to stay within its memory. */
export const edgeSettings = {
  max_block_size: 2048,
  compile_expressions: 0,
  max_threads: 2,
  max_bytes_before_external_group_by: 300_000_000,
};

/** The lower-cased name's hash, 0 for no name: numbers are cheaper to carry through arrays than names, which come back at the end. */
const nameHash = (column: string) => `if(${column} = '', 0, cityHash64(lower(${column})))`;

/** The linker looks at the lower 64 bits of a trace id only: senders of one trace disagree about the upper half. */
export const traceKey = `reinterpretAsUInt64(substring(trace_id, 9, 8))`;

/**
 * Each span with the minute that it is looked at for, its own or a neighbour's, where that minute has a span of the trace. A minute sees the
 * same relatives whether it is counted alone or among others, so that an answer does not depend on how the work was cut.
 */
export const spansByTarget = (columns: string, shard = 'true') => `
  SELECT *, arrayJoin([toUInt32(minute - 60), minute, toUInt32(minute + 60)]) AS target
  FROM (
    SELECT ${traceKey} AS trace, toUnixTimestamp(toStartOfMinute(ts)) AS minute, ${columns}
    FROM spans WHERE ${inRange('toStartOfMinute(ts)', 60)} AND ${shard}
  )
  WHERE (trace, target) IN (SELECT ${traceKey}, toUnixTimestamp(toStartOfMinute(ts)) AS at FROM spans
    WHERE ${inRange('toStartOfMinute(ts)')} AND ${shard})`;

/** A range's traces are taken in parts, for the memory that their arrays need. */
const inShard = `${traceKey} % {shards:UInt32} = {shard:UInt32}`;

const windowSpans = spansByTarget(
  `id, parent_id, ${linkedKind}, toUInt8(bitAnd(flags, 1)) AS shared, toUInt8(status != 2) AS fine,
    ${nameHash('local_service')} AS local, ${nameHash('remote_service')} AS remote,
    cityHash64(local, local_ipv4, local_ipv6, local_port) AS endpoint, ${bucketOf('duration_us')} AS bucket`,
  inShard,
);

/** An array moved one to the right: each element's predecessor beside it. */
const previous = (array: string, first: string) => `arrayPushFront(arrayPopBack(${array}), ${first})`;

/** No span: what is above a root, and before the first. */
const nothing = `tuple(toUInt64(0), toUInt8(0), toUInt8(0), toUInt64(0), toUInt8(0), toUInt8(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt16(0), toUInt32(0))`;

/** Spans of a trace in the linker's order, the same span sent twice taken once. Fields: 1 id, 2 shared, 3 not a client, 4 endpoint, 5 kind, 6 fine, 7 parent, 8 local, 9 remote, 10 bucket, 11 minute. */
const traces = `
  SELECT target, arraySort(groupArray((id, shared, toUInt8(kind != 1), endpoint, kind, fine, parent_id, local, remote, bucket, minute))) AS sorted
  FROM (${windowSpans})
  GROUP BY trace, target
  HAVING count() <= ${maxSpansInSql}`;

const deduplicated = `
  SELECT target, arrayFilter((x, p) -> x.1 != p.1 OR x.2 != p.2 OR x.5 != p.5 OR x.4 != p.4, sorted, ${previous('sorted', nothing)}) AS s
  FROM (${traces})`;

/** A client and a server that share an id without saying so share it; a shared half without a parent has its client's. */
const joined = `
  SELECT target, s, arrayEnumerate(s) AS positions,
    arrayMap((x, p) -> toUInt8(x.2 OR (x.1 = p.1 AND p.5 = 1 AND x.5 = 2)), s, ${previous('s', nothing)}) AS isShared,
    arrayMap((x, p, h) -> if(h AND x.7 = 0 AND x.1 = p.1, p.7, x.7), s, ${previous('s', nothing)}, isShared) AS parentIds,
    arrayMap((x, h) -> if(h, cityHash64(x.1, x.4), x.1), s, isShared) AS keys,
    arrayMap(x -> x.5, s) AS kinds
  FROM (${deduplicated})`;

/** Each span's parent: the client half for a shared one; else the shared half on its own endpoint, else the plain id; orphans hang off the root. */
const parents = `
  SELECT target, s, positions, kinds, isShared, parentIds,
    arrayFirstIndex((h, p) -> NOT h AND p = 0, isShared, parentIds) AS root,
    arrayMap((x, h, p) -> multiIf(h, indexOf(keys, x.1), p = 0, 0,
      indexOf(keys, cityHash64(p, x.4)) > 0, indexOf(keys, cityHash64(p, x.4)), indexOf(keys, p)), s, isShared, parentIds) AS known,
    arrayMap((k, i) -> if((k = 0 OR k = i) AND i != root, root, if(k = i, 0, k)), known, positions) AS up0
  FROM (${joined})`;

/**
 * One step towards the nearest ancestor with a kind. Each doubles the reach, so that 31 spans without a kind in a row are passed over.
 * Each is a query of its own, because the engine's analysis would write an alias out wherever it stands.
 */
const climb = (from: string) => `
  SELECT target, s, root, positions, parentIds, kinds, hasChildren, if(has(kinds, 0), arrayMap(u -> if(u = 0 OR kinds[u] != 0, u, up[u]), up), up) AS up
  FROM (${from})`;

const withChildren = `
  SELECT target, s, root, positions, parentIds, kinds, arrayMap(i -> has(up0, i), positions) AS hasChildren, up0 AS up FROM (${parents})`;

const ancestors = `
  SELECT target, s, root, positions, parentIds, hasChildren, arrayMap(u -> if(u > 0 AND kinds[u] != 0, s[u], ${nothing}), up) AS above
  FROM (${climb(climb(climb(climb(climb(withChildren)))))})`;

/** Spans that may tell of a call: those of the minute, without clients that have children, for the server's own name is better. 1 span, 2 its nearest ancestor with a kind, 3 its parent's id, 4 whether it is the root. */
const tellers = `
  SELECT arrayFilter((l, c) -> l.1.11 = target AND NOT (l.1.5 = 1 AND c), arrayZip(s, above, parentIds, arrayMap(i -> i = root, positions)), hasChildren) AS t
  FROM (${ancestors})`;

/** k is the kind as the linker takes it: a span without one that knows both names is a client. */
const withKind = `
  SELECT t.1 AS own, t.2 AS over, t.3 AS parentId, t.4 AS isRoot, arrayMap(x -> if(x.5 = 0 AND x.8 != 0 AND x.9 != 0, 1, x.5), own) AS kind FROM (${tellers})`;

/** The calls they tell of: (minute, caller, callee, failed, bucket); a name that is 0 is none. */
const links = `
  SELECT
    arrayMap((x, a, k, r, p) -> (x.11,
      multiIf(k = 4, x.9, k = 3, x.8, k = 2 AND r AND x.9 = 0, 0, a.8 != 0 AND (k = 2 OR x.8 = 0), a.8, k = 2, x.9, x.8),
      multiIf(k = 0, 0, k IN (2, 4), x.8, x.9),
      toUInt8(x.6 = 0 OR (k IN (1, 2) AND a.8 != 0 AND a.5 = 1 AND p != 0 AND a.1 = p AND a.6 = 0)),
      x.10), own, over, kind, isRoot, parentId) AS called,
    arrayMap((x, a, k) -> (x.11, if(k = 1 AND x.8 != a.8, a.8, 0), x.8, toUInt8(0), x.10), own, over, kind) AS passedThrough
  FROM (${withKind})`;

/** One row a minute, caller, callee (as hashes), error and bucket. Parameters: from, to (seconds, whole minutes), shards, shard. */
const countedLinks = `
  SELECT link.1 AS minute, link.2 AS callerHash, link.3 AS calleeHash, link.5 AS bucket, count() AS n, countIf(link.4 = 1) AS failed
  FROM (SELECT arrayJoin(arrayFilter(l -> l.2 != 0 AND l.3 != 0, arrayConcat(called, passedThrough))) AS link FROM (${links}))
  GROUP BY minute, callerHash, calleeHash, bucket`;

/** The names behind the hashes; a service column's distinct values are few. */
const names = `
  SELECT DISTINCT lower(arrayJoin([local_service, remote_service])) AS name FROM spans WHERE ${inRange('toStartOfMinute(ts)', 60)}`;

/**
 * Selects minute (seconds), caller, callee, requests, errors, buckets, counts of the spans in [from, to). A span's own minute decides
 * where its call is counted; its relatives are looked for one minute to either side.
 */
export const edgeSql = `
  SELECT minute, caller, callee, sum(n) AS requests, sum(failed) AS errors,
    groupArray(bucket) AS buckets, groupArray(n) AS counts
  FROM (${countedLinks}) AS l
  INNER JOIN (SELECT name AS caller, cityHash64(name) AS hash FROM (${names})) AS a ON a.hash = l.callerHash
  INNER JOIN (SELECT name AS callee, cityHash64(name) AS hash FROM (${names})) AS b ON b.hash = l.calleeHash
  GROUP BY minute, caller, callee`;
