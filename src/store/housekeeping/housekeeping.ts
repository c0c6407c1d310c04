/**
 * Keeps the tables in order: retention, and the roll-ups of spans. One process does it for a store: the agent whose own process the store
 * is, a `trawl store` that listens for itself, and of several agents on one ClickHouse server an elected one (docs/decisions/housekeeping.md).
 */

import type { Logger } from 'pino';
import type { Signal } from '../../model/batch.ts';
import { within } from '../../model/deadline.ts';
import type { StoreClient } from '../client.ts';
import { type Horizons, horizonsOf, looserOf, oldestOf, stricterOf } from '../retention/horizon.ts';
import { type Drop, protectedMs, type RetentionLimits } from '../retention/plan.ts';
import { createRetention } from '../retention/retention.ts';
import { createRollupRunner, type RunnerClock } from '../rollups/runner.ts';
import type { HorizonMemory } from './horizon-memory.ts';
import { type Claim, holderOf, prepareClaims, readClaims, storeItself, writeClaim } from './lease.ts';

export interface HousekeepingOptions {
  readonly client: StoreClient;
  readonly clock: RunnerClock;
  readonly log: Logger;
  /** What is kept where this process is the one that counts. */
  readonly limits: RetentionLimits;
  /** `alone`: nobody else can reach the store. `store`: the store process itself. `elected`: an agent among others, with its writer's number. */
  readonly as:
    | { readonly kind: 'alone' }
    | { readonly kind: 'store' }
    | { readonly kind: 'elected'; readonly writer: number };
  /** Where an elected agent remembers what the store keeps, for its next start. */
  readonly memory?: HorizonMemory;
  /** How long a claim holds that is not renewed, and how often it is looked at: a holder that is gone has a successor after both. 45 s and 15 s unless told. */
  readonly leaseMs?: number;
  readonly checkEveryMs?: number;
  /** Told of everything that was dropped, for metrics. */
  readonly dropped?: (drop: Drop) => void;
  /** Told how long each pass of the roll-ups took. */
  readonly rolledUp?: (tookMs: number) => void;
  /** Told of whatever failed; all of it is tried again. */
  readonly failed?: (why: string) => void;
}

export interface Housekeeping {
  /** Resolves once it was tried to find out who keeps the store; never rejects. */
  start(): Promise<void>;
  /** Ends what runs, and lets the next one take over at once. */
  stop(): Promise<void>;
  /** Rows older than this must not be taken, by the limits of whoever keeps the store; undefined for any age. */
  oldestAllowedMs(signal: Signal): number | undefined;
  /** Rows older than this may not be kept, which cannot be known before the store was asked; undefined once it was. */
  unsureBeforeMs(signal: Signal): number | undefined;
  /** Who keeps the store in order, for a person. */
  describe(): string;
}

const roundDeadlineMs = 30_000;
const releaseDeadlineMs = 5_000;

/** What runs while this process is the one: a retention and the roll-ups. */
interface Term {
  horizons(): Horizons;
  end(): Promise<void>;
}

/** Makes it; `start` begins, or begins to stand for election. */
export function createHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { clock, limits, as } = options;
  const stopping = new AbortController();
  const configured = horizonsOf((signal) => ({ ageMs: limits.ageMs[signal], cutMs: 0 }));
  let term: Term | undefined;
  let loop: Promise<void> | undefined;
  const election = as.kind === 'alone' ? undefined : createElection(options, { begin, end, horizons: own });
  const last = options.memory?.last;
  // What neither the last keeper nor this agent would keep is refused for good meanwhile: garbage must not hold up what comes with it.
  const looser = last === undefined ? configured : horizonsOf((signal) => looserOf(last[signal], configured[signal]));
  const floor = last ?? horizonsOf(() => ({ ageMs: protectedMs, cutMs: 0 }));
  const stricter = horizonsOf((signal) => stricterOf(floor[signal], configured[signal]));

  function own(): Horizons {
    return term?.horizons() ?? configured;
  }
  const isUnsure = () => as.kind === 'elected' && election?.hasLooked() === false;
  function horizons(): Horizons {
    return isUnsure() ? looser : (term?.horizons() ?? election?.foundHorizons() ?? configured);
  }
  function begin(since: TermStart): void {
    term ??= beginTerm(options, since);
  }
  async function end(): Promise<void> {
    const ending = term;
    term = undefined;
    await ending?.end();
  }

  return {
    start() {
      return new Promise((tried) => {
        if (loop !== undefined || election === undefined) tried();
        if (election === undefined) begin({ offsetMs: () => 0, firstSweepAfterMs: 0 });
        else loop ??= election.run(stopping.signal, tried);
      });
    },
    async stop() {
      stopping.abort();
      await loop;
      await end();
      await election?.release();
    },
    // What is dropped is dropped by the store's clock.
    oldestAllowedMs: (signal) => oldestOf(horizons()[signal], clock.nowMs() + (election?.offsetMs() ?? 0)),
    unsureBeforeMs: (signal) => (isUnsure() ? oldestOf(stricter[signal], clock.nowMs()) : undefined),
    describe: () => election?.describe() ?? 'it is kept in order here',
  };
}

interface TermStart {
  /** The store's clock less this machine's. */
  offsetMs(): number;
  /** Until then nothing is dropped: all who write to the store learn meanwhile whose retention counts. */
  readonly firstSweepAfterMs: number;
}

function beginTerm(options: HousekeepingOptions, { offsetMs, firstSweepAfterMs }: TermStart): Term {
  const { client, log, limits, dropped, rolledUp, failed } = options;
  // Whoever holds the store goes by the store's clock: minutes and days must not depend on which agent that is.
  const clock: RunnerClock = { ...options.clock, nowMs: () => options.clock.nowMs() + offsetMs() };
  const retention = createRetention({
    client,
    clock,
    log,
    limits,
    firstAfterMs: firstSweepAfterMs,
    ...(dropped === undefined ? {} : { dropped }),
    failed: (error) => failed?.(`retention: ${error.message}`),
  });
  const rollups = createRollupRunner({
    client,
    clock,
    log,
    passed: (_result, tookMs) => rolledUp?.(tookMs),
    failed: (error) => failed?.(`roll-ups: ${error.message}`),
  });
  retention.start();
  rollups.start();
  return {
    horizons: retention.horizons,
    async end() {
      await Promise.all([retention.stop(), rollups.stop()]);
    },
  };
}

/** What an election may do to the one who stands for it. */
interface Candidate {
  begin(since: TermStart): void;
  end(): Promise<void>;
  /** What it keeps, or would keep. */
  horizons(): Horizons;
}

function createElection({ client, clock, log, as, failed, ...options }: HousekeepingOptions, candidate: Candidate) {
  const { leaseMs = 45_000, checkEveryMs = 15_000, limits, memory } = options;
  const self = as.kind === 'elected' ? as.writer : storeItself;
  let isPrepared = false;
  let found: Claim | undefined;
  /** Whether a row of this candidate's may be there. */
  let hasClaimed = false;
  /** The store's clock less this machine's. */
  let offsetMs = 0;

  const claim = async (previous: Claim | undefined, sinceMs: number | 'now', signal: AbortSignal) => {
    hasClaimed = true;
    await writeClaim(client, { holder: self, previous, sinceMs, leaseMs, horizons: candidate.horizons(), signal });
  };

  const look = async (signal: AbortSignal) => {
    const claims = await readClaims(client, signal);
    offsetMs = as.kind === 'store' ? 0 : claims.nowMs - clock.nowMs();
    return { holder: holderOf(claims), own: claims.all.find(({ holder }) => holder === self) };
  };

  const follow = (holder: Claim | undefined) => {
    if (holder?.holder !== found?.holder) {
      const who = nameOf(holder, self);
      log.info({ holder: holder?.holder }, `The store is kept in order by ${who}, whose retention counts.`);
      if (holder !== undefined && holder.holder !== self && differs(holder.horizons, limits))
        log.warn({ keeps: holder.horizons }, `store.retention has no effect here: ${who} keeps for another time.`);
    }
    found = holder;
  };

  /** One look at the claims; those who may stand do, and whoever holds renews. */
  const round = async (signal: AbortSignal): Promise<void> => {
    // On a full disk nothing can be claimed, and nobody but the store makes room.
    if (as.kind === 'store') candidate.begin({ offsetMs: () => 0, firstSweepAfterMs: 0 });
    if (!isPrepared) await prepareClaims(client, signal);
    isPrepared = true;
    let { holder, own } = await look(signal);
    if (as.kind === 'store') await claim(own, 0, signal);
    else if (holder === undefined) await claim(own, 'now', signal);
    else if (own !== undefined && holder.holder === self) await claim(own, own.sinceMs, signal);
    if (as.kind === 'store' || holder === undefined) ({ holder, own } = await look(signal));
    follow(holder);
    if (holder?.horizons !== undefined) await memory?.keep(holder.horizons);
    if (holder?.holder === self)
      candidate.begin({ offsetMs: () => offsetMs, firstSweepAfterMs: leaseMs + checkEveryMs });
    else await candidate.end();
  };

  return {
    async run(signal: AbortSignal, tried: () => void): Promise<void> {
      while (!signal.aborted) {
        try {
          await within(signal, roundDeadlineMs, round);
        } catch (error) {
          if (signal.aborted) break;
          const why = error instanceof Error ? error.message : String(error);
          log.warn(
            { err: error },
            'who keeps the store in order cannot be found out now; it is asked again in a moment',
          );
          failed?.(`housekeeping: ${why}`);
        }
        tried();
        await clock.sleep(checkEveryMs, signal).catch(ignoreAbort);
      }
      tried();
    },
    /** Lets the claim run out now. The store's own stays: without it nobody reaches the tables, and its retention goes on to count. */
    async release(): Promise<void> {
      if (as.kind === 'store' || !hasClaimed) return;
      const signal = AbortSignal.timeout(releaseDeadlineMs);
      try {
        const { own } = await look(signal);
        const horizons = candidate.horizons();
        await writeClaim(client, {
          holder: self,
          previous: own,
          sinceMs: own?.sinceMs ?? 'now',
          leaseMs: 0,
          horizons,
          signal,
        });
      } catch (error) {
        log.info({ err: error }, 'The claim on the store was not given back; it runs out by itself.');
      }
    },
    offsetMs: () => offsetMs,
    hasLooked: () => found !== undefined,
    foundHorizons: () => (found?.holder === self ? undefined : found?.horizons),
    describe: () => `it is kept in order by ${nameOf(found, self)}`,
  };
}

function nameOf(holder: Claim | undefined, self: number): string {
  if (holder === undefined) return 'nobody yet';
  if (holder.holder === storeItself) return 'the store itself';
  return holder.holder === self ? 'this agent' : `the agent with number ${holder.holder}`;
}

function differs(horizons: Horizons | undefined, { ageMs }: RetentionLimits): boolean {
  const mine = horizonsOf((signal) => ({ ageMs: ageMs[signal], cutMs: 0 }));
  return (
    horizons !== undefined &&
    (['spans', 'samples', 'logs'] as const).some((signal) => horizons[signal].ageMs !== mine[signal].ageMs)
  );
}

/** The loop's condition sees the abort that ended the sleep. */
function ignoreAbort(): void {}
