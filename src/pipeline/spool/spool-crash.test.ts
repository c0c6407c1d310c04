/** The promise as a property: whatever the disk does, an acknowledged record is found exactly once, and none is found that was refused or is half. */

import { setMaxListeners } from 'node:events';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { type Call, createSimulatedDisk, type Fault, type SimulatedDisk } from '../../../test/fault/simulated-disk.ts';
import { createRandom } from '../../../test/fixtures/random.ts';
import type { Clock } from '../component.ts';
import { openSpool } from './open-spool.ts';
import { positionsSection, type Spool } from './spool.ts';

const never = new AbortController().signal;
setMaxListeners(0, never);
const maxIncarnations = 40;

/** What the outside world knows: a source of numbered lines that goes on from its kept position, and what a sender has delivered. */
interface World {
  readonly disk: SimulatedDisk;
  readonly clock: Clock & { now: number };
  readonly acked: Set<number>;
  readonly refused: Set<number>;
  /** Appends that were going on when the lights went out, or whose sync failed: they may be there or not. */
  readonly unknown: Set<number>;
  /** Lines by the number of the segment that brought them: a segment that is sent twice counts once. */
  readonly delivered: Map<bigint, number[]>;
  ackedPosition: number;
}

function createWorld(): World {
  const clock = {
    now: 1_700_000_000_000,
    nowMs: () => clock.now,
    monotonicMs: () => clock.now,
    sleep: () => new Promise<void>(() => undefined),
  };
  return {
    disk: createSimulatedDisk(),
    clock,
    acked: new Set(),
    refused: new Set(),
    unknown: new Set(),
    delivered: new Map(),
    ackedPosition: 0,
  };
}

const open = (world: World): Promise<Spool> =>
  openSpool({
    directory: '/spool',
    fileSystem: world.disk,
    clock: world.clock,
    log: pino({ level: 'silent' }),
    limits: { maxBytes: 1 << 30, segmentBytes: 300 },
    whenFull: 'refuse',
    writer: 1,
    keepsPositions: true,
    onLoss: () => undefined,
  });

const payload = (id: number): string => `line ${id} ${'abcdefgh'.repeat(id % 5)}`;

async function append(world: World, spool: Spool, id: number, attempt = 0): Promise<void> {
  const line = { kind: 4, items: 1, bytes: Buffer.from(payload(id)) };
  // What is sent once more comes behind later lines: it is no log then, and has no position.
  const sections = attempt > 0 ? [line] : [line, positionsSection([{ key: 'file', value: `${id}` }])];
  const result = await spool.append(sections, never);
  if (world.disk.hasCrashed || result.kind === 'failed') world.unknown.add(id);
  else if (result.kind === 'kept') {
    world.acked.add(id);
    if (attempt === 0) world.ackedPosition = Math.max(world.ackedPosition, id);
  } else if (!world.unknown.has(id)) world.refused.add(id);
  // Who is told no sends again: that must not make two of one, even if the disk brings the refused one back.
  if (result.kind === 'failed' && !world.disk.hasCrashed && attempt < 3) {
    world.clock.now += 1000;
    await append(world, spool, id, attempt + 1);
  }
}

async function deliverOne(world: World, spool: Spool): Promise<void> {
  const segment = await spool.nextSegment(never);
  const ids: number[] = [];
  for await (const record of segment.records()) {
    const text = Buffer.from(record.sections[0]?.bytes ?? []).toString();
    const id = Number(text.split(' ')[1]);
    if (text !== payload(id)) throw new Error(`altered: ${text}`);
    ids.push(id);
  }
  const before = world.delivered.get(segment.id);
  if (before !== undefined && before.join() !== ids.join()) {
    throw new Error(`segment ${segment.number} was delivered as ${before.join()} and then as ${ids.join()}`);
  }
  world.delivered.set(segment.id, ids);
  await segment.release();
}

/** One life of the agent: a few appends, one after another and side by side, segments sent and released in between. */
async function live(world: World, ids: () => number): Promise<void> {
  const spool = await open(world);
  checkPositions(world, spool);
  for (let round = 0; round < 3; round++) {
    await append(world, spool, ids());
    await Promise.all([append(world, spool, ids()), append(world, spool, ids()), append(world, spool, ids())]);
    await spool.rotate();
    const isAll = round === 1;
    while (spool.stats().segments > (isAll ? 0 : 1)) await deliverOne(world, spool);
    world.clock.now += 1000;
  }
  await spool.close();
}

/** A source that goes on behind `position` must meet no line again that is kept, and miss none that was acknowledged. */
function checkPositions(world: World, spool: Spool): void {
  const position = Number(spool.positions('file')[0]?.value ?? 0);
  if (position < world.ackedPosition) {
    throw new Error(`position ${position} although ${world.ackedPosition} was acknowledged`);
  }
}

async function drain(world: World): Promise<void> {
  const spool = await open(world);
  checkPositions(world, spool);
  await spool.rotate();
  while (spool.stats().segments > 0) await deliverOne(world, spool);
  const found = [...world.delivered.values()].flat();
  const position = Number(spool.positions('file')[0]?.value ?? 0);
  await spool.close();
  const once = new Set(found);
  if (once.size !== found.length) throw new Error(`found twice: ${found.join()}`);
  for (const id of world.acked) if (!once.has(id)) throw new Error(`lost: ${id} of ${found.join()}`);
  for (const id of found) {
    if (!world.acked.has(id) && !world.unknown.has(id)) throw new Error(`refused or never sent, yet found: ${id}`);
    if (id > position && !(world.acked.has(id) && world.unknown.has(id)))
      throw new Error(`found ${id}, yet the position is ${position}`);
  }
}

interface Schedule {
  readonly fault: (call: Call) => Fault | undefined;
  readonly random: 'lose' | (() => number);
}

/** Runs lives on one disk until one ends by itself, then reads all. Answers the number of calls. */
async function run(schedule: Schedule): Promise<number> {
  const world = createWorld();
  world.disk.fault = schedule.fault;
  let next = 0;
  for (let incarnation = 0; incarnation < maxIncarnations; incarnation++) {
    try {
      await live(world, () => ++next);
      if (!world.disk.hasCrashed) break;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
    world.disk.restart(schedule.random);
  }
  const { calls } = world.disk;
  world.disk.fault = () => undefined;
  world.disk.restart(schedule.random);
  await drain(world);
  return calls;
}

const crashAt =
  (index: number) =>
  (call: Call): Fault | undefined =>
    call.index === index ? { kind: 'crash' } : undefined;

/** Bounded by their counts, not by time: a busy machine takes longer. */
const longTest = { timeout: 120_000 };

describe('a spool whose machine loses power', longTest, () => {
  it('keeps its promise when that happens at any one call, losing all that was not synced', async () => {
    const calls = await run({ fault: () => undefined, random: 'lose' });
    expect(calls).toBeGreaterThan(40);
    for (let index = 0; index < calls; index++) await run({ fault: crashAt(index), random: 'lose' });
  });

  it('keeps its promise when that happens at any one call, with parts of the unsynced there', async () => {
    const calls = await run({ fault: () => undefined, random: 'lose' });
    for (let seed = 0; seed < 5; seed++) {
      for (let index = 0; index < calls; index++) {
        await run({ fault: crashAt(index), random: createRandom(seed * 1000 + index) });
      }
    }
  });

  it('keeps its promise under 1,000 seeded schedules of crashes, failures and short writes', async () => {
    for (let seed = 0; seed < 1000; seed++) {
      const random = createRandom(seed);
      const fault = (call: Call): Fault | undefined => {
        const dice = random();
        if (dice < 0.01) return { kind: 'crash' };
        if (dice < 0.02) return { kind: 'fail', code: 'ENOSPC' };
        if (dice < 0.03) return { kind: 'fail', code: 'EIO' };
        if (dice < 0.06 && call.operation === 'write') return { kind: 'short', bytes: 1 + Math.floor(random() * 40) };
        return undefined;
      };
      try {
        await run({ fault, random });
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});

describe('the crash test itself', longTest, () => {
  const failsWith = async (fault: (call: Call) => Fault | undefined): Promise<string> => {
    const calls = await run({ fault: () => undefined, random: 'lose' });
    for (let index = 0; index < calls * 2; index++) {
      const both = (call: Call) => crashAt(index)(call) ?? fault(call);
      try {
        await run({ fault: both, random: 'lose' });
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    }
    return 'nothing found';
  };

  it('notices when records are not synced before they are acknowledged', async () => {
    const fault = ({ operation, path }: Call): Fault | undefined =>
      operation === 'syncData' && path.endsWith('.seg') ? { kind: 'skip' } : undefined;
    expect(await failsWith(fault)).toMatch(/lost|position/);
  });

  it("notices when a new segment's name is not synced before its records are acknowledged", async () => {
    const fault = ({ operation }: Call): Fault | undefined =>
      operation === 'syncDirectory' ? { kind: 'skip' } : undefined;
    expect(await failsWith(fault)).toMatch(/lost|position/);
  });

  it('notices when positions are not synced before their segment goes', async () => {
    const fault = ({ operation, path }: Call): Fault | undefined =>
      operation === 'syncData' && path.includes('positions.json') ? { kind: 'skip' } : undefined;
    expect(await failsWith(fault)).toMatch(/position/);
  });

  it('notices when a segment goes before its positions are in their file', async () => {
    const fault = ({ operation, path }: Call): Fault | undefined =>
      operation === 'rename' && path.includes('positions.json') ? { kind: 'skip' } : undefined;
    expect(await failsWith(fault)).toMatch(/position/);
  });
});
