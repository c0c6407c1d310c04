/** An output at work: a sink, its spool, and the sender between them. */
import { join } from 'node:path';
import { Counter, type Registry } from 'prom-client';
import type { Batch, Outcome } from '../../model/batch.ts';
import type { Health, Host, Running, Sink } from '../component.ts';
import type { FileSystem } from '../file-system.ts';
import { openSpool } from '../spool/open-spool.ts';
import { outcomeOf } from '../spool/outcome.ts';
import type { Spool, SpoolLimits, SpoolLoss, SpoolStats } from '../spool/spool.ts';
import { createDeadLetters } from './dead-letters.ts';
import { createGate, type Gate } from './gate.ts';
import { runSender, signalKinds, signalOfKind } from './sender.ts';

export interface OutputOptions {
  readonly sink: Sink;
  /** Its name counts; its `dataDirectory` stays unused. */
  readonly host: Host;
  readonly spool: {
    readonly directory: string;
    readonly fileSystem: FileSystem;
    readonly limits: SpoolLimits;
    readonly whenFull: 'drop_oldest' | 'refuse';
    readonly writer: number;
  };
  /** Bodies on their way at the same time; 4 unless told. */
  readonly concurrency?: number;
  /** For a sink that does not end by itself, whose own timeout is shorter; 5 minutes and a bit unless told. */
  readonly attemptTimeoutMs?: number;
  /** In [0, 1); Math.random unless told. */
  readonly random?: () => number;
}

export interface Output {
  readonly name: string;
  /** Resolves once the batch is synced in the output's spool, or refused. `kept` for a signal that the output does not take. */
  append(batch: Batch, signal: AbortSignal): Promise<Outcome>;
  /** `stop` sends what it can until the deadline, or until the backend fails; the rest stays in the spool. It closes spool and sink. */
  readonly running: Running;
  spool(): SpoolStats;
  /** Lets what is kept be sent now, and resolves once it is sent. */
  flush(signal: AbortSignal): Promise<void>;
}

const defaultAttemptTimeoutMs = 310_000;

/** Losses stay visible in health for so long. */
const lossShownMs = 300_000;

/** Opens an output's spool and starts sending from it. */
export async function openOutput(options: OutputOptions): Promise<Output> {
  const { host, sink } = options;
  const losses = watchLosses(host);
  const spool = await openSpool({
    ...options.spool,
    clock: host.clock,
    log: host.log,
    keepsPositions: false,
    onLoss: losses.add,
  });
  const gate = createGate(host.clock, options.random ?? Math.random);
  const stopping = new AbortController();
  const sending = runSender(
    {
      sink,
      spool,
      host,
      gate,
      deadLetters: createDeadLetters({
        files: options.spool.fileSystem,
        directory: join(options.spool.directory, 'dead'),
      }),
      repeated: repeatedCounter(host.meter.registry),
      concurrency: options.concurrency ?? 4,
      attemptTimeoutMs: options.attemptTimeoutMs ?? defaultAttemptTimeoutMs,
    },
    stopping.signal,
  );
  let stopped: Promise<void> | undefined;
  const stop = async (deadline: AbortSignal) => {
    const end = async () => {
      stopping.abort(new Error(`${host.name} was stopped`));
      await sending;
    };
    const failures: unknown[] = [];
    // Each, whatever became of the one before: what stays open here would still be at work when the output is started again.
    for (const step of [() => drain(spool, gate, deadline), end, () => spool.close(), () => sink.close()])
      await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  return {
    name: host.name,
    append: (batch, signal) => append(sink, spool, batch, signal),
    running: {
      stop(deadline) {
        stopped ??= stop(deadline);
        return stopped;
      },
      health: () => healthOf(host, { spool, gate, loss: losses.latest() }),
    },
    spool: () => spool.stats(),
    flush: async (signal) => spool.released(await spool.rotate(), signal),
  };
}

async function append(sink: Sink, spool: Spool, batch: Batch, signal: AbortSignal): Promise<Outcome> {
  const body = sink.encode(batch);
  if (body === undefined || body.items === 0) return { kind: 'kept' };
  const section = { kind: signalKinds[batch.signal], items: body.items, bytes: body.bytes };
  return outcomeOf(await spool.append([section], signal), body.items);
}

/** Waits until all is sent, the backend fails, or the deadline is there. */
async function drain(spool: Spool, gate: Gate, deadline: AbortSignal): Promise<void> {
  const number = await spool.rotate();
  if (gate.failure() !== undefined || deadline.aborted) return;
  const ended = new AbortController();
  const abort = () => ended.abort(deadline.reason);
  deadline.addEventListener('abort', abort, { once: true });
  // Both waits end by the abort; that is how a drain ends, no failure.
  const quietly = (wait: Promise<void>) => wait.catch(() => undefined);
  try {
    await Promise.race([quietly(spool.released(number, ended.signal)), quietly(gate.nextFailure(ended.signal))]);
  } finally {
    deadline.removeEventListener('abort', abort);
    ended.abort();
  }
}

interface Losses {
  add(loss: SpoolLoss): void;
  latest(): { readonly atMs: number; readonly why: string } | undefined;
}

function watchLosses(host: Host): Losses {
  let latest: { atMs: number; why: string } | undefined;
  return {
    add(loss) {
      latest = { atMs: host.clock.nowMs(), why: loss.why };
      for (const [kind, count] of loss.items) {
        const signal = signalOfKind(kind);
        if (signal !== undefined && count > 0) host.meter.dropped(host.name, signal, loss.reason, count, loss.why);
      }
      if (loss.items.size === 0) host.meter.failed(host.name, loss.why);
    },
    latest: () => latest,
  };
}

function healthOf(host: Host, state: { spool: Spool; gate: Gate; loss: ReturnType<Losses['latest']> }): Health {
  const stats = state.spool.stats();
  const waiting = stats.segments === 0 ? 'nothing waits' : `${formatSize(stats.bytes)} wait on disk`;
  const failure = state.gate.failure();
  const nowMs = host.clock.nowMs();
  if (failure !== undefined) {
    const sinceS = Math.max(0, Math.round((nowMs - failure.sinceMs) / 1000));
    const nextS = Math.max(0, Math.round((failure.nextAttemptMs - nowMs) / 1000));
    const line = `failing for ${sinceS} s: ${failure.cause.message}; ${waiting}, next attempt in ${nextS} s`;
    return { isHealthy: false, line };
  }
  if (state.loss !== undefined && nowMs - state.loss.atMs < lossShownMs) {
    return { isHealthy: false, line: `data was dropped: ${state.loss.why}; ${waiting}` };
  }
  if (stats.lastFailure !== undefined) return { isHealthy: false, line: `its spool fails: ${stats.lastFailure}` };
  return { isHealthy: true, line: `delivering; ${waiting}` };
}

function formatSize(sizeBytes: number): string {
  return sizeBytes < 1024 * 1024 ? `${Math.ceil(sizeBytes / 1024)} KiB` : `${Math.round(sizeBytes / 1024 / 1024)} MiB`;
}

const repeatedName = 'trawl_output_repeated_items_total';
const repeatedCounters = new WeakMap<Registry, Counter<'component'>>();

/** One counter a registry, shared by all outputs. */
function repeatedCounter(registry: Registry): Counter<'component'> {
  let counter = repeatedCounters.get(registry);
  if (counter === undefined) {
    counter = new Counter({
      name: repeatedName,
      help: 'Items sent again although the backend may have had them: no answer came, or a crash forgot it.',
      labelNames: ['component'],
      registers: [registry],
    });
    repeatedCounters.set(registry, counter);
  }
  return counter;
}
