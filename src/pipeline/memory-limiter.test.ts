import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../test/fixtures/fake-host.ts';
import type { IngestRoute } from './ingest-route.ts';
import { createCollect, createMemoryLimiter, readProcessMemory, residentLimitBytes } from './memory-limiter.ts';

const mebibyte = 1024 * 1024;

function createLab() {
  const clock = createFakeClock();
  let used = 0;
  let garbage = 0;
  const collections: number[] = [];
  const changes: string[] = [];
  const limiter = createMemoryLimiter({
    clock,
    read: () => [
      { name: 'heap', usedBytes: (used + garbage) * mebibyte, limitBytes: 100 * mebibyte },
      { name: 'memory', usedBytes: 10 * mebibyte, limitBytes: 1000 * mebibyte },
    ],
    collect() {
      garbage = 0;
      collections.push(clock.monotonicMs());
    },
    changed: (pressure) => changes.push(pressure),
  });
  const ending = new AbortController();
  const running = limiter.run(ending.signal);
  return {
    clock,
    limiter,
    collections,
    changes,
    set(live: number, dead = 0) {
      used = live;
      garbage = dead;
    },
    async end() {
      ending.abort();
      await running;
    },
  };
}

describe('the memory limiter', () => {
  it('asks pushers to wait above 80 %, everybody above 90 %, and nobody once there is room again', async () => {
    const { clock, limiter, changes, set, end } = createLab();
    for (const live of [79, 80, 89, 90, 99, 85, 10]) {
      set(live);
      await clock.advance(500);
    }
    expect(changes).toEqual(['soft', 'hard', 'soft', 'none']);
    expect(limiter.why()).toBeUndefined();
    await end();
  });

  it('notices within half a second', async () => {
    const { clock, limiter, set, end } = createLab();
    set(95);
    await clock.advance(500);
    expect(limiter.why()).toBe('the agent is short of memory: 95 of 100 MiB of heap in use; send later or less');
    set(10);
    await clock.advance(500);
    expect(limiter.pressure()).toBe('none');
    await end();
  });

  it('collects garbage before it refuses anybody, but not all the time', async () => {
    const { clock, collections, changes, set, end } = createLab();
    set(30, 65);
    await clock.advance(500);
    expect(changes).toEqual([]);
    expect(collections).toHaveLength(1);
    set(95);
    await clock.advance(10_000);
    expect(changes).toEqual(['hard']);
    expect(collections.length).toBeLessThanOrEqual(6);
    await end();
  });

  it('does not refuse for garbage that gathers between two collections', async () => {
    const { clock, changes, set, end } = createLab();
    for (let i = 0; i < 20; i++) {
      set(40, 45);
      await clock.advance(500);
    }
    expect(changes).toEqual([]);
    await end();
  });

  it('answers 429 in place of a route, tells the input, and lets everything through again afterwards', async () => {
    const { clock, limiter, set, end } = createLab();
    const refused: string[] = [];
    const route: IngestRoute = {
      method: 'POST',
      path: '/x',
      bodyLimitBytes: 1,
      inflatedLimitBytes: 1,
      allowsAnyOrigin: false,
      handle: async () => ({ status: 202 }),
      refused: (problem) => refused.push(problem),
    };
    const guarded = limiter.guardRoute(route);
    const request = { path: '/x', mediaType: '', body: Buffer.alloc(0), signal: new AbortController().signal };
    set(85);
    await clock.advance(500);
    expect(await guarded.handle(request)).toMatchObject({ status: 429, retryAfterMs: 5000 });
    expect(refused).toEqual(['overloaded']);
    set(10);
    await clock.advance(500);
    expect(await guarded.handle(request)).toEqual({ status: 202 });
    await end();
  });

  it('lets scrapes and log lines through until memory is very short', async () => {
    const { clock, limiter, set, end } = createLab();
    const accept = limiter.guardAccept(async () => ({ kind: 'kept' }));
    const give = async () => (await accept({ signal: 'logs', items: [] }, new AbortController().signal)).kind;
    set(85);
    await clock.advance(500);
    expect(await give()).toBe('kept');
    set(95);
    await clock.advance(500);
    expect(await give()).toBe('retry');
    await end();
  });

  it("leaves the store process its part of a container's memory, and the agent a quarter at least", () => {
    expect(residentLimitBytes(0, 0)).toBeUndefined();
    expect(residentLimitBytes(2 ** 63, 0)).toBeUndefined();
    expect(residentLimitBytes(600 * mebibyte, 256 * mebibyte)).toBe(344 * mebibyte);
    expect(residentLimitBytes(600 * mebibyte, 1024 * mebibyte)).toBe(150 * mebibyte);
  });

  it('reads a process that is at rest as one with room, and can collect its garbage', () => {
    createCollect()();
    const [heap, memory] = readProcessMemory(8 * 1024 * mebibyte);
    expect(heap?.usedBytes).toBeLessThan((heap?.limitBytes ?? 0) * 0.8);
    expect(memory?.usedBytes).toBeGreaterThan(mebibyte);
  });
});
