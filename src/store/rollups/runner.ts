/** Runs the roll-up pass again and again beside everything else, and never takes more than a share of the store's time. */

import type { Logger } from 'pino';
import { within } from '../../model/deadline.ts';
import type { StoreClient } from '../client.ts';
import { cleanRollups, repairRollups } from './clean.ts';
import { type RollupPassResult, runRollupPass } from './pass.ts';

/** Time as the agent hands it in. */
export interface RunnerClock {
  nowMs(): number;
  monotonicMs(): number;
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

export interface RollupRunnerOptions {
  readonly client: StoreClient;
  readonly clock: RunnerClock;
  readonly log: Logger;
  /** Between two passes, at least; 5 s unless told. */
  readonly intervalMs?: number;
  /** Told of each pass that did something, for metrics. */
  readonly passed?: (result: RollupPassResult, tookMs: number) => void;
  /** Told of each pass that failed; it is repeated after the interval. */
  readonly failed?: (error: Error) => void;
}

export interface RollupRunner {
  start(): void;
  /** Ends the pass that runs, which costs nothing but its work. May be called twice. */
  stop(): Promise<void>;
}

/** After a pass it rests for this many times as long, so that catching up leaves the store to the others. */
const restFactor = 4;

const passDeadlineMs = 120_000;
const cleanEveryMs = 600_000;

/** Most passes look at the last hours only; a minute older than that is done again at the earliest twelve minutes later anyway. */
const nearHorizonMs = 2 * 3_600_000;
const passesPerFullLook = 12;

/** Makes a runner; `start` begins with the first pass. */
export function createRollupRunner(options: RollupRunnerOptions): RollupRunner {
  const { client, clock, log, intervalMs = 5_000, passed, failed } = options;
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  let isRepaired = false;
  let passes = 0;
  let cleanedAtMs = clock.monotonicMs();

  const tick = async (signal: AbortSignal) => {
    if (!isRepaired) {
      const broken = await repairRollups(client, { nowMs: clock.nowMs(), signal });
      if (broken > 0) log.warn({ minutes: broken }, 'roll-ups were cut short by a crash and are made again');
      isRepaired = true;
    }
    const startMs = clock.monotonicMs();
    const horizon = passes++ % passesPerFullLook === 0 ? {} : { horizonMs: nearHorizonMs };
    const result = await runRollupPass(client, { nowMs: clock.nowMs(), signal, ...horizon });
    if (result.minutes > 0) passed?.(result, clock.monotonicMs() - startMs);
    if (clock.monotonicMs() - cleanedAtMs >= cleanEveryMs) {
      await cleanRollups(client, { nowMs: clock.nowMs(), signal });
      cleanedAtMs = clock.monotonicMs();
    }
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      const startMs = clock.monotonicMs();
      try {
        await within(stopping.signal, passDeadlineMs, tick);
      } catch (error) {
        if (stopping.signal.aborted) return;
        const cause = error instanceof Error ? error : new Error(String(error));
        log.warn({ err: cause }, 'a roll-up pass failed and is tried again; queries count from the spans until then');
        failed?.(cause);
      }
      const restMs = Math.max(intervalMs, restFactor * (clock.monotonicMs() - startMs));
      await clock.sleep(Math.min(restMs, 60_000), stopping.signal).catch(ignoreAbort);
    }
  };

  return {
    start() {
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

/** The loop's condition sees the abort that ended the sleep. */
function ignoreAbort(): void {}
