/**
 * Who keeps a store in order that several agents write to: a row a candidate, by the store's own clock. Of the rows that have not run out the
 * one that has been there longest counts, so that whoever reads the same rows comes to the same answer; nothing has to be written at once
 * or not at all, which ClickHouse could not do. Two holders for a moment cost double work and nothing else.
 */
import type { StoreClient } from '../client.ts';
import { type Horizons, parseHorizons } from '../retention/horizon.ts';

/** The number of the store process itself, which no agent draws; its claim never runs out and goes before everybody's. */
export const storeItself = 0;

/** One candidate's row. */
export interface Claim {
  readonly holder: number;
  /** When it began to be there without a gap; ms since 1970 by the store's clock, as all times here. 0 for the store itself. */
  readonly sinceMs: number;
  readonly renewedMs: number;
  readonly untilMs: number;
  /** Rises with each renewal: the clock may be set back. */
  readonly version: number;
  readonly horizons: Horizons | undefined;
}

export interface Claims {
  readonly nowMs: number;
  readonly all: readonly Claim[];
}

/** Further ahead than this a row was written by a clock that has been set back since. */
const maxAheadMs = 60_000;

/** Whose row counts; undefined when nobody's does. */
export function holderOf({ nowMs, all }: Claims): Claim | undefined {
  const isAlive = ({ sinceMs, renewedMs, untilMs }: Claim) =>
    sinceMs === 0 || (untilMs > nowMs && renewedMs <= nowMs + maxAheadMs);
  return all.filter(isAlive).sort((a, b) => a.sinceMs - b.sinceMs || a.holder - b.holder)[0];
}

/** Makes the table of claims where it is missing. It is no part of the schema: it holds nothing that would have to be kept. */
export async function prepareClaims(client: StoreClient, signal: AbortSignal): Promise<void> {
  await client.command({
    sql: `CREATE TABLE IF NOT EXISTS housekeeping (
  holder UInt32,
  since DateTime64(3, 'UTC'),
  renewed DateTime64(3, 'UTC'),
  until DateTime64(3, 'UTC'),
  version UInt64,
  horizons String
) ENGINE = ReplacingMergeTree(version)
ORDER BY holder
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
    signal,
  });
}

/** Reads every candidate's row, and the store's clock. */
export async function readClaims(client: StoreClient, signal: AbortSignal): Promise<Claims> {
  const rows = await client.rows<
    Record<'now' | 'since' | 'renewed' | 'until' | 'newest' | 'horizons', string> & { holder: number }
  >({
    // Also without a row there is an answer: the clock's.
    sql: `SELECT toUnixTimestamp64Milli(now64(3)) AS now, c.* FROM (SELECT 1 AS there) AS one LEFT JOIN (
      SELECT holder, 1 AS there, max(version) AS newest, argMax(toUnixTimestamp64Milli(since), version) AS since,
        argMax(toUnixTimestamp64Milli(renewed), version) AS renewed, argMax(toUnixTimestamp64Milli(until), version) AS until,
        argMax(horizons, version) AS horizons
      FROM housekeeping GROUP BY holder) AS c ON c.there = one.there`,
    signal,
  });
  const all = rows
    .filter(({ newest }) => newest !== '0')
    .map((row) => ({
      holder: row.holder,
      sinceMs: Number(row.since),
      renewedMs: Number(row.renewed),
      untilMs: Number(row.until),
      version: Number(row.newest),
      horizons: parseHorizons(row.horizons),
    }));
  return { nowMs: Number(rows[0]?.now), all };
}

export interface NewClaim {
  readonly holder: number;
  /** What is there of this holder already. */
  readonly previous: Claim | undefined;
  /** 'now' to begin, otherwise since when; 0 for the store itself. */
  readonly sinceMs: number | 'now';
  /** 0 to give it back. */
  readonly leaseMs: number;
  readonly horizons: Horizons;
  readonly signal: AbortSignal;
}

/** Writes a candidate's row. */
export async function writeClaim(client: StoreClient, claim: NewClaim): Promise<void> {
  await client.command({
    sql: `INSERT INTO housekeeping (holder, since, renewed, until, version, horizons)
      SELECT {holder:UInt32}, if({sinceMs:Int64} < 0, now64(3), fromUnixTimestamp64Milli({sinceMs:Int64})), now64(3),
        now64(3) + toIntervalMillisecond({leaseMs:UInt32}), {version:UInt64}, {horizons:String}`,
    parameters: {
      holder: claim.holder,
      sinceMs: claim.sinceMs === 'now' ? -1 : claim.sinceMs,
      leaseMs: claim.leaseMs,
      // One that gives back goes above a renewal that was broken off: the store may carry that out later.
      version: (claim.previous?.version ?? 0) + (claim.leaseMs === 0 ? 2 : 1),
      horizons: JSON.stringify(claim.horizons),
    },
    signal: claim.signal,
  });
}
