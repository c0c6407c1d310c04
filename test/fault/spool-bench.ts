/** A spool with a clock that the test turns, and a look at what lies in it. */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Clock } from '../../src/pipeline/component.ts';
import type { FileSystem } from '../../src/pipeline/file-system.ts';
import { openSpool } from '../../src/pipeline/spool/open-spool.ts';
import type { Section, Segment, Spool, SpoolLoss, SpoolOptions } from '../../src/pipeline/spool/spool.ts';

export const never = new AbortController().signal;
setMaxListeners(0, never);
export const directory = '/spool';

export interface TestClock extends Clock {
  advance(ms: number): void;
}

function createClock(): TestClock {
  let now = 1_700_000_000_000;
  const sleepers = new Set<{ untilMs: number; wake: () => void }>();
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = { untilMs: now + delayMs, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    advance(ms) {
      now += ms;
      for (const sleeper of [...sleepers]) {
        if (sleeper.untilMs > now) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
    },
  };
}

export interface Bench {
  readonly clock: TestClock;
  readonly losses: SpoolLoss[];
  open(): Promise<Spool>;
}

export function bench(files: FileSystem, changes: Partial<SpoolOptions> = {}): Bench {
  const clock = createClock();
  const losses: SpoolLoss[] = [];
  return {
    clock,
    losses,
    open: () =>
      openSpool({
        directory,
        fileSystem: files,
        clock,
        log: pino({ level: 'silent' }),
        limits: { maxBytes: 1 << 30 },
        whenFull: 'drop_oldest',
        writer: 7,
        keepsPositions: true,
        onLoss: (loss) => losses.push(loss),
        ...changes,
      }),
  };
}

export const line = (text: string, kind = 1): Section[] => [{ kind, items: 1, bytes: Buffer.from(text) }];

export async function textsOf(segment: Segment): Promise<string[]> {
  const texts: string[] = [];
  for await (const record of segment.records()) {
    texts.push(record.sections.map((section) => Buffer.from(section.bytes).toString()).join('+'));
  }
  return texts;
}

/** All that the spool would still deliver, in order; nothing is released. */
export async function waitingIn(spool: Spool): Promise<string[]> {
  await spool.rotate();
  const held: Segment[] = [];
  const texts: string[] = [];
  while (spool.stats().segments > held.length) {
    const segment = await spool.nextSegment(never);
    held.push(segment);
    texts.push(...(await textsOf(segment)));
  }
  for (const segment of held) segment.putBack();
  return texts;
}

export async function segmentPath(spool: Spool): Promise<string> {
  const number = await spool.rotate();
  return join(spool.directory, `${number}.seg`);
}
