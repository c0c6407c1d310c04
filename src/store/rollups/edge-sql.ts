/**
 * Zipkin's dependency linker as SQL: who called whom, trace by trace, without a span leaving the engine. A trace is a row of arrays of
 * packed numbers here. What the linker does only for odd traces (reports of one span in parts, several servers under one id, more than
 * `maxSpansInSql` spans) is not said in SQL: such a trace is named in the answer, and `edges.ts` links it span by span.
 *
 * What a minute's rows mean, and why they add up, is in `docs/decisions/edges-in-sql.md`.
 */
import { bucketOf } from './histogram.ts';
import { contextMinutes, contextS, inContext, inRange } from './minutes.ts';

/** Looking an element up copies its array, which is cheap for eight spans and ruinous for a thousand. */
export const maxSpansInSql = 64;

/** Engine settings that an edge query needs to stay within its memory. */
export const edgeSettings = {
  max_block_size: 8192,
  compile_expressions: 0,
  max_threads: 2,
  max_bytes_before_external_group_by: 300_000_000,
};

/** The linker looks at the lower 64 bits of a trace id only: senders of one trace disagree about the upper half. */
export const traceKey = `reinterpretAsUInt64(substring(trace_id, 9, 8))`;

/** Which of the calls a row counts: those that Zipkin's linker finds, or every span whose parent is there, as Jaeger counts. */
export const edgeRules = { zipkin: 0, jaeger: 1 } as const;

/** Names are numbers while they are carried through arrays; this one stands for a name that the minute's own spans do not have. */
const unknownName = 0xfffff;

/**
 * Names of the range and their numbers: of its lower case in the upper 20 bits, of its own spelling in the lower. Only names of the range
 * itself, for reading those of its context would cost as much again: a trace with any other is an odd one. 1 the names in lower case by
 * number, 2 the names as they are spelled by number, 3 and 4 names beside numbers.
 */
const numberedNames = `
  (SELECT (arrayDistinct(lowerNames), names, arrayConcat([''], names), arrayConcat([toUInt64(0)], arrayMap((low, own) -> low * 0x100000 + own, arrayEnumerateDense(lowerNames), arrayEnumerate(names))))
  FROM (SELECT names, arrayMap(name -> lowerUTF8(name), names) AS lowerNames FROM (SELECT groupArray(${unknownName - 1})(name) AS names FROM (
    SELECT toString(name) AS name FROM (
      SELECT local_service AS name FROM spans WHERE ${inRange('toStartOfMinute(ts)')} GROUP BY name
      UNION ALL SELECT remote_service AS name FROM spans WHERE ${inRange('toStartOfMinute(ts)')} GROUP BY name)
    WHERE name != '' GROUP BY name)))) AS numbered`;

const numberOf = (column: string) =>
  `transform(${column}, numbered.3, numbered.4, toUInt64(${unknownName * 0x100001}))`;

/** Of a span's first number, a: its names (40 bits), its kind without INTERNAL, and flags. */
const nameOf = (a: string) => `bitShiftRight(bitAnd(${a}, 0xfffff00000), 20)`;
const spellingOf = (a: string) => `bitAnd(${a}, 0xfffff)`;
const kindOf = (a: string) => `bitAnd(bitShiftRight(${a}, 40), 7)`;
const isSaidShared = (a: string) => `bitTest(${a}, 43)`;

/** Of its second, b: whom it names as remote, how long it took, its minute within the range, and whether it says when it started. */
const remoteOf = (b: string) => `bitAnd(${b}, 0xfffff)`;
const minuteOf = (b: string) => `bitAnd(bitShiftRight(${b}, 30), 0xff)`;
const hasStart = (b: string) => `bitTest(${b}, 38)`;

const packed = (where: string) => `
  SELECT trace, id, parent, at, cityHash64(bitShiftRight(name, 20), local_ipv4, local_ipv6, local_port) AS endpoint,
    name + bitShiftLeft(toUInt64(kind % 5), 40) + bitShiftLeft(toUInt64(bitAnd(flags, 1)), 43) + bitShiftLeft(toUInt64(has_error_tag), 44) + bitShiftLeft(toUInt64(status = 2), 45) AS a,
    bitShiftRight(remote, 20) + bitShiftLeft(toUInt64(bucket), 20) + bitShiftLeft(toUInt64(at), 30) + bitShiftLeft(toUInt64(NOT bitTest(flags, 2)), 38) AS b
  FROM (
    SELECT ${traceKey} AS trace, id, parent_id AS parent, ${numberOf('local_service')} AS name, ${numberOf('remote_service')} AS remote,
      toUInt8(intDiv(toUnixTimestamp(ts) - {from:UInt32} + ${contextS}, 60)) AS at, ${bucketOf('duration_us')} AS bucket,
      local_ipv4, local_ipv6, local_port, kind, flags, status, has_error_tag
    FROM spans WHERE ${where})`;

/** A range's traces are taken in parts, for the memory that their arrays need. */
const inShard = `${traceKey} % {shards:UInt32} = {shard:UInt32}`;

/** The spans of the range, and what their traces have in the minutes before it. */
const rows = (among: string) => `
  ${packed(`${inRange('toStartOfMinute(ts)')} AND ${inShard} AND ${among}`)}
  UNION ALL
  ${packed(`${inContext('toStartOfMinute(ts)')} AND ${traceKey} IN (SELECT ${traceKey} FROM spans WHERE ${inRange('toStartOfMinute(ts)')} AND ${inShard} AND ${among})`)}`;

const traces = (among: string, distinct: boolean) => `
  SELECT trace, min(at) AS first, max(at) AS last,
    groupArray(id) AS ids, groupArray(parent) AS ps, groupArray(endpoint) AS es, groupArray(a) AS aa, groupArray(b) AS bb
  FROM (SELECT ${distinct ? 'DISTINCT' : ''} trace, id, parent, endpoint, at, a, b FROM (${rows(among)}))
  GROUP BY trace`;

/**
 * One stage after the other: each has the columns of the one before that are named in \`keep\`, and more. No expression names another of
 * its own stage, because the engine's analysis would write it out wherever it stands, and again in what that stands in.
 */
function stages(first: string, steps: readonly { readonly keep: string; readonly add: readonly string[] }[]): string {
  return steps.reduce((from, { keep, add }) => `SELECT ${[keep, ...add].join(', ')} FROM (${from})`, first);
}

/**
 * A minute counts what its spans add to their traces: the links of the trace up to the minute, less those of the trace before it. So the
 * minutes of a trace add up to the links of the whole. A view is 1 its sign, 2 the minute that counts, 3 and 4 the minutes seen.
 */
const viewed = (from: string) => {
  const seen = (array: string, as: string) =>
    `if(first = last, ${array}, arrayFilter((x, y) -> ${minuteOf('y')} >= view.3 AND ${minuteOf('y')} <= view.4, ${array}, bb)) AS ${as}`;
  return stages(from, [
    {
      keep: 'trace, first, last, ids, ps, es, aa, bb',
      add: [
        `if(first = last, [first], arraySort(arrayDistinct(arrayMap(y -> toUInt8(${minuteOf('y')}), bb)))) AS minutes`,
      ],
    },
    {
      keep: 'trace, first, last, ids, ps, es, aa, bb',
      add: [
        `arrayJoin(if(first = last, [(toInt8(1), first, first, last)], arrayFilter(v -> arrayExists(m -> m >= v.3 AND m <= v.4, minutes), arrayConcat(
          arrayMap(m -> (toInt8(1), m, toUInt8(m - least(m, ${contextMinutes})), m), arrayFilter(m -> m >= ${contextMinutes}, minutes)),
          arrayMap(m -> (toInt8(-1), m, toUInt8(m - least(m, ${contextMinutes})), toUInt8(m - 1)), arrayFilter(m -> m >= ${contextMinutes}, minutes)))))) AS view`,
      ],
    },
    {
      keep: 'trace, view.1 AS sign, view.2 AS target',
      add: [seen('ids', 'i'), seen('ps', 'p'), seen('es', 'e'), seen('aa', 'a'), seen('bb', 'b')],
    },
  ]);
};

const isClient = (a: string) => `${kindOf(a)} = 1 AND NOT ${isSaidShared(a)}`;

/**
 * A client and a server that share an id without saying so share it; h says which spans do. Twins are spans of one id; other twins than
 * those two are odd, and those too if the one could be a part of the other. A trace is when its first span without a parent starts, or else
 * its first span; one in which no span says when it starts is none.
 */
const paired = (from: string) =>
  stages(from, [
    {
      keep: 'trace, sign, target, i, p, e, a, b',
      add: [
        'toUInt32(length(i)) AS n',
        `arrayMin(arrayMap((x, y) -> if(x = 0 AND ${hasStart('y')}, ${minuteOf('y')}, 255), p, b)) AS rootAt`,
        `arrayMin(arrayMap(y -> if(${hasStart('y')}, ${minuteOf('y')}, 255), b)) AS firstAt`,
        'arrayUniq(i) AS distinctIds',
        `arrayExists(x -> ${isSaidShared('x')}, a) AS isShared`,
        `arrayExists(x -> ${kindOf('x')} = 0, a) AS hasBare`,
        `arrayFilter((x, y) -> ${isClient('y')}, i, a) AS clients`,
        `arrayFilter((x, y) -> ${kindOf('y')} = 2, i, a) AS servers`,
        `n > ${maxSpansInSql} OR arrayExists((y, z) -> ${nameOf('y')} = ${unknownName} OR ${remoteOf('z')} = ${unknownName}, a, b) AS isStrange`,
      ],
    },
    {
      keep: 'trace, sign, target, i, p, e, a, b, n, hasBare, clients, isStrange, if(rootAt < 255, rootAt, firstAt) AS traceAt, n != distinctIds AS hasTwins',
      add: [
        'n != distinctIds OR isShared AS hasShared',
        'n != distinctIds AND n - distinctIds != length(arrayIntersect(clients, servers)) AS hasOddTwins',
        `if(n != distinctIds, arrayMap((x, y) -> cityHash64(x, if(${isClient('y')}, ${nameOf('y')}, toUInt64(-1))), i, a), []) AS namedClients`,
      ],
    },
    {
      keep: 'trace, sign, target, i, p, e, a, b, n, hasBare, traceAt, hasShared',
      add: [
        `if(hasShared, arrayMap((x, y) -> toUInt8(${isSaidShared('y')} OR (${kindOf('y')} = 2 AND has(clients, x))), i, a), arrayMap(x -> toUInt8(0), i)) AS h`,
        `isStrange OR hasOddTwins OR (hasTwins AND arrayExists((x, y) -> ${kindOf('y')} = 2 AND NOT ${isSaidShared('y')} AND has(clients, x)
          AND (${nameOf('y')} = 0 OR has(namedClients, cityHash64(x, ${nameOf('y')})) OR has(namedClients, cityHash64(x, toUInt64(0)))), i, a)) AS isOdd`,
      ],
    },
    {
      keep: 'isOdd, trace, sign, target, traceAt, hasShared, hasBare, if(isOdd, toUInt32(0), n) AS n',
      add: ['i', 'p', 'e', 'a', 'b', 'h'].map((array) => `if(isOdd, [], ${array}) AS ${array}`),
    },
  ]);

/**
 * Whether spans are each other's ancestors: those never come to an end, however many steps are taken upwards, twice as many each time. None are
 * where every parent comes before its children, as in most traces.
 */
const isInCircle = `arrayExists(x -> x != 0, arrayFold((high, doubling) -> arrayMap(x -> if(x = 0, toUInt32(0), high[x]), high),
  range(6), arrayMap(x -> toUInt32(x), if(arrayExists((x, own) -> x > own, up, place), up, []))))`;

/**
 * Each span's parent: the client half for a shared one; else the shared half on its own endpoint, else the plain id. Equal keys get equal
 * numbers, which are a key's place. Orphans hang off the root, which is the first span without a parent.
 */
const trees = (from: string) =>
  stages(from, [
    {
      keep: 'isOdd, trace, sign, target, traceAt, hasShared, hasBare, n, i, p, e, a, b, h',
      add: [
        'arrayEnumerate(i) AS place',
        'if(hasShared, arrayMap((x, y, z) -> if(z, cityHash64(x, y), x), i, e, h), i) AS keys',
        'if(hasShared, arrayMap((x, y, z) -> if(z, x, y), i, p, h), p) AS above',
        'if(hasShared, arrayMap((x, y) -> cityHash64(x, y), p, e), []) AS half',
        `arrayMap(x -> ${kindOf('x')}, a) AS kinds`,
        'arrayMin(arrayMap((x, y, z) -> if(y = 0 AND NOT z, x, toUInt64(-1)), i, p, h)) AS rootId',
      ],
    },
    {
      keep: 'isOdd, trace, sign, target, traceAt, hasBare, n, i, p, a, b, h, place, kinds, rootId',
      add: [
        'if(rootId = toUInt64(-1), toUInt32(0), toUInt32(indexOf(keys, rootId))) AS root',
        'arraySlice(arrayEnumerateDense(arrayConcat(keys, above)), n + 1) AS plainPlace',
        'arrayResize(if(hasShared, arraySlice(arrayEnumerateDense(arrayConcat(keys, half)), n + 1), []), n, toUInt32(-1)) AS halfPlace',
      ],
    },
    {
      keep: 'isOdd, trace, sign, target, traceAt, hasBare, i, p, a, b, h, place, kinds, rootId, root',
      add: [
        `arrayMap((x, half, parent, z, own) -> multiIf(parent = 0 AND NOT z, 0, half <= n AND NOT z AND half != own, half, x <= n AND x != own, x, 0),
          plainPlace, halfPlace, p, h, place) AS known`,
      ],
    },
    {
      keep: 'isOdd, trace, sign, target, traceAt, hasBare, i, p, a, b, h, place, kinds, rootId, root, known',
      add: ['arrayMap((x, own) -> if(x = 0 AND own != root, root, x), known, place) AS up'],
    },
    {
      keep: 'trace, sign, target, traceAt, hasBare, p, a, b, h, place, kinds, rootId, root, known, up',
      add: [
        `isOdd OR ${isInCircle} AS isOdd`,
        'arrayMap(x -> x > 1, arraySlice(arrayEnumerateUniq(arrayConcat(up, place)), length(place) + 1)) AS hasChildren',
      ],
    },
    // One step towards the nearest ancestor with a kind. Each doubles the reach, so that 31 spans without a kind in a row are passed over.
    ...[1, 2, 3, 4, 5].map(() => ({
      keep: 'isOdd, trace, sign, target, traceAt, hasBare, p, a, b, h, place, kinds, rootId, root, known, hasChildren',
      add: ['if(hasBare, arrayMap(x -> if(x = 0 OR kinds[x] != 0, x, up[x]), up), up) AS up'],
    })),
  ]);

/**
 * What each span says of calls; a link is one number, 0 for none: who called whom (20 bits each), bucket, whether it failed, whether its
 * failure is tagged, and in the highest bit that it is in use the rule. kinds is the kind as the linker takes it: a span without one that
 * knows both names is a client, and a client with children is silent.
 */
const links = (from: string) =>
  stages(from, [
    {
      keep: 'isOdd, trace, sign, target, traceAt, hasBare, p, a, h, place, kinds, rootId, root, known, up, hasChildren',
      add: [
        'arrayMap(x -> a[x], up) AS found',
        `arrayMap(x -> ${nameOf('x')}, a) AS local`,
        `arrayMap(x -> ${remoteOf('x')}, b) AS remote`,
        // The bucket, the error and its tag, as a link has them.
        `arrayMap((x, y) -> bitAnd(bitShiftRight(y, 18), 0xffc) + bitAnd(bitShiftRight(x, 44), 3), a, b) AS outcome`,
      ],
    },
    {
      keep: 'trace, sign, target, traceAt, p, a, h, place, rootId, root, known, up, local, remote, outcome, kinds AS ownKinds',
      add: [
        // More spans without a kind in a row than were passed over.
        `isOdd OR (hasBare AND arrayExists((x, y) -> x != 0 AND ${kindOf('y')} = 0, up, found)) AS isOdd`,
        `if(hasBare, arrayMap(x -> if(${kindOf('x')} = 0, toUInt64(0), x), found), found) AS above`,
        'if(hasBare, arrayMap(x -> a[x], known), found) AS parent',
        'arrayMap((l, r, k, childful) -> multiIf(k = 1 AND childful, 0, k = 0 AND l != 0 AND r != 0, 1, k), local, remote, kinds, hasChildren) AS kinds',
      ],
    },
    {
      keep: 'isOdd, trace, sign, target, traceAt, a, p, h, place, rootId, root, known, up, local, remote, outcome, kinds, above, parent',
      add: [`arrayMap(x -> ${nameOf('x')}, above) AS over`],
    },
    {
      keep: 'isOdd, trace, sign, target, traceAt, a, local, outcome, kinds, parent, known, over',
      add: [
        `arrayMap((k, l, r, o, own) -> multiIf(k = 4, r, k = 3, l, k = 2 AND own = root AND r = 0, 0, o != 0 AND (k = 2 OR l = 0), o, k = 2, r, l), kinds, local, remote, over, place) AS callers`,
        'arrayMap((k, l, r) -> multiIf(k = 0, 0, k IN (2, 4), l, r), kinds, local, remote) AS callees',
        // An error of its client is one of the call, too, but not of a call of the server's half of an id.
        `arrayMap((z, k, o, x, y, half, id) -> if(k IN (1, 2) AND o != 0 AND ${kindOf('z')} = 1 AND if(x = 0, id = rootId AND y = root, NOT half AND x = y), bitAnd(bitShiftRight(z, 44), 3), 0),
          above, kinds, over, known, up, h, p) AS inherited`,
      ],
    },
    {
      keep: 'isOdd, trace, sign, target, traceAt',
      add: [
        `arrayConcat(
          arrayMap((x, y, z, w) -> if(x = 0 OR y = 0, 0, bitShiftLeft(x, 32) + bitShiftLeft(y, 12) + bitOr(z, w)), callers, callees, outcome, inherited),
          arrayMap((k, l, o, z) -> if(k = 1 AND o != 0 AND l != 0 AND l != o, bitShiftLeft(o, 32) + bitShiftLeft(l, 12) + bitAnd(z, 0xffc), 0), kinds, local, over, outcome),
          arrayMap((x, y, k) -> if(k = 0, 0, 0x10000000000000 + bitShiftLeft(${spellingOf('y')}, 32) + bitShiftLeft(${spellingOf('x')}, 12)), a, parent, known)) AS found`,
      ],
    },
  ]);

/** A trace's links under the minute that counts them and the minute of the trace; or the odd trace itself. */
const counted = (from: string) => `
  SELECT what, place, toInt64(sum(sign)) AS n FROM (
    SELECT arrayJoin(arrayConcat(arrayFilter(x -> isOdd, [trace]), arrayFilter(x -> x != 0 AND NOT isOdd, found))) AS what, sign,
      toUInt32(toUInt32(isOdd) * 0x1000000 + if(isOdd, toUInt32(sign = 1), toUInt32(traceAt)) * 0x100 + target) AS place
    FROM (${from}) WHERE isOdd OR traceAt < 255)
  GROUP BY what, place`;

/** Which traces an edge query looks at; all of them unless told. Among the parameters of the query must be those that it names. */
export interface EdgeSqlOptions {
  readonly among?: string;
  /** Takes spans that were sent twice once. Costs half as much again; without it their traces are odd. */
  readonly distinct?: boolean;
}

/**
 * Selects by minute (seconds) what its spans add to the calls of their traces: rule, minute of the trace, caller, callee, requests, errors,
 * taggedErrors, buckets and counts; all counts can be below 0. A row with `odd` other than '' names a trace instead that is linked one by
 * one, as of the minute's end if `traceMinute` is 1 and as of its start, to be subtracted, if it is 0. Parameters: from, to (seconds, whole
 * minutes), shards, shard.
 */
export const edgeSql = ({ among = 'true', distinct = false }: EdgeSqlOptions = {}) => `
  WITH ${numberedNames}
  SELECT minute, traceMinute, rule, caller, callee, odd, toString(sum(n)) AS requests, toString(sumIf(n, failed)) AS errors, toString(sumIf(n, tagged)) AS taggedErrors,
    groupArray(bucket) AS buckets, groupArray(toString(n)) AS counts
  FROM (${stages(counted(links(trees(paired(viewed(traces(among, distinct)))))), [
    {
      keep: 'what, n, place >= 0x1000000 AS isOdd',
      add: [
        `toUInt32({from:UInt32} + 60 * (toInt32(bitAnd(place, 0xff)) - ${contextMinutes})) AS minute`,
        `{from:UInt32} + 60 * (toInt32(bitAnd(bitShiftRight(place, 8), 0xff)) - ${contextMinutes}) AS tracedMinute`,
        'toUInt32(bitAnd(bitShiftRight(what, 32), 0xfffff)) AS callerNumber',
        'toUInt32(bitAnd(bitShiftRight(what, 12), 0xfffff)) AS calleeNumber',
        'bitTest(place, 8) AS isAfter',
        'bitTest(what, 52) AS isJaeger',
      ],
    },
    {
      keep: 'minute, n, toUInt32(if(isOdd, toInt64(isAfter), tracedMinute)) AS traceMinute, NOT isOdd AND isJaeger AS rule',
      add: [
        "multiIf(isOdd, '', isJaeger, numbered.2[callerNumber], numbered.1[callerNumber]) AS caller",
        "multiIf(isOdd, '', isJaeger, numbered.2[calleeNumber], numbered.1[calleeNumber]) AS callee",
        "if(isOdd, toString(what), '') AS odd",
        'toUInt16(bitAnd(bitShiftRight(what, 2), 0x3ff)) AS bucket',
        'NOT isOdd AND bitTest(what, 1) AS failed',
        'NOT isOdd AND bitTest(what, 0) AS tagged',
      ],
    },
  ])})
  WHERE n != 0
  GROUP BY minute, traceMinute, rule, caller, callee, odd`;
