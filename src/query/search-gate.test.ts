import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../store/client.ts';
import { createSearchGate } from './search-gate.ts';

/** A search that ends when it is told to. */
function pending() {
  let end: (value: string) => void = () => undefined;
  const result = new Promise<string>((resolve) => {
    end = resolve;
  });
  return { run: () => result, end };
}

const never = new AbortController().signal;

describe('a search gate', () => {
  it('lets so many searches work at once, and the next one in when one ends', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 1 });
    const first = pending();
    const running = gate.pass(never, first.run);
    let began = false;
    const waiting = gate.pass(never, async () => {
      began = true;
      return 'second';
    });
    await Promise.resolve();
    expect(began).toBe(false);
    first.end('first');
    expect(await Promise.all([running, waiting])).toEqual(['first', 'second']);
    expect(await gate.pass(never, async () => 'third')).toBe('third');
  });

  it('refuses what would have to wait behind too many, as a busy store does', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 0 });
    const first = pending();
    const running = gate.pass(never, first.run);
    const refused = gate.pass(never, first.run);
    await expect(refused).rejects.toBeInstanceOf(StoreError);
    await expect(refused).rejects.toMatchObject({ isRetryable: true });
    first.end('first');
    await running;
  });

  it('forgets who leaves while waiting, and gives the place of one that failed to the next', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 2 });
    const leaving = new AbortController();
    const first = gate.pass(never, () => Promise.reject(new Error('a bug')));
    const left = gate.pass(leaving.signal, async () => 'left');
    const next = gate.pass(never, async () => 'next');
    leaving.abort(new Error('the client left'));
    await expect(first).rejects.toThrow('a bug');
    await expect(left).rejects.toThrow('the client left');
    expect(await next).toBe('next');
    await expect(gate.pass(AbortSignal.abort(new Error('gone')), async () => 1)).rejects.toThrow('gone');
  });
});

describe('a lane of the gate', () => {
  /** Whether the only place among the large ones is free. */
  const isFree = (gate: ReturnType<typeof createSearchGate>) =>
    gate.pass(AbortSignal.timeout(1000), async () => 'free').catch(() => 'taken');

  it('moves what takes longer than a small query over to the large ones, and gives its place back when it is done', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 1 });
    const asked: boolean[] = [];
    const isLarge = await gate.begin({ signal: never, known: undefined }, async (lane) => {
      await lane.read(never, async (_, mayBeLarge) => {
        asked.push(mayBeLarge);
        while (!lane.isLarge()) await sleep(5);
      });
      return lane.isLarge();
    });
    expect([isLarge, asked]).toEqual([true, [true]]);
    expect(await isFree(gate)).toBe('free');
  });

  it('asks again from a place among the large ones where there was none at first', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 1 });
    const first = pending();
    const running = gate.pass(never, first.run);
    let asks = 0;
    const answer = await gate.begin({ signal: never, known: undefined }, (lane) =>
      lane.read(never, async (signal) => {
        if (++asks > 1) return 'again';
        await sleep(10_000, undefined, { signal }).catch(() => first.end('first'));
        throw new Error('its trial is over');
      }),
    );
    expect([answer, asks, await running]).toEqual(['again', 2, 'first']);
    expect(await isFree(gate)).toBe('free');
  });

  it('keeps no place for a query that left while the store still answers it', async () => {
    const gate = createSearchGate({ atOnce: 1, waiting: 1 });
    const leaving = new AbortController();
    const late = pending();
    const reads: Promise<unknown>[] = [];
    const left = gate.begin({ signal: leaving.signal, known: undefined }, async (lane) => {
      reads.push(lane.read(leaving.signal, late.run));
      leaving.abort(new Error('the client left'));
      throw new Error('the client left');
    });
    await expect(left).rejects.toThrow('the client left');
    // Longer than a trial is.
    await sleep(150);
    late.end('too late');
    expect(await Promise.all(reads)).toEqual(['too late']);
    expect(await isFree(gate)).toBe('free');
  });

  it('takes one place for a query that enters twice at once', async () => {
    const gate = createSearchGate({ atOnce: 2, waiting: 1 });
    await gate.begin({ signal: never, known: undefined }, (lane) => Promise.all([lane.enter(), lane.enter()]));
    expect(await Promise.all([isFree(gate), isFree(gate)])).toEqual(['free', 'free']);
    const first = pending();
    const both = [gate.pass(never, first.run), gate.pass(never, async () => first.end('both'))];
    await Promise.all(both);
  });
});
