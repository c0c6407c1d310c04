/** Follows all containers below a directory: looks for files, looks at files, and sends what they hold, a few batches at a time. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Accept, Batch, Outcome, Position } from '../../model/batch.ts';
import type { Host } from '../../pipeline/component.ts';
import { type ContainerLog, createContainerLog, type Gathered, type LogReading } from './container-log.ts';
import { type FoundContainer, type ScanOptions, scanContainer, scanRoot } from './directory-scan.ts';
import type { FilePosition } from './position.ts';
import type { StartAt } from './start-point.ts';

export interface TailerOptions {
  readonly host: Host;
  readonly accept: Accept;
  /** Ends waiting for the intake. */
  readonly acceptSignal: AbortSignal;
  readonly scan: ScanOptions;
  readonly reading: LogReading;
  readonly kept: ReadonlyMap<string, FilePosition>;
  readonly startAt: StartAt;
  readonly scanIntervalMs: number;
  readonly pollIntervalMs: number;
}

export interface Tailer {
  /** Follows until `signal` aborts; resolves when nothing of it runs any more. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
  /** Closes files at whose end reading waits; whether there was one. */
  closeIdle(): Promise<boolean>;
  summary(): { readonly containers: number; readonly unreadBytes: number; readonly trouble: string | undefined };
}

/** Four batches of 1 MiB with what their records need stay within the 8 MiB that may be in flight. */
const workers = 4;
const maxBatchBytes = 1024 * 1024;
/** What one container gives at a time while others wait. */
const maxTurnBytes = 256 * 1024;
const chunkBytes = 256 * 1024;
const minRetryMs = 500;
const maxRetryMs = 30_000;

/** Whether a path is there, or cannot be asked now. */
function mayBeThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Only what is certainly gone may be forgotten; the scan reports what is wrong.
    return true;
  }
}

/** Names that wait for a worker, each once, in order of arrival. */
function createQueue() {
  const waiting = new Map<string, ContainerLog>();
  let wake: (() => void) | undefined;
  return {
    push(id: string, log: ContainerLog) {
      waiting.set(id, log);
      wake?.();
    },
    shift(): readonly [string, ContainerLog] | undefined {
      for (const entry of waiting) {
        waiting.delete(entry[0]);
        return entry;
      }
      return undefined;
    },
    get isEmpty() {
      return waiting.size === 0;
    },
    async wait(signal: AbortSignal): Promise<void> {
      while (waiting.size === 0 && !signal.aborted) {
        const others = wake;
        await new Promise<void>((resolve) => {
          const done = () => {
            signal.removeEventListener('abort', done);
            resolve();
          };
          signal.addEventListener('abort', done, { once: true });
          wake = () => {
            wake = undefined;
            others?.();
            done();
          };
        });
      }
    },
  };
}

/** Makes a tailer; it does nothing until `run`. */
export function createTailer(options: TailerOptions): Tailer {
  const { host, reading } = options;
  const { clock } = host;
  const logs = new Map<string, ContainerLog>();
  const busy = new Set<string>();
  const queue = createQueue();
  let isFirstScan = true;
  let scanTrouble: string | undefined;
  /** What keeps a container from being read, by its id, while it does. */
  const readTroubles = new Map<string, string>();
  /** What keeps a batch from being taken, while it does. */
  const sendTroubles = new Map<Batch, string>();

  /** What a scan finds out while a worker has the container is told when it gives it back: it would change the files under its hands. */
  const untold = new Map<string, FoundContainer | undefined>();
  const tell = (id: string, log: ContainerLog, found: FoundContainer | undefined) => {
    if (busy.has(id)) untold.set(id, found);
    else log.update(found);
  };
  const giveBack = (id: string, log: ContainerLog) => {
    busy.delete(id);
    if (!untold.has(id)) return;
    log.update(untold.get(id));
    untold.delete(id);
  };

  const take = (found: FoundContainer) => {
    let log = logs.get(found.id);
    if (log === undefined) {
      const startAt = isFirstScan && options.kept.size === 0 ? options.startAt : 'beginning';
      log = createContainerLog(found, { kept: options.kept, startAt }, reading);
      logs.set(found.id, log);
    }
    tell(found.id, log, found);
  };
  const scan = async () => {
    scanTrouble = existsSync(options.scan.root) ? undefined : `there is no directory ${options.scan.root}`;
    const { containers: found, unlisted } = await scanRoot(options.scan);
    for (const { directory, why } of unlisted.slice(0, 1)) scanTrouble ??= `${directory}: ${why}`;
    const isUnlisted = (id: string) => unlisted.some(({ directory }) => id.startsWith(`${directory}/`));
    const ids = new Set(found.map(({ id }) => id));
    for (const container of found) take(container);
    for (const [id, log] of logs) {
      if (ids.has(id) || isUnlisted(id)) continue;
      tell(id, log, undefined);
      if (!log.isOver() || busy.has(id)) continue;
      logs.delete(id);
      readTroubles.delete(id);
    }
    isFirstScan = false;
  };
  const rescanRotated = async () => {
    const directories = new Set<string>();
    for (const log of logs.values()) if (log.isRotated()) directories.add(log.directory);
    for (const directory of directories) {
      const { containers } = await scanContainer(join(options.scan.root, directory), options.scan);
      for (const container of containers) take(container);
    }
  };
  const poll = () => {
    for (const [id, log] of logs) if (!busy.has(id) && log.hasWork()) queue.push(id, log);
  };

  const watch = async (signal: AbortSignal) => {
    if (isFirstScan) await forgetVanished(signal);
    let nextScanMs = clock.monotonicMs();
    while (!signal.aborted) {
      if (clock.monotonicMs() >= nextScanMs) {
        await scan();
        nextScanMs = clock.monotonicMs() + options.scanIntervalMs;
      } else {
        await rescanRotated();
      }
      poll();
      await clock.sleep(options.pollIntervalMs, signal);
    }
  };

  /**
   * Reads from as many containers as a batch holds; each is this worker's until the batch is settled. Those that have more to give are
   * told by `hasMore`; one that fails is looked at again by the next poll.
   */
  const gather = async (buffer: Buffer, into: Gathered, held: Map<string, ContainerLog>): Promise<Set<string>> => {
    const hasMore = new Set<string>();
    while (into.readBytes < maxBatchBytes) {
      const next = queue.shift();
      if (next === undefined) return hasMore;
      const [id, log] = next;
      if (busy.has(id) && !held.has(id)) continue;
      busy.add(id);
      held.set(id, log);
      const room = queue.isEmpty ? maxBatchBytes : Math.min(maxBatchBytes, into.readBytes + maxTurnBytes);
      try {
        if (await log.gather(into, { buffer, maxBytes: room })) hasMore.add(id);
        readTroubles.delete(id);
      } catch (error) {
        // What was read before goes on its way, with its positions.
        const why = error instanceof Error ? error.message : String(error);
        hasMore.delete(id);
        readTroubles.set(id, `${log.directory}: ${why}`);
        reading.onProblem(log.directory, why);
      }
    }
    return hasMore;
  };

  const offer = async (batch: Batch): Promise<Outcome> => {
    try {
      return await options.accept(batch, options.acceptSignal);
    } catch (cause) {
      return { kind: 'retry', cause: cause instanceof Error ? cause : new Error(String(cause)) };
    }
  };

  /** Offers a batch until it is settled; the files are the buffer meanwhile. True if it is kept. */
  const send = async (batch: Batch, signal: AbortSignal): Promise<boolean> => {
    for (let attempt = 0; ; attempt++) {
      const outcome = await offer(batch);
      sendTroubles.delete(batch);
      if (outcome.kind !== 'retry') return outcome.kind === 'kept';
      signal.throwIfAborted();
      sendTroubles.set(batch, `${batch.items.length} lines wait: ${outcome.cause.message}`);
      host.meter.failed(host.name, `the intake could not take ${batch.items.length} lines: ${outcome.cause.message}`);
      const backoffMs = Math.min(maxRetryMs, minRetryMs * 2 ** Math.min(attempt, 10));
      const delayMs = outcome.afterMs ?? backoffMs * (0.5 + Math.random() / 2);
      await clock.sleep(delayMs, signal);
    }
  };

  /** Sends what was gathered; true if the positions are kept. */
  const settle = async ({ records, positions }: Gathered, signal: AbortSignal): Promise<boolean> => {
    if (records.length + positions.length === 0) return true;
    if (await send({ signal: 'logs', items: records, positions }, signal)) return true;
    // Refused for good: after a restart these lines must not be offered again, so how far they go is kept without them.
    return positions.length === 0 || (await send({ signal: 'logs', items: [], positions }, signal));
  };

  const work = async (signal: AbortSignal) => {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (;;) {
      await queue.wait(signal);
      signal.throwIfAborted();
      const into: Gathered = { records: [], positions: [], readBytes: 0 };
      const held = new Map<string, ContainerLog>();
      const again: string[] = [];
      try {
        const hasMore = await gather(buffer, into, held);
        if (await settle(into, signal)) for (const log of held.values()) log.commit();
        for (const id of hasMore) again.push(id);
      } finally {
        for (const [id, log] of held) giveBack(id, log);
      }
      for (const id of again) {
        const log = held.get(id);
        if (log?.hasWork() === true) queue.push(id, log);
      }
    }
  };

  /** Tells of what should not happen, and goes on. */
  const keepGoing = async (what: string, loop: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => {
    while (!signal.aborted) {
      try {
        await loop(signal);
      } catch (error) {
        if (signal.aborted) return;
        const why = `${what} failed: ${error instanceof Error ? error.message : String(error)}`;
        host.meter.failed(host.name, why);
        host.log.error({ err: error }, why);
        await clock.sleep(minRetryMs, signal).catch(() => undefined);
      }
    }
  };

  /** Positions of containers that are no longer there. Where nothing is found at all, it is rather the directory that is not there yet. */
  const forgetVanished = async (signal: AbortSignal) => {
    await scan();
    if (logs.size === 0) return;
    const positions: Position[] = [];
    for (const [key, { path }] of options.kept) {
      const life = /^(.*\/\d+)\.log/.exec(path)?.[1];
      if (life !== undefined && (logs.has(life) || mayBeThere(join(options.scan.root, dirname(path))))) continue;
      positions.push({ key: reading.keyPrefix + key, value: '' });
    }
    if (positions.length > 0) await send({ signal: 'logs', items: [], positions }, signal);
  };

  return {
    async run(signal) {
      const loops = [keepGoing('looking for log files', watch, signal)];
      for (let n = 0; n < workers; n++) loops.push(keepGoing('reading log files', work, signal));
      await Promise.all(loops);
    },
    async close() {
      for (const log of logs.values()) await log.close();
    },
    async closeIdle() {
      for (const [id, log] of logs) if (!busy.has(id) && (await log.closeIdle())) return true;
      return false;
    },
    summary: () => {
      let unreadBytes = 0;
      for (const log of logs.values()) unreadBytes += log.unreadBytes();
      const trouble = scanTrouble ?? [...sendTroubles.values(), ...readTroubles.values()][0];
      return { containers: logs.size, unreadBytes, trouble };
    },
  };
}
