/** The memory limiter on this process, with its metric and its line in the status. */
import type { Logger } from 'pino';
import { Gauge } from 'prom-client';
import type { MainConfig } from '../../config/main-config.ts';
import type { Clock } from '../../pipeline/component.ts';
import { createHeapSlack } from '../../pipeline/heap-slack.ts';
import {
  createCollect,
  createMemoryLimiter,
  type MemoryLimiter,
  type MemoryReading,
  readProcessMemory,
  residentLimitBytes,
} from '../../pipeline/memory-limiter.ts';
import type { Meter } from '../../pipeline/meter.ts';
import type { ComponentHealth } from '../../server/operating.ts';

export interface MemoryWatchOptions {
  readonly config: MainConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** This process's memory unless told. */
  readonly read?: () => readonly MemoryReading[];
}

export interface MemoryWatch extends Pick<MemoryLimiter, 'guardRoute' | 'guardAccept'> {
  /** A line while memory is short, none otherwise. */
  health(): readonly ComponentHealth[];
  stop(): Promise<void>;
}

const levels = { none: 0, soft: 1, hard: 2 } as const;

/** Starts to watch the memory of this process. */
export function startMemoryWatch({ config, clock, log, meter, read }: MemoryWatchOptions): MemoryWatch {
  const { url, memory_limit } = config.store;
  const limitBytes = residentLimitBytes(process.constrainedMemory() ?? 0, url === '' ? memory_limit : 0);
  const gauge = new Gauge({
    name: 'trawl_memory_pressure',
    help: 'How short memory is: 0 not, 1 pushes are refused with 429, 2 nothing is taken in.',
    registers: [meter.registry],
  });
  const keepSlack = createHeapSlack(limitBytes);
  const readProcess = () => {
    const readings = readProcessMemory(limitBytes);
    for (const { name, usedBytes } of readings) if (name === 'heap') keepSlack(usedBytes);
    return readings;
  };
  const limiter = createMemoryLimiter({
    clock,
    read: read ?? readProcess,
    collect: createCollect(),
    changed(pressure, why) {
      gauge.set(levels[pressure]);
      if (why === undefined) log.info('There is memory again; everything is taken in.');
      else log.warn({ pressure }, why);
    },
  });
  const stopping = new AbortController();
  const running = limiter.run(stopping.signal);
  return {
    guardRoute: limiter.guardRoute,
    guardAccept: limiter.guardAccept,
    health() {
      const why = limiter.why();
      return why === undefined ? [] : [{ component: 'memory', health: { isHealthy: false, line: why } }];
    },
    async stop() {
      stopping.abort(new Error('the agent is stopping'));
      await running;
    },
  };
}
