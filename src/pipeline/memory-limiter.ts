/**
 * Says when memory runs short, before the kernel or V8 end the process: above 80 % of a limit what is pushed is refused with 429, above
 * 90 % nothing is taken in at all. The reasons are in `docs/decisions/memory-limiter.md`.
 */
import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Accept } from '../model/batch.ts';
import type { Clock } from './component.ts';
import type { IngestRoute } from './ingest-route.ts';
import { RefusedError } from './refusal.ts';

/** How full one kind of memory is. */
export interface MemoryReading {
  /** As a person calls it: `heap`. */
  readonly name: string;
  readonly usedBytes: number;
  readonly limitBytes: number;
}

export type MemoryPressure = 'none' | 'soft' | 'hard';

export interface MemoryLimiterOptions {
  readonly clock: Clock;
  read(): readonly MemoryReading[];
  /** Frees what nothing refers to any more; blocks for as long as that takes. */
  collect(): void;
  changed(pressure: MemoryPressure, why: string | undefined): void;
}

export interface MemoryLimiter {
  pressure(): MemoryPressure;
  /** Why memory is short, in a sentence for whoever is refused; undefined when it is not. */
  why(): string | undefined;
  /** Looks twice a second until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** The route, answering 429 while memory is short: before a body is decoded, which is what takes memory. */
  guardRoute(route: IngestRoute): IngestRoute;
  /** The function, answering `retry` while memory is very short. */
  guardAccept(accept: Accept): Accept;
}

const softShare = 0.8;
const hardShare = 0.9;
const intervalMs = 500;
/** A collection blocks for up to 0.2 s on a heap of 256 MiB. */
const collectIntervalMs = 2_000;
const retryMs = 5_000;

const shareOf = ({ usedBytes, limitBytes }: MemoryReading): number => usedBytes / limitBytes;

const fullest = (readings: readonly MemoryReading[]): MemoryReading | undefined =>
  readings.reduce<MemoryReading | undefined>(
    (most, reading) => (most === undefined || shareOf(reading) > shareOf(most) ? reading : most),
    undefined,
  );

const mebibytes = (sizeBytes: number): number => Math.round(sizeBytes / 1024 / 1024);

const sentenceOf = ({ name, usedBytes, limitBytes }: MemoryReading): string =>
  `the agent is short of memory: ${mebibytes(usedBytes)} of ${mebibytes(limitBytes)} MiB of ${name} in use; send later or less`;

/** Makes a limiter that has not looked yet. */
export function createMemoryLimiter(options: MemoryLimiterOptions): MemoryLimiter {
  const { clock } = options;
  let pressure: MemoryPressure = 'none';
  let why: string | undefined;
  let collectedAtMs = Number.NEGATIVE_INFINITY;

  const levelOf = (reading: MemoryReading | undefined): MemoryPressure => {
    const share = reading === undefined ? 0 : shareOf(reading);
    return share >= hardShare ? 'hard' : share >= softShare ? 'soft' : 'none';
  };

  const look = (): void => {
    let reading = fullest(options.read());
    let level = levelOf(reading);
    if (level !== 'none' && clock.monotonicMs() - collectedAtMs >= collectIntervalMs) {
      // What fills a heap may be garbage, and an agent that refuses everything makes too little new to have it collected.
      options.collect();
      collectedAtMs = clock.monotonicMs();
      reading = fullest(options.read());
      level = levelOf(reading);
    } else if (level === 'soft' && pressure === 'none') {
      // A moment ago there was room after a collection: the next one will tell.
      return;
    }
    const before = pressure;
    pressure = level;
    why = reading === undefined || level === 'none' ? undefined : sentenceOf(reading);
    if (pressure !== before) options.changed(pressure, why);
  };

  return {
    pressure: () => pressure,
    why: () => why,
    async run(signal) {
      while (!signal.aborted) {
        look();
        await clock.sleep(intervalMs, signal).catch((error) => {
          if (!signal.aborted) throw error;
        });
      }
    },
    guardRoute: (route) => ({
      ...route,
      async handle(request) {
        if (why === undefined) return route.handle(request);
        route.refused('overloaded', why);
        return { status: 429, body: `${why}\n`, retryAfterMs: retryMs };
      },
    }),
    guardAccept: (accept) => async (batch, signal) =>
      pressure === 'hard' && why !== undefined
        ? { kind: 'retry', afterMs: retryMs, cause: new RefusedError('overloaded', why) }
        : accept(batch, signal),
  };
}

/** The least of the container's memory that is the agent's, however much the store may take. */
const leastAgentShare = 0.25;

/**
 * What the agent may use of the memory that its container has, `storeBytes` of which belong to the store process beside it; undefined
 * where there is no limit.
 */
export function residentLimitBytes(containerBytes: number, storeBytes: number): number | undefined {
  // Without a limit the kernel says 0, or a number beyond any machine.
  if (containerBytes <= 0 || containerBytes > totalmem()) return undefined;
  return Math.max(containerBytes - storeBytes, containerBytes * leastAgentShare);
}

/** Reads this process: its heap against V8's limit, and its resident memory against `limitBytes` where there is one. */
export function readProcessMemory(limitBytes: number | undefined): readonly MemoryReading[] {
  const heap = getHeapStatistics();
  return [
    { name: 'heap', usedBytes: heap.used_heap_size, limitBytes: heap.heap_size_limit },
    ...(limitBytes === undefined ? [] : [{ name: 'memory', usedBytes: process.memoryUsage.rss(), limitBytes }]),
  ];
}

/** V8's own full collection, which is hidden behind a flag. */
export function createCollect(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect !== 'function') throw new Error('V8 did not give away its garbage collector');
  return () => void collect();
}
