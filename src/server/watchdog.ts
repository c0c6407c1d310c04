/** Watches how late the event loop runs: a histogram always, a log line when it stood still. */

import type { Logger } from 'pino';
import { Histogram, type Registry } from 'prom-client';

const intervalMs = 100;

export interface WatchdogOptions {
  readonly registry: Registry;
  readonly log: Logger;
  /** A stall this long is logged. */
  readonly stallMs: number;
  /** What was under way, in a few words, for the log line. */
  describe(): readonly string[];
}

/** Starts watching; the function that comes back stops it. */
export function startWatchdog({ registry, log, stallMs, describe }: WatchdogOptions): () => void {
  const delays = new Histogram({
    name: 'trawl_event_loop_delay_seconds',
    help: 'How late a timer of the event loop ran.',
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
    registers: [registry],
  });
  let lastMs = performance.now();
  let lastCpu = process.cpuUsage();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const lateMs = Math.max(0, nowMs - lastMs - intervalMs);
    const cpu = process.cpuUsage(lastCpu);
    delays.observe(lateMs / 1000);
    if (lateMs >= stallMs) {
      const cpuMs = Math.round((cpu.user + cpu.system) / 1000);
      // Busy: our own code, or collecting garbage. Not busy: a blocking call, or the process was stopped or starved.
      const kind = cpuMs > lateMs / 2 ? 'busy' : 'waiting or not scheduled';
      const memory = process.memoryUsage();
      log.warn(
        {
          stalledMs: Math.round(lateMs),
          cpuMs,
          kind,
          underWay: describe(),
          heapUsedBytes: memory.heapUsed,
          residentBytes: memory.rss,
        },
        'The event loop stood still; nothing was taken in or answered meanwhile.',
      );
    }
    lastMs = performance.now();
    lastCpu = process.cpuUsage();
  }, intervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    registry.removeSingleMetric('trawl_event_loop_delay_seconds');
  };
}
