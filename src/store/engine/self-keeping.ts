/** A store that several agents share keeps its tables in order itself, by its own retention: it is there as long as they are. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { within } from '../../model/deadline.ts';
import { createHousekeeping } from '../housekeeping/housekeeping.ts';
import { createStoreClient } from '../http-client.ts';
import type { RetentionLimits } from '../retention/plan.ts';
import type { RunnerClock } from '../rollups/runner.ts';
import { migrate } from '../schema/migrate.ts';
import { createStoreServer, listenAt } from './listen.ts';
import type { QueryRunner } from './query-runner.ts';

export interface SelfKeepingOptions {
  readonly runner: QueryRunner;
  /** Where it asks itself; nobody else may open this socket. */
  readonly socketPath: string;
  readonly limits: RetentionLimits;
  readonly log: Logger;
  readonly onError: (error: unknown) => void;
}

export interface SelfKeeping {
  stop(): Promise<void>;
}

const migrationTimeoutMs = 60_000;
const migrateAgainMs = 60_000;

const clock: RunnerClock = {
  nowMs: Date.now,
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => sleep(delayMs, undefined, { signal }),
};

/** Resolves once the tables are there and everybody can see who keeps them in order, or once that has been tried: a full disk or a newer schema must not close the store. */
export async function keepItselfInOrder(options: SelfKeepingOptions): Promise<SelfKeeping> {
  const { runner, socketPath, limits, log, onError } = options;
  const server = createStoreServer({ runner, authorization: undefined, onError });
  await listenAt(server, { kind: 'socket', path: socketPath });
  const client = createStoreClient({ socketPath });
  const housekeeping = createHousekeeping({ client, clock, log, limits, as: { kind: 'store' } });
  const stopping = new AbortController();

  const prepare = async (): Promise<boolean> => {
    try {
      await within(stopping.signal, migrationTimeoutMs, (signal) => migrate(client, { signal }));
      await housekeeping.start();
      return true;
    } catch (error) {
      log.error({ err: error }, 'The store cannot keep its tables in order; it is tried again in a minute.');
      return false;
    }
  };
  const prepareAgain = async (): Promise<void> => {
    do await clock.sleep(migrateAgainMs, stopping.signal).catch(() => undefined);
    while (!stopping.signal.aborted && !(await prepare()));
  };

  const preparing = (await prepare()) ? Promise.resolve() : prepareAgain();
  return {
    async stop() {
      stopping.abort();
      await preparing;
      await housekeeping.stop();
      await client.close();
      server.http.close();
      server.http.closeAllConnections();
    },
  };
}
