/** A directory of container logs, the input that follows it, and an intake that keeps lines and positions as the spool does; for tests that kill. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import { containerLogsInput } from '../../src/inputs/container_logs/index.ts';
import type { Accept, Batch, Outcome } from '../../src/model/batch.ts';
import type { LogRecord } from '../../src/model/log-record.ts';
import type { Clock, Running } from '../../src/pipeline/component.ts';
import { createFakeHost, type FakeHost, realClock, until } from '../fixtures/fake-host.ts';
import { type LogWriter, openLogWriter, type WriterOptions } from './rotate.ts';

const fast = { poll_interval: '10ms', scan_interval: '100ms' };
/** Long enough for what should not come to come. */
const settleMs = 150;

/** What the intake says to a batch; nothing means that it is kept. */
export type Decide = (batch: Batch) => Outcome | undefined | Promise<Outcome | undefined>;

/** One test's logs; everything it opens is closed after the test. */
export class TailedLogs {
  readonly root: string = mkdtempSync(join(tmpdir(), 'trawl-logs-'));
  /** What was kept over all runs, in order. */
  kept: LogRecord[] = [];
  /** What the current run offered. */
  offered: Batch[] = [];
  positions: ReadonlyMap<string, string> = new Map();
  private current: { host: FakeHost; running: Running; kill(): void } | undefined;
  private writers: LogWriter[] = [];

  get host(): FakeHost {
    if (this.current === undefined) throw new Error('the input is not started');
    return this.current.host;
  }

  get running(): Running {
    if (this.current === undefined) throw new Error('the input is not started');
    return this.current.running;
  }

  open(options: Partial<WriterOptions> = {}): LogWriter {
    const writer = openLogWriter({ root: this.root, ...options });
    this.writers.push(writer);
    return writer;
  }

  async start(config: object = {}, decide?: Decide, clock: Clock = realClock): Promise<void> {
    const host = createFakeHost({ clock, name: 'inputs.container_logs', positions: this.positions });
    let isDead = false;
    this.offered = [];
    const accept: Accept = async (batch) => {
      this.offered.push(batch);
      const outcome = (await decide?.(batch)) ?? { kind: 'kept' };
      if (isDead) return { kind: 'retry', cause: new Error('killed') };
      // Lines and positions in one step, as they lie in one record of the spool.
      if (outcome.kind === 'kept' && batch.signal === 'logs') {
        host.keep(batch.positions ?? []);
        this.kept.push(...batch.items);
      }
      return outcome;
    };
    const parsed = containerLogsInput.config.parse({ path: this.root, ...fast, ...config });
    const running = await containerLogsInput.start(parsed, host, accept);
    this.current = {
      host,
      running,
      kill: () => {
        isDead = true;
      },
    };
  }

  /** Stops as a kill does: what was not kept is gone, what was kept stays. */
  async stop(): Promise<void> {
    if (this.current === undefined) return;
    const { host, running, kill } = this.current;
    kill();
    await running.stop(AbortSignal.abort());
    this.positions = new Map(host.keptPositions());
    this.current = undefined;
    host.close();
  }

  /** Kills and starts again from the kept positions. */
  async restart(...options: Parameters<TailedLogs['start']>): Promise<void> {
    await this.stop();
    await this.start(...options);
  }

  /** A log of `lines` lines that is being followed: all of them have arrived. */
  async follow(lines: number): Promise<LogWriter> {
    const writer = this.open();
    writer.write(lines);
    await this.start();
    await this.arrived(lines);
    return writer;
  }

  /** A log of which `lines` lines were kept before the input was killed. */
  async followAndStop(lines: number): Promise<LogWriter> {
    const writer = await this.follow(lines);
    await this.stop();
    return writer;
  }

  arrived(count: number): Promise<void> {
    return until(`${count} lines have arrived`, () => this.kept.length >= count, 8000);
  }

  /** Waits for `count` lines, and a moment longer for those that should not come. */
  async settled(count: number): Promise<void> {
    await this.arrived(count);
    await sleep(settleMs);
  }

  /** All lines up to `count`, in order, none twice; a moment later still. */
  async expectAll(count: number): Promise<void> {
    await this.settled(count);
    expect(this.numbers()).toEqual(upTo(count));
  }

  numbers(records: readonly LogRecord[] = this.kept): number[] {
    return records.map(({ body }) => Number(/^line (\d+)/.exec(body)?.[1] ?? Number.NaN));
  }

  bodies(): string[] {
    return this.kept.map(({ body }) => body);
  }

  closeWriters(): void {
    for (const writer of this.writers) writer.close();
    this.writers = [];
  }

  async end(): Promise<void> {
    await this.stop();
    this.closeWriters();
    rmSync(this.root, { recursive: true, force: true });
  }
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

/** Makes the logs anew before each test and ends them after it. */
export function eachTestTailsLogs(): { readonly logs: TailedLogs } {
  let logs: TailedLogs | undefined;
  beforeEach(() => {
    logs = new TailedLogs();
  });
  afterEach(async () => {
    await logs?.end();
    logs = undefined;
  });
  return {
    get logs() {
      if (logs === undefined) throw new Error('outside of a test');
      return logs;
    },
  };
}
