/** Takes an output's closed segments, oldest first, and sends what is in them until the backend has taken or refused it all. */
import type { Counter } from 'prom-client';
import type { Signal } from '../../model/batch.ts';
import type { Delivery, EncodedBody, Host, Sink } from '../component.ts';
import type { Segment, Spool } from '../spool/spool.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Gate } from './gate.ts';

/** Section kinds of an output's spool are signals. */
export const signalKinds: Readonly<Record<Signal, number>> = { spans: 1, samples: 2, logs: 3 };

/** The signal of a section; undefined for a kind that no version wrote. */
export function signalOfKind(kind: number): Signal | undefined {
  if (kind === signalKinds.spans) return 'spans';
  if (kind === signalKinds.samples) return 'samples';
  return kind === signalKinds.logs ? 'logs' : undefined;
}

export interface SenderOptions {
  readonly sink: Sink;
  readonly spool: Spool;
  readonly host: Host;
  readonly gate: Gate;
  readonly deadLetters: DeadLetters;
  /** Counts the items that a backend may have been given twice. */
  readonly repeated: Counter<'component'>;
  /** Bodies on their way at the same time. */
  readonly concurrency: number;
  readonly attemptTimeoutMs: number;
}

const diskRetryMs = 1000;
const maxDiskFailures = 5;

interface Body extends EncodedBody {
  readonly key: string;
  readonly signal: Signal;
}

/** Runs until `stop` aborts. Whatever the backend does, this neither throws nor ends before. */
export async function runSender(options: SenderOptions, stop: AbortSignal): Promise<void> {
  const { spool, host } = options;
  let mayRepeat = true;
  while (!stop.aborted) {
    let segment: Segment | undefined;
    try {
      segment = await spool.nextSegment(stop);
      // After a crash the first segment may have been sent in part: only the sender that died knew.
      await sendSegment(options, { segment, mayRepeat: mayRepeat && segment.isRecovered, stop });
      mayRepeat = false;
    } catch (error) {
      segment?.putBack();
      if (stop.aborted) return;
      host.log.error({ err: error }, 'an output could not take up its spool; it tries again');
      host.meter.failed(host.name, messageOf(error));
      await pause(options, diskRetryMs, stop);
    }
  }
}

interface SegmentRun {
  readonly segment: Segment;
  readonly mayRepeat: boolean;
  readonly stop: AbortSignal;
}

async function sendSegment(options: SenderOptions, run: SegmentRun): Promise<void> {
  const done = new Set<string>();
  for (let failures = 0; ; ) {
    try {
      await sendRecords(options, run, done);
      await run.segment.release();
      return;
    } catch (error) {
      if (run.stop.aborted) throw error;
      failures += 1;
      options.host.meter.failed(options.host.name, messageOf(error));
      if (failures === maxDiskFailures) {
        await run.segment.setAside(`it could not be read or removed ${failures} times: ${messageOf(error)}`);
        return;
      }
      await pause(options, diskRetryMs, run.stop);
    }
  }
}

/** Sends every body that is not in `done`, in order, a few at a time. */
async function sendRecords(options: SenderOptions, run: SegmentRun, done: Set<string>): Promise<void> {
  const underway = new Set<Promise<void>>();
  // The first failure; all of `underway` ends before it is thrown, so that nothing is sent behind the caller's back.
  const failures: unknown[] = [];
  for await (const body of bodiesOf(run.segment)) {
    if (failures.length > 0) break;
    if (done.has(body.key)) continue;
    const sending = sendBody(options, run, body)
      .then(() => {
        done.add(body.key);
      })
      .catch((error: unknown) => {
        failures.push(error);
      })
      .finally(() => underway.delete(sending));
    underway.add(sending);
    if (underway.size >= options.concurrency) await Promise.race(underway);
  }
  await Promise.all(underway);
  if (failures.length > 0) throw failures[0];
}

async function* bodiesOf(segment: Segment): AsyncGenerator<Body, void, undefined> {
  for await (const { positionBytes, sections } of segment.records()) {
    for (const [index, section] of sections.entries()) {
      const signal = signalOfKind(section.kind);
      if (signal !== undefined) yield { ...section, signal, key: `${positionBytes}:${index}` };
    }
  }
}

/** Attempts until the backend has said yes or no to the body. */
async function sendBody(options: SenderOptions, run: SegmentRun, body: Body): Promise<void> {
  const { gate, host } = options;
  let mayRepeat = run.mayRepeat;
  for (;;) {
    const pass = await gate.enter(run.stop);
    if (mayRepeat) options.repeated.inc({ component: host.name }, body.items);
    const delivery = await attempt(options, body, run.stop);
    if (delivery.kind === 'retry') {
      if (run.stop.aborted) {
        gate.left();
        throw run.stop.reason;
      }
      mayRepeat = delivery.mayHaveArrived === true;
      gate.failed(pass, { cause: delivery.cause, afterMs: delivery.afterMs });
      host.meter.failed(host.name, delivery.cause.message);
      continue;
    }
    gate.succeeded();
    if (delivery.kind === 'delivered') host.meter.kept(host.name, body.signal, body.items);
    else await bury(options, body, delivery.cause.message);
    return;
  }
}

/** One attempt with a deadline. A sink that throws or does not heed its signal is no reason to hang. */
async function attempt(options: SenderOptions, body: Body, stop: AbortSignal): Promise<Delivery> {
  const { sink, host, attemptTimeoutMs } = options;
  const ended = new AbortController();
  const abort = () => ended.abort(stop.reason);
  stop.addEventListener('abort', abort, { once: true });
  const expired = host.clock.sleep(attemptTimeoutMs, ended.signal).then(
    (): Delivery => {
      const cause = new Error(`${host.name}: no answer within ${attemptTimeoutMs} ms; will be sent again`);
      ended.abort(cause);
      return { kind: 'retry', mayHaveArrived: true, cause };
    },
    (): Delivery => ({ kind: 'retry', mayHaveArrived: true, cause: new Error('the attempt was broken off') }),
  );
  const sent = sink
    .send(body, ended.signal)
    .catch((error: unknown): Delivery => ({ kind: 'retry', mayHaveArrived: true, cause: asError(error) }));
  try {
    return await Promise.race([sent, expired]);
  } finally {
    stop.removeEventListener('abort', abort);
    ended.abort();
  }
}

async function bury(options: SenderOptions, body: Body, why: string): Promise<void> {
  const { host, deadLetters } = options;
  host.meter.dropped(host.name, body.signal, 'rejected_by_backend', body.items, why);
  try {
    await deadLetters.add(body, why, host.clock.nowMs());
  } catch (error) {
    host.log.warn({ err: error }, 'a refused body could not be written to dead/; its loss is counted');
  }
}

async function pause(options: SenderOptions, delayMs: number, stop: AbortSignal): Promise<void> {
  try {
    await options.host.clock.sleep(delayMs, stop);
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function messageOf(error: unknown): string {
  return asError(error).message;
}
